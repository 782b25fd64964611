# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listings: every paging style, and listings that contradict their own numbers."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import MalformedResponse
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.paging import Pages
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.responses import ApiResponse

Page = tuple[list[t.Any], dict[str, t.Any]]


def read(pages: t.Sequence[Page], **params: t.Any) -> tuple[list[t.Any], list[dict[str, t.Any]]]:
    """Read these pages. Return the items, and the parameters of all requests but the first."""
    listing, found, requests = Pages("/x", params), list[t.Any](), list[dict[str, t.Any]]()
    for items, info in pages:
        following = listing.add(ApiResponse(items, info))
        found += listing.latest
        if following is None:
            break
        requests.append(following)
    return found, requests


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({}, None),
        ({"cursor": "x"}, {"cursor": "x"}),
        ({"cursor": 7}, {"cursor": "7"}),
        ({"page": 1, "total_pages": 3}, {"page": 2}),
        ({"total_pages": 3}, {"page": 2}),
        ({"page": None, "per_page": 1, "total_count": 2}, {"page": 2}),
        ({"per_page": 0, "total_count": 1}, None),
        ({"page": "1", "per_page": "5", "total_count": "6", "total_pages": "2"}, None),
        ({"page": True, "per_page": [], "total_count": {}, "total_pages": None, "cursor": None, "count": None}, None),
    ],
)
def test_next_page_follows_info_of_any_form(info: dict[str, t.Any], expected: dict[str, t.Any] | None) -> None:
    assert Pages("/x", {}).add(ApiResponse(["item"], info)) == expected


def test_full_page_without_info_is_followed_until_pages_end() -> None:
    assert read([([1, 2], {}), ([3], {})], per_page=2) == ([1, 2, 3], [{"page": 2}])
    assert read([([1, 2], {}), ([], {})], per_page=2) == ([1, 2], [{"page": 2}])
    assert read([([1, 2], {}), ([1, 2], {}), ([1, 2], {})], per_page=2) == ([1, 2], [{"page": 2}]), "it has no pages"


@pytest.mark.parametrize(
    ("pages", "problem"),
    [
        ([([1], {"cursor": "a"}), ([2], {"cursor": "b"}), ([3], {"cursor": "a"})], "refers to itself"),
        ([([1], {"cursor": "a"}), ([], {"cursor": "a"})], "refers to itself"),
        ([([], {"cursor": "", "count": 3})], "has 0 of 3 objects"),
        ([([], {"page": 1, "per_page": 20, "total_count": 3})], "ends after 0 of 3 objects"),
        ([([], {"page": 1, "per_page": 20, "total_count": 3, "total_pages": 1})], "ends after 0 of 3 objects"),
        ([([1, 2], {"page": 1, "per_page": 2, "total_count": 3}), ([], {"total_count": 3})], "ends after 2 of 3"),
        ([([1, 2], {"page": 1, "total_pages": 2}), ([1, 2], {"page": 1, "total_pages": 2})], "is page 1 instead of 2"),
        ([(t.cast("list[t.Any]", None), {})], "not a list"),
        ([(t.cast("list[t.Any]", {"a": 1}), {})], "not a list"),
    ],
)
def test_listing_that_contradicts_itself_is_refused(pages: t.Sequence[Page], problem: str) -> None:
    with pytest.raises(MalformedResponse, match=problem):
        read(pages)


def test_count_may_be_that_of_page_or_of_listing() -> None:
    for count in (1, 3):
        assert read([([1, 2], {"cursor": "a", "count": 2}), ([3], {"cursor": "", "count": count})])[0] == [1, 2, 3]


def test_total_of_listing_with_filter_is_not_compared() -> None:
    info = {"page": 1, "per_page": 20, "total_count": 3}
    assert read([(["a"], info)], name="a", per_page=20) == (["a"], [])
    with pytest.raises(MalformedResponse):
        read([(["a"], info)], name=None, order="title", per_page=20)
