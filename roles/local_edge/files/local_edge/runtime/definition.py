# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Worker as the JavaScript side takes it; the edge and the validators are told in the same words."""

from __future__ import annotations

import base64
import json
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
#: Looks up what a Worker may know of the version that answers: `{"id", "tag", "timestamp"}`.
Versioned = Callable[[], Mapping[str, str]]
#: Bindings that are nothing but a value in `env`.
VALUES: Mapping[str, Callable[[Binding, Versioned], Any]] = {
    "plain_text": lambda one, _version: one.spec["text"],
    "json": lambda one, _version: one.spec["json"],
    "secret_text": lambda one, _version: one.value,
    "version_metadata": lambda _one, version: version(),
}
#: Bindings that lead somewhere, as `bindings.js` has them.
REACHING = (
    "kv_namespace",
    "r2_bucket",
    "dispatch_namespace",
    "service",
    "assets",
    "d1",
    "durable_object_namespace",
    "queue",
    "analytics_engine",
    "ratelimit",
)
#: Bindings to a file of the upload, which a script cannot import, and what it is there.
BLOBS = {"wasm_module": "wasm", "text_blob": "text", "data_blob": "data"}
KEY = "secret_key"
#: Bindings whose content decides whether a Worker starts, and not only their name.
STARTING = (*BLOBS, KEY)
RUN = (*VALUES, *REACHING, *BLOBS, KEY)


def check(source: Source, bindings: Iterable[Binding]) -> None:
    """Refuse what would not run."""
    for module in source.modules:
        if module.kind not in KINDS:
            raise invalid(
                f"module {module.name!r}: the local edge does not simulate {module.kind} modules; it runs JavaScript, WebAssembly, JSON, "
                "text and data"
            )
    for one in bindings:
        if one.type not in RUN:
            raise invalid(
                f"binding {one.name}: the local edge does not simulate bindings of type {one.type}; it has {', '.join(sorted(RUN))}"
            )
        if one.type in BLOBS:
            check_blob(source, one)


def check_blob(source: Source, one: Binding) -> None:
    parts = [module.name for module in source.modules if module.name != source.main]
    if not is_script(source):
        raise invalid(
            f"binding {one.name} of type {one.type} is for scripts in the syntax from before modules: import the file instead"
        )
    if one.spec["part"] not in parts:
        raise invalid(
            f"binding {one.name} of type {one.type} names the part {one.spec['part']!r}, which was not uploaded; there are "
            f"{', '.join(parts) or 'none'}"
        )


def is_script(source: Source) -> bool:
    """Whether it is in the syntax from before modules."""
    return any(module.kind == "script" for module in source.modules)


def module_of(module: Module, kind: str) -> dict[str, str]:
    body = module.body.decode(errors="replace") if kind in TEXTUAL else base64.b64encode(module.body).decode()
    return {"name": module.name, "kind": kind, "body": body}


def reached(binding: Binding, place: Place, name: str) -> dict[str, Any]:
    """A binding as the JavaScript side takes it: one to a class of Durable Objects says which Worker has that."""
    shown = binding.shown()
    if binding.type == "durable_object_namespace":
        shown["key"] = migrations.owner(binding, place, name)
    return shown


def key_of(binding: Binding) -> dict[str, Any]:
    """A key with all that its import takes."""
    return {**binding.shown(), **json.loads(binding.value or "{}")}


def unborn() -> Mapping[str, str]:
    """The version of a Worker that is only looked at."""
    return {"id": "", "tag": "", "timestamp": ""}


def definition(
    source: Source,
    config: Mapping[str, Any],
    bindings: Iterable[Binding],
    newest: str,
    place: Place,
    name: str = "",
    version: Versioned = unborn,
) -> dict[str, Any]:
    """What a Worker is to the runtime, but for its classes; `newest` is the last compatibility date that the runtime knows: a later one
    means the same to it."""
    bindings = list(bindings)
    kinds = {one.spec["part"]: BLOBS[one.type] for one in bindings if one.type in BLOBS}
    return {
        "main": source.main,
        "modules": [module_of(module, kinds.get(module.name, module.kind)) for module in source.modules],
        "date": min(config.get("compatibility_date") or DEFAULT_DATE, newest),
        "flags": config.get("compatibility_flags") or [],
        "values": {one.name: VALUES[one.type](one, version) for one in bindings if one.type in VALUES},
        "bindings": [reached(one, place, name) for one in bindings if one.type in REACHING],
        "blobs": [one.shown() for one in bindings if one.type in BLOBS],
        "keys": [key_of(one) for one in bindings if one.type == KEY],
        "has_default": config.get("has_default", True),
        "script": is_script(source),
        "classes": {},
    }
