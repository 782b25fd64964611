# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and values of a KV namespace, single and in bulk."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from local_edge.api import multipart
from local_edge.api.kv_namespaces import find, refuse_body
from local_edge.api.request import ApiRequest, ApiResponse
from local_edge.errors import ApiError
from local_edge.invalidation import Invalidation
from local_edge.model import kv
from local_edge.model.kv import Pair
from local_edge.store import Store
from local_edge.strict_json import loads_strict

MAX_BULK, MAX_BULK_GET = 10_000, 100


def key_missing() -> ApiError:
    return ApiError(404, 10009, "get: 'key not found'")


def find_pair(request: ApiRequest) -> Pair:
    pair = kv.get(request.store, find(request)["id"], kv.check_key(request.params["key"]))
    if pair is None:
        raise key_missing()
    return pair


async def list_keys(request: ApiRequest) -> ApiResponse:
    namespace, limit = find(request)["id"], request.number("limit", 1000, 10, 1000)
    page, last = kv.keys(request.store, namespace, request.query.get("prefix", ""), request.cursor(), limit)
    return ApiResponse(page, info={"count": len(page), "cursor": request.cursor_after(last)})


async def get_value(request: ApiRequest) -> ApiResponse:
    """Return the value without an envelope."""
    pair = find_pair(request)
    headers = {"content-type": "application/octet-stream"}
    if pair.expiration is not None:
        headers["expiration"] = str(pair.expiration)
    return ApiResponse(content=pair.value, headers=headers)


async def get_metadata(request: ApiRequest) -> ApiResponse:
    pair = find_pair(request)
    return ApiResponse(json.loads(pair.metadata) if pair.metadata else None)


async def put_value(request: ApiRequest) -> ApiResponse:
    """Write a value. The body is the value itself, or multipart with the parts `value` and `metadata`."""
    namespace, key = find(request)["id"], kv.check_key(request.params["key"])
    value, metadata = request.body, None
    if request.media_type == "multipart/form-data":
        parts = {part.name: part for part in multipart.read(request)}
        if "value" not in parts:
            raise refuse_body("the part `value` is missing")
        value = parts["value"].body
        metadata = kv.encoded_metadata(read_metadata(parts["metadata"].body)) if "metadata" in parts else None
    expiration = kv.expiry(request.store, request.query.get("expiration"), request.query.get("expiration_ttl"))
    put(request, namespace, [Pair(key, kv.check_value(value), metadata, expiration)])
    return ApiResponse({})


def put(request: ApiRequest, namespace: str, pairs: list[Pair]) -> None:
    kv.put(request.store, namespace, pairs)
    request.invalidate(Invalidation.kv_namespace(namespace))


def delete(request: ApiRequest, namespace: str, names: list[str]) -> None:
    kv.delete(request.store, namespace, names)
    request.invalidate(Invalidation.kv_namespace(namespace))


def read_metadata(text: bytes) -> Any:
    try:
        return loads_strict(text) if text else None
    except ValueError as error:
        raise refuse_body(f"metadata must be JSON: {error}") from None


async def delete_value(request: ApiRequest) -> ApiResponse:
    delete(request, find(request)["id"], [kv.check_key(request.params["key"])])
    return ApiResponse({})


def read_bulk(request: ApiRequest, least: int = 1) -> list[Any]:
    body = request.json(refuse_body)
    if not isinstance(body, list):
        raise refuse_body("it must be a JSON array")
    if len(body) < least:
        raise ApiError(400, 10029, "minimum number of keys is 1")
    if len(body) > MAX_BULK:
        raise refuse_body(f"at most {MAX_BULK} entries per request, not {len(body)}")
    return body


def bulk_pair(store: Store, raw: Any) -> Pair:
    """Read a pair of a bulk write. Raise ApiError if it is invalid."""
    if not isinstance(raw, dict) or not isinstance(raw.get("value"), str):
        raise refuse_body("each entry needs `key` and `value`, both strings")
    try:
        value = base64.b64decode(raw["value"], validate=True) if raw.get("base64") else raw["value"].encode()
    except (binascii.Error, ValueError):
        raise refuse_body(f"the value of {raw.get('key')!r} is not base64") from None
    return Pair(
        kv.check_key(raw.get("key")),
        kv.check_value(value),
        kv.encoded_metadata(raw.get("metadata")),
        kv.expiry(store, raw.get("expiration"), raw.get("expiration_ttl")),
    )


def bulk_response(count: int) -> ApiResponse:
    return ApiResponse({"successful_key_count": count, "unsuccessful_keys": []})


async def bulk_put(request: ApiRequest) -> ApiResponse:
    namespace = find(request)["id"]
    pairs = [bulk_pair(request.store, raw) for raw in read_bulk(request)]
    put(request, namespace, pairs)
    return bulk_response(len(pairs))


async def bulk_delete(request: ApiRequest) -> ApiResponse:
    namespace = find(request)["id"]
    # The deprecated form also took objects with a `name`, as the listing returns them.
    names = [kv.check_key(raw.get("name") if isinstance(raw, dict) else raw) for raw in read_bulk(request)]
    delete(request, namespace, names)
    return bulk_response(len(names))


async def bulk_get(request: ApiRequest) -> ApiResponse:
    namespace, body = find(request)["id"], request.json_object(refuse_body)
    names, form = body.get("keys"), body.get("type", "text")
    if not isinstance(names, list) or not 1 <= len(names) <= MAX_BULK_GET:
        raise refuse_body(f"`keys` must list 1 to {MAX_BULK_GET} keys")
    if form not in ("text", "json"):
        raise refuse_body("`type` must be text or json")
    found = {name: kv.get(request.store, namespace, kv.check_key(name)) for name in names}
    return ApiResponse(
        {
            "values": {
                name: pair and read_value(pair, form, bool(body.get("withMetadata"))) for name, pair in found.items()
            }
        }
    )


def read_value(pair: Pair, form: str, with_metadata: bool) -> Any:
    """Return a value in the format of a bulk read."""
    try:
        value: Any = loads_strict(pair.value) if form == "json" else pair.value.decode()
    except ValueError:
        raise refuse_body(f"the value of {pair.key!r} is not {'JSON' if form == 'json' else 'text'}") from None
    if not with_metadata:
        return value
    rest = {"metadata": json.loads(pair.metadata) if pair.metadata else None}
    return {"value": value, **rest, **({"expiration": pair.expiration} if pair.expiration else {})}
