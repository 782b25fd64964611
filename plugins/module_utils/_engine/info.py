# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules that gather information: they only read."""

from __future__ import annotations

import typing as t
from abc import abstractmethod

from .converge import ModuleResult, RunOptions
from .fields import Attributes, is_known
from .resource import Convergible


class Info(Convergible):
    """The subject of an info module. ``identity`` says where the objects are, ``fields`` by which they are filtered."""

    result_key: t.ClassVar[str]
    """The name of the list in the result."""
    has_state = False

    @abstractmethod
    def list_objects(self) -> t.Iterable[Attributes]:
        """Read the objects in the shape of their own module. Empty if their parent does not exist."""

    def fetch_details(self, objects: t.Iterable[Attributes]) -> t.Iterable[Attributes]:
        """Return the objects with attributes that need further requests, without those deleted in the meantime."""
        return objects

    def filter_objects(self) -> t.Iterator[Attributes]:
        """Yield the objects that match all given fields."""
        filters = [(field, self.user_params[field.name]) for field in self.fields if field.name in self.user_params]
        for candidate in self.list_objects():
            if not any(field.differs(candidate.get(field.name), value) for field, value in filters):
                yield candidate

    def converge(self, run: RunOptions) -> ModuleResult:
        """Return the objects. A parent that only a real run would create contains none yet."""
        found = list(self.fetch_details(self.filter_objects())) if is_known(self.user_params) else []
        return ModuleResult(self.result_key, found)
