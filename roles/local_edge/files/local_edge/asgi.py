# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Request and response bodies for both HTTP servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping
from typing import Any

from local_edge.blobs import Content

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class ClientDisconnected(Exception):
    """The client disconnected before the end of its request."""


async def chunks(receive: Receive) -> AsyncIterator[bytes]:
    """Yield the body of a request in chunks. Raise ClientDisconnected if it is incomplete."""
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
    """Send a response. Stop reading its content once the client disconnects."""
    headers = {**headers, "content-length": str(len(content))}
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )
    if isinstance(content, bytes):
        await send({"type": "http.response.body", "body": content})
        return
    # `send` does not fail after a disconnect; the only event left to receive is the disconnect itself.
    disconnected = asyncio.ensure_future(receive())
    try:
        await stream(send, iter(content), disconnected)
    finally:
        disconnected.cancel()


async def stream(send: Send, parts: Iterator[bytes], disconnected: asyncio.Future[Any]) -> None:
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
        await asyncio.sleep(0)
        if disconnected.done():
            return
    await send({"type": "http.response.body", "body": b""})
