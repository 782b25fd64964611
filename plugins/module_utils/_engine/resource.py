# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What converges: an object of the API, its identity, its fields, how it is read and written.

This module is independent of Cloudflare's objects. Check mode, diff, retries and verification belong to the engine.
"""

from __future__ import annotations

import typing as t
from abc import ABC, abstractmethod
from dataclasses import dataclass

from .converge import ModuleResult, RunOptions, converge_object
from .fields import Attributes, Field, OptionSpec
from .plan import Plan, Step, make_plan

if t.TYPE_CHECKING:
    from .._cloudflare.client import Client


class Convergible(ABC):
    """The subject of a module. An instance is one task's.

    ``user_params`` holds the options that the user set, and only those; ``options`` every option with its default.
    """

    name: t.ClassVar[str]
    """The name of the module, and of the object in its result."""
    identity: t.ClassVar[t.Mapping[str, OptionSpec]] = {}
    """The options that identify the object."""
    fields: t.ClassVar[tuple[Field, ...]] = ()
    """The fields that the module owns."""
    behavior_options: t.ClassVar[t.Mapping[str, OptionSpec]] = {}
    """The options that are no attribute of the object."""
    argument_rules: t.ClassVar[t.Mapping[str, t.Any]] = {}
    """Ansible's checks between options: mutually_exclusive, required_if, ..."""
    has_state: t.ClassVar[bool] = True
    """Whether there is an option ``state``."""
    list_option: t.ClassVar[str] = ""
    """The option that lists many objects. Each element is validated by itself, so an invalid one fails alone."""
    hidden_options: t.ClassVar[t.Mapping[str, str]] = {}
    """The options whose values C(invocation) shows only if another option, which each is mapped to, is true."""
    needs_full_read: bool = False
    """Whether the run shows the whole object, and not only whether it differs."""

    def __init__(self, client: Client, user_params: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        self.client, self.user_params, self.options = client, user_params, options

    @abstractmethod
    def converge(self, run: RunOptions) -> ModuleResult:
        """Reconcile with the desired state, or predict the changes in check mode."""

    @property
    def state(self) -> str:
        """The desired state: present or absent."""
        return self.options.get("state") or "present"

    @property
    def warnings(self) -> list[str]:
        """Warnings about the run."""
        return []

    @classmethod
    def spec(cls) -> dict[str, OptionSpec]:
        """Return the argument spec of the module."""
        return {
            **cls.identity,
            **{field.name: field.spec for field in cls.fields if field.spec},
            **cls.behavior_options,
        }


@dataclass(frozen=True)
class Observation:
    """What was read: the object, None if it does not exist, and missing prerequisites, each with its remedy."""

    current: Attributes | None
    missing: tuple[str, ...] = ()


class ApiObject(Convergible):
    """One object of the API: it is observed, planned, and observed again after the writes."""

    computed: t.ClassVar[tuple[str, ...]] = ()
    """The attributes that the server fills in at creation."""
    computed_on_write: t.ClassVar[tuple[str, ...]] = ()
    """The attributes that the server fills in at every write."""
    verify_after_write: t.ClassVar[bool] = True
    """Whether a read proves a write; else its answer does."""

    def converge(self, run: RunOptions) -> ModuleResult:
        return converge_object(self, run)

    @property
    @abstractmethod
    def label(self) -> str:
        """The name of the object in messages and diffs."""

    @abstractmethod
    def observe(self) -> Observation:
        """Read the object. One whose parent is missing does not exist either."""

    def observe_written(self, plan: Plan) -> Observation:
        """Read the object again after the writes of a plan."""
        return self.observe()

    def can_verify(self, plan: Plan, step: Step) -> bool:
        """Whether a read shows if a step of this plan was carried out, after its response was lost."""
        return True

    @abstractmethod
    def plan(self, observation: Observation) -> Plan:
        """Return the plan from the observation to the desired state, without a request."""

    def missing_references(self, plan: Plan) -> list[str]:
        """Return the objects that the writes of a plan refer to and that do not exist, each with its remedy.

        Asked for predictions only: Cloudflare checks the references of each write.
        """
        return []

    def pending_reason(self, current: Attributes) -> str:
        """Return why the task must still wait (option ``wait_timeout``), or an empty string."""
        return ""

    def diff_view(self, value: Attributes | None) -> Attributes:
        """Return the part of the object that a diff shows: identity and fields, no computed attributes."""
        shown = (*self.identity, *(field.name for field in self.fields))
        return {key: value[key] for key in shown if key in value} if value else {}


class Resource(ApiObject):
    """An object whose plan follows from its fields."""

    def identity_values(self) -> Attributes:
        """Return the identifying options with their values."""
        return {name: self.options[name] for name in self.identity if self.options.get(name) is not None}

    def plan(self, observation: Observation) -> Plan:
        warnings = tuple(self.plan_warnings(observation.current))
        return make_plan(self, observation.current, self.state, observation.missing, warnings)

    def plan_warnings(self, before: Attributes | None) -> t.Iterable[str]:
        """Return warnings about the plan."""
        return ()

    def computed_after(self, changed: t.Collection[str]) -> tuple[str, ...]:
        """Return the attributes that the server fills in after a change of these fields."""
        return self.computed_on_write

    def desired(self, before: Attributes | None) -> Attributes:
        """Return the desired values of the managed fields. Partial ones are merged into ``before``."""
        return {
            field.name: field.removed if self.user_params[field.name] is None else self.user_params[field.name]
            for field in self.fields
            if field.name in self.user_params
        }

    def guard(self, before: Attributes | None, after: Attributes | None) -> None:
        """Refuse changes that need an explicit option. Runs before the first write, in check mode too."""

    @abstractmethod
    def create(self, after: Attributes) -> t.Iterable[Step]:
        """Return the writes that create the object."""

    @abstractmethod
    def update(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> t.Iterable[Step]:
        """Return the writes that change the fields ``changed`` from ``before`` to ``after``."""

    @abstractmethod
    def delete(self, before: Attributes) -> t.Iterable[Step]:
        """Return the writes that delete the object."""
