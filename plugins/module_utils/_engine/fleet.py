# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many objects of one kind at once: one listing, a plan each, applied one after another, one listing to verify.

One object that fails does not keep the others from being converged.
"""

from __future__ import annotations

import typing as t
from abc import abstractmethod
from dataclasses import dataclass

from .._cloudflare.errors import ApiError, CloudflareError
from .converge import Mode, Outcome, apply, carry_out, converge, render
from .plan import Plan, plan
from .resource import Kind, Resource, Step


@dataclass
class Member:
    """One object of the fleet, its plan, and why it failed if it did."""

    name: str
    resource: Resource | None = None
    plan: Plan | None = None
    failure: str = ""

    @property
    def due(self) -> bool:
        """Whether it is to be written."""
        return bool(self.plan and self.plan.steps and not self.failure)

    @property
    def result(self) -> dict[str, t.Any]:
        """Return what is told of it."""
        told = {"name": self.name, "changed": self.due, "failed": bool(self.failure)}
        if self.failure:
            return {**told, "msg": self.failure}
        return {**told, "fields": list(self.plan.changed)} if self.plan and self.plan.changed else told


class Fleet(Kind):
    """What a module that takes a whole list is about."""

    @property
    @abstractmethod
    def label(self) -> str:
        """How the fleet is called in messages."""

    @abstractmethod
    def look(self) -> None:
        """Read the listing from which the members are observed."""

    @abstractmethod
    def names(self) -> t.Iterable[str]:
        """Return the names of the members, after C(look)."""

    @abstractmethod
    def member(self, name: str) -> Resource:
        """Return one member. Raises where its options are wrong."""

    def companion(self, names: t.Collection[str]) -> Resource | None:
        """Return what is kept in step with the members: written after they are, removed before."""
        return None

    def at_once(self, due: t.Sequence[Member]) -> Step | None:
        """Return one write that does what the plans of all C(due) members do, if there is one."""
        return None

    def extra(self, members: t.Sequence[Member], companion: Outcome | None) -> dict[str, t.Any]:
        """Return what else the result says."""
        return {}


@converge.register
def converge_fleet(fleet: Fleet, mode: Mode) -> Outcome:
    """Bring every member to what was asked, then what is kept in step with them; the other way round to remove them."""
    fleet.look()
    members = [_planned(fleet, name, mode) for name in fleet.names()]
    diffs = [render(member.resource, member.plan.before, member.plan.after) for member in members if member.due and member.resource and member.plan]
    absent = mode.state == "absent"
    companion = _companion(fleet, members, mode) if absent else None
    operations = _write(fleet, members, mode)
    companion = companion or _companion(fleet, members, mode)
    beside = companion.operations if companion else []
    failed = [member for member in members if member.failure]
    if companion and companion.operations and companion.diff:
        diffs.append(companion.diff)
    return Outcome(
        fleet.name,
        [member.result for member in members],
        [*beside, *operations] if absent else [*operations, *beside],
        diff=diffs if mode.diff else None,
        warnings=fleet.warnings,
        extra=fleet.extra(members, companion),
        failure=_summary(fleet, failed, len(members)),
    )


def _planned(fleet: Fleet, name: str, mode: Mode) -> Member:
    member = Member(name)
    try:
        member.resource = fleet.member(name)
        member.plan = plan(member.resource, member.resource.observe(), mode.state)
    except CloudflareError as error:
        _note(member, error)
    return member


def _companion(fleet: Fleet, members: t.Sequence[Member], mode: Mode) -> Outcome | None:
    resource = fleet.companion([member.name for member in members if not member.failure])
    if resource is None:
        return None
    intended = plan(resource, resource.observe(), mode.state)
    reached = intended.after if mode.check else carry_out(resource, intended, mode)
    return Outcome(resource.name, reached, intended.operations, diff=render(resource, intended.before, reached))


def _write(fleet: Fleet, members: t.Sequence[Member], mode: Mode) -> list[str]:
    due = [member for member in members if member.due]
    step = fleet.at_once(due)
    if mode.check:
        return [str(step)] if step else [operation for member in due for operation in _plan_of(member).operations]
    operations = []
    if step:
        fleet.client.write(step.method, step.path, **step.how())
        operations.append(str(step))
        due = _unsettled(fleet, due, mode)
    for member in due:
        try:
            apply(t.cast(Resource, member.resource), _plan_of(member))
            operations += _plan_of(member).operations
        except CloudflareError as error:
            _note(member, error)
    for member in _unsettled(fleet, [member for member in due if member.due], mode):
        _note(member, CloudflareError(f"{member.name}: Cloudflare accepted every write, but the listing does not show it yet. Run again."))
    return operations


def _unsettled(fleet: Fleet, due: t.Sequence[Member], mode: Mode) -> list[Member]:
    """Return the members that a fresh listing does not yet show as they should be, after patience."""
    if not due:
        return []
    left = list(due)
    for member in left:
        t.cast(Resource, member.resource).written()
    for _waited in mode.looks():
        fleet.client.forget()
        fleet.look()
        left = [member for member in left if plan(t.cast(Resource, member.resource), t.cast(Resource, member.resource).observe(), mode.state).steps]
        if not left:
            break
    return left


def _plan_of(member: Member) -> Plan:
    return t.cast(Plan, member.plan)


def _note(member: Member, error: CloudflareError) -> None:
    """Keep a failure with its member, unless every other member would fail of it too."""
    if isinstance(error, ApiError) and error.everywhere:
        raise error
    member.failure = str(error)


def _summary(fleet: Fleet, failed: t.Sequence[Member], count: int) -> str:
    if not failed:
        return ""
    return f"{fleet.label}: {len(failed)} of {count} failed. " + " ".join(f"{member.name}: {member.failure}" for member in failed[:10])
