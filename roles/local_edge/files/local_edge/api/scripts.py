# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List, read and delete Workers, in an account and in a namespace."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from local_edge.api import multipart
from local_edge.api.multipart import FormPart
from local_edge.api.request import ApiRequest, ApiResponse
from local_edge.api.script_objects import script_tags, script_to_api
from local_edge.api.uploads import CONTENT_TYPES
from local_edge.errors import ApiError, bad_parameter, worker_missing
from local_edge.invalidation import Invalidation
from local_edge.model import script_updates, scripts
from local_edge.model.scripts import Script

MAX_PAGE = 1000
#: Fields that the list of a namespace omits, by value of the behavior `list_includes_tags`.
OMITTED_LIST_FIELDS = {"yes": (), "no": ("tags", "etag"), "tags": ("etag",), "etag": ("tags",)}
#: `result_info` of the last page except its count, by value of the behavior `last_page_cursor`.
LAST_PAGE: Mapping[str, Mapping[str, Any]] = {"empty": {"cursor": ""}, "absent": {}, "null": {"cursor": None}}


def listed(request: ApiRequest, script: Script) -> dict[str, Any]:
    """Return a Worker as an item of a list."""
    item = {**script_to_api(script), "tags": script_tags(request.store, script)}
    if request.scope.namespace:
        omitted = OMITTED_LIST_FIELDS[request.behaviors.list_includes_tags]
        flat = {key: value for key, value in item.items() if key not in omitted}
        return nested(request, script, flat) if request.behaviors.list_item_form == "nested" else flat
    rows = request.store.all(
        "select id, zone, pattern, script from routes where script = ? order by created_on", script.name
    )
    owned = zones(request)
    routes = [
        {"id": row["id"], "pattern": row["pattern"], "script": row["script"]} for row in rows if row["zone"] in owned
    ]
    return {**item, "routes": routes or None}


def nested(request: ApiRequest, script: Script, item: dict[str, Any]) -> dict[str, Any]:
    """Return a Worker below the key `script`."""
    return {
        "dispatch_namespace": request.scope.namespace,
        "created_on": script.created_on,
        "modified_on": script.modified_on,
        "script": item,
    }


async def list_namespaced(request: ApiRequest) -> ApiResponse:
    """Return a page of a namespace's Workers."""
    scripts.check_scope(request.store, request.scope)
    limit, tags = request.number("limit", MAX_PAGE, 1, MAX_PAGE), request.query.get("tags", "")
    found = scripts.listing(request.store, request.scope, tags, request.cursor(), limit + 1)
    page = found[:limit]
    more = (
        {"cursor": request.cursor_after(page[-1].name)}
        if len(found) > limit
        else LAST_PAGE.get(request.behaviors.last_page_cursor)
    )
    return ApiResponse(
        [listed(request, script) for script in page], info=None if more is None else {"count": len(page), **more}
    )


async def list_account(request: ApiRequest) -> ApiResponse:
    """Return all Workers of an account in one array."""
    return ApiResponse(
        [
            listed(request, script)
            for script in scripts.listing(request.store, request.scope, request.query.get("tags", ""))
        ]
    )


async def get_namespaced(request: ApiRequest) -> ApiResponse:
    """Return the metadata of a Worker in a namespace, in the nested format of that endpoint."""
    scripts.check_scope(request.store, request.scope)
    script = scripts.find(request.store, request.scope, request.params["script"])
    if script is None:
        return missing_response(request)
    return ApiResponse(nested(request, script, {**script_to_api(script), "tags": script_tags(request.store, script)}))


def missing_response(request: ApiRequest) -> ApiResponse:
    """Return or raise the response for a missing Worker, according to the behavior."""
    if request.behaviors.missing_script_response == "10007":
        raise worker_missing()
    if request.behaviors.missing_script_response == "10092":
        raise ApiError(404, 10092, "workers.api.error.environment_not_found")
    return ApiResponse({"dispatch_namespace": request.scope.namespace, "script": None})


async def get_content(request: ApiRequest) -> ApiResponse:
    """Return the code as a multipart body with one part per module, the main module first."""
    source = scripts.source_of(request.store, request.script)
    if not source.modules:
        return ApiResponse(content=b"", status=204)
    first, entrypoint = source.modules[0], {"cf-entrypoint": source.main}
    if first.kind == "script" and len(source.modules) == 1:
        return ApiResponse(content=first.body, headers={"content-type": CONTENT_TYPES["script"]})
    if request.behaviors.single_module_content == "bare" and len(source.modules) == 1:
        return ApiResponse(content=first.body, headers={"content-type": CONTENT_TYPES[first.kind], **entrypoint})
    ordered = sorted(source.modules, key=lambda module: module.name != source.main)
    has_file_names = request.behaviors.content_file_names == "yes"
    body, content_type = multipart.encode(
        [FormPart(one.name, one.body, one.name if has_file_names else None, CONTENT_TYPES[one.kind]) for one in ordered]
    )
    return ApiResponse(content=body, headers={"content-type": content_type, **entrypoint})


async def delete_script(request: ApiRequest) -> ApiResponse:
    """Delete a Worker with its routes. Without `force`, raise ApiError if other Workers bind to it."""
    script = request.script
    users = scripts.dependents_of(request.store, script)
    if users and request.query.get("force") != "true":
        raise ApiError(
            400,
            10064,
            f"Worker {script.name!r} is used by bindings of {', '.join(user.name for user in users)}; remove those, "
            "or delete with force=true",
        )
    with request.store.write() as db:
        script_updates.delete(request.store, [script])
        if not script.scope.namespace:
            db.execute(
                "delete from bindings where (type = 'service' and target = ?1 or type = 'dispatch_namespace' and"
                " json_extract(spec, '$.outbound.worker.service') = ?1)"
                " and script in (select id from scripts where account = ?2)",
                (script.name, request.account),
            )
            db.executemany(
                "delete from routes where script = ? and zone = ?", [(script.name, zone) for zone in zones(request)]
            )
            request.invalidate(
                Invalidation.routes(), *(Invalidation.worker(user.scope.key(user.name)) for user in users)
            )
    request.invalidate(Invalidation.worker(script.key))
    return ApiResponse(content=b"" if request.behaviors.delete_response == "empty" else None)


def zones(request: ApiRequest) -> list[str]:
    """Return the zone ids of the account. Routes need this filter, since two accounts can use one Worker name."""
    return [zone.id for zone in request.settings.zones if zone.account.id == request.account]


async def delete_by_tag(request: ApiRequest) -> ApiResponse:
    """Delete the Workers that match a filter, up to a limit.

    The filter must require a tag, so that it never matches all Workers.
    """
    scripts.check_scope(request.store, request.scope)
    text = request.query.get("tags", "")
    required, _excluded = scripts.tag_filter(text)
    if not required:
        raise bad_parameter("tags", "deleting Workers needs a filter with at least one TAG:yes")
    limit = request.number("limit", MAX_PAGE, 1, MAX_PAGE)
    allowed = {"request": limit, "one": 1, "all": None}[request.behaviors.bulk_delete_limit]
    matching = scripts.listing(request.store, request.scope, text)
    deleted = matching[:allowed]
    with request.store.write():
        script_updates.delete(request.store, deleted)
    request.invalidate(*(Invalidation.worker(script.key) for script in deleted))
    return DELETED[request.behaviors.bulk_delete_response](deleted, len(deleted) < len(matching))


def count_deleted(deleted: list[Script], has_more: bool) -> dict[str, Any]:
    """Return the report of a deletion by tag, whose ids are not names."""
    return {"deleted": [{"id": script.tag} for script in deleted], "deleted_count": len(deleted), "has_more": has_more}


def bare(value: Any) -> ApiResponse:
    """Return JSON without the envelope."""
    return ApiResponse(content=json.dumps(value).encode(), headers={"content-type": "application/json"})


#: Responses by value of the behavior `bulk_delete_response`. The last four report nothing about further Workers.
DELETED: Mapping[str, Callable[[list[Script], bool], ApiResponse]] = {
    "bare": lambda deleted, has_more: bare(count_deleted(deleted, has_more)),
    "counts": lambda deleted, has_more: ApiResponse(count_deleted(deleted, has_more)),
    "objects": lambda deleted, _has_more: ApiResponse([{"id": script.name} for script in deleted]),
    "names": lambda deleted, _has_more: ApiResponse([script.name for script in deleted]),
    "null": lambda _deleted, _has_more: ApiResponse(),
    "empty": lambda _deleted, _has_more: ApiResponse(content=b""),
}
