# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Custom hostnames of a zone, their quota and the fallback origin."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from local_edge.api.request import ApiRequest, ApiResponse, paged
from local_edge.api.zone_routes import zone_of
from local_edge.errors import ApiError
from local_edge.invalidation import Invalidation
from local_edge.model import custom_hostnames, dns
from local_edge.model.custom_hostnames import HOSTNAME_STATES, ORIGIN_STATES, refuse

MAX_HOSTNAMES = 50_000
IDENT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TEXTS: Mapping[str, Callable[[str, str], bool]] = {
    "hostname": str.__eq__,
    "hostname.exact": str.__eq__,
    "hostname.contain": str.__contains__,
    "hostname.startsWith": str.startswith,
}
#: Other filters, with the property that each compares, formatted like the query parameter.
VALUES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "id": lambda one: str(one["id"]),
    "hostname_status": lambda one: str(one["status"]),
    "custom_origin_server": lambda one: str(one.get("custom_origin_server", "")),
    "ssl": lambda one: "1" if one["ssl"] else "0",
    "ssl_status": lambda one: str((one["ssl"] or {}).get("status")),
    "certificate_authority": lambda one: str((one["ssl"] or {}).get("certificate_authority")),
    "wildcard": lambda one: str((one["ssl"] or {}).get("wildcard", False)).lower(),
}
ORDERS = ("ssl", "ssl_status")


def bad_json(_why: str) -> ApiError:
    return refuse(1400, "Unable to decode the JSON request body.")


def to_api(request: ApiRequest, row: Any) -> dict[str, Any]:
    """Return a custom hostname in its current state, which depends on the time."""
    spec, seconds, ident = json.loads(row["spec"]), request.settings.custom_hostname_seconds, row["id"]
    ssl, time = spec.pop("ssl"), request.store.clock.time()
    status = custom_hostnames.state(HOSTNAME_STATES, row["created_at"], seconds, time)
    proof = custom_hostnames.ownership(ident, row["hostname"]) if status == "pending" else {}
    return {
        "id": ident,
        "hostname": row["hostname"],
        "status": status,
        **spec,
        **proof,
        "created_at": row["created_at"],
        "ssl": ssl
        and custom_hostnames.ssl_to_api(
            custom_hostnames.token(ident), row["hostname"], ssl, row["validated_since"], seconds, time
        ),
    }


def find(request: ApiRequest) -> Any:
    ident = request.params["hostname"]
    if not IDENT.fullmatch(ident):
        raise refuse(1435, "The custom hostname ID is invalid.")
    row = request.store.one("select * from custom_hostnames where zone = ? and id = ?", request.params["zone"], ident)
    if row is None:
        raise custom_hostnames.missing()
    return row


def check_origin(request: ApiRequest, value: object) -> str:
    """Check a custom origin and return its name. With `--require-dns` it must have a DNS record in the zone."""
    zone = zone_of(request)
    own = isinstance(value, str) and f".{value.lower()}".endswith(f".{zone.name}")
    if isinstance(value, str) and value.startswith("*"):
        raise refuse(1420, "Wildcard custom origin hostnames are not supported.")
    name = custom_hostnames.check_name(value, "custom origin hostname", 1415, reserved=not own)
    if request.settings.require_dns and not dns.has_address_record(request.store, zone.id, name, proxied=False):
        raise refuse(
            1421,
            "The custom origin hostname you specified does not exist on Cloudflare as a DNS record (A, AAAA or CNAME) "
            f"in your zone:{zone.id}.",
        )
    return name


def read(request: ApiRequest, body: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored properties of a custom hostname: `before`, updated from a request body."""
    spec = {"ssl": None, **before}
    if body.get("ssl") is not None:
        spec["ssl"] = custom_hostnames.check_ssl(body["ssl"], spec["ssl"])
    if body.get("custom_metadata") is not None:
        spec["custom_metadata"] = custom_hostnames.check_metadata(body["custom_metadata"])
    if body.get("custom_origin_server"):
        spec["custom_origin_server"] = check_origin(request, body["custom_origin_server"])
    if isinstance(body.get("custom_origin_sni"), str):
        spec["custom_origin_sni"] = body["custom_origin_sni"]
    for name in ("custom_origin_server", "custom_origin_sni"):
        if name in body and not body[name]:
            spec.pop(name, None)
    return spec


async def list_hostnames(request: ApiRequest) -> ApiResponse:
    query = request.query
    if query.get("id") and any(name in query for name in TEXTS):
        raise refuse(1438, "Cannot specify other filter parameters in addition to `id`. Only one must be specified.")
    rows = request.store.all(
        "select * from custom_hostnames where zone = ? order by created_at desc, id", request.params["zone"]
    )
    names = [(TEXTS[name], query[name].lower()) for name in TEXTS if query.get(name)]
    found = [to_api(request, row) for row in rows if all(test(row["hostname"], expected) for test, expected in names)]
    found = [
        one
        for one in found
        if all(read_value(one) == query[name] for name, read_value in VALUES.items() if query.get(name))
    ]
    order = query.get("order")
    if order in ORDERS:
        found.sort(key=VALUES[order], reverse=query.get("direction") == "desc")
    return paged(request, found)


async def create_hostname(request: ApiRequest) -> ApiResponse:
    body, zone, time = request.json_object(bad_json), request.params["zone"], request.now()
    name = custom_hostnames.check_name(body.get("hostname"))
    if request.store.one("select 1 from custom_hostnames where zone = ? and hostname = ?", zone, name):
        raise ApiError(409, 1406, "Duplicate custom hostname found.")
    if used(request) >= MAX_HOSTNAMES:
        raise ApiError(403, 1405, "Quota exceeded.")
    ident, spec = str(uuid.uuid4()), read(request, body, {})
    with request.store.write() as db:
        db.execute(
            "insert into custom_hostnames values (?, ?, ?, ?, ?, ?)", (ident, zone, name, json.dumps(spec), time, time)
        )
    request.params["hostname"] = ident
    request.invalidate(Invalidation.routes())
    return ApiResponse(to_api(request, find(request)), status=201)


async def get_hostname(request: ApiRequest) -> ApiResponse:
    return ApiResponse(to_api(request, find(request)))


async def patch_hostname(request: ApiRequest) -> ApiResponse:
    """Update a custom hostname. Sending `ssl`, even unchanged, restarts the validation of the certificate."""
    row, body = find(request), request.json_object(bad_json)
    spec, since = (
        read(request, body, json.loads(row["spec"])),
        request.now() if body.get("ssl") is not None else row["validated_since"],
    )
    with request.store.write() as db:
        db.execute(
            "update custom_hostnames set spec = ?, validated_since = ? where id = ?",
            (json.dumps(spec), since, row["id"]),
        )
    request.invalidate(Invalidation.routes())
    return ApiResponse(to_api(request, find(request)), status=202)


async def delete_hostname(request: ApiRequest) -> ApiResponse:
    """Delete a custom hostname. The id is in `result` and beside it, since official clients read either."""
    found = {"id": find(request)["id"]}
    with request.store.write() as db:
        db.execute("delete from custom_hostnames where id = ?", (found["id"],))
    request.invalidate(Invalidation.routes())
    body = {"success": True, "errors": [], "messages": [], "result": found, **found}
    return ApiResponse(content=json.dumps(body).encode(), headers={"content-type": "application/json"})


def used(request: ApiRequest) -> int:
    return request.store.count("select count(*) from custom_hostnames where zone = ?", request.params["zone"])


async def get_quota(request: ApiRequest) -> ApiResponse:
    return ApiResponse(
        {
            "allocated": MAX_HOSTNAMES,
            "exceeded": used(request) > MAX_HOSTNAMES,
            "hard_cap": MAX_HOSTNAMES,
            "used": used(request),
        }
    )


def fallback_origin(request: ApiRequest) -> dict[str, Any]:
    row = request.store.one("select * from fallback_origins where zone = ?", request.params["zone"])
    if row is None:
        raise ApiError(404, 1551, "Resource not found")
    status = custom_hostnames.state(
        ORIGIN_STATES,
        row["updated_at"],
        request.settings.custom_hostname_seconds,
        request.store.clock.time(),
    )
    return {
        "origin": row["origin"],
        "status": status,
        "errors": [],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


async def get_fallback_origin(request: ApiRequest) -> ApiResponse:
    return ApiResponse(fallback_origin(request))


async def put_fallback_origin(request: ApiRequest) -> ApiResponse:
    """Set the fallback origin of a zone. With `--require-dns` it must have a proxied DNS record."""
    zone, time = zone_of(request), request.now()
    origin = custom_hostnames.check_name(
        request.json_object(bad_json).get("origin"), "custom origin hostname", 1415, reserved=False
    )
    proxied = not request.settings.require_dns or dns.has_address_record(request.store, zone.id, origin, proxied=True)
    if not f".{origin}".endswith(f".{zone.name}") or not proxied:
        raise refuse(
            1421, f"The fallback origin {origin} is not a proxied DNS record (A, AAAA or CNAME) in your zone:{zone.id}."
        )
    with request.store.write() as db:
        db.execute(
            "insert into fallback_origins values (?, ?, ?, ?) on conflict (zone) do update set"
            " origin = excluded.origin, updated_at = excluded.updated_at",
            (zone.id, origin, time, time),
        )
    return ApiResponse(fallback_origin(request))


async def delete_fallback_origin(request: ApiRequest) -> ApiResponse:
    found = fallback_origin(request)
    with request.store.write() as db:
        db.execute("delete from fallback_origins where zone = ?", (request.params["zone"],))
    return ApiResponse({**found, "status": "pending_deletion"})
