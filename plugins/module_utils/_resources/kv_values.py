# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys and values of a KV namespace: how they are read, and written in bulk."""

from __future__ import annotations

import base64
import json
import typing as t
from functools import partial

from .._cloudflare.client import Client, join
from .._cloudflare.errors import CloudflareError
from .._cloudflare.responses import ApiResponse, parse_json
from .._engine.fields import UNKNOWN, Attributes
from .._engine.plan import Step
from .._worker.binding_types import KV_BY_TITLE, NO_KV_NAMESPACE
from .._worker.fingerprint import fingerprint

METADATA_KEY = "tenantry"  # marks the routing records' metadata, and prefixes the collection's own keys
LEDGER_KEY_PREFIX = f"{METADATA_KEY}/ledger/"  # followed by the owner; the slashes keep it apart from host names
MARK_FIELDS = ("owner", "worker", "digest")
MAX_BULK_READ, MAX_BULK_WRITE = 100, 10_000  # keys in one request
MIN_BULK_READ = 8  # keys: fewer are read one by one if a bulk read of them is refused
REPLACEMENT = "\ufffd"  # in a text, it may stand for bytes that are not UTF-8
MAX_BULK_BYTES = 100_000_000  # bytes in one request
SIZE_LIMITS = {"key": 512, "value": 25 * 1024 * 1024, "metadata": 1024}  # bytes


Check = t.Callable[[t.Sequence[str]], None]  # of the keys of one write


def accept(keys: t.Sequence[str]) -> None:
    """Check nothing."""


def serialize(value: t.Any) -> str:
    """Serialize a value: strings unchanged, everything else as JSON."""
    return (
        value
        if isinstance(value, str)
        else json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    )


def entry_from_bytes(value: bytes) -> Attributes:
    """Convert stored bytes to an entry: UTF-8 as text, anything else in base64."""
    text = value.decode(errors="ignore")
    return {"value": text} if text.encode() == value else {"value": base64.b64encode(value).decode(), "base64": True}


def key_info(found: t.Mapping[str, t.Any]) -> Attributes:
    """Return the metadata and expiration of a key."""
    return {
        "metadata": found.get("metadata"),
        **({"expiration": found["expiration"]} if found.get("expiration") else {}),
    }


def record_mark(metadata: t.Any) -> dict[str, str]:
    """Return the mark of a routing record in a key's metadata, which may be any JSON value; empty without one."""
    mark = metadata.get(METADATA_KEY) if isinstance(metadata, dict) else None
    texts = mark.items() if isinstance(mark, dict) else ()
    return {name: value for name, value in texts if name in MARK_FIELDS and isinstance(value, str)}


def is_part_key(key: str, owner: str) -> bool:
    """Whether a key belongs to the ledger of an owner."""
    base = LEDGER_KEY_PREFIX + owner
    return key == base or (key.startswith(f"{base}/") and key[len(base) + 1 :].isdecimal())


def belongs_to(owner: str, key: t.Mapping[str, t.Any]) -> bool:
    """Return whether a listed key is a routing record of this owner, or a part of the owner's ledger."""
    return is_part_key(key["name"], owner) or record_mark(key.get("metadata")).get("owner") == owner


def has_digest_of_another_value(metadata: t.Any, value: bytes) -> bool:
    """Whether the mark in the metadata has a digest that is not of this value."""
    return record_mark(metadata).get("digest") not in (None, fingerprint(parse_json(value)))


def without_mark(metadata: t.Any) -> t.Any:
    """Return the metadata of a key without the mark of a routing record; None if nothing else is left."""
    if not isinstance(metadata, dict) or METADATA_KEY not in metadata:
        return metadata
    return {name: value for name, value in metadata.items() if name != METADATA_KEY} or None


def check_stored_count(count: int, answer: ApiResponse) -> None:
    """Raise CloudflareError if a bulk write of ``count`` keys skipped some."""
    check_bulk_result(answer)
    stored = answer.result.get("successful_key_count")
    if isinstance(stored, int) and stored < count:
        raise CloudflareError(f"Cloudflare wrote {stored} of {count} keys. Run again.")


def check_bulk_result(answer: ApiResponse) -> None:
    """Raise CloudflareError if a bulk write or deletion skipped keys."""
    failed_keys = answer.result["unsuccessful_keys"]
    if failed_keys:
        raise CloudflareError(
            f"Cloudflare did not write {len(failed_keys)} of the keys, such as {failed_keys[0]!r}. Run again."
        )


def bulk_put(path: str, pairs: t.Iterable[Attributes], check: Check = accept) -> list[Step]:
    """Return the writes that store pairs with ``key``, ``value`` and optionally ``metadata``.

    A callable value is called when it is sent. ``check`` is called before, with the keys of one write, and may raise.
    """

    def request(batch: t.Sequence[Attributes]) -> t.Mapping[str, t.Any]:
        check([pair["key"] for pair in batch])
        return {"json": [{**pair, "value": _value_to_send(pair["value"])} for pair in batch]}

    return [
        Step("PUT", f"{path}/bulk", partial(request, batch), partial(check_stored_count, len(batch)))
        for batch in _batches(pairs)
    ]


def _value_to_send(value: t.Any) -> t.Any:
    return value() if callable(value) else value


def _batches(pairs: t.Iterable[Attributes]) -> t.Iterator[list[Attributes]]:
    """Yield as many pairs as fit into one request, by number and size. A callable value counts as the largest."""
    batch: list[Attributes] = []
    remaining_bytes = MAX_BULK_BYTES
    for pair in pairs:
        size = SIZE_LIMITS["value"] if callable(pair["value"]) else len(json.dumps(pair)) + 2
        if batch and (len(batch) == MAX_BULK_WRITE or size > remaining_bytes):
            yield batch
            batch, remaining_bytes = [], MAX_BULK_BYTES
        batch.append(pair)
        remaining_bytes -= size
    if batch:
        yield batch


def get_value(client: Client, path: str, key: str) -> bytes | None:
    """Return the value of a key in the namespace at ``path``, or None."""
    found = client.get_or_none(f"{path}{join('values', key)}")
    return found.content if found else None


def bulk_delete(path: str, keys: t.Sequence[str], check: Check = accept) -> list[Step]:
    """Return the writes that delete ``keys``. ``check`` is called before one is sent, with its keys, and may raise."""

    def request(batch: t.Sequence[str]) -> t.Mapping[str, t.Any]:
        check(batch)
        return {"json": batch}

    batches = (keys[at : at + MAX_BULK_WRITE] for at in range(0, len(keys), MAX_BULK_WRITE))
    return [Step("POST", f"{path}/bulk/delete", partial(request, batch), check_bulk_result) for batch in batches]


def bulk_get(client: Client, path: str, keys: t.Sequence[str]) -> dict[str, Attributes] | None:
    """Return the existing entries among ``keys``, by key. Return None if the KV namespace does not exist.

    A binary value, which no bulk read returns, is read alone. Its entry has no metadata.
    """
    found: dict[str, Attributes] = {}
    for at in range(0, len(keys), MAX_BULK_READ):
        batch = _get_batch(client, path, keys[at : at + MAX_BULK_READ])
        if batch is None:
            return None
        found |= batch
    return found


def _get_batch(client: Client, path: str, keys: t.Sequence[str]) -> dict[str, Attributes] | None:
    """Read a batch. If Cloudflare refuses it because of a binary value, read its halves, and the rest of it alone."""
    body = {"keys": keys, "type": "text", "withMetadata": True}
    answer = client.get_or_refused(f"{path}/bulk/get", "POST", json=body)
    if answer is None and len(keys) <= MIN_BULK_READ:
        return get_values(client, path, keys)
    if answer is None:
        halves = (keys[: len(keys) // 2], keys[len(keys) // 2 :])
        batches = [batch for half in halves if (batch := _get_batch(client, path, half)) is not None]
        return {key: entry for batch in batches for key, entry in batch.items()}
    if answer.not_found_code:
        return None
    texts = {
        key: {"value": entry["value"], **key_info(entry)}
        for key, entry in answer.result["values"].items()
        if entry is not None
    }
    return texts | get_values(client, path, [key for key, entry in texts.items() if REPLACEMENT in entry["value"]])


def get_values(client: Client, path: str, keys: t.Sequence[str]) -> dict[str, Attributes]:
    """Return the existing entries among ``keys``, text or binary, with one request per key."""
    return {key: entry_from_bytes(value) for key in keys if (value := get_value(client, path, key)) is not None}


def resolve_namespace(client: Client, options: t.Mapping[str, t.Any]) -> tuple[str, list[str]]:
    """Return the id of the KV namespace given by ``namespace_id`` or ``title``, and the missing prerequisites."""
    if options.get("namespace_id"):
        unknown = options["namespace_id"] == UNKNOWN
        return options["namespace_id"], [NO_KV_NAMESPACE.format("yet")] if unknown else []
    found = KV_BY_TITLE.find(client, options["title"])
    if found:
        return found["id"], []
    return UNKNOWN, [KV_BY_TITLE.missing_message.format(options["title"])]
