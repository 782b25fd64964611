# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A validator: a workerd that starts uploaded code aside, one upload at a time, and may die of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from local_edge.runtime import binary, uds_http
from local_edge.runtime.child import cpu_seconds, say
from local_edge.sockets import listen_unix

#: Seconds that top-level code may take, of the processor and of the clock.
STARTUP_LIMIT, STARTUP_WALL = 1.0, 10.0


class Validator:
    """One of them, with the socket on which it is asked."""

    def __init__(self, program: str, config: Path, socket: Path) -> None:
        self.socket = socket
        self.listener = listen_unix(socket)
        self.child = binary.child("validator", program, config, {"http": self.listener}, partial(say, "validator"))

    async def ask(self, body: bytes) -> Mapping[str, Any]:
        """The verdict; top-level code that uses up its time ends the validator, and that is the verdict."""
        for _attempt in range(2):
            task = asyncio.ensure_future(uds_http.request(self.socket, "POST", "/", body))
            used = cpu_seconds(self.child.pid) or 0.0
            if not await self.in_time(task, used):
                self.child.kill()
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                return {"error": "Script startup exceeded CPU time limit."}
            with contextlib.suppress(OSError, EOFError):
                verdict: Mapping[str, Any] = json.loads((await task)[1])
                return verdict
        return {"error": "The Worker ended the runtime while it started."}

    async def in_time(self, task: asyncio.Future[Any], used: float) -> bool:
        """Wait for the task until the validator has spent its processor time on it."""
        pid, began = self.child.pid, time.monotonic()
        while not (await asyncio.wait({task}, timeout=0.2))[0]:
            elapsed, spent = time.monotonic() - began, cpu_seconds(pid)
            if elapsed > STARTUP_WALL or (elapsed if spent is None else spent - used) > STARTUP_LIMIT:
                return False
        return True
