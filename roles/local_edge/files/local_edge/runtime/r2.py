# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Worker does with an R2 bucket, as its edge asks for it: one action a request, told in JSON. With bytes of an object as the body, in
either direction, what is told or shown is in a header, escaped."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from local_edge.blobs import Content
from local_edge.errors import ApiError
from local_edge.model import r2, r2_objects, r2_uploads
from local_edge.model.r2 import Bucket
from local_edge.model.r2_objects import Description, Object
from local_edge.model.r2_requests import Conditions, resolved
from local_edge.store import Store
from local_edge.strict_json import decoded

HEADER = "x-r2"
Told = Mapping[str, Any]
Bytes = AsyncIterator[bytes]
#: Status, body, headers.
Reply = tuple[int, bytes | Content, dict[str, str]]


def shown(found: Object, include: Any = ("httpMetadata", "customMetadata"), **more: Any) -> dict[str, Any]:
    """An object as the Worker's side takes it; `include` names the metadata that it shall have."""
    metadata = {"httpMetadata": found.http, "customMetadata": found.custom}
    return {
        "key": found.key,
        "version": found.version,
        "size": found.size,
        "etag": found.etag,
        "checksums": found.checksums,
        "uploaded": found.uploaded,
        "storageClass": found.storage_class,
        **{name: metadata[name] for name in include},
        **more,
    }


def as_json(value: Any) -> Reply:
    return 200, json.dumps(value).encode(), {}


def described(told: Told) -> Description:
    return Description(
        told.get("httpMetadata", {}),
        told.get("customMetadata", {}),
        told.get("storageClass"),
        told.get("checksums", {}),
    )


def ranged(found: Object, start: int, length: int) -> dict[str, Any]:
    return shown(found, range={"offset": start, "length": length})


async def head(store: Store, bucket: Bucket, told: Told, _body: Bytes) -> Reply:
    found = r2_objects.head(store, bucket, told["key"])
    return as_json(ranged(found, 0, found.size))


async def get(store: Store, bucket: Bucket, told: Told, _body: Bytes) -> Reply:
    """The bytes; where a condition does not hold, the refusal with what there is."""
    found = r2_objects.head(store, bucket, told["key"])
    try:
        Conditions.read(told.get("onlyIf") or {}).check((found.etag, found.uploaded))
    except ApiError as error:
        error.headers[HEADER] = quote(json.dumps(ranged(found, 0, found.size)))
        raise
    start, length = resolved(told.get("range"), found.size)
    return (
        200,
        r2_objects.content(store, found, start, length),
        {HEADER: quote(json.dumps(ranged(found, start, length)))},
    )


async def put(store: Store, bucket: Bucket, told: Told, body: Bytes) -> Reply:
    what = described(told)
    with store.blobs.draft({"md5", *what.checksums}) as draft:
        await draft.fill(body)
        return as_json(
            shown(r2_objects.put(store, bucket, told["key"], draft, what, Conditions.read(told.get("onlyIf") or {})))
        )


async def delete(store: Store, bucket: Bucket, told: Told, _body: Bytes) -> Reply:
    r2_objects.delete(store, bucket, told["keys"])
    return as_json({})


async def list_objects(store: Store, bucket: Bucket, told: Told, _body: Bytes) -> Reply:
    include = told["include"]
    page = r2_objects.page(
        store,
        bucket,
        told.get("prefix", ""),
        told.get("delimiter", ""),
        told.get("startAfter"),
        told.get("cursor", ""),
        told.get("limit", r2_objects.MAX_KEYS),
        described=bool(include),
    )
    return as_json(
        {
            "objects": [shown(one, include) for one in page.objects],
            "delimitedPrefixes": page.prefixes,
            "cursor": page.cursor,
        }
    )


async def create_upload(store: Store, bucket: Bucket, told: Told, _body: Bytes) -> Reply:
    return as_json({"uploadId": r2_uploads.create(store, bucket, told["key"], described(told))})


async def put_part(store: Store, bucket: Bucket, told: Told, body: Bytes) -> Reply:
    with store.blobs.draft(["md5"]) as draft:
        await draft.fill(body)
        return as_json({"etag": r2_uploads.put_part(store, bucket, told["key"], told["uploadId"], told["part"], draft)})


async def complete_upload(store: Store, bucket: Bucket, told: Told, _body: Bytes) -> Reply:
    return as_json(shown(r2_uploads.complete(store, bucket, told["key"], told["uploadId"], told["parts"])))


async def abort_upload(store: Store, bucket: Bucket, told: Told, _body: Bytes) -> Reply:
    r2_uploads.abort(store, bucket, told["key"], told["uploadId"])
    return as_json({})


Action = Callable[[Store, Bucket, Told, Bytes], Awaitable[Reply]]
#: By the names that refusals begin with.
ACTIONS: Mapping[str, Action] = {
    "head": head,
    "get": get,
    "put": put,
    "delete": delete,
    "list": list_objects,
    "createMultipartUpload": create_upload,
    "uploadPart": put_part,
    "completeMultipartUpload": complete_upload,
    "abortMultipartUpload": abort_upload,
}


async def answer(store: Store, path: list[str], headers: Mapping[str, str], body: Bytes) -> Reply:
    """The answer to `/account/jurisdiction/bucket/action`."""
    account, jurisdiction, name, action = path
    told = decoded(
        unquote(headers[HEADER]).encode() if HEADER in headers else b"".join([chunk async for chunk in body])
    )
    return await ACTIONS[action](store, r2.find(store, account, jurisdiction, name), told, body)
