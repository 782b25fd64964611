# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan: what is, what shall be, and the writes between them. Made without a single request."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .resource import DIFFERENT, UNKNOWN, Attributes, Field, Resource, Step, json_equal


@dataclass(frozen=True)
class Plan:
    """What check mode prints, diff shows and a run applies. C(before) and C(after) are None where there is no object."""

    before: Attributes | None
    after: Attributes | None
    steps: tuple[Step, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def operations(self) -> list[str]:
        """The writes in order, such as C(PUT /accounts/.../scripts/a)."""
        return [str(step) for step in self.steps]


def is_known(value: t.Any) -> bool:
    """Whether nothing in C(value) waits for the server."""
    match value:
        case dict():
            return all(map(is_known, value.values()))
        case list() | tuple():
            return all(map(is_known, value))
        case _:
            return bool(value != UNKNOWN)


def field_differs(field: Field, before: t.Any, after: t.Any) -> bool:
    """Whether a field is not yet what it shall be. What is not known yet is different."""
    return not is_known(after) or before == DIFFERENT or not json_equal(field.normalize(before), field.normalize(after))


def plan(resource: Resource, before: Attributes | None, state: str = "present") -> Plan:
    """Return the way from C(before) to what the user wants. Pure: makes no request."""
    if state == "absent":
        resource.guard(before, None)
        return Plan(before, None, tuple(resource.delete(before)) if before else ())
    wanted = resource.desired(before)
    if before is None:
        blank = dict.fromkeys((*resource.computed, *resource.computed_on_write), UNKNOWN)
        initial = {field.name: field.initial for field in resource.fields}
        after = {**blank, **_identity(resource), **initial, **wanted}
        resource.guard(None, after)
        return Plan(None, after, tuple(resource.create(after)), tuple(wanted))
    changed = tuple(
        field.name
        for field in resource.fields
        if field.name in wanted and field_differs(field, before.get(field.name), wanted[field.name])
    )
    after = {**before, **{name: wanted[name] for name in changed}}
    resource.guard(before, after)
    steps = tuple(resource.update(before, after, changed))
    if steps:
        after = {**after, **dict.fromkeys(resource.computed_on_write, UNKNOWN)}
    return Plan(before, after, steps, changed)


def _identity(resource: Resource) -> Attributes:
    return {name: resource.options[name] for name in resource.identity if resource.options.get(name) is not None}
