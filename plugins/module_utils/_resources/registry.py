# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The records that the router reads: one key for each host name, in the KV namespace of the platform.

A digest and the owner stand in the key's metadata, so that a listing shows what differs and what is not ours.

Beside them is the ledger of each owner, under one key: how the API told of each Worker when this collection had last written it. What
is told otherwise since was changed by somebody else.
"""

from __future__ import annotations

import typing as t

from .._cloudflare.client import Client, parse_json
from .._cloudflare.errors import CloudflareError
from .._engine.resource import Field, Object, Resource, Step
from .._worker.bindings import NO_KV_NAMESPACE
from .._worker.fingerprint import canonical, fingerprint
from .kv_entries import OURS, bulk_delete, bulk_put, find_namespace, value_at
from .kv_namespace import ROOT

LEDGER = f"{OURS}/ledger/"  # and the owner: a key that is no host name

Ledger = dict[str, list[t.Any]]  # Worker -> stamp, etag, modified_on


def read_ledger(client: Client, options: t.Mapping[str, t.Any], owner: str) -> Ledger:
    """Return an owner's ledger; an empty one where there is none, or none that can be read."""
    ident, missing = find_namespace(client, options)
    text = None if missing else value_at(client, f"{client.account(*ROOT)}/{ident}", LEDGER + owner)
    told = parse_json(text or b"")
    return {name: entry for name, entry in told.items() if _is_entry(entry)} if isinstance(told, dict) else {}


def _is_entry(entry: t.Any) -> bool:
    return (
        isinstance(entry, list)
        and len(entry) in (3, 4)
        and all(isinstance(remembered, dict) for remembered in entry[3:])
    )


class Registry(Resource):
    """The records of one owner. C(given) holds C(records), host name -> Worker, and C(workers), whose other records go but for
    those of host names that are C(declared); C(ledger) says what the ledger shall hold, once everything else is written, and C(noted)
    whether it needs no writing.

    Absent, all of that owner's records go.
    """

    name = "registry"
    fields = (Field("records", None),)
    reads_back = False

    others = 0
    """How many keys of the KV namespace are not this owner's."""

    @property
    def label(self) -> str:
        return f"records in KV namespace {self.options.get('title') or self.options['namespace_id']!r}"

    def _path(self) -> str:
        return f"{self.client.account(*ROOT)}/{self._id}"

    def observe(self) -> Object | None:
        self._id, self.missing = find_namespace(self.client, self.options)
        keys = None if self.missing else self.client.list_or_none(f"{self._path()}/keys", limit=1000)
        if keys is None and not self.missing:
            self.missing = [NO_KV_NAMESPACE.format(f"with the id {self._id}")]
        ledger = LEDGER + self.options["owner"]
        self._ledgers = [key["name"] for key in keys or () if key["name"] == ledger]
        marks = {
            key["name"]: (key.get("metadata") or {}).get(OURS) or {} for key in keys or () if key["name"] != ledger
        }
        self._digests = {host: mark.get("digest") for host, mark in marks.items()}
        holders = {host: mark["owner"] for host, mark in marks.items() if mark.get("owner")}
        taken = next(
            (
                host
                for host in self.given["records"]
                if holders.get(host, self.options["owner"]) != self.options["owner"]
            ),
            None,
        )
        if taken:
            raise CloudflareError(
                f"hostnames: {taken} belongs to owner {holders[taken]!r} in {self.label}: remove it there first."
            )
        ours = {host: mark.get("worker") for host, mark in marks.items() if mark.get("owner") == self.options["owner"]}
        self.others = len(marks) - len(ours)
        return (
            {"namespace_id": self._id, "records": ours}
            if ours or self._ledgers or self.options["state"] != "absent"
            else None
        )

    def wanted(self, before: Object | None) -> Object:
        # A host name that moves to a Worker which failed keeps its record until that one is there.
        there = (before or {"records": {}})["records"]
        stay = {
            host: worker
            for host, worker in there.items()
            if worker not in self.given["workers"] or host in self.given["declared"]
        }
        return {"records": {**stay, **self.given["records"]}}

    def create(self, after: Object) -> t.Iterable[Step]:
        raise AssertionError("the records of an owner are always there, if none of them")

    def update(self, before: Object, after: Object, changed: t.Collection[str]) -> t.Iterable[Step]:
        pairs = [self._pair(host, worker) for host, worker in self.given["records"].items()]
        gone = [host for host in before["records"] if host not in after["records"]]
        due = [pair for pair in pairs if self._digests.get(pair["key"]) != pair["metadata"][OURS]["digest"]]
        return [
            *bulk_put(self._path(), [*due, *([] if self.given["noted"] else [self._noted()])]),
            *(bulk_delete(self._path(), gone) if gone else []),
        ]

    def delete(self, before: Object) -> t.Iterable[Step]:
        return bulk_delete(self._path(), [*before["records"], *self._ledgers])

    def _noted(self) -> Object:
        return {"key": LEDGER + self.options["owner"], "value": self.given["ledger"]}

    def _pair(self, host: str, worker: str) -> Object:
        value = {"worker": worker, "state": "active"}
        mark = {"owner": self.options["owner"], "worker": worker, "digest": fingerprint(value)}
        return {"key": host, "value": canonical(value).decode(), "metadata": {OURS: mark}}
