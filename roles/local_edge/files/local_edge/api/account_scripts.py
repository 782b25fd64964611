# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only Workers of an account have: schedules, a workers.dev host, references, and the older `services` view of them."""

from __future__ import annotations

import re
from typing import Any

from local_edge.api.call import Answer, Call, paged
from local_edge.api.script_objects import shown, tags_shown
from local_edge.api.scripts import delete_script
from local_edge.errors import ApiError, bad_body
from local_edge.model import bindings, cron, scripts, subdomains
from local_edge.model.scripts import ENVIRONMENT, Change, Script
from local_edge.store import now

SUBDOMAIN_OFF = {"enabled": False, "previews_enabled": False}


def keep(call: Call, **extras: Any) -> None:
    """Write what belongs to a Worker beside its configuration."""
    scripts.write(call.store, call.place, call.script.name, Change(extras=extras), updates_modified_on=False)


async def get_schedules(call: Call) -> Answer:
    return Answer({"schedules": call.script.extras.get("schedules", [])})


async def put_schedules(call: Call) -> Answer:
    """Replace the cron triggers."""
    body, time = call.json(), now()
    if not isinstance(body, list) or not all(
        isinstance(one, dict) and isinstance(one.get("cron"), str) for one in body
    ):
        raise bad_body('schedules are a list of objects such as {"cron": "*/30 * * * *"}')
    before = {one["cron"]: one for one in call.script.extras.get("schedules", [])}
    keep(
        call,
        schedules=[
            before.get(one, {"cron": one, "created_on": time, "modified_on": time})
            for one in cron.check([one["cron"] for one in body])
        ],
    )
    return await get_schedules(call)


async def get_subdomain(call: Call) -> Answer:
    return Answer({**SUBDOMAIN_OFF, **call.script.extras.get("subdomain", {})})


async def post_subdomain(call: Call) -> Answer:
    """Switch the workers.dev host of a Worker and of its previews."""
    body = call.json_object()
    if not isinstance(body.get("enabled"), bool) or not isinstance(body.get("previews_enabled", False), bool):
        raise bad_body("`enabled` and `previews_enabled` must be true or false")
    if body["enabled"] and not subdomains.of(call.store, call.account):
        raise ApiError(400, 10063, "You need a workers.dev subdomain in order to proceed.")
    keep(call, subdomain={key: body[key] for key in SUBDOMAIN_OFF if key in body})
    call.touched.append("routes")
    return await get_subdomain(call)


async def delete_subdomain(call: Call) -> Answer:
    keep(call, subdomain=SUBDOMAIN_OFF)
    call.touched.append("routes")
    return await get_subdomain(call)


async def get_account_subdomain(call: Call) -> Answer:
    name = subdomains.of(call.store, call.account)
    if not name:
        raise ApiError(404, 10007, "You do not have a workers.dev subdomain.")
    return Answer({"subdomain": name})


async def put_account_subdomain(call: Call) -> Answer:
    """Name the host under which this account's Workers may answer on workers.dev."""
    name = call.json_object().get("subdomain")
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name):
        raise ApiError(400, 10031, "`subdomain` must be a label of a host name")
    subdomains.save(call.store, call.account, name)
    call.touched.append("routes")
    return Answer({"subdomain": name})


async def delete_account_subdomain(call: Call) -> Answer:
    subdomains.save(call.store, call.account, "")
    call.touched.append("routes")
    return Answer()


async def get_worker(call: Call) -> Answer:
    """A Worker as the newer `workers` have it, by its name or its id."""
    ident = call.params["script"]
    row = call.store.one(
        "select name from scripts where account = ? and namespace = '' and ? in (name, tag)", call.account, ident
    )
    if row is None:
        raise ApiError(404, 10007, "This Worker does not exist on your account.")
    script = scripts.get(call.store, call.place, row["name"])
    config = script.settings()
    users = scripts.users_of(call.store, script)
    incoming = [{"id": user.name, "name": user.name} for user in users if user.as_service]
    outbounds = [
        {"namespace_name": namespace, "worker_name": user.name} for user in users for namespace in user.outbound_of
    ]
    return Answer(
        {
            "id": script.tag,
            "name": script.name,
            "created_on": script.created_on,
            "updated_on": script.modified_on,
            "deployed_on": script.modified_on,
            "logpush": config["logpush"],
            "observability": config["observability"] or {"enabled": False},
            "tags": tags_shown(call.store, script),
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


async def list_durable_objects(call: Call) -> Answer:
    """The storage of Durable Objects, one for each class that a migration has made."""
    found = [
        {
            "id": one["id"],
            "name": f"{script.name}_{name}",
            "class": name,
            "script": script.name,
            "use_sqlite": one["sqlite"],
        }
        for script in scripts.listing(call.store, call.place)
        for name, one in script.migrations["classes"].items()
    ]
    return paged(call, found, low=1, high=1000)


async def list_tails(call: Call) -> Answer:
    """Whose logs this Worker is sent: the local edge has no such deliveries."""
    return Answer([])


async def list_queue_consumers(call: Call) -> Answer:
    """Which queues this Worker reads from: the local edge has none."""
    return Answer([])


async def get_usage_model(call: Call) -> Answer:
    return Answer({"usage_model": call.script.settings()["usage_model"]})


async def references(call: Call) -> Answer:
    """Who depends on this Worker: what a client asks before it deletes one."""
    users = scripts.users_of(call.store, call.script)
    services = [named(user) for user in users if user.as_service]
    outbounds = [{**named(user), "namespace": namespace} for user in users for namespace in user.outbound_of]
    return Answer(
        {
            "services": {"incoming": services, "outgoing": []},
            "dispatch_outbounds": outbounds,
            "durable_objects": [],
            "queues": [],
        }
    )


def named(user: scripts.User) -> dict[str, str]:
    return {"service": user.name, "environment": ENVIRONMENT, "name": user.name}


async def search(call: Call) -> Answer:
    """Workers whose name holds a text."""
    name, ident = call.query.get("name", ""), call.query.get("id", "")
    found = [one for one in scripts.listing(call.store, call.place) if name in one.name and ident in ("", one.tag)]
    return paged(
        call,
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


def service(call: Call, script: Script) -> dict[str, Any]:
    """A Worker as `services` have it: one environment, in which the script is."""
    found = {**shown(script), "tags": tags_shown(call.store, script)}
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


def wanted(call: Call) -> Script:
    """The Worker of a path under `services`, with the refusals of that older API."""
    script = scripts.find(call.store, call.place, call.params["script"])
    if script is None:
        raise ApiError(404, 10090, "workers.api.error.service_not_found")
    if call.params.get("environment", ENVIRONMENT) != ENVIRONMENT:
        raise ApiError(404, 10092, "workers.api.error.environment_not_found")
    return script


async def get_service(call: Call) -> Answer:
    return Answer(service(call, wanted(call)))


async def delete_service(call: Call) -> Answer:
    wanted(call)
    return await delete_script(call)


async def get_environment(call: Call) -> Answer:
    return Answer(service(call, wanted(call))["default_environment"])


async def get_service_bindings(call: Call) -> Answer:
    return Answer([one.shown() for one in bindings.load(call.store, wanted(call).id).values()])


async def get_service_routes(call: Call) -> Answer:
    """The routes of a Worker over all zones."""
    zones = {zone.id: zone for zone in call.settings.zones if zone.account.id == call.account}
    rows = call.store.all("select * from routes where script = ? order by created_on", wanted(call).name)
    return Answer(
        [
            {
                "id": row["id"],
                "pattern": row["pattern"],
                "zone_id": row["zone"],
                "zone_name": zones[row["zone"]].name,
                "script": row["script"],
            }
            for row in rows
            if row["zone"] in zones
        ]
    )
