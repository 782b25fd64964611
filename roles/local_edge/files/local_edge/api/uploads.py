# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Uploading a Worker: the one write that makes or replaces all of it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_edge.api import multipart
from local_edge.api.behaviors import check_etag, check_inherit_with_keep, source_to_keep
from local_edge.api.multipart import FormPart
from local_edge.api.request import ApiRequest, ApiResponse
from local_edge.api.script_objects import script_tags, script_to_api
from local_edge.errors import ApiError, bad_body, conflict, invalid, unsupported_content
from local_edge.model import assets, bindings, migrations, script_updates, scripts
from local_edge.model.bindings import Binding, InheritPolicy
from local_edge.model.config import METADATA, SHAPES, checked
from local_edge.model.script_scope import ScriptScope
from local_edge.model.script_updates import ScriptUpdate
from local_edge.model.scripts import Module, Script, Source
from local_edge.runtime.base import Exports
from local_edge.strict_json import loads_strict

#: Of the modules together: plain, and compressed as on the way to the machines that run them.
MAX_SIZE, MAX_COMPRESSED = 64 * 1024 * 1024, 10 * 1024 * 1024
MODULE_KINDS = {
    "application/javascript+module": "js",
    "text/javascript+module": "js",
    "application/javascript": "cjs",
    "text/javascript": "cjs",
    "application/wasm": "wasm",
    "text/plain": "text",
    "application/octet-stream": "data",
    "application/json": "json",
    "text/x-python": "python",
    "text/x-python-requirement": "requirement",
}
CONTENT_TYPES = {
    "js": "application/javascript+module",
    "cjs": "application/javascript",
    "script": "application/javascript",
    "wasm": "application/wasm",
    "text": "text/plain",
    "data": "application/octet-stream",
    "json": "application/json",
    "python": "text/x-python",
    "requirement": "text/x-python-requirement",
}
SOURCE_MAP = "application/source-map"
#: How an upload of the code alone may name its main file.
MAIN_HEADERS = {"main_module": "cf-worker-main-module-part", "body_part": "cf-worker-body-part"}


@dataclass(frozen=True)
class Upload:
    """A body taken apart."""

    metadata: Mapping[str, Any]
    files: Sequence[FormPart]

    @property
    def main(self) -> tuple[str, str | None]:
        """What the main file is called, and the kind it has whatever its Content-Type says: `body_part` is the syntax from before modules."""
        main, body = self.metadata.get("main_module"), self.metadata.get("body_part")
        if (main is None) == (body is None):
            raise invalid("metadata must name its `main_module`, or else its `body_part`, and not both")
        name = body if main is None else main
        if not isinstance(name, str) or not name:
            raise invalid("main_module must be the file name of an uploaded part")
        return name, None if main else "script"

    def source(self) -> Source:
        """The modules. The main one is found by file name, never by the name of its part; but a script, and what its bindings name, by that of
        the part where there is one. A Worker of assets alone has none."""
        if self.metadata.get("assets") and not self.files and not {"main_module", "body_part"} & set(self.metadata):
            return Source("", [])
        main, kind = self.main
        by_part = kind == "script" and main in [file.name for file in self.files]
        modules = [
            self.module(file, file.name if by_part else str(file.filename), main, kind)
            for file in self.files
            if file.media_type != SOURCE_MAP
        ]
        names = [module.name for module in modules]
        if main not in names:
            raise invalid(
                f"main_module {main!r} is not the file name of any uploaded part; there are {', '.join(names) or 'none'}"
            )
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise invalid(f"module {twice[0]!r} was uploaded more than once")
        check_size(modules)
        return Source(main, modules)

    @staticmethod
    def module(file: FormPart, name: str, main: str, main_kind: str | None) -> Module:
        kind = MODULE_KINDS.get(file.media_type)
        if kind is None:
            raise invalid(
                f"module {name!r} has Content-Type {file.content_type!r}; it is one of {', '.join(MODULE_KINDS)}"
            )
        if not name.isprintable():
            raise invalid(f"module {name!r}: the name of a module has no control characters")
        if name == main:
            kind = main_kind or ("js" if kind == "cjs" else kind)
        return Module(name, kind, file.body)


def check_size(modules: Sequence[Module]) -> None:
    """Refuse what is too large; what is small enough uncompressed is not compressed to find out."""
    size = sum(len(module.body) for module in modules)
    if size > MAX_SIZE or (
        size > MAX_COMPRESSED and sum(len(zlib.compress(one.body, 1)) for one in modules) > MAX_COMPRESSED
    ):
        raise ApiError(
            413,
            10027,
            f"workers.api.error.script_too_large: {size} bytes; a Worker has at most {MAX_COMPRESSED} compressed",
        )


def json_part(text: bytes, name: str) -> dict[str, Any]:
    try:
        value = loads_strict(text)
    except ValueError as error:
        raise ApiError(400, 10026, f"Could not parse the part `{name}` as JSON: {error}") from None
    if not isinstance(value, dict):
        raise ApiError(400, 10026, f"the part `{name}` must be a JSON object")
    return value


async def read(request: ApiRequest) -> Upload:
    """Take the body apart; metadata may come as a file, as a field, or (content only) as a header."""
    if request.media_type in ("application/javascript", "text/javascript"):
        return Upload(
            {"body_part": "worker.js"}, [FormPart("worker.js", request.body, "worker.js", "application/javascript")]
        )
    if request.media_type != "multipart/form-data":
        raise unsupported_content("multipart/form-data")
    parts = multipart.read(request)
    files = [part for part in parts if part.filename is not None and part.name != "metadata"]
    described = [part for part in parts if part.name == "metadata"]
    if described:
        return Upload(json_part(described[0].body, "metadata"), files)
    named = {key: request.headers[header] for key, header in MAIN_HEADERS.items() if header in request.headers}
    if named:
        return Upload(named, files)
    raise invalid("could not read content for part metadata")


def inherit_policy(request: ApiRequest, metadata: Mapping[str, Any]) -> InheritPolicy:
    """Which of the old bindings survive this upload."""
    keep = metadata.get("keep_bindings")
    if keep is None:
        keep = bindings.SECRET_TYPES if request.behaviors.upload_without_keep_bindings == "keep" else ()
    return InheritPolicy(keep=tuple(keep), strict=request.query.get("bindings_inherit") == "strict")


def tags_after(request: ApiRequest, metadata: Mapping[str, Any]) -> list[str] | None:
    """The tags this upload sets; None leaves them."""
    if metadata.get("tags") is None:
        return None if request.behaviors.upload_without_tags == "keep" else []
    return request.tags(metadata["tags"])


def read_annotations(body: Mapping[str, Any]) -> dict[str, str]:
    """What a client says of a version or a deployment."""
    raw = body.get("annotations") or {}
    if not isinstance(raw, dict) or not all(isinstance(value, str) for value in raw.values()):
        raise bad_body("annotations must be an object of strings")
    return raw


def with_handlers(config: Mapping[str, Any], handlers: Exports, source: Source) -> dict[str, Any]:
    return {
        **config,
        "handlers": handlers.default,
        "named_handlers": handlers.named,
        "has_default": handlers.has_default,
        "has_modules": any(module.kind == "js" for module in source.modules),
    }


@dataclass(frozen=True)
class ResolvedUpload:
    """What an upload comes to, given what the Worker was."""

    config: Mapping[str, Any]
    bindings: list[Binding]
    migrations: Mapping[str, Any]
    version: int | None


def resolve_upload(request: ApiRequest, name: str, metadata: Mapping[str, Any]) -> ResolvedUpload:
    """Bindings, assets and migrations, checked against what there is now."""
    metadata = {**metadata, **checked(metadata, METADATA)}
    scripts.check_scope(request.store, request.scope)
    old = scripts.find(request.store, request.scope, name)
    before = bindings.load(request.store, old.id) if old else {}
    after = bindings.resolve(
        request.store, request.account, metadata.get("bindings", []), before, inherit_policy(request, metadata)
    )
    if metadata.get("exports") and metadata.get("migrations"):
        raise ApiError(400, 100402, "`exports` and `migrations` cannot be used together")
    state = migrations.migrated(
        old.migrations if old else migrations.EMPTY, metadata.get("migrations"), metadata.get("exports")
    )
    served = assets_after(request, old, metadata)
    check_assets_binding(served, after)
    config = {
        **checked(metadata, SHAPES),
        "last_deployed_from": request.client,
        **({"assets": served} if served else {}),
        **({"trusted": True} if scripts.is_trusted(request.store, request.scope) else {}),
    }
    scripts.check_tail_consumers(request.store, request.account, config)
    return ResolvedUpload(config, bindings_with_ids(request, name, after, state), state, old.version if old else None)


def bindings_with_ids(
    request: ApiRequest, name: str, after: Iterable[Binding], state: Mapping[str, Any]
) -> list[Binding]:
    """The bindings of a Worker with those to Durable Objects resolved, be it to its own classes after migrations or to those of others."""

    def classes_of(key: str) -> migrations.Classes:
        if key == request.scope.key(name):
            return dict(state["classes"])
        other = scripts.find(request.store, *ScriptScope.of(key))
        return dict(other.migrations["classes"]) if other else {}

    return migrations.with_ids(after, request.scope, name, classes_of)


def assets_after(request: ApiRequest, old: Script | None, metadata: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The static assets `{"manifest", "config"}` of a Worker after this upload."""
    before = old.config.get("assets") if old else None
    wanted = metadata.get("assets")
    if wanted and wanted.get("jwt"):
        return {
            "manifest": assets.completed(request.store, request.scope, wanted["jwt"]),
            "config": assets.check_config(wanted.get("config")),
        }
    if metadata.get("keep_assets") and before:
        return {**before, "config": assets.check_config(wanted["config"])} if wanted and "config" in wanted else before
    if wanted:
        raise invalid("assets need the `jwt` that completed their upload")
    return None


def check_assets_binding(served: Mapping[str, Any] | None, after: Sequence[Binding]) -> None:
    if not served and any(one.type == "assets" for one in after):
        raise invalid("a binding of type assets needs `assets` in the metadata")


async def validate(request: ApiRequest, source: Source, config: Mapping[str, Any], bound: Sequence[Binding]) -> Exports:
    """What the Worker handles; one of assets alone has nothing to start."""
    return await request.runtime.validate(source, config, bound) if source.modules else Exports([], has_default=False)


def upload_response(request: ApiRequest, script: Script, startup_ms: int) -> ApiResponse:
    """What an upload answers: the Worker without its bindings."""
    request.invalidate(script.key)
    version = scripts.active_version_info(request.store, script)["id"].replace("-", "")
    return ApiResponse(
        {
            **script_to_api(script),
            "tags": script_tags(request.store, script),
            "startup_time_ms": startup_ms,
            "entry_point": script.main,
            "deployment_id": version,
            "pipeline_hash": script.etag,
            "mutable_pipeline_id": script.tag,
        }
    )


async def put_script(request: ApiRequest) -> ApiResponse:
    """Create or replace a Worker, live at once."""
    name = scripts.check_name(request.params["script"])
    scripts.check_scope(request.store, request.scope)
    upload = await read(request)
    check_etag(request, name)
    check_inherit_with_keep(request, upload.metadata)
    source = source_to_keep(request, name, upload.files) or upload.source()
    tags, first = tags_after(request, upload.metadata), resolve_upload(request, name, upload.metadata)
    handlers = await validate(request, source, first.config, first.bindings)
    # Validation let others write: what bindings point to is settled only now.
    after = resolve_upload(request, name, upload.metadata)
    if after.version != first.version:
        raise conflict()
    change = ScriptUpdate(
        source,
        with_handlers(after.config, handlers, source),
        after.bindings,
        tags,
        {"migrations": after.migrations},
        read_annotations(upload.metadata),
    )
    return upload_response(
        request, script_updates.write(request.store, request.scope, name, change), handlers.startup_ms
    )


async def put_content(request: ApiRequest) -> ApiResponse:
    """Replace the code and nothing else."""
    script, upload = request.script, await read(request)
    source = upload.source()
    handlers = await validate(request, source, script.config, list(bindings.load(request.store, script.id).values()))
    if request.script.version != script.version:
        raise conflict()
    return upload_response(
        request,
        script_updates.write(
            request.store,
            request.scope,
            script.name,
            ScriptUpdate(source, with_handlers(script.config, handlers, source)),
        ),
        handlers.startup_ms,
    )
