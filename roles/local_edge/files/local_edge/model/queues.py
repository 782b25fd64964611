# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queues: messages are stored until they are acknowledged or their retention period ends."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_edge.errors import ApiError
from local_edge.store import Store

CONTENT_TYPES = ("text", "bytes", "json", "v8")
#: Bytes of a message, bytes of a batch, and messages of a batch.
MAX_MESSAGE, MAX_BATCH, MAX_COUNT = 128_000, 256_000, 100
#: In seconds: one day, four days, two weeks.
MAX_DELAY, RETENTION, MAX_RETENTION = 86_400, 345_600, 1_209_600
#: The settings of a new queue.
DEFAULTS: Mapping[str, Any] = {
    "delivery_delay": 0,
    "delivery_paused": False,
    "message_retention_period": RETENTION,
}
#: The limits of settings in seconds.
LIMITS: Mapping[str, tuple[int, int]] = {
    "delivery_delay": (0, MAX_DELAY),
    "message_retention_period": (60, MAX_RETENTION),
}


@dataclass(frozen=True)
class Queue:
    """A queue. `delay` and `retention` are in seconds. The messages of a `paused` queue cannot be pulled."""

    id: str
    delay: int
    retention: int
    paused: bool = False


@dataclass(frozen=True)
class Message:
    """A message to send. `source` is the kind of its sender, `delay` is in seconds."""

    body: bytes
    content_type: str
    source: str
    delay: int | None = None


@dataclass(frozen=True)
class Metrics:
    """Messages in a queue: their number, their bytes, and the sending time of the oldest in milliseconds or 0."""

    count: int
    size: int
    oldest: int


def clock() -> int:
    """Return the current time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def missing() -> ApiError:
    return ApiError(404, 10104, "Queue does not exist")


def find(store: Store, account: str, ident: str) -> Queue:
    """Return a queue by its id or its name. Raise ApiError if it does not exist."""
    row = store.one(
        "select id, spec from products where kind = 'queue' and account = ? and ? in (id, name)", account, ident
    )
    if row is None:
        raise missing()
    settings = all_settings(json.loads(row["spec"]))
    return Queue(
        row["id"], settings["delivery_delay"], settings["message_retention_period"], settings["delivery_paused"]
    )


def all_settings(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a stored queue, with defaults."""
    return {**DEFAULTS, **(spec.get("settings") or {})}


def check_settings(settings: Any) -> dict[str, Any]:
    """Return the settings in a body, {} if they are missing. Raise ApiError for invalid or unsupported ones."""
    if settings is not None and not isinstance(settings, dict):
        raise invalid_body("`settings` must be an object")
    for name, value in (settings or {}).items():
        if name not in DEFAULTS:
            raise invalid_body(
                f"the local edge does not support the queue setting {name!r}. Supported settings:"
                f" {', '.join(DEFAULTS)}."
            )
        if name not in LIMITS:
            if not isinstance(value, bool):
                raise invalid_body(f"`{name}` is {value!r} but must be true or false")
        elif not is_whole(value, *LIMITS[name]):
            low, high = LIMITS[name]
            raise invalid_body(f"`{name}` is {value!r} but must be a whole number from {low} to {high}")
    return settings or {}


def invalid_body(why: str) -> ApiError:
    return ApiError(400, 10207, f"JSON request body is invalid: {why}")


def is_whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def check_delay(delay: Any, code: int, label: str) -> None:
    if delay is not None and not is_whole(delay, 0, MAX_DELAY):
        raise ApiError(
            400, code, f"Invalid {label}: the delay {delay!r} is not a whole number of seconds from 0 to {MAX_DELAY}"
        )


def check(messages: Sequence[Message]) -> None:
    """Raise ApiError for messages that are too many, too large, or have invalid metadata."""
    if not 1 <= len(messages) <= MAX_COUNT:
        raise ApiError(413, 10206, f"Batch count out of bounds: {len(messages)} messages, must be 1 to {MAX_COUNT}")
    for one in messages:
        if one.content_type not in CONTENT_TYPES:
            raise ApiError(
                400,
                10203,
                f"Invalid message metadata: content type {one.content_type!r} is not one of {', '.join(CONTENT_TYPES)}",
            )
        check_delay(one.delay, 10203, "message metadata")
        if len(one.body) > MAX_MESSAGE:
            raise ApiError(413, 10204, f"Message size out of bounds: {len(one.body)} bytes, at most {MAX_MESSAGE}")
    size = sum(len(one.body) for one in messages)
    if size > MAX_BATCH:
        raise ApiError(413, 10205, f"Batch size out of bounds: {size} bytes, at most {MAX_BATCH}")


def send(store: Store, queue: Queue, messages: Sequence[Message], delay: int | None = None) -> None:
    """Store messages in one transaction.

    The delay of a message takes precedence over that of its batch, which takes precedence over that of the queue.
    """
    check(messages)
    check_delay(delay, 10202, "batch delay")
    sent, common = clock(), queue.delay if delay is None else delay
    with store.write() as db:
        db.executemany(
            "insert into messages values (?, ?, ?, ?, ?, ?, ?, ?, 0)",
            [
                (
                    uuid.uuid4().hex,
                    queue.id,
                    one.source,
                    one.content_type,
                    one.body,
                    one.delay,
                    sent,
                    sent + 1000 * (common if one.delay is None else one.delay),
                )
                for one in messages
            ],
        )


def pull(store: Store, queue: Queue, count: int, lease: int) -> list[Any]:
    """Lease available messages for `lease` milliseconds and return their rows.

    A message becomes available again at the end of its lease, unless it is acknowledged.
    """
    if queue.paused:
        raise ApiError(409, 10252, "queue_delivery_paused")
    now = clock()
    with store.write() as db:
        rows = store.all(
            "select id from messages where queue = ? and available <= ? and sent > ? order by sent, rowid limit ?",
            queue.id,
            now,
            now - 1000 * queue.retention,
            count,
        )
        return [
            db.execute(
                "update messages set attempts = attempts + 1, available = ? where id = ? returning *",
                (now + lease, row["id"]),
            ).fetchone()
            for row in rows
        ]


def lease_of(message: Any) -> str:
    """Return the lease id of a message: its id and the number of the attempt."""
    return f"{message['id']}.{message['attempts']}"


def acknowledge(store: Store, queue: Queue, leases: Iterable[str]) -> list[str]:
    """Delete messages and return the unknown leases. An expired lease is accepted."""
    with store.write() as db:
        return [
            lease
            for lease in leases
            if not db.execute(
                "delete from messages where queue = ? and id = ?", (queue.id, lease.partition(".")[0])
            ).rowcount
        ]


def retry(store: Store, queue: Queue, delays: Mapping[str, int]) -> list[str]:
    """Make messages available again after a delay in seconds, by lease.

    Return the leases that are unknown or have been superseded.
    """
    now = clock()
    with store.write() as db:
        return [
            lease
            for lease, delay in delays.items()
            if not db.execute(
                "update messages set available = ? where queue = ? and id || '.' || attempts = ?",
                (now + 1000 * delay, queue.id, lease),
            ).rowcount
        ]


def metrics(store: Store, queue: Queue) -> Metrics:
    row = store.db.execute(
        "select count(*), coalesce(sum(length(body)), 0), coalesce(min(sent), 0) from messages"
        " where queue = ? and sent > ?",
        (queue.id, clock() - 1000 * queue.retention),
    ).fetchone()
    return Metrics(*row)


def producers(store: Store, account: str, name: str) -> list[str]:
    """Return the names of the Workers that are bound to a queue."""
    rows = store.all(
        "select distinct scripts.name from bindings join scripts on scripts.id = bindings.script"
        " where bindings.type = 'queue' and bindings.target = ? and scripts.account = ? order by 1",
        name,
        account,
    )
    return [row["name"] for row in rows]


def clear(store: Store, ident: str) -> None:
    """Delete all messages of a queue."""
    with store.write() as db:
        db.execute("delete from messages where queue = ?", (ident,))


def collect_garbage(store: Store) -> None:
    """Delete messages older than the retention period. Reads skip them anyway."""
    with store.write() as db:
        db.execute(
            "delete from messages where sent <= ? - 1000 * (select"
            " coalesce(json_extract(spec, '$.settings.message_retention_period'), ?)"
            " from products where kind = 'queue' and id = queue)",
            (clock(), RETENTION),
        )
