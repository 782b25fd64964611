# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole fleet of one owner in a dispatch namespace, and the records by which the router finds it."""

from __future__ import annotations

import json
import re
import typing as t

from .._cloudflare.errors import CloudflareError
from .._engine.fleet import Fleet, Member
from .._engine.resource import Object, Resource, Step
from .._worker import bindings, source
from .._worker.fingerprint import OWNER, owner_in
from .dispatch_namespace import scripts_path
from .namespaced_worker import NamespacedWorker, no_namespace
from .registry import Ledger, Registry, read_ledger
from .script import Script
from .script_told import outdated_bundles, stamp_tag, unknown_bindings
from .secrets import uncompared_secrets

HOST = re.compile(r"^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9])?$")
SHARED = ("owner", "fingerprint_key", "update_secrets", "take_over", "allow_replace", "verify_level", "rebundle", "source_root", *source.TABLE)  # said once
MERGED = ("vars", "secrets")  # by key; everything else that a tenant gives replaces the default

# No defaults: what a tenant is silent about may be in the defaults of the fleet.
TENANT: dict[str, t.Any] = {
    name: {key: value for key, value in spec.items() if key != "default"} for name, spec in Script.spec().items() if name not in SHARED
}


def merge(defaults: t.Mapping[str, t.Any], tenant: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Lay a tenant over the defaults. A tenant's own code, from wherever, replaces the default code; how to bundle stays for what is bundled."""
    own_code = any(tenant.get(way) is not None for way in source.WAYS)
    kept = ("esbuild_path", *source.BUNDLING) if tenant.get("entrypoint") is not None else ()
    base = {name: value for name, value in defaults.items() if not (own_code and name in source.SPEC and name not in kept)}
    both = {name: {**base[name], **tenant[name]} for name in MERGED if isinstance(base.get(name), dict) and isinstance(tenant.get(name), dict)}
    return {**base, **tenant, **both}


class NamespacedWorkers(Fleet):
    """The Workers of one owner, as one task wants them. Without C(workers), C(state=absent) means all of that owner's."""

    name = "namespaced_workers"
    identity = {"dispatch_namespace": {"type": "str", "required": True, "aliases": ["namespace"]}}
    controls = {
        "workers": {
            "type": "list",
            "elements": "dict",
            "options": {"name": {"type": "str", "required": True}, "hostnames": {"type": "list", "elements": "str"}, **TENANT},
        },
        "defaults": {"type": "dict", "options": TENANT},
        "registry": {
            "type": "dict",
            "options": {"title": {"type": "str"}, "namespace_id": {"type": "str"}},
            "required_one_of": [("title", "namespace_id")],
            "mutually_exclusive": [("title", "namespace_id")],
        },
        **{name: spec for name, spec in Script.spec().items() if name in SHARED},
    }

    def __init__(self, client: t.Any, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        self._listed: dict[str, Object] = {}
        self._built: list[NamespacedWorker] = []
        self._registry: Registry | None = None
        self._ledger: Ledger | None = None
        self._workers: dict[str, t.Mapping[str, t.Any]] = {}
        for worker in given.get("workers") or []:
            name = worker.get("name")
            if not name:
                raise CloudflareError("workers: one of them has no name: give each its own.")
            if name in self._workers:
                raise CloudflareError(f"workers: {name!r} is declared twice: names must be unique in a dispatch namespace.")
            self._workers[name] = worker
        # A variable that came to nothing must not mean all of them: null is refused, only silence is everyone.
        if ("workers" in given or options["state"] == "present") and given.get("workers") is None:
            raise CloudflareError("workers: give the Workers that are meant, if only an empty list.")
        self._everyone = "workers" not in given
        if self._everyone and "owner" not in given:
            raise CloudflareError("owner: say whose Workers are to be removed: without workers, state: absent means all of that owner's.")
        self._hosts = self._read_hosts()

    def _read_hosts(self) -> dict[str, str]:
        hosts: dict[str, str] = {}
        for name, worker in self._workers.items():
            for host in (str(host).lower() for host in worker.get("hostnames") or []):
                if not HOST.fullmatch(host):
                    raise CloudflareError(f"hostnames: {host!r} of {name} is no host name: each is looked up as it is, so a wildcard would never be found.")
                if hosts.setdefault(host, name) != name:
                    raise CloudflareError(f"hostnames: {host} is declared for {hosts[host]} and for {name}: a host name leads to one Worker.")
        return hosts

    @property
    def label(self) -> str:
        return f"Workers in dispatch namespace {self.options['dispatch_namespace']!r}"

    @property
    def warnings(self) -> list[str]:
        built = self._built
        unknown = {label for worker in built for label in bindings.unknown_types(worker.given)}
        return [
            *uncompared_secrets(sum(worker.uncompared for worker in built)),
            *outdated_bundles(sum(worker.outdated for worker in built)),
            *unknown_bindings(unknown),
        ]

    def _path(self) -> str:
        return scripts_path(self.client, self.options["dispatch_namespace"])

    def look(self) -> None:
        scripts = self.client.listed(self._path(), limit=1000)
        self.missing = [no_namespace(self.options["dispatch_namespace"])] if scripts is None else []
        # The members hold this very mapping: what they observe is always the latest look.
        self._listed.clear()
        self._listed.update((script["id"], script) for script in scripts or ())
        if self._ledger is None and self.options.get("registry"):
            self._ledger = read_ledger(self.client, self.options["registry"], self.options["owner"])

    def names(self) -> t.Iterable[str]:
        if not self._everyone:
            return list(self._workers)
        return [name for name in self._listed if owner_in(self._tags(name)) == self.options["owner"]]

    def _tags(self, name: str) -> list[str]:
        script = self._listed[name]
        if "tags" not in script:  # a listing did not always carry them
            script["tags"] = self.client.call("GET", f"{self._path()}/{name}/tags").result
        return script["tags"] or []

    def member(self, name: str) -> Resource:
        shared = {option: self.options[option] for option in ("dispatch_namespace", "state", *SHARED)}
        given = {**merge(self.given.get("defaults") or {}, self._workers.get(name, {})), "name": name}
        defaults = {option: spec["default"] for option, spec in Script.spec().items() if "default" in spec}
        worker = NamespacedWorker(self.client, given, {**defaults, **given, **shared})
        worker.listed, worker.noted = self._listed, (self._ledger or {}).get(name)
        self._built.append(worker)
        return worker

    def companion(self, members: t.Sequence[Member]) -> Resource | None:
        registry, names = self.options.get("registry"), [member.name for member in members]
        if not registry:
            return None
        absent = self.options["state"] == "absent"
        records = {} if absent else {host: name for host, name in self._hosts.items() if name in names}
        state = "absent" if absent and self._everyone else "present"  # of some of them: the records of the others stay
        options = {**registry, "owner": self.options["owner"], "state": state}
        given = {"records": records, "workers": set(names), "declared": set() if absent else set(self._hosts)}
        # Only after a write: what others have changed is read, and mended or stamped, before it is noted.
        noted = absent or not any(member.due for member in members)
        self._registry = Registry(self.client, {**given, "ledger": lambda: json.dumps(self._told(names)), "noted": noted}, options)
        return self._registry

    def _told(self, names: t.Iterable[str]) -> Ledger:
        """Return the ledger as it shall be: these Workers as the latest listing tells of them, others of this owner as they were noted."""
        told = {name: self._entry(name) for name in names if name in self._listed}
        return {**{name: entry for name, entry in (self._ledger or {}).items() if name in self._listed}, **told}

    def _entry(self, name: str) -> list[t.Any]:
        script = self._listed[name]
        return [stamp_tag(self._tags(name)), script.get("etag"), script.get("modified_on")]

    def at_once(self, due: t.Sequence[Member]) -> Step | None:
        if not self._everyone or len(due) < 2:
            return None
        # An unfiltered deletion of this collection would take every tenant: the filter is never empty and always positive.
        mine = {"tags": f"{OWNER}{self.options['owner']}:yes"}
        return Step("DELETE", self._path(), lambda: {"params": mine})

    def extra(self, members: t.Sequence[Member], companion: Member | None) -> dict[str, t.Any]:
        going = {member.name for member in members if member.due} if self.options["state"] == "absent" else set()
        remaining = {"workers": len([name for name in self._listed if name not in going])}
        if self._registry is None:
            return {"remaining": remaining}
        return {"remaining": {**remaining, "entries": self._registry.others}, "registry": companion.plan.after if companion else None}
