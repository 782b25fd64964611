# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets of a Worker that somebody else uploads: set, changed and removed by themselves, without an upload."""

from __future__ import annotations

import dataclasses
import typing as t

from .._cloudflare.errors import CloudflareError
from .._engine.resource import Field, Object, Step
from .._worker import binding_validation
from .._worker.fingerprint import NO_FINGERPRINT, FingerprintTag, find_fingerprint_tag
from .namespaced_worker import NamespacedWorker
from .script import Script
from .script_told import written_since
from .secrets import CONTROLS, SPEC, HoldsSecrets
from .worker import Worker


class WorkerSecrets(HoldsSecrets):
    """Some secrets of one Worker, as one task wants them. Absent, none of those that are named is there."""

    name = "worker_secrets"
    identity = {
        "name": {"type": "str", "required": True},
        "dispatch_namespace": {"type": "str", "aliases": ["namespace"]},
    }
    fields = (Field("secrets", SPEC, initial={}, removed={}),)
    controls = CONTROLS

    def __init__(self, client: t.Any, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        kind: type[Script] = NamespacedWorker if options.get("dispatch_namespace") else Worker
        self._worker = kind(client, {}, {**options, "owner": "default", "state": "absent"})
        self._tags: list[str] = []
        self._touched = False
        if "secrets" not in given or (options["state"] == "absent" and not given["secrets"]):
            raise CloudflareError("secrets: say which are meant, by name.")
        misnamed = (
            complaint for name in self._secrets for complaint in binding_validation.name_errors("secrets", name)
        )
        for complaint in (
            *misnamed,
            *(binding_validation.validation_errors(given) if options["state"] == "present" else ()),
        ):
            raise CloudflareError(complaint)

    @property
    def label(self) -> str:
        return f"secrets of {self._worker.label}"

    @property
    def path(self) -> str:
        return self._worker.path

    def observe(self) -> Object | None:
        head = self._worker.head()
        self.missing = self._worker.missing or ([] if head else [f"There is no {self._worker.label}: upload it first."])
        self._tags = list((head or {}).get("tags") or [])
        self._fingerprint_tag = find_fingerprint_tag(self._tags)
        self._touched = head is not None and written_since(self._fingerprint_tag, head)
        self._count_uncompared()
        if head is None:
            return None
        names = sorted(secret["name"] for secret in self.client.call("GET", f"{self.path}/secrets").result or [])
        if self.options["state"] == "absent":
            names = [name for name in names if name in self._secrets]
        thing = {name: self.options[name] for name in self.identity if self.options.get(name)}
        return {**thing, "secrets": self._seen(names)} if names or self.options["state"] == "present" else None

    def wanted(self, before: Object | None) -> Object:
        return {"secrets": self._as_wanted((before or {}).get("secrets", {}))}

    def create(self, after: Object) -> t.Iterable[Step]:
        return self._steps({}, self._values)

    def update(self, before: Object, after: Object, changed: t.Collection[str]) -> t.Iterable[Step]:
        gone = dict.fromkeys(name for name in before["secrets"] if name not in after["secrets"])
        due = {**gone, **self._to_send(before, after)} if changed else {}
        return self._steps(before, due) if due or not self._attested() else []

    def delete(self, before: Object) -> t.Iterable[Step]:
        return self._steps(before, dict.fromkeys(before["secrets"]))

    def _attested(self) -> bool:
        """Whether the stamp says what the values are, or need not."""
        return (
            self.options["state"] == "absent"
            or self._policy != "on_change"
            or (self._fingerprint_tag is not None and self._fingerprint_tag.secrets == self._segment())
        )

    def _steps(self, before: Object, due: t.Mapping[str, t.Any]) -> list[Step]:
        steps = [self._patch_secrets(due)] if due else []
        # The Worker is changed by this: unless it is stamped anew, its next upload would take that for somebody else's doing.
        retag = not self._attested() or (bool(due) and self._fingerprint_tag is not None and not self._touched)
        return [*steps, self._worker.put_tags(self._updated_tags)] if retag else steps

    def _updated_tags(self) -> list[str]:
        """Return the Worker's tags, of which the stamp says what its secrets are now. What others have changed before is not attested by that."""
        fingerprint_tag, now = self._fingerprint_tag or FingerprintTag(NO_FINGERPRINT), self.client.server_time()
        if not self._attested():
            fingerprint_tag = dataclasses.replace(fingerprint_tag, secrets=self._segment())
        time = (
            fingerprint_tag.uploaded_at if self._touched else max(now, fingerprint_tag.uploaded_at + 1)
        )  # another stamp than the one that a ledger may have noted
        return [*(tag for tag in self._tags if not find_fingerprint_tag([tag])), fingerprint_tag.render(time)]
