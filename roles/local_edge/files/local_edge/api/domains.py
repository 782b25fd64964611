# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Custom domains: hostnames of a zone that are routed to a Worker of the account, each with its own DNS record."""

from __future__ import annotations

import uuid
from typing import Any

from local_edge.api.request import ApiRequest, ApiResponse
from local_edge.api.zone_routes import zone_named
from local_edge.errors import ApiError, bad_body
from local_edge.invalidation import Invalidation
from local_edge.model import dns, dns_types, scripts
from local_edge.model.script_scope import ScriptScope
from local_edge.settings import Zone

ENVIRONMENT = "production"
MAX_DOMAINS = 100
FILTERS = ("zone_id", "zone_name", "service", "hostname", "environment")


def to_api(request: ApiRequest, row: Any) -> dict[str, Any]:
    zone = request.settings.zone(row["zone"])
    return {
        "id": row["id"],
        "hostname": row["hostname"],
        "service": row["service"],
        "environment": ENVIRONMENT,
        "zone_id": row["zone"],
        "zone_name": zone.display_name if zone else "",
        "cert_id": row["cert"],
    }


def record_to_api(domain: dict[str, Any]) -> dict[str, Any]:
    """Return a custom domain in the format of wrangler's endpoints."""
    return {**domain, "enabled": True, "previews_enabled": False}


def listing(request: ApiRequest, **filters: Any) -> list[dict[str, Any]]:
    """Return the account's custom domains whose properties equal the filters."""
    rows = request.store.all(
        "select worker_domains.*, scripts.name as service from worker_domains join scripts on scripts.id = script"
        " where account = ? order by hostname",
        request.account,
    )
    return [
        found
        for found in (to_api(request, row) for row in rows)
        if all(found[key] == value for key, value in filters.items())
    ]


def find(request: ApiRequest, ident: str) -> dict[str, Any]:
    found = listing(request, id=ident)
    if not found:
        raise ApiError(404, 100114, "The requested domain was not found.")
    return found[0]


def read(request: ApiRequest, body: dict[str, Any]) -> tuple[str, Zone]:
    """Return the hostname and the zone of a body. Raise ApiError if the hostname is invalid or not in the zone."""
    hostname = body.get("hostname")
    try:
        name = dns_types.host(hostname if isinstance(hostname, str) else "")
    except ValueError:
        raise bad_body(f"`hostname` must be one host name without wildcard and path, not {hostname!r}") from None
    zone = zone_named(request, body, name)
    if not f".{name}".endswith(f".{zone.name}"):
        raise bad_body(f"`hostname` must be in the zone; {name} is not in {zone.name}")
    return name, zone


def check_free(request: ApiRequest, name: str, zone: Zone, override: bool) -> None:
    """Raise ApiError if a hostname has other DNS records. With `override`, delete them instead."""
    records = dns.conflicts(request.store, zone.id, name)
    if records and not override:
        kinds = ", ".join(dict.fromkeys(record.type for record in records))
        raise ApiError(
            409,
            100117,
            f"Hostname '{name}' already has externally managed DNS records ({kinds}). Either delete them, try a "
            "different hostname, or use the option 'override_existing_dns_record' to override.",
        )
    for record in records:
        dns.delete(request.store, zone.id, record.id)


def attach(request: ApiRequest, service: str, name: str, zone: Zone, override: bool = False) -> dict[str, Any]:
    """Route a hostname to a Worker. An existing custom domain keeps its id. Call it inside `store.write()`."""
    script = scripts.get(request.store, ScriptScope(request.account), service)
    if not listing(request, hostname=name):
        if request.store.count("select count(*) from worker_domains where zone = ?", zone.id) >= MAX_DOMAINS:
            raise ApiError(400, 10021, f"a zone has at most {MAX_DOMAINS} custom domains")
        check_free(request, name, zone, override)
        ident = uuid.uuid4().hex
        request.store.db.execute(
            "insert into worker_domains values (?, ?, ?, ?, ?)", (ident, zone.id, name, str(uuid.uuid4()), script.id)
        )
        dns.create_domain_record(request.store, zone, name, ident)
    request.store.db.execute("update worker_domains set script = ? where hostname = ?", (script.id, name))
    request.invalidate(Invalidation.routes())
    return listing(request, hostname=name)[0]


def detach(request: ApiRequest, ident: str) -> None:
    """Delete a custom domain with its DNS record. Call it inside `store.write()`."""
    request.store.db.execute("delete from worker_domains where id = ?", (ident,))
    request.invalidate(Invalidation.routes())


async def list_domains(request: ApiRequest) -> ApiResponse:
    return ApiResponse(listing(request, **{name: request.query[name] for name in FILTERS if request.query.get(name)}))


async def get_domain(request: ApiRequest) -> ApiResponse:
    return ApiResponse(find(request, request.params["domain"]))


async def put_domain(request: ApiRequest) -> ApiResponse:
    body = request.json_object()
    name, zone = read(request, body)
    with request.store.write():
        return ApiResponse(
            attach(request, str(body.get("service")), name, zone, body.get("override_existing_dns_record") is True)
        )


async def delete_domain(request: ApiRequest) -> ApiResponse:
    domain = find(request, request.params["domain"])
    with request.store.write():
        detach(request, domain["id"])
    return ApiResponse()


async def list_domain_records(request: ApiRequest) -> ApiResponse:
    return ApiResponse([record_to_api(one) for one in (await list_domains(request)).result])


async def get_domain_record(request: ApiRequest) -> ApiResponse:
    return ApiResponse(record_to_api(find(request, request.params["domain"])))


def origins(request: ApiRequest, value: Any) -> dict[str, Zone]:
    """Read a list of origins. Return zones by hostname."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise bad_body('origins must be a list of objects such as {"hostname": "app.example.com"}')
    return dict(read(request, one) for one in value)


async def compare_domains(request: ApiRequest) -> ApiResponse:
    """Return the changes that `put_script_domains` would make, and the hostnames with conflicting DNS records."""
    desired, service = origins(request, request.json()), request.script.name
    known = {one["hostname"]: one for one in listing(request)}
    unknown = {name: zone for name, zone in desired.items() if name not in known}
    blocked = [name for name, zone in unknown.items() if dns.conflicts(request.store, zone.id, name)]
    new = [
        {
            "hostname": name,
            "service": service,
            "environment": ENVIRONMENT,
            "zone_id": zone.id,
            "zone_name": zone.display_name,
        }
        for name, zone in unknown.items()
    ]
    return ApiResponse(
        {
            "added": [one for one in new if one["hostname"] not in blocked],
            "conflicting": [one for one in new if one["hostname"] in blocked],
            "updated": [
                {**record_to_api(known[name]), "modified": known[name]["service"] != service}
                for name in desired
                if name in known
            ],
            "removed": [
                record_to_api(one)
                for one in known.values()
                if one["service"] == service and one["hostname"] not in desired
            ],
        }
    )


async def put_script_domains(request: ApiRequest) -> ApiResponse:
    """Attach hostnames to a Worker, for wrangler. With `override_scope`, detach its other custom domains."""
    body, service = request.json_object(), request.script.name
    desired = origins(request, body.get("origins"))
    known = {one["hostname"]: one for one in listing(request)}
    elsewhere = [name for name in desired if known.get(name, {}).get("service", service) != service]
    if elsewhere and body.get("override_existing_origin") is not True:
        raise ApiError(
            409,
            100116,
            f"Hostname '{elsewhere[0]}' already leads to the Worker {known[elsewhere[0]]['service']}; use the "
            "option 'override_existing_origin' to override.",
        )
    with request.store.write():
        for one in listing(request, service=service) if body.get("override_scope") is True else ():
            if one["hostname"] not in desired:
                detach(request, one["id"])
        override = body.get("override_existing_dns_record") is True
        return ApiResponse(
            [record_to_api(attach(request, service, name, zone, override)) for name, zone in desired.items()]
        )
