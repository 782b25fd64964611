# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is of one kind of object. Only reads: check mode is no other thing, and nothing is ever changed."""

from __future__ import annotations

import typing as t
from abc import abstractmethod

from .converge import Mode, Outcome, converge
from .plan import differs, knowable
from .resource import Kind, Object


class Info(Kind):
    """What a module that only looks is about. C(identity) says where the objects are, and C(fields) by what they are chosen."""

    plural: t.ClassVar[str]
    """The name of the list in the result."""
    stateful = False

    @abstractmethod
    def listed(self) -> t.Iterable[Object]:
        """Read the objects, in the shape in which their own module returns them; none where what they are in is missing."""

    def deepened(self, chosen: t.Iterable[Object]) -> t.Iterable[Object]:
        """Return the chosen objects with what only further requests tell, but for those that are gone by then."""
        return chosen

    def chosen(self) -> t.Iterator[Object]:
        """Yield the objects that differ in none of the given fields."""
        asked = [field for field in self.fields if field.name in self.given]
        for thing in self.listed():
            if not any(differs(field, thing.get(field.name), self.given[field.name]) for field in asked):
                yield thing


@converge.register
def converge_info(info: Info, mode: Mode) -> Outcome:
    """Tell what there is. In something that only a run would make there is nothing yet."""
    return Outcome(info.plural, list(info.deepened(info.chosen())) if knowable(info.given) else [])
