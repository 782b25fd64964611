# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Effects of the behaviors on reading and writing Workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from local_edge.api.request import ApiRequest
from local_edge.errors import ApiError, invalid
from local_edge.model import bindings, scripts
from local_edge.model.script_updates import ScriptUpdate
from local_edge.model.scripts import Script, Source

ETAG_MISMATCH = "Attempted to update a script where the e-tag does not match"


def entity_tags(header: str) -> list[str]:
    """Return the entity tags of If-Match or If-None-Match, without quotes and weakness prefixes."""
    return [one.strip().removeprefix("W/").strip('"') for one in header.split(",") if one.strip()]


def check_etag(request: ApiRequest, name: str) -> None:
    """Raise ApiError if a condition on the Worker's etag fails."""
    if request.behaviors.status_of_10018 == "ignored":
        return
    script = scripts.find(request.store, request.scope, name)
    current = {"*", script.etag} if script else set()
    only, never = request.headers.get("if-match"), request.headers.get("if-none-match")
    if (only is not None and not current & set(entity_tags(only))) or (
        never is not None and current & set(entity_tags(never))
    ):
        raise ApiError(412, 10018, ETAG_MISMATCH)


def check_inherit_with_keep(request: ApiRequest, metadata: Mapping[str, Any]) -> None:
    """Raise ApiError if an upload combines `inherit` and `keep_bindings` and the behavior refuses that."""
    entries = metadata.get("bindings")
    inherits = isinstance(entries, list) and any(
        isinstance(one, dict) and one.get("type") == "inherit" for one in entries
    )
    if inherits and metadata.get("keep_bindings") and request.behaviors.inherit_with_keep_bindings == "refuse":
        raise invalid("bindings of type inherit cannot be combined with keep_bindings")


def source_to_keep(request: ApiRequest, name: str, files: Sequence[Any]) -> Source | None:
    """Return the code that a Worker keeps through an upload without code. None if the upload must contain code."""
    script = (
        None
        if files or request.behaviors.upload_without_code == "refuse"
        else scripts.find(request.store, request.scope, name)
    )
    source = scripts.source_of(request.store, script) if script else None
    return source if source and source.modules else None


def updates_modified_on(request: ApiRequest, update: ScriptUpdate) -> bool:
    """Whether a write that does not change the code updates `modified_on`."""
    parts = {name for name in ("tags", "bindings", "config") if getattr(update, name) is not None}
    unchanged = {
        "all": False,
        "content": True,
        "all_but_tags": parts == {"tags"},
        "all_but_secrets": parts == {"bindings"},
    }
    return not unchanged[request.behaviors.modified_on_updated_by]


def bindings_to_api(request: ApiRequest, script: Script) -> list[dict[str, Any]]:
    """Return a Worker's bindings in the format of the API."""
    every = [one.to_api() for one in bindings.load(request.store, script.id).values()]
    if request.behaviors.service_props_returned == "no":
        return [
            {key: value for key, value in one.items() if one["type"] != "service" or key != "props"} for one in every
        ]
    return every
