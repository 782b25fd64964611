# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages of a listing, in any of Cloudflare's paging styles. One that contradicts its own numbers is refused."""

from __future__ import annotations

import typing as t

from .errors import MalformedResponse

if t.TYPE_CHECKING:
    from .responses import ApiResponse

# Parameters that do not restrict a listing. Cloudflare documents total_count as "without any search parameters".
PAGING_PARAMETERS = ("page", "per_page", "limit", "cursor", "order", "direction")


class Pages:
    """The pages of one listing so far, and the objects of the latest. ``params`` are those of its first request."""

    def __init__(self, path: str, params: t.Mapping[str, t.Any]) -> None:
        self.latest: list[t.Any] = []
        self._path, self._size = path, number(params.get("per_page"))
        self._is_whole = not any(params[name] is not None for name in params if name not in PAGING_PARAMETERS)
        self._count = self._total = 0  # pages, objects
        self._cursors: set[str] = set()

    def add(self, response: ApiResponse) -> dict[str, t.Any] | None:
        """Add a page, and return the parameters of the next one, or None after the last one.

        Raise MalformedResponse if the page is not a list, or if it contradicts the numbers beside it.
        """
        items, info = self._items_of(response), response.info
        self._count += 1
        if self._count > 1 and items == self.latest and not info:
            items = []  # the endpoint has no pages
        self.latest, self._total = items, self._total + len(items)
        if cursor := info.get("cursor"):
            return {"cursor": self._check_cursor(cursor)}
        if "cursor" in info:
            # The count may be that of the page or of the whole listing.
            self._check(number(info.get("count")) <= self._total, f"has {self._total} of {info.get('count')} objects")
            return None
        return self._next_number(items, info)

    def _check_cursor(self, cursor: t.Any) -> str:
        text = str(cursor)
        self._check(text not in self._cursors, "refers to itself as the next page")
        self._cursors.add(text)
        return text

    def _next_number(self, items: list[t.Any], info: t.Mapping[str, t.Any]) -> dict[str, t.Any] | None:
        page, total, size = number(info.get("page")), number(info.get("total_count")), number(info.get("per_page"))
        self._check(page in (0, self._count), f"is page {page} instead of {self._count}")
        pages = number(info.get("total_pages")) or (-(-total // size) if size else 0)  # D1 returns no total_pages
        is_full = not info and 0 < self._size <= len(items)
        if items and (self._count < pages or is_full):
            return {"page": self._count + 1}
        if self._is_whole:
            self._check(total <= self._total, f"ends after {self._total} of {total} objects")
        return None

    def _items_of(self, response: ApiResponse) -> list[t.Any]:
        """Return the objects of a page, which R2 returns below a key."""
        items = response.result
        if isinstance(items, dict):
            items = next((value for value in items.values() if isinstance(value, list)), items)
        if not isinstance(items, list):
            raise MalformedResponse(f"GET {self._path}: the response is not a list. Read it without pages.")
        return items

    def _check(self, condition: bool, problem: str) -> None:
        if not condition:
            raise MalformedResponse(f"GET {self._path}: the listing {problem}. Run again.")


def number(value: t.Any) -> int:
    """Return a positive number, and 0 for anything else."""
    return value if isinstance(value, int) and value is not True and value > 0 else 0
