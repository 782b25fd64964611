# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A WebSocket client that sends and receives single frames."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit

from edge_process import Edge

#: A Worker that echoes each message.
ECHOING = """export default { fetch() {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  server.addEventListener("message", ({ data }) => server.send(`echo ${data}`));
  return new Response(null, { status: 101, webSocket: client });
} };"""


class WebSocket:
    """A WebSocket connection to a host of the edge, with TLS if a context is given."""

    def __init__(self, edge: Edge, host: str, path: str = "/", tls: ssl.SSLContext | None = None) -> None:
        url = urlsplit(edge.ready["https"] if tls else edge.http)
        self.socket = socket.create_connection((url.hostname, url.port), timeout=10)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=host)
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        self.stream = self.socket.makefile("rb")
        assert b"101" in self.stream.readline()
        while self.stream.readline() != b"\r\n":
            pass

    def send_hi(self) -> bytes:
        """Send "hi" and return the next frame. Return b"" if the connection is closed."""
        try:
            self.socket.sendall(b"\x81\x82\0\0\0\0hi")
            head = self.stream.read(2)
            return head + self.stream.read(head[1]) if len(head) == 2 else head
        except ConnectionError:
            return b""
