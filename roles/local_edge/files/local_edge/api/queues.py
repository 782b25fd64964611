# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queues and their messages, sent, pulled and acknowledged over HTTP. Consumer Workers are not supported."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from local_edge.api.products import Product
from local_edge.api.request import ApiRequest, ApiResponse, Handler
from local_edge.errors import ApiError, bad_body, invalid
from local_edge.invalidation import Invalidation
from local_edge.model import queues, scripts
from local_edge.model.queues import Message, Metrics, Queue

#: Defaults of a pull: number of messages, and lease in milliseconds with its maximum.
BATCH, LEASE, MAX_LEASE = 5, 30_000, 12 * 60 * 60 * 1000
SELECT_BOUND_SCRIPTS = (
    "select * from scripts where account = ? and id in"
    " (select script from bindings where type = 'queue' and target = ?)"
)
RENAME_IN_BINDING = (
    "update bindings set target = ?1, spec = json_set(spec, '$.queue_name', ?1) where script = ?2 and"
    " type = 'queue' and target = ?3"
)


class Queues(Product):
    """The product, with the messages of its queues."""

    def to_api(self, request: ApiRequest, row: Any) -> dict[str, Any]:
        bound = [
            {"type": "worker", "script": name} for name in queues.producers(request.store, request.account, row["name"])
        ]
        found = super().to_api(request, row)
        spec = json.loads(row["spec"])
        return {
            **found,
            "settings": queues.all_settings(spec),
            "modified_on": spec.get("modified_on", found["created_on"]),
            "producers": bound,
            "producers_total_count": len(bound),
            "consumers": [],
            "consumers_total_count": 0,
        }

    async def create_object(self, request: ApiRequest) -> ApiResponse:
        queues.check_settings(request.json_object().get("settings"))
        return await super().create_object(request)

    async def update_object(self, request: ApiRequest) -> ApiResponse:
        """Change a queue. PATCH keeps the settings that the body omits, PUT resets them."""
        row, body = self.find(request), request.json_object()
        name = body.get(self.name, row["name"])
        if not isinstance(name, str) or not name:
            raise bad_body(f"`{self.name}` must be a string")
        if name != row["name"] and self.exists(request, name):
            raise ApiError(*self.already_exists)
        spec = json.loads(row["spec"])
        kept = spec.get("settings") or {} if request.method == "PATCH" else {}
        spec |= {
            "settings": {**kept, **queues.check_settings(body.get("settings"))},
            "modified_on": request.now(),
        }
        with request.store.write() as db:
            db.execute(
                "update products set name = ?, spec = ? where account = ? and kind = ? and id = ?",
                (name, json.dumps(spec), request.account, self.kind, row["id"]),
            )
            rename_in_bindings(request, row["name"], name)
        request.params["object"] = row["id"]
        return await self.get_object(request)

    async def delete_object(self, request: ApiRequest) -> ApiResponse:
        queues.clear(request.store, self.find(request)["id"])
        return await super().delete_object(request)

    def routes(self, account: str) -> list[tuple[str, str, Handler]]:
        one = f"{account}/{self.path}/{{object}}"
        return [
            *super().routes(account),
            ("PUT", one, self.update_object),
            ("PATCH", one, self.update_object),
            ("GET", f"{one}/metrics", get_metrics),
            ("POST", f"{one}/messages", push),
            ("POST", f"{one}/messages/batch", push_batch),
            ("POST", f"{one}/messages/pull", pull),
            ("POST", f"{one}/messages/ack", ack),
            ("GET", f"{one}/consumers", list_consumers),
            ("POST", f"{one}/consumers", create_consumer),
        ]


QUEUES = Queues(
    "queue",
    "queues",
    "queue_name",
    (404, 11000, "The specified queue does not exist."),
    ident="queue_id",
    already_exists=(409, 11009, "Queue name is already taken. Please choose a different name and try again."),
)


def rename_in_bindings(request: ApiRequest, old: str, new: str) -> None:
    """Update the name in the bindings to a renamed queue. Call it inside `write()`."""
    if old == new:
        return
    for bound in map(scripts.from_row, request.store.all(SELECT_BOUND_SCRIPTS, request.account, old)):
        request.store.db.execute(RENAME_IN_BINDING, (new, bound.id, old))
        request.store.db.execute(
            "update scripts set version = ? where id = ?", (request.store.next_version(), bound.id)
        )
        request.invalidate(Invalidation.worker(bound.key))


def malformed(why: str) -> ApiError:
    return ApiError(400, 10208, f"JSON request body is malformed: {why}")


def queue_of(request: ApiRequest) -> Queue:
    return queues.find(request.store, request.account, request.params["object"])


def listed(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return a list of objects in a body, [] if it is missing. Raise ApiError if it is malformed."""
    value = body.get(name) or []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise queues.invalid_body(f"`{name}` must be a list of objects")
    return value


def message_of(raw: Mapping[str, Any]) -> Message:
    """Read a message. Its content type is `json` by default."""
    kind = raw.get("content_type", "json")
    if kind not in ("text", "json"):
        raise ApiError(400, 10203, f"Invalid message metadata: content type {kind!r} must be text or json")
    if "body" not in raw or (kind == "text" and not isinstance(raw["body"], str)):
        raise queues.invalid_body("a message must have a `body`, a string if its `content_type` is text")
    text = raw["body"] if kind == "text" else json.dumps(raw["body"], separators=(",", ":"), ensure_ascii=False)
    return Message(text.encode(), kind, "api", raw.get("delay_seconds"))


def metrics_json(found: Metrics) -> dict[str, int]:
    return {"backlog_count": found.count, "backlog_bytes": found.size, "oldest_message_timestamp_ms": found.oldest}


def response_metadata(request: ApiRequest, queue: Queue) -> dict[str, Any]:
    return {"metrics": metrics_json(queues.metrics(request.store, queue))}


async def get_metrics(request: ApiRequest) -> ApiResponse:
    return ApiResponse(metrics_json(queues.metrics(request.store, queue_of(request))))


async def push(request: ApiRequest) -> ApiResponse:
    queue = queue_of(request)
    queues.send(request.store, queue, [message_of(request.json_object(malformed))])
    return ApiResponse({"metadata": response_metadata(request, queue)})


async def push_batch(request: ApiRequest) -> ApiResponse:
    queue, body = queue_of(request), request.json_object(malformed)
    queues.send(request.store, queue, [message_of(raw) for raw in listed(body, "messages")], body.get("delay_seconds"))
    return ApiResponse({"metadata": response_metadata(request, queue)})


async def pull(request: ApiRequest) -> ApiResponse:
    """Lease messages. Bodies are base64 except for text."""
    queue, body = queue_of(request), request.json_object(malformed) if request.body else {}
    count, lease = body.get("batch_size", BATCH), body.get("visibility_timeout_ms", LEASE)
    for name, value, high in (("batch_size", count, queues.MAX_COUNT), ("visibility_timeout_ms", lease, MAX_LEASE)):
        if not queues.is_whole(value, 1, high):
            raise queues.invalid_body(f"`{name}` must be an integer from 1 to {high}, not {value!r}")
    messages = [pulled(row) for row in queues.pull(request.store, queue, count, lease)]
    metadata = response_metadata(request, queue)
    return ApiResponse(
        {"messages": messages, "message_backlog_count": metadata["metrics"]["backlog_count"], "metadata": metadata}
    )


def pulled(row: Any) -> dict[str, Any]:
    """Return a leased message in the format of the API."""
    body = row["body"].decode() if row["content_type"] == "text" else base64.b64encode(row["body"]).decode()
    delay = {} if row["delay"] is None else {"CF-msg-delay-secs": str(row["delay"])}
    return {
        "id": row["id"],
        "body": body,
        "timestamp_ms": row["sent"],
        "attempts": row["attempts"],
        "lease_id": queues.lease_of(row),
        "metadata": {"CF-Content-Type": row["content_type"], "CF-sourceMessageSource": row["source"], **delay},
    }


async def ack(request: ApiRequest) -> ApiResponse:
    """Delete leased messages, or return them to the queue."""
    queue, body = queue_of(request), request.json_object(malformed)
    done, again = listed(body, "acks"), listed(body, "retries")
    if not all(isinstance(one.get("lease_id"), str) for one in (*done, *again)):
        raise queues.invalid_body("each of `acks` and `retries` must have the `lease_id` from a pull")
    delays = {one["lease_id"]: one.get("delay_seconds", 0) for one in again}
    for delay in delays.values():
        queues.check_delay(delay, 10203, "message metadata")
    leases = list(dict.fromkeys(one["lease_id"] for one in done))
    unknown, gone = queues.acknowledge(request.store, queue, leases), queues.retry(request.store, queue, delays)
    warnings = dict.fromkeys((*unknown, *gone), "The lease has no message any more")
    return ApiResponse(
        {"ackCount": len(leases) - len(unknown), "retryCount": len(delays) - len(gone), "warnings": warnings}
    )


async def list_consumers(request: ApiRequest) -> ApiResponse:
    queue_of(request)
    return ApiResponse([])


async def create_consumer(request: ApiRequest) -> ApiResponse:
    """Raise ApiError, since consumers are not supported."""
    queue_of(request)
    raise invalid(
        "the local edge does not support consumers. Pull messages with POST .../messages/pull, which requires none."
    )
