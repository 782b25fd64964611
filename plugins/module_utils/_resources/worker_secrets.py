# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets of a Worker that somebody else uploads: set, changed and removed by themselves, without an upload."""

from __future__ import annotations

import dataclasses
import typing as t

from .._cloudflare.errors import CloudflareError
from .._engine.resource import Attributes, Field, Step
from .._worker import binding_validation
from .._worker.fingerprint import NO_FINGERPRINT, FingerprintTag, find_fingerprint_tag
from .namespaced_worker import NamespacedWorker
from .script import Script
from .script_mapping import modified_after_upload
from .secrets import CONTROLS, SPEC, SecretsMixin
from .worker import Worker


class WorkerSecrets(SecretsMixin):
    """Some secrets of one Worker, as one task wants them. Absent, none of those that are named is there."""

    name = "worker_secrets"
    identity = {
        "name": {"type": "str", "required": True},
        "dispatch_namespace": {"type": "str", "aliases": ["namespace"]},
    }
    fields = (Field("secrets", SPEC, initial={}, removed={}),)
    behavior_options = CONTROLS

    def __init__(self, client: t.Any, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        script_class: type[Script] = NamespacedWorker if options.get("dispatch_namespace") else Worker
        self._worker = script_class(client, {}, {**options, "owner": "default", "state": "absent"})
        self._tags: list[str] = []
        self._has_drifted = False
        if "secrets" not in given or (options["state"] == "absent" and not given["secrets"]):
            raise CloudflareError("secrets: say which are meant, by name.")
        name_errors = (
            complaint for name in self._secrets for complaint in binding_validation.name_errors("secrets", name)
        )
        for complaint in (
            *name_errors,
            *(binding_validation.validation_errors(given) if options["state"] == "present" else ()),
        ):
            raise CloudflareError(complaint)

    @property
    def label(self) -> str:
        return f"secrets of {self._worker.label}"

    @property
    def path(self) -> str:
        return self._worker.path

    def observe(self) -> Attributes | None:
        summary = self._worker.read_summary()
        self.missing = self._worker.missing or (
            [] if summary else [f"There is no {self._worker.label}: upload it first."]
        )
        self._tags = list((summary or {}).get("tags") or [])
        self._fingerprint_tag = find_fingerprint_tag(self._tags)
        self._has_drifted = summary is not None and modified_after_upload(self._fingerprint_tag, summary)
        self._count_uncompared()
        if summary is None:
            return None
        names = sorted(secret["name"] for secret in self.client.call("GET", f"{self.path}/secrets").result or [])
        if self.options["state"] == "absent":
            names = [name for name in names if name in self._secrets]
        current = {name: self.options[name] for name in self.identity if self.options.get(name)}
        return (
            {**current, "secrets": self._observed_secrets(names)}
            if names or self.options["state"] == "present"
            else None
        )

    def desired(self, before: Attributes | None) -> Attributes:
        return {"secrets": self._desired_secrets((before or {}).get("secrets", {}))}

    def create(self, after: Attributes) -> t.Iterable[Step]:
        return self._write_steps({}, self._secret_values)

    def update(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> t.Iterable[Step]:
        removed = dict.fromkeys(name for name in before["secrets"] if name not in after["secrets"])
        pending = {**removed, **self._secrets_to_send(before, after)} if changed else {}
        return self._write_steps(before, pending) if pending or not self._tag_is_current() else []

    def delete(self, before: Attributes) -> t.Iterable[Step]:
        return self._write_steps(before, dict.fromkeys(before["secrets"]))

    def _tag_is_current(self) -> bool:
        """Whether the stamp says what the values are, or need not."""
        return (
            self.options["state"] == "absent"
            or self._update_policy != "on_change"
            or (self._fingerprint_tag is not None and self._fingerprint_tag.secrets == self._secrets_digest())
        )

    def _write_steps(self, before: Attributes, pending: t.Mapping[str, t.Any]) -> list[Step]:
        steps = [self._patch_secrets(pending)] if pending else []
        # The Worker is changed by this: unless it is stamped anew, its next upload would take that for somebody else's doing.
        rewrite_tag = not self._tag_is_current() or (
            bool(pending) and self._fingerprint_tag is not None and not self._has_drifted
        )
        return [*steps, self._worker.replace_tags(self._updated_tags)] if rewrite_tag else steps

    def _updated_tags(self) -> list[str]:
        """Return the Worker's tags, of which the stamp says what its secrets are now. What others have changed before is not attested by that."""
        fingerprint_tag, now = self._fingerprint_tag or FingerprintTag(NO_FINGERPRINT), self.client.server_time()
        if not self._tag_is_current():
            fingerprint_tag = dataclasses.replace(fingerprint_tag, secrets=self._secrets_digest())
        time = (
            fingerprint_tag.uploaded_at if self._has_drifted else max(now, fingerprint_tag.uploaded_at + 1)
        )  # another stamp than the one that a ledger may have noted
        return [*(tag for tag in self._tags if not find_fingerprint_tag([tag])), fingerprint_tag.render(time)]
