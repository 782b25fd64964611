# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cron expressions in Cloudflare's syntax: minute, hour, day of month, month, day of week."""

from __future__ import annotations

import re
from typing import Any

from local_edge.errors import ApiError

MAX_CRONS = 250
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
#: Each field: its least and greatest number, the names of its numbers, and a pattern of special values.
FIELDS: tuple[tuple[int, int, tuple[str, ...], str], ...] = (
    (0, 59, (), r"(?!)"),
    (0, 23, (), r"(?!)"),
    (1, 31, (), r"L|LW|\d{1,2}W"),
    (1, 12, MONTHS, r"(?!)"),
    (0, 7, DAYS, r"(\d|[A-Z]{3})?L|(\d|[A-Z]{3})#[1-5]"),
)


def fits(part: str, least: int, greatest: int, names: tuple[str, ...], special: str) -> bool:
    """Return whether one item of a field (between commas) is valid: `*`, a number or a range, each with a step."""
    match = re.fullmatch(r"(?:\*|(\d{1,2}|[A-Z]{3})(?:-(\d{1,2}|[A-Z]{3}))?)(?:/(\d{1,2}))?", part)
    if not match:
        return re.fullmatch(special, part) is not None
    ends = [
        names.index(end) + 1 if end in names else int(end) if end.isdigit() else -1 for end in match.groups()[:2] if end
    ]
    return all(least <= end <= greatest for end in ends) and match[3] != "0"


def check(expressions: list[Any]) -> list[str]:
    """Return the expressions of a Worker. Raise ApiError if one is not valid."""
    for one in expressions:
        parts = one.upper().split(" ") if isinstance(one, str) else []
        if len(parts) != len(FIELDS) or not all(
            fits(part, *field) for text, field in zip(parts, FIELDS, strict=True) for part in text.split(",")
        ):
            raise ApiError(400, 10100, f"invalid cron string: {one}")
    if len(set(expressions)) < len(expressions):
        raise ApiError(400, 10100, "invalid cron string: the same one is given twice")
    if len(expressions) > MAX_CRONS:
        raise ApiError(400, 10100, f"a Worker has at most {MAX_CRONS} cron triggers")
    return expressions
