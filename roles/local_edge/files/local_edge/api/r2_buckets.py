# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""R2 buckets."""

from __future__ import annotations

from typing import Any

from local_edge.api.call import Answer, Call
from local_edge.model import r2
from local_edge.model.r2 import Bucket


def jurisdiction_of(call: Call) -> str:
    return r2.one_of(call.headers.get("cf-r2-jurisdiction", r2.DEFAULT), r2.JURISDICTIONS, "jurisdiction")


def find(call: Call) -> Bucket:
    return r2.find(call.store, call.account, jurisdiction_of(call), call.params["bucket"])


def shown(bucket: Bucket) -> dict[str, Any]:
    location = {"location": bucket.location} if bucket.location else {}
    return {
        "name": bucket.name,
        "creation_date": bucket.created_on,
        **location,
        "storage_class": bucket.storage_class,
        "jurisdiction": bucket.jurisdiction,
    }


async def list_buckets(call: Call) -> Answer:
    """Those of one jurisdiction."""
    size, down = call.number("per_page", 20, 1, 1000), call.query.get("direction") == "desc"
    after, part = call.cursor() or call.query.get("start_after", ""), call.query.get("name_contains", "")
    found = r2.buckets(call.store, call.account, jurisdiction_of(call))
    found = [
        one
        for one in (reversed(found) if down else found)
        if part in one.name and (not after or (one.name < after if down else one.name > after))
    ]
    cursor = {"cursor": call.cursor_after(found[size - 1].name)} if len(found) > size else {}
    return Answer({"buckets": [shown(one) for one in found[:size]]}, info={**cursor, "per_page": size})


async def create_bucket(call: Call) -> Answer:
    body = call.json_object()
    name, location = r2.check_name(body.get("name")), body.get("locationHint")
    if location is not None:
        r2.one_of(location, r2.LOCATIONS, "location hint")
    storage_class = r2.one_of(body.get("storageClass") or r2.STANDARD, r2.STORAGE_CLASSES, "storage class")
    r2.create(call.store, call.account, jurisdiction_of(call), name, location, storage_class)
    call.params["bucket"] = name
    return await get_bucket(call)


async def get_bucket(call: Call) -> Answer:
    return Answer(shown(find(call)))


async def patch_bucket(call: Call) -> Answer:
    """The storage class is in a header."""
    r2.change_storage_class(
        call.store, find(call), r2.one_of(call.headers.get("cf-r2-storage-class"), r2.STORAGE_CLASSES, "storage class")
    )
    return await get_bucket(call)


async def delete_bucket(call: Call) -> Answer:
    r2.delete(call.store, find(call))
    return Answer({})
