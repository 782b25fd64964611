# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets of a Worker that is uploaded by other means: set, changed and removed without an upload."""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass, field

from .._cloudflare.errors import CloudflareError
from .._engine.fields import Attributes, Field
from .._engine.plan import Plan, Step, make_plan
from .._engine.resource import ApiObject, Observation
from .._worker import binding_validation
from .._worker.fingerprint import NO_FINGERPRINT, FingerprintTag, find_fingerprint_tag
from .namespaced_worker import NamespacedWorker
from .script.base import Script
from .script.desired import Endpoint
from .script.secrets import CONTROLS, SPEC, SecretsPolicy, patch_secrets
from .script.snapshot import Snapshot
from .script.warnings import uncompared_secrets_warnings
from .worker import Worker

FIELDS = (Field("secrets", SPEC, initial={}, removed={}),)


@dataclass(frozen=True)
class SecretsObservation(Observation):
    """The declared secrets that exist, and the summary of their Worker, None if it does not exist."""

    policy: SecretsPolicy = field(default_factory=SecretsPolicy)
    worker: Snapshot | None = None


class WorkerSecrets(ApiObject):
    """Some secrets of one Worker. Absent means that none of the named ones exists."""

    name = "worker_secrets"
    identity = {
        "name": {"type": "str", "required": True},
        "dispatch_namespace": {"type": "str", "aliases": ["namespace"]},
    }
    fields = FIELDS
    behavior_options = CONTROLS

    def __init__(self, client: t.Any, user_params: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, user_params, options)
        script_class: type[Script] = NamespacedWorker if options.get("dispatch_namespace") else Worker
        self._worker = script_class(client, {}, {**options, "owner": "default", "state": "absent"})
        if "secrets" not in user_params or (options["state"] == "absent" and not user_params["secrets"]):
            raise CloudflareError("secrets: say which are meant, by name.")
        self._policy = SecretsPolicy.from_options(user_params, options)
        errors = [
            error for name in self._policy.declared or () for error in binding_validation.name_errors("secrets", name)
        ]
        if options["state"] == "present":
            errors += binding_validation.validation_errors(user_params)
        for error in errors:
            raise CloudflareError(error)

    @property
    def label(self) -> str:
        return f"secrets of {self._worker.label}"

    def observe(self) -> SecretsObservation:
        return self._observe(self._policy)

    def observe_written(self, plan: Plan) -> SecretsObservation:
        return self._observe(self._policy.sent())

    def _observe(self, policy: SecretsPolicy) -> SecretsObservation:
        worker, missing = self._worker.read_summary()
        if worker is None:
            missing = missing or (f"There is no {self._worker.label}: upload it first.",)
            return SecretsObservation(None, missing, policy)
        answer = self.client.call("GET", f"{self._worker.endpoint.path}/secrets")
        names = sorted(secret["name"] for secret in answer.result)
        if self.state == "absent":
            names = [name for name in names if name in (policy.declared or {})]
            if not names:
                return SecretsObservation(None, missing, policy, worker)
        identity = {name: self.options[name] for name in self.identity if self.options.get(name)}
        current = {**identity, "secrets": policy.observed(names, worker.fingerprint_tag)}
        return SecretsObservation(current, missing, policy, worker)

    def can_verify(self, plan: Plan, step: Step) -> bool:
        return self.state == "absent" or self._policy.can_verify(step, self._worker.endpoint.path, plan.before)

    def plan(self, observation: Observation) -> Plan:
        found = t.cast(SecretsObservation, observation)
        identity = {name: self.options[name] for name in self.identity if self.options.get(name) is not None}
        planner = SecretsPlanner(found.policy, found.worker, self._worker.endpoint, identity, self.state)
        uncompared = found.policy.uncompared_count
        warnings = tuple(uncompared_secrets_warnings(uncompared))
        return make_plan(planner, found.current, self.state, found.missing, warnings)


@dataclass(frozen=True)
class SecretsPlanner:
    """The decisions about the secrets of a Worker that the engine's plan asks for."""

    policy: SecretsPolicy
    worker: Snapshot | None
    endpoint: Endpoint
    identity: Attributes
    state: str
    fields: t.ClassVar[tuple[Field, ...]] = FIELDS
    computed: t.ClassVar[tuple[str, ...]] = ()
    computed_on_write: t.ClassVar[tuple[str, ...]] = ()

    def identity_values(self) -> Attributes:
        """Return the identifying options with their values."""
        return self.identity

    def computed_after(self, changed: t.Collection[str]) -> tuple[str, ...]:
        """Return nothing: the server fills in nothing."""
        return ()

    def desired(self, before: Attributes | None) -> Attributes:
        """Return the secrets as placeholders."""
        return {"secrets": self.policy.desired((before or {}).get("secrets", {}))}

    def guard(self, before: Attributes | None, after: Attributes | None) -> None:
        """Refuse nothing."""

    def create(self, after: Attributes) -> list[Step]:
        """Return the writes that set all declared secrets."""
        return self._writes(self.policy.values)

    def update(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> list[Step]:
        """Return the writes that set and remove secrets, or only renew the fingerprint tag."""
        values = {**self.policy.removed(before, after), **self.policy.to_send(before, after)} if changed else {}
        return self._writes(values) if values or not self._tag_is_current else []

    def delete(self, before: Attributes) -> list[Step]:
        """Return the writes that remove the declared secrets."""
        return self._writes(dict.fromkeys(before["secrets"]))

    @property
    def _tag(self) -> FingerprintTag | None:
        return self.worker.fingerprint_tag if self.worker else None

    @property
    def _tag_is_current(self) -> bool:
        """Whether the fingerprint tag attests the values, or need not."""
        if self.state == "absent" or self.policy.update != "on_change":
            return True
        return self._tag is not None and self._tag.secrets == self.policy.digest

    def _writes(self, values: t.Mapping[str, t.Any]) -> list[Step]:
        steps = [patch_secrets(self.endpoint.path, values)] if values else []
        has_drifted = self.worker is not None and self.worker.has_drifted
        # The write moves modified_on: without a new tag, the Worker's next upload would find that it has drifted.
        renews_tag = not self._tag_is_current or (bool(values) and self._tag is not None and not has_drifted)
        if renews_tag:
            steps.append(
                Step(
                    self.endpoint.tags_method,
                    self.endpoint.tags_path,
                    lambda: self.endpoint.tags_to_request(self._updated_tags()),
                )
            )
        return steps

    def _updated_tags(self) -> list[str]:
        """Return the Worker's tags with a renewed fingerprint tag. It does not attest earlier drift."""
        tag, now = self._tag or FingerprintTag(NO_FINGERPRINT), self.endpoint.client.server_time()
        if not self._tag_is_current:
            tag = dataclasses.replace(tag, secrets=self.policy.digest)
        has_drifted = self.worker is not None and self.worker.has_drifted
        # Another second than before, so that it differs from the tag that a ledger may store.
        uploaded_at = tag.uploaded_at if has_drifted else max(now, tag.uploaded_at + 1)
        others = [one for one in (self.worker.tags if self.worker else ()) if not find_fingerprint_tag([one])]
        return [*others, tag.render(uploaded_at)]
