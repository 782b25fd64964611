# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Request and response bodies when the peer disconnects."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest
from local_edge import blobs
from local_edge.asgi import content_response, read_body
from local_edge.blobs import Content, Extent
from local_edge.model import kv, r2, r2_objects
from local_edge.runtime.internal import EdgeBackend
from local_edge.store import Store
from local_edge.testing import build_settings
from starlette.requests import ClientDisconnect, Request

Event = MutableMapping[str, Any]
ACCOUNT = "0" * 32
DISCONNECT: Event = {"type": "http.disconnect"}
#: The internal request path that writes an object, and the value of its X-R2 header.
PUT, KEY = f"/r2/{ACCOUNT}/default/files/put", "%7B%22key%22%3A%22k%22%7D"


def part(body: bytes, more: bool = True) -> Event:
    return {"type": "http.request", "body": body, "more_body": more}


class Client:
    """An ASGI client that sends these events, disconnects after a number of responses and records them."""

    def __init__(self, *events: Event, disconnects_after: int = 10**9) -> None:
        self.events, self.disconnects_after = list(events), disconnects_after
        self.sent: list[Event] = []
        self.disconnected = asyncio.Event()

    async def receive(self) -> Event:
        if self.events:
            return self.events.pop(0)
        await self.disconnected.wait()
        return DISCONNECT

    async def send(self, event: Event) -> None:
        self.sent.append(event)
        if len(self.sent) >= self.disconnects_after:
            self.disconnected.set()

    @property
    def body(self) -> bytes:
        return b"".join(event.get("body", b"") for event in self.sent)


def request_of(client: Client) -> Request:
    return Request({"type": "http"}, client.receive)


def test_read_body_body_in_parts_or_disconnect_returns_body_or_raises() -> None:
    async def run() -> None:
        assert await read_body(request_of(Client(part(b"one "), part(b""), part(b"two", more=False)))) == b"one two"
        with pytest.raises(ClientDisconnect):
            await read_body(request_of(Client(part(b"one "), DISCONNECT)))

    asyncio.run(run())


@pytest.fixture
def content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Content:
    """Provide content that is read in 1000 chunks."""
    monkeypatch.setattr(blobs, "CHUNK", 10)
    (tmp_path / "file").write_bytes(bytes(10_000))
    return Content(tmp_path, [Extent("file", 0, 10_000)])


def test_content_response_large_content_is_sent_in_chunks(content: Content) -> None:
    async def run() -> None:
        client = Client()
        await content_response(200, content, {"x": "ü"})({"type": "http"}, client.receive, client.send)
        assert client.sent[0] == {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"x", "ü".encode()), (b"content-length", b"10000")],
        }
        assert (client.body, len(client.sent)) == (bytes(10_000), 1002)
        assert [event.get("more_body", False) for event in client.sent[1:]] == [True] * 1000 + [False]

    asyncio.run(run())


def test_content_response_client_disconnects_stops_sending(content: Content) -> None:
    async def run() -> None:
        client = Client(disconnects_after=5)
        await content_response(200, content, {})({"type": "http"}, client.receive, client.send)
        assert len(client.sent) < 10

    asyncio.run(run())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(str(tmp_path / "edge.db"))
    r2.create(store, ACCOUNT, r2.DEFAULT, "files", None, r2.STANDARD)
    return store


def send_internal_request(
    store: Store, path: str, client: Client, query: str = "", method: str = "PUT", **headers: str
) -> Client:
    """Send an internal request and return the client."""
    scope = {
        "type": "http",
        "method": method,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    backend = EdgeBackend(build_settings("t" * 40, [], [], {}), store, "2026-11-01", set())
    asyncio.run(backend(scope, client.receive, client.send))
    return client


def test_write_client_disconnects_stores_nothing(store: Store) -> None:
    namespace, bucket = kv.create_namespace(store, ACCOUNT, "data"), r2.find(store, ACCOUNT, r2.DEFAULT, "files")

    def write(*parts: Event) -> list[Client]:
        return [
            send_internal_request(store, f"/kv/{namespace}", Client(*parts), "key=k"),
            send_internal_request(store, PUT, Client(*parts), x_r2=KEY),
        ]

    assert [client.sent for client in write(part(b"half"), DISCONNECT)] == [[], []]
    assert kv.get(store, namespace, "k") is None and r2_objects.find(store, bucket, "k") is None
    assert list(store.blobs.folder.iterdir()) == []
    assert [client.sent[0]["status"] for client in write(part(b"all "), part(b"of it", more=False))] == [200, 200]
    pair = kv.get(store, namespace, "k")
    assert pair and pair.value == b"all of it"
    assert b"".join(r2_objects.content(store, r2_objects.head(store, bucket, "k"), 0, 9)) == b"all of it"


def test_write_refused_reads_whole_body_before_responding(store: Store) -> None:
    client = Client(part(b"a large "), part(b"body", more=False))
    send_internal_request(store, PUT.replace("files", "none"), client, x_r2=KEY)
    assert client.events == [], "a client that is disconnected while it sends cannot read the error"
    assert (client.sent[0]["status"], client.body) == (404, b"The specified bucket does not exist.")
    assert (b"x-code", b"10006") in client.sent[0]["headers"]


def test_write_disk_full_returns_500_with_reason(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_disk_full(_self: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(blobs.BlobWriter, "sync", raise_disk_full)
    client = send_internal_request(store, PUT, Client(part(b"x", more=False)), x_r2=KEY)
    assert client.sent[0]["status"] == 500 and b"No space left on device" in client.body
    assert list(store.blobs.folder.iterdir()) == []
