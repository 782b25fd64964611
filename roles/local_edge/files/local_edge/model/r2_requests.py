# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client may ask of an object beside its key: under which conditions (RFC 9110, section 13), and which of its bytes (section 14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local_edge.errors import ApiError
from local_edge.model.r2 import invalid_argument, precondition_failed

#: An element of a list of entity tags: the wildcard; or whether it is weak, and its text.
TAG = re.compile(r'[\s,]*(?:(\*)|(W/)?"([^"]*)")')
RANGE = re.compile(r"\s*bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.IGNORECASE)
SECOND = 1000


@dataclass(frozen=True)
class Tags:
    """Entity tags."""

    any: bool
    strong: frozenset[str]
    weak: frozenset[str] = frozenset()

    @classmethod
    def read(cls, told: str | list[str] | None, header: str) -> Tags | None:
        """From the text of a header, or from a list of tags."""
        if told is None:
            return None
        if isinstance(told, list):
            return cls("*" in told, frozenset(told))
        found, position = [], 0
        while match := TAG.match(told, position):
            found.append(match)
            position = match.end()
        if not found:
            raise invalid_argument(f"Invalid ETag in {header} header")
        return cls(
            any(one[1] for one in found),
            frozenset(one[3] for one in found if not one[2]),
            frozenset(one[3] for one in found if one[2]),
        )

    def match(self, etag: str, weakly: bool = False) -> bool:
        return self.any or etag in self.strong or (weakly and etag in self.weak)


@dataclass(frozen=True)
class Conditions:
    """What must hold of an object; times in milliseconds, of which `seconds` counts only whole ones."""

    matches: Tags | None = None
    differs: Tags | None = None
    before: int | None = None
    after: int | None = None
    seconds: bool = False

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Conditions:
        """From `{ifMatch, ifNoneMatch, uploadedBefore, uploadedAfter, secondsGranularity}`."""
        return cls(
            Tags.read(told.get("ifMatch"), "if-match"),
            Tags.read(told.get("ifNoneMatch"), "if-none-match"),
            told.get("uploadedBefore"),
            told.get("uploadedAfter"),
            bool(told.get("secondsGranularity")),
        )

    def check(self, there: tuple[str, int] | None) -> None:
        """Refuse what does not hold of an object, by its tag and its time; where there is none, only what must not be there can hold."""
        if not (self.hold(*there) if there else self.matches is None and self.after is None):
            raise precondition_failed()

    def hold(self, etag: str, uploaded: int) -> bool:
        """A time is not looked at where the tags have spoken for the object."""
        same = self.matches is not None and self.matches.match(etag)
        other = self.differs is not None and not self.differs.match(etag, weakly=True)
        return (
            (self.matches is None or same)
            and (self.differs is None or other)
            and (self.before is None or same or self.whole(uploaded) < self.whole(self.before))
            and (self.after is None or other or self.whole(uploaded) > self.whole(self.after))
        )

    def whole(self, time: int) -> int:
        return time // SECOND if self.seconds else time


NO_CONDITIONS = Conditions()


def resolved(told: Mapping[str, Any] | None, size: int) -> tuple[int, int]:
    """Start and length of what `{offset, length}`, `{suffix}` or `{header}` mean of so many bytes; of nothing: all.

    A header that means more than one range, or none that is there, means all; what a program asks must be there.
    """
    told = told or {}
    if "header" in told:
        return of_header(told["header"], size)
    if not told:
        return 0, size
    suffix = told.get("suffix")
    offset = told.get("offset", 0) if suffix is None else max(0, size - suffix)
    length = min(size - offset, told.get("length", size) if suffix is None else suffix)
    if length <= 0:
        raise ApiError(416, 10039, "The requested range is not satisfiable")
    return offset, length


def of_header(header: str, size: int) -> tuple[int, int]:
    match = RANGE.fullmatch(header)
    first, last = match.groups() if match else ("", "")
    if first:
        end = min(int(last) if last else size - 1, size - 1)
        return (int(first), end - int(first) + 1) if int(first) <= end else (0, size)
    length = min(int(last), size) if last else 0
    return (size - length, length) if length else (0, size)
