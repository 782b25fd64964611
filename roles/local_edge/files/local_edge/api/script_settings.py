# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings, bindings, secrets and tags of a Worker, at both levels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_edge.api import multipart
from local_edge.api.behaviors import bindings_shown, updates_modified_on
from local_edge.api.call import Answer, Call
from local_edge.api.script_objects import settings_shown, tags_shown
from local_edge.api.uploads import bound, check_assets_binding, json_part, validated, with_handlers
from local_edge.errors import ApiError, bad_body, invalid, overtaken, unsupported_content
from local_edge.model import bindings, migrations, scripts, versions
from local_edge.model.bindings import Binding, Rules
from local_edge.model.config import DEFAULTS, SHAPES, checked
from local_edge.model.scripts import Change, Script

SCRIPT_SETTINGS = ("logpush", "tail_consumers", "observability", "tags")


def change(call: Call, script: Script, what: Change) -> Script:
    """Write a change that is not the code."""
    call.touched.append(script.key)
    return scripts.write(call.store, script.place, script.name, what, updates_modified_on(call, what))


def answer(call: Call, script: Script) -> Answer:
    shown = bindings_shown(call, script)
    return Answer(settings_shown(call.store, script, shown))


async def get_settings(call: Call) -> Answer:
    return answer(call, call.script)


async def get_bindings(call: Call) -> Answer:
    return Answer(bindings_shown(call, call.script))


async def patch_settings(call: Call) -> Answer:
    """Change what is given. `bindings` is replaced as a whole, but a secret without text stands for the one there is."""
    script = call.script
    if call.media_type != "multipart/form-data":
        raise unsupported_content("multipart/form-data with one part `settings`")
    parts = [part for part in multipart.read(call) if part.name == "settings"]
    if not parts:
        raise invalid("could not read content for part settings")
    raw = json_part(parts[0].body, "settings")
    config, tags = merged(call, script, raw), raw.get("tags")
    after = None
    if raw.get("bindings") is not None:
        before = bindings.load(call.store, script.id)
        after = bindings.resolve(call.store, call.account, raw["bindings"], before, Rules(strict=True, valueless=True))
        check_assets_binding(script.config.get("assets"), after)
    state = migrations.migrated(script.migrations, raw.get("migrations"))
    if after is not None:
        after = bound(call, script.name, after, state)
    if {"compatibility_date", "compatibility_flags", "bindings"} & set(raw):
        source = scripts.source_of(call.store, script)
        there = after if after is not None else list(bindings.load(call.store, script.id).values())
        config = with_handlers(config, await validated(call, source, config, there), source)
        if call.script.version != script.version:
            raise overtaken()
    return answer(
        call,
        change(
            call,
            script,
            Change(
                config=config,
                bindings=after,
                extras={"migrations": state},
                tags=None if tags is None else call.tags(tags),
            ),
        ),
    )


def merged(call: Call, script: Script, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration after a patch: null goes back to the default."""
    cleared = {name for name in DEFAULTS if name in raw and raw[name] is None}
    given = checked(raw, SHAPES)
    scripts.check_tails(call.store, call.account, given)
    return {**{name: value for name, value in script.config.items() if name not in cleared}, **given}


async def get_script_settings(call: Call) -> Answer:
    """The part of an account Worker's settings that does not make a version."""
    shown = settings_shown(call.store, call.script, [])
    return Answer({name: shown[name] for name in SCRIPT_SETTINGS})


async def patch_script_settings(call: Call) -> Answer:
    script, raw = call.script, call.json_object()
    wanted = {name: raw[name] for name in SCRIPT_SETTINGS if name in raw}
    tags = call.tags(wanted.pop("tags")) if "tags" in wanted else None
    change(call, script, Change(config=merged(call, script, wanted), tags=tags))
    return await get_script_settings(call)


def secrets_of(call: Call, script: Script) -> dict[str, Binding]:
    return {
        name: one for name, one in bindings.load(call.store, script.id).items() if one.type in bindings.SECRET_TYPES
    }


def secret(call: Call) -> Binding:
    """The secret of this path."""
    name = call.params["secret"]
    found = secrets_of(call, call.script).get(name)
    if found is None:
        raise ApiError(404, 10056, f"Binding {name!r} not found: the Worker has no secret of that name.")
    return found


async def store_secrets(call: Call, script: Script, wanted: Mapping[str, Any]) -> dict[str, Binding]:
    """Merge secrets into a Worker's bindings: null deletes, the others replace or come on top."""
    if not versions.newest_answers(call.store, script.id):
        # The edit would start from the newest version, and let one answer that nobody has deployed.
        raise ApiError(
            400,
            10215,
            "Secret edit failed. You attempted to modify a secret, but the latest version of your Worker isn't currently"
            " deployed. Please ensure that the latest version of your Worker is fully deployed.",
        )
    after = bindings.load(call.store, script.id)
    before = dict(after)
    for name, raw in wanted.items():
        if raw is None:
            if name in after and after[name].type in bindings.SECRET_TYPES:
                del after[name]
            continue
        entry = {"type": "secret_text", **raw, "name": raw.get("name", name)} if isinstance(raw, dict) else {}
        if bindings.named(entry) != name or entry["type"] not in bindings.SECRET_TYPES:
            raise bad_body(f"secret {name!r} must be an object with its `name`, `text` and type secret_text")
        if name in after and after[name].type not in bindings.SECRET_TYPES:
            raise ApiError(
                400, 10053, f"Binding name {name!r} is already in use by a binding of type {after[name].type}"
            )
        after[name] = bindings.read(call.store, call.account, entry)
    if any(name in after and after[name].type == "secret_key" for name in wanted):
        await validated(call, scripts.source_of(call.store, script), script.config, list(after.values()))
        if call.script.version != script.version:
            raise overtaken()
    if after != before:
        change(call, script, Change(bindings=bindings.counted(list(after.values()))))
    return after


async def list_secrets(call: Call) -> Answer:
    return Answer([one.shown() for one in secrets_of(call, call.script).values()])


async def get_secret(call: Call) -> Answer:
    return Answer(secret(call).shown())


async def put_secret(call: Call) -> Answer:
    raw = call.json_object()
    name = bindings.named(raw)
    return Answer((await store_secrets(call, call.script, {name: raw}))[name].shown())


async def delete_secret(call: Call) -> Answer:
    await store_secrets(call, call.script, {secret(call).name: None})
    return Answer()


async def patch_secrets(call: Call) -> Answer:
    """Many secrets in one merge patch."""
    wanted = call.json_object().get("secrets")
    if not isinstance(wanted, dict):
        raise bad_body("`secrets` must be an object of secrets by name")
    after = await store_secrets(call, call.script, wanted)
    return Answer({name: after[name].shown() for name, raw in wanted.items() if raw is not None})


async def get_tags(call: Call) -> Answer:
    """The tags; null where there are none, as Cloudflare has it."""
    return Answer(tags_shown(call.store, call.script) or None)


async def put_tags(call: Call) -> Answer:
    """Replace the tags; clients send none as [], as null, or as no body at all."""
    tags = call.tags(call.json() if call.body else None)
    return Answer(tags_shown(call.store, change(call, call.script, Change(tags=tags))))


async def put_tag(call: Call) -> Answer:
    script = call.script
    tags = call.tags([*tags_shown(call.store, script), call.params["tag"]])
    return Answer(tags_shown(call.store, change(call, script, Change(tags=tags))))


async def delete_tag(call: Call) -> Answer:
    script = call.script
    change(call, script, Change(tags=[tag for tag in tags_shown(call.store, script) if tag != call.params["tag"]]))
    return Answer()
