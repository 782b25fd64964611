# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queues: messages sent by Workers and pulled through the API."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from edge_process import Edge, Platform

pytestmark = pytest.mark.integration

BINDING = {"name": "Q", "type": "queue", "queue_name": "mails"}


@pytest.fixture
def queue(edge: Edge) -> Any:
    """Create a queue and return its path."""
    return f"/queues/{edge.call('POST', '/queues', json={'queue_name': 'mails'})['queue_id']}"


def run_with_queue(edge: Edge, code: str, **options: Any) -> Any:
    """Run code in a Worker. `q` is the queue, `body` returns a text of a given size."""
    return edge.evaluate(f"(async (q, body) => {code})(env.Q, (size) => 'x'.repeat(size))", BINDING, **options)


def pull(edge: Edge, queue: str, **options: Any) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = edge.call("POST", f"{queue}/messages/pull", json={"batch_size": 100, **options})[
        "messages"
    ]
    return messages


def pull_bodies(edge: Edge, queue: str) -> list[str]:
    return [
        one["body"] if one["metadata"]["CF-Content-Type"] == "text" else base64.b64decode(one["body"]).decode()
        for one in pull(edge, queue)
    ]


def test_send_each_content_type_is_pulled(edge: Edge, queue: str) -> None:
    code = """[await q.send({ a: [1, null] }), await q.send("grüße", { contentType: "TEXT" }),
      await q.send(new Uint8Array([0, 255, 1]).subarray(1), { contentType: "bytes" }),
      await q.send({ when: new Date(0), map: new Map([[1, 2]]), list: [1n] }, { contentType: "v8" })].map(({ metadata }) => metadata.metrics.backlogCount)"""
    assert run_with_queue(edge, code) == [1, 2, 3, 4]
    found = pull(edge, queue)
    assert [one["metadata"]["CF-Content-Type"] for one in found] == ["json", "text", "bytes", "v8"]
    assert {one["metadata"]["CF-sourceMessageSource"] for one in found} == {"worker"}
    assert json.loads(base64.b64decode(found[0]["body"])) == {"a": [1, None]}
    assert (found[1]["body"], base64.b64decode(found[2]["body"])) == ("grüße", b"\xff\x01")
    assert base64.b64decode(found[3]["body"])[:3] == b"\xff\x0fo", "V8 serialization format, version 15, an object"
    assert [one["attempts"] for one in found] == [1] * 4


def test_send_batch_individual_delays_are_applied(edge: Edge, queue: str) -> None:
    code = "q.sendBatch(new Set([{ body: 1 }, { body: 2, delaySeconds: 0 }, { body: 'three', contentType: 'text', delaySeconds: 0 }]), { delaySeconds: 600 })"
    answer = run_with_queue(edge, code)
    metrics = answer["metadata"]["metrics"]
    assert (metrics["backlogCount"], metrics["backlogBytes"]) == (3, 7)
    assert metrics["oldestMessageTimestamp"].endswith("Z"), "oldestMessageTimestamp is a Date"
    assert pull_bodies(edge, queue) == ["2", "three"], "the other message is delayed by ten minutes"
    assert run_with_queue(edge, "q.metrics()")["backlogCount"] == 3


@pytest.mark.parametrize(
    ("delay", "code", "expected"),
    [
        (600, "env.Q.send(1)", []),
        (600, "env.Q.send(1, { delaySeconds: 0 })", ["1"]),
        (600, "env.Q.sendBatch([{ body: 1 }])", []),
        (0, "env.Q.send(1)", ["1"]),
    ],
)
def test_send_without_delay_uses_delay_of_binding(
    edge: Edge, queue: str, delay: int, code: str, expected: list[str]
) -> None:
    edge.evaluate(code, {**BINDING, "delivery_delay": delay})
    assert pull_bodies(edge, queue) == expected


REFUSED = {
    "q.send(undefined)": ["TypeError", "Message body cannot be undefined"],
    "q.send(1, 5)": [
        "TypeError",
        "Failed to execute 'send' on 'WorkerQueue': parameter 2 is not of type 'SendOptions'.",
    ],
    "q.send(1, { contentType: 'xml' })": ["TypeError", "Unsupported queue message content type: xml"],
    "q.send({}, { contentType: 'text' })": [
        "TypeError",
        'Content Type "text" requires a value of type string, but received: object',
    ],
    "q.send('x', { contentType: 'bytes' })": [
        "TypeError",
        'Content Type "bytes" requires a value of type ArrayBufferView, but received: string',
    ],
    "q.send(() => 1, { contentType: 'v8' })": ["DataCloneError", "() => 1 could not be cloned."],
    "q.sendBatch([])": ["TypeError", "sendBatch() requires at least one message"],
    "q.sendBatch(5)": [
        "TypeError",
        "Failed to execute 'sendBatch' on 'WorkerQueue': parameter 1 is not of type 'Sequence'.",
    ],
    "q.sendBatch([5])": ["TypeError", "Incorrect type: the provided value is not of type 'MessageSendRequest'."],
    "q.sendBatch([{ body: 1, contentType: 'TEXT' }])": ["TypeError", "Unsupported queue message content type: TEXT"],
}


@pytest.mark.parametrize("code", REFUSED)
def test_send_invalid_message_raises(edge: Edge, queue: str, code: str) -> None:
    assert run_with_queue(edge, code) == REFUSED[code]
    assert pull(edge, queue) == []


LIMITS = {
    "q.send(body(128_001), { contentType: 'text' })": ("Message size out of bounds", 10204),
    "q.sendBatch(Array(3).fill({ body: body(90_000), contentType: 'text' }))": ("Batch size out of bounds", 10205),
    "q.sendBatch(Array(101).fill({ body: 1 }))": ("Batch count out of bounds", 10206),
    "q.send(1, { delaySeconds: 86_401 })": ("Invalid message metadata", 10203),
    "q.send(1, { delaySeconds: -1 })": ("Invalid message metadata", 10203),
    "q.sendBatch([{ body: 1 }], { delaySeconds: 86_401 })": ("Invalid batch delay", 10202),
}


@pytest.mark.parametrize("code", LIMITS)
def test_send_over_limit_raises(edge: Edge, queue: str, code: str) -> None:
    name, message = run_with_queue(edge, code)
    cause, number = LIMITS[code]
    assert name == "Error" and message.startswith(f"{cause}: ") and message.endswith(f" ({number})")
    assert pull(edge, queue) == []


def test_send_at_limit_is_accepted(edge: Edge, queue: str) -> None:
    assert (
        run_with_queue(edge, "q.send(body(128_000), { contentType: 'text', delaySeconds: 86_400 })")["metadata"][
            "metrics"
        ]["backlogBytes"]
        == 128_000
    )
    assert (
        run_with_queue(edge, "q.sendBatch(Array(100).fill({ body: body(2_560), contentType: 'text' }))")["metadata"][
            "metrics"
        ]["backlogCount"]
        == 101
    )


def test_send_old_compatibility_date_uses_v8_format(edge: Edge, queue: str) -> None:
    run_with_queue(edge, "q.send(1)", compatibility_date="2024-03-01")
    assert [one["metadata"]["CF-Content-Type"] for one in pull(edge, queue)] == ["v8"]
    name, message = run_with_queue(edge, "q.sendBatch(Array(101).fill({ body: 1 }))", compatibility_date="2024-03-01")
    assert name == "Error" and message.startswith("Queue sendBatch failed: ") and "10206" not in message


def test_send_to_deleted_queue_raises(edge: Edge, queue: str) -> None:
    run_with_queue(edge, "q.send(1)")
    edge.call("DELETE", queue)
    assert edge.get("evaluating.example.com").json() == ["Error", "Queue does not exist (10104)"]


def test_send_from_durable_object_of_tenant_lists_producer(platform: Platform, queue: str) -> None:
    code = """
    import { DurableObject } from "cloudflare:workers";
    export class Sender extends DurableObject { async send(body) { await this.env.Q.send(body); return (await this.env.Q.metrics()).backlogCount; } }
    export default { async fetch(request, env) { return Response.json(await env.SENDERS.getByName("x").send({ from: "an object" })); } };"""
    platform.deploy_tenant(
        "a",
        code,
        bindings=[BINDING, {"name": "SENDERS", "type": "durable_object_namespace", "class_name": "Sender"}],
        migrations={"new_tag": "v1", "new_sqlite_classes": ["Sender"]},
    )
    assert platform.get("a").json() == 1
    assert pull_bodies(platform.edge, queue) == ['{"from":"an object"}']
    shown = platform.edge.call("GET", queue)
    assert (shown["producers"], shown["producers_total_count"], shown["consumers"]) == (
        [{"type": "worker", "script": "a"}],
        1,
        [],
    )
