# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Further addresses of a control plane: one per client, with hooks at chosen requests.

A hook belongs to the number of a request and not to a time, so its effect is the same on a slow machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import typing as t

import uvicorn
from local_edge import sockets
from local_edge.app import create_app
from local_edge.settings import PREFIX
from local_edge.testing import Edge, Server

Message = t.MutableMapping[str, t.Any]
Receive = t.Callable[[], t.Awaitable[Message]]
Send = t.Callable[[Message], t.Awaitable[None]]
Hook = t.Callable[[], t.Awaitable[None]]

WHEN = ("before", "done", "half", "after")
"""The moments of a request: received and not carried out, carried out, half of the response sent, all of it sent."""


class Entrance:
    """One address of an edge. ``requests`` lists method and path of what arrived there, in order."""

    def __init__(self, edge: Edge) -> None:
        self.edge, self._app = edge, create_app(edge.state)
        self.requests: list[str] = []
        self._hooks: dict[tuple[int, str], Hook] = {}
        self._held: asyncio.Event | None = None
        self._server = Server(uvicorn.Config(self, lifespan="off", log_level="error", access_log=False))
        self._started = threading.Event()
        self.api = ""

    def at(self, number: int, when: str, hook: Hook) -> None:
        """Call a hook in the event loop at a moment of a request, and hold all later requests until it has ended.

        The first request has the number 0.
        """
        assert when in WHEN

        async def hold() -> None:
            self._held = asyncio.Event()
            try:
                await hook()
            finally:
                self._held.set()
                self._held = None

        self._hooks[number, when] = hold

    def clear(self) -> None:
        self.requests.clear()
        self._hooks.clear()

    async def __call__(self, scope: t.Any, receive: Receive, send: Send) -> None:
        if self._held:
            await self._held.wait()
        number = len(self.requests)
        self.requests.append(f"{scope['method']} {scope['path'].removeprefix(PREFIX)}")
        await self._call(number, "before")

        async def send_part(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._call(number, "done")
            elif (number, "half") in self._hooks:
                body = message["body"]
                await send({**message, "body": body[: len(body) // 2], "more_body": True})
                await self._call(number, "half")
                message = {**message, "body": body[len(body) // 2 :]}
            await send(message)

        await self._app(scope, receive, send_part)
        await self._call(number, "after")

    async def _call(self, number: int, when: str) -> None:
        if hook := self._hooks.get((number, when)):
            await hook()

    def settle(self) -> None:
        """Wait until all that clients have sent is handled. No client may be running."""

        async def wait() -> None:
            while self._server.server_state.connections or self._server.server_state.tasks:
                await asyncio.sleep(0.005)

        asyncio.run_coroutine_threadsafe(wait(), self.edge._loop).result(60)

    async def serve(self, listener: socket.socket) -> None:
        """Serve until the context ends, without uvicorn's handlers of signals, which belong to the main thread."""
        server, config = self._server, self._server.config
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        self._started.set()
        await server.main_loop()
        await server.shutdown(sockets=[listener])

    @contextlib.contextmanager
    def opened(self) -> t.Iterator[Entrance]:
        listener, loop = sockets.listen("127.0.0.1", 0), self.edge._loop
        self.api = sockets.url(listener) + PREFIX
        serving = asyncio.run_coroutine_threadsafe(self.serve(listener), loop)
        assert self._started.wait(60)
        try:
            yield self
        finally:
            self._server.end(loop)
            serving.result(60)
