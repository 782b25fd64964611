# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""References of one object to others by name or id. A prediction looks them up, with one listing per kind."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._cloudflare.client import Client
from .._engine.fields import is_known
from .._worker.binding_types import KV_BY_TITLE, NO_KV_NAMESPACE, Binding


@dataclass(frozen=True)
class Kind:
    """A kind of object: its listing below the account, the key of its name, and the message for a missing one."""

    path: tuple[str, ...]
    key: str
    message: str
    params: t.Mapping[str, int] = field(default_factory=dict)

    def names(self, client: Client, jurisdiction: str) -> frozenset[str] | None:
        """Return the names of all objects; None if the credentials may not list them."""
        headers = {"cf-r2-jurisdiction": jurisdiction} if jurisdiction else None
        return client.values_if_allowed(self.key, client.account(*self.path), headers, **self.params)


CREATE = "Create it first, or correct"
NAMESPACE, WORKER = "dispatch namespace", "Worker"
KINDS: t.Mapping[str, Kind] = {
    WORKER: Kind(
        ("workers", "scripts"),
        "id",
        "There is no Worker {!r}: upload it first, with tenantry.cloudflare_workers.worker, or correct its name.",
    ),
    NAMESPACE: Kind(
        ("workers", "dispatch", "namespaces"),
        "namespace_name",
        "There is no dispatch namespace {!r}: create it first, with tenantry.cloudflare_workers.dispatch_namespace,"
        " or correct its name.",
    ),
    "kv_namespace": Kind(
        KV_BY_TITLE.path, "id", NO_KV_NAMESPACE.format("with the id {}"), {"per_page": KV_BY_TITLE.page}
    ),
    "d1": Kind(
        ("d1", "database"),
        "uuid",
        f"There is no D1 database with the id {{!r}}. {CREATE} database_id.",
        {"per_page": 10_000},
    ),
    "r2_bucket": Kind(
        ("r2", "buckets"),
        "name",
        f"There is no R2 bucket {{!r}}. {CREATE} bucket_name and jurisdiction.",
        {"per_page": 1000},
    ),
    "queue": Kind(
        ("queues",),
        "queue_name",
        "There is no queue {!r}. Create it first, with tenantry.cloudflare_workers.queue, or correct queue_name.",
    ),
    "hyperdrive": Kind(
        ("hyperdrive", "configs"), "id", f"There is no Hyperdrive configuration with the id {{!r}}. {CREATE} id."
    ),
    "vectorize": Kind(
        ("vectorize", "v2", "indexes"), "name", f"There is no Vectorize index {{!r}}. {CREATE} index_name."
    ),
    "secrets_store_secret": Kind(
        ("secrets_store", "stores"), "id", f"There is no Secrets Store with the id {{!r}}. {CREATE} store_id."
    ),
    "mtls_certificate": Kind(
        ("mtls_certificates",),
        "id",
        "There is no mTLS certificate with the id {!r}. Upload it first, or correct certificate_id.",
    ),
}
# The options of bindings that refer to another object, as paths, and the kinds of these objects.
BINDING_REFERENCES: t.Mapping[str, t.Mapping[tuple[str, ...], str]] = {
    "service": {("service",): WORKER},
    "durable_object_namespace": {("script_name",): WORKER, ("dispatch_namespace",): NAMESPACE},
    "workflow": {("script_name",): WORKER},
    "dispatch_namespace": {("namespace",): NAMESPACE, ("outbound", "worker", "service"): WORKER},
    "kv_namespace": {("namespace_id",): "kv_namespace"},
    "d1": {("database_id",): "d1"},
    "r2_bucket": {("bucket_name",): "r2_bucket"},
    "queue": {("queue_name",): "queue"},
    "hyperdrive": {("id",): "hyperdrive"},
    "vectorize": {("index_name",): "vectorize"},
    "secrets_store_secret": {("store_id",): "secrets_store_secret"},
    "mtls_certificate": {("certificate_id",): "mtls_certificate"},
}


@dataclass(frozen=True)
class Reference:
    """A reference to an object of this kind. ``jurisdiction`` is the one of an R2 bucket, empty for the default."""

    kind: str
    name: str
    jurisdiction: str = ""


def of_worker(
    name: str, bindings: t.Iterable[Binding], tail_consumers: t.Iterable[t.Mapping[str, t.Any]]
) -> t.Iterator[Reference]:
    """Yield the references of a Worker to other objects. Workers in a dispatch namespace are not looked up."""
    tails = ({"type": "service", "service": one["service"]} for one in tail_consumers if not one.get("namespace"))
    for binding in (*bindings, *tails):
        for path, kind in BINDING_REFERENCES.get(binding["type"], {}).items():
            target = _value(binding, path)
            in_namespace = kind == WORKER and binding.get("dispatch_namespace")
            if isinstance(target, str) and is_known(target) and not in_namespace and (kind, target) != (WORKER, name):
                yield Reference(kind, target, str(binding.get("jurisdiction") or ""))


def _value(binding: t.Any, path: t.Iterable[str]) -> t.Any:
    for key in path:
        binding = binding.get(key) if isinstance(binding, dict) else None
    return binding


def missing(client: Client, references: t.Iterable[Reference]) -> list[str]:
    """Return a message with the remedy for each reference to an object that does not exist."""
    messages = []
    for reference in dict.fromkeys(references):
        existing = KINDS[reference.kind].names(client, reference.jurisdiction)
        if existing is not None and reference.name not in existing:
            messages.append(missing_message(reference.kind, reference.name))
    return messages


def missing_message(kind: str, name: str) -> str:
    """Return the problem and the remedy for an object of this kind that does not exist."""
    return KINDS[kind].message.format(name)
