# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditional requests (RFC 9110, section 13) and range requests (section 14) for objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local_edge.errors import ApiError
from local_edge.model.r2 import invalid_argument, precondition_failed

#: An item of a list of entity tags: the wildcard, or the weakness mark and the text.
TAG = re.compile(r'[\s,]*(?:(\*)|(W/)?"([^"]*)")')
RANGE = re.compile(r"\s*bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.IGNORECASE)
SECOND = 1000


@dataclass(frozen=True)
class Tags:
    """A list of entity tags. `any` stands for the wildcard."""

    any: bool
    strong: frozenset[str]
    weak: frozenset[str] = frozenset()

    @classmethod
    def read(cls, value: str | list[str] | None, header: str) -> Tags | None:
        """Parse the text of a header or a list of tags. Return None for None."""
        if value is None:
            return None
        if isinstance(value, list):
            return cls("*" in value, frozenset(value))
        found, position = [], 0
        while match := TAG.match(value, position):
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
    """Conditions on an object. Times are in milliseconds. If `seconds`, they are compared in whole seconds."""

    matches: Tags | None = None
    differs: Tags | None = None
    before: int | None = None
    after: int | None = None
    seconds: bool = False

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Conditions:
        """Parse `{ifMatch, ifNoneMatch, uploadedBefore, uploadedAfter, secondsGranularity}`."""
        return cls(
            Tags.read(options.get("ifMatch"), "if-match"),
            Tags.read(options.get("ifNoneMatch"), "if-none-match"),
            options.get("uploadedBefore"),
            options.get("uploadedAfter"),
            bool(options.get("secondsGranularity")),
        )

    def check(self, current: tuple[str, int] | None) -> None:
        """Raise ApiError unless the conditions are met by an object, given by its entity tag and its time.

        A missing object meets only conditions that exclude one.
        """
        if not (self.are_met(*current) if current else self.matches is None and self.after is None):
            raise precondition_failed()

    def are_met(self, etag: str, uploaded: int) -> bool:
        """Return whether an object meets the conditions. Matching tags take precedence over times."""
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


def resolve_range(options: Mapping[str, Any] | None, size: int) -> tuple[int, int]:
    """Resolve `{offset, length}`, `{suffix}` or `{header}` to a start and a length. None stands for all bytes.

    A header with several ranges or an unsatisfiable one also stands for all bytes. In the other forms, an
    unsatisfiable range is an error.
    """
    options = options or {}
    if "header" in options:
        return range_of_header(options["header"], size)
    if not options:
        return 0, size
    suffix = options.get("suffix")
    offset = options.get("offset", 0) if suffix is None else max(0, size - suffix)
    length = min(size - offset, options.get("length", size) if suffix is None else suffix)
    if length <= 0:
        raise ApiError(416, 10039, "The requested range is not satisfiable")
    return offset, length


def range_of_header(header: str, size: int) -> tuple[int, int]:
    match = RANGE.fullmatch(header)
    first, last = match.groups() if match else ("", "")
    if first:
        end = min(int(last) if last else size - 1, size - 1)
        return (int(first), end - int(first) + 1) if int(first) <= end else (0, size)
    length = min(int(last), size) if last else 0
    return (size - length, length) if length else (0, size)
