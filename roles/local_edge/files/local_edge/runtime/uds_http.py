# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP client for Unix sockets, to call the workerd processes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import h11

#: Bytes that are read at a time.
CHUNK = 64 * 1024


async def request(socket: Path, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """Send one request on a new connection. Return the status and the body.

    Raise OSError or EOFError if the server is not reachable or closes the connection.
    """
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        connection = h11.Connection(h11.CLIENT)
        headers = [("host", "edge"), ("connection", "close"), ("content-length", str(len(body)))]
        for event in (h11.Request(method=method, target=path, headers=headers), h11.Data(body), h11.EndOfMessage()):
            writer.write(connection.send(event) or b"")
        return await read_response(connection, reader)
    except h11.RemoteProtocolError as error:
        raise EOFError(str(error)) from None
    finally:
        writer.close()


async def read_response(connection: h11.Connection, reader: asyncio.StreamReader) -> tuple[int, bytes]:
    status, parts = 0, []
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(CHUNK))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            parts.append(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            return status, b"".join(parts)
