# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime as the control plane has it: validators of its own, and the edge, which another process keeps."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from local_edge.errors import ApiError, invalid
from local_edge.model.bindings import Binding
from local_edge.model.place import Place
from local_edge.model.scripts import Source
from local_edge.runtime import uds_http
from local_edge.runtime.base import Handlers, Refused
from local_edge.runtime.binary import Unusable, did_not_start, find_binary, newest_date, well
from local_edge.runtime.child import Stillborn
from local_edge.runtime.definition import STARTING, check, definition
from local_edge.runtime.folder import Folder
from local_edge.runtime.validator import Validator
from local_edge.settings import Settings

#: A validation takes one core for some milliseconds: a second validator gives a second core its share.
VALIDATORS = 2
FORGET_WITHIN, ACT_WITHIN = 10.0, 60.0
REMEMBERED = 10_000
PREFIX = "Failed to start Worker:\n"
EVERYTHING = "*"


class Unreachable(Exception):
    """The edge did not answer in time."""


class Workerd:
    """Validators, and a socket to the edge."""

    def __init__(self, settings: Settings, folder: Folder) -> None:
        self.binary = find_binary(settings.workerd)
        self.newest = newest_date(self.binary)
        self.admin = folder.admin
        self.validators = [
            Validator(self.binary, folder.config("validator"), folder.path / f"validator{number}.sock")
            for number in range(min(VALIDATORS, os.cpu_count() or 1))
        ]
        self.idle: asyncio.Queue[Validator] = asyncio.Queue()
        self.validated: OrderedDict[str, Handlers] = OrderedDict()
        #: What the edge has ever asked for: keys of Workers, and KV namespaces as `kv:` with their id.
        self.asked: set[str] = set()

    async def start(self) -> None:
        """Start the validators, and return when all answer and the edge has forgotten what it knew: of an earlier one of us, perhaps."""
        try:
            await asyncio.gather(*(one.child.start(well(one.socket)) for one in self.validators))
            await self.make_forget([EVERYTHING])
        except (Stillborn, Unreachable):
            raise Unusable(did_not_start(self.binary)) from None
        for one in self.validators:
            self.idle.put_nowait(one)

    async def stop(self) -> None:
        await asyncio.gather(*(one.child.stop() for one in self.validators))

    async def tell(self, path: str, body: Any, within: float) -> Any:
        """Have the edge do something; its answer."""
        try:
            status, answer = await asyncio.wait_for(
                uds_http.request(self.admin, "POST", path, json.dumps(body).encode()), within
            )
        except (OSError, EOFError, asyncio.TimeoutError):
            raise Unreachable from None
        told = json.loads(answer)
        if status != 200:
            raise Refused(str(told["error"]))
        return told

    async def make_forget(self, keys: Sequence[str]) -> None:
        """Have the edge forget. While it restarts we wait; if it hangs, it will be killed."""
        until = time.monotonic() + FORGET_WITHIN
        while time.monotonic() < until:
            with contextlib.suppress(Unreachable):
                await self.tell("/forget", keys, until - time.monotonic())
                return
            await asyncio.sleep(0.05)
        raise Unreachable

    async def forget(self, keys: Sequence[str]) -> None:
        """Tell the edge, unless it never asked for any of these. If it dies instead of answering, it has forgotten everything."""
        keys = [key for key in keys if key in self.asked or key.endswith("/") or key == "routes"]
        if keys:
            try:
                await self.make_forget(keys)
            except Unreachable:
                raise ApiError(
                    500, 10002, "The write is stored, but the edge did not take notice of it in time"
                ) from None

    async def act(self, path: str, body: Any) -> Any:
        """Have the edge do something for a client of ours."""
        try:
            return await self.tell(path, body, ACT_WITHIN)
        except Unreachable:
            raise ApiError(
                500, 10002, "The edge did not answer: whether it did what it was asked is not known"
            ) from None

    async def validate(self, source: Source, config: Mapping[str, Any], bindings: Sequence[Binding]) -> Handlers:
        """Compile and start the Worker in a validator, once for each combination of code, settings and names."""
        check(source, bindings)
        shape = [
            source.etag,
            config.get("compatibility_date"),
            config.get("compatibility_flags"),
            sorted(
                [one.name, one.type, *([dict(one.spec), one.value] if one.type in STARTING else [])] for one in bindings
            ),
        ]
        key = hashlib.sha256(json.dumps(shape).encode()).hexdigest()
        known = self.validated.get(key)
        if known is None:
            body = json.dumps(definition(source, config, bindings, self.newest, Place(""))).encode()
            validator = await self.idle.get()
            try:
                known = read_verdict(await validator.ask(body))
            finally:
                self.idle.put_nowait(validator)
            self.validated[key] = known
            if len(self.validated) > REMEMBERED:
                self.validated.popitem(last=False)
        return known


def read_verdict(verdict: Mapping[str, Any]) -> Handlers:
    """What the validator said, as an answer or as the refusal Cloudflare has for it."""
    if "error" in verdict:
        raise invalid(str(verdict["error"]).removeprefix(PREFIX).strip())
    if not verdict["handlers"] and not verdict["named"]:
        raise ApiError(400, 10068, "The uploaded script has no registered event handlers.")
    return Handlers(
        list(verdict["handlers"]), list(verdict["named"]), int(verdict["startup_ms"]), bool(verdict["has_default"])
    )
