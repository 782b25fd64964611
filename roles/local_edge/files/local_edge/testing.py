# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A control plane inside a test: no process, no workerd, no file.

with running(zones=["example.com"]) as edge:
    requests.get(f"{edge.api}/accounts", headers={"Authorization": f"Bearer {edge.token}"})
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import uvicorn

from local_edge import sockets
from local_edge.app import ControlPlane
from local_edge.inspection import Fault
from local_edge.settings import PREFIX, Behaviors, Quota, Settings, accounts_and_zones
from local_edge.store import Store

TOKEN = "local-edge-test-token-0123456789abcdefgh"


class Edge:
    """A running control plane, as a test sees it."""

    def __init__(self, plane: ControlPlane, loop: asyncio.AbstractEventLoop, port: int) -> None:
        self._plane, self._loop = plane, loop
        self.api = f"http://127.0.0.1:{port}{PREFIX}"
        self.token = plane.settings.token
        self.account = plane.settings.accounts[0].id
        self.zones = {zone.name: zone.id for zone in plane.settings.zones}
        self.behaviors = plane.settings.behaviors
        self.store = plane.store

    def requests(self) -> list[dict[str, Any]]:
        """Every request since the last `clear`, as `GET /_edge/requests` shows them."""
        shown: list[dict[str, Any]] = self._plane.request_log.as_dict()["requests"]
        return shown

    def writes(self) -> list[str]:
        """The writes among them, such as `PUT /accounts/.../scripts/a`."""
        return [f"{seen.method} {seen.path}" for seen in list(self._plane.request_log.requests) if seen.write]

    def clear(self) -> None:
        """Forget the requests."""
        self._plane.request_log.clear()

    def fault(self, **fault: Any) -> None:
        """Let a request fail; the keys of `POST /_edge/faults`."""
        self._plane.faults.waiting.append(Fault.read(fault))

    def clear_faults(self) -> None:
        """Let no request fail any more."""
        self._plane.faults.waiting.clear()

    def reset(self) -> None:
        """Forget every object, request and fault, refill the budget, and turn the behaviors back."""

        async def wipe() -> None:
            self._plane.store.reset()
            self._plane.faults.waiting.clear()
            self._plane.rate_limiter.reset()
            self._plane.request_log.clear()
            vars(self.behaviors).update(vars(Behaviors()))

        asyncio.run_coroutine_threadsafe(wipe(), self._loop).result()


class Server(uvicorn.Server):
    """uvicorn, which looks ten times a second whether it shall end: here it is told, since a test may start many."""

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
    """Settings from what a test names; whatever is a behavior is one."""
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
    """Serve the control plane on a free port in a thread. Settings and behaviors go by their names; without
    `rate_limit` (such as "1200/300") there is none."""
    told = build_settings(token, accounts, zones, settings)
    plane = ControlPlane(told, Store(f"{told.data}/edge.db" if told.data else None))
    listener = sockets.listen("127.0.0.1", 0)
    server = Server(uvicorn.Config(plane, lifespan="off", log_level="error", access_log=False, loop="asyncio"))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=[server.serve(sockets=[listener])], daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.002)
    try:
        yield Edge(plane, loop, listener.getsockname()[1])
    finally:
        server.end(loop)
        thread.join(10)
        plane.store.close()
        loop.close()
