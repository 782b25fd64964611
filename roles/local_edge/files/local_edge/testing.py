# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A control plane in a thread of a test, without workerd, and without files by default.

with running(zones=["example.com"]) as edge:
    requests.get(f"{edge.api}/accounts", headers={"Authorization": f"Bearer {edge.token}"})
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import uvicorn

from local_edge import sockets
from local_edge.app import create_app
from local_edge.inspection import Fault
from local_edge.quota import RateLimiter
from local_edge.settings import PREFIX, Behaviors, Quota, Settings, accounts_and_zones
from local_edge.state import EdgeState
from local_edge.store import Store

TOKEN = "local-edge-test-token-0123456789abcdefgh"


class Edge:
    """A running control plane."""

    def __init__(self, state: EdgeState, loop: asyncio.AbstractEventLoop, port: int) -> None:
        self.state, self._loop = state, loop
        self.api = f"http://127.0.0.1:{port}{PREFIX}"
        self.token = state.settings.token
        self.account = state.settings.accounts[0].id
        self.zones = {zone.name: zone.id for zone in state.settings.zones}
        self.behaviors, self.access = state.settings.behaviors, state.settings.access
        self.store, self.clock = state.store, state.store.clock

    def requests(self) -> list[dict[str, Any]]:
        """Return all requests since the last `clear`, in the format of `GET /_edge/requests`."""
        requests: list[dict[str, Any]] = self.state.request_log.as_dict()["requests"]
        return requests

    def writes(self) -> list[str]:
        """Return the writes since the last `clear`, such as `PUT /accounts/.../scripts/a`."""
        return [f"{one.method} {one.path}" for one in list(self.state.request_log.requests) if one.write]

    def clear(self) -> None:
        """Clear the request log."""
        self.state.request_log.clear()

    def fault(self, **fault: Any) -> None:
        """Inject a fault, given by the keys of `POST /_edge/faults`."""
        self.state.faults.waiting.append(Fault.read(fault))

    def clear_faults(self) -> None:
        """Remove all injected faults."""
        self.state.faults.waiting.clear()

    def snapshot(self) -> sqlite3.Connection:
        """Copy all objects, for `restore`."""
        copy = sqlite3.connect(":memory:", check_same_thread=False)
        self.store.db.backup(copy)
        return copy

    def restore(self, snapshot: sqlite3.Connection) -> None:
        """Replace all objects by those of a snapshot. Clear requests and faults."""
        snapshot.backup(self.store.db)
        self.clear()
        self.clear_faults()

    def reset(self) -> None:
        """Delete all objects, requests and faults, and reset clock, access, rate limit and behaviors."""

        async def wipe() -> None:
            self.state.store.reset()
            self.state.store.clock.offset = 0
            self.state.settings.access.set_missing(())
            self.state.faults.waiting.clear()
            self.state.rate_limiter.reset()
            self.state.request_log.clear()
            vars(self.behaviors).update(vars(Behaviors()))

        asyncio.run_coroutine_threadsafe(wipe(), self._loop).result()


class Server(uvicorn.Server):
    """uvicorn that stops on an event instead of polling ten times a second, since a test may start many servers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ended = asyncio.Event()

    def end(self, loop: asyncio.AbstractEventLoop) -> None:
        self.should_exit = self.force_exit = True
        loop.call_soon_threadsafe(self.ended.set)

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.ended.wait(), 1)


def build_settings(token: str, accounts: Sequence[str], zones: Sequence[str], settings: dict[str, Any]) -> Settings:
    """Build settings. Names of behaviors in `settings` set those, and `rate_limit` sets the quota."""
    behaviors = Behaviors()
    for name in [name for name in settings if hasattr(behaviors, name)]:
        behaviors.set(name, settings.pop(name))
    if "rate_limit" in settings:
        settings["quota"] = Quota.parse(settings.pop("rate_limit"))
    known, owned = accounts_and_zones(list(accounts), list(zones))
    return Settings(token=token, accounts=known, zones=owned, **{"behaviors": behaviors, "quota": Quota(0), **settings})


@contextlib.contextmanager
def running(
    token: str = TOKEN, accounts: Sequence[str] = (), zones: Sequence[str] = (), **settings: Any
) -> Iterator[Edge]:
    """Serve the control plane on a free port in a thread.

    `settings` are settings and behaviors by name. Without `rate_limit`, such as "1200/300", requests are not limited.
    """
    built = build_settings(token, accounts, zones, settings)
    store = Store(f"{built.data}/edge.db" if built.data else None)
    state = EdgeState(built, store, RateLimiter(built.quota))
    listener = sockets.listen("127.0.0.1", 0)
    server = Server(
        uvicorn.Config(
            create_app(state), lifespan="off", log_level="error", access_log=False, date_header=False, loop="asyncio"
        )
    )
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=[server.serve(sockets=[listener])], daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.002)
    try:
        yield Edge(state, loop, listener.getsockname()[1])
    finally:
        server.end(loop)
        thread.join(10)
        store.close()
        loop.close()
