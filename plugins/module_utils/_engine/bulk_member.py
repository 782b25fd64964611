# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One object of a bulk run: planned, or failed before it could be planned."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .fields import Attributes
from .plan import Plan
from .resource import ApiObject


@dataclass(frozen=True)
class FailedMember:
    """A member that could not be planned: an invalid declaration, or a refused read."""

    name: str
    failure: str
    changed: t.ClassVar[bool] = False
    is_pending: t.ClassVar[bool] = False

    def as_result(self) -> dict[str, t.Any]:
        """Return the entry of the module's result."""
        return {"name": self.name, "changed": False, "failed": True, "msg": self.failure}


@dataclass
class PlannedMember:
    """One object of a bulk run, its plan, and the outcome so far."""

    name: str
    resource: ApiObject
    plan: Plan
    is_linked: bool = False
    """Whether it is not one of the declared objects, but kept in sync with them."""
    changed: bool = False
    operations: list[str] = field(default_factory=list)
    failure: str = ""
    ambiguous_error: str = ""
    """The error of a write that may have been carried out."""

    @property
    def is_pending(self) -> bool:
        """Whether it must still be written."""
        return bool(self.plan.steps and not self.failure and not self.changed)

    @property
    def final_state(self) -> Attributes | None:
        """The object as it is now, or would be."""
        return self.plan.before if self.failure or self.is_pending else self.plan.after

    def as_result(self) -> dict[str, t.Any]:
        """Return the entry of the module's result."""
        result = {"name": self.name, "changed": self.changed, "failed": bool(self.failure)}
        if self.failure:
            return {**result, "msg": self.failure}
        if self.changed and self.plan.before and self.plan.changed:
            result["changed_fields"] = list(self.plan.changed)
        return result


BulkMember: t.TypeAlias = "PlannedMember | FailedMember"


def planned(members: t.Iterable[BulkMember]) -> list[PlannedMember]:
    """Return the members that could be planned."""
    return [member for member in members if isinstance(member, PlannedMember)]
