# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings, bindings, secrets and tags of a Worker, at both levels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_edge.api import multipart
from local_edge.api.behaviors import bindings_to_api, updates_modified_on
from local_edge.api.request import ApiRequest, ApiResponse
from local_edge.api.script_objects import script_tags, settings_to_api
from local_edge.api.uploads import bindings_with_ids, check_assets_binding, json_part, validate, with_handlers
from local_edge.errors import ApiError, bad_body, conflict, invalid, unsupported_content
from local_edge.model import bindings, migrations, script_updates, scripts, versions
from local_edge.model.bindings import Binding, InheritPolicy
from local_edge.model.config import DEFAULTS, SHAPES, checked
from local_edge.model.script_updates import ScriptUpdate
from local_edge.model.scripts import Script

SCRIPT_SETTINGS = ("logpush", "tail_consumers", "observability", "tags")


def update_script(request: ApiRequest, script: Script, what: ScriptUpdate) -> Script:
    """Write a change that is not the code."""
    request.invalidate(script.key)
    return script_updates.write(request.store, script.scope, script.name, what, updates_modified_on(request, what))


def answer(request: ApiRequest, script: Script) -> ApiResponse:
    shown = bindings_to_api(request, script)
    return ApiResponse(settings_to_api(request.store, script, shown))


async def get_settings(request: ApiRequest) -> ApiResponse:
    return answer(request, request.script)


async def get_bindings(request: ApiRequest) -> ApiResponse:
    return ApiResponse(bindings_to_api(request, request.script))


async def patch_settings(request: ApiRequest) -> ApiResponse:
    """Change what is given. `bindings` is replaced as a whole, but a secret without text stands for the one there is."""
    script = request.script
    if request.media_type != "multipart/form-data":
        raise unsupported_content("multipart/form-data with one part `settings`")
    parts = [part for part in multipart.read(request) if part.name == "settings"]
    if not parts:
        raise invalid("could not read content for part settings")
    raw = json_part(parts[0].body, "settings")
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
        there = after if after is not None else list(bindings.load(request.store, script.id).values())
        config = with_handlers(config, await validate(request, source, config, there), source)
        if request.script.version != script.version:
            raise conflict()
    return answer(
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
    """The configuration after a patch: null goes back to the default."""
    cleared = {name for name in DEFAULTS if name in raw and raw[name] is None}
    given = checked(raw, SHAPES)
    scripts.check_tail_consumers(request.store, request.account, given)
    return {**{name: value for name, value in script.config.items() if name not in cleared}, **given}


async def get_script_settings(request: ApiRequest) -> ApiResponse:
    """The part of an account Worker's settings that does not make a version."""
    shown = settings_to_api(request.store, request.script, [])
    return ApiResponse({name: shown[name] for name in SCRIPT_SETTINGS})


async def patch_script_settings(request: ApiRequest) -> ApiResponse:
    script, raw = request.script, request.json_object()
    wanted = {name: raw[name] for name in SCRIPT_SETTINGS if name in raw}
    tags = request.tags(wanted.pop("tags")) if "tags" in wanted else None
    update_script(request, script, ScriptUpdate(config=merge_config(request, script, wanted), tags=tags))
    return await get_script_settings(request)


def secrets_of(request: ApiRequest, script: Script) -> dict[str, Binding]:
    return {
        name: one for name, one in bindings.load(request.store, script.id).items() if one.type in bindings.SECRET_TYPES
    }


def find_secret(request: ApiRequest) -> Binding:
    """The secret of this path."""
    name = request.params["secret"]
    found = secrets_of(request, request.script).get(name)
    if found is None:
        raise ApiError(404, 10056, f"Binding {name!r} not found: the Worker has no secret of that name.")
    return found


async def store_secrets(request: ApiRequest, script: Script, wanted: Mapping[str, Any]) -> dict[str, Binding]:
    """Merge secrets into a Worker's bindings: null deletes, the others replace or come on top."""
    if not versions.is_latest_deployed(request.store, script.id):
        # The edit would start from the newest version, and let one answer that nobody has deployed.
        raise ApiError(
            400,
            10215,
            "Secret edit failed. You attempted to modify a secret, but the latest version of your Worker isn't currently"
            " deployed. Please ensure that the latest version of your Worker is fully deployed.",
        )
    after = bindings.load(request.store, script.id)
    before = dict(after)
    for name, raw in wanted.items():
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
    if any(name in after and after[name].type == "secret_key" for name in wanted):
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
    """Many secrets in one merge patch."""
    wanted = request.json_object().get("secrets")
    if not isinstance(wanted, dict):
        raise bad_body("`secrets` must be an object of secrets by name")
    after = await store_secrets(request, request.script, wanted)
    return ApiResponse({name: after[name].to_api() for name, raw in wanted.items() if raw is not None})


async def get_tags(request: ApiRequest) -> ApiResponse:
    """The tags; null where there are none, as Cloudflare has it."""
    return ApiResponse(script_tags(request.store, request.script) or None)


async def put_tags(request: ApiRequest) -> ApiResponse:
    """Replace the tags; clients send none as [], as null, or as no body at all."""
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
