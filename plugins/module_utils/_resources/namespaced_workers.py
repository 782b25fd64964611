# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All Workers of one owner in a dispatch namespace, and the routing records that lead to them."""

from __future__ import annotations

import re
import typing as t

from .._cloudflare.errors import CloudflareError
from .._engine.bulk import MAX_DETAILED_RESULTS, BulkResource, InvalidElement
from .._engine.bulk_member import BulkMember, PlannedMember, planned
from .._engine.fields import Attributes
from .._engine.plan import BulkStep
from .._engine.prune_limit import PruneLimit
from .._engine.resource import ApiObject
from .._engine.text import list_names
from .._worker import source
from .._worker.fingerprint import find_owner
from .declared_workers import (
    add_secrets,
    by_name,
    check_named,
    hosts_of,
    route_warnings,
    undeclared_warnings,
    worker_by_host,
)
from .dispatch_namespace import scripts_path
from .fleet_ledger import FleetLedger
from .ledger import Ledger
from .namespaced_worker import PAGE_SIZE, NamespacedWorker, deletion_by_owner, script_from_answer, tags_of
from .references import NAMESPACE, missing_message
from .routing_records import RecordListing, RoutingRecords, claimed_message, list_records, records_to_result
from .script.base import Script
from .script.mapping import fingerprint_tag_text
from .script.planner import ScriptPlan
from .script.warnings import plan_warnings

HOST = re.compile(r"^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9])?$")
COMMON_OPTIONS = (
    "owner",
    "fingerprint_key",
    "update_secrets",
    "take_over",
    "allow_replace",
    "drift_detection",
    "rebundle",
    "source_root",
    source.PACKED_SOURCES,
)  # given once, for all Workers
MERGED_OPTIONS = ("vars", "secrets")  # by key; everything else that a tenant gives replaces the default

# No defaults: an option that a tenant omits may be in defaults.
WORKER_SPEC: dict[str, t.Any] = {
    name: {key: value for key, value in spec.items() if key != "default"}
    for name, spec in Script.spec().items()
    if name not in COMMON_OPTIONS
}


def merge(defaults: t.Mapping[str, t.Any], tenant: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Merge a tenant into the defaults.

    A tenant's own code, from any source, replaces the default code; bundler options stay for an own entrypoint.
    """
    own_code = any(tenant.get(way) is not None for way in source.SOURCE_OPTIONS)
    kept = source.BUNDLING_OPTIONS if tenant.get("entrypoint") is not None else ()
    base = {
        name: value for name, value in defaults.items() if not (own_code and name in source.SPEC and name not in kept)
    }
    merged = {
        name: {**base[name], **tenant[name]}
        for name in MERGED_OPTIONS
        if isinstance(base.get(name), dict) and isinstance(tenant.get(name), dict)
    }
    return {**base, **tenant, **merged}


class NamespacedWorkers(BulkResource):
    """The Workers of one owner. Without ``workers``, ``state: absent`` means all of them."""

    name = "namespaced_workers"
    identity = {"dispatch_namespace": {"type": "str", "required": True, "aliases": ["namespace"]}}
    list_option = "workers"
    behavior_options = {
        "workers": {
            "type": "list",
            "elements": "dict",
            "options": {
                "name": {"type": "str", "required": True},
                "hostnames": {"type": "list", "elements": "str"},
                **WORKER_SPEC,
            },
        },
        "workers_file": {"type": "path"},
        "allow_braces": {"type": "bool", "default": False},
        "secrets_by_worker": {"type": "dict", "no_log": True},
        "route_patterns": {"type": "list", "elements": "str"},
        "defaults": {"type": "dict", "options": WORKER_SPEC},
        "routing_kv": {
            "type": "dict",
            "options": {"title": {"type": "str"}, "namespace_id": {"type": "str"}},
            "required_one_of": [("title", "namespace_id")],
            "mutually_exclusive": [("title", "namespace_id")],
        },
        "prune": {"type": "bool", "default": False},
        "prune_limit": {"type": "str", "default": "10%"},
        **BulkResource.batch_options,
        **{name: spec for name, spec in Script.spec().items() if name in COMMON_OPTIONS},
    }

    def __init__(self, client: t.Any, user_params: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, user_params, options)
        self._check_selection()
        self._all_of_owner = "workers" not in user_params
        self._secrets: t.Mapping[str, t.Any] = user_params.get("secrets_by_worker") or {}
        self._workers = add_secrets(by_name(user_params.get("workers") or []), self._secrets)
        if options["prune"]:
            check_named(self._workers)
        self._hosts = worker_by_host(self._workers)
        self._route_warnings = route_warnings(self._hosts, options.get("route_patterns"))
        self._prune_limit = PruneLimit.parse(options["prune_limit"])
        self._defaults = user_params.get("defaults") or {}
        self._option_defaults = {option: spec["default"] for option, spec in Script.spec().items() if "default" in spec}
        self._common = {option: options.get(option) for option in ("dispatch_namespace", *COMMON_OPTIONS)}
        self._listed: dict[str, Attributes] = {}
        self._ledger: FleetLedger | None = None  # until the first refresh
        self._records: RecordListing | None = None  # without routing_kv, and with state: absent
        self._to_prune: list[str] = []
        self._routing_records: RoutingRecords | None = None

    def _check_selection(self) -> None:
        """Refuse options that leave open which Workers are meant, before the first request."""
        params, options = self.user_params, self.options
        # An empty variable must not select all Workers: null is refused, and only a missing option means all.
        if ("workers" in params or options["state"] == "present") and params.get("workers") is None:
            raise CloudflareError("workers: give the Workers that are meant, if only an empty list, or workers_file.")
        if "workers_file" in params:  # the front end has read it, unless workers is not a list
            raise CloudflareError("workers_file: its Workers are added to workers, which must be a list, or left out.")
        if "workers" not in params and "owner" not in params:
            raise CloudflareError("owner: name the owner: without workers, state: absent removes all of its Workers.")
        if options["prune"] and (options["state"] == "absent" or "owner" not in params):
            raise CloudflareError("prune: name the owner whose Workers it may remove. Omit prune with state: absent.")

    @property
    def label(self) -> str:
        return f"Workers in dispatch namespace {self.options['dispatch_namespace']!r}"

    @property
    def warnings(self) -> list[str]:
        found = [*undeclared_warnings(self._workers, self._secrets), *self._route_warnings]
        return [] if self.state == "absent" else found

    def plan_warnings(self, members: t.Sequence[PlannedMember]) -> list[str]:
        plans = [t.cast(ScriptPlan, member.plan) for member in members]
        return plan_warnings(plans, (member.resource.user_params for member in members))

    # -- the current Workers -------------------------------------------------------------------------------------------

    def _path(self, *parts: str) -> str:
        return scripts_path(self.client, self.options["dispatch_namespace"], *parts)

    def refresh(self, names: t.Collection[str] | None = None) -> None:
        if self._ledger:
            self._ledger.mark_written(names or ())
        # Members share this mapping, so they observe the latest listing.
        if names is not None and len(names) <= len(self._listed) // PAGE_SIZE:
            self._listed.update((name, script) for name in names if (script := self._read(name)))
            return
        scripts = self.client.list_or_none(self._path(), limit=PAGE_SIZE)
        self.missing = [missing_message(NAMESPACE, self.options["dispatch_namespace"])] if scripts is None else []
        self._listed.clear()
        self._listed.update((script["id"], script) for script in scripts or ())
        if self._ledger is None:
            self._ledger = self._read_ledger()
            routing_kv = self.options.get("routing_kv")
            if routing_kv and self.state == "present":
                self._records = list_records(self.client, {**routing_kv, "owner": self.options["owner"]})

    def _read_ledger(self) -> FleetLedger:
        """Load the ledger, unless no Worker exists, or all go and their tags are listed."""
        namespace, owner = self.options["dispatch_namespace"], self.options["owner"]
        needed = (
            self.options.get("routing_kv")
            and self._listed
            and not (self._all_of_owner and all("tags" in script for script in self._listed.values()))
        )
        loaded = Ledger.load(self.client, self.options["routing_kv"], owner, namespace) if needed else Ledger({})
        return FleetLedger(loaded, self._listed, self._tags, namespace, owner)

    def _read(self, name: str) -> Attributes | None:
        """Read one Worker, which costs less than the whole listing."""
        self._listed.pop(name, None)
        return script_from_answer(self.client.get_or_not_found(self._path(name)), name)

    def names(self) -> t.Iterable[str]:
        return self._owned_names() if self._all_of_owner else list(self._workers)

    def _owned_names(self) -> list[str]:
        """Return the names of the existing Workers of this owner."""
        return [name for name in self._listed if find_owner(self._tags(name)) == self.options["owner"]]

    def names_to_prune(self) -> t.Collection[str]:
        if not self.options["prune"]:
            return ()
        # A Worker that no longer exists, or has another owner, is one of them as long as records of this owner lead
        # to it: a listing that lacks Workers must not remove the records of all.
        owned = dict.fromkeys(self._owned_names())
        records = self._records.records_of(self.options["owner"]) if self._records else {}
        recorded = [worker for host, worker in records.items() if host not in self._hosts]
        names = dict.fromkeys((*owned, *records.values()))
        self._to_prune = gone = [name for name in dict.fromkeys((*owned, *recorded)) if name not in self._workers]
        limit = self._prune_limit
        if not limit.allows(len(gone), len(names)):
            raise CloudflareError(
                f"prune: {len(gone)} of the {len(names)} Workers of owner {self.options['owner']!r} are not declared"
                " and would be removed, which is more than"
                f" prune_limit ({limit}): {list_names(gone)}. {_only_recorded(gone, owned)}Nothing was changed. Declare"
                f" them, or set prune_limit: {limit.raised_to(len(gone), len(names))} to delete all of them."
            )
        return [name for name in gone if name in owned]

    def _tags(self, name: str) -> list[str]:
        script = self._listed[name]
        if "tags" not in script and self._ledger and (tags := self._ledger.tags(script)):
            script["tags"] = tags
        return tags_of(self.client, self._path(name), script)

    def build_resource(self, name: str, state: str) -> NamespacedWorker:
        declared = self._workers.get(name, {})
        if isinstance(declared, InvalidElement):
            raise CloudflareError(declared.error)
        self._check_hosts(hosts_of(declared))
        params = {**merge(self._defaults, declared), "name": name}
        options = {**self._option_defaults, **params, **self._common, "state": state}
        worker = NamespacedWorker(self.client, params, options)
        worker.listing, worker.needs_full_read = self._listed, self.needs_full_read
        worker.ledger_entry = self._ledger.entry(name) if self._ledger else None
        return worker

    def _check_hosts(self, hosts: t.Iterable[str]) -> None:
        """Raise CloudflareError for a host name that cannot be looked up, or that belongs to another owner."""
        for host in hosts:
            if not HOST.fullmatch(host):
                raise CloudflareError(
                    f"hostnames: {host!r} is not a valid host name. Each is looked up as it is, so a wildcard would"
                    " never be found."
                )
            holder = self._records.owner_of(host) if self._records else None
            if holder not in (None, self.options["owner"]):
                raise CloudflareError(claimed_message(host, str(holder)))

    # -- records and ledger --------------------------------------------------------------------------------------------

    def linked_resource(self, members: t.Sequence[BulkMember]) -> ApiObject | None:
        routing_kv, names = self.options.get("routing_kv"), {member.name for member in members}
        if not routing_kv:
            return None
        absent = self.state == "absent"
        # The removal of some Workers leaves the records of the others.
        state = "absent" if absent and self._all_of_owner else "present"
        self._routing_records = RoutingRecords(
            self.client,
            {
                "records": {} if absent else {host: name for host, name in self._hosts.items() if name in names},
                "workers": names | set(self._to_prune),
                "declared_hosts": set() if absent else set(self._hosts),
                "ledger": {} if absent or self._ledger is None else self._ledger.values(self.client, planned(members)),
            },
            {
                **routing_kv,
                "owner": self.options["owner"],
                "drift_detection": self.options["drift_detection"],
                "state": state,
            },
        )
        return self._routing_records

    def removal_blocker(self, name: str, linked: PlannedMember | None) -> str:
        holder = find_owner(self._listed.get(name, {}).get("tags") or [])
        if holder not in (None, self.options["owner"]):
            return f"It stays, since owner {holder!r} has taken it since the run began."
        records = ((linked.plan.after if linked else None) or {}).get("records") or {}
        hosts = ", ".join(host for host, worker in records.items() if worker == name)
        return f"It stays, since it still answers for {hosts}: the Worker that replaces it failed." if hosts else ""

    def taken_error(self, member: PlannedMember) -> str:
        holder = find_owner(self._tags(member.name)) if self.was_overwritten(member) else None
        if holder in (None, self.options["owner"]):
            return ""
        return f"Owner {holder!r} has taken the Worker since this run wrote it. Decide which of the two declares it."

    def was_overwritten(self, member: PlannedMember) -> bool:
        comparison = t.cast(ScriptPlan, member.plan).comparison
        tags = self._listed.get(member.name, {}).get("tags")
        if comparison is None or tags is None or member.resource.state == "absent":
            return False
        before = comparison.snapshot.tags if comparison.snapshot else []
        return fingerprint_tag_text(tags) not in (fingerprint_tag_text(before), comparison.receipt.fingerprint_tag)

    def bulk_step(self, pending: t.Sequence[PlannedMember]) -> BulkStep | None:
        if not self._all_of_owner or len(pending) < 2:
            return None
        return deletion_by_owner(self._path(), self.options["owner"])

    def extra_results(self, members: t.Sequence[BulkMember], linked: PlannedMember | None) -> dict[str, t.Any]:
        removed = {
            member.name
            for member in planned(members)
            if member.resource.state == "absent" and member.changed and not member.failure
        }
        remaining = {"workers": len([name for name in self._listed if name not in removed])}
        if self._routing_records is None:
            return {"remaining": remaining}
        changed = {member.name for member in members if member.changed}
        return {
            "remaining": {**remaining, "kv_keys": self._routing_records.foreign_key_count},
            # If there are many Workers, only the records of changed ones.
            "routing_kv": records_to_result(
                linked.final_state if linked else None, changed if len(members) > MAX_DETAILED_RESULTS else None
            ),
        }


def _only_recorded(gone: t.Sequence[str], owned: t.Container[str]) -> str:
    """Return a sentence about the Workers that do not exist or have another owner."""
    names = [name for name in gone if name not in owned]
    return f"Of {list_names(names)}, only the routing records belong to this owner. " if names else ""
