# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DNS records of a zone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from local_edge.api.request import ApiRequest, ApiResponse, paged
from local_edge.api.zone_routes import zone_of
from local_edge.errors import ApiError
from local_edge.invalidation import Invalidation
from local_edge.model import dns
from local_edge.model.dns import Record

MAX_PAGE = 5_000_000
Filter = Callable[[Record], bool]
#: Comparisons by suffix of a filter such as `name.contains`. Without a suffix the text must be equal. Case is ignored.
TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "": str.__eq__,
    ".exact": str.__eq__,
    ".contains": str.__contains__,
    ".startswith": str.startswith,
    ".endswith": str.endswith,
}
TEXTS = ("name", "content", "comment")
ORDERS = ("type", "name", "content", "ttl", "proxied")


def bad_json(why: str) -> ApiError:
    return ApiError(400, 9207, f"Request body is invalid: {why}")


def text_filter(field: str, test: str, expected: str) -> Filter:
    return lambda record: TESTS[test](str(record.to_api()[field] or "").lower(), expected.lower())


def tags_of(record: Record) -> list[tuple[str, str]]:
    """Return the names and values of tags such as `owner:dns-team`, in lower case."""
    return [(tag.lower().partition(":")[0], tag.lower().partition(":")[2]) for tag in record.extras["tags"]]


def tag_filter(test: str, expected: str) -> Filter:
    name, _separator, value = expected.lower().partition(":")
    return lambda record: any(tag == name and TESTS[test](found, value) for tag, found in tags_of(record))


#: Constructors of filters by query parameter.
FILTERS: Mapping[str, Callable[[str], Filter]] = {
    "type": lambda expected: lambda record: record.type == expected.upper(),
    "proxied": lambda expected: lambda record: record.proxied == (expected == "true"),
    "comment.present": lambda _value: lambda record: bool(record.extras["comment"]),
    "comment.absent": lambda _value: lambda record: not record.extras["comment"],
    **{f"{field}{test}": partial(text_filter, field, test) for field in TEXTS for test in TESTS},
}
TAG_FILTERS: Mapping[str, Callable[[str], Filter]] = {
    "tag.present": lambda expected: lambda record: expected.lower() in dict(tags_of(record)),
    "tag.absent": lambda expected: lambda record: expected.lower() not in dict(tags_of(record)),
    **{f"tag{test}": partial(tag_filter, test) for test in TESTS},
}


def combined(filters: list[Filter], mode: str) -> Filter:
    enough = any if mode == "any" and filters else all
    return lambda record: enough(fits(record) for fits in filters)


def list_filter(request: ApiRequest) -> Filter:
    """Build the filter of a list. The filters by tag are combined first and count as one."""
    query = request.query
    plain = [FILTERS[name](query[name]) for name in FILTERS if name in query]
    tags = [TAG_FILTERS[name](query[name]) for name in TAG_FILTERS if name in query]
    of_tags = [combined(tags, query.get("tag_match", "all"))] if tags else []
    return combined([*plain, *of_tags], query.get("match", "all"))


def searchable(record: Record) -> str:
    return " ".join([record.name, record.content, record.extras["comment"] or "", *record.extras["tags"]]).lower()


async def list_records(request: ApiRequest) -> ApiResponse:
    fits, search, order = list_filter(request), request.query.get("search", "").lower(), request.query.get("order")
    found = [
        record.to_api()
        for record in dns.listing(request.store, request.params["zone"])
        if fits(record) and search in searchable(record)
    ]
    if order in ORDERS:
        found.sort(key=lambda one: one[order])
    if request.query.get("direction") == "desc":
        found.reverse()
    return paged(request, found, default=100, low=1, high=MAX_PAGE)


async def get_record(request: ApiRequest) -> ApiResponse:
    return ApiResponse(dns.find(request.store, request.params["zone"], request.params["record"]).to_api())


async def create_record(request: ApiRequest) -> ApiResponse:
    record = dns.read(request.json_object(bad_json), zone_of(request), request.now())
    with request.store.write():
        dns.create(request.store, record)
    request.invalidate(Invalidation.routes())
    return ApiResponse(record.to_api())


async def put_record(request: ApiRequest) -> ApiResponse:
    """Replace a record. Properties that the body omits are reset to their defaults."""
    return update_record(request, dns.overwrite)


async def patch_record(request: ApiRequest) -> ApiResponse:
    return update_record(request, dns.merge)


def update_record(request: ApiRequest, write: Callable[..., Record]) -> ApiResponse:
    zone, body = zone_of(request), request.json_object(bad_json)
    with request.store.write():
        record = write(request.store, zone, request.params["record"], body)
    request.invalidate(Invalidation.routes())
    return ApiResponse(record.to_api())


async def delete_record(request: ApiRequest) -> ApiResponse:
    with request.store.write():
        record = dns.delete(request.store, request.params["zone"], request.params["record"])
    request.invalidate(Invalidation.routes())
    return ApiResponse({"id": record.id})


async def batch_records(request: ApiRequest) -> ApiResponse:
    """Delete, update, replace and create records, in this order and in one transaction."""
    zone, body = zone_of(request), request.json_object(bad_json)
    actions: Mapping[str, Callable[[dict[str, Any]], Record]] = {
        "deletes": lambda one: dns.delete(request.store, zone.id, one.get("id")),
        "patches": lambda one: dns.merge(request.store, zone, one.get("id"), one),
        "puts": lambda one: dns.overwrite(request.store, zone, one.get("id"), one),
        "posts": lambda one: dns.create(request.store, dns.read(one, zone, request.now())),
    }
    batch = {name: body.get(name) or [] for name in actions}
    if not all(isinstance(items, list) and all(isinstance(one, dict) for one in items) for items in batch.values()):
        raise bad_json(f"{', '.join(actions)} must be lists of objects")
    with request.store.write():
        done = {name: [action(one).to_api() for one in batch[name]] for name, action in actions.items()}
    request.invalidate(Invalidation.routes())
    return ApiResponse(done)
