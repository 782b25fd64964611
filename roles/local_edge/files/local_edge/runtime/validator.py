# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A validator: a workerd that starts uploaded code, one upload at a time, and may crash without harm to the edge."""

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
from local_edge.runtime.process import cpu_seconds, log
from local_edge.sockets import listen_unix

#: Limits for top-level code, in CPU seconds and in seconds of wall time.
STARTUP_CPU_SECONDS, STARTUP_WALL_SECONDS = 1.0, 10.0


class Validator:
    """A validator process and its socket."""

    def __init__(self, program: str, config: Path, socket: Path) -> None:
        self.socket = socket
        self.listener = listen_unix(socket)
        self.process = binary.workerd_process(
            "validator", program, config, {"http": self.listener}, partial(log, "validator")
        )

    async def validate(self, body: bytes) -> Mapping[str, Any]:
        """Validate one upload and return the verdict.

        If top-level code exceeds its CPU time, the validator is killed and the verdict is an error.
        """
        for _attempt in range(2):
            task = asyncio.ensure_future(uds_http.request(self.socket, "POST", "/", body))
            used = cpu_seconds(self.process.pid) or 0.0
            if not await self.within_cpu_time(task, used):
                self.process.kill()
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                return {"error": "Script startup exceeded CPU time limit."}
            with contextlib.suppress(OSError, EOFError):
                verdict: Mapping[str, Any] = json.loads((await task)[1])
                return verdict
        return {"error": "The Worker ended the runtime while it started."}

    async def within_cpu_time(self, task: asyncio.Future[Any], used: float) -> bool:
        """Wait for the task. Return False if the validator exceeds its time limits before it is done."""
        pid, began = self.process.pid, time.monotonic()
        while not (await asyncio.wait({task}, timeout=0.2))[0]:
            elapsed, spent = time.monotonic() - began, cpu_seconds(pid)
            if elapsed > STARTUP_WALL_SECONDS or (elapsed if spent is None else spent - used) > STARTUP_CPU_SECONDS:
                return False
        return True
