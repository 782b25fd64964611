# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole fleet of one owner in a dispatch namespace, and the records by which the router finds it."""

from __future__ import annotations

import json
import re
import typing as t

from .._cloudflare.errors import CloudflareError
from .._engine.fleet import MAX_DETAILED_RESULTS, MAX_NAMES_IN_MESSAGE, BulkMember, BulkResource, InvalidElement
from .._engine.prune_limit import PruneLimit
from .._engine.resource import Attributes, Resource, Step
from .._worker import bindings, source
from .._worker.fingerprint import OWNER_PREFIX, find_fingerprint_tag, find_owner
from .dispatch_namespace import scripts_path
from .ledger import Ledger, load_ledger
from .namespaced_worker import NamespacedWorker, namespace_missing_message, script_from_answer, tags_of
from .routing_records import RoutingRecords
from .script import Script
from .script_mapping import (
    fingerprint_tag_text,
    modified_after_upload,
    outdated_bundle_warnings,
    unknown_binding_warnings,
)
from .secrets import uncompared_secrets_warnings

PAGE_SIZE = 1000  # Workers in one answer of the listing
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
)  # said once
MERGED_OPTIONS = ("vars", "secrets")  # by key; everything else that a tenant gives replaces the default

# No defaults: what a tenant is silent about may be in the defaults of the fleet.
WORKER_SPEC: dict[str, t.Any] = {
    name: {key: value for key, value in spec.items() if key != "default"}
    for name, spec in Script.spec().items()
    if name not in COMMON_OPTIONS
}


def merge(defaults: t.Mapping[str, t.Any], tenant: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Lay a tenant over the defaults. A tenant's own code, from wherever, replaces the default code; how to bundle stays for what is bundled."""
    own_code = any(tenant.get(way) is not None for way in source.SOURCE_OPTIONS)
    kept = ("esbuild_path", *source.BUNDLER_OPTIONS) if tenant.get("entrypoint") is not None else ()
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
    """The Workers of one owner, as one task wants them. Without C(workers), C(state=absent) means all of that owner's."""

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

    def __init__(self, client: t.Any, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        self._listed: dict[str, Attributes] = {}
        self._resources: list[NamespacedWorker] = []
        self._routing_records: RoutingRecords | None = None
        self._ledger: Ledger | None = None  # until the first look
        self._workers: dict[str, Attributes] = {}
        for position, worker in enumerate(given.get("workers") or [], 1):
            name = worker.get("name")
            if not name:
                raise CloudflareError(f"workers: number {position} has no name: give each its own.")
            if name in self._workers:
                raise CloudflareError(
                    f"workers: {name!r} is declared twice: names must be unique in a dispatch namespace."
                )
            self._workers[str(name)] = worker
        # A variable that came to nothing must not mean all of them: null is refused, only silence is everyone.
        if ("workers" in given or options["state"] == "present") and given.get("workers") is None:
            raise CloudflareError("workers: give the Workers that are meant, if only an empty list, or workers_file.")
        if "workers_file" in given:  # it was read before, unless it stood beside what is no list
            raise CloudflareError(
                "workers_file: what it declares is added to workers: give a list there, or leave it out."
            )
        self._all_of_owner = "workers" not in given
        if self._all_of_owner and "owner" not in given:
            raise CloudflareError(
                "owner: say whose Workers are to be removed: without workers, state: absent means all of that owner's."
            )
        if options["prune"] and (options["state"] == "absent" or "owner" not in given):
            raise CloudflareError(
                "prune: say by owner whose Workers it may remove, and leave it out with state: absent."
            )
        self._prune_limit = PruneLimit.parse(options["prune_limit"])
        self._to_prune: list[str] = []
        self._hosts = self._read_hosts()
        self._defaults = given.get("defaults") or {}
        self._option_defaults = {option: spec["default"] for option, spec in Script.spec().items() if "default" in spec}
        self._common = {option: options.get(option) for option in ("dispatch_namespace", *COMMON_OPTIONS)}

    def _read_hosts(self) -> dict[str, str]:
        hosts: dict[str, str] = {}
        for name, worker in self._workers.items():
            for host in _hosts_of(worker):
                if hosts.setdefault(host, name) != name:
                    raise CloudflareError(
                        f"hostnames: {host} is declared for {hosts[host]} and for {name}: a host name leads to one Worker."
                    )
        return hosts

    @property
    def label(self) -> str:
        return f"Workers in dispatch namespace {self.options['dispatch_namespace']!r}"

    @property
    def warnings(self) -> list[str]:
        built = self._resources
        unknown = {label for worker in built for label in bindings.unknown_types(worker.user_params)}
        return [
            *uncompared_secrets_warnings(sum(worker.uncompared_count for worker in built)),
            *outdated_bundle_warnings(sum(worker.is_outdated_bundle for worker in built)),
            *unknown_binding_warnings(unknown),
        ]

    # -- what is there -------------------------------------------------------------------------------------------------

    def _path(self, *parts: str) -> str:
        return scripts_path(self.client, self.options["dispatch_namespace"], *parts)

    def refresh(self, names: t.Collection[str] | None = None) -> None:
        for name in names or ():  # of what was written since
            (self._ledger or {}).pop(name, None)
        # The members hold this very mapping: what they observe is always the latest look.
        if names is not None and len(names) <= len(self._listed) // PAGE_SIZE:
            self._listed.update((name, script) for name in names if (script := self._read(name)))
            return
        scripts = self.client.list_or_none(self._path(), limit=PAGE_SIZE)
        self.missing = [namespace_missing_message(self.options["dispatch_namespace"])] if scripts is None else []
        self._listed.clear()
        self._listed.update((script["id"], script) for script in scripts or ())
        if self._ledger is None:
            self._ledger = self._read_ledger()

    def _read_ledger(self) -> Ledger:
        """Read it before the first write, unless nobody is there of whom it could tell, or all of them go whatever it tells."""
        needed = (
            self.options.get("routing_kv")
            and self._listed
            and not (self._all_of_owner and all("tags" in script for script in self._listed.values()))
        )
        return load_ledger(self.client, self.options["routing_kv"], self.options["owner"]) if needed else {}

    def _read(self, name: str) -> Attributes | None:
        """Read one Worker where that is less than the whole listing."""
        self._listed.pop(name, None)
        return script_from_answer(self.client.get_or_not_found(self._path(name)))

    def names(self) -> t.Iterable[str]:
        return self._owned_names() if self._all_of_owner else list(self._workers)

    def _owned_names(self) -> list[str]:
        """Return the names of the Workers that are this owner's by their tags."""
        return [name for name in self._listed if find_owner(self._tags(name)) == self.options["owner"]]

    def names_to_prune(self) -> t.Collection[str]:
        if not self.options["prune"]:
            return ()
        owned, limit = self._owned_names(), self._prune_limit
        self._to_prune = gone = [name for name in owned if name not in self._workers]
        if not limit.allows(len(gone), len(owned)):
            raise CloudflareError(
                f"prune: {len(gone)} of the {len(owned)} Workers of owner {self.options['owner']!r} are not declared and would be removed, which is more than"
                f" prune_limit ({limit}): {', '.join(gone[:MAX_NAMES_IN_MESSAGE])}"
                f"{', ...' if gone[MAX_NAMES_IN_MESSAGE:] else ''}. Nothing was changed. Declare them,"
                f" or set prune_limit: {limit.raised_to(len(gone), len(owned))} to delete all of them."
            )
        return gone

    def _tags(self, name: str) -> list[str]:
        script = self._listed[name]
        if "tags" not in script and (tags := self._tags_from_ledger(script)):
            script["tags"] = tags
        return tags_of(self.client, self._path(name), script)

    def _tags_from_ledger(self, script: Attributes) -> list[str]:
        """Return the tags of a Worker that nobody has touched since they were noted."""
        ledger_entry = (self._ledger or {}).get(script["id"], ())
        if len(ledger_entry) < 4 or list(ledger_entry[1:3]) != [script.get("etag"), script.get("modified_on")]:
            return []
        return [*ledger_entry[3].get("tags", ()), OWNER_PREFIX + self.options["owner"], ledger_entry[0]]

    def build_resource(self, name: str, state: str) -> Resource:
        declared = self._workers.get(name, {})
        if isinstance(declared, InvalidElement):
            raise CloudflareError(declared.error)
        for host in _hosts_of(declared):
            if not HOST.fullmatch(host):
                raise CloudflareError(
                    f"hostnames: {host!r} is no host name: each is looked up as it is, so a wildcard would never be found."
                )
        given = {**merge(self._defaults, declared), "name": name}
        worker = NamespacedWorker(
            self.client, given, {**self._option_defaults, **given, **self._common, "state": state}
        )
        worker.listing, worker.needs_full_read = self._listed, self.needs_full_read
        ledger_entry = (self._ledger or {}).get(name, [])
        if name in self._listed and ledger_entry[:1] == [
            fingerprint_tag_text(self._tags(name))
        ]:  # else it was stamped since, as worker_secrets does
            worker.ledger_entry = ledger_entry
        self._resources.append(worker)
        return worker

    # -- what goes with them -------------------------------------------------------------------------------------------

    def linked_resource(self, members: t.Sequence[BulkMember]) -> Resource | None:
        registry, names = self.options.get("routing_kv"), {member.name for member in members}
        if not registry:
            return None
        absent = self.options["state"] == "absent"
        records = {} if absent else {host: name for host, name in self._hosts.items() if name in names}
        state = (
            "absent" if absent and self._all_of_owner else "present"
        )  # of some of them: the records of the others stay
        options = {**registry, "owner": self.options["owner"], "state": state}
        given = {
            "records": records,
            "workers": names | set(self._to_prune),
            "declared_hosts": set() if absent else set(self._hosts),
        }
        # Only after a write: what others have changed is read, and mended or stamped, before it is noted.
        ledger_unchanged = absent or not any(member.plan.steps for member in members)
        self._routing_records = RoutingRecords(
            self.client,
            {**given, "ledger": lambda: json.dumps(self._build_ledger(members)), "ledger_unchanged": ledger_unchanged},
            options,
        )
        return self._routing_records

    def _build_ledger(self, members: t.Iterable[BulkMember]) -> Ledger:
        """Return the ledger as it shall be: these Workers as the latest listing reports them, others of this owner as they were noted."""
        listed_members = [
            member for member in members if member.name in self._listed and not self._modified_since_write(member.name)
        ]
        entries = {member.name: self._ledger_entry(member) for member in listed_members}
        return {**{name: entry for name, entry in (self._ledger or {}).items() if name in self._listed}, **entries}

    def _modified_since_write(self, name: str) -> bool:
        """Whether others seem to have written a Worker since this run did: then it is not noted, and the next run reads it."""
        return modified_after_upload(find_fingerprint_tag(self._tags(name)), self._listed[name])

    def _ledger_entry(self, member: BulkMember) -> list[t.Any]:
        script, ledger_entry = self._listed[member.name], (self._ledger or {}).get(member.name, [])
        current = [fingerprint_tag_text(self._tags(member.name)), script.get("etag"), script.get("modified_on")]
        if ledger_entry[:3] == current or not member.plan.steps:
            return ledger_entry if ledger_entry[:3] == current else current
        return [
            *current,
            *t.cast(NamespacedWorker, member.require_resource).ledger_memo(t.cast(Attributes, member.plan.after)),
        ]

    def removal_blocker(self, name: str, companion: BulkMember) -> str:
        referencing_hosts = [
            host for host, worker in ((companion.plan.after or {}).get("records") or {}).items() if worker == name
        ]
        return (
            f"It stays, since it still answers for {', '.join(referencing_hosts)}: the Worker that shall do so failed."
            if referencing_hosts
            else ""
        )

    def bulk_step(self, due: t.Sequence[BulkMember]) -> Step | None:
        if not self._all_of_owner or len(due) < 2:
            return None
        # An unfiltered deletion of this collection would take every tenant: the filter is never empty and always positive.
        owned = {"tags": f"{OWNER_PREFIX}{self.options['owner']}:yes"}
        return Step("DELETE", self._path(), lambda: {"params": owned})

    def extra_results(self, members: t.Sequence[BulkMember], companion: BulkMember | None) -> dict[str, t.Any]:
        removed_names = {
            member.name for member in members if member.state == "absent" and member.plan.steps and not member.failure
        }
        remaining = {"workers": len([name for name in self._listed if name not in removed_names])}
        if self._routing_records is None:
            return {"remaining": remaining}
        return {
            "remaining": {**remaining, "kv_keys": self._routing_records.foreign_key_count},
            "routing_kv": self._result_records(members, companion),
        }

    @staticmethod
    def _result_records(members: t.Sequence[BulkMember], companion: BulkMember | None) -> Attributes | None:
        """Return what is told of the records: of a large fleet only those of Workers that changed."""
        records = companion.reached if companion else None
        if records is None or len(members) <= MAX_DETAILED_RESULTS:
            return records
        changed = {member.name for member in members if member.changed}
        return {**records, "records": {host: name for host, name in records["records"].items() if name in changed}}


def _hosts_of(worker: t.Mapping[str, t.Any]) -> list[str]:
    hosts = worker.get("hostnames") or []
    return [host.lower() for host in hosts if isinstance(host, str)] if isinstance(hosts, list) else []
