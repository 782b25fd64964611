# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option C(prune_limit): how many undeclared objects one run may delete."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._cloudflare.errors import CloudflareError

LIMIT = re.compile(r"(?P<count>\d{1,9})|(?P<share>\d{1,2}|100)\s?%")


@dataclass(frozen=True)
class PruneLimit:
    """A maximum number of objects, or a share of all objects in percent."""

    number: int
    is_share: bool = False

    @classmethod
    def parse(cls, value: t.Any) -> PruneLimit:
        """Parse C(25) as a count and C(10%) as a share. Raise CloudflareError for anything else."""
        match = LIMIT.fullmatch(str(value).strip())
        if not match:
            raise CloudflareError(
                f"prune_limit: {value!r} is not a valid limit. Set a count, such as 25, or a share from 0% to 100%."
            )
        return cls(int(match["share"] or match["count"]), is_share=match["share"] is not None)

    def allows(self, count: int, total: int) -> bool:
        """Return whether C(count) of C(total) objects may be deleted.

        A share other than 0% allows one, unless it is the only one: an empty declaration must not delete everything.
        """
        if self.is_share:
            return 100 * count <= self.number * total or (count == 1 < total and self.number > 0)
        return count <= self.number

    def raised_to(self, count: int, total: int) -> PruneLimit:
        """Return the lowest limit of the same kind that allows C(count) of C(total)."""
        return PruneLimit(-(-100 * count // total), is_share=True) if self.is_share else PruneLimit(count)

    def __str__(self) -> str:
        return f"{self.number}%" if self.is_share else str(self.number)
