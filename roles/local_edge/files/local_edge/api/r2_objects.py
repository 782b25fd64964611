# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of R2 buckets. The body is the content, and headers are the HTTP metadata."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timezone
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from local_edge.api.r2_buckets import find
from local_edge.api.request import ApiRequest, ApiResponse
from local_edge.errors import bad_body
from local_edge.model import r2_objects
from local_edge.model.r2_objects import Description, Object
from local_edge.model.r2_requests import Conditions

#: Headers that are stored unchanged, by their names in R2.
HEADERS = {
    "contentType": "content-type",
    "contentLanguage": "content-language",
    "contentDisposition": "content-disposition",
    "contentEncoding": "content-encoding",
    "cacheControl": "cache-control",
}
#: The metadata that is a time: its name in R2 and its header.
EXPIRY, EXPIRES = "cacheExpiry", "expires"
NO_TYPE = "application/octet-stream"


def moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)


def written(milliseconds: int) -> str:
    """Format a time in milliseconds for the API."""
    return moment(milliseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def time_in(request: ApiRequest, header: str) -> int | None:
    """Return the time of a header in milliseconds, None if it is missing or malformed."""
    with contextlib.suppress(ValueError, OverflowError):
        return (
            int(parsedate_to_datetime(request.headers[header]).timestamp() * 1000)
            if header in request.headers
            else None
        )
    return None


def described(request: ApiRequest) -> Description:
    """Read the metadata of an object from the headers, which may contain UTF-8."""
    http: dict[str, Any] = {
        name: request.headers[header].encode("latin-1").decode(errors="replace")
        for name, header in HEADERS.items()
        if header in request.headers
    }
    expiry = time_in(request, EXPIRES)
    return Description(
        {**http, **({EXPIRY: expiry} if expiry is not None else {})},
        storage_class=request.headers.get("cf-r2-storage-class"),
    )


def http_headers(found: Object) -> dict[str, str]:
    headers = {header: found.http[name] for name, header in HEADERS.items() if name in found.http}
    expires = {EXPIRES: format_datetime(moment(found.http[EXPIRY]), usegmt=True)} if EXPIRY in found.http else {}
    return {
        "content-type": NO_TYPE,
        **headers,
        **expires,
        "etag": f'"{found.etag}"',
        "last-modified": format_datetime(moment(found.uploaded), usegmt=True),
    }


def listed(found: Object) -> dict[str, Any]:
    expiry = {EXPIRY: written(found.http[EXPIRY])} if EXPIRY in found.http else {}
    return {
        "key": found.key,
        "etag": found.etag,
        "size": found.size,
        "last_modified": written(found.uploaded),
        "http_metadata": {**found.http, **expiry},
        "custom_metadata": found.custom,
        "storage_class": found.storage_class,
        "ssec": False,
    }


async def list_objects(request: ApiRequest) -> ApiResponse:
    size, query = request.number("per_page", 20, 1, r2_objects.MAX_KEYS), request.query
    page = r2_objects.page(
        request.store,
        find(request),
        query.get("prefix", ""),
        query.get("delimiter", ""),
        query.get("start_after"),
        request.cursor(),
        size,
    )
    cursor = {"cursor": request.cursor_after(page.cursor)} if page.cursor else {}
    return ApiResponse(
        [listed(one) for one in page.objects],
        info={**cursor, "is_truncated": bool(page.cursor), "per_page": size, "delimited": page.prefixes},
    )


async def get_object(request: ApiRequest) -> ApiResponse:
    """Return the content without an envelope."""
    found = r2_objects.head(request.store, find(request), request.params["key"])
    conditions = Conditions.read(
        {
            "ifNoneMatch": request.headers.get("if-none-match"),
            "uploadedAfter": time_in(request, "if-modified-since"),
            "secondsGranularity": True,
        }
    )
    if not conditions.are_met(found.etag, found.uploaded):
        return ApiResponse(status=304, content=b"", headers=http_headers(found))
    return ApiResponse(content=r2_objects.content(request.store, found, 0, found.size), headers=http_headers(found))


async def put_object(request: ApiRequest) -> ApiResponse:
    bucket = find(request)
    with request.store.blobs.writer(["md5"]) as writer:
        await writer.write(whole(request.body))
        made = r2_objects.put(request.store, bucket, request.params["key"], writer, described(request))
    return ApiResponse(
        {
            "key": made.key,
            "etag": made.etag,
            "version": made.version,
            "size": str(made.size),
            "uploaded": written(made.uploaded),
            "storage_class": made.storage_class,
        }
    )


async def whole(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def delete_object(request: ApiRequest) -> ApiResponse:
    r2_objects.delete(request.store, find(request), [request.params["key"]])
    return ApiResponse({"key": request.params["key"]})


async def delete_objects(request: ApiRequest) -> ApiResponse:
    """Delete the objects in a list of keys."""
    bucket, keys = find(request), request.json()
    if not isinstance(keys, list):
        raise bad_body("it must be a JSON array of keys")
    r2_objects.delete(request.store, bucket, keys)
    return ApiResponse([{"key": key} for key in keys])
