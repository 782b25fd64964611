# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries of a KV namespace: only those that differ are written, in bulk."""

from __future__ import annotations

import json
import typing as t

from .._cloudflare.client import Answer, Client, join
from .._cloudflare.errors import CloudflareError
from .._engine.resource import UNKNOWN, Field, Object, Resource, Step, body, identical
from .kv_namespace import NO_NAMESPACE, ROOT, find_by_title

MOST_READ, MOST_WRITTEN = 100, 10_000  # keys in one request
LONGEST_KEY = 512  # bytes


def text_of(value: t.Any) -> str:
    """Return what is stored: a string as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def stored(answer: Answer) -> None:
    """Refuse an answer that left keys out."""
    left = (answer.result or {}).get("unsuccessful_keys") or []
    if left:
        raise CloudflareError(f"Cloudflare did not write {len(left)} of the keys, such as {left[0]!r}. Run again.")


def bulk_put(path: str, pairs: t.Sequence[Object]) -> list[Step]:
    """Return the writes that store C(pairs), each with C(key), C(value) and perhaps C(metadata). A value may be one that is made when it is sent."""

    def sent(some: t.Sequence[Object]) -> t.Callable[[], t.Mapping[str, t.Any]]:
        return lambda: {"json": [{**pair, "value": pair["value"]() if callable(pair["value"]) else pair["value"]} for pair in some]}

    return [Step("PUT", f"{path}/bulk", sent(pairs[at : at + MOST_WRITTEN]), stored) for at in range(0, len(pairs), MOST_WRITTEN)]


def value_at(client: Client, path: str, key: str) -> bytes | None:
    """Return what is stored under a key, below the path of its namespace; None where nothing is."""
    found = client.find(f"{path}{join('values', key)}")
    return found.content if found else None


def bulk_delete(path: str, keys: t.Sequence[str]) -> list[Step]:
    """Return the writes that remove C(keys)."""
    return [Step("POST", f"{path}/bulk/delete", body(keys[at : at + MOST_WRITTEN]), stored) for at in range(0, len(keys), MOST_WRITTEN)]


def find_namespace(client: Client, options: t.Mapping[str, t.Any]) -> tuple[str, list[str]]:
    """Return the id of the KV namespace that C(namespace_id) or C(title) names, and what is missing where there is none."""
    if options.get("namespace_id"):
        unknown = options["namespace_id"] == UNKNOWN
        return options["namespace_id"], [NO_NAMESPACE.format("yet")] if unknown else []
    found = find_by_title(client, options["title"])
    if found:
        return found["id"], []
    return UNKNOWN, [NO_NAMESPACE.format(f"titled {options['title']!r}")]


class KVEntries(Resource):
    """The entries that one task declares, and no others. Proven by the answer: KV may take a minute to be read back."""

    name = "kv_entries"
    identity = {"namespace_id": {"type": "str"}, "title": {"type": "str"}}
    fields = (
        Field(
            "entries",
            {
                "type": "list",
                "elements": "dict",
                "required": True,
                "no_log": False,
                "options": {
                    "key": {"type": "str", "required": True, "no_log": False},
                    "value": {"type": "raw"},
                    "metadata": {"type": "dict"},
                },
            },
        ),
    )
    rules = {"required_one_of": [("title", "namespace_id")], "mutually_exclusive": [("title", "namespace_id")]}
    reads_back = False

    def __init__(self, client: Client, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        self._id = UNKNOWN
        self._declared: dict[str, Object] = {}
        for entry in given.get("entries") or []:
            key = entry.get("key") or ""
            if not key or key in (".", "..") or len(key.encode()) > LONGEST_KEY:
                raise CloudflareError(f"entries: {key[:40]!r} cannot be a key: 1 to {LONGEST_KEY} bytes, not . or ..")
            if key in self._declared:
                raise CloudflareError(f"entries: {key!r} is declared twice: keep one of them.")
            if options["state"] == "present" and entry.get("value") is None:
                raise CloudflareError(f"entries: {key!r} has no value: give it one, or remove the key with state: absent.")
            self._declared[key] = {**{name: entry[name] for name in ("metadata",) if name in entry}, "value": text_of(entry.get("value"))}

    @property
    def label(self) -> str:
        return f"entries of KV namespace {self.options.get('title') or self.options['namespace_id']!r}"

    def _path(self, *parts: str) -> str:
        return "/".join((f"{self.client.account(*ROOT)}/{self._id}", *parts))

    def observe(self) -> Object | None:
        self._id, self.missing = find_namespace(self.client, self.options)
        keys = list(self._declared)
        there: dict[str, Object] = {}
        for at in range(0, 0 if self.missing else len(keys), MOST_READ):
            question = {"keys": keys[at : at + MOST_READ], "type": "text", "withMetadata": True}
            answer = self.client.look(self._path("bulk", "get"), "POST", json=question)
            if answer.absent:
                self.missing = [NO_NAMESPACE.format(f"with the id {self._id}")]
                break
            there |= {key: entry for key, entry in answer.result["values"].items() if entry is not None}
        exists = bool(there) if self.options["state"] == "absent" else not self.missing
        return {"namespace_id": self._id, "entries": {key: there[key] for key in keys if key in there}} if exists else None

    def wanted(self, before: Object | None) -> Object:
        there = (before or {}).get("entries", {})
        # A write resets what it does not mention: metadata and expiry that the user is silent about travel with it.
        return {"entries": {key: {**there.get(key, {}), **entry} for key, entry in self._declared.items()}}

    def create(self, after: Object) -> t.Iterable[Step]:
        return self.update({"entries": {}}, {**after, "namespace_id": self._id}, ("entries",))

    def update(self, before: Object, after: Object, changed: t.Collection[str]) -> t.Iterable[Step]:
        differing = {key: entry for key, entry in after["entries"].items() if not identical(entry, before["entries"].get(key))}
        pairs = [{"key": key, **{name: value for name, value in entry.items() if value is not None}} for key, entry in differing.items()]
        return bulk_put(self._path(), pairs)

    def delete(self, before: Object) -> t.Iterable[Step]:
        return bulk_delete(self._path(), list(before["entries"]))

    def shown(self, thing: Object | None) -> Object:
        return thing["entries"] if thing else {}
