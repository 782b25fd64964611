# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Worker routes of a zone."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any

from local_edge.api.request import ApiRequest, ApiResponse
from local_edge.errors import ApiError, bad_body
from local_edge.invalidation import Invalidation
from local_edge.model import custom_hostnames, patterns, scripts
from local_edge.model.script_scope import ScriptScope
from local_edge.settings import Zone

MAX_ROUTES = 1000


def too_many() -> ApiError:
    return ApiError(400, 10021, f"a zone has at most {MAX_ROUTES} routes")


def zone_of(request: ApiRequest) -> Zone:
    zone = request.settings.zone(request.params["zone"])
    assert zone, "the table's guard lets only known zones through"
    return zone


def owned_zones(request: ApiRequest) -> list[Zone]:
    return [zone for zone in request.settings.zones if zone.account.id == request.account]


def zone_named(request: ApiRequest, body: Mapping[str, Any], host: str) -> Zone:
    """Return the zone that a body selects by id or name, by default the longest zone that contains the host."""
    ident, name = body.get("zone_id"), body.get("zone_name")

    def is_selected(zone: Zone) -> bool:
        if ident:
            return bool(zone.id == ident)
        return name in (zone.name, zone.display_name) if name else f".{host}".endswith(f".{zone.name}")

    matching = list(filter(is_selected, owned_zones(request)))
    if not matching:
        raise ApiError(
            400,
            10082,
            f"Could not find a zone for {ident or name or host!r}. Make sure the domain is set up to be proxied by "
            "Cloudflare.",
        )
    return max(matching, key=lambda zone: len(zone.name))


def to_api(row: Any) -> dict[str, Any]:
    """Return a route in the format of the API. A route without a Worker has no key `script`."""
    return {"id": row["id"], "pattern": row["pattern"], **({"script": row["script"]} if row["script"] else {})}


def find(request: ApiRequest) -> dict[str, Any]:
    row = request.store.one(
        "select * from routes where zone = ? and id = ?", request.params["zone"], request.params["route"]
    )
    if row is None:
        raise ApiError(404, 10009, "workers.api.error.route_not_found: this route does not exist in this zone.")
    return to_api(row)


def normalized(request: ApiRequest, pattern: object, zone: Zone) -> str:
    """Return a pattern that is valid in a zone, in its stored form."""
    return patterns.normalized(pattern, zone.name, partial(custom_hostnames.covers, request.store, zone.id))


def read(request: ApiRequest, ident: str) -> tuple[str, str | None]:
    """Return the pattern and the Worker of a body. Raise ApiError if either is invalid or the pattern is taken."""
    body, zone = request.json_object(), zone_of(request)
    pattern, script = normalized(request, body.get("pattern"), zone), body.get("script")
    if script is not None and not isinstance(script, str):
        raise bad_body("script must be a string")
    if script and not scripts.find(request.store, ScriptScope(zone.account.id), script):
        raise ApiError(
            400,
            10019,
            "Cannot configure a route for a Worker which does not exist. Please ensure this Worker "
            "exists and try again.",
        )
    if request.store.one(
        "select 1 from routes where zone = ? and pattern in (?, ?) and id != ?",
        zone.id,
        *patterns.spellings(pattern),
        ident,
    ):
        raise ApiError(409, 10020, "A route with the same pattern already exists")
    return pattern, script or None


def parse_route(request: ApiRequest, item: Any) -> tuple[str, str]:
    """Return zone id and pattern of a route in a list. The item is a pattern, or an object with pattern and zone."""
    body = {"pattern": item} if isinstance(item, str) else item
    if not isinstance(body, dict):
        raise bad_body("it must be an array of routes, each with its `pattern` and `zone_id` or `zone_name`")
    zone = zone_named(request, body, patterns.host_of(body.get("pattern")))
    return zone.id, normalized(request, body.get("pattern"), zone)


def check_available(request: ApiRequest, routes: Iterable[tuple[str, str]], script: str) -> None:
    """Raise ApiError if a route exists and is not a route of this Worker."""
    for zone, pattern in routes:
        if request.store.one(
            "select 1 from routes where zone = ? and pattern in (?, ?) and script is not ?",
            zone,
            *patterns.spellings(pattern),
            script,
        ):
            raise ApiError(409, 10020, f"A route with the same pattern already exists: {pattern}")


def replace_routes(
    request: ApiRequest, script: str, desired: Collection[tuple[str, str]], zones: Collection[str]
) -> None:
    """Create the missing routes of a Worker, and delete its others in these zones. Raise ApiError above the limit."""
    rows = request.store.all("select * from routes where script = ?", script)
    current = {(row["zone"], row["pattern"]): row["id"] for row in rows if row["zone"] in zones}
    with request.store.write() as db:
        db.executemany(
            "delete from routes where id = ?", [(ident,) for route, ident in current.items() if route not in desired]
        )
        db.executemany(
            "insert into routes values (?, ?, ?, ?, ?)",
            [(uuid.uuid4().hex, *route, script, request.now()) for route in desired if route not in current],
        )
        for zone, _pattern in desired:
            if request.store.count("select count(*) from routes where zone = ?", zone) > MAX_ROUTES:
                raise too_many()


async def put_script_routes(request: ApiRequest) -> ApiResponse:
    """Replace the routes of a Worker in all zones of its account."""
    script, body = request.script, request.json()
    if not isinstance(body, list):
        raise bad_body("it must be an array of routes, each with its `pattern` and `zone_id` or `zone_name`")
    desired = dict.fromkeys(parse_route(request, item) for item in body)
    check_available(request, desired, script.name)
    owned = {zone.id: zone for zone in owned_zones(request)}
    replace_routes(request, script.name, desired, owned)
    request.invalidate(Invalidation.routes())
    rows = request.store.all("select * from routes where script = ? order by created_on, id", script.name)
    return ApiResponse(
        [
            {**to_api(row), "zone_id": row["zone"], "zone_name": owned[row["zone"]].display_name}
            for row in rows
            if row["zone"] in owned
        ]
    )


async def list_routes(request: ApiRequest) -> ApiResponse:
    rows = request.store.all("select * from routes where zone = ? order by created_on, id", request.params["zone"])
    return ApiResponse([to_api(row) for row in rows])


async def get_route(request: ApiRequest) -> ApiResponse:
    return ApiResponse(find(request))


async def create_route(request: ApiRequest) -> ApiResponse:
    ident = uuid.uuid4().hex
    pattern, script = read(request, ident)
    if request.store.count("select count(*) from routes where zone = ?", request.params["zone"]) >= MAX_ROUTES:
        raise too_many()
    with request.store.write() as db:
        db.execute(
            "insert into routes values (?, ?, ?, ?, ?)",
            (ident, request.params["zone"], pattern, script, request.now()),
        )
    request.invalidate(Invalidation.routes())
    row = {"id": ident, "pattern": pattern, "script": script}
    return ApiResponse({"id": ident} if request.behaviors.route_create_response == "id" else to_api(row))


async def put_route(request: ApiRequest) -> ApiResponse:
    ident = find(request)["id"]
    pattern, script = read(request, ident)
    with request.store.write() as db:
        db.execute("update routes set pattern = ?, script = ? where id = ?", (pattern, script, ident))
    request.invalidate(Invalidation.routes())
    return ApiResponse(to_api({"id": ident, "pattern": pattern, "script": script}))


async def delete_route(request: ApiRequest) -> ApiResponse:
    ident = find(request)["id"]
    with request.store.write() as db:
        db.execute("delete from routes where id = ?", (ident,))
    request.invalidate(Invalidation.routes())
    return ApiResponse({"id": ident})
