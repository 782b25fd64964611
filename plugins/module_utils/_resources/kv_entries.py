# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries of a KV namespace. Changed entries are written in bulk."""

from __future__ import annotations

import base64
import json
import re
import time
import typing as t

from .._cloudflare.client import ApiResponse, Client, join
from .._cloudflare.errors import CloudflareError
from .._engine.fields import UNKNOWN, Attributes, Field, OptionSpec, json_equal
from .._engine.info import Info
from .._engine.plan import Step, json_body
from .._engine.prune_limit import PruneLimit
from .._engine.resource import Observation, Resource
from .._worker.bindings import KV_BY_TITLE, NO_KV_NAMESPACE
from .kv_namespace import ROOT, find_by_title

METADATA_KEY = "tenantry"  # marks the routing records' metadata, and prefixes the collection's own keys
MAX_BULK_READ, MAX_BULK_WRITE = 100, 10_000  # keys in one request
MAX_BULK_BYTES = 100_000_000  # bytes in one request
SIZE_LIMITS = {"key": 512, "value": 25 * 1024 * 1024, "metadata": 1024}  # bytes
MIN_TTL = 60  # seconds
CLOCK_SKEW = 60  # seconds of tolerated clock difference
BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")

ENTRY: dict[str, OptionSpec] = {
    "key": {"type": "str", "required": True, "no_log": False},
    "value": {"type": "raw"},
    "base64": {"type": "bool"},
    "metadata": {"type": "dict"},
    "expiration": {"type": "int"},
    "expiration_ttl": {"type": "int"},
}


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


def parse_entry(entry: t.Mapping[str, t.Any]) -> Attributes:
    """Validate and normalize one declared entry. Raise CloudflareError if Cloudflare cannot store it."""
    key, ttl = entry.get("key") or "", entry.get("expiration_ttl")
    if not key or key in (".", "..") or len(key.encode()) > SIZE_LIMITS["key"]:
        raise CloudflareError(f"entries: {key[:40]!r} cannot be a key: 1 to {SIZE_LIMITS['key']} bytes, not . or ..")
    if ttl is not None and entry.get("expiration") is not None:
        raise CloudflareError(f"entries: {key!r} has both expiration and expiration_ttl: give one of them.")
    if ttl is not None and ttl < MIN_TTL:
        raise CloudflareError(
            f"entries: expiration_ttl of {key!r} is {ttl}: give at least {MIN_TTL} seconds, or null for no end."
        )
    value = None if entry.get("value") is None else _encode_value(key, entry["value"], bool(entry.get("base64")))
    metadata = serialize(entry.get("metadata")).encode()
    for name, encoded in (("value", value or b""), ("metadata", metadata)):
        if len(encoded) > SIZE_LIMITS[name]:
            raise CloudflareError(
                f"entries: {name} of {key!r} has {len(encoded)} bytes, and Cloudflare takes {SIZE_LIMITS[name]}: shorten it."
            )
    given = {name: entry[name] for name in ("metadata", "expiration") if name in entry}
    if "expiration_ttl" in entry:
        given |= {"expiration": None} if ttl is None else {"expiration_ttl": ttl}
    return {**given, **entry_from_bytes(value)} if value is not None else {**given, "base64": bool(entry.get("base64"))}


def _encode_value(key: str, value: t.Any, encoded: bool) -> bytes:
    if not encoded or value == UNKNOWN:
        return serialize(value).encode()
    packed = "".join(str(value).split())
    if not BASE64.fullmatch(packed):
        raise CloudflareError(
            f"entries: value of {key!r} is not base64: encode it, for example through b64encode, or leave base64 out."
        )
    return base64.b64decode(packed)


def check_bulk_result(answer: ApiResponse) -> None:
    """Raise CloudflareError if a bulk write skipped keys."""
    failed_keys = (answer.result or {}).get("unsuccessful_keys") or []
    if failed_keys:
        raise CloudflareError(
            f"Cloudflare did not write {len(failed_keys)} of the keys, such as {failed_keys[0]!r}. Run again."
        )


def bulk_put(path: str, pairs: t.Iterable[Attributes]) -> list[Step]:
    """Return the writes that store C(pairs), each with C(key), C(value) and perhaps C(metadata). A value may be one that is made when it is sent."""

    def sent(some: t.Sequence[Attributes]) -> t.Callable[[], t.Mapping[str, t.Any]]:
        return lambda: {
            "json": [{**pair, "value": pair["value"]() if callable(pair["value"]) else pair["value"]} for pair in some]
        }

    return [Step("PUT", f"{path}/bulk", sent(some), check_bulk_result) for some in _batches(pairs)]


def _batches(pairs: t.Iterable[Attributes]) -> t.Iterator[list[Attributes]]:
    """Yield as many pairs at a time as one request may hold, by number and by size. A value that is not made yet may have any."""
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
    """Return the value of a key in the namespace at C(path), or None."""
    found = client.get_or_none(f"{path}{join('values', key)}")
    return found.content if found else None


def bulk_delete(path: str, keys: t.Sequence[str]) -> list[Step]:
    """Return the requests that delete C(keys)."""
    return [
        Step("POST", f"{path}/bulk/delete", json_body(keys[at : at + MAX_BULK_WRITE]), check_bulk_result)
        for at in range(0, len(keys), MAX_BULK_WRITE)
    ]


def bulk_get(client: Client, path: str, keys: t.Sequence[str]) -> dict[str, Attributes] | None:
    """Return the existing entries among C(keys), by key. Return None if the KV namespace does not exist."""
    found: dict[str, Attributes] = {}
    for at in range(0, len(keys), MAX_BULK_READ):
        answer = client.get_or_not_found(
            f"{path}/bulk/get",
            "POST",
            json={"keys": keys[at : at + MAX_BULK_READ], "type": "text", "withMetadata": True},
        )
        if answer.not_found_code:
            return None
        found |= {
            key: {"value": entry["value"], **_key_info(entry)}
            for key, entry in answer.result["values"].items()
            if entry is not None
        }
    return found


def get_values(client: Client, path: str, keys: t.Sequence[str]) -> dict[str, Attributes]:
    """Return the existing entries among C(keys), text or binary, with one request per key."""
    return {key: entry_from_bytes(value) for key in keys if (value := get_value(client, path, key)) is not None}


def resolve_namespace(client: Client, options: t.Mapping[str, t.Any]) -> tuple[str, list[str]]:
    """Return the id of the KV namespace given by C(namespace_id) or C(title), and the missing prerequisites."""
    if options.get("namespace_id"):
        unknown = options["namespace_id"] == UNKNOWN
        return options["namespace_id"], [NO_KV_NAMESPACE.format("yet")] if unknown else []
    found = find_by_title(client, options["title"])
    if found:
        return found["id"], []
    return UNKNOWN, [KV_BY_TITLE.missing_message.format(options["title"])]


class KVEntries(Resource):
    """The declared entries of a KV namespace, and with C(prune) all entries under the prefix.

    Writes are not read back, because KV is eventually consistent.
    """

    name = "kv_entries"
    identity = {"namespace_id": {"type": "str"}, "title": {"type": "str"}}
    fields = (
        Field("entries", {"type": "list", "elements": "dict", "required": True, "no_log": False, "options": ENTRY}),
    )
    behavior_options = {
        "prune": {"type": "bool", "default": False},
        "prefix": {"type": "str"},
        "prune_limit": {"type": "str", "default": "100"},
    }
    argument_rules = {"required_one_of": [("title", "namespace_id")], "mutually_exclusive": [("title", "namespace_id")]}
    verify_after_write = False

    def __init__(self, client: Client, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        self._id = UNKNOWN
        self._declared: dict[str, Attributes] = {}
        self._prefix = options.get("prefix") or ""
        self._prune_limit = PruneLimit.parse(options["prune_limit"])
        if options["prune"] and (options["state"] == "absent" or options.get("prefix") is None):
            raise CloudflareError(
                "prune: the option needs prefix and state: present. Set prefix to the keys it may delete, or to '' for all keys."
            )
        for entry in given.get("entries") or []:
            wanted, key = parse_entry(entry), entry["key"]
            if key in self._declared:
                raise CloudflareError(f"entries: {key!r} is declared twice: keep one of them.")
            if not key.startswith(self._prefix):
                raise CloudflareError(
                    f"entries: {key!r} does not begin with prefix {self._prefix!r}: correct one of them."
                )
            if options["state"] == "present" and "value" not in wanted:
                raise CloudflareError(
                    f"entries: {key!r} has no value: give it one, or remove the key with state: absent."
                )
            self._declared[key] = wanted

    @property
    def label(self) -> str:
        return f"entries of KV namespace {self.options.get('title') or self.options['namespace_id']!r}"

    def _path(self, *parts: str) -> str:
        return "/".join((f"{self.client.account(*ROOT)}/{self._id}", *parts))

    # -- current state -------------------------------------------------------------------------------------------------------

    def observe(self) -> Observation:
        self._id, self._missing = resolve_namespace(self.client, self.options)
        current = {} if self._missing else self._read()
        exists = bool(current) if self.options["state"] == "absent" else not self._missing
        found = {"namespace_id": self._id, "entries": current} if exists else None
        return Observation(found, tuple(self._missing))

    def _read(self) -> dict[str, Attributes]:
        """Return the existing declared entries, and with C(prune) the metadata of undeclared entries."""
        listed = self._listed() if self.options["prune"] else None
        keys = [key for key in self._declared if listed is None or key in listed]
        current = self._read_texts([key for key in keys if not self._declared[key].get("base64")])
        binary = [key for key in keys if self._declared[key].get("base64") and not self._missing]
        current |= {key: entry for key in binary if (entry := self._read_binary(key))}
        others = {
            key: info
            for key, info in (listed or {}).items()
            if key not in self._declared and not _is_managed(key, info)
        }
        return {**{key: current[key] for key in keys if key in current}, **others}

    def _listed(self) -> dict[str, Attributes]:
        keys = self.client.list_or_none(self._path("keys"), prefix=self._prefix, limit=1000)
        if keys is None:
            self._set_namespace_missing()
        return {key["name"]: _key_info(key) for key in keys or ()}

    def _read_texts(self, keys: t.Sequence[str]) -> dict[str, Attributes]:
        found = bulk_get(self.client, self._path(), keys)
        if found is None:
            self._set_namespace_missing()
        return found or {}

    def _read_binary(self, key: str) -> Attributes | None:
        """Read what no bulk read returns: first what is said of the key, which is the first of those that begin with it, then its bytes."""
        answer = self.client.get_or_not_found(self._path("keys"), params={"prefix": key, "limit": 10})
        if answer.not_found_code:
            self._set_namespace_missing()
        info = next((_key_info(found) for found in answer.result or () if found["name"] == key), None)
        if info is None or self.options["state"] == "absent":
            return info
        value = get_value(self.client, self._path(), key)
        return None if value is None else {**entry_from_bytes(value), **info}

    def _set_namespace_missing(self) -> None:
        self._missing = [NO_KV_NAMESPACE.format(f"with the id {self._id}")]

    # -- desired state ------------------------------------------------------------------------------------------------

    def desired(self, before: Attributes | None) -> Attributes:
        current = (before or {}).get("entries", {})
        return {"entries": {key: _merge_entry(current.get(key, {}), entry) for key, entry in self._declared.items()}}

    def guard(self, before: Attributes | None, after: Attributes | None) -> None:
        if after is None:
            return
        for key, entry in _entries_to_write(before, after).items():
            if entry.get("expiration") is not None and entry["expiration"] < time.time() + MIN_TTL:
                raise CloudflareError(
                    f"entries: {key!r} expires at {entry['expiration']}, less than {MIN_TTL} s from now: correct it, or give expiration_ttl."
                )
        undeclared, total = _keys_to_delete(before, after), len(before["entries"] if before else ())
        if not self._prune_limit.allows(len(undeclared), total):
            raise CloudflareError(
                f"prune: {len(undeclared)} keys are not declared, such as {undeclared[0]!r}, and prune_limit is"
                f" {self._prune_limit}. Set prune_limit: {self._prune_limit.raised_to(len(undeclared), total)}"
                " to delete all of them."
            )

    # -- requests ----------------------------------------------------------------------------------------------------

    def create(self, after: Attributes) -> t.Iterable[Step]:
        return self.update({"entries": {}}, {**after, "namespace_id": self._id}, ("entries",))

    def update(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> t.Iterable[Step]:
        entries = _entries_to_write(before, after)
        pairs = [
            {"key": key, **{name: value for name, value in entry.items() if value is not None}}
            for key, entry in entries.items()
        ]
        return [*bulk_put(self._path(), pairs), *bulk_delete(self._path(), _keys_to_delete(before, after))]

    def delete(self, before: Attributes) -> t.Iterable[Step]:
        return bulk_delete(self._path(), list(before["entries"]))

    def diff_view(self, thing: Attributes | None) -> Attributes:
        return thing["entries"] if thing else {}


def _key_info(found: t.Mapping[str, t.Any]) -> Attributes:
    """Return the metadata and expiration of a key."""
    return {
        "metadata": found.get("metadata"),
        **({"expiration": found["expiration"]} if found.get("expiration") else {}),
    }


def _is_managed(key: str, info: Attributes) -> bool:
    """Return whether namespaced_workers manages this key."""
    return key.startswith(f"{METADATA_KEY}/") or (
        isinstance(info["metadata"], dict) and METADATA_KEY in info["metadata"]
    )


def _merge_entry(current: Attributes, entry: Attributes) -> Attributes:
    """Lay an entry over what is there. A write resets what it does not mention: metadata and expiry that the user is silent about travel with it."""
    entry_after: Attributes = {
        **{name: current[name] for name in ("metadata", "expiration") if name in current},
        **entry,
    }
    ttl, expiration = entry_after.pop("expiration_ttl", None), current.get("expiration")
    if entry_after.get("expiration") is None:
        entry_after.pop("expiration", None)
    if ttl is None or (
        json_equal(entry_after, current) and expiration and expiration <= time.time() + ttl + CLOCK_SKEW
    ):
        return entry_after  # what is as it shall be goes on to its end, unless a new one's would come sooner
    entry_after.pop("expiration", None)
    return {**entry_after, "expiration_ttl": ttl}


def _entries_to_write(before: Attributes | None, after: Attributes) -> dict[str, Attributes]:
    current: dict[str, Attributes] = before["entries"] if before else {}
    return {key: entry for key, entry in after["entries"].items() if not json_equal(entry, current.get(key))}


def _keys_to_delete(before: Attributes | None, after: Attributes) -> list[str]:
    return [key for key in before["entries"] if key not in after["entries"]] if before else []


# The choices of detail, with the function that reads the values.
READERS: t.Mapping[str, t.Callable[[Client, str, t.Sequence[str]], dict[str, Attributes] | None]] = {
    "keys": lambda _client, _path, keys: {key: {} for key in keys},
    "values": bulk_get,
    "bytes": get_values,
}


class KVEntriesInfo(Info):
    """Information about the entries of a KV namespace. A listing contains everything except the values."""

    name, result_key = "kv_entries_info", "kv_entries"
    identity = KVEntries.identity
    behavior_options = {
        "prefix": {"type": "str"},
        "detail": {"type": "str", "choices": list(READERS), "default": "values"},
    }
    argument_rules = KVEntries.argument_rules

    def list_objects(self) -> t.Iterable[Attributes]:
        ident, missing = resolve_namespace(self.client, self.options)
        self._path = self.client.account(*ROOT, ident)
        keys = (
            None
            if missing
            else self.client.list_or_none(f"{self._path}/keys", limit=1000, prefix=self.options["prefix"])
        )
        return [{"key": key["name"], "expiration": None, **_key_info(key)} for key in keys or ()]

    def fetch_details(self, chosen: t.Iterable[Attributes]) -> t.Iterable[Attributes]:
        entries = {entry["key"]: entry for entry in chosen}
        values = READERS[self.options["detail"]](self.client, self._path, list(entries)) or {}
        return [{**entries[key], **values[key]} for key in entries if key in values]
