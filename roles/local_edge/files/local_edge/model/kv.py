# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers KV, for the API and for Workers."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from local_edge.errors import ApiError
from local_edge.store import Store

JURISDICTIONS = ("eu", "fedramp", "us")
MAX_KEY, MAX_VALUE, MAX_METADATA = 512, 25 * 1024 * 1024, 1024
MIN_TTL = 60
#: Integers in text. 15 digits fit into SQLite.
INTEGER = re.compile(r"-?\d{1,15}")
LIVE = "(expiration is null or expiration > ?)"


@dataclass(frozen=True)
class Pair:
    """A key with its value. `metadata` is JSON text, `expiration` is in seconds since the epoch."""

    key: str
    value: bytes
    metadata: str | None = None
    expiration: int | None = None


def missing_namespace() -> ApiError:
    return ApiError(404, 10013, "namespace not found")


def check_title(title: Any) -> str:
    if not isinstance(title, str) or not title.strip():
        raise ApiError(400, 10019, "title is required")
    if len(title) > 512:
        raise ApiError(400, 10019, "title is longer than 512 characters")
    return title


def duplicate_title() -> ApiError:
    return ApiError(400, 10014, "a namespace with this account ID and title already exists")


def check_jurisdiction(jurisdiction: Any) -> str | None:
    if jurisdiction not in (None, *JURISDICTIONS):
        raise ApiError(400, 10012, f"Invalid request body: jurisdiction must be one of {', '.join(JURISDICTIONS)}")
    return str(jurisdiction) if jurisdiction else None


def create_namespace(store: Store, account: str, title: str, jurisdiction: str | None = None) -> str:
    """Create a namespace and return its id."""
    if store.one("select 1 from kv_namespaces where account = ? and title = ?", account, title):
        raise duplicate_title()
    ident = uuid.uuid4().hex
    with store.write() as db:
        db.execute("insert into kv_namespaces values (?, ?, ?, ?)", (ident, account, title, jurisdiction))
    return ident


def rename_namespace(store: Store, account: str, ident: str, title: str) -> None:
    if store.one("select 1 from kv_namespaces where account = ? and title = ? and id != ?", account, title, ident):
        raise duplicate_title()
    with store.write() as db:
        db.execute("update kv_namespaces set title = ? where id = ?", (title, ident))


def delete_namespace(store: Store, ident: str) -> None:
    """Delete a namespace with its keys. Raise ApiError if a Worker is bound to it."""
    rows = store.all(
        "select distinct scripts.name from bindings join scripts on scripts.id = bindings.script where"
        " bindings.type = 'kv_namespace' and bindings.target = ? order by 1",
        ident,
    )
    if rows:
        raise ApiError(400, 10052, "namespace has associated scripts: " + ", ".join(row["name"] for row in rows))
    with store.write() as db:
        db.execute("delete from kv_namespaces where id = ?", (ident,))


def check_key(key: Any) -> str:
    if not isinstance(key, str) or key in ("", ".", ".."):
        raise ApiError(400, 10033, f"key name {key!r} is not allowed: a key is not empty, not . and not ..")
    if len(key.encode()) > MAX_KEY:
        raise ApiError(414, 10030, f"UTF-8 encoded length of {len(key.encode())} exceeds key length limit of {MAX_KEY}")
    return key


def integer(value: Any, name: str) -> int | None:
    """Parse a number or its text. Return None for None and ''."""
    if value is None or value == "":
        return None
    text = str(value)
    if isinstance(value, (bool, float)) or not INTEGER.fullmatch(text):
        raise ApiError(400, 10034, f"invalid {name} of {text[:40]!r}: it must be an integer")
    return int(text)


def expiry(store: Store, expiration: Any, ttl: Any) -> int | None:
    """Return the expiration in seconds since the epoch, None for none. `ttl` takes precedence."""
    now = int(store.clock.time())
    seconds, moment = integer(ttl, "expiration_ttl"), integer(expiration, "expiration")
    if seconds is not None:
        if seconds < MIN_TTL:
            raise ApiError(
                400, 10034, f"invalid expiration_ttl of {seconds}: expiration_ttl must be at least {MIN_TTL}"
            )
        return now + seconds
    if moment is not None and moment < now + MIN_TTL:
        raise ApiError(
            400, 10034, f"invalid expiration of {moment}: it must be at least {MIN_TTL} seconds in the future"
        )
    return moment


def encoded_metadata(value: Any) -> str | None:
    """Return metadata as JSON text, None for null."""
    if value is None:
        return None
    return check_metadata(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def check_metadata(text: str) -> str:
    if len(text.encode()) > MAX_METADATA:
        raise ApiError(413, 10031, f"metadata of {len(text.encode())} bytes exceeds the limit of {MAX_METADATA}")
    return text


def check_value(value: bytes) -> bytes:
    if len(value) > MAX_VALUE:
        raise ApiError(413, 10032, f"value of {len(value)} bytes exceeds the limit of {MAX_VALUE}")
    return value


def put(store: Store, namespace: str, pairs: Iterable[Pair]) -> None:
    """Write pairs in one transaction. The value, metadata and expiration of existing keys are replaced."""
    with store.write() as db:
        db.executemany(
            "insert or replace into kv values (?, ?, ?, ?, ?)",
            [(namespace, pair.key, pair.value, pair.metadata, pair.expiration) for pair in pairs],
        )


def get(store: Store, namespace: str, key: str) -> Pair | None:
    row = store.one(f"select * from kv where namespace = ? and key = ? and {LIVE}", namespace, key, store.clock.time())
    return Pair(row["key"], row["value"], row["metadata"], row["expiration"]) if row else None


def delete(store: Store, namespace: str, keys: Sequence[str]) -> None:
    with store.write() as db:
        db.executemany("delete from kv where namespace = ? and key = ?", [(namespace, key) for key in keys])


def keys(store: Store, namespace: str, prefix: str, after: str, limit: int) -> tuple[list[dict[str, Any]], str]:
    """Return a page of key descriptions, and its last key if more keys follow, else ''."""
    # A range uses the index, LIKE does not. No key sorts after the last code point.
    rows = store.all(
        f"select key, metadata, expiration from kv where namespace = ? and key > ? and key >= ? and key < ?"
        f" and {LIVE} order by key limit ?",
        namespace,
        after,
        prefix,
        prefix + "\U0010ffff",
        store.clock.time(),
        limit + 1,
    )
    page = rows[:limit]
    return [described(row) for row in page], page[-1]["key"] if len(rows) > limit else ""


def described(row: Any) -> dict[str, Any]:
    """A key in listings, without fields that are not set."""
    found: dict[str, Any] = {"name": row["key"]}
    if row["expiration"] is not None:
        found["expiration"] = row["expiration"]
    if row["metadata"] is not None:
        found["metadata"] = json.loads(row["metadata"])
    return found


def collect_garbage(store: Store) -> None:
    """Delete expired keys. Reads skip them anyway."""
    with store.write() as db:
        db.execute("delete from kv where expiration <= ?", (store.clock.time(),))
