# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables of docs/reliability.md."""

from __future__ import annotations

import pathlib

import pytest
from report import PAGE, Counts, format_table, write_table


def test_counts_of_several_rows_are_summed() -> None:
    counts = Counts()
    for row, figures in (("worker", {"faults": 1000, "lost": 0}), ("queue", {"faults": 2}), ("worker", {"faults": 1})):
        counts.add(row, figures)
    assert counts.table() == (["", "faults", "lost"], [["queue", 2, 0], ["worker", 1001, 0], ["all", 1003, 0]])


def test_table_numbers_are_aligned_and_bars_escaped() -> None:
    assert format_table(["", "tried"], [["a|b", 1200]]) == "|  | tried |\n| --- | ---: |\n| a\\|b | 1,200 |"


def test_write_table_replaces_its_section_only(tmp_path: pathlib.Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A\n<!-- begin one -->old<!-- end one -->\n<!-- begin two -->\nkept\n<!-- end two -->\n")
    for _time in range(2):
        write_table("one", ["", "tried"], [["a", 1]], "Seed 7.", page)
    table = "Seed 7.\n\n|  | tried |\n| --- | ---: |\n| a | 1 |"
    assert page.read_text() == (
        f"# A\n<!-- begin one -->\n\n{table}\n\n<!-- end one -->\n<!-- begin two -->\nkept\n<!-- end two -->\n"
    )


def test_write_table_without_its_comments_is_refused(tmp_path: pathlib.Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="begin one"):
        write_table("one", [""], [], page=page)
    assert page.read_text() == "nothing"


@pytest.mark.parametrize(
    "name", ["faults", "faults by module", "kills", "races", "soak", "inputs", "secrets", "mutation"]
)
def test_reliability_page_has_a_place_for_each_table(name: str) -> None:
    assert PAGE.read_text().count(f"<!-- begin {name} -->") == PAGE.read_text().count(f"<!-- end {name} -->") == 1
