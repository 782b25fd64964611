# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which host leads where: zones, DNS records, custom domains and custom hostnames, through workerd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from edge_process import Edge, wait_until

pytestmark = pytest.mark.integration
ZONE = "example.com"


def named(name: str) -> str:
    return f"export default {{ fetch() {{ return new Response({name!r}); }} }};"


def record(edge: Edge, name: str, **more: Any) -> Any:
    body = {"type": "AAAA", "name": name, "content": "100::", "proxied": True, **more}
    return edge.call("POST", f"{edge.zone[ZONE]}/dns_records", json=body)


def answers(edge: Edge, *hosts: str) -> list[str]:
    """What each host says: the name of a Worker, or the status of a page."""
    return [found.text if found.ok else str(found.status_code) for found in (edge.get(host) for host in hosts)]


@pytest.fixture
def strict(start: Callable[..., Edge]) -> Edge:
    """An edge that requires DNS records, with a Worker on everything."""
    edge = start("--require-dns", "--custom-hostname-seconds", "1")
    edge.deploy("all", named("all"))
    edge.route("*/*", "all")
    return edge


def test_a_host_answers_from_the_request_after_its_record_is_there(strict: Edge) -> None:
    page = strict.get("app.example.com")
    assert page.status_code == 409
    assert "app.example.com has no proxied DNS record" in page.text
    assert f'curl -X POST -H "Authorization: Bearer $CLOUDFLARE_API_TOKEN" {strict.zone[ZONE]}/dns_records' in page.text
    made = record(strict, "app")
    assert answers(strict, "app.example.com", "x.app.example.com", ZONE) == ["all", "409", "409"]
    where = f"{strict.zone[ZONE]}/dns_records/{made['id']}"
    strict.call("PATCH", where, json={"proxied": False})
    assert answers(strict, "app.example.com") == ["409"]
    strict.call("PATCH", where, json={"proxied": True, "name": "@"})
    assert answers(strict, "app.example.com", ZONE) == ["409", "all"]
    strict.call("DELETE", where)
    assert answers(strict, ZONE) == ["409"]


def test_a_wildcard_covers_all_below_but_what_has_a_name_nearer(strict: Edge) -> None:
    record(strict, "*")
    assert answers(strict, "a.example.com", "deep.a.example.com", "API.Example.com", ZONE) == [
        "all",
        "all",
        "all",
        "409",
    ]
    record(strict, "a", type="TXT", content="here", proxied=False)
    record(strict, "x.b", type="TXT", content="here", proxied=False)
    assert answers(strict, "a.example.com", "deep.a.example.com", "b.example.com", "c.b.example.com") == ["409"] * 4
    record(strict, "*.b")
    assert answers(strict, "c.b.example.com", "x.b.example.com", "c.x.b.example.com", "other.example.com") == [
        "all",
        "409",
        "409",
        "all",
    ]


def test_only_addresses_that_are_proxied_count(strict: Edge) -> None:
    record(strict, "four", type="A", content="192.0.2.1")
    record(strict, "name", type="CNAME", content="elsewhere.test")
    record(strict, "mail", type="MX", content="mx.elsewhere.test", priority=1, proxied=False)
    record(strict, "grey", type="A", content="192.0.2.1", proxied=False)
    assert answers(strict, *(f"{name}.example.com" for name in ("four", "name", "mail", "grey"))) == [
        "all",
        "all",
        "409",
        "409",
    ]


def test_a_custom_domain_has_a_record_of_its_own_and_gives_way_to_routes(strict: Edge) -> None:
    strict.deploy("shop", named("shop"))
    for route in strict.call("GET", f"{strict.zone[ZONE]}/workers/routes"):
        strict.call("DELETE", f"{strict.zone[ZONE]}/workers/routes/{route['id']}")
    domain = strict.call(
        "PUT", "/workers/domains", json={"hostname": "shop.example.com", "service": "shop", "zone_name": ZONE}
    )
    assert answers(strict, "shop.example.com", "x.shop.example.com") == ["shop", "409"]
    strict.route("shop.example.com/", "all")
    assert answers(strict, "shop.example.com") == ["all"]
    assert strict.get("shop.example.com", "/elsewhere").text == "shop"
    strict.call("DELETE", f"/workers/domains/{domain['id']}")
    assert strict.get("shop.example.com", "/elsewhere").status_code == 409
    strict.call("PUT", "/workers/domains", json={"hostname": "shop.example.com", "service": "shop"})
    strict.call("DELETE", "/workers/scripts/shop")
    assert strict.get("shop.example.com", "/elsewhere").status_code == 409


def test_a_custom_hostname_answers_once_it_is_active(strict: Edge) -> None:
    where = f"{strict.zone[ZONE]}/custom_hostnames"
    assert "belongs to no zone" in strict.get("shop.customer.com").text
    made = strict.call(
        "POST", where, json={"hostname": "shop.customer.com", "ssl": {"method": "http", "type": "dv", "wildcard": True}}
    )
    pending = strict.get("shop.customer.com")
    assert pending.status_code == 409
    assert "still pending" in pending.text
    wait_until(lambda: answers(strict, "shop.customer.com") == ["all"])
    assert strict.call("GET", f"{where}/{made['id']}")["status"] == "active"
    assert answers(strict, "a.shop.customer.com", "other.customer.com") == ["all", "409"]
    strict.call("PATCH", f"{where}/{made['id']}", json={"ssl": {"method": "txt", "type": "dv", "wildcard": False}})
    assert answers(strict, "shop.customer.com", "a.shop.customer.com") == ["all", "409"], "active while validated anew"
    strict.call("DELETE", f"{where}/{made['id']}")
    assert answers(strict, "shop.customer.com") == ["409"]


def test_a_host_is_answered_by_routes_of_its_own_zone(start: Callable[..., Edge]) -> None:
    """With or without records: without, hosts of no zone still find any route that fits."""
    edge = start("--custom-hostname-seconds", "0")
    for zone, name in (("example.com", "one"), ("platform.localhost", "two")):
        edge.deploy(name, named(name))
        edge.route("*/*", name, zone=zone)
    assert answers(edge, "a.example.com", "a.platform.localhost") == ["one", "two"]
    assert answers(edge, "customer.org") in (["one"], ["two"])
    for zone, hostname in (("example.com", "first.customer.org"), ("platform.localhost", "second.customer.org")):
        edge.call("POST", f"{edge.zone[zone]}/custom_hostnames", json={"hostname": hostname})
    assert answers(edge, "first.customer.org", "second.customer.org") == ["one", "two"]


def test_records_survive_a_restart(strict: Edge) -> None:
    record(strict, "app")
    strict.stop()
    strict.start()
    assert answers(strict, "app.example.com", "other.example.com") == ["all", "409"]
