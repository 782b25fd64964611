# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Worker, wherever it lives: desired, resolved, read, planned."""

from __future__ import annotations

import dataclasses
import typing as t
from abc import abstractmethod
from dataclasses import dataclass

from ..._cloudflare.errors import CloudflareError
from ..._engine.fields import Attributes
from ..._engine.plan import Plan, Step
from ..._engine.resource import ApiObject, Observation
from ..._worker import migrations, source
from ..._worker.tag_limits import TagLimits
from ..._worker.validation import validation_errors
from .. import references
from . import planner, reader, secrets
from .comparison import DETECTION_DEPTHS, Comparison
from .desired import Desired, Endpoint, Resolved, resolve
from .fields import FIELDS
from .mapping import (
    COMPUTED,
    COMPUTED_ON_WRITE,
)
from .planner import ScriptPlan
from .snapshot import Snapshot
from .warnings import plan_warnings

CONSUMER_OPTIONS = ("tail_consumers", "streaming_tail_consumers")  # their Workers must exist


@dataclass(frozen=True)
class ScriptObservation(Observation):
    """A resolved Worker and its snapshot, None if the Worker does not exist."""

    resolved: Resolved | None = None
    snapshot: Snapshot | None = None


class Script(ApiObject):
    """A Worker as one task declares it."""

    fields = FIELDS
    behavior_options = {
        **source.SPEC,
        "vars": {"type": "dict"},
        **secrets.CONTROLS,
        "migrations": migrations.SPEC,
        "unmanaged_bindings": {"type": "str", "choices": ["remove", "keep"], "default": "remove"},
        "take_over": {"type": "bool", "default": False},
        "allow_replace": {"type": "bool", "default": False},
        "drift_detection": {"type": "str", "choices": list(DETECTION_DEPTHS), "default": "fingerprint"},
        "rebundle": {"type": "bool", "default": False},
        "source_root": {"type": "path"},
    }
    computed, computed_on_write = COMPUTED, COMPUTED_ON_WRITE
    tag_limits: t.ClassVar[TagLimits]

    def __init__(self, client: t.Any, user_params: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, user_params, options)
        for error in validation_errors(user_params, options, self.tag_limits):
            raise CloudflareError(error)

    @property
    def is_listed(self) -> bool:
        """Whether the Worker belongs to a bulk run, which reads one listing for all."""
        return False

    # -- where it lives ------------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def endpoint(self) -> Endpoint:
        """Return the place of the Worker in the API."""

    @abstractmethod
    def read_summary(self) -> tuple[Snapshot | None, tuple[str, ...]]:
        """Read tags, etag and dates. Return them, None if the Worker does not exist, and missing prerequisites."""

    def read_more(self, resolved: Resolved, snapshot: Snapshot) -> Snapshot:
        """Read parts that only this kind of Worker has."""
        return snapshot

    # -- the one flow --------------------------------------------------------------------------------------------------

    def desired_state(self) -> Desired:
        """Return the desired state, from the options alone."""
        identity = {name: self.options[name] for name in self.identity}
        return Desired.from_options(self.label, self.endpoint, identity, self.user_params, self.options, self.is_listed)

    def observe(self) -> ScriptObservation:
        return self._observe(None)

    def observe_written(self, plan: Plan) -> ScriptObservation:
        return self._observe(t.cast(ScriptPlan, plan))

    def _observe(self, written: ScriptPlan | None) -> ScriptObservation:
        desired = None if written else self.desired_state()  # first: its sources may be invalid
        summary, missing = self.read_summary()
        if desired:
            resolved = resolve(desired, self.client)
        else:
            written = t.cast(ScriptPlan, written)
            before = t.cast(Comparison, written.comparison)
            resolved = before.resolved.for_verification(before.kept_secrets, before.receipt.written_at)
        snapshot = reader.read(self.client, resolved, summary, self.needs_full_read)
        if snapshot is not None:
            snapshot = self.read_more(resolved, snapshot)
        return ScriptObservation(None, (*missing, *resolved.missing), resolved, snapshot)

    def can_verify(self, plan: Plan, step: Step) -> bool:
        policy = secrets.SecretsPolicy.from_options(self.user_params, self.options)
        return self.state == "absent" or policy.can_verify(step, self.endpoint.path, plan.before)

    def plan(self, observation: Observation) -> ScriptPlan:
        found = t.cast(ScriptObservation, observation)
        plan = planner.plan(t.cast(Resolved, found.resolved), found.snapshot, self.state, self.fields, found.missing)
        return dataclasses.replace(plan, warnings=tuple(plan_warnings([plan], [self.user_params])))

    def missing_references(self, plan: Plan) -> list[str]:
        comparison = t.cast(ScriptPlan, plan).comparison
        bound = (comparison.resolved.bindings or []) if comparison else []
        consumers = [one for name in CONSUMER_OPTIONS for one in self.user_params.get(name) or []]
        return references.missing(self.client, references.of_worker(self.options["name"], bound, consumers))

    # -- results -------------------------------------------------------------------------------------------------------

    def diff_view(self, value: Attributes | None) -> Attributes:
        # The owner is in a tag of this collection, which no diff shows.
        return {key: item for key, item in super().diff_view(value).items() if key != "owner"}
