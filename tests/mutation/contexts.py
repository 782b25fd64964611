# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pytest plugin: writes the tests that run each line of the measured folders, as JSON, to ``MUTATION_CONTEXTS``.

The shape is ``{test file: {path: {line: [test id]}}}``. Tests that fail are left out.
"""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import coverage
import pytest

DATA = os.environ["MUTATION_CONTEXTS"]
MEASURED = ["*/plugins/module_utils/_engine/*", "*/plugins/module_utils/_cloudflare/*"]
measurement = coverage.Coverage(data_file=None, config_file=False, include=MEASURED)
measurement.start()
failed: set[str] = set()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> t.Generator[None, object, object]:
    measurement.switch_context(item.nodeid)
    try:
        return (yield)
    finally:
        measurement.switch_context("")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        failed.add(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    measurement.stop()
    data = measurement.get_data()
    found: dict[str, dict[str, dict[int, list[str]]]] = {}
    for path in data.measured_files():
        name = os.path.relpath(path, session.config.rootpath)
        for line, tests in data.contexts_by_lineno(path).items():
            for test in filter(None, {*tests} - failed):
                lines = found.setdefault(test.partition("::")[0], {}).setdefault(name, {})
                lines.setdefault(line, []).append(test)
    pathlib.Path(DATA).write_text(json.dumps(found), encoding="utf-8")
