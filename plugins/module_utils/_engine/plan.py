# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan: the object before and after, and the writes between. Made without a request."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .fields import UNKNOWN, Attributes, Field

if t.TYPE_CHECKING:
    from .._cloudflare.responses import ApiResponse


@dataclass(frozen=True)
class Step:
    """One write, as the plan prints it and a run sends it.

    ``request`` builds the arguments of ``Client.write`` when the step is sent, which keeps a plan of many uploads
    small. ``on_response`` reads the response, and may raise. ``fallback`` is sent instead if the API does not have the
    method.
    """

    method: str
    path: str
    request: t.Callable[[], t.Mapping[str, t.Any]] = field(default=dict, compare=False)
    on_response: t.Callable[[ApiResponse], None] = field(default=lambda answer: None, compare=False)
    fallback: Step | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class BulkStep(Step):
    """One write that replaces those of many members of a bulk run, at most ``size`` of them.

    It is repeated while more members remain. ``progress`` reads a response: the number of members that it covered, None
    if that is unknown, and whether more remain.
    """

    size: int = 1
    progress: t.Callable[[ApiResponse], tuple[int | None, bool]] = field(
        default=lambda answer: (None, False), compare=False
    )

    def operations(self, count: int) -> list[str]:
        """Return the writes for this number of members."""
        return [str(self)] * -(-count // self.size)


def json_body(value: t.Any) -> t.Callable[[], t.Mapping[str, t.Any]]:
    """Return the request of a step that sends ``value`` as JSON."""
    return lambda: {"json": value}


@dataclass(frozen=True)
class Plan:
    """What check mode prints, a diff shows and a run applies.

    ``before`` and ``after`` are None if the object does not exist. ``changed`` names the fields that differ.
    ``missing`` holds the prerequisites that do not exist, each with its remedy.
    """

    before: Attributes | None
    after: Attributes | None
    steps: tuple[Step, ...] = ()
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def operations(self) -> list[str]:
        """The writes in order, such as ``PUT /accounts/.../scripts/a``."""
        return [str(step) for step in self.steps]

    def extra_diffs(self) -> list[Attributes]:
        """Return further diffs in Ansible's format, of parts that the object shows only as a digest."""
        return []


class Planner(t.Protocol):
    """The decisions about an object that a plan asks for. None of them makes a request."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields that are owned."""

    @property
    def computed(self) -> tuple[str, ...]:
        """The attributes that the server fills in at creation."""

    @property
    def computed_on_write(self) -> tuple[str, ...]:
        """The attributes that the server fills in at every write."""

    def computed_after(self, changed: t.Collection[str]) -> tuple[str, ...]:
        """Return the attributes that the server fills in after a change of these fields."""

    def identity_values(self) -> Attributes:
        """Return the identifying options with their values."""

    def desired(self, before: Attributes | None) -> Attributes:
        """Return the desired values of the managed fields."""

    def guard(self, before: Attributes | None, after: Attributes | None) -> None:
        """Refuse changes that need an explicit option. Raises CloudflareError."""

    def create(self, after: Attributes) -> t.Iterable[Step]:
        """Return the writes that create the object."""

    def update(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> t.Iterable[Step]:
        """Return the writes that change the given fields."""

    def delete(self, before: Attributes) -> t.Iterable[Step]:
        """Return the writes that delete the object."""


def make_plan(
    planner: Planner,
    before: Attributes | None,
    state: str = "present",
    missing: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
) -> Plan:
    """Return the plan from ``before`` to the desired object, or to none if ``state`` is absent."""
    if state == "absent":
        planner.guard(before, None)
        return Plan(before, None, tuple(planner.delete(before)) if before else (), (), missing, warnings)
    desired = planner.desired(before)
    if before is None:
        computed = dict.fromkeys((*planner.computed, *planner.computed_on_write), UNKNOWN)
        initial = {field.name: field.initial for field in planner.fields}
        after = {**computed, **planner.identity_values(), **initial, **desired}
        planner.guard(None, after)
        return Plan(None, after, tuple(planner.create(after)), tuple(desired), missing, warnings)
    changed = tuple(
        field.name
        for field in planner.fields
        if field.name in desired and field.differs(before.get(field.name), desired[field.name])
    )
    after = {**before, **{name: desired[name] for name in changed}}
    planner.guard(before, after)
    steps = tuple(planner.update(before, after, changed))
    if steps:
        after = {**after, **dict.fromkeys(planner.computed_after(changed), UNKNOWN)}
    return Plan(before, after, steps, changed, missing, warnings)
