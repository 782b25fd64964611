# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The routing records of one owner: one key per host name, in the KV namespace that the router reads.

The metadata of each key stores a digest and the owner, so a listing shows the differences and other owners' records.
The ledger of the owner is stored in the same KV namespace.
"""

from __future__ import annotations

import typing as t

from .._cloudflare.client import Client
from .._cloudflare.errors import CloudflareError
from .._cloudflare.hostnames import to_unicode
from .._cloudflare.responses import parse_json
from .._engine.fields import Attributes, Field, Placeholder
from .._engine.plan import Plan, Step
from .._engine.resource import Observation, Resource
from .._worker.binding_types import NO_KV_NAMESPACE
from .._worker.fingerprint import canonical, fingerprint
from .kv_namespace import ROOT
from .kv_values import (
    MAX_BULK_READ,
    METADATA_KEY,
    bulk_delete,
    bulk_get,
    bulk_put,
    is_part_key,
    record_mark,
    resolve_namespace,
)

PAGE_SIZE = 1000  # keys in one page of the list
UNKNOWN_WORKER = Placeholder("(unknown)")
DEEP = ("settings", "content")  # depths of drift detection at which the values are compared


class RecordListing(t.NamedTuple):
    """The keys of a KV namespace, except the ledger of the owner. ``marks`` has an empty mark for others' keys."""

    namespace_id: str
    missing: tuple[str, ...]
    marks: t.Mapping[str, t.Mapping[str, str]]
    expiring: frozenset[str]
    ledger_keys: list[str]

    def owner_of(self, host: str) -> str | None:
        """Return the owner of a record, None if there is none."""
        return self.marks.get(host, {}).get("owner")

    def records_of(self, owner: str) -> dict[str, str]:
        """Return the records of an owner: host name -> Worker."""
        return {
            host: mark.get("worker", UNKNOWN_WORKER) for host, mark in self.marks.items() if mark.get("owner") == owner
        }


def list_records(client: Client, options: t.Mapping[str, t.Any]) -> RecordListing:
    """List the keys of the KV namespace ``title`` or ``namespace_id``. The client caches them until its next write."""
    namespace_id, missing = resolve_namespace(client, options)
    keys = None if missing else client.list_or_none(f"{client.account(*ROOT, namespace_id)}/keys", limit=PAGE_SIZE)
    if keys is None and not missing:
        missing = [NO_KV_NAMESPACE.format(f"with the id {namespace_id}")]
    owner = options["owner"]
    return RecordListing(
        namespace_id,
        tuple(missing),
        {key["name"]: record_mark(key.get("metadata")) for key in keys or () if not is_part_key(key["name"], owner)},
        frozenset(key["name"] for key in keys or () if key.get("expiration")),
        [key["name"] for key in keys or () if is_part_key(key["name"], owner)],
    )


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
    those of ``declared_hosts``) and ``ledger`` (the keys of the ledger to write, with callables that return their
    values once the Workers are written). With ``state: absent`` all records of the owner are deleted.
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
        return f"{self.client.account(*ROOT)}/{self._listing.namespace_id}"  # unquoted: it may be a placeholder

    def observe(self) -> Observation:
        self._listing = list_records(self.client, self.options)
        own_records = self._listing.records_of(self.options["owner"])
        self.foreign_key_count = len(self._listing.marks) - len(own_records)
        self._drifted = self._values_drifted()
        found_records = {**own_records, **self._drifted}
        exists = own_records or self._listing.ledger_keys or self.state != "absent"
        found = {"namespace_id": self._listing.namespace_id, "records": found_records} if exists else None
        return Observation(found, self._listing.missing)

    def observe_written(self, plan: Plan) -> Observation:
        # Only records show whether a write was carried out. The next run writes a ledger that was lost.
        self.user_params = {**self.user_params, "ledger": {}}
        return self.observe()

    def can_verify(self, plan: Plan, step: Step) -> bool:
        return step.method == "POST" or bool(self._pairs_to_write())

    def _values_drifted(self) -> dict[str, str]:
        """Return the Workers in the values of declared records that differ, if drift detection compares values."""
        if self.options["drift_detection"] not in DEEP:
            return {}
        hosts = [host for host in self.user_params["records"] if self._has_mark(host)]
        found = (bulk_get(self.client, self._path(), hosts) if hosts else None) or {}
        values = {host: found.get(host, {}).get("value") for host in hosts}
        drifted = {host: _worker_of(value) for host, value in values.items() if value != self._pair(host)["value"]}
        # Another difference than the Worker is not shown.
        return {
            host: UNKNOWN_WORKER if worker == self.user_params["records"][host] else worker
            for host, worker in drifted.items()
        }

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
        removed = [host for host in before["records"] if host not in after["records"]]
        ledger = [{"key": key, "value": value} for key, value in self.user_params["ledger"].items()]
        return [
            *bulk_put(self._path(), [*self._pairs_to_write(), *ledger], self._refuse_claimed),
            *bulk_delete(self._path(), removed, self._refuse_taken),
        ]

    def delete(self, before: Attributes) -> t.Iterable[Step]:
        return bulk_delete(self._path(), [*before["records"], *self._listing.ledger_keys], self._refuse_taken)

    def _pairs_to_write(self) -> list[Attributes]:
        return [
            self._pair(host)
            for host in self.user_params["records"]
            if host in self._drifted or not self._has_mark(host)
        ]

    def _has_mark(self, host: str) -> bool:
        """Whether the listing shows the record as it is declared."""
        mark = self._pair(host)["metadata"][METADATA_KEY]
        return self._listing.marks.get(host) == mark and host not in self._listing.expiring

    # Minutes of uploads may lie between the listing and the writes, so other owners' records are looked for again.

    def _refuse_claimed(self, keys: t.Sequence[str]) -> None:
        """Raise CloudflareError if one of these keys has the record of another owner."""
        hosts = [key for key in keys if key in self.user_params["records"]]
        for host, mark in self._current_marks(hosts).items():
            if mark.get("owner") not in (None, self.options["owner"]):
                raise CloudflareError(claimed_message(host, mark["owner"]))

    def _refuse_taken(self, keys: t.Sequence[str]) -> None:
        """Raise CloudflareError if one of these records is no longer this owner's."""
        hosts = [key for key in keys if key in self._listing.marks]
        for host, mark in self._current_marks(hosts).items():
            if mark.get("owner") != self.options["owner"]:
                raise CloudflareError(
                    f"hostnames: another client has written the record of {host} since the run began. Run again."
                )

    def _current_marks(self, hosts: t.Sequence[str]) -> dict[str, t.Mapping[str, str]]:
        """Return the marks that these keys have now, in the fewest requests: none if the listing is still cached."""
        if not hosts:
            return {}
        if -(-len(hosts) // MAX_BULK_READ) < len(self._listing.marks) / PAGE_SIZE:
            entries = bulk_get(self.client, self._path(), hosts) or {}
            return {host: record_mark(entry["metadata"]) for host, entry in entries.items() if "metadata" in entry}
        marks = list_records(self.client, {**self.options, "namespace_id": self._listing.namespace_id}).marks
        return {host: marks[host] for host in hosts if host in marks}

    def _pair(self, host: str) -> Attributes:
        worker = self.user_params["records"][host]
        value = {"worker": worker, "state": "active"}
        mark = {"owner": self.options["owner"], "worker": worker, "digest": fingerprint(value)}
        return {"key": host, "value": canonical(value).decode(), "metadata": {METADATA_KEY: mark}}


def claimed_message(host: str, owner: str) -> str:
    """Return the error of a host name whose record belongs to another owner."""
    return f"hostnames: {host} belongs to owner {owner!r} in routing_kv. Remove it there first."


def _worker_of(value: t.Any) -> str:
    """Return the Worker in the value of a key."""
    found = parse_json(str(value).encode())
    worker = found.get("worker") if isinstance(found, dict) else None
    return worker if isinstance(worker, str) else UNKNOWN_WORKER
