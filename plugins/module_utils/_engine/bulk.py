# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many objects of one kind: one listing, a plan for each, writes side by side, one listing to verify.

A member that fails does not keep the others from converging. The next run completes one that was aborted.
"""

from __future__ import annotations

import typing as t
from abc import abstractmethod

from .._cloudflare.errors import ApiError, CloudflareError, ConnectError
from .bulk_member import BulkMember, FailedMember, PlannedMember, planned
from .bulk_run import BulkRun
from .converge import ModuleResult, RunOptions, build_diffs, missing_warnings
from .fields import OptionSpec
from .plan import BulkStep
from .resource import ApiObject, Convergible
from .text import MAX_NAMES

MAX_DETAILED_RESULTS = 100  # members: the result of a larger run lists only those that changed or failed


class InvalidElement(dict[str, t.Any]):
    """An element of ``Convergible.list_option`` as the user gave it, and the validation error in it."""

    error = ""


class BulkResource(Convergible):
    """The subject of a module that takes a list of objects."""

    batch_options: t.ClassVar[dict[str, OptionSpec]] = {
        "concurrency": {"type": "int", "default": 8},
        "max_failures": {"type": "int"},
    }
    """The options of every bulk module."""

    def __init__(self, client: t.Any, user_params: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, user_params, options)
        self.missing: list[str] = []
        """Missing prerequisites of all members, each with its remedy. Set by ``refresh``."""
        for name, minimum in (("concurrency", 1), ("max_failures", 0)):
            if options.get(name) is not None and options[name] < minimum:
                raise CloudflareError(f"{name} is {options[name]}: it must be at least {minimum}.")

    refuses_invalid: t.ClassVar[bool] = False
    """Whether one invalid declaration refuses the task, before the first request. Else it fails alone."""

    @property
    @abstractmethod
    def label(self) -> str:
        """The name of the objects in messages."""

    @abstractmethod
    def refresh(self, names: t.Collection[str] | None = None) -> None:
        """Read the listing from which members are observed; of ``names`` at least, if given."""

    @abstractmethod
    def names(self) -> t.Iterable[str]:
        """Return the names of the declared objects. Called after ``refresh``."""

    def names_to_prune(self) -> t.Collection[str]:
        """Return the names of the objects to prune. Called after ``refresh``; raises if there are too many."""
        return ()

    @abstractmethod
    def build_resource(self, name: str, state: str) -> ApiObject:
        """Return one object. Raises CloudflareError if its declaration is invalid."""

    def concerns_all(self, error: CloudflareError) -> bool:
        """Whether all other members would fail with the same error, so that the run stops."""
        return isinstance(error, ConnectError) or (isinstance(error, ApiError) and error.is_account_wide)

    def linked_resource(self, members: t.Sequence[BulkMember]) -> ApiObject | None:
        """Return the object kept in sync with these members: written after they are, removed before them.

        Its desired state is the option ``state``.
        """
        return None

    def removal_blocker(self, name: str, linked: PlannedMember | None) -> str:
        """Return why an object to prune must stay, by the listing and the linked object; empty if it need not."""
        return ""

    def taken_error(self, member: PlannedMember) -> str:
        """Return the error of a written member that another owner has taken since; empty if none has."""
        return ""

    def was_overwritten(self, member: PlannedMember) -> bool:
        """Whether the listing shows a later write of another client in place of this run's write."""
        return False

    def bulk_step(self, pending: t.Sequence[PlannedMember]) -> BulkStep | None:
        """Return one write that replaces those of all pending members, if there is one."""
        return None

    def extra_results(self, members: t.Sequence[BulkMember], linked: PlannedMember | None) -> dict[str, t.Any]:
        """Return further keys of the module's result."""
        return {}

    def plan_warnings(self, members: t.Sequence[PlannedMember]) -> list[str]:
        """Return warnings about the plans."""
        return []

    # -- the run -------------------------------------------------------------------------------------------------------

    def converge(self, run: RunOptions) -> ModuleResult:
        """Plan all members, check prerequisites, write members, linked object and removals, and report."""
        self.needs_full_read = run.diff
        if self.refuses_invalid:
            self._check_declarations()
        self.refresh()
        members = [self._plan(name, self.state) for name in self.names()]
        removals = [self._plan(name, "absent") for name in self.names_to_prune()]
        linked = self._plan_linked(members)
        if not run.check:
            self._check_prerequisites(members, linked)
        writes = BulkRun(self, run, [*members, *removals])
        with writes.until_interrupted():
            if self.state == "absent":
                self._remove(writes, linked, members)
            else:
                self._write(writes, members, linked, removals)
        return self._result(run, writes, [*members, *removals], linked)

    def _check_declarations(self) -> None:
        """Raise CloudflareError with all invalid declarations. Sends no request."""
        names = list(self.names())
        errors = [f"{name}: {error}" for name in names if (error := self._declaration_error(name))]
        if errors:
            shown = " ".join(errors[:MAX_NAMES])
            raise CloudflareError(
                f"{self.label}: {len(errors)} of {len(names)} are invalid, and nothing was changed. {shown}"
            )

    def _declaration_error(self, name: str) -> str:
        try:
            self.build_resource(name, self.state)
        except CloudflareError as error:
            return str(error)
        return ""

    def _plan(self, name: str, state: str) -> BulkMember:
        try:
            resource = self.build_resource(name, state)
            return PlannedMember(name, resource, resource.plan(resource.observe()))
        except CloudflareError as error:
            if self.concerns_all(error):
                raise
            return FailedMember(name, str(error))

    def _plan_linked(self, members: t.Sequence[BulkMember]) -> list[PlannedMember]:
        """Return the linked object of the members that have not failed, planned; none or one."""
        resource = self.linked_resource([member for member in members if not member.failure])
        if resource is None:
            return []
        plan = resource.plan(resource.observe())
        return [PlannedMember(resource.name, resource, plan, is_linked=True)]

    def _check_prerequisites(self, members: t.Sequence[BulkMember], linked: t.Sequence[PlannedMember]) -> None:
        """Raise for prerequisites that all writes need, before the first write."""
        needing = [member for member in planned((*members, *linked)) if member.is_pending and member.plan.after]
        missing = [*(self.missing if needing else [])]
        missing += [reason for member in needing if member.is_linked for reason in member.plan.missing]
        if missing:
            raise CloudflareError(" ".join(missing))

    def _remove(self, writes: BulkRun, linked: t.Sequence[PlannedMember], members: t.Sequence[BulkMember]) -> None:
        """Remove the linked object, then the members: a record that leads to a Worker goes first."""
        self._write_linked(writes, linked)
        writes.write(planned(members))

    def _write(
        self,
        writes: BulkRun,
        members: t.Sequence[BulkMember],
        linked: list[PlannedMember],
        removals: t.Sequence[BulkMember],
    ) -> None:
        """Write the members, then the linked object, then the removals."""
        writes.write(planned(members))
        if not writes.is_complete(members):
            self._plan_linked_again(writes, linked, members)
        for member in planned(removals):
            blocker = self.removal_blocker(member.name, linked[0] if linked else None)
            if blocker and not member.failure:
                writes.fail(member, CloudflareError(blocker))
        self._write_linked(writes, linked)
        writes.write(planned(removals))

    def _plan_linked_again(self, writes: BulkRun, linked: list[PlannedMember], members: t.Sequence[BulkMember]) -> None:
        """Plan the linked object for the members that are written. One that cannot be planned fails."""
        try:
            linked[:] = self._plan_linked([member for member in members if not member.is_pending])
        except CloudflareError as error:
            for member in linked:
                writes.fail(member, error)

    def _write_linked(self, writes: BulkRun, linked: t.Sequence[PlannedMember]) -> None:
        writes.write(linked)
        if not writes.is_complete(linked):
            writes.abort(f"{linked[0].name} failed")

    def _result(
        self,
        run: RunOptions,
        writes: BulkRun,
        members: t.Sequence[BulkMember],
        linked: t.Sequence[PlannedMember],
    ) -> ModuleResult:
        failure = writes.failure_message(members, linked)
        changed = [member for member in planned((*members, *linked)) if member.changed]
        detailed = len(members) <= MAX_DETAILED_RESULTS
        diffs = [diff for member in changed for diff in build_diffs(member.resource, member.plan, member.plan.after)]
        predicted = [(member.resource, member.plan) for member in changed] if run.check else []
        missing = missing_warnings(predicted, self.missing)
        warnings = [*self.warnings, *self.plan_warnings(planned(members)), *missing, *writes.warnings]
        return ModuleResult(
            self.name,
            [member.as_result() for member in members if detailed or member.changed or member.failure],
            writes.operations,
            diff=diffs if run.diff else None,
            warnings=warnings,
            extra={
                "summary": _summary(members),
                "aborted": writes.is_aborted,
                **self.extra_results(members, linked[0] if linked else None),
            },
            failure=failure,
        )


def _summary(members: t.Sequence[BulkMember]) -> dict[str, int]:
    failed = sum(bool(member.failure) for member in members)
    return {"total": len(members), "changed": sum(member.changed for member in members), "failed": failed}
