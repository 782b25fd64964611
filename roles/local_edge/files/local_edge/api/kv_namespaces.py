# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""KV namespaces."""

from __future__ import annotations

import re
from typing import Any

from local_edge.api.call import Answer, Call, paged
from local_edge.errors import ApiError, no_route
from local_edge.model import kv

IDENT = re.compile(r"[0-9a-f]{32}")


def refuse_body(why: str) -> ApiError:
    return ApiError(400, 10012, f"Invalid request body: {why}")


def shown(row: Any) -> dict[str, Any]:
    return {"id": row["id"], "title": row["title"], "supports_url_encoding": True}


def find(call: Call) -> dict[str, Any]:
    if not IDENT.fullmatch(call.params["kv"]):
        raise no_route(f"/accounts/{call.account}/storage/kv/namespaces/{call.params['kv']}")
    row = call.store.one("select * from kv_namespaces where account = ? and id = ?", call.account, call.params["kv"])
    if row is None:
        raise kv.missing_namespace()
    return shown(row)


async def list_namespaces(call: Call) -> Answer:
    order = "id" if call.query.get("order") == "id" else "title"
    direction = "desc" if call.query.get("direction") == "desc" else "asc"
    rows = call.store.all(f"select * from kv_namespaces where account = ? order by {order} {direction}", call.account)
    return paged(call, [shown(row) for row in rows], low=1, high=1000)


async def create_namespace(call: Call) -> Answer:
    title = kv.check_title(call.json_object(refuse_body).get("title"))
    ident = kv.create_namespace(call.store, call.account, title)
    return Answer(shown({"id": ident, "title": title}))


async def get_namespace(call: Call) -> Answer:
    return Answer(find(call))


async def put_namespace(call: Call) -> Answer:
    ident = find(call)["id"]
    kv.rename_namespace(call.store, call.account, ident, kv.check_title(call.json_object(refuse_body).get("title")))
    return Answer(find(call))


async def delete_namespace(call: Call) -> Answer:
    ident = find(call)["id"]
    kv.delete_namespace(call.store, ident)
    call.touched.append(f"kv:{ident}")
    return Answer({})  # an object: clients that check types refuse null here
