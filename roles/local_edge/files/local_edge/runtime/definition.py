# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Worker as the JavaScript side takes it; the edge and the validators are told in the same words."""
from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from local_edge.errors import invalid
from local_edge.model import migrations
from local_edge.model.bindings import Binding
from local_edge.model.config import DEFAULT_DATE
from local_edge.model.place import Place
from local_edge.model.scripts import Module, Source

TEXTUAL = ("js", "cjs", "script", "text", "json")
#: What the JavaScript side can make work. Anything else is refused at upload, never ignored.
KINDS = (*TEXTUAL, "wasm", "data")
#: Bindings that are nothing but a value in `env`.
VALUES: Mapping[str, Callable[[Binding], Any]] = {
    "plain_text": lambda one: one.spec["text"],
    "json": lambda one: one.spec["json"],
    "secret_text": lambda one: one.value,
}
#: Bindings that lead somewhere, as `bindings.js` has them.
REACHING = ("kv_namespace", "r2_bucket", "dispatch_namespace", "service", "assets", "d1", "durable_object_namespace")


def check(source: Source, bindings: Iterable[Binding]) -> None:
    """Refuse what would not run."""
    for module in source.modules:
        if module.kind not in KINDS:
            raise invalid(f"module {module.name!r}: the local edge does not run {module.kind} modules")
    for one in bindings:
        if one.type not in VALUES and one.type not in REACHING:
            raise invalid(f"binding {one.name} of type {one.type} is not supported by the local edge")


def module_of(module: Module) -> dict[str, str]:
    body = module.body.decode(errors="replace") if module.kind in TEXTUAL else base64.b64encode(module.body).decode()
    return {"name": module.name, "kind": module.kind, "body": body}


def reached(binding: Binding, place: Place, name: str) -> dict[str, Any]:
    """A binding as the JavaScript side takes it: one to a class of Durable Objects says which Worker has that."""
    shown = binding.shown()
    if binding.type == "durable_object_namespace":
        shown["key"] = migrations.owner(binding, place, name)
    return shown


def definition(source: Source, config: Mapping[str, Any], bindings: Iterable[Binding], newest: str, place: Place, name: str = "") -> dict[str, Any]:
    """What a Worker is to the runtime, but for its classes and its version; `newest` is the last compatibility date that the runtime
    knows: a later one means the same to it."""
    bindings = list(bindings)
    return {"main": source.main, "modules": [module_of(module) for module in source.modules],
            "date": min(config.get("compatibility_date") or DEFAULT_DATE, newest),
            "flags": config.get("compatibility_flags") or [],
            "values": {one.name: VALUES[one.type](one) for one in bindings if one.type in VALUES},
            "bindings": [reached(one, place, name) for one in bindings if one.type not in VALUES],
            "has_default": config.get("has_default", True), "script": any(module.kind == "script" for module in source.modules), "classes": {}}
