# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The writes of a bulk run: side by side under the rate limiter, verified by a fresh listing."""

from __future__ import annotations

import contextlib
import typing as t

from .._cloudflare.errors import AmbiguousResult, CloudflareError
from .._cloudflare.interruption import Interrupted
from .bulk_member import BulkMember, PlannedMember
from .converge import RunOptions, apply
from .parallel import in_parallel
from .plan import BulkStep
from .progress import Progress
from .text import MAX_NAMES, list_names

if t.TYPE_CHECKING:
    from .bulk import BulkResource

IN_FLIGHT = "The request was in flight at the interruption, and was possibly carried out. Run again to continue."
BULK_IN_FLIGHT = "Part of a deletion by tag that was interrupted; possibly deleted. Run again to continue."


class BulkRun:
    """The writes of a bulk run so far: acknowledged operations, failures, and whether to start any more."""

    def __init__(self, bulk: BulkResource, run: RunOptions, members: t.Sequence[BulkMember]) -> None:
        self.operations: list[str] = []
        self.warnings: list[str] = []
        self._bulk, self._run = bulk, run
        self._abort_reason = ""
        self._max_failures: int | None = bulk.options["max_failures"]
        self._failures = 0
        self._read_error = ""
        pending = sum(member.is_pending for member in members)
        self._interruption = bulk.client.interruption
        self._in_flight: list[PlannedMember] = []
        self._progress = Progress(bulk.label, pending, bulk.client.rate_limiter)
        for member in members:
            if member.failure:
                self._count_failure()

    def is_complete(self, members: t.Sequence[BulkMember]) -> bool:
        """Whether these members became as planned, or would."""
        return not any(member.failure or member.is_pending for member in members)

    @property
    def is_aborted(self) -> bool:
        """Whether no further write is started."""
        return bool(self._abort_reason or self._interruption.reason)

    def abort(self, reason: str) -> None:
        """Start no further write."""
        self._abort_reason = self._abort_reason or reason

    def write(self, group: t.Sequence[PlannedMember]) -> None:
        """Apply the plans of these members and verify them. In check mode, only record the operations."""
        pending = [member for member in group if member.is_pending]
        bulk_step = self._bulk.bulk_step(pending)
        if self._run.check:
            self._predict(pending, bulk_step)
            return
        if bulk_step and not self._abort_reason:
            self._apply_bulk_step(pending, bulk_step)
            pending = [member for member in pending if member.is_pending]
        try:
            self._apply_each(pending)
            self._verify(pending)
        finally:
            self.operations += [operation for member in pending for operation in member.operations]

    @contextlib.contextmanager
    def until_interrupted(self) -> t.Iterator[None]:
        """End the context at an interruption: abort, and fail the members whose writes are still in flight."""
        try:
            yield
        except Interrupted:
            for member in list(self._in_flight):
                member.failure = IN_FLIGHT
                self._count_failure()
        if self._interruption.reason:
            self.abort(f"interrupted by {self._interruption.reason}")

    def failure_message(self, members: t.Sequence[BulkMember], linked: t.Sequence[PlannedMember]) -> str:
        """Return the message with which the task fails; empty if it does not. Tolerated failures become a warning."""
        failed = [member for member in members if member.failure]
        not_started = sum(member.is_pending for member in (*members, *linked))
        parts = [f"{len(failed)} of {len(members)} failed."] if failed else []
        if not_started and self._interruption.reason:
            parts.insert(0, f"{sum(member.changed for member in members)} of {len(members)} changed.")
        named, others = (*failed[:MAX_NAMES], *linked), failed[MAX_NAMES:]
        parts += [f"{member.name}: {member.failure}" for member in named if member.failure]
        if others:
            parts.append(f"Also failed: {', '.join(member.name for member in others)}.")
        if not_started:
            parts.append(f"Aborted: {self._abort_reason}; {not_started} not started. Run again to continue.")
        message = f"{self._bulk.label}: {' '.join(parts)}" if parts else ""
        # max_failures counts members: without the linked object, none of them may be reachable.
        is_complete = not not_started and not self._interruption.reason and self.is_complete(linked)
        if message and is_complete and self._failures <= (self._max_failures or 0):
            self.warnings.append(message)
            return ""
        return message

    # -- writes --------------------------------------------------------------------------------------------------------

    def _predict(self, pending: t.Sequence[PlannedMember], bulk_step: BulkStep | None) -> None:
        operations = [operation for member in pending for operation in member.plan.operations]
        self.operations += bulk_step.operations(len(pending)) if bulk_step else operations
        for member in pending:
            member.changed = True

    def _apply_bulk_step(self, pending: t.Sequence[PlannedMember], step: BulkStep) -> None:
        """Send one write for all. Those it did not reach stay pending, and are written one by one."""
        is_ambiguous, covered, earlier = False, None, self._bulk_writes()
        try:
            covered = self._send_bulk_step(step, len(pending))
        except AmbiguousResult:
            is_ambiguous = True
        except Interrupted:
            self._end_bulk_step(pending, earlier)
            raise
        except CloudflareError as error:
            if self._bulk.concerns_all(error):
                self.fail(pending[0], error)
                self._end_bulk_step(pending, earlier)
            return
        if self._interruption.reason and (covered is None or covered < len(pending)):
            self._end_bulk_step(pending, earlier)
            return
        unsettled = self._wait_until_settled(pending, 0 if covered is None else max(0, len(pending) - covered))
        if self._interruption.reason and not is_ambiguous:
            unsettled = []  # not read, but the answers covered all
        self.operations += [str(step)] if is_ambiguous and len(unsettled) < len(pending) else []
        for member in pending:
            member.changed = member not in unsettled
            self._progress.advance(member.changed, failed=False)

    def _bulk_writes(self) -> tuple[int, int]:
        """Return the numbers of acknowledged and of ambiguous writes so far."""
        return len(self.operations), len(self._interruption.ambiguous)

    def _end_bulk_step(self, pending: t.Sequence[PlannedMember], earlier: tuple[int, int]) -> None:
        """Fail the members of an incomplete write for all, if any part of it may have been carried out."""
        if self._bulk_writes() == earlier:
            return
        for member in pending:
            member.changed = len(self.operations) > earlier[0]
            if not member.failure:
                member.failure = BULK_IN_FLIGHT
                self._count_failure()

    def _send_bulk_step(self, step: BulkStep, count: int) -> int | None:
        """Send the write until none of ``count`` members remains. Return how many it covered, None if unknown."""
        covered: int | None = 0
        for _each in range(count):
            response = self._bulk.client.write(step.method, step.path, **step.request())
            if response.not_found_code:
                break
            self.operations.append(str(step))
            number, has_more = step.progress(response)
            covered = None if number is None or covered is None else covered + number
            if not has_more or number == 0:
                break
        return covered

    def _apply_each(self, pending: t.Sequence[PlannedMember]) -> None:
        self._bulk.client.rate_limiter.on_wait = self._progress.wait
        for member in in_parallel(self._apply, pending, self._bulk.options["concurrency"]):
            if not member.is_linked:
                self._progress.advance(member.changed, bool(member.failure))

    def _apply(self, member: PlannedMember) -> PlannedMember:
        if self._abort_reason or self._interruption.reason:
            return member
        self._in_flight.append(member)
        try:
            apply(member.resource.client, member.plan, member.operations)
        except AmbiguousResult as error:
            if member.resource.can_verify(member.plan, member.plan.steps[len(member.operations)]):
                member.ambiguous_error = str(error)
            else:
                self.fail(member, error)
        except CloudflareError as error:
            self.fail(member, error)
        except Interrupted:
            if member.operations:
                done, all_steps = len(member.operations), len(member.plan.steps)
                member.failure = f"Interrupted after {done} of {all_steps} writes. Run again to continue."
                self._count_failure()
        finally:
            self._in_flight.remove(member)
        member.changed = bool(member.operations or member.ambiguous_error)
        return member

    def fail(self, member: PlannedMember, error: CloudflareError) -> None:
        """Fail a member, and abort if all others would fail with the same error."""
        member.failure = str(error)
        self._count_failure()
        if self._bulk.concerns_all(error):
            self.abort("the others would fail with the same error")

    def _count_failure(self) -> None:
        self._failures += 1
        if self._max_failures is not None and self._failures > self._max_failures:
            self.abort(f"more than max_failures ({self._max_failures}) failed")

    # -- verification --------------------------------------------------------------------------------------------------

    def _verify(self, written: t.Sequence[PlannedMember]) -> None:
        """Read the written members again, decide about ambiguous results, and warn of those that do not show yet."""
        to_read = [
            member
            for member in written
            if (member.changed and member.resource.verify_after_write) or member.ambiguous_error
        ]
        unsettled = self._wait_until_settled(to_read)
        for member in written:
            if member.ambiguous_error:
                self._resolve_ambiguous(member, was_carried_out=member not in unsettled)
        late = [member for member in unsettled if not member.failure]
        if late and not self._interruption.reason:
            self._report_late(late)

    def _report_late(self, late: t.Sequence[PlannedMember]) -> None:
        """Fail the members that others have taken, and warn of the others whose acknowledged writes do not show."""
        for member in late:
            if error := self._bulk.taken_error(member):
                member.failure = error
                self._count_failure()
        late = [member for member in late if not member.failure]
        overwritten = [member.resource.label for member in late if self._bulk.was_overwritten(member)]
        if not late:
            return
        reason = f" It could not be read: {self._read_error}" if self._read_error else ""
        self.warnings.append(
            "Cloudflare accepted the writes, but its listing does not show all of them yet:"
            f" {len(late)}, such as {list_names([member.resource.label for member in late])}.{reason}"
        )
        if overwritten:
            self.warnings.append(
                f"Another client has written {list_names(overwritten)} since this run did. Run again, unless that is"
                " what you want."
            )

    def _resolve_ambiguous(self, member: PlannedMember, was_carried_out: bool) -> None:
        if was_carried_out:
            member.operations = member.plan.operations
            return
        member.failure, member.changed = member.ambiguous_error, bool(member.operations)
        self._count_failure()

    def _wait_until_settled(self, members: t.Sequence[PlannedMember], expected: int = 0) -> list[PlannedMember]:
        """Poll the listing until at most ``expected`` members are not as planned. Return those that are not in time."""
        unsettled = list(members)
        for _waited in self._run.poll() if unsettled and not self._interruption.reason else ():
            self._bulk.client.invalidate()
            try:
                self._bulk.refresh([member.name for member in unsettled])
            except CloudflareError as error:  # the writes were acknowledged all the same
                self._read_error = str(error)
                break
            unsettled = [member for member in unsettled if not self._is_settled(member)]
            if len(unsettled) <= expected:
                break
        return unsettled

    @staticmethod
    def _is_settled(member: PlannedMember) -> bool:
        """Whether a member is as planned. It is not if it cannot be planned any more, such as with another owner."""
        try:
            return not member.resource.plan(member.resource.observe_written(member.plan)).steps
        except CloudflareError:
            return False
