# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The R2 operations of Workers: one action per request, with its options as JSON.

If the body of a request or a reply holds the bytes of an object, the JSON is percent-encoded in a header.
"""

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
from local_edge.model.r2_requests import Conditions, resolve_range
from local_edge.store import Store
from local_edge.strict_json import loads_strict

OPTIONS_HEADER = "x-r2"
R2Options = Mapping[str, Any]
Bytes = AsyncIterator[bytes]
#: Status, body, headers.
Reply = tuple[int, bytes | Content, dict[str, str]]


def shown(found: Object, include: Any = ("httpMetadata", "customMetadata"), **more: Any) -> dict[str, Any]:
    """Return an object for the shim in the Worker. `include` names the metadata to return."""
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


def described(options: R2Options) -> Description:
    return Description(
        options.get("httpMetadata", {}),
        options.get("customMetadata", {}),
        options.get("storageClass"),
        options.get("checksums", {}),
    )


def ranged(found: Object, start: int, length: int) -> dict[str, Any]:
    return shown(found, range={"offset": start, "length": length})


async def head(store: Store, bucket: Bucket, options: R2Options, _body: Bytes) -> Reply:
    found = r2_objects.head(store, bucket, options["key"])
    return as_json(ranged(found, 0, found.size))


async def get(store: Store, bucket: Bucket, options: R2Options, _body: Bytes) -> Reply:
    """Return the bytes. If a condition does not hold, raise an error whose header describes the object."""
    found = r2_objects.head(store, bucket, options["key"])
    try:
        Conditions.read(options.get("onlyIf") or {}).check((found.etag, found.uploaded))
    except ApiError as error:
        error.headers[OPTIONS_HEADER] = quote(json.dumps(ranged(found, 0, found.size)))
        raise
    start, length = resolve_range(options.get("range"), found.size)
    return (
        200,
        r2_objects.content(store, found, start, length),
        {OPTIONS_HEADER: quote(json.dumps(ranged(found, start, length)))},
    )


async def put(store: Store, bucket: Bucket, options: R2Options, body: Bytes) -> Reply:
    description = described(options)
    with store.blobs.writer({"md5", *description.checksums}) as writer:
        await writer.write(body)
        return as_json(
            shown(
                r2_objects.put(
                    store, bucket, options["key"], writer, description, Conditions.read(options.get("onlyIf") or {})
                )
            )
        )


async def delete(store: Store, bucket: Bucket, options: R2Options, _body: Bytes) -> Reply:
    r2_objects.delete(store, bucket, options["keys"])
    return as_json({})


async def list_objects(store: Store, bucket: Bucket, options: R2Options, _body: Bytes) -> Reply:
    include = options["include"]
    page = r2_objects.page(
        store,
        bucket,
        options.get("prefix", ""),
        options.get("delimiter", ""),
        options.get("startAfter"),
        options.get("cursor", ""),
        options.get("limit", r2_objects.MAX_KEYS),
        described=bool(include),
    )
    return as_json(
        {
            "objects": [shown(one, include) for one in page.objects],
            "delimitedPrefixes": page.prefixes,
            "cursor": page.cursor,
        }
    )


async def create_upload(store: Store, bucket: Bucket, options: R2Options, _body: Bytes) -> Reply:
    return as_json({"uploadId": r2_uploads.create(store, bucket, options["key"], described(options))})


async def put_part(store: Store, bucket: Bucket, options: R2Options, body: Bytes) -> Reply:
    with store.blobs.writer(["md5"]) as writer:
        await writer.write(body)
        return as_json(
            {"etag": r2_uploads.put_part(store, bucket, options["key"], options["uploadId"], options["part"], writer)}
        )


async def complete_upload(store: Store, bucket: Bucket, options: R2Options, _body: Bytes) -> Reply:
    return as_json(shown(r2_uploads.complete(store, bucket, options["key"], options["uploadId"], options["parts"])))


async def abort_upload(store: Store, bucket: Bucket, options: R2Options, _body: Bytes) -> Reply:
    r2_uploads.abort(store, bucket, options["key"], options["uploadId"])
    return as_json({})


Action = Callable[[Store, Bucket, R2Options, Bytes], Awaitable[Reply]]
#: Actions by the name that their error messages begin with.
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
    """Return the reply to `/account/jurisdiction/bucket/action`."""
    account, jurisdiction, name, action = path
    options = loads_strict(
        unquote(headers[OPTIONS_HEADER]).encode()
        if OPTIONS_HEADER in headers
        else b"".join([chunk async for chunk in body])
    )
    return await ACTIONS[action](store, r2.find(store, account, jurisdiction, name), options, body)
