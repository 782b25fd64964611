# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""International host names: given in either form, sent in Punycode, shown in both."""

from __future__ import annotations

import typing as t

import pytest
import requests
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare import client
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.hostnames import (
    to_ascii,
    to_unicode,
)
from harness import Runner
from local_edge.testing import Edge, running
from tenant import CODE

BOOKS = "xn--bcher-kva"
UPLOAD = {"content": CODE, "compatibility_date": "2026-11-01"}

FORMS = {
    "bücher.example.com": f"{BOOKS}.example.com",
    "BÜCHER.Example.COM": f"{BOOKS}.example.com",
    "*.bücher.example.com": f"*.{BOOKS}.example.com",
    "*bücher.example.com": f"*{BOOKS}.example.com",
    "faß.de": "xn--fa-hia.de",
    "a_b.bücher.de": f"a_b.{BOOKS}.de",
    "bücher。example": f"{BOOKS}.example",
    "\N{FULLWIDTH LATIN SMALL LETTER E}xample.com": "example.com",
    "i❤.ws": "xn--i-7iq.ws",
    "日本語.jp": "xn--wgv71a119e.jp",
    f"{BOOKS}.de": f"{BOOKS}.de",
    "Plain.Example.com": "plain.example.com",
    "*": "*",
    "": "",
}


@pytest.mark.parametrize(("given", "expected"), FORMS.items())
def test_to_ascii_follows_rules_of_browsers(given: str, expected: str) -> None:
    assert to_ascii(given) == expected
    assert to_ascii(to_unicode(expected)) == expected


@pytest.mark.parametrize("name", ["a\u0378.de", "\u0301.de", "ü" * 64 + ".de"])
def test_to_ascii_name_cannot_be_encoded_is_unchanged(name: str) -> None:
    assert not to_ascii(name).isascii()


@pytest.mark.parametrize("host", ["xn--.de", "xn--\N{LATIN SMALL LETTER U WITH DIAERESIS}.de", "xn--zzzzzzzzzz.de"])
def test_to_unicode_never_fails(host: str) -> None:
    assert isinstance(to_unicode(host), str)


RESOURCES: dict[str, tuple[str, dict[str, t.Any], str, str]] = {
    "worker_route": (
        "pattern",
        {"pattern": "*.bücher.example.com/a*", "worker": "router"},
        f"*.{BOOKS}.example.com/a*",
        "*.bücher.example.com/a*",
    ),
    "worker_domain": (
        "hostname",
        {"hostname": "Bücher.example.com", "worker": "router"},
        f"{BOOKS}.example.com",
        "bücher.example.com",
    ),
    "custom_hostname": (
        "hostname",
        {"hostname": "bücher.dev", "zone": "example.com", "ssl": {"method": "http", "type": "dv"}},
        f"{BOOKS}.dev",
        "bücher.dev",
    ),
    "dns_record": (
        "name",
        {"name": "bücher.example.com", "type": "CNAME", "content": "käse.example.com"},
        f"{BOOKS}.example.com",
        "bücher.example.com",
    ),
}


@pytest.mark.parametrize("module", RESOURCES)
@pytest.mark.usefixtures("workers_of_account")
def test_international_name_is_sent_in_punycode_and_shown_in_both_forms(run: Runner, edge: Edge, module: str) -> None:
    option, options, ascii_name, unicode_name = RESOURCES[module]
    forms = {option: ascii_name, f"{option}_unicode": unicode_name}
    predicted = run.ok(module, check=True, **options)
    assert edge.requests() and predicted["changed"]
    created = run.ok(module, **options)
    assert created["operations"] == predicted["operations"]
    for result in (predicted, created):
        assert {**result[module], **forms} == result[module]
    for name in (options[option], ascii_name, unicode_name):
        for check in (True, False):
            again = run.ok(module, check=check, **{**options, option: name})
            assert not again["changed"]
            assert {**again[module], **forms} == again[module]
    found = run.ok(f"{module}_info", **{option: options[option]}, **zone_of(module))
    assert [{**one, **forms} for one in found[f"{module}s"]] == found[f"{module}s"] != []
    assert run.ok(module, **{option: options[option], "state": "absent", **zone_of(module), **type_of(module)})[
        "changed"
    ]


def zone_of(module: str) -> dict[str, str]:
    return {"zone": "example.com"} if module == "custom_hostname" else {}


def type_of(module: str) -> dict[str, str]:
    return {"type": "CNAME"} if module == "dns_record" else {}


@pytest.mark.usefixtures("workers_of_account")
def test_worker_routes_international_patterns_are_compared_in_one_form(run: Runner) -> None:
    routes = [{"pattern": pattern} for pattern in ("bücher.example.com/*", "https://*.Käse.example.com/a", "*/*")]
    options = {"worker": "router", "zone": "example.com"}
    assert run.ok("worker_routes", routes=routes, **options)["changed"]
    assert not run.ok("worker_routes", routes=routes, **options)["changed"]
    patterns = {one["pattern"] for one in run.ok("worker_route_info", zone="example.com")["worker_routes"]}
    assert patterns == {f"{BOOKS}.example.com/*", "https://*.xn--kse-qla.example.com/a", "*/*"}
    twice = [
        {"pattern": "bücher.example.com/*"},
        {"pattern": f"{BOOKS}.example.com"},
        {"pattern": f"{BOOKS}.example.com/*"},
    ]
    assert "are one route" in run.refused("worker_routes", routes=twice, **options)


def test_namespaced_workers_international_hostnames_are_keys_in_punycode(run: Runner, edge: Edge) -> None:
    for module, options in {
        "dispatch_namespace": {"name": "tenants"},
        "kv_namespace": {"title": "routing"},
    }.items():
        run.ok(module, **options)
    options = {"dispatch_namespace": "tenants", "owner": "shop", "routing_kv": {"title": "routing"}}
    workers = [{"name": "books", "hostnames": ["Bücher.example.com", "plain.example.com"], **UPLOAD}]
    for check in (True, False):
        records = run.ok("namespaced_workers", check=check, workers=workers, **options)["routing_kv"]
        assert records["records"] == {f"{BOOKS}.example.com": "books", "plain.example.com": "books"}
        assert records["hostnames_unicode"] == {f"{BOOKS}.example.com": "bücher.example.com"}
    for spelling in ("bücher.example.com", f"{BOOKS}.example.com"):
        same = [{**workers[0], "hostnames": [spelling, "plain.example.com"]}]
        assert not run.ok("namespaced_workers", workers=same, **options)["changed"]
    keys = run.ok("kv_entries_info", title="routing", detail="keys")["kv_entries"]
    assert f"{BOOKS}.example.com" in {one["key"] for one in keys}
    both = [*workers, {"name": "other", "hostnames": [f"{BOOKS}.example.com"], **UPLOAD}]
    message = run.refused("namespaced_workers", workers=both, **options)
    assert "bücher.example.com is declared for books and for other" in message
    wild = [{"name": "wild", "hostnames": ["*.bücher.example.com"], **UPLOAD}]
    failed = run("namespaced_workers", workers=wild, **options)
    assert "a wildcard would never be found" in failed["namespaced_workers"][0]["msg"]


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("worker_route", {"pattern": "a\u0378.example.com/*", "worker": "router"}),
        ("worker_domain", {"hostname": "a\u0378.example.com", "worker": "router"}),
        ("custom_hostname", {"hostname": "a\u0378.dev", "zone": "example.com"}),
        ("dns_record", {"name": "a\u0378.example.com", "type": "A", "content": "192.0.2.1"}),
    ],
)
def test_invalid_international_name_is_refused(run: Runner, module: str, options: dict[str, t.Any]) -> None:
    assert "not a" in run.refused(module, **options)


@pytest.mark.parametrize("zone", ["bücher.example", f"{BOOKS}.example"])
def test_international_zone_is_found_by_either_form(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    """The API shows the name of a zone in Unicode."""
    with running(zones=["bücher.example"]) as edge:
        monkeypatch.setenv("CLOUDFLARE_API_BASE_URL", edge.api)
        monkeypatch.setenv("CLOUDFLARE_API_TOKEN", edge.token)
        monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", edge.account)
        headers = {"Authorization": f"Bearer {edge.token}"}
        listed = requests.get(f"{edge.api}/zones", headers=headers, timeout=5).json()["result"]
        assert [one["name"] for one in listed] == ["bücher.example"]
        run = Runner(edge)
        run.ok("worker", name="router", **UPLOAD)
        ident = edge.zones[f"{BOOKS}.example"]
        for options in ({}, {"zone": zone}):
            for module, name in (("worker_route", "pattern"), ("worker_domain", "hostname")):
                value = f"www.{zone}/*" if name == "pattern" else f"app.{zone}"
                given = {name: value, "worker": "router", **options}
                assert run.ok(module, **given)[module]["zone_id"] == ident
        found = run.ok("worker_domain_info", zone=zone)["worker_domains"]
        assert [one["hostname"] for one in found] == [f"app.{BOOKS}.example"]
        client.close_clients()
