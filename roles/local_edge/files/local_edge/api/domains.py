# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Custom domains: hosts of a zone that lead to a Worker of the account, each with a DNS record of its own."""

from __future__ import annotations

import uuid
from typing import Any

from local_edge.api.request import ApiRequest, ApiResponse
from local_edge.api.zone_routes import zone_named
from local_edge.errors import ApiError, bad_body
from local_edge.model import dns, scripts
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
        "zone_name": zone.name if zone else "",
        "cert_id": row["cert"],
    }


def record_to_api(domain: dict[str, Any]) -> dict[str, Any]:
    """A custom domain as wrangler's own endpoints have it."""
    return {**domain, "enabled": True, "previews_enabled": False}


def listing(request: ApiRequest, **wanted: Any) -> list[dict[str, Any]]:
    """The account's custom domains, those that have what is wanted."""
    rows = request.store.all(
        "select worker_domains.*, scripts.name as service from worker_domains join scripts on scripts.id = script"
        " where account = ? order by hostname",
        request.account,
    )
    return [
        found
        for found in (to_api(request, row) for row in rows)
        if all(found[key] == value for key, value in wanted.items())
    ]


def find(request: ApiRequest, ident: str) -> dict[str, Any]:
    found = listing(request, id=ident)
    if not found:
        raise ApiError(404, 100114, "The requested domain was not found.")
    return found[0]


def read(request: ApiRequest, body: dict[str, Any]) -> tuple[str, Zone]:
    """The host name and the zone of a body, once they belong together."""
    hostname = body.get("hostname")
    try:
        name = dns.host(hostname if isinstance(hostname, str) else "")
    except ValueError:
        raise bad_body(f"`hostname` must be one host name without wildcard and path, not {hostname!r}") from None
    zone = zone_named(request, body, name)
    if not f".{name}".endswith(f".{zone.name}"):
        raise bad_body(f"`hostname` must be of the zone; {name} is not of {zone.name}")
    return name, zone


def check_free(request: ApiRequest, name: str, zone: Zone, override: bool) -> None:
    """Pass if a host may become a custom domain; with `override` its records make room for the one of the domain."""
    taken = dns.conflicts(request.store, zone.id, name)
    if taken and not override:
        kinds = ", ".join(dict.fromkeys(record.type for record in taken))
        raise ApiError(
            409,
            100117,
            f"Hostname '{name}' already has externally managed DNS records ({kinds}). Either delete them, try a "
            "different hostname, or use the option 'override_existing_dns_record' to override.",
        )
    for record in taken:
        dns.delete(request.store, zone.id, record.id)


def attach(request: ApiRequest, service: str, name: str, zone: Zone, override: bool = False) -> dict[str, Any]:
    """Lead a host to a Worker; one that led to another keeps its id. Called inside `store.write()`."""
    script = scripts.get(request.store, ScriptScope(request.account), service)
    if not listing(request, hostname=name):
        if request.store.count("select count(*) from worker_domains where zone = ?", zone.id) >= MAX_DOMAINS:
            raise ApiError(400, 10021, f"a zone has at most {MAX_DOMAINS} custom domains")
        check_free(request, name, zone, override)
        ident = uuid.uuid4().hex
        request.store.db.execute(
            "insert into worker_domains values (?, ?, ?, ?, ?)", (ident, zone.id, name, str(uuid.uuid4()), script.id)
        )
        dns.claim(request.store, zone, name, ident)
    request.store.db.execute("update worker_domains set script = ? where hostname = ?", (script.id, name))
    request.invalidate("routes")
    return listing(request, hostname=name)[0]


def detach(request: ApiRequest, ident: str) -> None:
    """Its DNS record goes with it. Called inside `store.write()`."""
    request.store.db.execute("delete from worker_domains where id = ?", (ident,))
    request.invalidate("routes")


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


def origins(request: ApiRequest, given: Any) -> dict[str, Zone]:
    """The hosts of a list of origins, with their zones."""
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise bad_body('origins are a list of objects such as {"hostname": "app.example.com"}')
    return dict(read(request, one) for one in given)


async def compare_domains(request: ApiRequest) -> ApiResponse:
    """What publishing these domains for a Worker would add, change, remove, and which have records in the way."""
    wanted, service = origins(request, request.json()), request.script.name
    known = {one["hostname"]: one for one in listing(request)}
    unknown = {name: zone for name, zone in wanted.items() if name not in known}
    blocked = [name for name, zone in unknown.items() if dns.conflicts(request.store, zone.id, name)]
    new = [
        {"hostname": name, "service": service, "environment": ENVIRONMENT, "zone_id": zone.id, "zone_name": zone.name}
        for name, zone in unknown.items()
    ]
    return ApiResponse(
        {
            "added": [one for one in new if one["hostname"] not in blocked],
            "conflicting": [one for one in new if one["hostname"] in blocked],
            "updated": [
                {**record_to_api(known[name]), "modified": known[name]["service"] != service}
                for name in wanted
                if name in known
            ],
            "removed": [
                record_to_api(one)
                for one in known.values()
                if one["service"] == service and one["hostname"] not in wanted
            ],
        }
    )


async def put_script_domains(request: ApiRequest) -> ApiResponse:
    """All custom domains of a Worker at once, as wrangler publishes them: with `override_scope` the others it has are detached."""
    body, service = request.json_object(), request.script.name
    wanted = origins(request, body.get("origins"))
    known = {one["hostname"]: one for one in listing(request)}
    elsewhere = [name for name in wanted if known.get(name, {}).get("service", service) != service]
    if elsewhere and body.get("override_existing_origin") is not True:
        raise ApiError(
            409,
            100116,
            f"Hostname '{elsewhere[0]}' already leads to the Worker {known[elsewhere[0]]['service']}; use the "
            "option 'override_existing_origin' to override.",
        )
    with request.store.write():
        for one in listing(request, service=service) if body.get("override_scope") is True else ():
            if one["hostname"] not in wanted:
                detach(request, one["id"])
        override = body.get("override_existing_dns_record") is True
        return ApiResponse(
            [record_to_api(attach(request, service, name, zone, override)) for name, zone in wanted.items()]
        )
