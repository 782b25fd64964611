# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control plane's runtime: its own validators, and the edge, which the supervisor process runs."""

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
from local_edge.invalidation import Invalidation, Target
from local_edge.model.bindings import Binding
from local_edge.model.script_scope import ScriptScope
from local_edge.model.scripts import Source
from local_edge.runtime import uds_http
from local_edge.runtime.base import EdgeError, Exports
from local_edge.runtime.binary import WorkerdUnavailable, find_binary, newest_date, start_failure, wait_healthy
from local_edge.runtime.definition import STARTUP_BINDINGS, check, definition
from local_edge.runtime.folder import Folder
from local_edge.runtime.process import StartFailed
from local_edge.runtime.validator import Validator
from local_edge.settings import Settings

#: A validation keeps one core busy for some milliseconds: a second validator uses a second core.
VALIDATORS = 2
INVALIDATE_TIMEOUT, ADMIN_TIMEOUT = 10.0, 60.0
VALIDATION_CACHE_SIZE = 10_000
PREFIX = "Failed to start Worker:\n"
#: Targets that the edge may cache without a request for the same key.
ALWAYS_CACHED = (Target.SCOPE, Target.ROUTES)


class AdminTimeout(Exception):
    """The edge did not answer in time."""


class Workerd:
    """The validators and a client of the edge's admin socket."""

    def __init__(self, settings: Settings, folder: Folder) -> None:
        self.binary = find_binary(settings.workerd)
        self.newest = newest_date(self.binary)
        self.admin = folder.admin
        self.validators = [
            Validator(self.binary, folder.config("validator"), folder.path / f"validator{number}.sock")
            for number in range(min(VALIDATORS, os.cpu_count() or 1))
        ]
        self.idle: asyncio.Queue[Validator] = asyncio.Queue()
        self.validated: OrderedDict[str, Exports] = OrderedDict()
        #: Workers and KV namespaces that the edge has requested and may cache, as their invalidations.
        self.requested: set[Invalidation] = set()

    async def start(self) -> None:
        """Start the validators and invalidate the edge's caches, which may stem from an earlier control plane."""
        try:
            await asyncio.gather(*(each.process.start(wait_healthy(each.socket)) for each in self.validators))
            await self._invalidate([Invalidation.everything()])
        except (StartFailed, AdminTimeout):
            raise WorkerdUnavailable(start_failure(self.binary)) from None
        for each in self.validators:
            self.idle.put_nowait(each)

    async def stop(self) -> None:
        await asyncio.gather(*(each.process.stop() for each in self.validators))

    async def _post_admin(self, path: str, body: Any, timeout: float) -> Any:
        """Call an action of the edge and return its result."""
        try:
            status, answer = await asyncio.wait_for(
                uds_http.request(self.admin, "POST", path, json.dumps(body).encode()), timeout
            )
        except (OSError, EOFError, asyncio.TimeoutError):
            raise AdminTimeout from None
        result = json.loads(answer)
        if status != 200:
            raise EdgeError(str(result["error"]))
        return result

    async def _invalidate(self, invalidations: Sequence[Invalidation]) -> None:
        """Invalidate caches of the edge, with retries while it restarts. A hanging edge is killed by its supervisor."""
        body, deadline = [one.to_wire() for one in invalidations], time.monotonic() + INVALIDATE_TIMEOUT
        while time.monotonic() < deadline:
            with contextlib.suppress(AdminTimeout):
                await self._post_admin("/invalidate", body, deadline - time.monotonic())
                return
            await asyncio.sleep(0.05)
        raise AdminTimeout

    async def invalidate(self, invalidations: Sequence[Invalidation]) -> None:
        """Invalidate the state that the edge may cache. An edge that crashes meanwhile has lost its caches anyway."""
        needed = [one for one in invalidations if one in self.requested or one.target in ALWAYS_CACHED]
        if needed:
            try:
                await self._invalidate(needed)
            except AdminTimeout:
                raise ApiError(500, 10002, "The write was stored, but the edge did not confirm it in time") from None

    async def call_admin(self, path: str, body: Any) -> Any:
        """Call an action of the edge for an API client."""
        try:
            return await self._post_admin(path, body, ADMIN_TIMEOUT)
        except AdminTimeout:
            raise ApiError(500, 10002, "The edge did not answer. The result of the request is unknown.") from None

    async def validate(self, source: Source, config: Mapping[str, Any], bindings: Sequence[Binding]) -> Exports:
        """Compile and start the Worker in a validator. Results are cached by code, settings and names of bindings."""
        check(source, bindings)
        shape = [
            source.etag,
            config.get("compatibility_date"),
            config.get("compatibility_flags"),
            config.get("default_cache"),
            sorted(
                [each.name, each.type, *([dict(each.spec), each.value] if each.type in STARTUP_BINDINGS else [])]
                for each in bindings
            ),
        ]
        key = hashlib.sha256(json.dumps(shape).encode()).hexdigest()
        exports = self.validated.get(key)
        if exports is None:
            body = json.dumps(definition(source, config, bindings, self.newest, ScriptScope(""))).encode()
            validator = await self.idle.get()
            try:
                exports = read_verdict(await validator.validate(body))
            finally:
                self.idle.put_nowait(validator)
            self.validated[key] = exports
            if len(self.validated) > VALIDATION_CACHE_SIZE:
                self.validated.popitem(last=False)
        return exports


def read_verdict(verdict: Mapping[str, Any]) -> Exports:
    """Return the exports in a verdict. Raise Cloudflare's error if the verdict is one."""
    if "error" in verdict:
        raise invalid(str(verdict["error"]).removeprefix(PREFIX).strip())
    if not verdict["handlers"] and not verdict["named"]:
        raise ApiError(400, 10068, "The uploaded script has no registered event handlers.")
    return Exports(
        list(verdict["handlers"]), list(verdict["named"]), int(verdict["startup_ms"]), bool(verdict["has_default"])
    )
