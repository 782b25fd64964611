# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queue messages over HTTP: send, pull, acknowledge, retry and expire."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from control_plane import Client
from local_edge.model import queues
from local_edge.store import Store
from local_edge.testing import running

Advance = Callable[[float], None]


@pytest.fixture
def advance(monkeypatch: pytest.MonkeyPatch) -> Advance:
    """Return a function that advances the clock by a number of seconds."""
    passed, real = [0], queues.clock
    monkeypatch.setattr(queues, "clock", lambda: real() + passed[0])

    def advance_by(seconds: float) -> None:
        passed[0] += int(seconds * 1000)

    return advance_by


def create_queue(client: Client, name: str = "mails", **settings: int) -> str:
    """Create a queue and return its path."""
    return f"/queues/{client.call('POST', '/queues', json={'queue_name': name, 'settings': settings})['queue_id']}"


def push(client: Client, queue: str, body: Any, **options: Any) -> Any:
    return client.call("POST", f"{queue}/messages", json={"body": body, **options})


def pull(client: Client, queue: str, **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.call("POST", f"{queue}/messages/pull", json=options)["messages"]
    return found


def ack(client: Client, queue: str, *acks: str, **retries: int) -> Any:
    return client.call(
        "POST",
        f"{queue}/messages/ack",
        json={
            "acks": [{"lease_id": one} for one in acks],
            "retries": [{"lease_id": one, "delay_seconds": delay} for one, delay in retries.items()],
        },
    )


def test_pull_sent_messages_returns_bodies_and_metadata(client: Client) -> None:
    queue = create_queue(client)
    push(client, queue, {"a": ["ü"]})
    push(client, queue, "plain", content_type="text", delay_seconds=0)
    client.call("POST", f"{queue}/messages/batch", json={"messages": [{"body": 1, "content_type": "json"}]})
    first, second, third = pull(client, queue)
    assert base64.b64decode(first["body"]).decode() == '{"a":["ü"]}'
    assert first["metadata"] == {"CF-Content-Type": "json", "CF-sourceMessageSource": "api"}
    assert (second["body"], second["metadata"]["CF-msg-delay-secs"]) == ("plain", "0")
    assert base64.b64decode(third["body"]) == b"1"
    assert pull(client, queue) == [], "the messages are leased"


def test_metrics_after_push_and_pull_count_backlog(client: Client) -> None:
    queue = create_queue(client)
    assert client.call("GET", f"{queue}/metrics") == {
        "backlog_count": 0,
        "backlog_bytes": 0,
        "oldest_message_timestamp_ms": 0,
    }
    push(client, queue, "four", content_type="text")
    metrics = push(client, queue, "three", content_type="text")["metadata"]["metrics"]
    (first,) = pull(client, queue, batch_size=1)
    assert metrics == {"backlog_count": 2, "backlog_bytes": 9, "oldest_message_timestamp_ms": first["timestamp_ms"]}
    answer = client.call("POST", f"{queue}/messages/pull", json={})
    assert (answer["message_backlog_count"], answer["metadata"]["metrics"]["backlog_count"]) == (2, 2), (
        "a leased message is not acknowledged yet"
    )


def test_pull_batch_size_limits_messages(client: Client) -> None:
    queue = create_queue(client)
    client.call("POST", f"{queue}/messages/batch", json={"messages": [{"body": number} for number in range(100)]})
    assert [len(pull(client, queue, **options)) for options in ({}, {"batch_size": 1}, {"batch_size": 100})] == [
        5,
        1,
        94,
    ]


def test_pull_lease_expired_returns_message_again(client: Client, advance: Advance) -> None:
    queue = create_queue(client)
    push(client, queue, 1)
    assert [one["attempts"] for one in pull(client, queue)] == [1]
    advance(29)
    assert pull(client, queue) == []
    advance(2)
    assert [one["attempts"] for one in pull(client, queue, visibility_timeout_ms=1000)] == [2]
    advance(1.1)
    assert [one["attempts"] for one in pull(client, queue)] == [3]


def test_ack_expired_lease_removes_message(client: Client, advance: Advance) -> None:
    queue = create_queue(client)
    push(client, queue, 1)
    (early,) = pull(client, queue)
    advance(31)
    (late,) = pull(client, queue)
    assert early["lease_id"] != late["lease_id"]
    assert ack(client, queue, early["lease_id"]) == {"ackCount": 1, "retryCount": 0, "warnings": {}}
    again = ack(client, queue, late["lease_id"], "nonsense")
    assert (again["ackCount"], set(again["warnings"])) == (0, {late["lease_id"], "nonsense"})
    advance(31)
    assert pull(client, queue) == []


def test_ack_retry_by_lease_holder_requeues_message(client: Client, advance: Advance) -> None:
    queue = create_queue(client)
    push(client, queue, 1)
    (first,) = pull(client, queue)
    assert ack(client, queue, **{first["lease_id"]: 0})["retryCount"] == 1
    (second,) = pull(client, queue)
    assert second["attempts"] == 2
    assert ack(client, queue, **{first["lease_id"]: 0})["retryCount"] == 0, "the lease has passed to another consumer"
    ack(client, queue, **{second["lease_id"]: 60})
    advance(59)
    assert pull(client, queue) == []
    advance(2)
    assert [one["attempts"] for one in pull(client, queue)] == [3]


def test_pull_other_queue_returns_no_foreign_messages(client: Client) -> None:
    one, other = create_queue(client), create_queue(client, "orders")
    push(client, one, 1)
    assert pull(client, other) == []
    (message,) = pull(client, one)
    assert ack(client, other, message["lease_id"])["ackCount"] == 0
    assert ack(client, one, message["lease_id"])["ackCount"] == 1


def test_delay_message_batch_and_queue_take_precedence_in_this_order(client: Client, advance: Advance) -> None:
    queue = create_queue(client, delivery_delay=300)
    client.call(
        "POST",
        f"{queue}/messages/batch",
        json={"delay_seconds": 100, "messages": [{"body": "a", "delay_seconds": 0}, {"body": "b"}]},
    )
    push(client, queue, "c")
    pulled = []
    for _step in range(4):
        pulled.append(
            [base64.b64decode(one["body"]).decode() for one in pull(client, queue, visibility_timeout_ms=43_200_000)]
        )
        advance(101)
    assert pulled == [['"a"'], ['"b"'], [], ['"c"']]


@pytest.mark.parametrize(("settings", "days"), [({}, 4), ({"message_retention_period": 86_400}, 1)])
def test_retention_expired_message_is_hidden_and_swept(
    tmp_path: Path, advance: Advance, settings: dict[str, int], days: int
) -> None:
    with running(data=str(tmp_path)) as edge:
        client, store = Client(edge), Store(str(tmp_path / "edge.db"))
        queue = create_queue(client, **settings)
        push(client, queue, 1)
        advance(days * 86_400 - 60)
        assert len(pull(client, queue, visibility_timeout_ms=1)) == 1
        push(client, queue, 2)
        queues.collect_garbage(store)
        advance(120)
        assert [base64.b64decode(one["body"]) for one in pull(client, queue)] == [b"2"]
        assert store.count("select count(*) from messages") == 2
        queues.collect_garbage(store)
        assert store.count("select count(*) from messages") == 1
        store.close()


def test_delete_queue_deletes_its_messages(tmp_path: Path) -> None:
    with running(data=str(tmp_path)) as edge:
        client, store = Client(edge), Store(str(tmp_path / "edge.db"))
        queue, other = create_queue(client), create_queue(client, "orders")
        push(client, queue, 1)
        push(client, other, 2)
        client.call("DELETE", queue)
        assert store.count("select count(*) from messages") == 1
        assert client.error("POST", f"{queue}/messages", json={"body": 1}) == (404, 10104)
        store.close()


INVALID_REQUESTS: list[tuple[str, Any, tuple[int, int]]] = [
    ("messages", {}, (400, 10207)),
    ("messages", {"body": {}, "content_type": "text"}, (400, 10207)),
    ("messages", {"body": "x", "content_type": "bytes"}, (400, 10203)),
    ("messages", {"body": "x", "delay_seconds": 86_401}, (400, 10203)),
    ("messages", {"body": "x", "delay_seconds": "5"}, (400, 10203)),
    ("messages", {"body": "x" * 128_001, "content_type": "text"}, (413, 10204)),
    ("messages/batch", {"messages": []}, (413, 10206)),
    ("messages/batch", {"messages": {"body": 1}}, (400, 10207)),
    ("messages/batch", {"messages": [{"body": 1}], "delay_seconds": -1}, (400, 10202)),
    ("messages/batch", {"messages": [{"body": "x" * 100_000}] * 3}, (413, 10205)),
    ("messages/pull", {"batch_size": 101}, (400, 10207)),
    ("messages/pull", {"visibility_timeout_ms": 43_200_001}, (400, 10207)),
    ("messages/ack", {"acks": ["lease"]}, (400, 10207)),
    ("messages/ack", {"retries": [{"delay_seconds": 1}]}, (400, 10207)),
    ("messages/ack", {"retries": [{"lease_id": "a", "delay_seconds": 86_401}]}, (400, 10203)),
    ("consumers", {"type": "worker", "script_name": "w"}, (400, 10021)),
]


@pytest.mark.parametrize(("path", "body", "expected"), INVALID_REQUESTS)
def test_message_request_invalid_body_is_refused(
    client: Client, path: str, body: Any, expected: tuple[int, int]
) -> None:
    queue = create_queue(client)
    assert client.error("POST", f"{queue}/{path}", json=body) == expected
    assert pull(client, queue) == []


def test_push_body_not_json_is_refused(client: Client) -> None:
    assert client.error("POST", f"{create_queue(client)}/messages", data="{") == (400, 10208)


@pytest.mark.parametrize(
    "settings",
    [
        {"delivery_delay": 86_401},
        {"message_retention_period": 59},
        {"delivery_paused": 1},
        {"unknown": 1},
        [],
        {"delivery_delay": "1"},
    ],
)
def test_create_queue_invalid_settings_is_refused(client: Client, settings: Any) -> None:
    assert client.error("POST", "/queues", json={"queue_name": "mails", "settings": settings}) == (400, 10207)
    assert client.call("GET", "/queues") == []


def test_update_queue_patch_keeps_omitted_settings_and_put_resets_them(client: Client) -> None:
    queue = create_queue(client, delivery_delay=60)
    made = client.call("GET", queue)
    defaults = {"delivery_delay": 0, "delivery_paused": False, "message_retention_period": 345_600}
    assert made["settings"] == {**defaults, "delivery_delay": 60}
    patched = client.call("PATCH", queue, json={"settings": {"delivery_paused": True}})
    assert patched["settings"] == {**defaults, "delivery_delay": 60, "delivery_paused": True}
    assert patched["created_on"] == made["created_on"] < patched["modified_on"]
    put = client.call("PUT", queue, json={"queue_name": "mails", "settings": {"message_retention_period": 60}})
    assert put["settings"] == {**defaults, "message_retention_period": 60}
    assert client.call("GET", "/queues") == [put]


def test_update_queue_new_name_keeps_messages_and_bindings(client: Client) -> None:
    queue, binding = create_queue(client), [{"name": "Q", "type": "queue", "queue_name": "mails"}]
    client.upload("/workers/scripts/a", bindings=binding)
    push(client, queue, 1)
    renamed = client.call("PATCH", queue, json={"queue_name": "letters"})
    assert (renamed["queue_name"], renamed["producers"]) == ("letters", [{"type": "worker", "script": "a"}])
    assert client.call("GET", "/workers/scripts/a/bindings") == [{**binding[0], "queue_name": "letters"}]
    assert len(pull(client, queue)) == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"queue_name": "orders"}, (409, 11009)),
        ({"queue_name": ""}, (400, 10026)),
        ({"queue_name": "letters", "settings": {"delivery_delay": -1}}, (400, 10207)),
    ],
)
def test_update_queue_invalid_body_changes_nothing(client: Client, body: Any, expected: tuple[int, int]) -> None:
    queue, _other = create_queue(client), create_queue(client, "orders")
    before = client.call("GET", queue)
    assert [client.error(method, queue, json=body) for method in ("PATCH", "PUT")] == [expected] * 2
    assert client.call("GET", queue) == before
    assert client.error("PATCH", "/queues/none", json={}) == (404, 11000)


def test_pull_paused_queue_is_refused_until_delivery_resumes(client: Client) -> None:
    queue = create_queue(client)
    client.call("PATCH", queue, json={"settings": {"delivery_paused": True}})
    push(client, queue, 1)
    assert client.error("POST", f"{queue}/messages/pull", json={}) == (409, 10252)
    client.call("PATCH", queue, json={"settings": {"delivery_paused": False}})
    assert len(pull(client, queue)) == 1


def test_get_queue_lists_producer_workers(client: Client) -> None:
    queue, binding = create_queue(client), [{"name": "Q", "type": "queue", "queue_name": "mails"}]
    client.upload("/workers/scripts/b", bindings=binding)
    client.upload("/workers/scripts/a", bindings=[*binding, {**binding[0], "name": "AGAIN"}])
    client.upload("/workers/scripts/none")
    details = client.call("GET", queue)
    assert details["producers"] == [{"type": "worker", "script": "a"}, {"type": "worker", "script": "b"}]
    assert (details["producers_total_count"], details["consumers"], details["consumers_total_count"]) == (2, [], 0)
    assert client.call("GET", "/queues") == [details]
    assert client.call("GET", f"{queue}/consumers") == []
