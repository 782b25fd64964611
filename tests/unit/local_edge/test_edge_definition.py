# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Worker is to the runtime: which parts of it run, and in what shape they get there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from local_edge.errors import ApiError
from local_edge.model.bindings import KINDS, Binding
from local_edge.model.script_scope import ScriptScope
from local_edge.model.scripts import Module, Source
from local_edge.runtime.definition import BLOB_BINDINGS, SUPPORTED_BINDINGS, check, definition

SCRIPT = Source("script", [Module("script", "script", b"code"), Module("part", "data", b"text")])


def defined(*bindings: Binding, source: Source = SCRIPT, **options: Any) -> dict[str, Any]:
    return definition(source, {}, bindings, "2026-11-01", ScriptScope("account"), "name", **options)


@pytest.mark.parametrize("label", sorted(KINDS))
def test_every_type_of_binding_runs_or_is_refused(label: str) -> None:
    binding = Binding("B", label, {"part": "part"}, value="{}")
    if label in SUPPORTED_BINDINGS:
        check(SCRIPT, [binding])
    else:
        with pytest.raises(
            ApiError,
            match=f"binding B: the local edge does not support bindings of type {label}. It supports .*plain_text",
        ) as refused:
            check(SCRIPT, [binding])
        assert (refused.value.status, refused.value.code) == (400, 10021)


def test_what_runs_is_known_to_the_api() -> None:
    assert set(SUPPORTED_BINDINGS) <= set(KINDS)


@pytest.mark.parametrize(
    ("label", "kind", "body"),
    [("text_blob", "text", "text"), ("data_blob", "data", "dGV4dA=="), ("wasm_module", "wasm", "dGV4dA==")],
)
def test_a_file_becomes_what_its_binding_says(label: str, kind: str, body: str) -> None:
    told = defined(Binding("B", label, {"part": "part"}))
    assert (told["modules"][1], told["blobs"]) == (
        {"name": "part", "kind": kind, "body": body},
        [{"name": "B", "type": label, "part": "part"}],
    )
    assert (told["script"], told["values"], told["bindings"], told["keys"]) == (True, {}, [], [])


@pytest.mark.parametrize("label", BLOB_BINDINGS)
@pytest.mark.parametrize(
    ("source", "why"),
    [
        (Source("index.js", [Module("index.js", "js", b""), Module("part", "data", b"")]), "Import the file instead"),
        (
            Source("script", [Module("script", "script", b"")]),
            "part 'part' of this .* binding was not uploaded. Uploaded parts: none",
        ),
        (Source("part", [Module("part", "script", b"")]), "Uploaded parts: none"),
    ],
)
def test_a_file_that_no_script_can_have(label: str, source: Source, why: str) -> None:
    with pytest.raises(ApiError, match=why):
        check(source, [Binding("B", label, {"part": "part"})])


def test_a_key_travels_apart_from_what_is_in_env() -> None:
    spec = {"algorithm": "AES-GCM", "format": "raw", "usages": ["encrypt"]}
    told = defined(Binding("K", "secret_key", spec, value=json.dumps({"key_base64": "AAAA"})))
    assert told["keys"] == [{"name": "K", "type": "secret_key", **spec, "key_base64": "AAAA"}]
    assert (told["values"], told["bindings"]) == ({}, [])


def test_the_version_is_looked_up_where_it_is_asked_for() -> None:
    def version() -> dict[str, str]:
        return {"id": "7", "tag": "v", "timestamp": "now"}

    def unasked() -> dict[str, str]:
        raise AssertionError("nobody asked")

    assert defined(Binding("V", "version_metadata", {}), version=version)["values"] == {"V": version()}
    assert set(defined(Binding("V", "version_metadata", {}))["values"]["V"]) == set(version())
    defined(Binding("T", "plain_text", {"text": "x"}), version=unasked)
