# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listening sockets on loopback addresses."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path


def parse(address: str) -> tuple[str, int]:
    """Read HOST:PORT. Raise ValueError if it is malformed or not a loopback address."""
    host, _separator, port = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    host = "127.0.0.1" if host == "localhost" else host
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ValueError(f"{address}: the local edge listens on loopback addresses only. Use 127.0.0.1:PORT.")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{address}: use HOST:PORT, with port 0 for any free port")
    return host, int(port)


def listen(host: str, port: int) -> socket.socket:
    """Listen on a TCP port, with TCP_NODELAY on every accepted connection."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=1024)
    # Accepted connections inherit it. asyncio sets it only if the socket has a protocol number, and without it a
    # response of two writes waits 40 ms for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def listen_unix(path: Path) -> socket.socket:
    """Listen on a Unix socket. The permissions of its folder restrict access. A stale socket file is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(1024)
    return listener


def url(listener: socket.socket, scheme: str = "http") -> str:
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
