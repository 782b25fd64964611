# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings, bindings, secrets and tags of Workers, in an account and in a namespace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_edge.api import multipart
from local_edge.api.behaviors import bindings_to_api, updates_modified_on
from local_edge.api.request import ApiRequest, ApiResponse
from local_edge.api.script_objects import script_tags, settings_to_api
from local_edge.api.uploads import bindings_with_ids, check_assets_binding, json_part, validate, with_handlers
from local_edge.errors import ApiError, bad_body, conflict, invalid, unsupported_content
from local_edge.invalidation import Invalidation
from local_edge.model import bindings, migrations, script_updates, scripts, versions
from local_edge.model.bindings import Binding, InheritPolicy
from local_edge.model.config import DEFAULTS, SHAPES, UPLOAD_ONLY, checked
from local_edge.model.script_updates import ScriptUpdate
from local_edge.model.scripts import Script

SCRIPT_SETTINGS = ("logpush", "tail_consumers", "observability", "tags")


def update_script(request: ApiRequest, script: Script, update: ScriptUpdate) -> Script:
    """Write a change that does not include the code."""
    request.invalidate(Invalidation.worker(script.key))
    return script_updates.write(request.store, script.scope, script.name, update, updates_modified_on(request, update))


def settings_response(request: ApiRequest, script: Script) -> ApiResponse:
    found = settings_to_api(request.store, script, bindings_to_api(request, script))
    if request.behaviors.upload_only_settings_returned == "yes":
        found.update({name: script.config[name] for name in UPLOAD_ONLY if name in script.config})
    return ApiResponse(found)


async def get_settings(request: ApiRequest) -> ApiResponse:
    return settings_response(request, request.script)


async def get_bindings(request: ApiRequest) -> ApiResponse:
    return ApiResponse(bindings_to_api(request, request.script))


def read_settings(request: ApiRequest) -> dict[str, Any]:
    """Read the part `settings` of the body. Raise ApiError if it is missing or malformed."""
    if request.media_type != "multipart/form-data":
        raise unsupported_content("multipart/form-data with one part `settings`")
    parts = [part for part in multipart.read(request) if part.name == "settings"]
    if not parts:
        raise invalid("could not read content for part settings")
    return json_part(parts[0].body, "settings")


async def patch_settings(request: ApiRequest) -> ApiResponse:
    """Update the given settings. `bindings` replaces all bindings; a secret without text keeps its value."""
    script, raw = request.script, read_settings(request)
    config, tags = merge_config(request, script, raw), raw.get("tags")
    after = None
    if raw.get("bindings") is not None:
        before = bindings.load(request.store, script.id)
        after = bindings.resolve(
            request.store,
            request.account,
            raw["bindings"],
            before,
            InheritPolicy(strict=True, allow_secret_reference=True),
        )
        check_assets_binding(script.config.get("assets"), after)
    state = migrations.migrated(script.migrations, raw.get("migrations"))
    if after is not None:
        after = bindings_with_ids(request, script.name, after, state)
    if {"compatibility_date", "compatibility_flags", "bindings"} & set(raw):
        source = scripts.source_of(request.store, script)
        effective = after if after is not None else list(bindings.load(request.store, script.id).values())
        config = with_handlers(config, await validate(request, source, config, effective), source)
        if request.script.version != script.version:
            raise conflict()
    return settings_response(
        request,
        update_script(
            request,
            script,
            ScriptUpdate(
                config=config,
                bindings=after,
                extras={"migrations": state},
                tags=None if tags is None else request.tags(tags),
            ),
        ),
    )


def merge_config(request: ApiRequest, script: Script, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration after a merge patch. A null resets a setting to its default."""
    cleared = {name for name in DEFAULTS if name in raw and raw[name] is None}
    patch = checked(raw, SHAPES)
    scripts.check_tail_consumers(request.store, request.account, patch)
    return {**{name: value for name, value in script.config.items() if name not in cleared}, **patch}


async def get_script_settings(request: ApiRequest) -> ApiResponse:
    """Return the settings of an account Worker that are not part of a version."""
    settings = settings_to_api(request.store, request.script, [])
    return ApiResponse({name: settings[name] for name in SCRIPT_SETTINGS})


async def patch_script_settings(request: ApiRequest) -> ApiResponse:
    script, raw = request.script, request.json_object()
    patch = {name: raw[name] for name in SCRIPT_SETTINGS if name in raw}
    tags = request.tags(patch.pop("tags")) if "tags" in patch else None
    update_script(request, script, ScriptUpdate(config=merge_config(request, script, patch), tags=tags))
    return await get_script_settings(request)


def secrets_of(request: ApiRequest, script: Script) -> dict[str, Binding]:
    return {
        name: one for name, one in bindings.load(request.store, script.id).items() if one.type in bindings.SECRET_TYPES
    }


def find_secret(request: ApiRequest) -> Binding:
    """Return the secret of the request path. Raise ApiError if it does not exist."""
    name = request.params["secret"]
    found = secrets_of(request, request.script).get(name)
    if found is None:
        raise ApiError(404, 10056, f"Binding {name!r} not found: the Worker has no secret of that name.")
    return found


async def store_secrets(request: ApiRequest, script: Script, patch: Mapping[str, Any]) -> dict[str, Binding]:
    """Apply a merge patch of secrets to a Worker. A null deletes a secret. Return all bindings by name."""
    if not versions.is_latest_deployed(request.store, script.id):
        # The edit starts from the newest version, and would activate one that was not deployed.
        raise ApiError(
            400,
            10215,
            "Secret edit failed. You attempted to modify a secret, but the latest version of your Worker isn't "
            "currently deployed. Please ensure that the latest version of your Worker is fully deployed.",
        )
    after = bindings.load(request.store, script.id)
    before = dict(after)
    for name, raw in patch.items():
        if raw is None:
            if name in after and after[name].type in bindings.SECRET_TYPES:
                del after[name]
            continue
        entry = {"type": "secret_text", **raw, "name": raw.get("name", name)} if isinstance(raw, dict) else {}
        if bindings.check_name(entry) != name or entry["type"] not in bindings.SECRET_TYPES:
            raise bad_body(f"secret {name!r} must be an object with its `name`, `text` and type secret_text")
        if name in after and after[name].type not in bindings.SECRET_TYPES:
            raise ApiError(
                400, 10053, f"Binding name {name!r} is already in use by a binding of type {after[name].type}"
            )
        after[name] = bindings.parse(request.store, request.account, entry)
    if any(name in after and after[name].type == "secret_key" for name in patch):
        await validate(request, scripts.source_of(request.store, script), script.config, list(after.values()))
        if request.script.version != script.version:
            raise conflict()
    if after != before:
        update_script(request, script, ScriptUpdate(bindings=bindings.check_count(list(after.values()))))
    return after


async def list_secrets(request: ApiRequest) -> ApiResponse:
    return ApiResponse([one.to_api() for one in secrets_of(request, request.script).values()])


async def get_secret(request: ApiRequest) -> ApiResponse:
    return ApiResponse(find_secret(request).to_api())


async def put_secret(request: ApiRequest) -> ApiResponse:
    raw = request.json_object()
    name = bindings.check_name(raw)
    return ApiResponse((await store_secrets(request, request.script, {name: raw}))[name].to_api())


async def delete_secret(request: ApiRequest) -> ApiResponse:
    await store_secrets(request, request.script, {find_secret(request).name: None})
    return ApiResponse()


async def patch_secrets(request: ApiRequest) -> ApiResponse:
    """Apply a merge patch of several secrets."""
    patch = request.json_object().get("secrets")
    if not isinstance(patch, dict):
        raise bad_body("`secrets` must be an object of secrets by name")
    after = await store_secrets(request, request.script, patch)
    return ApiResponse({name: after[name].to_api() for name, raw in patch.items() if raw is not None})


async def get_tags(request: ApiRequest) -> ApiResponse:
    """Return the tags, or null for none, as Cloudflare does."""
    return ApiResponse(script_tags(request.store, request.script) or None)


async def put_tags(request: ApiRequest) -> ApiResponse:
    """Replace the tags. Clients remove all with [], null or an empty body."""
    tags = request.tags(request.json() if request.body else None)
    return ApiResponse(script_tags(request.store, update_script(request, request.script, ScriptUpdate(tags=tags))))


async def put_tag(request: ApiRequest) -> ApiResponse:
    script = request.script
    tags = request.tags([*script_tags(request.store, script), request.params["tag"]])
    return ApiResponse(script_tags(request.store, update_script(request, script, ScriptUpdate(tags=tags))))


async def delete_tag(request: ApiRequest) -> ApiResponse:
    script = request.script
    update_script(
        request,
        script,
        ScriptUpdate(tags=[tag for tag in script_tags(request.store, script) if tag != request.params["tag"]]),
    )
    return ApiResponse()
