# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How anything converges: observe, plan, apply, verify, outcome. The only place that knows check mode and diff."""

from __future__ import annotations

import functools
import time
import typing as t
from dataclasses import dataclass, field, replace

from .._cloudflare.errors import AmbiguousResult, CloudflareError
from .plan import Plan, is_known, plan
from .resource import Attributes, Convergible, Resource

VERIFY_TIMEOUT = 20.0  # seconds: how long a read may lag behind a write
POLL_INITIAL_INTERVAL = 0.1  # seconds between the first look and the second; doubled each time
POLL_MAX_INTERVAL = 2.0  # seconds: no longer than this between two looks, unless patience is long
MAX_POLLS = 60  # about: who waits for an hour does not spend the API's budget on it


@dataclass(frozen=True)
class RunOptions:
    """How to converge. C(sleep) is there for the tests."""

    state: str = "present"
    check: bool = False
    diff: bool = False
    timeout: float = field(default_factory=lambda: VERIFY_TIMEOUT)
    sleep: t.Callable[[float], None] = time.sleep

    def poll(self) -> t.Iterator[float]:
        """Yield the seconds waited so far, for as long as patience lasts."""
        waited, delay, longest = 0.0, POLL_INITIAL_INTERVAL, max(POLL_MAX_INTERVAL, self.timeout / MAX_POLLS)
        yield waited
        while waited < self.timeout:
            self.sleep(delay)
            waited, delay = waited + delay, min(2 * delay, longest)
            yield waited


@dataclass
class ModuleResult:
    """What became of it: C(thing) is the object under C(name), null once absent."""

    name: str
    value: t.Any
    operations: list[str] = field(default_factory=list)
    diff: t.Any = None
    warnings: list[str] = field(default_factory=list)
    extra: dict[str, t.Any] = field(default_factory=dict)
    failure: str = ""

    def as_dict(self) -> dict[str, t.Any]:
        """Return what Ansible is told. C(changed) is whether anything was written, or would be."""
        told = {"changed": bool(self.operations), "operations": self.operations, self.name: self.value, **self.extra}
        return {**told, "diff": self.diff} if self.diff is not None else told


@functools.singledispatch
def converge(kind: Convergible, mode: RunOptions) -> ModuleResult:
    """Bring the world to what was asked, or say what that would take."""
    raise TypeError(f"{type(kind).__name__} is nothing that converges")


@converge.register
def converge_resource(resource: Resource, mode: RunOptions) -> ModuleResult:
    """Bring one object to what was asked."""
    intended = plan(resource, resource.observe(), mode.state)
    reached = (
        intended.after if mode.check else wait_for_condition(resource, apply_and_verify(resource, intended, mode), mode)
    )
    return ModuleResult(
        resource.name,
        reached,
        intended.operations,
        diff=_one_or_many(build_diffs(resource, intended.before, reached)) if mode.diff else None,
        warnings=resource.warnings,
    )


def apply_and_verify(resource: Resource, intended: Plan, mode: RunOptions) -> Attributes | None:
    """Apply a plan and return the object as it then is. Without steps nothing is sent and nothing read."""
    if not intended.steps:
        return intended.after
    problem = "Cloudflare accepted every write"
    try:
        apply(resource, intended, [])
    except AmbiguousResult as lost:
        # What was sent may have been carried out: look, instead of sending it again.
        problem = str(lost)
    else:
        if not resource.verify_after_write:
            return intended.after
    return verify(resource, intended, mode, problem)


def apply(resource: Resource, intended: Plan, sent: list[str]) -> None:
    """Send the steps of a plan, in order, unless something that they stand on is missing, and add to C(sent) each that was done."""
    if intended.steps and intended.after is not None and resource.missing:
        raise CloudflareError(" ".join(resource.missing))
    for step in intended.steps:
        step.on_response(resource.client.write(step.method, step.path, **step.request()))
        sent.append(str(step))


def verify(resource: Resource, intended: Plan, mode: RunOptions, problem: str) -> Attributes | None:
    """Read back until nothing is left to do, and return the object: as planned, with what the server filled in.

    A 200 that stored nothing is a failure, not a change.
    """
    resource.after_write()
    seconds = 0.0
    for seconds in mode.poll():
        resource.client.invalidate()
        left = plan(resource, resource.observe(), mode.state)
        if not left.steps:
            return merge_computed(intended.after, left.after) if intended.after and left.after else None
    todo = ", ".join(left.changed) or f"state={mode.state}"
    raise CloudflareError(
        f"{resource.label} is not as it should be: {problem}, but {seconds:.0f} s later it still differs in {todo}. Run again."
    )


def wait_for_condition(resource: Resource, thing: Attributes | None, mode: RunOptions) -> Attributes | None:
    """Look until what the task waits for has happened, and return the object with what the server has filled in by then."""
    left = resource.pending_reason(thing) if thing else ""
    if thing is None or not left:
        return thing
    for _waited in replace(mode, timeout=float(resource.options["wait_timeout"])).poll():
        resource.client.invalidate()
        seen = resource.observe() or {}
        left = resource.pending_reason(seen) if seen else "it is gone"
        if not left:
            return {**thing, **{key: seen[key] for key in resource.computed_on_write}}
    raise CloudflareError(
        f"{resource.label} is as it should be, but after {resource.options['wait_timeout']} s {left}. Run again, or raise wait_timeout."
    )


def merge_computed(intended: Attributes, seen: Attributes) -> Attributes:
    """Return what was intended, with what only the server could fill in, and nothing that a prediction would not have."""
    return {key: value if key not in seen or is_known(value) else seen[key] for key, value in intended.items()}


def _one_or_many(diffs: list[dict[str, t.Any]]) -> t.Any:
    return diffs[0] if len(diffs) == 1 else diffs


def build_diffs(resource: Resource, before: Attributes | None, after: Attributes | None) -> list[dict[str, t.Any]]:
    """Return diffs in Ansible's form, without what the server fills in; the first is of the object, others of what it tells only in sum."""
    whole = {
        "before": resource.diff_view(before),
        "after": resource.diff_view(after),
        "before_header": resource.label,
        "after_header": resource.label,
    }
    return [whole, *(resource.extra_diffs() if before and after else [])]
