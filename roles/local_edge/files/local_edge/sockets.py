# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listening sockets, on loopback and nowhere else."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path


def parse(address: str) -> tuple[str, int]:
    """Read HOST:PORT; ValueError says what is wrong with it."""
    host, _separator, port = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    host = "127.0.0.1" if host == "localhost" else host
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ValueError(f"{address}: the local edge listens on loopback addresses only; write 127.0.0.1:PORT")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{address}: write HOST:PORT, with port 0 for any free one")
    return host, int(port)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket whose connections answer at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=1024)
    # Inherited by every accepted connection. asyncio sets it only where the protocol number is given, and an answer
    # of two writes then waits 40 ms for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def listen_unix(path: Path) -> socket.socket:
    """A listening socket that only those can reach who may enter its folder; it takes the place of what a process left that was killed."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(1024)
    return listener


def url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
