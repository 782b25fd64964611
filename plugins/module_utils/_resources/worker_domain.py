# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Custom domains: hostnames served by a Worker of the account, with a managed DNS record and certificate."""

from __future__ import annotations

import typing as t

from .._cloudflare.client import Client
from .._cloudflare.errors import CloudflareError
from .._cloudflare.hostnames import to_unicode
from .._engine.fields import Attributes, Field
from .._engine.info import Info
from .._engine.plan import Plan, Step, json_body
from .._engine.resource import Observation
from .references import WORKER, Reference, missing
from .zone import HOSTNAME, ZoneResource, both_forms, encoded_forms, normalize_hostname


def domains_path(client: Client, *domain: str) -> str:
    """Return the path of the custom domains of the account, or of one of them."""
    return client.account("workers", "domains", *domain)


def from_api(domain: Attributes) -> Attributes:
    """Convert an API object to a custom domain."""
    return {
        **both_forms("hostname", domain["hostname"]),
        "worker": domain.get("service"),
        **{key: domain.get(key) for key in ("zone_id", *WorkerDomain.computed)},
    }


class WorkerDomain(ZoneResource):
    """A custom domain, identified by its hostname. The API lists domains by account and creates them in a zone."""

    name = "worker_domain"
    identity = {"hostname": {"type": "str", "required": True}}
    fields = (Field("worker", {"type": "str", "aliases": ["service"]}),)
    behavior_options = {**ZoneResource.behavior_options, "take_over": {"type": "bool", "default": False}}
    computed = ("id", "cert_id", "zone_name")

    def __init__(self, client: Client, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        if not HOSTNAME.fullmatch(self.lookup_host):
            raise CloudflareError(
                f"hostname: {options['hostname']!r} is not a valid hostname: a custom domain has no wildcard and no"
                " path. Use worker_route for those."
            )
        if options["state"] == "present" and not options.get("worker"):
            raise CloudflareError(
                f"worker: {self.label} needs a Worker. Name it, or remove the custom domain with state: absent."
            )

    @property
    def lookup_host(self) -> str:
        return normalize_hostname(self.options["hostname"])

    def identity_values(self) -> Attributes:
        return encoded_forms("hostname", self.options["hostname"])

    @property
    def label(self) -> str:
        return f"custom domain {self.options['hostname']!r}"

    def _path(self, *parts: str) -> str:
        return domains_path(self.client, *parts)

    def observe(self) -> Observation:
        domains = self.client.list_all(self._path(), hostname=self.lookup_host)
        found = next((domain for domain in domains if normalize_hostname(domain["hostname"]) == self.lookup_host), None)
        if found:
            return Observation(from_api(found))
        return Observation(None, self._resolve_zone() if self.state == "present" else ())

    def guard(self, before: Attributes | None, after: Attributes | None) -> None:
        current_worker, worker = (before or {}).get("worker"), self.options.get("worker")
        if current_worker and worker and current_worker != worker and not self.options["take_over"]:
            raise CloudflareError(
                f"worker: {self.label} belongs to Worker {current_worker!r}. Set take_over: true to reassign it."
            )

    def missing_references(self, plan: Plan) -> list[str]:
        worker = (plan.after or {}).get("worker")
        return missing(self.client, [Reference(WORKER, worker)]) if worker else []

    def create(self, after: Attributes) -> t.Iterable[Step]:
        return [self._put(after)]

    def update(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> t.Iterable[Step]:
        return [self._put(after)] if changed else []

    def delete(self, before: Attributes) -> t.Iterable[Step]:
        return [Step("DELETE", self._path(before["id"]))]

    def _put(self, after: Attributes) -> Step:
        return Step(
            "PUT",
            self._path(),
            json_body({"hostname": self.lookup_host, "service": after["worker"], "zone_id": after["zone_id"]}),
        )


class WorkerDomainInfo(Info):
    """Information about the custom domains of the account."""

    name, result_key = "worker_domain_info", "worker_domains"
    fields = (
        Field("hostname", {"type": "str"}, normalize_hostname),
        Field("worker", {"type": "str", "aliases": ["service"]}),
        Field("zone_id", {"type": "str"}),
    )
    behavior_options = {"zone": {"type": "str"}}
    argument_rules = WorkerDomain.argument_rules

    def list_objects(self) -> t.Iterable[Attributes]:
        zone = normalize_hostname(self.options["zone"] or "")
        domains = self.client.list_all(
            domains_path(self.client),
            service=self.options["worker"],
            zone_id=self.options["zone_id"],
            zone_name=zone if zone and to_unicode(zone) == zone else None,
        )
        return [from_api(domain) for domain in domains if zone in ("", normalize_hostname(domain["zone_name"]))]
