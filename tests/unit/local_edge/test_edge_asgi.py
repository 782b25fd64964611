# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies in and out of both servers, when the other side does not stay."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest
from local_edge import blobs
from local_edge.asgi import ClientDisconnected, chunks, respond
from local_edge.blobs import Content, Extent
from local_edge.model import kv, r2, r2_objects
from local_edge.runtime.internal import EdgeBackend
from local_edge.store import Store
from local_edge.testing import build_settings

Event = MutableMapping[str, Any]
ACCOUNT = "0" * 32
GONE: Event = {"type": "http.disconnect"}
#: What the edge asks to write an object, and the key that it tells.
PUT, KEY = f"/r2/{ACCOUNT}/default/files/put", "%7B%22key%22%3A%22k%22%7D"


def part(body: bytes, more: bool = True) -> Event:
    return {"type": "http.request", "body": body, "more_body": more}


class Client:
    """Who sends these events, goes after so many answers, and keeps what was sent to him."""

    def __init__(self, *events: Event, leaves_after: int = 10**9) -> None:
        self.events, self.leaves_after = list(events), leaves_after
        self.sent: list[Event] = []
        self.left = asyncio.Event()

    async def receive(self) -> Event:
        if self.events:
            return self.events.pop(0)
        await self.left.wait()
        return GONE

    async def send(self, event: Event) -> None:
        self.sent.append(event)
        if len(self.sent) >= self.leaves_after:
            self.left.set()

    @property
    def body(self) -> bytes:
        return b"".join(event.get("body", b"") for event in self.sent)


async def whole(client: Client) -> bytes:
    return b"".join([chunk async for chunk in chunks(client.receive)])


def test_a_body_comes_in_parts_or_is_none() -> None:
    async def run() -> None:
        assert await whole(Client(part(b"one "), part(b""), part(b"two", more=False))) == b"one two"
        with pytest.raises(ClientDisconnected):
            await whole(Client(part(b"one "), GONE))

    asyncio.run(run())


@pytest.fixture
def content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Content:
    """A thousand chunks."""
    monkeypatch.setattr(blobs, "CHUNK", 10)
    (tmp_path / "file").write_bytes(bytes(10_000))
    return Content(tmp_path, [Extent("file", 0, 10_000)])


def test_an_answer_is_sent_as_it_is_read(content: Content) -> None:
    async def run() -> None:
        client = Client()
        await respond(client.receive, client.send, 200, {"x": "ü"}, content)
        assert client.sent[0] == {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"x", "ü".encode()), (b"content-length", b"10000")],
        }
        assert (client.body, len(client.sent)) == (bytes(10_000), 1002)
        assert [event.get("more_body", False) for event in client.sent[1:]] == [True] * 1000 + [False]

    asyncio.run(run())


def test_who_has_gone_is_sent_no_more(content: Content) -> None:
    async def run() -> None:
        client = Client(leaves_after=5)
        await respond(client.receive, client.send, 200, {}, content)
        assert len(client.sent) < 10

    asyncio.run(run())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(str(tmp_path / "edge.db"))
    r2.create(store, ACCOUNT, r2.DEFAULT, "files", None, r2.STANDARD)
    return store


def asked(store: Store, path: str, client: Client, query: str = "", method: str = "PUT", **headers: str) -> Client:
    """A client after the edge's question was answered."""
    scope = {
        "method": method,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    inner = EdgeBackend(build_settings("t" * 40, [], [], {}), store, "2026-11-01", set())
    asyncio.run(inner(scope, client.receive, client.send))
    return client


def test_half_of_a_write_is_none(store: Store) -> None:
    namespace, bucket = kv.create_namespace(store, ACCOUNT, "data"), r2.find(store, ACCOUNT, r2.DEFAULT, "files")

    def write(*parts: Event) -> list[Client]:
        return [asked(store, f"/kv/{namespace}", Client(*parts), "key=k"), asked(store, PUT, Client(*parts), x_r2=KEY)]

    assert [client.sent for client in write(part(b"half"), GONE)] == [[], []]
    assert kv.get(store, namespace, "k") is None and r2_objects.find(store, bucket, "k") is None
    assert list(store.blobs.folder.iterdir()) == []
    assert [client.sent[0]["status"] for client in write(part(b"all "), part(b"of it", more=False))] == [200, 200]
    pair = kv.get(store, namespace, "k")
    assert pair and pair.value == b"all of it"
    assert b"".join(r2_objects.content(store, r2_objects.head(store, bucket, "k"), 0, 9)) == b"all of it"


def test_who_is_refused_is_heard_to_the_end(store: Store) -> None:
    client = Client(part(b"a large "), part(b"body", more=False))
    asked(store, PUT.replace("files", "none"), client, x_r2=KEY)
    assert client.events == [], "a client that is cut off while it sends does not read the refusal"
    assert (client.sent[0]["status"], client.body) == (404, b"The specified bucket does not exist.")
    assert (b"x-code", b"10006") in client.sent[0]["headers"]


def test_a_full_disk_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(blobs.BlobWriter, "sync", full)
    client = asked(store, PUT, Client(part(b"x", more=False)), x_r2=KEY)
    assert client.sent[0]["status"] == 500 and b"No space left on device" in client.body
    assert list(store.blobs.folder.iterdir()) == []
