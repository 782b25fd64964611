# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A proxy between the modules and the local edge that disturbs chosen requests, on real connections."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import http.client
import http.server
import re
import socket
import socketserver
import sqlite3
import struct
import threading
import typing as t
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from local_edge.settings import PREFIX
from local_edge.testing import Edge

ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "date", "server")
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends a reset


class Ending(enum.Enum):
    """The state of the connection after a response."""

    KEPT = "kept"
    CLOSED = "closed"
    RESET = "reset"
    STALLED = "stalled"


class Delivery(enum.Enum):
    """When and how often the server receives a disturbed request."""

    NEVER = "not delivered"
    ONCE = "delivered"
    TWICE = "delivered twice"
    LATE = "delivered after the run"
    UNDONE = "acknowledged, not stored"


@dataclass(frozen=True)
class Request:
    """A request as the proxy received it. ``path`` has no prefix and no query."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def key(self) -> str:
        """Method and path without random ids."""
        return f"{self.method} {ID.sub('*', self.path)}"


@dataclass(frozen=True)
class Reply:
    """An HTTP response. ``encode()`` adds its length."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    reason: str = ""

    def head(self, *headers: tuple[str, str]) -> bytes:
        reason = self.reason or http.client.responses.get(self.status, "Unknown")
        lines = [f"HTTP/1.1 {self.status} {reason}"]
        typed = [("Content-Type", self.content_type)] if self.content_type else []
        lines += [f"{name}: {value}" for name, value in (*typed, *self.headers, *headers)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def encode(self) -> bytes:
        return self.head(("Content-Length", str(len(self.body)))) + self.body


@dataclass(frozen=True)
class Wire:
    """The bytes that the client receives, and the end of the connection."""

    data: bytes
    ending: Ending = Ending.KEPT


@dataclass(frozen=True)
class Fault:
    """A disturbance of a request. ``respond`` converts the response of the server, or an empty one without delivery.

    ``stale_reads`` is the number of later reads that return the state before the run.
    """

    kind: str
    name: str
    respond: t.Callable[[Reply], Wire] = lambda reply: Wire(reply.encode())
    delivery: Delivery = Delivery.NEVER
    stale_reads: int = 0

    def __str__(self) -> str:
        return f"{self.name}, {self.delivery.value}" if self.delivery in (Delivery.NEVER, Delivery.ONCE) else self.name


@dataclass
class Disturbance:
    """A fault of the requests with this key, from one occurrence on, so many times."""

    fault: Fault
    key: str
    occurrence: int = 1
    times: int = 1
    seen: int = field(default=0, init=False)

    def applies_to(self, request: Request) -> bool:
        if request.key != self.key:
            return False
        self.seen += 1
        return self.occurrence <= self.seen < self.occurrence + self.times


class FaultProxy(socketserver.ThreadingTCPServer):
    """Forwards requests to an edge. ``replica`` is a second edge, which serves stale reads."""

    allow_reuse_address = daemon_threads = True
    request_queue_size = 64

    def __init__(self, edge: Edge, replica: Edge) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.edge, self.replica = edge, replica
        self.api = f"http://127.0.0.1:{self.server_address[1]}{PREFIX}"
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.disturb(None)

    def disturb(self, disturbance: Disturbance | None) -> None:
        """Disturb the requests from now on, and clear the counts."""
        with self.lock:
            self.disturbance, self.stale_reads = disturbance, 0
            self.late: list[Request] = []
            self.disturbed = 0
            self.keys: Counter[str] = Counter()

    def deliver_late(self) -> None:
        """Deliver the requests that were held back."""
        for request in self.late:
            forward(self.edge, request)
        self.late.clear()

    def answer(self, request: Request) -> Wire:
        with self.lock:
            self.keys[request.key] += 1
            disturbed = self.disturbance and self.disturbance.applies_to(request)
            fault = self.disturbance.fault if self.disturbance and disturbed else None
            is_stale = fault is None and self.stale_reads > 0 and request.method == "GET"
            self.stale_reads -= is_stale
            self.disturbed += fault is not None
        if fault is None:
            return Wire(forward(self.replica if is_stale else self.edge, request).encode())
        reply = self.deliver(fault, request)
        with self.lock:
            self.stale_reads += fault.stale_reads
        return fault.respond(reply)

    def deliver(self, fault: Fault, request: Request) -> Reply:
        if fault.delivery is Delivery.NEVER:
            return Reply()
        if fault.delivery is Delivery.LATE:
            self.late.append(request)
            return Reply()
        before = take_snapshot(self.edge) if fault.delivery is Delivery.UNDONE else None
        reply = forward(self.edge, request)
        if fault.delivery is Delivery.TWICE:
            reply = forward(self.edge, request)
        if before:
            restore_snapshot(self.edge, before)
        return reply


class Connection(http.server.BaseHTTPRequestHandler):
    """A connection of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FaultProxy

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            super().handle()

    def exchange(self) -> None:
        if self.headers.get("Transfer-Encoding"):
            raise NotImplementedError("requests with chunks")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        headers = tuple((name, value) for name, value in self.headers.items() if name.lower() != "host")
        request = Request(self.command, url.path.removeprefix(PREFIX), url.query, headers, body)
        wire = self.server.answer(request)
        self.wfile.write(wire.data)
        self.close_connection = wire.ending is not Ending.KEPT
        if wire.ending is Ending.STALLED:
            self.wait_for_client()
        if wire.ending is Ending.RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            socket.close(self.connection.detach())  # shutdown() would end the connection properly

    def wait_for_client(self) -> None:
        """Wait until the client closes the connection."""
        self.connection.settimeout(0.05)
        while not self.server.stopping.is_set():
            try:
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                continue

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = exchange

    def log_message(self, *args: object) -> None:
        pass


def forward(edge: Edge, request: Request) -> Reply:
    """Send a request to an edge, and return its response."""
    url = urlsplit(edge.api)
    connection = http.client.HTTPConnection(url.netloc)
    target = f"{PREFIX}{request.path}" + (f"?{request.query}" if request.query else "")
    headers = {name: value for name, value in request.headers if name.lower() not in HOP_BY_HOP}
    with contextlib.closing(connection):
        connection.request(request.method, target, request.body or None, headers)
        response = connection.getresponse()
        received = [(name, value) for name, value in response.getheaders() if name.lower() not in HOP_BY_HOP]
        types = [value for name, value in received if name.lower() == "content-type"]
        others = tuple((name, value) for name, value in received if name.lower() != "content-type")
        return Reply(response.status, response.read(), "".join(types), others, response.reason)


def take_snapshot(edge: Edge) -> sqlite3.Connection:
    """Copy all objects of an edge between two of its transactions."""

    async def take() -> sqlite3.Connection:
        return edge.snapshot()

    return asyncio.run_coroutine_threadsafe(take(), edge._loop).result()


def restore_snapshot(edge: Edge, snapshot: sqlite3.Connection) -> None:
    """Replace all objects of an edge between two of its transactions. Its request log is kept."""

    async def restore() -> None:
        snapshot.backup(edge.store.db)

    asyncio.run_coroutine_threadsafe(restore(), edge._loop).result()


@contextlib.contextmanager
def proxy_of(edge: Edge, replica: Edge) -> t.Iterator[FaultProxy]:
    with FaultProxy(edge, replica) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.stopping.set()
            proxy.shutdown()
            thread.join(10)
