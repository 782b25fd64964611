# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stack traces in terms of the original sources."""

from __future__ import annotations

import json
from typing import Any

import pytest
from control_plane import CODE, Client, form
from local_edge.model.scripts import Module, Source
from local_edge.model.source_maps import mapped, numbers

#: Line 1 begins with src/a.ts 10:5. Its column 17 is src/b.ts 1:1. Line 2 is empty. Line 3, column 3 is src/b.ts 2:3.
MAPPINGS = "AASI,gBCTJ;;EACE"
MAP: dict[str, Any] = {"version": 3, "sources": ["src/a.ts", "src/b.ts"], "names": [], "mappings": MAPPINGS}
STACK = """TypeError: no:such:1:1 in (index.js:1:1) of text
    at Object.fetch (index.js:1:5)
    at async index.js:1:17
    at index.js:3:9
    at index.js:2:1
    at index.js:99:1
    at other.js:1:1
    at file with spaces (lib/deep.js:1:1)"""
MAPPED = """TypeError: no:such:1:1 in (index.js:1:1) of text
    at Object.fetch (src/a.ts:10:5)
    at async src/b.ts:1:1
    at src/b.ts:2:3
    at index.js:2:1
    at index.js:99:1
    at other.js:1:1
    at file with spaces (lib/deep.js:1:1)"""


def source_with(*maps: tuple[str, Any], body: bytes = b"") -> Source:
    modules = [Module(name, "js", body) for name in ("index.js", "lib/deep.js")]
    return Source(
        "index.js", modules, [Module(name, "source-map", json.dumps(content).encode()) for name, content in maps]
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A", [0]),
        ("D", [-1]),
        ("gB", [16]),
        ("AASI", [0, 0, 9, 4]),
        ("+/////D", [2147483647]),
        ("//////D", [-2147483647]),
    ],
)
def test_numbers_decodes_segments(text: str, expected: list[int]) -> None:
    assert list(numbers(text)) == expected


def test_mapped_replaces_positions_at_ends_of_frames() -> None:
    assert mapped(STACK, source_with(("index.js.map", MAP))) == MAPPED
    assert mapped(STACK, source_with()) == STACK


def test_mapped_prepends_source_root() -> None:
    rooted = {**MAP, "sourceRoot": "app"}
    assert mapped("    at index.js:1:1", source_with(("index.js.map", rooted))) == "    at app/src/a.ts:10:5"


@pytest.mark.parametrize(
    ("name", "reference"), [("lib/deep.js.map", ""), ("lib/x.map", "x.map"), ("maps/deep.map", "../maps/deep.map")]
)
def test_mapped_finds_map_by_reference_or_name(name: str, reference: str) -> None:
    body = f"code()\n//# sourceMappingURL={reference}\n".encode() if reference else b"code()"
    assert mapped("    at f (lib/deep.js:1:1)", source_with((name, MAP), body=body)) == "    at f (src/a.ts:10:5)"


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        None,
        {**MAP, "mappings": "!"},
        {**MAP, "sources": []},
        {**MAP, "mappings": 1},
        {"version": 3, "sections": []},
    ],
)
def test_mapped_invalid_map_leaves_stack(content: Any) -> None:
    assert mapped(STACK, source_with(("index.js.map", content))) == STACK


def test_source_map_is_stored_and_is_no_module(client: Client) -> None:
    path = "/workers/scripts/mapped"
    plain = client.upload(path)["etag"]
    files = {**form(CODE), "index.js.map": ("index.js.map", json.dumps(MAP), "application/source-map")}
    assert client.call("PUT", path, files=files)["etag"] != plain
    assert "source-map" not in client.send("GET", f"{path}/content/v2").text
    assert client.edge.store.count("select count(*) from modules where kind = 'source-map'") == 1
    client.call("DELETE", path)
    assert client.edge.store.count("select count(*) from modules") == 0
