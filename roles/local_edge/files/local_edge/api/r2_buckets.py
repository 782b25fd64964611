# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""R2 buckets."""

from __future__ import annotations

from typing import Any

from local_edge.api.request import ApiRequest, ApiResponse
from local_edge.model import r2
from local_edge.model.r2 import Bucket


def jurisdiction_of(request: ApiRequest) -> str:
    return r2.one_of(request.headers.get("cf-r2-jurisdiction", r2.DEFAULT), r2.JURISDICTIONS, "jurisdiction")


def find(request: ApiRequest) -> Bucket:
    return r2.find(request.store, request.account, jurisdiction_of(request), request.params["bucket"])


def to_api(bucket: Bucket) -> dict[str, Any]:
    location = {"location": bucket.location} if bucket.location else {}
    return {
        "name": bucket.name,
        "creation_date": bucket.created_on,
        **location,
        "storage_class": bucket.storage_class,
        "jurisdiction": bucket.jurisdiction,
    }


async def list_buckets(request: ApiRequest) -> ApiResponse:
    """Return a page of the buckets in a jurisdiction."""
    size, down = request.number("per_page", 20, 1, 1000), request.query.get("direction") == "desc"
    after, part = request.cursor() or request.query.get("start_after", ""), request.query.get("name_contains", "")
    found = r2.buckets(request.store, request.account, jurisdiction_of(request))
    found = [
        one
        for one in (reversed(found) if down else found)
        if part in one.name and (not after or (one.name < after if down else one.name > after))
    ]
    cursor = {"cursor": request.cursor_after(found[size - 1].name)} if len(found) > size else {}
    return ApiResponse({"buckets": [to_api(one) for one in found[:size]]}, info={**cursor, "per_page": size})


async def create_bucket(request: ApiRequest) -> ApiResponse:
    body = request.json_object()
    name, location = r2.check_name(body.get("name")), body.get("locationHint")
    if location is not None:
        r2.one_of(location, r2.LOCATIONS, "location hint")
    storage_class = r2.one_of(body.get("storageClass") or r2.STANDARD, r2.STORAGE_CLASSES, "storage class")
    r2.create(request.store, request.account, jurisdiction_of(request), name, location, storage_class)
    request.params["bucket"] = name
    return await get_bucket(request)


async def get_bucket(request: ApiRequest) -> ApiResponse:
    return ApiResponse(to_api(find(request)))


async def patch_bucket(request: ApiRequest) -> ApiResponse:
    """Change the default storage class, given in a header."""
    r2.change_storage_class(
        request.store,
        find(request),
        r2.one_of(request.headers.get("cf-r2-storage-class"), r2.STORAGE_CLASSES, "storage class"),
    )
    return await get_bucket(request)


async def delete_bucket(request: ApiRequest) -> ApiResponse:
    r2.delete(request.store, find(request))
    return ApiResponse({})
