# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Worker as the JavaScript side takes it; the edge and the validator are told in the same words."""
from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from local_edge.errors import invalid
from local_edge.model.bindings import Binding
from local_edge.model.config import DEFAULT_DATE
from local_edge.model.scripts import Module, Source

TEXTUAL = ("js", "cjs", "text", "json")
#: Bindings that are nothing but a value in `env`.
VALUES = {"plain_text": "text", "json": "json"}
#: What the JavaScript side can make work. Anything else is refused at upload, never ignored.
KINDS = ("js", "cjs", "text", "json", "wasm", "data")
TYPES = ("plain_text", "json", "secret_text", "kv_namespace", "dispatch_namespace", "service", "assets")


def check(source: Source, config: Mapping[str, Any], bindings: Iterable[Binding]) -> None:
    """Refuse what would not run."""
    for module in source.modules:
        if module.kind not in KINDS:
            raise invalid(f"module {module.name!r}: the local edge does not run {module.kind} modules yet")
    for one in bindings:
        if one.type not in TYPES:
            raise invalid(f"binding {one.name} of type {one.type} is not supported by the local edge yet")


def module_of(module: Module) -> dict[str, str]:
    body = module.body.decode(errors="replace") if module.kind in TEXTUAL else base64.b64encode(module.body).decode()
    return {"name": module.name, "kind": module.kind, "body": body}


def values_of(bindings: Iterable[Binding]) -> dict[str, Any]:
    return {one.name: one.value if one.type == "secret_text" else one.spec[VALUES[one.type]]
            for one in bindings if one.type in VALUES or one.type == "secret_text"}


def definition(source: Source, config: Mapping[str, Any], bindings: Iterable[Binding], newest: str) -> dict[str, Any]:
    """`newest` is the last compatibility date the runtime knows; a later one means the same to it."""
    bindings = list(bindings)
    values = values_of(bindings)
    return {"main": source.main, "modules": [module_of(module) for module in source.modules],
            "date": min(config.get("compatibility_date") or DEFAULT_DATE, newest),
            "flags": config.get("compatibility_flags") or [], "values": values,
            "bindings": [one.shown() for one in bindings if one.name not in values],
            "has_default": config.get("has_default", True)}
