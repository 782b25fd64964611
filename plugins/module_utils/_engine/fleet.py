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

from .._cloudflare.errors import ApiError, CloudflareError, Unreachable
from .converge import Mode, Outcome, apply, converge, render
from .plan import Plan, plan
from .resource import Kind, Resource, Step

NOTHING = Plan(None, None)
TOLD = 10  # failures in one message; the result names them all


@dataclass
class Member:
    """One object of the fleet, its plan, and why it failed if it did."""

    name: str
    resource: Resource | None = None
    plan: Plan = NOTHING
    failure: str = ""

    @property
    def the(self) -> Resource:
        """The object, which every member has that did not fail while it was planned."""
        return t.cast(Resource, self.resource)

    @property
    def due(self) -> bool:
        """Whether it is to be written."""
        return bool(self.plan.steps and not self.failure)

    @property
    def result(self) -> dict[str, t.Any]:
        """Return what is told of it."""
        told = {"name": self.name, "changed": self.due, "failed": bool(self.failure)}
        if self.failure:
            return {**told, "msg": self.failure}
        return {**told, "fields": list(self.plan.changed)} if self.plan.changed else told


class Fleet(Kind):
    """What a module that takes a whole list is about."""

    def __init__(self, client: t.Any, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        self.missing: list[str] = []
        """What must exist before anything can be written, each with its remedy. Found by C(look)."""

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

    def companion(self, members: t.Sequence[Member]) -> Resource | None:
        """Return what is kept in step with these members: written after they are, removed before. Its state is among its options."""
        return None

    def at_once(self, due: t.Sequence[Member]) -> Step | None:
        """Return one write that does what the plans of all C(due) members do, if there is one."""
        return None

    def extra(self, members: t.Sequence[Member], companion: Member | None) -> dict[str, t.Any]:
        """Return what else the result says."""
        return {}


@converge.register
def converge_fleet(fleet: Fleet, mode: Mode) -> Outcome:
    """Bring every member to what was asked, and what is kept in step with them."""
    fleet.look()
    members = [_planned(fleet, name, mode) for name in fleet.names()]
    companion = _accompanied(fleet, members)
    if not mode.check:
        _refuse_what_stands_on_nothing(fleet, members, companion)
    # A record leads to a Worker: it is written after the Worker, and removed before it.
    if mode.state == "absent":
        written = [_write(fleet, companion, mode), _write(fleet, members, mode)]
    else:
        written = [_write(fleet, members, mode)]
        companion = _accompanied(fleet, members) if any(member.failure for member in members) else companion
        written.append(_write(fleet, companion, mode))
    return Outcome(
        fleet.name,
        [member.result for member in members],
        [operation for operations, _late in written for operation in operations],
        diff=[one for member in (*members, *companion) if member.due for one in _diff(member)] if mode.diff else None,
        warnings=[*fleet.warnings, *(warning for _operations, late in written for warning in late)],
        extra=fleet.extra(members, companion[0] if companion else None),
        failure=_summary(fleet, members, companion),
    )


def _planned(fleet: Fleet, name: str, mode: Mode) -> Member:
    try:
        resource = fleet.member(name)
        return Member(name, resource, plan(resource, resource.observe(), mode.state))
    except CloudflareError as error:
        return Member(name, failure=_failure(error))


def _accompanied(fleet: Fleet, members: t.Sequence[Member]) -> list[Member]:
    """Return the companion of the members that have not failed, planned; none, or one."""
    resource = fleet.companion([member for member in members if not member.failure])
    return [Member(resource.name, resource, plan(resource, resource.observe(), resource.options["state"]))] if resource else []


def _refuse_what_stands_on_nothing(fleet: Fleet, members: t.Sequence[Member], companion: t.Sequence[Member]) -> None:
    """Name what everything stands on and is not there, before the first write."""
    wanted = [member for member in (*members, *companion) if member.due and member.plan.after]
    missing = [*(fleet.missing if wanted else []), *(reason for member in wanted if member in companion for reason in member.the.missing)]
    if missing:
        raise CloudflareError(" ".join(missing))


def _write(fleet: Fleet, group: t.Sequence[Member], mode: Mode) -> tuple[list[str], list[str]]:
    """Write what is due, and return the operations, and a warning for each that a listing does not show yet."""
    due = [member for member in group if member.due]
    step = fleet.at_once(due)
    operations = [str(step)] if step else []
    if mode.check:
        return operations or [operation for member in due for operation in member.plan.operations], []
    if step:
        fleet.client.write(step.method, step.path, **step.how())
        due = _unsettled(fleet, due, mode)
    for member in due:
        try:
            apply(member.the, member.plan)
            operations += member.plan.operations
        except CloudflareError as error:
            member.failure = _failure(error)
    late = _unsettled(fleet, [member for member in due if member.due and member.the.reads_back], mode)
    return operations, [f"{member.the.label}: Cloudflare accepted the write, but its listing does not show it yet." for member in late]


def _unsettled(fleet: Fleet, due: t.Sequence[Member], mode: Mode) -> list[Member]:
    """Return the members that a fresh listing does not yet show as they should be, after patience."""
    left = list(due)
    for member in left:
        member.the.written()
    for _waited in mode.looks() if left else ():
        fleet.client.forget()
        fleet.look()
        left = [member for member in left if plan(member.the, member.the.observe(), mode.state).steps]
        if not left:
            break
    return left


def _diff(member: Member) -> list[dict[str, t.Any]]:
    return render(member.the, member.plan.before, member.plan.after)


def _failure(error: CloudflareError) -> str:
    """Return why a member failed, unless every other would fail of it too: then the run ends."""
    if isinstance(error, Unreachable) or (isinstance(error, ApiError) and error.everywhere):
        raise error
    return str(error)


def _summary(fleet: Fleet, members: t.Sequence[Member], companion: t.Sequence[Member]) -> str:
    failed = [member for member in members if member.failure]
    reasons = [f"{member.name}: {member.failure}" for member in (*failed[:TOLD], *companion) if member.failure]
    return f"{fleet.label}: {len(failed)} of {len(members)} failed. " + " ".join(reasons) if reasons else ""
