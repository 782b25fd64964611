# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queues: what Workers send, as it is pulled."""

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
    """The path of a queue."""
    return f"/queues/{edge.call('POST', '/queues', json={'queue_name': 'mails'})['queue_id']}"


def sent(edge: Edge, code: str, **options: Any) -> Any:
    """What a Worker sees that sends so: `q` is the queue, `body` makes a text of a size."""
    return edge.evaluate(f"(async (q, body) => {code})(env.Q, (size) => 'x'.repeat(size))", BINDING, **options)


def pulled(edge: Edge, queue: str, **options: Any) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = edge.call("POST", f"{queue}/messages/pull", json={"batch_size": 100, **options})[
        "messages"
    ]
    return messages


def bodies(edge: Edge, queue: str) -> list[str]:
    return [
        one["body"] if one["metadata"]["CF-Content-Type"] == "text" else base64.b64decode(one["body"]).decode()
        for one in pulled(edge, queue)
    ]


def test_a_message_of_every_type(edge: Edge, queue: str) -> None:
    code = """[await q.send({ a: [1, null] }), await q.send("grüße", { contentType: "TEXT" }),
      await q.send(new Uint8Array([0, 255, 1]).subarray(1), { contentType: "bytes" }),
      await q.send({ when: new Date(0), map: new Map([[1, 2]]), list: [1n] }, { contentType: "v8" })].map(({ metadata }) => metadata.metrics.backlogCount)"""
    assert sent(edge, code) == [1, 2, 3, 4]
    found = pulled(edge, queue)
    assert [one["metadata"]["CF-Content-Type"] for one in found] == ["json", "text", "bytes", "v8"]
    assert {one["metadata"]["CF-sourceMessageSource"] for one in found} == {"worker"}
    assert json.loads(base64.b64decode(found[0]["body"])) == {"a": [1, None]}
    assert (found[1]["body"], base64.b64decode(found[2]["body"])) == ("grüße", b"\xff\x01")
    assert base64.b64decode(found[3]["body"])[:3] == b"\xff\x0fo", "the runtime's own format, version 15, an object"
    assert [one["attempts"] for one in found] == [1] * 4


def test_many_at_once_with_delays_of_their_own(edge: Edge, queue: str) -> None:
    code = "q.sendBatch(new Set([{ body: 1 }, { body: 2, delaySeconds: 0 }, { body: 'three', contentType: 'text', delaySeconds: 0 }]), { delaySeconds: 600 })"
    answer = sent(edge, code)
    metrics = answer["metadata"]["metrics"]
    assert (metrics["backlogCount"], metrics["backlogBytes"]) == (3, 7)
    assert metrics["oldestMessageTimestamp"].endswith("Z"), "a Date"
    assert bodies(edge, queue) == ["2", "three"], "the other one waits for ten minutes"
    assert sent(edge, "q.metrics()")["backlogCount"] == 3


@pytest.mark.parametrize(
    ("delay", "code", "there"),
    [
        (600, "env.Q.send(1)", []),
        (600, "env.Q.send(1, { delaySeconds: 0 })", ["1"]),
        (600, "env.Q.sendBatch([{ body: 1 }])", []),
        (0, "env.Q.send(1)", ["1"]),
    ],
)
def test_the_delay_of_the_binding_is_for_those_that_have_none(
    edge: Edge, queue: str, delay: int, code: str, there: list[str]
) -> None:
    edge.evaluate(code, {**BINDING, "delivery_delay": delay})
    assert bodies(edge, queue) == there


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
def test_what_no_queue_takes(edge: Edge, queue: str, code: str) -> None:
    assert sent(edge, code) == REFUSED[code]
    assert pulled(edge, queue) == []


LIMITS = {
    "q.send(body(128_001), { contentType: 'text' })": ("Message size out of bounds", 10204),
    "q.sendBatch(Array(3).fill({ body: body(90_000), contentType: 'text' }))": ("Batch size out of bounds", 10205),
    "q.sendBatch(Array(101).fill({ body: 1 }))": ("Batch count out of bounds", 10206),
    "q.send(1, { delaySeconds: 86_401 })": ("Invalid message metadata", 10203),
    "q.send(1, { delaySeconds: -1 })": ("Invalid message metadata", 10203),
    "q.sendBatch([{ body: 1 }], { delaySeconds: 86_401 })": ("Invalid batch delay", 10202),
}


@pytest.mark.parametrize("code", LIMITS)
def test_limits(edge: Edge, queue: str, code: str) -> None:
    name, message = sent(edge, code)
    cause, number = LIMITS[code]
    assert name == "Error" and message.startswith(f"{cause}: ") and message.endswith(f" ({number})")
    assert pulled(edge, queue) == []


def test_what_fits_is_taken(edge: Edge, queue: str) -> None:
    assert (
        sent(edge, "q.send(body(128_000), { contentType: 'text', delaySeconds: 86_400 })")["metadata"]["metrics"][
            "backlogBytes"
        ]
        == 128_000
    )
    assert (
        sent(edge, "q.sendBatch(Array(100).fill({ body: body(2_560), contentType: 'text' }))")["metadata"]["metrics"][
            "backlogCount"
        ]
        == 101
    )


def test_a_worker_of_an_older_date_sends_v8_and_hears_less(edge: Edge, queue: str) -> None:
    sent(edge, "q.send(1)", compatibility_date="2024-03-01")
    assert [one["metadata"]["CF-Content-Type"] for one in pulled(edge, queue)] == ["v8"]
    name, message = sent(edge, "q.sendBatch(Array(101).fill({ body: 1 }))", compatibility_date="2024-03-01")
    assert name == "Error" and message.startswith("Queue sendBatch failed: ") and "10206" not in message


def test_a_queue_that_is_gone(edge: Edge, queue: str) -> None:
    sent(edge, "q.send(1)")
    edge.call("DELETE", queue)
    assert edge.get("evaluating.example.com").json() == ["Error", "Queue does not exist (10104)"]


def test_a_tenant_sends_from_within_an_object_and_a_queue_knows_its_producers(platform: Platform, queue: str) -> None:
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
    assert bodies(platform.edge, queue) == ['{"from":"an object"}']
    shown = platform.edge.call("GET", queue)
    assert (shown["producers"], shown["producers_total_count"], shown["consumers"]) == (
        [{"type": "worker", "script": "a"}],
        1,
        [],
    )
