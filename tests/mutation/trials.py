# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of tests with a mutant, in forks: a mutant in a function takes less than a second, any other one some seconds.

The runs use a copy of the checkout, whose files alone are changed. A mutant in a function replaces the code of the
loaded function in a fork of a session that has collected all tests. Any other one, such as a number in a table, is
imported by a fork of this process, which has imported everything but the collection.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import typing as t

from processes import TIMED_OUT, Limits, wait

if t.TYPE_CHECKING:
    from multiprocessing.connection import Connection

COLLECTION = "ansible_collections/tenantry/cloudflare_workers"
PRELOADED = (
    *("pytest", "requests", "yaml", "idna", "local_edge.testing", "local_edge.app"),
    *("ansible.module_utils.basic", "ansible.plugins.action", "ansible.plugins.loader", "ansible.parsing.dataloader"),
)
OPTIONS = (
    *("-q", "--no-header", "--tb=line", "--assert=plain"),
    *(part for name in ("cacheprovider", "xdist", "hypothesispytest") for part in ("-p", f"no:{name}")),
)
TESTS = ("tests/unit", "--ignore=tests/unit/local_edge")  # those that may run plugins
FAST = ("-m", "not slow")
PASSED, FAILED, USAGE_ERROR = 0, 1, 4
TIMEOUT = 600  # seconds for a mutant, so that only one that sleeps exceeds it on a slow machine


class Trials:
    """A copy of the checkout in ``folder``, and runs of its unit tests. ``tests`` are pytest's arguments for all."""

    def __init__(self, checkout: pathlib.Path, folder: pathlib.Path, tests: t.Sequence[str] = TESTS) -> None:
        self.tests = tests
        self.root = folder / COLLECTION
        self._folder = folder
        self._log = folder / "output"
        self._server: Connection | None = None
        self._passing: dict[str, bool] = {}
        _copy(checkout, self.root)
        os.environ.update(ANSIBLE_COLLECTIONS_PATH=str(self._folder))
        sys.path.insert(0, str(self.root / "roles" / "local_edge" / "files"))
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # a run ends with the tests that it has started
        for name in PRELOADED:
            importlib.import_module(name)

    def try_mutant(self, path: str, source: str, mutated: str, tests: t.Sequence[str]) -> tuple[int, str]:
        """Run tests with a changed file, until the first failure. Return PASSED, FAILED or TIMED_OUT, and the test.

        A test that fails without a mutant too, as on a slow machine, is left out.
        """
        remaining = list(tests)
        while True:
            status, failed = self._try(path, source, mutated, remaining)
            if status in (PASSED, TIMED_OUT) or failed not in remaining or self._passes(path, source, failed):
                return status, failed
            remaining.remove(failed)

    def _passes(self, path: str, source: str, test: str) -> bool:
        if test not in self._passing:
            self._passing[test] = self._ask(path, source, source, [test])[0] == PASSED
        return self._passing[test]

    def _try(self, path: str, source: str, mutated: str, tests: t.Sequence[str]) -> tuple[int, str]:
        from collected import NOT_SWAPPED

        if not tests:
            return PASSED, ""
        status, failed = self._ask(path, source, mutated, tests)
        if status != NOT_SWAPPED:
            return (status if status in (PASSED, TIMED_OUT) else FAILED), failed
        with self._changed(path, mutated):
            status = self.run(tests, "-x")
            if self._is_unknown_test(status):  # the names of its cases are made from what was changed
                status = self.run(sorted({test.partition("[")[0] for test in tests}), "-x")
        if self._is_unknown_test(status) or status == PASSED:
            return PASSED, ""
        return (status if status == TIMED_OUT else FAILED), next(iter(self.failed_tests()), "")

    def _ask(self, path: str, source: str, mutated: str, tests: t.Sequence[str]) -> tuple[int, str]:
        from collected import Request

        if self._server is None:
            self._server = self._start_server()
        self._server.send(Request(str(self.root / path), source, mutated, tuple(tests), TIMEOUT))
        answer: tuple[int, str] = self._server.recv()
        return answer

    def _start_server(self) -> Connection:
        from collected import Server

        here, there = multiprocessing.Pipe()
        if not os.fork():
            here.close()
            self._run_here("server", [*self.tests, *FAST], Server(there))
        there.close()
        return here

    @contextlib.contextmanager
    def _changed(self, path: str, source: str) -> t.Iterator[None]:
        file = self.root / path
        original = file.read_text(encoding="utf-8")
        file.write_text(source, encoding="utf-8")
        try:
            yield
        finally:
            file.write_text(original, encoding="utf-8")

    def run(self, tests: t.Sequence[str], *options: str, timeout: float = TIMEOUT) -> int:
        """Run tests. Return pytest's exit status, or ``TIMED_OUT``."""
        process = os.fork()
        if not process:
            os.setsid()
            self._run_here("output", [*options, *tests], Limits())
        status = wait(process, timeout)
        shutil.rmtree(self._folder / "tmp-output", ignore_errors=True)
        return status

    def _run_here(self, log: str, arguments: list[str], *plugins: object) -> t.NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.chdir(self.root)
        output = os.open(self._folder / log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(output, stream)
        status = USAGE_ERROR
        try:
            temporary = f"--basetemp={self._folder / f'tmp-{log}'}"
            status = int(sys.modules["pytest"].main([*OPTIONS, temporary, *arguments], plugins=list(plugins)))
        finally:
            sys.stdout.flush()
            os._exit(status)

    @property
    def output(self) -> str:
        """The output of the last run."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _is_unknown_test(self, status: int) -> bool:
        output = self.output
        return status == USAGE_ERROR and "not found:" in output and "ERROR collecting" not in output

    def failed_tests(self) -> list[str]:
        """Return the tests that failed in the last run."""
        lines = self.output.splitlines()
        return [line.split(" ", 1)[1].split(" - ")[0] for line in lines if line.startswith(("FAILED ", "ERROR "))]


def _copy(checkout: pathlib.Path, root: pathlib.Path) -> None:
    """Copy the files of a checkout, and keep the compiled ones of an earlier copy."""
    tracked = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = [name for name in subprocess.check_output(tracked, cwd=checkout, text=True).split("\0") if name]
    for name in names:
        source, target = checkout / name, root / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    known = {root / name for name in names if (checkout / name).exists()}
    for file in root.rglob("*.py"):
        if file not in known:
            file.unlink()
