# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of visitors: zones, DNS records, custom domains and custom hostnames, through workerd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from edge_process import Edge, wait_until

pytestmark = pytest.mark.integration
ZONE = "example.com"


def worker_named(name: str) -> str:
    return f"export default {{ fetch() {{ return new Response({name!r}); }} }};"


def create_record(edge: Edge, name: str, **more: Any) -> Any:
    body = {"type": "AAAA", "name": name, "content": "100::", "proxied": True, **more}
    return edge.call("POST", f"{edge.zone[ZONE]}/dns_records", json=body)


def visit_hosts(edge: Edge, *hosts: str) -> list[str]:
    """Visit each host. Return the name of the Worker, or the status of an error."""
    return [
        response.text if response.ok else str(response.status_code) for response in (edge.get(host) for host in hosts)
    ]


@pytest.fixture
def strict_edge(start: Callable[..., Edge]) -> Edge:
    """Provide an edge that requires DNS records, with a Worker on all hosts."""
    edge = start("--require-dns", "--custom-hostname-seconds", "1")
    edge.deploy("all", worker_named("all"))
    edge.route("*/*", "all")
    return edge


def test_host_dns_record_changed_applies_to_next_request(strict_edge: Edge) -> None:
    response = strict_edge.get("app.example.com")
    assert response.status_code == 409
    assert "app.example.com has no proxied DNS record" in response.text
    assert (
        f'curl -X POST -H "Authorization: Bearer $CLOUDFLARE_API_TOKEN" {strict_edge.zone[ZONE]}/dns_records'
        in response.text
    )
    created = create_record(strict_edge, "app")
    assert visit_hosts(strict_edge, "app.example.com", "x.app.example.com", ZONE) == ["all", "409", "409"]
    url = f"{strict_edge.zone[ZONE]}/dns_records/{created['id']}"
    strict_edge.call("PATCH", url, json={"proxied": False})
    assert visit_hosts(strict_edge, "app.example.com") == ["409"]
    strict_edge.call("PATCH", url, json={"proxied": True, "name": "@"})
    assert visit_hosts(strict_edge, "app.example.com", ZONE) == ["409", "all"]
    strict_edge.call("DELETE", url)
    assert visit_hosts(strict_edge, ZONE) == ["409"]


def test_wildcard_record_excludes_existing_names(strict_edge: Edge) -> None:
    create_record(strict_edge, "*")
    assert visit_hosts(strict_edge, "a.example.com", "deep.a.example.com", "API.Example.com", ZONE) == [
        "all",
        "all",
        "all",
        "409",
    ]
    create_record(strict_edge, "a", type="TXT", content="here", proxied=False)
    create_record(strict_edge, "x.b", type="TXT", content="here", proxied=False)
    assert (
        visit_hosts(strict_edge, "a.example.com", "deep.a.example.com", "b.example.com", "c.b.example.com")
        == ["409"] * 4
    )
    create_record(strict_edge, "*.b")
    assert visit_hosts(strict_edge, "c.b.example.com", "x.b.example.com", "c.x.b.example.com", "other.example.com") == [
        "all",
        "409",
        "409",
        "all",
    ]


def test_host_only_proxied_records_are_served(strict_edge: Edge) -> None:
    create_record(strict_edge, "four", type="A", content="192.0.2.1")
    create_record(strict_edge, "name", type="CNAME", content="elsewhere.test")
    create_record(strict_edge, "mail", type="MX", content="mx.elsewhere.test", priority=1, proxied=False)
    create_record(strict_edge, "grey", type="A", content="192.0.2.1", proxied=False)
    assert visit_hosts(strict_edge, *(f"{name}.example.com" for name in ("four", "name", "mail", "grey"))) == [
        "all",
        "all",
        "409",
        "409",
    ]


def test_custom_domain_is_served_unless_route_matches(strict_edge: Edge) -> None:
    strict_edge.deploy("shop", worker_named("shop"))
    for route in strict_edge.call("GET", f"{strict_edge.zone[ZONE]}/workers/routes"):
        strict_edge.call("DELETE", f"{strict_edge.zone[ZONE]}/workers/routes/{route['id']}")
    domain = strict_edge.call(
        "PUT", "/workers/domains", json={"hostname": "shop.example.com", "service": "shop", "zone_name": ZONE}
    )
    assert visit_hosts(strict_edge, "shop.example.com", "x.shop.example.com") == ["shop", "409"]
    strict_edge.route("shop.example.com/", "all")
    assert visit_hosts(strict_edge, "shop.example.com") == ["all"]
    assert strict_edge.get("shop.example.com", "/elsewhere").text == "shop"
    strict_edge.call("DELETE", f"/workers/domains/{domain['id']}")
    assert strict_edge.get("shop.example.com", "/elsewhere").status_code == 409
    strict_edge.call("PUT", "/workers/domains", json={"hostname": "shop.example.com", "service": "shop"})
    strict_edge.call("DELETE", "/workers/scripts/shop")
    assert strict_edge.get("shop.example.com", "/elsewhere").status_code == 409


def test_custom_hostname_pending_until_active(strict_edge: Edge) -> None:
    url = f"{strict_edge.zone[ZONE]}/custom_hostnames"
    assert "is not in a zone of this edge" in strict_edge.get("shop.customer.com").text
    created = strict_edge.call(
        "POST", url, json={"hostname": "shop.customer.com", "ssl": {"method": "http", "type": "dv", "wildcard": True}}
    )
    pending = strict_edge.get("shop.customer.com")
    assert pending.status_code == 409
    assert "still pending" in pending.text
    wait_until(lambda: visit_hosts(strict_edge, "shop.customer.com") == ["all"])
    assert strict_edge.call("GET", f"{url}/{created['id']}")["status"] == "active"
    assert visit_hosts(strict_edge, "a.shop.customer.com", "other.customer.com") == ["all", "409"]
    strict_edge.call(
        "PATCH", f"{url}/{created['id']}", json={"ssl": {"method": "txt", "type": "dv", "wildcard": False}}
    )
    assert visit_hosts(strict_edge, "shop.customer.com", "a.shop.customer.com") == ["all", "409"], (
        "active during the new validation"
    )
    strict_edge.call("DELETE", f"{url}/{created['id']}")
    assert visit_hosts(strict_edge, "shop.customer.com") == ["409"]


def test_host_matches_routes_of_its_own_zone(start: Callable[..., Edge]) -> None:
    """Without required DNS, hosts outside all zones match any route."""
    edge = start("--custom-hostname-seconds", "0")
    for zone, name in (("example.com", "one"), ("platform.localhost", "two")):
        edge.deploy(name, worker_named(name))
        edge.route("*/*", name, zone=zone)
    assert visit_hosts(edge, "a.example.com", "a.platform.localhost") == ["one", "two"]
    assert visit_hosts(edge, "customer.org") in (["one"], ["two"])
    for zone, hostname in (("example.com", "first.customer.org"), ("platform.localhost", "second.customer.org")):
        edge.call("POST", f"{edge.zone[zone]}/custom_hostnames", json={"hostname": hostname})
    assert visit_hosts(edge, "first.customer.org", "second.customer.org") == ["one", "two"]
    edge.deploy("own", worker_named("own"))
    edge.route("second.customer.org/path*", "own", zone="platform.localhost")
    assert edge.get("second.customer.org", "/path/x").text == "own"
    assert edge.get("second.customer.org", "/else").text == "two"


def test_dns_records_survive_restart(strict_edge: Edge) -> None:
    create_record(strict_edge, "app")
    strict_edge.stop()
    strict_edge.start()
    assert visit_hosts(strict_edge, "app.example.com", "other.example.com") == ["all", "409"]
