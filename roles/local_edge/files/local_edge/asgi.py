# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both servers do alike: requests in, as they come; answers out, in one piece or as they are read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping
from typing import Any

from local_edge.blobs import Content

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class ClientDisconnected(Exception):
    """The client went before the end of its request: what came until then is not what it meant."""


async def chunks(receive: Receive) -> AsyncIterator[bytes]:
    """The body of a request."""
    more = True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ClientDisconnected
        more = event.get("more_body", False)
        yield event.get("body", b"")


async def respond(
    receive: Receive, send: Send, status: int, headers: Mapping[str, str], content: bytes | Content
) -> None:
    """Send an answer, for as long as there is somebody to take it."""
    told = {**headers, "content-length": str(len(content))}
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode(), value.encode()) for name, value in told.items()],
        }
    )
    if isinstance(content, bytes):
        await send({"type": "http.response.body", "body": content})
        return
    # Nobody tells `send` that the client has gone; all that is left to receive is this.
    gone = asyncio.ensure_future(receive())
    try:
        await stream(send, iter(content), gone)
    finally:
        gone.cancel()


async def stream(send: Send, parts: Iterator[bytes], gone: asyncio.Future[Any]) -> None:
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
        await asyncio.sleep(0)
        if gone.done():
            return
    await send({"type": "http.response.body", "body": b""})
