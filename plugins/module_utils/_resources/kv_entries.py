# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries of a KV namespace. Changed entries are written in bulk."""

from __future__ import annotations

import base64
import re
import time
import typing as t

from .._cloudflare.client import Client
from .._cloudflare.errors import CloudflareError
from .._engine.fields import UNKNOWN, Attributes, Field, OptionSpec, json_equal
from .._engine.info import Info
from .._engine.plan import Step
from .._engine.prune_limit import PruneLimit
from .._engine.resource import Observation, Resource
from .._engine.text import list_names
from .._worker.binding_types import NO_KV_NAMESPACE
from .kv_namespace import ROOT
from .kv_values import (
    METADATA_KEY,
    SIZE_LIMITS,
    bulk_delete,
    bulk_get,
    bulk_put,
    entry_from_bytes,
    get_value,
    get_values,
    has_digest_of_another_value,
    key_info,
    record_mark,
    resolve_namespace,
    serialize,
    without_mark,
)

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


def parse_entry(entry: t.Mapping[str, t.Any]) -> Attributes:
    """Validate and normalize one declared entry. Raise CloudflareError if Cloudflare cannot store it."""
    key, ttl = entry.get("key") or "", entry.get("expiration_ttl")
    if not key or key in (".", "..") or len(key.encode()) > SIZE_LIMITS["key"]:
        raise CloudflareError(f"entries: {key[:40]!r} cannot be a key: 1 to {SIZE_LIMITS['key']} bytes, not . or ..")
    if ttl is not None and entry.get("expiration") is not None:
        raise CloudflareError(f"entries: {key!r} has both expiration and expiration_ttl: set only one of them.")
    if ttl is not None and ttl < MIN_TTL:
        raise CloudflareError(
            f"entries: expiration_ttl of {key!r} is {ttl}: give at least {MIN_TTL} seconds, or null for no end."
        )
    value = None if entry.get("value") is None else _encode_value(key, entry["value"], bool(entry.get("base64")))
    metadata = serialize(entry.get("metadata")).encode()
    for name, encoded in (("value", value or b""), ("metadata", metadata)):
        if len(encoded) > SIZE_LIMITS[name]:
            raise CloudflareError(
                f"entries: {name} of {key!r} has {len(encoded)} bytes, and Cloudflare takes {SIZE_LIMITS[name]}:"
                " shorten it."
            )
    if value is not None and entry["value"] != UNKNOWN and has_digest_of_another_value(entry.get("metadata"), value):
        raise CloudflareError(
            f"entries: metadata of {key!r} has a digest of another value in {METADATA_KEY!r}, which namespaced_workers"
            f" would believe. Remove {METADATA_KEY!r} from it."
        )
    given = {name: entry[name] for name in ("metadata", "expiration") if name in entry}
    if "expiration_ttl" in entry:
        given |= {"expiration": None} if ttl is None else {"expiration_ttl": ttl}
    if value is None:
        return {**given, "base64": bool(entry.get("base64"))}
    return {**given, **({"value": UNKNOWN} if entry["value"] == UNKNOWN else entry_from_bytes(value))}


def _encode_value(key: str, value: t.Any, encoded: bool) -> bytes:
    if not encoded or value == UNKNOWN:
        return serialize(value).encode()
    packed = "".join(str(value).split())
    if not BASE64.fullmatch(packed):
        raise CloudflareError(
            f"entries: value of {key!r} is not base64: encode it, for example through b64encode, or leave base64 out."
        )
    return base64.b64decode(packed)


class KVEntries(Resource):
    """The declared entries of a KV namespace, and with ``prune`` all entries under the prefix.

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
        self._id: str = UNKNOWN
        self._declared: dict[str, Attributes] = {}
        self._prefix = options.get("prefix") or ""
        self._prune_limit = PruneLimit.parse(options["prune_limit"])
        if options["prune"] and (options["state"] == "absent" or options.get("prefix") is None):
            raise CloudflareError(
                "prune: the option needs prefix and state: present. Set prefix to the keys it may delete, or to ''"
                " for all keys."
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

    # -- current state -------------------------------------------------------------------------------------------------

    def observe(self) -> Observation:
        self._id, self._missing = resolve_namespace(self.client, self.options)
        current = {} if self._missing else self._read()
        exists = bool(current) if self.state == "absent" else not self._missing
        found = {"namespace_id": self._id, "entries": current} if exists else None
        return Observation(found, tuple(self._missing))

    def _read(self) -> dict[str, Attributes]:
        """Return the existing declared entries, and with ``prune`` the metadata of undeclared entries."""
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
        return {key["name"]: key_info(key) for key in keys or ()}

    def _read_texts(self, keys: t.Sequence[str]) -> dict[str, Attributes]:
        found = bulk_get(self.client, self._path(), keys)
        if found is None:
            self._set_namespace_missing()
        return {
            key: entry if "metadata" in entry else {**entry, **(self._read_key_info(key) or {})}
            for key, entry in (found or {}).items()
        }

    def _read_binary(self, key: str) -> Attributes | None:
        """Read a binary value, which no bulk read returns: metadata by a listing of this prefix, then the bytes."""
        info = self._read_key_info(key)
        if info is None or self.state == "absent":
            return info
        value = get_value(self.client, self._path(), key)
        return None if value is None else {**entry_from_bytes(value), **info}

    def _read_key_info(self, key: str) -> Attributes | None:
        answer = self.client.get_or_not_found(self._path("keys"), params={"prefix": key, "limit": 10})
        if answer.not_found_code:
            self._set_namespace_missing()
        return next((key_info(found) for found in answer.result or () if found["name"] == key), None)

    def _set_namespace_missing(self) -> None:
        self._missing = [NO_KV_NAMESPACE.format(f"with the id {self._id}")]

    # -- desired state ------------------------------------------------------------------------------------------------

    def desired(self, before: Attributes | None) -> Attributes:
        current = (before or {}).get("entries", {})
        return {"entries": {key: _merge_entry(current.get(key, {}), entry) for key, entry in self._declared.items()}}

    def plan_warnings(self, before: Attributes | None) -> t.Iterable[str]:
        written = _entries_to_write(before, self.desired(before)) if self.state == "present" else {}
        current: dict[str, Attributes] = before["entries"] if before else {}
        records = [key for key in written if "owner" in record_mark(current.get(key, {}).get("metadata"))]
        if records:
            yield (
                f"entries: this writes the keys of routing records, which namespaced_workers will overwrite:"
                f" {list_names(records)}. Declare their host names there instead."
            )

    def guard(self, before: Attributes | None, after: Attributes | None) -> None:
        if after is None:
            return
        for key, entry in _entries_to_write(before, after).items():
            if entry.get("expiration") is not None and entry["expiration"] < time.time() + MIN_TTL:
                raise CloudflareError(
                    f"entries: {key!r} expires at {entry['expiration']}, less than {MIN_TTL} s from now: correct it,"
                    " or give expiration_ttl."
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


def _is_managed(key: str, info: Attributes) -> bool:
    """Return whether namespaced_workers manages this key."""
    return key.startswith(f"{METADATA_KEY}/") or without_mark(info["metadata"]) != info["metadata"]


def _merge_entry(current: Attributes, entry: Attributes) -> Attributes:
    """Merge a declared entry into the current one.

    A write resets metadata and expiration that it does not mention, so those that the user omits are sent again,
    except the mark of a routing record, which contains a digest of the value before.
    """
    entry_after: Attributes = {
        **{name: current[name] for name in ("metadata", "expiration") if name in current},
        **entry,
    }
    ttl, expiration = entry_after.pop("expiration_ttl", None), current.get("expiration")
    if entry_after.get("expiration") is None:
        entry_after.pop("expiration", None)
    is_current = json_equal(entry_after, current)
    if is_current and (ttl is None or (expiration and expiration <= time.time() + ttl + CLOCK_SKEW)):
        return entry_after  # what is as it shall be goes on to its end, unless a new one's would come sooner
    if "metadata" in entry_after and "metadata" not in entry:
        entry_after["metadata"] = without_mark(entry_after["metadata"])
    if ttl is None:
        return entry_after
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
        return [{"key": key["name"], "expiration": None, **key_info(key)} for key in keys or ()]

    def fetch_details(self, chosen: t.Iterable[Attributes]) -> t.Iterable[Attributes]:
        entries = {entry["key"]: entry for entry in chosen}
        values = READERS[self.options["detail"]](self.client, self._path, list(entries)) or {}
        return [{**entries[key], **values[key]} for key in entries if key in values]
