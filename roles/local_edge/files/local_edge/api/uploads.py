# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Uploads of Workers, which create a Worker or replace all of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_edge.api import multipart
from local_edge.api.behaviors import check_etag, check_inherit_with_keep, source_to_keep
from local_edge.api.multipart import FormPart
from local_edge.api.request import ApiRequest, ApiResponse
from local_edge.api.script_objects import script_tags, script_to_api
from local_edge.errors import ApiError, bad_body, conflict, invalid, unsupported_content
from local_edge.invalidation import Invalidation
from local_edge.model import assets, bindings, migrations, script_updates, scripts
from local_edge.model.bindings import Binding, InheritPolicy
from local_edge.model.config import METADATA, SHAPES, checked
from local_edge.model.script_scope import ScriptScope
from local_edge.model.script_updates import ScriptUpdate
from local_edge.model.scripts import Module, Script, Source
from local_edge.runtime.base import Exports
from local_edge.runtime.definition import default_cache
from local_edge.strict_json import loads_strict

#: Maximum size of all modules in bytes, without compression.
MAX_SIZE = 64 * 1024 * 1024
MODULE_KINDS = {
    "application/javascript+module": "js",
    "text/javascript+module": "js",
    "application/javascript": "cjs",
    "text/javascript": "cjs",
    "application/wasm": "wasm",
    "text/plain": "text",
    "application/octet-stream": "data",
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
    "python": "text/x-python",
    "requirement": "text/x-python-requirement",
}
SOURCE_MAP = "application/source-map"
#: Headers that name the main module in an upload without metadata.
MAIN_HEADERS = {"main_module": "cf-worker-main-module-part", "body_part": "cf-worker-body-part"}


@dataclass(frozen=True)
class Upload:
    """The metadata and the files of an upload."""

    metadata: Mapping[str, Any]
    files: Sequence[FormPart]

    @property
    def main(self) -> tuple[str, str | None]:
        """Return the name of the main module, and "script" for the older syntax (`body_part`).

        That kind overrides the Content-Type.
        """
        main, body = self.metadata.get("main_module"), self.metadata.get("body_part")
        if (main is None) == (body is None):
            raise invalid("metadata must name its `main_module`, or else its `body_part`, and not both")
        name = body if main is None else main
        if not isinstance(name, str) or not name:
            raise invalid("main_module must be the file name of an uploaded part")
        return name, None if main else "script"

    def source(self) -> Source:
        """Return the modules. A Worker with static assets only has none. Raise ApiError if they are invalid.

        Modules are named by file name, those of a script by the name of their part if the main one is found by it.
        """
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
                f"main_module {main!r} is not the file name of any uploaded part ({', '.join(names) or 'none'})"
            )
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise invalid(f"module {twice[0]!r} was uploaded more than once")
        check_size(modules)
        maps = [
            Module(str(file.filename), scripts.SOURCE_MAP, file.body)
            for file in self.files
            if file.media_type == SOURCE_MAP
        ]
        return Source(main, modules, maps)

    @staticmethod
    def module(file: FormPart, name: str, main: str, main_kind: str | None) -> Module:
        kind = MODULE_KINDS.get(file.media_type)
        if kind is None:
            raise ApiError(
                400,
                10162,
                f"module {name!r} has unsupported Content-Type {file.content_type!r}. Supported: "
                f"{', '.join(MODULE_KINDS)}",
            )
        if not name.isprintable():
            raise invalid(f"module {name!r}: the name must not contain control characters")
        if name == main:
            kind = main_kind or ("js" if kind == "cjs" else kind)
        return Module(name, kind, file.body)


def check_size(modules: Sequence[Module]) -> None:
    size = sum(len(module.body) for module in modules)
    if size > MAX_SIZE:
        raise ApiError(413, 10027, f"workers.api.error.script_too_large: {size} bytes; a Worker has at most {MAX_SIZE}")


def json_part(text: bytes, name: str) -> dict[str, Any]:
    try:
        value = loads_strict(text)
    except ValueError as error:
        raise ApiError(400, 10026, f"Could not parse the part `{name}` as JSON: {error}") from None
    if not isinstance(value, dict):
        raise ApiError(400, 10026, f"the part `{name}` must be a JSON object")
    return value


async def read(request: ApiRequest) -> Upload:
    """Read an upload. The metadata is a part, with or without a file name, or is replaced by a header."""
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
    """Return how an upload treats the existing bindings."""
    keep = metadata.get("keep_bindings")
    if keep is None:
        keep = bindings.SECRET_TYPES if request.behaviors.upload_without_keep_bindings == "keep" else ()
    return InheritPolicy(keep=tuple(keep), strict=request.query.get("bindings_inherit") == "strict")


def tags_after(request: ApiRequest, metadata: Mapping[str, Any]) -> list[str] | None:
    """Return the tags that an upload sets. None keeps the existing ones."""
    if metadata.get("tags") is None:
        return None if request.behaviors.upload_without_tags == "keep" else []
    return request.tags(metadata["tags"])


def read_annotations(body: Mapping[str, Any]) -> dict[str, str]:
    """Return the annotations of a version or deployment. Raise ApiError if they are not strings."""
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
    """The result of an upload, given the existing Worker. `version` is that of the existing one, if any."""

    config: Mapping[str, Any]
    bindings: list[Binding]
    migrations: Mapping[str, Any]
    version: int | None


def resolve_upload(request: ApiRequest, name: str, metadata: Mapping[str, Any]) -> ResolvedUpload:
    """Check bindings, assets and migrations of an upload against the current state, and resolve references."""
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
    """Return bindings with the namespace ids of Durable Objects.

    `state` contains the Worker's own classes after migrations. Classes of other Workers are read from the database.
    """

    def classes_of(key: str) -> migrations.Classes:
        if key == request.scope.key(name):
            return dict(state["classes"])
        other = scripts.find(request.store, *ScriptScope.of(key))
        return dict(other.migrations["classes"]) if other else {}

    return migrations.with_ids(after, request.scope, name, classes_of)


def assets_after(request: ApiRequest, old: Script | None, metadata: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the static assets `{"manifest", "config"}` of a Worker after an upload, None without assets."""
    before: Mapping[str, Any] | None = old.config.get("assets") if old else None
    uploaded = metadata.get("assets")
    if uploaded and uploaded.get("jwt"):
        return {
            "manifest": assets.completed(request.store, request.scope, uploaded["jwt"]),
            "config": assets.check_config(uploaded.get("config")),
        }
    if metadata.get("keep_assets") and before:
        if uploaded and "config" in uploaded:
            return {**before, "config": assets.check_config(uploaded["config"])}
        return before if request.behaviors.upload_without_assets_config == "keep" else {**before, "config": {}}
    if uploaded:
        raise invalid("`assets` must contain the `jwt` of the completed upload session")
    return None


def check_assets_binding(served: Mapping[str, Any] | None, after: Sequence[Binding]) -> None:
    if not served and any(one.type == "assets" for one in after):
        raise invalid("a binding of type assets needs `assets` in the metadata")


async def validate(request: ApiRequest, source: Source, config: Mapping[str, Any], bound: Sequence[Binding]) -> Exports:
    """Start the Worker in the validator and return its exports. A Worker without modules is not started."""
    config = {**config, "default_cache": default_cache(request.behaviors, request.scope, config)}
    return await request.runtime.validate(source, config, bound) if source.modules else Exports([], has_default=False)


def upload_response(request: ApiRequest, script: Script, startup_ms: int) -> ApiResponse:
    """Return the response of an upload: the Worker without its bindings."""
    request.invalidate(Invalidation.worker(script.key))
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
    """Create or replace a Worker. The change is active when the response is sent."""
    name = scripts.check_name(request.params["script"])
    scripts.check_scope(request.store, request.scope)
    upload = await read(request)
    check_etag(request, name)
    check_inherit_with_keep(request, upload.metadata)
    source = source_to_keep(request, name, upload.files) or upload.source()
    tags, first = tags_after(request, upload.metadata), resolve_upload(request, name, upload.metadata)
    handlers = await validate(request, source, first.config, first.bindings)
    # Other requests may have changed the state during validation, so references are resolved again.
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
    """Replace the code of a Worker and keep everything else."""
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
