# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the fault tests, and the tables of their counts.

The tables are printed after every run. With the option --write-tables, a run without failures also writes them into
docs/reliability.md.
"""

from __future__ import annotations

import typing as t

import pytest
from in_process import clock, control_plane, edge, run
from report import Counts, format_table, write_table

__all__ = ["clock", "control_plane", "edge", "run"]

TABLES: dict[str, Counts] = {}


class Count(t.Protocol):
    """Adds numbers to a row of a table: ``count("kills", "create", tried=1, lost=0)``."""

    def __call__(self, table: str, row: str, /, **figures: int) -> None: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-tables", action="store_true", help="write the tables into docs/reliability.md")
    parser.addoption("--share", type=int, default=1, help="try one fault of so many in the exhaustive tests of faults")


@pytest.fixture
def count(record_property: t.Callable[[str, object], None]) -> Count:
    def add(table: str, row: str, /, **figures: int) -> None:
        record_property("count", [table, row, figures])

    return add


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for name, value in report.user_properties if report.when == "call" else ():
        if name == "count":
            table, row, figures = t.cast("tuple[str, str, dict[str, int]]", value)
            TABLES.setdefault(table, Counts()).add(row, figures)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):  # a worker of xdist has only a part of the counts
        return
    share = config.getoption("--share")
    for name, counts in sorted(TABLES.items()):
        note = f"One of {share} trials, by seed." if share > 1 and name.startswith("faults") else ""
        header, rows = counts.table()
        terminalreporter.section(name)
        terminalreporter.write_line(format_table(header, rows))
        if config.getoption("--write-tables") and exitstatus == 0:
            write_table(name, header, rows, note)
