# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The routing records of one owner: one key per host name, in the KV namespace that the router reads.

The metadata of each key stores a digest and the owner, so a listing shows the differences and other owners' records.
The ledger of the owner is stored in the same KV namespace.
"""

from __future__ import annotations

import typing as t

from .._cloudflare.errors import CloudflareError
from .._cloudflare.hostnames import to_unicode
from .._engine.fields import Attributes, Field
from .._engine.plan import Step
from .._engine.resource import Observation, Resource
from .._worker.binding_types import NO_KV_NAMESPACE
from .._worker.fingerprint import canonical, fingerprint
from .kv_namespace import ROOT
from .kv_values import METADATA_KEY, bulk_delete, bulk_put, resolve_namespace
from .ledger import LEDGER_KEY_PREFIX


def records_to_result(found: Attributes | None, workers: t.Collection[str] | None) -> Attributes | None:
    """Return routing records as a result, with the Unicode form of international host names.

    ``workers`` restricts the result to their records.
    """
    if found is None:
        return None
    records = {host: name for host, name in found["records"].items() if workers is None or name in workers}
    international = {host: to_unicode(host) for host in records if to_unicode(host) != host}
    return {**found, "records": records, "hostnames_unicode": international}


class RoutingRecords(Resource):
    """The records of one owner, and the owner's ledger.

    ``user_params`` holds ``records`` (host name -> Worker), ``workers`` (their other records are deleted, except
    those of ``declared_hosts``), ``ledger`` (a callable that returns the ledger's value once the Workers are written)
    and ``ledger_unchanged``. With ``state: absent`` all records of the owner are deleted.
    """

    name = "routing_kv"
    fields = (Field("records", None),)
    verify_after_write = False

    foreign_key_count = 0
    """The number of keys in the KV namespace that belong to others."""

    @property
    def label(self) -> str:
        return f"records in KV namespace {self.options.get('title') or self.options['namespace_id']!r}"

    def _path(self) -> str:
        return f"{self.client.account(*ROOT)}/{self._id}"

    def observe(self) -> Observation:
        self._id, missing = resolve_namespace(self.client, self.options)
        keys = None if missing else self.client.list_or_none(f"{self._path()}/keys", limit=1000)
        if keys is None and not missing:
            missing = [NO_KV_NAMESPACE.format(f"with the id {self._id}")]
        ledger = LEDGER_KEY_PREFIX + self.options["owner"]
        self._ledger_keys = [key["name"] for key in keys or () if key["name"] == ledger]
        metadata_by_key = {key["name"]: _mark(key.get("metadata")) for key in keys or () if key["name"] != ledger}
        self._digests = {host: mark.get("digest") for host, mark in metadata_by_key.items()}
        owner_by_host = {host: mark["owner"] for host, mark in metadata_by_key.items() if mark.get("owner")}
        conflicting_host = next(
            (
                host
                for host in self.user_params["records"]
                if owner_by_host.get(host, self.options["owner"]) != self.options["owner"]
            ),
            None,
        )
        if conflicting_host:
            raise CloudflareError(
                f"hostnames: {conflicting_host} belongs to owner {owner_by_host[conflicting_host]!r} in {self.label}:"
                " remove it there first."
            )
        own_records = {
            host: mark.get("worker")
            for host, mark in metadata_by_key.items()
            if mark.get("owner") == self.options["owner"]
        }
        self.foreign_key_count = len(metadata_by_key) - len(own_records)
        exists = own_records or self._ledger_keys or self.state != "absent"
        found = {"namespace_id": self._id, "records": own_records} if exists else None
        return Observation(found, tuple(missing))

    def desired(self, before: Attributes | None) -> Attributes:
        # A host name that moves to a Worker that failed keeps its record until that Worker exists.
        current = (before or {"records": {}})["records"]
        kept_records = {
            host: worker
            for host, worker in current.items()
            if worker not in self.user_params["workers"] or host in self.user_params["declared_hosts"]
        }
        return {"records": {**kept_records, **self.user_params["records"]}}

    def create(self, after: Attributes) -> t.Iterable[Step]:
        raise AssertionError("the records of an owner always exist, even if there are none")

    def update(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> t.Iterable[Step]:
        pairs = [self._pair(host, worker) for host, worker in self.user_params["records"].items()]
        removed = [host for host in before["records"] if host not in after["records"]]
        changed_pairs = [
            pair for pair in pairs if self._digests.get(pair["key"]) != pair["metadata"][METADATA_KEY]["digest"]
        ]
        return [
            *bulk_put(
                self._path(), [*changed_pairs, *([] if self.user_params["ledger_unchanged"] else [self._ledger_pair()])]
            ),
            *(bulk_delete(self._path(), removed) if removed else []),
        ]

    def delete(self, before: Attributes) -> t.Iterable[Step]:
        return bulk_delete(self._path(), [*before["records"], *self._ledger_keys])

    def _ledger_pair(self) -> Attributes:
        return {"key": LEDGER_KEY_PREFIX + self.options["owner"], "value": self.user_params["ledger"]}

    def _pair(self, host: str, worker: str) -> Attributes:
        value = {"worker": worker, "state": "active"}
        mark = {"owner": self.options["owner"], "worker": worker, "digest": fingerprint(value)}
        return {"key": host, "value": canonical(value).decode(), "metadata": {METADATA_KEY: mark}}


def _mark(metadata: t.Any) -> Attributes:
    """Return this collection's part of a key's metadata, which may be any JSON value."""
    mark = metadata.get(METADATA_KEY) if isinstance(metadata, dict) else None
    return mark if isinstance(mark, dict) else {}
