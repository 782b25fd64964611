# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pytest session that has collected all unit tests, and runs some of them in a fork whenever it is asked to."""

from __future__ import annotations

import os
import pathlib
import typing as t
from dataclasses import dataclass
from multiprocessing.connection import Connection

import pytest
from processes import Limits, wait
from swapping import changed_functions, swap

NOT_SWAPPED = 99  # exit status


@dataclass(frozen=True)
class Request:
    """Tests to run with a file of the collection as if it had other content. ``file`` is its full path."""

    file: str
    source: str
    mutated: str
    tests: tuple[str, ...]
    timeout: float


class Server(Limits):
    """A pytest plugin that answers requests instead of running all tests."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._failed = ""

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        failed = pathlib.Path(str(session.config.option.basetemp) + ".failed")
        while request := self._connection.recv():
            failed.write_text("", encoding="utf-8")
            process = os.fork()
            if not process:
                os.setsid()
                self._run(request, [items[name] for name in request.tests if name in items], failed)
            self._connection.send((wait(process, request.timeout), failed.read_text(encoding="utf-8")))
        return True

    def _run(self, request: Request, items: t.Sequence[pytest.Item], failed: pathlib.Path) -> t.NoReturn:
        status = NOT_SWAPPED
        try:
            before, after = (compile(text, request.file, "exec") for text in (request.source, request.mutated))
            pairs = changed_functions(before, after)
            if pairs is not None and swap(request.file, pairs):
                status = self._run_items(items)
                failed.write_text(self._failed, encoding="utf-8")
        finally:
            os._exit(status)

    def _run_items(self, items: t.Sequence[pytest.Item]) -> int:
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return 1
        return 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and report.when != "teardown":
            self._failed = report.nodeid
