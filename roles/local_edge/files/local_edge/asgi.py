# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Request bodies and responses of both HTTP servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from local_edge.blobs import Content
from local_edge.errors import ApiError

MAX_BODY = 100 * 1024 * 1024


async def read_body(request: Request) -> bytes:
    """Read a request body. Return more than MAX_BODY bytes if it is too large.

    A body above the limit is read to its end and dropped, since a client that is cut off never reads the error. Raise
    ClientDisconnect if the body is incomplete.
    """
    parts: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= MAX_BODY:
            parts.append(chunk)
    return b"".join(parts) if size <= MAX_BODY else b" " * (MAX_BODY + 1)


class JsonResponse(JSONResponse):
    """Compact JSON, which may contain lone surrogates that a client has sent."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass")


def error_response(error: ApiError) -> Response:
    """Wrap an error in Cloudflare's envelope."""
    body = {"success": False, "errors": [error.entry()], "messages": [], "result": None}
    return JsonResponse(body, error.status, error.headers)


def content_response(status: int, content: bytes | Content, headers: Mapping[str, str]) -> Response:
    """Send bytes at once, and the content of files in chunks until the client disconnects."""
    # Starlette encodes header values as Latin-1, the edge as UTF-8.
    headers = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    if isinstance(content, bytes):
        return Response(content, status, headers)
    return StreamingResponse(chunks(content), status, {**headers, "content-length": str(len(content))})


async def chunks(content: Content) -> AsyncIterator[bytes]:
    """Read content in chunks. Other requests run between two of them."""
    for chunk in content:
        yield chunk
        await asyncio.sleep(0)


class AbortedConnection(Response):
    """Close the connection without a response.

    ASGI has no event for this, so the transport comes from the object that uvicorn's `send` is bound to.
    """

    def __init__(self) -> None:
        super().__init__(status_code=0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if transport is None:
            raise ConnectionAbortedError
        transport.abort()
        await asyncio.sleep(0.001)
