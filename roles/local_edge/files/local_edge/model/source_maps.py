# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stack traces in terms of the original sources, by source maps (ECMA-426)."""

from __future__ import annotations

import json
import posixpath
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from local_edge.model.scripts import Module, Source

#: The position at the end of a stack frame: module, line and column, both from 1.
POSITION = re.compile(r"(?P<file>[^\s()]+):(?P<line>\d+):(?P<column>\d+)(?=\)?$)", re.MULTILINE)
REFERENCE = re.compile(rb"//[#@] sourceMappingURL=(\S+)\s*$")
DIGITS = {
    character: value
    for value, character in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
}
CACHED_MAPS = 32


@dataclass(frozen=True)
class SourceMap:
    """A decoded map: for each generated line its columns, and for each column the source, line and column, from 0."""

    columns: Sequence[Sequence[int]]
    originals: Sequence[Sequence[tuple[str, int, int]]]

    def original(self, line: int, column: int) -> tuple[str, int, int] | None:
        """Return the original position of a generated one, None if the map has none."""
        if line >= len(self.columns):
            return None
        position = bisect_right(self.columns[line], column) - 1
        return self.originals[line][position] if position >= 0 else None


def numbers(text: str) -> Iterator[int]:
    """Decode the base 64 numbers of a segment. Their lowest bit is the sign. Raise KeyError for other characters."""
    value = shift = 0
    for character in text:
        digit = DIGITS[character]
        value |= (digit & 31) << shift
        shift += 5
        if not digit & 32:
            yield -(value >> 1) if value & 1 else value >> 1
            value = shift = 0


@lru_cache(maxsize=CACHED_MAPS)
def decode(body: bytes) -> SourceMap | None:
    """Decode a source map. Return None if it is invalid, or if it is an index of other maps."""
    try:
        content: Any = json.loads(body)
        sources = [posixpath.join(content.get("sourceRoot") or "", name or "") for name in content["sources"]]
        return decode_mappings(content["mappings"], sources)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None


def decode_mappings(mappings: str, sources: Sequence[str]) -> SourceMap:
    columns: list[list[int]] = []
    originals: list[list[tuple[str, int, int]]] = []
    source = line = column = 0
    for group in mappings.split(";"):
        generated = 0
        columns.append([])
        originals.append([])
        for segment in filter(None, group.split(",")):
            fields = list(numbers(segment))
            generated += fields[0]
            if len(fields) < 4:
                continue
            source, line, column = source + fields[1], line + fields[2], column + fields[3]
            columns[-1].append(generated)
            originals[-1].append((sources[source], line, column))
    return SourceMap(columns, originals)


def map_of(module: Module, maps: Sequence[Module]) -> Module | None:
    """Return the source map of a module: the one that its last line refers to, or the one that is named after it."""
    reference = REFERENCE.search(module.body[-1000:])
    url = reference[1].decode(errors="replace") if reference else f"{posixpath.basename(module.name)}.map"
    name = posixpath.normpath(posixpath.join(posixpath.dirname(module.name), url))
    return next((one for one in maps if posixpath.normpath(one.name) == name), None)


def mapped(stack: str, source: Source) -> str:
    """Return a stack trace with original positions where the Worker has a source map for the module."""
    modules = {module.name: module for module in source.modules}

    def replace(match: re.Match[str]) -> str:
        module = modules.get(match["file"])
        found = map_of(module, source.maps) if module else None
        decoded = decode(found.body) if found else None
        position = decoded.original(int(match["line"]) - 1, int(match["column"]) - 1) if decoded else None
        return f"{position[0]}:{position[1] + 1}:{position[2] + 1}" if position else match[0]

    return POSITION.sub(replace, stack) if source.maps else stack
