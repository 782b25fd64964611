# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Worker definitions in JSON, as the JavaScript of the edge and of the validators reads them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from local_edge.errors import ApiError, invalid
from local_edge.model import migrations
from local_edge.model.bindings import Binding
from local_edge.model.config import DEFAULT_DATE
from local_edge.model.script_scope import ScriptScope
from local_edge.model.scripts import Module, Source
from local_edge.settings import Behaviors

TEXT_KINDS = ("js", "cjs", "script", "text")
#: Supported kinds of modules. An upload with any other kind is refused.
KINDS = (*TEXT_KINDS, "wasm", "data")
#: Returns the version metadata of a Worker: `{"id", "tag", "timestamp"}`.
VersionLookup = Callable[[], Mapping[str, str]]
#: Bindings that are plain values in `env`.
VALUE_BINDINGS: Mapping[str, Callable[[Binding, VersionLookup], Any]] = {
    "plain_text": lambda binding, _version: binding.spec["text"],
    "json": lambda binding, _version: binding.spec["json"],
    "secret_text": lambda binding, _version: binding.value,
    "version_metadata": lambda _one, version: version(),
}
#: Bindings backed by a service: the types in `bindings.js`.
SERVICE_BINDINGS = (
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
#: Bindings to a part of the upload, for scripts, which cannot import: type of binding -> kind of module.
BLOB_BINDINGS = {"wasm_module": "wasm", "text_blob": "text", "data_blob": "data"}
KEY = "secret_key"
#: Bindings whose content, and not only their name, can make the start of a Worker fail.
STARTUP_BINDINGS = (*BLOB_BINDINGS, KEY)
SUPPORTED_BINDINGS = (*VALUE_BINDINGS, *SERVICE_BINDINGS, *BLOB_BINDINGS, KEY)


def is_trusted(scope: ScriptScope, config: Mapping[str, Any]) -> bool:
    return not scope.namespace or bool(config.get("trusted", False))


def default_cache(behaviors: Behaviors, scope: ScriptScope, config: Mapping[str, Any]) -> str:
    """Return the effect of `caches.default`: `shared` for trusted Workers, otherwise `reject` or `throw`."""
    return "shared" if is_trusted(scope, config) else behaviors.untrusted_default_cache


def unsupported_binding(subject: str, kind: str) -> ApiError:
    return invalid(
        f"{subject}: the local edge does not support bindings of type {kind}. It supports "
        f"{', '.join(sorted(SUPPORTED_BINDINGS))}."
    )


def check(source: Source, bindings: Iterable[Binding]) -> None:
    """Raise an error for modules and bindings that the edge does not support."""
    for module in source.modules:
        if module.kind not in KINDS:
            raise invalid(
                f"module {module.name!r}: the local edge does not support {module.kind} modules. It supports "
                "JavaScript, WebAssembly, text and data."
            )
    for binding in bindings:
        if binding.type not in SUPPORTED_BINDINGS:
            raise unsupported_binding(f"binding {binding.name}", binding.type)
        if binding.type in BLOB_BINDINGS:
            check_blob(source, binding)


def check_blob(source: Source, binding: Binding) -> None:
    parts = [module.name for module in source.modules if module.name != source.main]
    if not is_script(source):
        raise invalid(
            f"binding {binding.name}: type {binding.type} is supported only in scripts without modules. "
            "Import the file instead."
        )
    if binding.spec["part"] not in parts:
        raise invalid(
            f"binding {binding.name}: part {binding.spec['part']!r} of this {binding.type} binding was not uploaded. "
            f"Uploaded parts: {', '.join(parts) or 'none'}."
        )


def is_script(source: Source) -> bool:
    """Return whether the source uses the service worker syntax instead of modules."""
    return any(module.kind == "script" for module in source.modules)


def module_of(module: Module, kind: str) -> dict[str, str]:
    body = module.body.decode(errors="replace") if kind in TEXT_KINDS else base64.b64encode(module.body).decode()
    return {"name": module.name, "kind": kind, "body": body}


def runtime_binding(binding: Binding, scope: ScriptScope, name: str) -> dict[str, Any]:
    """Return a binding for the runtime. A Durable Object binding gets the key of the Worker that defines its class."""
    shown = binding.to_api()
    if binding.type == "durable_object_namespace":
        shown["key"] = migrations.owner(binding, scope, name)
    return shown


def key_of(binding: Binding) -> dict[str, Any]:
    """Return a key with all parameters of `crypto.subtle.importKey`."""
    return {**binding.to_api(), **json.loads(binding.value or "{}")}


def no_version() -> Mapping[str, str]:
    """Return empty version metadata, for validation."""
    return {"id": "", "tag": "", "timestamp": ""}


def definition(
    source: Source,
    config: Mapping[str, Any],
    bindings: Iterable[Binding],
    newest: str,
    scope: ScriptScope,
    name: str = "",
    version: VersionLookup = no_version,
) -> dict[str, Any]:
    """Return the definition of a Worker, without its Durable Object classes.

    `newest` is the last compatibility date that the runtime supports. A later date is replaced with it.
    """
    bindings = list(bindings)
    kinds = {binding.spec["part"]: BLOB_BINDINGS[binding.type] for binding in bindings if binding.type in BLOB_BINDINGS}
    return {
        "main": source.main,
        "modules": [module_of(module, kinds.get(module.name, module.kind)) for module in source.modules],
        "date": min(config.get("compatibility_date") or DEFAULT_DATE, newest),
        "flags": config.get("compatibility_flags") or [],
        "values": {
            binding.name: VALUE_BINDINGS[binding.type](binding, version)
            for binding in bindings
            if binding.type in VALUE_BINDINGS
        },
        "bindings": [runtime_binding(binding, scope, name) for binding in bindings if binding.type in SERVICE_BINDINGS],
        "blobs": [binding.to_api() for binding in bindings if binding.type in BLOB_BINDINGS],
        "keys": [key_of(binding) for binding in bindings if binding.type == KEY],
        "has_default": config.get("has_default", True),
        "script": is_script(source),
        "classes": {},
        "has_source_maps": bool(source.maps),
        "default_cache": config.get("default_cache", "shared"),
    }
