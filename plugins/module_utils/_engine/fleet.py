# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many objects of one kind at once: one listing, a plan each, applied side by side, one listing to verify.

One object that fails does not keep the others from being converged. What a run that was broken off has left, the next one does.
"""

from __future__ import annotations

import typing as t
from abc import abstractmethod
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from .._cloudflare.errors import AmbiguousResult, ApiError, CloudflareError, ConnectError
from .converge import ModuleResult, RunOptions, apply, build_diffs, converge
from .plan import Plan, plan
from .progress import Progress
from .resource import Attributes, Convergible, OptionSpec, Resource, Step

NOTHING = Plan(None, None)
MAX_NAMES_IN_MESSAGE = 10  # failures in one message; the result names them all
MAX_DETAILED_RESULTS = 100  # members: a larger fleet is not told of one by one, but for those that changed or failed


class InvalidElement(dict[str, t.Any]):
    """One element of C(Convergible.list_option) as it was given, which is no declaration: C(why)."""

    error = ""


@dataclass
class BulkMember:
    """One object of the fleet, its plan, and what became of it."""

    name: str
    resource: Resource | None = None
    plan: Plan = NOTHING
    state: str = "present"
    changed: bool = False
    operations: list[str] = field(default_factory=list)
    failure: str = ""
    is_primary: bool = True
    """Whether it is one of those that are asked for, and not what goes with them."""
    ambiguous_error: str = ""
    """Why it is not known whether a write was carried out."""

    @property
    def require_resource(self) -> Resource:
        """The object, which every member has that did not fail while it was planned."""
        return t.cast(Resource, self.resource)

    @property
    def is_pending(self) -> bool:
        """Whether it is still to be written."""
        return bool(self.plan.steps and not self.failure and not self.changed)

    @property
    def reached(self) -> Attributes | None:
        """Return what has become of it, or would."""
        return self.plan.before if self.failure or self.is_pending else self.plan.after

    @property
    def result(self) -> dict[str, t.Any]:
        """Return what is told of it."""
        told = {"name": self.name, "changed": self.changed, "failed": bool(self.failure)}
        if self.failure:
            return {**told, "msg": self.failure}
        return (
            {**told, "changed_fields": list(self.plan.changed)}
            if self.changed and self.plan.before and self.plan.changed
            else told
        )


class BulkResource(Convergible):
    """What a module that takes a whole list is about."""

    batch_options: t.ClassVar[dict[str, OptionSpec]] = {
        "concurrency": {"type": "int", "default": 8},
        "max_failures": {"type": "int"},
    }
    """The options of every fleet."""

    def __init__(self, client: t.Any, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        self.missing: list[str] = []
        """What must exist before anything can be written, each with its remedy. Found by C(look)."""
        for name, least in (("concurrency", 1), ("max_failures", 0)):
            if options.get(name) is not None and options[name] < least:
                raise CloudflareError(f"{name} is {options[name]}: it must be at least {least}.")

    @property
    @abstractmethod
    def label(self) -> str:
        """How the fleet is called in messages."""

    @abstractmethod
    def refresh(self, names: t.Collection[str] | None = None) -> None:
        """Read the listing from which the members are observed; at least what it says of C(names), where only those matter."""

    @abstractmethod
    def names(self) -> t.Iterable[str]:
        """Return the names of the members, after C(look)."""

    def names_to_prune(self) -> t.Collection[str]:
        """Return the names of those that are there, are no members, and shall go, after C(look). Raises where that is too much."""
        return ()

    @abstractmethod
    def build_resource(self, name: str, state: str) -> Resource:
        """Return one member, or one that leaves. Raises where its options are wrong."""

    def linked_resource(self, members: t.Sequence[BulkMember]) -> Resource | None:
        """Return what is kept in step with these members: written after they are, removed before. Its state is among its options."""
        return None

    def removal_blocker(self, name: str, companion: BulkMember) -> str:
        """Say why one that leaves has to stay for now, if it does, by what is kept in step."""
        return ""

    def bulk_step(self, due: t.Sequence[BulkMember]) -> Step | None:
        """Return one write that does what the plans of all C(due) members do, if there is one."""
        return None

    def extra_results(self, members: t.Sequence[BulkMember], companion: BulkMember | None) -> dict[str, t.Any]:
        """Return what else the result says."""
        return {}


@converge.register
def converge_fleet(fleet: BulkResource, mode: RunOptions) -> ModuleResult:
    """Bring every member to what was asked, and what is kept in step with them."""
    fleet.needs_full_read = mode.diff
    fleet.refresh()
    members = [_planned(fleet, name, mode.state) for name in fleet.names()]
    leaving = [_planned(fleet, name, "absent") for name in fleet.names_to_prune()]
    companion = _accompanied(fleet, members)
    if not mode.check:
        _refuse_what_stands_on_nothing(fleet, members, companion)
    work = Work(fleet, mode, [*members, *leaving])
    # A record leads to a Worker: it is written after the Worker, and removed before it.
    if mode.state == "absent":
        groups = [companion, members]
    else:
        work.write(members)
        companion = (
            companion
            if work.is_complete(members)
            else _accompanied(fleet, [member for member in members if not member.is_pending])
        )
        groups = [companion, leaving]
    for member in leaving:
        member.failure = member.failure or "".join(fleet.removal_blocker(member.name, one) for one in companion)
    for group in groups:
        work.write(group)
        if group is companion and not work.is_complete(group):
            work.stop(f"since {companion[0].name} failed")
    everyone = [*members, *leaving]
    failure = work.failure(everyone, companion)
    return ModuleResult(
        fleet.name,
        [
            member.result
            for member in everyone
            if len(everyone) <= MAX_DETAILED_RESULTS or member.changed or member.failure
        ],
        work.operations,
        diff=[
            one
            for member in (*everyone, *companion)
            if member.changed
            for one in build_diffs(member.require_resource, member.plan.before, member.plan.after)
        ]
        if mode.diff
        else None,
        warnings=[*fleet.warnings, *work.warnings],
        extra={"summary": _summary(everyone), **fleet.extra_results(everyone, companion[0] if companion else None)},
        failure=failure,
    )


def _planned(fleet: BulkResource, name: str, state: str) -> BulkMember:
    try:
        resource = fleet.build_resource(name, state)
        return BulkMember(name, resource, plan(resource, resource.observe(), state), state)
    except CloudflareError as error:
        if _concerns_all(error):
            raise
        return BulkMember(name, state=state, failure=str(error))


def _accompanied(fleet: BulkResource, members: t.Sequence[BulkMember]) -> list[BulkMember]:
    """Return the companion of the members that have not failed, planned; none, or one."""
    resource = fleet.linked_resource([member for member in members if not member.failure])
    if resource is None:
        return []
    state = resource.options["state"]
    return [BulkMember(resource.name, resource, plan(resource, resource.observe(), state), state, is_primary=False)]


def _refuse_what_stands_on_nothing(
    fleet: BulkResource, members: t.Sequence[BulkMember], companion: t.Sequence[BulkMember]
) -> None:
    """Name what everything stands on and is not there, before the first write."""
    wanted = [member for member in (*members, *companion) if member.is_pending and member.plan.after]
    missing = [
        *(fleet.missing if wanted else []),
        *(reason for member in wanted if member in companion for reason in member.require_resource.missing),
    ]
    if missing:
        raise CloudflareError(" ".join(missing))


def _concerns_all(error: CloudflareError) -> bool:
    """Whether every other member would fail of the same, so that going on is pointless."""
    return isinstance(error, ConnectError) or (isinstance(error, ApiError) and error.is_account_wide)


class Work:
    """The writing of a fleet: what was sent, what went wrong, and whether to go on."""

    def __init__(self, fleet: BulkResource, mode: RunOptions, members: t.Sequence[BulkMember]) -> None:
        self.operations: list[str] = []
        self.warnings: list[str] = []
        self._fleet, self._mode = fleet, mode
        self._why_stopped = ""
        self._tolerated: int | None = fleet.options["max_failures"]
        self._failures = 0
        self._progress = Progress(fleet.label, sum(member.is_pending for member in members), fleet.client.rate_limiter)
        for member in members:
            if member.failure:
                self._count_failure()

    def is_complete(self, members: t.Sequence[BulkMember]) -> bool:
        """Whether these have become what their plans say, or would."""
        return not any(member.failure or member.is_pending for member in members)

    def stop(self, why: str) -> None:
        """Begin no more members."""
        self._why_stopped = self._why_stopped or why

    def write(self, group: t.Sequence[BulkMember]) -> None:
        """Do what the plans of these members say."""
        due = [member for member in group if member.is_pending]
        at_once = self._fleet.bulk_step(due)
        if self._mode.check:
            self._foresee(due, at_once)
            return
        if at_once and not self._why_stopped:
            self._do_at_once(due, at_once)
            due = [member for member in due if member.is_pending]
        self._apply_each(due)
        late = self._unsettled(
            [
                member
                for member in due
                if (member.changed and member.require_resource.verify_after_write) or member.ambiguous_error
            ]
        )
        for member in due:
            if member.ambiguous_error:
                self._end_doubt(member, carried_out=member not in late)
        self.operations += [operation for member in due for operation in member.operations]
        self._warn_of([member for member in late if not member.failure])

    def failure(self, members: t.Sequence[BulkMember], companion: t.Sequence[BulkMember]) -> str:
        """Return why the task fails, if it does. What is tolerated becomes a warning."""
        failed = [member for member in members if member.failure]
        left = sum(member.is_pending for member in (*members, *companion))
        told = [f"{len(failed)} of {len(members)} failed."] if failed else []
        told += [
            f"{member.name}: {member.failure}"
            for member in (*failed[:MAX_NAMES_IN_MESSAGE], *companion)
            if member.failure
        ]
        told += (
            [f"Broken off, {self._why_stopped}: {left} were not begun. Run again, and it goes on from there."]
            if left
            else []
        )
        message = f"{self._fleet.label}: {' '.join(told)}" if told else ""
        if message and not left and self._failures <= (self._tolerated or 0):
            self.warnings.append(message)
            return ""
        return message

    def _foresee(self, due: t.Sequence[BulkMember], at_once: Step | None) -> None:
        self.operations += (
            [str(at_once)] if at_once else [operation for member in due for operation in member.plan.operations]
        )
        for member in due:
            member.changed = True

    def _do_at_once(self, due: t.Sequence[BulkMember], step: Step) -> None:
        lost = False
        try:
            self._fleet.client.write(step.method, step.path, **step.request())
        except AmbiguousResult:
            lost = True
        except CloudflareError as error:
            if _concerns_all(error):
                self._fail(due[0], error)
            return  # else they are written one by one
        left = self._unsettled(due)
        self.operations += [] if lost and len(left) == len(due) else [str(step)]
        for member in due:
            member.changed = member not in left
            self._progress.step(member.changed, failed=False)

    def _apply_each(self, due: t.Sequence[BulkMember]) -> None:
        self._fleet.client.rate_limiter.on_wait = self._progress.wait
        with ThreadPoolExecutor(self._fleet.options["concurrency"]) as pool:
            try:
                for ended in as_completed([pool.submit(self._apply, member) for member in due]):
                    member = ended.result()
                    if member.is_primary:
                        self._progress.step(member.changed, bool(member.failure))
            except BaseException:
                self._why_stopped = "interrupted"
                raise

    def _apply(self, member: BulkMember) -> BulkMember:
        if self._why_stopped:
            return member
        try:
            apply(member.require_resource, member.plan, member.operations)
        except AmbiguousResult as lost:
            member.ambiguous_error = str(lost)
        except CloudflareError as error:
            self._fail(member, error)
        member.changed = bool(member.operations or member.ambiguous_error)
        return member

    def _end_doubt(self, member: BulkMember, carried_out: bool) -> None:
        """Say what became of a member of which a write was sent and its answer was lost."""
        if carried_out:
            member.operations = member.plan.operations
            return
        member.failure, member.changed = member.ambiguous_error, bool(member.operations)
        self._count_failure()

    def _fail(self, member: BulkMember, error: CloudflareError) -> None:
        member.failure = str(error)
        self._count_failure()
        if _concerns_all(error):
            self.stop("since the others would fail of the same")

    def _count_failure(self) -> None:
        self._failures += 1
        if self._tolerated is not None and self._failures > self._tolerated:
            self.stop(f"since more than max_failures ({self._tolerated}) failed")

    def _unsettled(self, due: t.Sequence[BulkMember]) -> list[BulkMember]:
        """Return the members that a fresh listing does not yet show as they should be, after patience."""
        left = list(due)
        for member in left:
            member.require_resource.after_write()
        for _waited in self._mode.poll() if left else ():
            self._fleet.client.invalidate()
            self._fleet.refresh([member.name for member in left])
            left = [
                member
                for member in left
                if plan(member.require_resource, member.require_resource.observe(), member.state).steps
            ]
            if not left:
                break
        return left

    def _warn_of(self, late: t.Sequence[BulkMember]) -> None:
        if late:
            names = ", ".join(member.require_resource.label for member in late[:MAX_NAMES_IN_MESSAGE])
            self.warnings.append(
                f"Cloudflare accepted the writes, but its listing does not show all of them yet: {len(late)}, such as {names}."
            )


def _summary(members: t.Sequence[BulkMember]) -> dict[str, int]:
    failed = sum(bool(member.failure) for member in members)
    return {"total": len(members), "changed": sum(member.changed for member in members), "failed": failed}
