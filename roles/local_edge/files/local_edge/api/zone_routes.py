# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Worker routes of a zone."""
from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from local_edge.api.call import Answer, Call
from local_edge.errors import ApiError, bad_body
from local_edge.model import patterns, scripts
from local_edge.settings import Zone
from local_edge.store import now

MAX_ROUTES = 1000


def zone_of(call: Call) -> Zone:
    zone = call.settings.zone(call.params["zone"])
    assert zone, "the table's guard lets only known zones through"
    return zone


def shown(row: Any) -> dict[str, Any]:
    """A route; without a Worker it has no key `script`."""
    return {"id": row["id"], "pattern": row["pattern"], **({"script": row["script"]} if row["script"] else {})}


def find(call: Call) -> dict[str, Any]:
    row = call.store.one("select * from routes where zone = ? and id = ?", call.params["zone"], call.params["route"])
    if row is None:
        raise ApiError(404, 10009, "workers.api.error.route_not_found: this route does not exist in this zone.")
    return shown(row)


def read(call: Call, ident: str) -> tuple[str, str | None]:
    """The pattern and the Worker of a body, once both are possible."""
    body, zone = call.json_object(), zone_of(call)
    pattern, script = patterns.normalized(body.get("pattern"), zone.name), body.get("script")
    if script is not None and not isinstance(script, str):
        raise bad_body("script must be a string")
    if script and not scripts.find(call.store, scripts.Place(zone.account.id), script):
        raise ApiError(400, 10019, "Cannot configure a route for a Worker which does not exist. Please ensure this Worker "
                                   "exists and try again.")
    if call.store.one("select 1 from routes where zone = ? and pattern = ? and id != ?", zone.id, pattern, ident):
        raise ApiError(409, 10020, "A route with the same pattern already exists")
    return pattern, script or None


def zone_named(call: Call, raw: Mapping[str, Any]) -> Zone:
    """The zone of a route that names it by id, by name, or by nothing but the host of its pattern."""
    owned = [zone for zone in call.settings.zones if zone.account.id == call.account]
    ident, name = raw.get("zone_id"), raw.get("zone_name")
    host = str(raw.get("pattern", "")).partition("://")[2] or str(raw.get("pattern", ""))
    host = host.partition("/")[0].lstrip("*").lower()
    fits = [zone for zone in owned if (zone.id == ident if ident else zone.name == name if name else f".{host}".endswith(f".{zone.name}"))]
    if not fits:
        raise ApiError(400, 10082, f"Could not find a zone for {raw.get('pattern')!r}. Make sure the domain is set up to be proxied by Cloudflare.")
    return max(fits, key=lambda zone: len(zone.name))


async def put_script_routes(call: Call) -> Answer:
    """Make these the routes of a Worker, over all zones: those it has beside them are deleted."""
    script, body = call.script, call.json()
    if not isinstance(body, list) or not all(isinstance(one, dict) for one in body):
        raise bad_body("it must be an array of routes, each with its `pattern` and `zone_id` or `zone_name`")
    wanted = [(zone.id, patterns.normalized(raw.get("pattern"), zone.name)) for raw in body for zone in [zone_named(call, raw)]]
    for zone, pattern in wanted:
        if call.store.one("select 1 from routes where zone = ? and pattern = ? and script is not ?", zone, pattern, script.name):
            raise ApiError(409, 10020, f"A route with the same pattern already exists: {pattern}")
    owned = [zone.id for zone in call.settings.zones if zone.account.id == call.account]
    mine = [row for row in call.store.all("select * from routes where script = ?", script.name) if row["zone"] in owned]
    with call.store.write() as db:
        db.executemany("delete from routes where id = ?", [(row["id"],) for row in mine if (row["zone"], row["pattern"]) not in wanted])
        kept = {(row["zone"], row["pattern"]) for row in mine}
        db.executemany("insert into routes values (?, ?, ?, ?, ?)", [
            (uuid.uuid4().hex, zone, pattern, script.name, now()) for zone, pattern in dict.fromkeys(wanted) if (zone, pattern) not in kept])
    call.touched.append("routes")
    rows = call.store.all("select * from routes where script = ? order by created_on", script.name)
    return Answer([{**shown(row), "zone_id": row["zone"]} for row in rows if row["zone"] in owned])


async def list_routes(call: Call) -> Answer:
    rows = call.store.all("select * from routes where zone = ? order by created_on, id", call.params["zone"])
    return Answer([shown(row) for row in rows])


async def get_route(call: Call) -> Answer:
    return Answer(find(call))


async def create_route(call: Call) -> Answer:
    ident = uuid.uuid4().hex
    pattern, script = read(call, ident)
    if call.store.count("select count(*) from routes where zone = ?", call.params["zone"]) >= MAX_ROUTES:
        raise ApiError(400, 10021, f"a zone has at most {MAX_ROUTES} routes")
    with call.store.write() as db:
        db.execute("insert into routes values (?, ?, ?, ?, ?)", (ident, call.params["zone"], pattern, script, now()))
    call.touched.append("routes")
    row = {"id": ident, "pattern": pattern, "script": script}
    return Answer({"id": ident} if call.switches.route_create_answer == "id" else shown(row))


async def put_route(call: Call) -> Answer:
    ident = find(call)["id"]
    pattern, script = read(call, ident)
    with call.store.write() as db:
        db.execute("update routes set pattern = ?, script = ? where id = ?", (pattern, script, ident))
    call.touched.append("routes")
    return Answer(shown({"id": ident, "pattern": pattern, "script": script}))


async def delete_route(call: Call) -> Answer:
    ident = find(call)["id"]
    with call.store.write() as db:
        db.execute("delete from routes where id = ?", (ident,))
    call.touched.append("routes")
    return Answer({"id": ident})
