# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of the control plane: its two servers, the validators and an orderly shutdown.

Its sockets are inherited from the supervisor, so that no connection is refused during a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn

from local_edge.app import create_app
from local_edge.inspection import Logs
from local_edge.model import assets, d1, kv, objects, queues, r2_uploads
from local_edge.model.script_scope import ScriptScope
from local_edge.quota import RateLimiter
from local_edge.runtime import stack_traces
from local_edge.runtime.folder import Folder
from local_edge.runtime.internal import EdgeBackend
from local_edge.runtime.log import EXCEPTION, LogEntry
from local_edge.runtime.workerd import Workerd
from local_edge.settings import Settings
from local_edge.state import EdgeState
from local_edge.store import Store

# Seconds after which an idle connection is closed, as by Cloudflare. A client that waits as long and then sends may get
# an error, so a short time would break clients that pause between requests.
KEEP_ALIVE = 400


class Server(uvicorn.Server):
    """uvicorn without its signal handlers, since this process runs two servers and stops child processes itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server(application: Any) -> Server:
    return Server(
        uvicorn.Config(
            application,
            lifespan="off",
            log_level="warning",
            access_log=False,
            date_header=False,
            loop="asyncio",
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=5,
        )
    )


async def wait_for_signal() -> None:
    done, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, done.set)
    await done.wait()


async def collect_garbage(settings: Settings, store: Store, runtime: Workerd) -> None:
    """Delete unused data at the interval of the settings.

    This covers expired keys, messages and files, unused assets, aborted R2 writes, and storage of deleted classes.
    """
    while True:
        kv.collect_garbage(store)
        queues.collect_garbage(store)
        assets.collect_garbage(store)
        r2_uploads.collect_garbage(store)
        d1.collect_garbage(store)
        await objects.collect_garbage(store, runtime.call_admin)
        await asyncio.sleep(settings.sweep_seconds)


async def read_worker_logs(logs: Logs, store: Store) -> None:
    """Read the log lines of Workers from stdin, to which the supervisor writes them as JSON."""
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        entry = LogEntry(**json.loads(line))
        if entry.level == EXCEPTION:
            entry = replace(entry, text=stack_traces.mapped(store, *ScriptScope.of(entry.key), entry.text))
        logs.add(entry)


async def serve(settings: Settings, inherited: dict[str, Any]) -> None:
    """Run until SIGTERM. The API opens last, so that everything else is running when it answers."""
    stopped = asyncio.create_task(wait_for_signal())
    api, control = (socket.socket(fileno=inherited[name]) for name in ("api_fd", "control_fd"))
    store = Store(str(Path(str(settings.data)) / "edge.db"))
    runtime = Workerd(settings, Folder(Path(inherited["folder"])))
    state = EdgeState(
        settings, store, RateLimiter(settings.quota), runtime, addresses=inherited["addresses"], pid=os.getppid()
    )
    inner = server(EdgeBackend(settings, store, runtime.newest, runtime.requested))
    outer = server(create_app(state))
    running = [asyncio.create_task(inner.serve(sockets=[control]))]
    background = [
        asyncio.create_task(collect_garbage(settings, store, runtime)),
        asyncio.create_task(read_worker_logs(state.logs, store)),
    ]
    try:
        await runtime.start()
        running.append(asyncio.create_task(outer.serve(sockets=[api])))
        print("ready", flush=True)
        await asyncio.wait([stopped, *running], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in background:
            task.cancel()
        inner.should_exit = outer.should_exit = True
        await runtime.stop()
        await asyncio.gather(*running, *background, return_exceptions=True)
        store.close()
