# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Uploading a Worker: the one write that makes or replaces all of it."""
from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_edge.api import multipart
from local_edge.api.call import Answer, Call
from local_edge.api.multipart import Part
from local_edge.api.script_objects import shown, tags_shown
from local_edge.errors import ApiError, invalid, unsupported_content
from local_edge.model import bindings, scripts
from local_edge.model.bindings import Binding, Rules
from local_edge.model.scripts import Change, Module, Script, Source
from local_edge.runtime.base import Handlers

MAX_SIZE = 64 * 1024 * 1024
KINDS = {
    "application/javascript+module": "js", "text/javascript+module": "js", "application/javascript": "cjs", "text/javascript": "cjs",
    "application/wasm": "wasm", "text/plain": "text", "application/octet-stream": "data", "application/json": "json",
}
CONTENT_TYPES = {"js": "application/javascript+module", "cjs": "application/javascript", "wasm": "application/wasm",
                 "text": "text/plain", "data": "application/octet-stream", "json": "application/json"}
#: Keys of the metadata that would change what a Worker does, and that this edge cannot do yet.
NOT_YET = ("body_part", "assets", "migrations", "exports")
SOURCE_MAP = "application/source-map"


@dataclass(frozen=True)
class Upload:
    """A body taken apart."""

    metadata: Mapping[str, Any]
    files: Sequence[Part]

    def source(self) -> Source:
        """The modules. The main one is found by file name, never by the name of its part."""
        main = self.metadata.get("main_module")
        refused = [key for key in NOT_YET if self.metadata.get(key)]
        if refused:
            raise invalid(f"metadata `{refused[0]}` is not supported by the local edge yet")
        if not isinstance(main, str) or not main:
            raise invalid("metadata must name its `main_module`")
        names = [str(file.filename) for file in self.files]
        if main not in names:
            raise invalid(f"main_module {main!r} is not the file name of any uploaded part; there are {', '.join(names) or 'none'}")
        if sum(len(file.body) for file in self.files) > MAX_SIZE:
            raise ApiError(413, 10027, f"workers.api.error.script_too_large: the modules exceed {MAX_SIZE} bytes")
        return Source(main, [self.module(file, main) for file in self.files if file.content_type != SOURCE_MAP])

    @staticmethod
    def module(file: Part, main: str) -> Module:
        name, kind = str(file.filename), KINDS.get(file.content_type)
        if kind is None:
            raise invalid(f"module {name!r} has Content-Type {file.content_type!r}, which the local edge cannot run; it takes "
                          + ", ".join(KINDS))
        return Module(name, "js" if name == main and kind == "cjs" else kind, file.body)


def json_part(text: bytes, name: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ApiError(400, 10026, f"Could not parse the part `{name}` as JSON: {error}") from None
    if not isinstance(value, dict):
        raise ApiError(400, 10026, f"the part `{name}` must be a JSON object")
    return value


async def read(call: Call) -> Upload:
    """Take the body apart; metadata may come as a file, as a field, or (content only) as a header."""
    if call.media_type in ("application/javascript", "text/javascript"):
        raise invalid("a bare script cannot carry metadata, and the local edge runs ES modules only: upload multipart/form-data")
    if call.media_type != "multipart/form-data":
        raise unsupported_content("multipart/form-data")
    parts = await multipart.read(call)
    files = [part for part in parts if part.filename is not None and part.name != "metadata"]
    described = [part for part in parts if part.name == "metadata"]
    header = call.headers.get("cf-worker-main-module-part")
    if header and not described:
        return Upload({"main_module": header}, files)
    if not described:
        raise invalid("could not read content for part metadata")
    return Upload(json_part(described[0].body, "metadata"), files)


def check_date(date: Any) -> str:
    """A compatibility date that lies not ahead."""
    try:
        parsed = datetime.date.fromisoformat(date) if re.fullmatch(r"\d{4}-\d\d-\d\d", date) else None
    except (TypeError, ValueError):
        parsed = None
    if parsed is None:
        raise invalid(f"compatibility_date {date!r} must be a date written YYYY-MM-DD")
    if parsed > datetime.datetime.now(datetime.timezone.utc).date():
        raise invalid(f"Can't set compatibility date in the future: {date}")
    return str(date)


def check_config(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What of the metadata belongs to the configuration; null is as good as not given."""
    config = {name: raw[name] for name in scripts.CONFIG if raw.get(name) is not None}
    if "compatibility_date" in config:
        check_date(config["compatibility_date"])
    flags = config.get("compatibility_flags", [])
    if not isinstance(flags, list) or not all(isinstance(flag, str) for flag in flags):
        raise invalid("compatibility_flags must be a list of strings")
    for name in ("limits", "observability", "placement"):
        if not isinstance(config.get(name, {}), dict):
            raise invalid(f"{name} must be an object")
    return config


def rules_of(call: Call, metadata: Mapping[str, Any]) -> Rules:
    """Which of the old bindings survive this upload."""
    keep = metadata.get("keep_bindings")
    if keep is None:
        keep = bindings.SECRET_TYPES if call.switches.put_without_keep_bindings == "keep" else ()
    elif not isinstance(keep, list) or not all(isinstance(one, str) for one in keep):
        raise invalid("keep_bindings must be a list of binding types")
    return Rules(keep=tuple(keep), strict=call.query.get("bindings_inherit") == "strict")


def tags_after(call: Call, metadata: Mapping[str, Any]) -> list[str] | None:
    """The tags this upload sets; None leaves them."""
    if metadata.get("tags") is None:
        return None if call.switches.put_without_tags == "keep" else []
    return scripts.check_tags(metadata["tags"])


def with_handlers(config: Mapping[str, Any], handlers: Handlers) -> dict[str, Any]:
    return {**config, "handlers": handlers.default, "named_handlers": handlers.named, "has_default": handlers.has_default}


def bindings_after(call: Call, name: str, metadata: Mapping[str, Any]) -> list[Binding]:
    old = scripts.find(call.store, call.place, name)
    before = bindings.load(call.store, old.id) if old else {}
    return bindings.resolve(call.store, call.account, metadata.get("bindings") or [], before, rules_of(call, metadata))


def uploaded(call: Call, script: Script, startup_ms: int) -> Answer:
    """What an upload answers: the Worker without its bindings."""
    call.touched.append(script.key)
    version = f"{script.version:032x}"
    return Answer({**shown(script), "tags": tags_shown(call.store, script), "startup_time_ms": startup_ms, "entry_point": script.main,
                   "deployment_id": version, "pipeline_hash": script.etag, "mutable_pipeline_id": script.tag})


async def put_script(call: Call) -> Answer:
    """Create or replace a Worker, live at once."""
    name = scripts.check_name(call.params["script"])
    scripts.check_place(call.store, call.place)
    upload = await read(call)
    source, config, tags = upload.source(), check_config(upload.metadata), tags_after(call, upload.metadata)
    handlers = await call.runtime.validate(source, config, bindings_after(call, name, upload.metadata))
    # Validation let others write: what is kept, and what bindings point to, is settled only now.
    scripts.check_place(call.store, call.place)
    after = bindings_after(call, name, upload.metadata)
    return uploaded(call, scripts.write(call.store, call.place, name, Change(source, with_handlers(config, handlers), after, tags)),
                    handlers.startup_ms)


async def put_content(call: Call) -> Answer:
    """Replace the code and nothing else."""
    script, upload = call.script, await read(call)
    source = upload.source()
    handlers = await call.runtime.validate(source, script.config, list(bindings.load(call.store, script.id).values()))
    script = call.script
    return uploaded(call, scripts.write(call.store, call.place, script.name,
                                        Change(source, with_handlers(script.config, handlers))), handlers.startup_ms)
