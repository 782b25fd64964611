# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan: what is, what shall be, and the writes between them. Made without a single request."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .resource import DIFFERENT, UNKNOWN, Field, Object, Resource, Step, identical


@dataclass(frozen=True)
class Plan:
    """What check mode prints, diff shows and a run applies. C(before) and C(after) are None where there is no object."""

    before: Object | None
    after: Object | None
    steps: tuple[Step, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def operations(self) -> list[str]:
        """The writes in order, such as C(PUT /accounts/.../scripts/a)."""
        return [str(step) for step in self.steps]


def knowable(value: t.Any) -> bool:
    """Whether nothing in C(value) waits for the server."""
    match value:
        case dict():
            return all(map(knowable, value.values()))
        case list() | tuple():
            return all(map(knowable, value))
        case _:
            return bool(value != UNKNOWN)


def differs(field: Field, before: t.Any, after: t.Any) -> bool:
    """Whether a field is not yet what it shall be. What is not known yet is different."""
    return not knowable(after) or before == DIFFERENT or not identical(field.normalize(before), field.normalize(after))


def plan(resource: Resource, before: Object | None, state: str = "present") -> Plan:
    """Return the way from C(before) to what the user wants. Pure: makes no request."""
    if state == "absent":
        resource.guard(before, None)
        return Plan(before, None, tuple(resource.delete(before)) if before else ())
    wanted = resource.wanted(before)
    if before is None:
        blank = dict.fromkeys((*resource.filled, *resource.touched), UNKNOWN)
        initial = {field.name: field.initial for field in resource.fields}
        after = {**blank, **_identity(resource), **initial, **wanted}
        resource.guard(None, after)
        return Plan(None, after, tuple(resource.create(after)), tuple(wanted))
    changed = tuple(
        field.name
        for field in resource.fields
        if field.name in wanted and differs(field, before.get(field.name), wanted[field.name])
    )
    after = {**before, **{name: wanted[name] for name in changed}}
    resource.guard(before, after)
    steps = tuple(resource.update(before, after, changed))
    if steps:
        after = {**after, **dict.fromkeys(resource.touched, UNKNOWN)}
    return Plan(before, after, steps, changed)


def _identity(resource: Resource) -> Object:
    return {name: resource.options[name] for name in resource.identity if resource.options.get(name) is not None}
