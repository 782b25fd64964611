# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints of account Workers only: schedules, workers.dev hosts, references, and the older `services` API."""

from __future__ import annotations

import re
from typing import Any

from local_edge.api.request import ApiRequest, ApiResponse, paged
from local_edge.api.script_objects import script_tags, script_to_api
from local_edge.api.scripts import delete_script
from local_edge.errors import ApiError, bad_body
from local_edge.invalidation import Invalidation
from local_edge.model import bindings, cron, script_updates, scripts, subdomains
from local_edge.model.script_updates import ScriptUpdate
from local_edge.model.scripts import ENVIRONMENT, Script

SUBDOMAIN_OFF = {"enabled": False, "previews_enabled": False}


def save_extras(request: ApiRequest, **extras: Any) -> None:
    """Update the properties of a Worker that are not part of its configuration."""
    script_updates.write(
        request.store, request.scope, request.script.name, ScriptUpdate(extras=extras), updates_modified_on=False
    )


async def get_schedules(request: ApiRequest) -> ApiResponse:
    return ApiResponse({"schedules": request.script.extras.get("schedules", [])})


async def put_schedules(request: ApiRequest) -> ApiResponse:
    """Replace the cron triggers."""
    body, time = request.json(), request.now()
    if not isinstance(body, list) or not all(
        isinstance(one, dict) and isinstance(one.get("cron"), str) for one in body
    ):
        raise bad_body('schedules must be a list of objects such as {"cron": "*/30 * * * *"}')
    before = {one["cron"]: one for one in request.script.extras.get("schedules", [])}
    save_extras(
        request,
        schedules=[
            before.get(one, {"cron": one, "created_on": time, "modified_on": time})
            for one in cron.check([one["cron"] for one in body])
        ],
    )
    return await get_schedules(request)


async def get_subdomain(request: ApiRequest) -> ApiResponse:
    return ApiResponse({**SUBDOMAIN_OFF, **request.script.extras.get("subdomain", {})})


async def post_subdomain(request: ApiRequest) -> ApiResponse:
    """Enable or disable the workers.dev host of a Worker and of its previews."""
    body = request.json_object()
    if not isinstance(body.get("enabled"), bool) or not isinstance(body.get("previews_enabled", False), bool):
        raise bad_body("`enabled` and `previews_enabled` must be true or false")
    if body["enabled"] and not subdomains.of(request.store, request.account):
        raise ApiError(400, 10063, "You need a workers.dev subdomain in order to proceed.")
    save_extras(request, subdomain={key: body[key] for key in SUBDOMAIN_OFF if key in body})
    request.invalidate(Invalidation.routes())
    return await get_subdomain(request)


async def delete_subdomain(request: ApiRequest) -> ApiResponse:
    save_extras(request, subdomain=SUBDOMAIN_OFF)
    request.invalidate(Invalidation.routes())
    return await get_subdomain(request)


async def get_account_subdomain(request: ApiRequest) -> ApiResponse:
    name = subdomains.of(request.store, request.account)
    if not name:
        raise ApiError(404, 10007, "You do not have a workers.dev subdomain.")
    return ApiResponse({"subdomain": name})


async def put_account_subdomain(request: ApiRequest) -> ApiResponse:
    """Set the account's subdomain of workers.dev."""
    name = request.json_object().get("subdomain")
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name):
        raise ApiError(400, 10031, "`subdomain` must be a label of a host name")
    subdomains.save(request.store, request.account, name)
    request.invalidate(Invalidation.routes())
    return ApiResponse({"subdomain": name})


async def delete_account_subdomain(request: ApiRequest) -> ApiResponse:
    subdomains.save(request.store, request.account, "")
    request.invalidate(Invalidation.routes())
    return ApiResponse()


async def get_worker(request: ApiRequest) -> ApiResponse:
    """Return a Worker, given by name or id, in the format of the newer `workers` API."""
    ident = request.params["script"]
    row = request.store.one(
        "select name from scripts where account = ? and namespace = '' and ? in (name, tag)", request.account, ident
    )
    if row is None:
        raise ApiError(404, 10007, "This Worker does not exist on your account.")
    script = scripts.get(request.store, request.scope, row["name"])
    config = script.settings()
    users = scripts.dependents_of(request.store, script)
    incoming = [{"id": user.name, "name": user.name} for user in users if user.as_service]
    outbounds = [
        {"namespace_name": namespace, "worker_name": user.name} for user in users for namespace in user.outbound_of
    ]
    return ApiResponse(
        {
            "id": script.tag,
            "name": script.name,
            "created_on": script.created_on,
            "updated_on": script.modified_on,
            "deployed_on": script.modified_on,
            "logpush": config["logpush"],
            "observability": config["observability"] or {"enabled": False},
            "tags": script_tags(request.store, script),
            "tail_consumers": config["tail_consumers"] or [],
            "subdomain": {**SUBDOMAIN_OFF, **script.extras.get("subdomain", {})},
            "references": {
                "workers": incoming,
                "dispatch_namespace_outbounds": outbounds,
                "domains": [],
                "durable_objects": [],
                "queues": [],
            },
        }
    )


async def list_durable_objects(request: ApiRequest) -> ApiResponse:
    """Return a page of Durable Object namespaces, one per class that a migration created."""
    found = [
        {
            "id": one["id"],
            "name": f"{script.name}_{name}",
            "class": name,
            "script": script.name,
            "use_sqlite": one["sqlite"],
        }
        for script in scripts.listing(request.store, request.scope)
        for name, one in script.migrations["classes"].items()
    ]
    return paged(request, found, low=1, high=1000)


async def list_tails(request: ApiRequest) -> ApiResponse:
    """Return the Workers that send their logs to this one: always none, since tail Workers are not supported."""
    return ApiResponse([])


async def list_queue_consumers(request: ApiRequest) -> ApiResponse:
    """Return the queues that this Worker consumes: always none, since consumers are not supported."""
    return ApiResponse([])


async def get_usage_model(request: ApiRequest) -> ApiResponse:
    return ApiResponse({"usage_model": request.script.settings()["usage_model"]})


async def references(request: ApiRequest) -> ApiResponse:
    """Return the Workers that depend on this one. Clients check them before a deletion."""
    users = scripts.dependents_of(request.store, request.script)
    services = [service_ref(user) for user in users if user.as_service]
    outbounds = [{**service_ref(user), "namespace": namespace} for user in users for namespace in user.outbound_of]
    return ApiResponse(
        {
            "services": {"incoming": services, "outgoing": []},
            "dispatch_outbounds": outbounds,
            "durable_objects": [],
            "queues": [],
        }
    )


def service_ref(user: scripts.Dependent) -> dict[str, str]:
    return {"service": user.name, "environment": ENVIRONMENT, "name": user.name}


async def search(request: ApiRequest) -> ApiResponse:
    """Return a page of Workers by a part of their name, or by id."""
    name, ident = request.query.get("name", ""), request.query.get("id", "")
    found = [
        one for one in scripts.listing(request.store, request.scope) if name in one.name and ident in ("", one.tag)
    ]
    return paged(
        request,
        [
            {
                "id": one.tag,
                "script_name": one.name,
                "service_name": one.name,
                "environment_name": ENVIRONMENT,
                "environment_is_default": True,
                "created_on": one.created_on,
                "modified_on": one.modified_on,
            }
            for one in found
        ],
        default=10,
        low=1,
        high=100,
    )


def service(request: ApiRequest, script: Script) -> dict[str, Any]:
    """Return a Worker in the format of the `services` API, with its only environment."""
    found = {**script_to_api(script), "tags": script_tags(request.store, script)}
    environment = {
        "environment": ENVIRONMENT,
        "created_on": script.created_on,
        "modified_on": script.modified_on,
        "script_tag": script.tag,
        "script": found,
    }
    return {
        "id": script.name,
        "created_on": script.created_on,
        "modified_on": script.modified_on,
        "default_environment": environment,
        "environments": [environment],
        "usage_model": found["usage_model"],
    }


def script_for_service(request: ApiRequest) -> Script:
    """Return the Worker of a path under `services`. Raise that API's errors if it does not exist."""
    script = scripts.find(request.store, request.scope, request.params["script"])
    if script is None:
        raise ApiError(404, 10090, "workers.api.error.service_not_found")
    if request.params.get("environment", ENVIRONMENT) != ENVIRONMENT:
        raise ApiError(404, 10092, "workers.api.error.environment_not_found")
    return script


async def get_service(request: ApiRequest) -> ApiResponse:
    return ApiResponse(service(request, script_for_service(request)))


async def delete_service(request: ApiRequest) -> ApiResponse:
    script_for_service(request)
    return await delete_script(request)


async def get_environment(request: ApiRequest) -> ApiResponse:
    return ApiResponse(service(request, script_for_service(request))["default_environment"])


async def get_service_bindings(request: ApiRequest) -> ApiResponse:
    return ApiResponse([one.to_api() for one in bindings.load(request.store, script_for_service(request).id).values()])


async def get_service_routes(request: ApiRequest) -> ApiResponse:
    """Return the routes of a Worker in all zones of its account."""
    zones = {zone.id: zone for zone in request.settings.zones if zone.account.id == request.account}
    rows = request.store.all(
        "select * from routes where script = ? order by created_on", script_for_service(request).name
    )
    return ApiResponse(
        [
            {
                "id": row["id"],
                "pattern": row["pattern"],
                "zone_id": row["zone"],
                "zone_name": zones[row["zone"]].display_name,
                "script": row["script"],
            }
            for row in rows
            if row["zone"] in zones
        ]
    )
