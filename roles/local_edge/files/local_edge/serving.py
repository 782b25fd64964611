# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that `serve` is: both control plane servers, the runtime, and an orderly end."""
from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

from local_edge import sockets
from local_edge.app import PREFIX, ControlPlane
from local_edge.model import assets, kv
from local_edge.runtime.internal import Internal
from local_edge.runtime.workerd import Workerd
from local_edge.settings import Settings
from local_edge.store import Store

SWEEP_SECONDS = 60


class Server(uvicorn.Server):
    """uvicorn, which leaves the signals to us: there are two of it, and children to end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server(application: Any) -> Server:
    return Server(uvicorn.Config(application, lifespan="off", log_level="warning", access_log=False, loop="asyncio",
                                 timeout_graceful_shutdown=5))


async def until_signalled() -> None:
    done, loop = asyncio.Event(), asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, done.set)
    await done.wait()


async def sweep(store: Store) -> None:
    """Give back the room of expired keys and of assets that nothing serves."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        kv.sweep(store)
        assets.sweep(store)


def announcement(settings: Settings, addresses: dict[str, str]) -> str:
    """The line that says the edge is ready."""
    return json.dumps({**addresses, "pid": os.getpid(), "accounts": [{"id": one.id, "name": one.name} for one in settings.accounts],
                       "zones": [{"id": one.id, "name": one.name} for one in settings.zones]})


async def serve(settings: Settings, api: socket.socket, http: socket.socket) -> None:
    """Run until told to stop. The API opens last: whoever gets an answer there finds everything running."""
    stopped = asyncio.create_task(until_signalled())
    addresses = {"api": sockets.url(api) + PREFIX, "http": sockets.url(http)}
    store = Store(str(Path(settings.data) / "edge.db") if settings.data else None)
    runtime = Workerd(settings, http, addresses["api"])
    plane = ControlPlane(settings, store, runtime)
    plane.addresses = addresses
    inner, outer = server(Internal(settings, store, runtime.newest, runtime.asked)), server(plane)
    running = [asyncio.create_task(inner.serve(sockets=[sockets.listen_unix(runtime.control)])), asyncio.create_task(sweep(store))]
    try:
        await runtime.start()
        running.append(asyncio.create_task(outer.serve(sockets=[api])))
        print(announcement(settings, addresses), flush=True)
        await asyncio.wait([stopped, *running], return_when=asyncio.FIRST_COMPLETED)
    finally:
        running[1].cancel()
        inner.should_exit = outer.should_exit = True
        await runtime.stop()
        await asyncio.gather(*running, return_exceptions=True)
        store.close()
