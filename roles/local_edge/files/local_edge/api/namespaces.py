# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dispatch namespaces."""

from __future__ import annotations

import uuid
from typing import Any

from local_edge.api.request import ApiRequest, ApiResponse
from local_edge.errors import ApiError, bad_body, method_not_allowed, namespace_missing
from local_edge.invalidation import Invalidation
from local_edge.model import assets, script_updates, scripts
from local_edge.model.script_scope import ScriptScope

SELECT = (
    "select *, (select count(*) from scripts where scripts.account = namespaces.account and"
    " scripts.namespace = namespaces.name) as scripts from namespaces where account = ?"
)
#: Omitted fields of a namespace by value of the behavior `namespace_optional_fields`. `trusted_workers` is omitted only
#: if it is false.
OMITTED_FIELDS = {
    "both": (),
    "trusted_workers": ("script_count",),
    "script_count": ("trusted_workers",),
    "neither": ("script_count", "trusted_workers"),
}
SELECT_BOUND_SCRIPTS = (
    "select * from scripts where account = ? and id in"
    " (select script from bindings where type = 'dispatch_namespace' and target = ?)"
)
RENAME_IN_BINDING = (
    "update bindings set target = ?1, spec = json_set(spec, '$.namespace', ?1) where script = ?2 and"
    " type = 'dispatch_namespace' and target = ?3"
)
DUPLICATE = "A dispatch namespace with this name already exists on this account."


def to_api(row: Any, account: str) -> dict[str, Any]:
    return {
        "namespace_id": row["id"],
        "namespace_name": row["name"],
        "script_count": row["scripts"],
        "trusted_workers": bool(row["trusted"]),
        "created_on": row["created_on"],
        "created_by": account,
        "modified_on": row["modified_on"],
        "modified_by": account,
    }


def to_response(request: ApiRequest, namespace: dict[str, Any]) -> dict[str, Any]:
    """Return a namespace without the fields that the behavior omits."""
    omitted = OMITTED_FIELDS[request.behaviors.namespace_optional_fields]
    return {
        key: value for key, value in namespace.items() if key not in omitted or (key == "trusted_workers" and value)
    }


def find(request: ApiRequest, name: str) -> dict[str, Any]:
    row = request.store.one(f"{SELECT} and name = ?", request.account, name)
    if row is None:
        raise namespace_missing()
    return to_api(row, request.account)


def check_name(name: Any) -> str:
    if not isinstance(name, str) or not name.strip() or len(name) > 64 or "/" in name:
        raise bad_body("name must be a string of 1 to 64 characters without a slash")
    return name


def read_trusted(body: dict[str, Any], default: bool) -> bool:
    trusted = body.get("trusted_workers", default)
    if not isinstance(trusted, bool):
        raise bad_body("trusted_workers must be true or false")
    return trusted


def check_name_free(request: ApiRequest, name: str) -> None:
    if request.store.one("select 1 from namespaces where account = ? and name = ?", request.account, name):
        raise ApiError(409, 100120, DUPLICATE)


async def list_namespaces(request: ApiRequest) -> ApiResponse:
    return ApiResponse(
        [
            to_response(request, to_api(row, request.account))
            for row in request.store.all(f"{SELECT} order by created_on, name", request.account)
        ]
    )


async def get_namespace(request: ApiRequest) -> ApiResponse:
    return ApiResponse(to_response(request, find(request, request.params["namespace"])))


async def create_namespace(request: ApiRequest) -> ApiResponse:
    body = request.json_object()
    name, time = check_name(body.get("name")), request.now()
    trusted = read_trusted(body, False) and request.behaviors.trusted_workers_on_create == "honor"
    check_name_free(request, name)
    with request.store.write() as db:
        db.execute(
            "insert into namespaces values (?, ?, ?, ?, ?, ?)",
            (request.account, name, str(uuid.uuid4()), trusted, time, time),
        )
    return ApiResponse(to_response(request, find(request, name)))


async def put_namespace(request: ApiRequest) -> ApiResponse:
    """Rename a namespace and set its trusted mode. What happens to an omitted one is a behavior."""
    return update_namespace(request, keeps_trusted=request.behaviors.namespace_update_without_trusted == "keep")


async def patch_namespace(request: ApiRequest) -> ApiResponse:
    """Change the keys of the body. Omitted ones are kept."""
    if request.behaviors.namespace_patch == "405":
        raise method_not_allowed(request.method)
    return update_namespace(request, keeps_trusted=True)


def update_namespace(request: ApiRequest, keeps_trusted: bool) -> ApiResponse:
    """Change name and trusted mode of the namespace. An omitted mode is kept, or becomes false."""
    old, body = find(request, request.params["namespace"]), request.json_object()
    name = check_name(body.get("name", old["namespace_name"]))
    trusted = read_trusted(body, old["trusted_workers"] if keeps_trusted else False)
    if name != old["namespace_name"]:
        check_name_free(request, name)
    with request.store.write() as db:
        db.execute(
            "update namespaces set name = ?, trusted = ?, modified_on = ? where account = ? and name = ?",
            (name, trusted, request.now(), request.account, old["namespace_name"]),
        )
        db.execute(
            "update scripts set namespace = ? where account = ? and namespace = ?",
            (name, request.account, old["namespace_name"]),
        )
        assets.move(request.store, request.account, old["namespace_name"], name)
        if request.behaviors.bindings_after_rename == "follow":
            rename_in_bindings(request, old["namespace_name"], name)
    request.invalidate(
        *(Invalidation.scope(ScriptScope(request.account, each)) for each in (old["namespace_name"], name))
    )
    return ApiResponse(to_response(request, find(request, name)))


def rename_in_bindings(request: ApiRequest, old: str, new: str) -> None:
    """Update the name in the bindings to a renamed namespace. Call it inside `write()`."""
    for bound in map(scripts.from_row, request.store.all(SELECT_BOUND_SCRIPTS, request.account, old)):
        request.store.db.execute(RENAME_IN_BINDING, (new, bound.id, old))
        request.store.db.execute(
            "update scripts set version = ? where id = ?", (request.store.next_version(), bound.id)
        )
        request.invalidate(Invalidation.worker(bound.key))


async def delete_namespace(request: ApiRequest) -> ApiResponse:
    """Delete a namespace with its Workers."""
    namespace = find(request, request.params["namespace"])
    name = namespace["namespace_name"]
    if namespace["script_count"] and request.behaviors.delete_nonempty_namespace == "refuse":
        raise ApiError(
            400,
            10064,
            f"Dispatch namespace {name!r} still contains {namespace['script_count']} Workers; delete those first",
        )
    with request.store.write() as db:
        script_updates.delete(request.store, scripts.listing(request.store, request.scope))
        assets.drop(request.store, request.scope)
        db.execute("delete from namespaces where account = ? and name = ?", (request.account, name))
    request.invalidate(Invalidation.scope(request.scope))
    return ApiResponse()
