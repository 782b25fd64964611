# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is of one kind of object. Only reads: check mode is no other thing, and nothing is ever changed."""

from __future__ import annotations

import typing as t
from abc import abstractmethod

from .converge import ModuleResult, RunOptions, converge
from .plan import field_differs, is_known
from .resource import Attributes, Convergible


class Info(Convergible):
    """What a module that only looks is about. C(identity) says where the objects are, and C(fields) by what they are chosen."""

    result_key: t.ClassVar[str]
    """The name of the list in the result."""
    has_state = False

    @abstractmethod
    def list_objects(self) -> t.Iterable[Attributes]:
        """Read the objects, in the shape in which their own module returns them; none where what they are in is missing."""

    def fetch_details(self, chosen: t.Iterable[Attributes]) -> t.Iterable[Attributes]:
        """Return the chosen objects with what only further requests tell, but for those that are gone by then."""
        return chosen

    def filter_objects(self) -> t.Iterator[Attributes]:
        """Yield the objects that differ in none of the given fields."""
        asked = [field for field in self.fields if field.name in self.user_params]
        for thing in self.list_objects():
            if not any(field_differs(field, thing.get(field.name), self.user_params[field.name]) for field in asked):
                yield thing


@converge.register
def converge_info(info: Info, mode: RunOptions) -> ModuleResult:
    """Tell what there is. In something that only a run would make there is nothing yet."""
    return ModuleResult(
        info.result_key, list(info.fetch_details(info.filter_objects())) if is_known(info.user_params) else []
    )
