# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""KV namespaces."""

from __future__ import annotations

import re
from typing import Any

from local_edge.api.request import ApiRequest, ApiResponse, paged
from local_edge.errors import ApiError, route_not_found
from local_edge.invalidation import Invalidation
from local_edge.model import kv

IDENT = re.compile(r"[0-9a-f]{32}")


def refuse_body(why: str) -> ApiError:
    return ApiError(400, 10012, f"Invalid request body: {why}")


def to_api(row: Any) -> dict[str, Any]:
    jurisdiction = {"jurisdiction": row["jurisdiction"]} if row["jurisdiction"] else {}
    return {"id": row["id"], "title": row["title"], "supports_url_encoding": True, **jurisdiction}


def find(request: ApiRequest) -> dict[str, Any]:
    if not IDENT.fullmatch(request.params["kv"]):
        raise route_not_found(f"/accounts/{request.account}/storage/kv/namespaces/{request.params['kv']}")
    row = request.store.one(
        "select * from kv_namespaces where account = ? and id = ?", request.account, request.params["kv"]
    )
    if row is None:
        raise kv.missing_namespace()
    return to_api(row)


async def list_namespaces(request: ApiRequest) -> ApiResponse:
    order = "id" if request.query.get("order") == "id" else "title"
    direction = "desc" if request.query.get("direction") == "desc" else "asc"
    rows = request.store.all(
        f"select * from kv_namespaces where account = ? order by {order} {direction}", request.account
    )
    return paged(request, [to_api(row) for row in rows], low=1, high=1000)


async def create_namespace(request: ApiRequest) -> ApiResponse:
    body = request.json_object(refuse_body)
    title, jurisdiction = kv.check_title(body.get("title")), kv.check_jurisdiction(body.get("jurisdiction"))
    ident = kv.create_namespace(request.store, request.account, title, jurisdiction)
    return ApiResponse(to_api({"id": ident, "title": title, "jurisdiction": jurisdiction}))


async def get_namespace(request: ApiRequest) -> ApiResponse:
    return ApiResponse(find(request))


async def put_namespace(request: ApiRequest) -> ApiResponse:
    ident = find(request)["id"]
    kv.rename_namespace(
        request.store, request.account, ident, kv.check_title(request.json_object(refuse_body).get("title"))
    )
    return ApiResponse(find(request))


async def delete_namespace(request: ApiRequest) -> ApiResponse:
    ident = find(request)["id"]
    kv.delete_namespace(request.store, ident)
    request.invalidate(Invalidation.kv_namespace(ident))
    return ApiResponse({})  # clients that check types fail on null here
