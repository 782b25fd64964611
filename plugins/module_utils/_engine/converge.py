# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How one object converges: observe, plan, apply, verify. Only this and the bulk run handle check mode and diff."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field, replace

from .._cloudflare.errors import AmbiguousResult, ApiError, CloudflareError
from .fields import Attributes, is_known
from .plan import Plan, Step

if t.TYPE_CHECKING:
    from .._cloudflare.client import Client
    from .resource import ApiObject

VERIFY_TIMEOUT = 20.0  # seconds: a read may lag behind a write by as much
POLL_INITIAL_INTERVAL = 0.1  # seconds between the first two polls; doubled each time
POLL_MAX_INTERVAL = 2.0  # seconds between two polls, unless the timeout is long
MAX_MISSING_WARNINGS = 10  # of one task
MAX_POLLS = 60  # approximately: a wait of an hour must not use up the rate limit


@dataclass(frozen=True)
class RunOptions:
    """How to run: check mode and diff, and the timeout of verification in seconds."""

    check: bool = False
    diff: bool = False
    timeout: float = field(default_factory=lambda: VERIFY_TIMEOUT)
    sleep: t.Callable[[float], None] = time.sleep

    def poll(self) -> t.Iterator[float]:
        """Yield the seconds waited so far, with growing intervals, until the timeout."""
        waited, delay, longest = 0.0, POLL_INITIAL_INTERVAL, max(POLL_MAX_INTERVAL, self.timeout / MAX_POLLS)
        yield waited
        while waited < self.timeout:
            self.sleep(delay)
            waited, delay = waited + delay, min(2 * delay, longest)
            yield waited


@dataclass
class ModuleResult:
    """The result of a module: ``value`` is the object under the key ``name``, None if it does not exist."""

    name: str
    value: t.Any
    operations: list[str] = field(default_factory=list)
    diff: t.Any = None
    warnings: list[str] = field(default_factory=list)
    extra: dict[str, t.Any] = field(default_factory=dict)
    failure: str = ""

    def as_dict(self) -> dict[str, t.Any]:
        """Return the result for Ansible. ``changed`` means that something was written, or would be."""
        result = {"changed": bool(self.operations), "operations": self.operations, self.name: self.value, **self.extra}
        return {**result, "diff": self.diff} if self.diff is not None else result


def converge_object(resource: ApiObject, run: RunOptions) -> ModuleResult:
    """Converge one object, or predict it in check mode."""
    plan = resource.plan(resource.observe())
    value = plan.after if run.check else wait_for_condition(resource, apply_and_verify(resource, plan, run), run)
    return ModuleResult(
        resource.name,
        value,
        [str(step if run.check else supported_step(resource.client, step)) for step in plan.steps],
        diff=_unwrap_single(build_diffs(resource, plan, value)) if run.diff else None,
        warnings=[*resource.warnings, *plan.warnings, *(missing_warnings([(resource, plan)]) if run.check else [])],
    )


def missing_warnings(predicted: t.Iterable[tuple[ApiObject, Plan]], missing: t.Iterable[str] = ()) -> list[str]:
    """Return warnings about objects without which a run of these plans would fail, each with its remedy.

    ``missing`` are prerequisites of all plans.
    """
    writing = [(resource, plan) for resource, plan in predicted if plan.steps and plan.after is not None]
    each = (reason for resource, plan in writing for reason in (*plan.missing, *resource.missing_references(plan)))
    reasons = list(dict.fromkeys((*(missing if writing else ()), *each)))
    more = len(reasons) - MAX_MISSING_WARNINGS
    return [
        *(
            f"{reason} A run fails without it, unless an earlier task creates it."
            for reason in reasons[:MAX_MISSING_WARNINGS]
        ),
        *([f"{more} further objects do not exist."] if more > 0 else []),
    ]


def apply_and_verify(resource: ApiObject, plan: Plan, run: RunOptions) -> Attributes | None:
    """Apply a plan and return the resulting object. Without steps, send and read nothing."""
    if not plan.steps:
        return plan.after
    problem, sent = "Cloudflare accepted every write", list[str]()
    try:
        apply(resource.client, plan, sent)
    except AmbiguousResult as error:
        if not resource.can_verify(plan, plan.steps[len(sent)]):
            raise
        # The write may have been carried out: read, instead of sending it again.
        problem = str(error)
    else:
        if not resource.verify_after_write:
            return plan.after
    return verify(resource, plan, run, problem)


def apply(client: Client, plan: Plan, sent: list[str]) -> None:
    """Send the steps of a plan in order, and append each acknowledged one to ``sent``.

    Raises CloudflareError before the first write if a prerequisite is missing.
    """
    if plan.steps and plan.after is not None and plan.missing:
        raise CloudflareError(" ".join(plan.missing))
    for step in plan.steps:
        sent.append(str(_send(client, step)))


def supported_step(client: Client, step: Step) -> Step:
    """Return a step, or its fallback if the API does not have the method as far as earlier responses showed."""
    return step if step.fallback is None or client.supports(step.method, step.path) else step.fallback


def _send(client: Client, step: Step) -> Step:
    """Send a step or its fallback, and return the one that was acknowledged."""
    sent = supported_step(client, step)
    try:
        response = client.write(sent.method, sent.path, **sent.request())
    except ApiError:
        if supported_step(client, step) is sent:
            raise
        return _send(client, step)
    sent.on_response(response)
    return sent


def verify(resource: ApiObject, plan: Plan, run: RunOptions, problem: str) -> Attributes | None:
    """Read until nothing is left to do. Return the object as planned, with the attributes that the server filled in.

    Raises CloudflareError after the timeout: a 200 that stored nothing is a failure, not a change.
    """
    seconds = 0.0
    for seconds in run.poll():
        resource.client.invalidate()
        remaining = resource.plan(resource.observe_written(plan))
        if not remaining.steps:
            return merge_computed(plan.after, remaining.after) if plan.after and remaining.after else None
    todo = ", ".join(remaining.changed) or f"state={resource.state}"
    raise CloudflareError(
        f"{resource.label} is not as it should be: {problem}, but {seconds:.0f} s later it still differs in {todo}."
        " Run again."
    )


def wait_for_condition(resource: ApiObject, value: Attributes | None, run: RunOptions) -> Attributes | None:
    """Poll until the condition of the task holds. Return the object with the attributes that the server filled in."""
    reason = resource.pending_reason(value) if value else ""
    if value is None or not reason:
        return value
    for _waited in replace(run, timeout=float(resource.options["wait_timeout"])).poll():
        resource.client.invalidate()
        current = resource.observe().current
        reason = resource.pending_reason(current) if current else "it is gone"
        if current and not reason:
            return {**value, **{key: current[key] for key in resource.computed_on_write}}
    raise CloudflareError(
        f"{resource.label} is as it should be, but after {resource.options['wait_timeout']} s {reason}."
        " Run again, or raise wait_timeout."
    )


def merge_computed(planned: Attributes, current: Attributes) -> Attributes:
    """Return the planned object with the values that only the server can fill in, and no other attribute."""
    return {key: value if key not in current or is_known(value) else current[key] for key, value in planned.items()}


def build_diffs(resource: ApiObject, plan: Plan, after: Attributes | None) -> list[dict[str, t.Any]]:
    """Return diffs in Ansible's format: the object without computed attributes, then parts shown only as a digest."""
    whole = {
        "before": resource.diff_view(plan.before),
        "after": resource.diff_view(after),
        "before_header": resource.label,
        "after_header": resource.label,
    }
    return [whole, *(plan.extra_diffs() if plan.before and after else [])]


def _unwrap_single(diffs: list[dict[str, t.Any]]) -> t.Any:
    return diffs[0] if len(diffs) == 1 else diffs
