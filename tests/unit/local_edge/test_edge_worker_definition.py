# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Definitions of Workers for the runtime: supported bindings and their encoding."""

from __future__ import annotations

import json
from typing import Any

import pytest
from local_edge.errors import ApiError
from local_edge.model.binding_types import SCHEMAS
from local_edge.model.bindings import Binding
from local_edge.model.script_scope import ScriptScope
from local_edge.model.scripts import Module, Source
from local_edge.runtime.definition import BLOB_BINDINGS, SUPPORTED_BINDINGS, check, definition

SCRIPT = Source("script", [Module("script", "script", b"code"), Module("part", "data", b"text")])


def define(*bindings: Binding, source: Source = SCRIPT, **options: Any) -> dict[str, Any]:
    return definition(source, {}, bindings, "2026-11-01", ScriptScope("account"), "name", **options)


@pytest.mark.parametrize("label", sorted(SCHEMAS))
def test_check_each_binding_type_is_supported_or_refused(label: str) -> None:
    binding = Binding("B", label, {"part": "part"}, value="{}")
    if label in SUPPORTED_BINDINGS:
        check(SCRIPT, [binding])
    else:
        with pytest.raises(
            ApiError,
            match=f"binding B: the local edge does not support bindings of type {label}. It supports .*plain_text",
        ) as error:
            check(SCRIPT, [binding])
        assert (error.value.status, error.value.code) == (400, 10021)


def test_supported_bindings_all_are_known_to_api() -> None:
    assert set(SUPPORTED_BINDINGS) <= set(SCHEMAS)


@pytest.mark.parametrize(
    ("label", "kind", "body"),
    [("text_blob", "text", "text"), ("data_blob", "data", "dGV4dA=="), ("wasm_module", "wasm", "dGV4dA==")],
)
def test_definition_file_binding_contains_encoded_file(label: str, kind: str, body: str) -> None:
    result = define(Binding("B", label, {"part": "part"}))
    assert (result["modules"][1], result["blobs"]) == (
        {"name": "part", "kind": kind, "body": body},
        [{"name": "B", "type": label, "part": "part"}],
    )
    assert (result["script"], result["values"], result["bindings"], result["keys"]) == (True, {}, [], [])


@pytest.mark.parametrize("label", BLOB_BINDINGS)
@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Source("index.js", [Module("index.js", "js", b""), Module("part", "data", b"")]), "Import the file instead"),
        (
            Source("script", [Module("script", "script", b"")]),
            "part 'part' of this .* binding was not uploaded. Uploaded parts: none",
        ),
        (Source("part", [Module("part", "script", b"")]), "Uploaded parts: none"),
    ],
)
def test_check_file_binding_without_usable_part_is_refused(label: str, source: Source, message: str) -> None:
    with pytest.raises(ApiError, match=message):
        check(source, [Binding("B", label, {"part": "part"})])


def test_definition_secret_key_binding_is_separate_from_values() -> None:
    spec = {"algorithm": "AES-GCM", "format": "raw", "usages": ["encrypt"]}
    result = define(Binding("K", "secret_key", spec, value=json.dumps({"key_base64": "AAAA"})))
    assert result["keys"] == [{"name": "K", "type": "secret_key", **spec, "key_base64": "AAAA"}]
    assert (result["values"], result["bindings"]) == ({}, [])


def test_definition_version_is_read_only_for_version_metadata_binding() -> None:
    def version() -> dict[str, str]:
        return {"id": "7", "tag": "v", "timestamp": "now"}

    def unexpected_version() -> dict[str, str]:
        raise AssertionError("version requested without a version_metadata binding")

    assert define(Binding("V", "version_metadata", {}), version=version)["values"] == {"V": version()}
    assert set(define(Binding("V", "version_metadata", {}))["values"]["V"]) == set(version())
    define(Binding("T", "plain_text", {"text": "x"}), version=unexpected_version)
