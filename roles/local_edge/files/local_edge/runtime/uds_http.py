# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A minimal HTTP client for Unix sockets, to call the workerd processes."""

from __future__ import annotations

import asyncio
from pathlib import Path


async def request(socket: Path, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """Send one request on a new connection. Return the status and the body.

    Raise OSError or EOFError if the server is not reachable or closes the connection.
    """
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        head = f"{method} {path} HTTP/1.1\r\nhost: edge\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        status = int((await reader.readuntil(b"\r\n")).split()[1])
        headers = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        if "transfer-encoding: chunked" in headers:
            return status, await chunks(reader)
        length = next(
            (line.split(":", 1)[1] for line in headers.splitlines() if line.startswith("content-length:")), "0"
        )
        return status, await reader.readexactly(int(length))
    finally:
        writer.close()


async def chunks(reader: asyncio.StreamReader) -> bytes:
    """Read a chunked body."""
    parts = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        parts.append((await reader.readexactly(size + 2))[:-2])
    return b"".join(parts)
