# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables in docs/reliability.md, written by the runs that count.

The page contains a pair of comments for each table, ``<!-- begin NAME -->`` and ``<!-- end NAME -->``. A run replaces
everything between them.
"""

from __future__ import annotations

import fcntl
import os
import pathlib
import re
import typing as t

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "reliability.md"
Cell = str | int | float


class Counts:
    """Numbers by row and column, in the order in which they first occur. ``add`` sums them."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, int]] = {}

    def add(self, row: str, figures: t.Mapping[str, int]) -> None:
        """Add numbers, by the name of their column, to those of a row."""
        counts = self.rows.setdefault(row, {})
        for column, number in figures.items():
            counts[column] = counts.get(column, 0) + number

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys(column for counts in self.rows.values() for column in counts))

    def table(self) -> tuple[list[str], list[list[Cell]]]:
        """Return the header and the rows, with the sum of more than one row as the last one."""
        columns = self.columns
        rows: list[list[Cell]] = [
            [row, *(counts.get(column, 0) for column in columns)] for row, counts in sorted(self.rows.items())
        ]
        if len(rows) > 1:
            rows.append(["all", *(sum(counts.get(column, 0) for counts in self.rows.values()) for column in columns)])
        return ["", *(column.replace("_", " ") for column in columns)], rows


def format_table(header: t.Sequence[str], rows: t.Iterable[t.Sequence[Cell]]) -> str:
    """Return a table in Markdown. Numbers are aligned to the right."""
    cells = [[_format_cell(cell) for cell in row] for row in rows]
    is_number = [bool(cells) and all(re.fullmatch(r"[\d.,]*%?", row[at]) for row in cells) for at in range(len(header))]
    lines = [list(header), ["---:" if number else "---" for number in is_number], *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _format_cell(cell: Cell) -> str:
    return f"{cell:,}" if isinstance(cell, (int, float)) else cell.replace("|", "\\|")


def write_table(
    name: str, header: t.Sequence[str], rows: t.Iterable[t.Sequence[Cell]], note: str = "", page: pathlib.Path = PAGE
) -> None:
    """Replace a table of the page. ``note`` is a paragraph above it, such as the seed of the run."""
    write_section(name, "\n\n".join(filter(None, [note, format_table(header, rows)])), page)


def write_section(name: str, content: str, page: pathlib.Path = PAGE) -> None:
    """Replace the text between the comments of ``name``. Raise ValueError if the page lacks them.

    Runs may write at the same time: each changes its own part only.
    """
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    with page.open("r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = file.read()
        changed, count = re.subn(
            f"(?s){re.escape(begin)}.*?{re.escape(end)}", lambda _match: f"{begin}\n\n{content}\n\n{end}", text
        )
        if count != 1:
            raise ValueError(f"{page} must contain {begin} and {end} once.")
        file.seek(0)
        file.write(changed)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
