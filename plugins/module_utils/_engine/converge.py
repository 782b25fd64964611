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
from .plan import Plan, knowable, plan
from .resource import Kind, Object, Resource

PATIENCE = 20.0  # seconds: how long a read may lag behind a write
FIRST_LOOK = 0.1  # seconds between the first look and the second; doubled each time
LAST_LOOK = 2.0  # seconds: no longer than this between two looks, unless patience is long
MOST_LOOKS = 60  # about: who waits for an hour does not spend the API's budget on it


@dataclass(frozen=True)
class Mode:
    """How to converge. C(sleep) is there for the tests."""

    state: str = "present"
    check: bool = False
    diff: bool = False
    patience: float = field(default_factory=lambda: PATIENCE)
    sleep: t.Callable[[float], None] = time.sleep

    def looks(self) -> t.Iterator[float]:
        """Yield the seconds waited so far, for as long as patience lasts."""
        waited, delay, longest = 0.0, FIRST_LOOK, max(LAST_LOOK, self.patience / MOST_LOOKS)
        yield waited
        while waited < self.patience:
            self.sleep(delay)
            waited, delay = waited + delay, min(2 * delay, longest)
            yield waited


@dataclass
class Outcome:
    """What became of it: C(thing) is the object under C(name), null once absent."""

    name: str
    thing: t.Any
    operations: list[str] = field(default_factory=list)
    diff: t.Any = None
    warnings: list[str] = field(default_factory=list)
    extra: dict[str, t.Any] = field(default_factory=dict)
    failure: str = ""

    def result(self) -> dict[str, t.Any]:
        """Return what Ansible is told. C(changed) is whether anything was written, or would be."""
        told = {"changed": bool(self.operations), "operations": self.operations, self.name: self.thing, **self.extra}
        return {**told, "diff": self.diff} if self.diff is not None else told


@functools.singledispatch
def converge(kind: Kind, mode: Mode) -> Outcome:
    """Bring the world to what was asked, or say what that would take."""
    raise TypeError(f"{type(kind).__name__} is nothing that converges")


@converge.register
def converge_resource(resource: Resource, mode: Mode) -> Outcome:
    """Bring one object to what was asked."""
    intended = plan(resource, resource.observe(), mode.state)
    reached = intended.after if mode.check else await_what_follows(resource, carry_out(resource, intended, mode), mode)
    return Outcome(
        resource.name,
        reached,
        intended.operations,
        diff=_one_or_many(render(resource, intended.before, reached)) if mode.diff else None,
        warnings=resource.warnings,
    )


def carry_out(resource: Resource, intended: Plan, mode: Mode) -> Object | None:
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
        if not resource.reads_back:
            return intended.after
    return verify(resource, intended, mode, problem)


def apply(resource: Resource, intended: Plan, sent: list[str]) -> None:
    """Send the steps of a plan, in order, unless something that they stand on is missing, and add to C(sent) each that was done."""
    if intended.steps and intended.after is not None and resource.missing:
        raise CloudflareError(" ".join(resource.missing))
    for step in intended.steps:
        step.accept(resource.client.write(step.method, step.path, **step.how()))
        sent.append(str(step))


def verify(resource: Resource, intended: Plan, mode: Mode, problem: str) -> Object | None:
    """Read back until nothing is left to do, and return the object: as planned, with what the server filled in.

    A 200 that stored nothing is a failure, not a change.
    """
    resource.written()
    seconds = 0.0
    for seconds in mode.looks():
        resource.client.invalidate()
        left = plan(resource, resource.observe(), mode.state)
        if not left.steps:
            return fill_in(intended.after, left.after) if intended.after and left.after else None
    todo = ", ".join(left.changed) or f"state={mode.state}"
    raise CloudflareError(
        f"{resource.label} is not as it should be: {problem}, but {seconds:.0f} s later it still differs in {todo}. Run again."
    )


def await_what_follows(resource: Resource, thing: Object | None, mode: Mode) -> Object | None:
    """Look until what the task waits for has happened, and return the object with what the server has filled in by then."""
    left = resource.awaited(thing) if thing else ""
    if thing is None or not left:
        return thing
    for _waited in replace(mode, patience=float(resource.options["wait_timeout"])).looks():
        resource.client.invalidate()
        seen = resource.observe() or {}
        left = resource.awaited(seen) if seen else "it is gone"
        if not left:
            return {**thing, **{key: seen[key] for key in resource.touched}}
    raise CloudflareError(
        f"{resource.label} is as it should be, but after {resource.options['wait_timeout']} s {left}. Run again, or raise wait_timeout."
    )


def fill_in(intended: Object, seen: Object) -> Object:
    """Return what was intended, with what only the server could fill in, and nothing that a prediction would not have."""
    return {key: value if key not in seen or knowable(value) else seen[key] for key, value in intended.items()}


def _one_or_many(diffs: list[dict[str, t.Any]]) -> t.Any:
    return diffs[0] if len(diffs) == 1 else diffs


def render(resource: Resource, before: Object | None, after: Object | None) -> list[dict[str, t.Any]]:
    """Return diffs in Ansible's form, without what the server fills in; the first is of the object, others of what it tells only in sum."""
    whole = {
        "before": resource.shown(before),
        "after": resource.shown(after),
        "before_header": resource.label,
        "after_header": resource.label,
    }
    return [whole, *(resource.details() if before and after else [])]
