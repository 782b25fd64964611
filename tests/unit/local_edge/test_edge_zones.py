# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Zones, DNS records, custom domains and custom hostnames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from control_plane import Client
from custom_hostname_age import set_age
from local_edge.model import custom_hostnames, dns
from local_edge.settings import ACCOUNT_ID, Account, Zone
from local_edge.store import Store
from local_edge.testing import running

ZONE = Zone.named("example.com", Account(ACCOUNT_ID, ""))
DNS = f"/zones/{ZONE.id}/dns_records"
HOSTNAMES = f"/zones/{ZONE.id}/custom_hostnames"
DOMAINS = "/workers/domains"
SSL = {"method": "http", "type": "dv"}


def a_record(name: str, content: str = "192.0.2.1", **more: Any) -> dict[str, Any]:
    return {"type": "A", "name": name, "content": content, "ttl": 1, **more}


@pytest.fixture
def strict_client() -> Iterator[Client]:
    """Provide an edge that requires DNS records and activates custom hostnames immediately."""
    with running(require_dns=True, custom_hostname_seconds=0) as edge:
        yield Client(edge)


def names(client: Client, query: str = "") -> list[str]:
    return [one["name"].removesuffix(".example.com") for one in client.call("GET", f"{DNS}{query}")]


def test_dns_record_create_patch_replace_delete_returns_current_state(client: Client) -> None:
    created = client.call(
        "POST", DNS, json=a_record("WWW", proxied=True, ttl=300, comment="by hand", tags=["owner:web"])
    )
    expected = {
        "name": "www.example.com",
        "type": "A",
        "content": "192.0.2.1",
        "proxied": True,
        "proxiable": True,
        "ttl": 1,
        "comment": "by hand",
        "tags": ["owner:web"],
        "meta": {},
        "settings": {},
    }
    assert {key: created[key] for key in expected} == expected
    assert (
        created["created_on"] == created["modified_on"] == created["comment_modified_on"] == created["tags_modified_on"]
    )
    url = f"{DNS}/{created['id']}"
    changed = client.call("PATCH", url, json={"content": "192.0.2.2"})
    assert changed == {**created, "content": "192.0.2.2", "modified_on": changed["modified_on"]}
    replaced = client.call("PUT", url, json=a_record("@", ttl=120))
    assert (replaced["name"], replaced["ttl"], replaced["comment"], replaced["tags"]) == ("example.com", 120, None, [])
    assert "comment_modified_on" not in replaced
    assert client.call("GET", url) == replaced
    assert client.call("DELETE", url) == {"id": created["id"]}
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        assert client.error(method, url, json=a_record("@")) == (404, 81044)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("@", "example.com"),
        ("example.com", "example.com"),
        ("example.com.", "example.com"),
        ("www", "www.example.com"),
        ("*.Sub", "*.sub.example.com"),
        ("notexample.com", "notexample.com.example.com"),
        ("bücher", "xn--bcher-kva.example.com"),
        ("_dmarc", "_dmarc.example.com"),
    ],
)
def test_dns_name_any_form_becomes_fully_qualified(name: str, expected: str) -> None:
    assert dns.full_name(name, ZONE) == expected


@pytest.mark.parametrize(
    ("body", "content"),
    [
        ({"type": "AAAA", "content": "2001:DB8:0:0::1"}, "2001:db8::1"),
        ({"type": "CNAME", "content": "Target.Example.com."}, "target.example.com"),
        ({"type": "TXT", "content": "v=spf1 -all"}, "v=spf1 -all"),
        ({"type": "MX", "content": "mail.example.com", "priority": 10}, "mail.example.com"),
        ({"type": "NS", "content": "ns1.elsewhere.test"}, "ns1.elsewhere.test"),
        (
            {"type": "CAA", "data": {"flags": 0, "tag": "issue", "value": "letsencrypt.org"}},
            '0 issue "letsencrypt.org"',
        ),
        ({"type": "SRV", "data": {"priority": 1, "weight": 2, "port": 3, "target": "x.test"}}, "1 2 3 x.test"),
    ],
)
def test_dns_record_each_type_returns_normalized_content(client: Client, body: dict[str, Any], content: str) -> None:
    created = client.call("POST", DNS, json={"name": "x", **body})
    assert created["content"] == content
    assert {key: created.get(key) for key in ("priority", "data")} == {
        key: body.get(key) for key in ("priority", "data")
    }
    assert client.call("PATCH", f"{DNS}/{created['id']}", json={"ttl": 60})["content"] == content


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (a_record("x", "1.2.3"), 9005),
        (a_record("x", "::1"), 9005),
        (a_record("x", 7), 9101),  # type: ignore[arg-type]
        ({**a_record("x"), "type": "AAAA"}, 9006),
        ({**a_record("x"), "type": "CNAME"}, 9007),
        (a_record("x", "a b", type="CNAME"), 9007),
        (a_record("x", type="MX", content="mx.test"), 9101),
        (a_record("x", type="MX", content="mx.test", priority=1.5), 9101),
        (a_record("x", type="CAA"), 9101),
        (a_record("x", settings=[1]), 1004),
        (a_record("x", type="CAA", data={"flags": 0, "tag": "issue"}), 9101),
        (a_record("x", type="TXT", proxied=True), 9004),
        (a_record("x", proxied="yes"), 9003),
        (a_record("x", ttl=59), 9021),
        (a_record("x", ttl=86401), 9021),
        (a_record("x", ttl="1"), 9021),
        (a_record("x", ttl=True), 9021),
        (a_record("a b"), 9000),
        (a_record(""), 9000),
        (a_record("a..b"), 9000),
        (a_record("x" * 64), 9000),
        (a_record("x." * 130), 9000),
        ({"type": "A", "content": "192.0.2.1"}, 9000),
        (a_record("x", type="NOPE"), 1004),
        (a_record("x", type=["A"]), 1004),
        (a_record("x", comment=1), 1004),
        (a_record("x", tags=[1]), 1004),
        ([], 9207),
        ("no", 9207),
    ],
)
def test_create_dns_record_invalid_body_is_refused(client: Client, body: Any, code: int) -> None:
    assert client.error("POST", DNS, json=body) == (400, code)
    assert not names(client)


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        (a_record("x"), a_record("x"), 81058),
        (a_record("x"), a_record("x", proxied=True), 81058),
        (a_record("x"), {"type": "CNAME", "name": "x", "content": "y.test"}, 81053),
        (
            {"type": "CNAME", "name": "x", "content": "y.test"},
            {"type": "CNAME", "name": "x", "content": "z.test"},
            81053,
        ),
        ({"type": "CNAME", "name": "x", "content": "y.test"}, a_record("x"), 81054),
    ],
)
def test_create_dns_record_conflicting_record_is_refused(
    client: Client, first: dict[str, Any], second: dict[str, Any], code: int
) -> None:
    client.call("POST", DNS, json=first)
    assert client.error("POST", DNS, json=second) == (400, code)
    other = client.call("POST", DNS, json={**second, "name": "other"})
    assert client.error("PATCH", f"{DNS}/{other['id']}", json={"name": "x"}) == (400, code)


def test_create_dns_record_compatible_record_is_accepted(client: Client) -> None:
    for body in (
        a_record("x"),
        a_record("x", "192.0.2.2"),
        {**a_record("x"), "type": "TXT"},
        a_record("x", "::1", type="AAAA"),
    ):
        client.call("POST", DNS, json=body)
    assert names(client) == ["x"] * 4


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["app", "api", "text"]),
        ("?name=APP.example.com", ["app"]),
        ("?name=app", []),
        ("?name.contains=ap", ["app", "api"]),
        ("?name.startswith=app", ["app"]),
        ("?name.endswith=pi.example.com", ["api"]),
        ("?type=txt", ["text"]),
        ("?content=192.0.2.2", ["api"]),
        ("?proxied=true", ["app"]),
        ("?type=TXT&proxied=true", []),
        ("?type=TXT&proxied=true&match=any", ["app", "text"]),
        ("?comment.present", ["app"]),
        ("?comment.absent=true", ["api", "text"]),
        ("?comment.contains=HAND", ["app"]),
        ("?tag=team:web", ["app"]),
        ("?tag.present=team", ["app", "api"]),
        ("?tag.absent=team", ["text"]),
        ("?tag.startswith=team:w", ["app"]),
        ("?tag=team:web&tag.exact=team:api&tag_match=any", ["app", "api"]),
        ("?tag=team:web&tag.exact=team:api", []),
        ("?order=name", ["api", "app", "text"]),
        ("?order=name&direction=desc", ["text", "app", "api"]),
        ("?search=hello", ["text"]),
        ("?per_page=1&page=2", ["api"]),
    ],
)
def test_list_dns_records_filter_returns_matching_records(client: Client, query: str, expected: list[str]) -> None:
    client.call("POST", DNS, json=a_record("app", proxied=True, comment="By hand", tags=["team:web"]))
    client.call("POST", DNS, json=a_record("api", "192.0.2.2", tags=["team:api"]))
    client.call("POST", DNS, json={"type": "TXT", "name": "text", "content": "Hello"})
    assert names(client, query) == expected


def test_dns_batch_one_change_fails_applies_none(client: Client) -> None:
    first, second = (client.call("POST", DNS, json=a_record(name)) for name in ("one", "two"))
    done = client.call(
        "POST",
        f"{DNS}/batch",
        json={
            "posts": [a_record("one")],
            "deletes": [{"id": first["id"]}],
            "patches": [{"id": second["id"], "proxied": True}],
        },
    )
    assert [done[key][0]["name"] for key in ("deletes", "patches", "posts")] == [
        "one.example.com",
        "two.example.com",
        "one.example.com",
    ]
    assert done["puts"] == []
    assert client.error(
        "POST", f"{DNS}/batch", json={"deletes": [{"id": second["id"]}], "posts": [a_record("three"), a_record("one")]}
    ) == (400, 81058)
    assert sorted(names(client)) == ["one", "two"]
    assert client.error("POST", f"{DNS}/batch", json={"puts": [{**a_record("x"), "id": "nobody"}]}) == (404, 81044)
    assert client.error("POST", f"{DNS}/batch", json={"posts": {}, "deletes": "all"}) == (400, 9207)


def test_dns_names_record_below_name_implies_it() -> None:
    store = Store()
    with store.write():
        for name, proxied in (("*", True), ("a.b.c", False), ("a.b.c", True)):
            dns.create(
                store,
                dns.read({**a_record(name, f"192.0.2.{proxied + 1}"), "proxied": proxied}, ZONE, store.clock.now()),
            )
    assert dns.names(store, ZONE) == {
        "example.com": False,
        "*.example.com": True,
        "a.b.c.example.com": True,
        "b.c.example.com": False,
        "c.example.com": False,
    }
    store.close()


def test_custom_domain_create_update_delete_returns_current_state(client: Client) -> None:
    for name in ("shop", "blog"):
        client.upload(f"/workers/scripts/{name}")
    body = {"hostname": "App.example.com", "service": "shop", "zone_id": ZONE.id, "environment": "production"}
    created = client.call("PUT", DOMAINS, json=body)
    assert created == {
        "id": created["id"],
        "hostname": "app.example.com",
        "service": "shop",
        "environment": "production",
        "zone_id": ZONE.id,
        "zone_name": "example.com",
        "cert_id": created["cert_id"],
    }
    assert client.call("PUT", DOMAINS, json={"hostname": "app.example.com", "service": "blog"}) == {
        **created,
        "service": "blog",
    }
    for query, found in (
        ("", 1),
        ("?service=blog", 1),
        ("?service=shop", 0),
        ("?zone_id=0", 0),
        ("?hostname=app.example.com&zone_name=example.com", 1),
    ):
        assert len(client.call("GET", f"{DOMAINS}{query}")) == found, query
    assert client.call("GET", f"{DOMAINS}/{created['id']}")["service"] == "blog"
    assert client.send("DELETE", f"{DOMAINS}/{created['id']}").json() == {
        "success": True,
        "errors": [],
        "messages": [],
        "result": None,
    }
    for method in ("GET", "DELETE"):
        assert client.error(method, f"{DOMAINS}/{created['id']}") == (404, 100114)


def test_custom_domain_dns_record_follows_domain_and_is_read_only(client: Client) -> None:
    """The record is created and deleted with the domain, and cannot be changed directly."""
    tag = client.upload("/workers/scripts/shop")["tag"]
    domain = client.call("PUT", DOMAINS, json={"hostname": "app.example.com", "service": "shop"})
    (record,) = client.call("GET", DNS)
    assert (record["type"], record["content"], record["proxied"]) == ("AAAA", "100::", True)
    assert record["meta"] == {"origin_worker_id": tag, "read_only": True}
    for method in ("PUT", "PATCH", "DELETE"):
        assert client.error(method, f"{DNS}/{record['id']}", json=a_record("app")) == (400, 1004)
    assert client.error("POST", DNS, json=a_record("app")) == (400, 81062)
    client.call("POST", DNS, json={"type": "TXT", "name": "app", "content": "beside it"})
    client.call("DELETE", f"{DOMAINS}/{domain['id']}")
    assert [one["type"] for one in client.call("GET", DNS)] == ["TXT"]
    client.call("PUT", DOMAINS, json={"hostname": "app.example.com", "service": "shop"})
    client.call("DELETE", "/workers/scripts/shop")
    assert client.call("GET", DOMAINS) == []
    assert [one["type"] for one in client.call("GET", DNS)] == ["TXT"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"hostname": "*.example.com"}, (400, 10026)),
        ({"hostname": "app.example.com/x"}, (400, 10026)),
        ({"hostname": ""}, (400, 10026)),
        ({}, (400, 10026)),
        ({"hostname": "app.elsewhere.test"}, (400, 10082)),
        ({"hostname": "app.example.com", "zone_name": "elsewhere.test"}, (400, 10082)),
        ({"hostname": "app.elsewhere.test", "zone_id": ZONE.id}, (400, 10026)),
        ({"hostname": "app.example.com", "service": "nobody"}, (404, 10007)),
        ({"hostname": "taken.example.com"}, (409, 100117)),
    ],
)
def test_create_custom_domain_invalid_body_is_refused(
    client: Client, body: dict[str, Any], expected: tuple[int, int]
) -> None:
    client.upload("/workers/scripts/shop")
    client.call("POST", DNS, json=a_record("taken"))
    assert client.error("PUT", DOMAINS, json={"service": "shop", **body}) == expected
    assert client.call("GET", DOMAINS) == []


def test_create_custom_domain_over_limit_of_zone_is_refused(client: Client) -> None:
    client.upload("/workers/scripts/shop")
    for number in range(100):
        client.call("PUT", DOMAINS, json={"hostname": f"h{number}.example.com", "service": "shop"})
    assert client.error("PUT", DOMAINS, json={"hostname": "more.example.com", "service": "shop"}) == (400, 10021)
    client.call("PUT", DOMAINS, json={"hostname": "h0.example.com", "service": "shop"})


def test_domain_changeset_from_wrangler_lists_and_applies_changes(client: Client) -> None:
    for name in ("shop", "blog"):
        client.upload(f"/workers/scripts/{name}")
    client.call("POST", DNS, json=a_record("taken"))
    client.call("PUT", DOMAINS, json={"hostname": "theirs.example.com", "service": "blog"})
    client.call("PUT", DOMAINS, json={"hostname": "former.example.com", "service": "shop"})
    origins = [{"hostname": f"{name}.example.com"} for name in ("new", "taken", "theirs")]
    found = client.call("POST", "/workers/scripts/shop/domains/changeset?replace_state=true", json=origins)
    assert {key: [one["hostname"].partition(".")[0] for one in value] for key, value in found.items()} == {
        "added": ["new"],
        "conflicting": ["taken"],
        "updated": ["theirs"],
        "removed": ["former"],
    }
    assert found["updated"][0]["modified"] is True
    url, body = "/workers/scripts/shop/domains/records", {"override_scope": True, "origins": origins}
    assert client.error("PUT", url, json=body) == (409, 100116)
    assert client.error("PUT", url, json={**body, "override_existing_origin": True}) == (409, 100117)
    assert [one["hostname"] for one in client.call("GET", f"{DOMAINS}?service=shop")] == ["former.example.com"]
    client.call("PUT", url, json={**body, "override_existing_origin": True, "override_existing_dns_record": True})
    listed = client.call("GET", f"{DOMAINS}/records?page=0&per_page=5&service=shop&environment=production")
    assert [one["hostname"].partition(".")[0] for one in listed] == ["new", "taken", "theirs"]
    assert client.call("GET", f"{DOMAINS}/records/{listed[0]['id']}") == listed[0]
    assert {one["content"] for one in client.call("GET", DNS)} == {"100::"}


def test_custom_hostname_create_patch_delete_returns_current_state(strict_client: Client) -> None:
    body = {"hostname": "Shop.Customer.com", "ssl": {**SSL, "wildcard": True}, "custom_metadata": {"plan": "pro"}}
    created = strict_client.send("POST", HOSTNAMES, json=body)
    assert created.status_code == 201
    one = created.json()["result"]
    assert len(one["id"]) == 36
    assert (one["hostname"], one["status"], one["custom_metadata"]) == ("shop.customer.com", "active", {"plan": "pro"})
    assert (one["ssl"]["status"], one["ssl"]["hosts"]) == ("active", ["shop.customer.com", "*.shop.customer.com"])
    url = f"{HOSTNAMES}/{one['id']}"
    assert strict_client.call("GET", url) == one
    changed = strict_client.send("PATCH", url, json={"custom_metadata": {"plan": "free"}})
    assert changed.status_code == 202
    assert changed.json()["result"] == {**one, "custom_metadata": {"plan": "free"}}
    deleted = strict_client.send("DELETE", url)
    assert deleted.status_code == 200
    assert deleted.json()["result"] == {"id": one["id"]}
    for method in ("GET", "PATCH", "DELETE"):
        assert strict_client.error(method, url, json={}) == (404, 1436)


@pytest.mark.slow
def test_custom_hostname_over_time_becomes_active() -> None:
    with running(custom_hostname_seconds=4000) as edge:
        client = Client(edge)
        created = client.call(
            "POST", HOSTNAMES, json={"hostname": "shop.customer.com", "ssl": {**SSL, "method": "txt"}}
        )
        assert (created["status"], created["ssl"]["status"]) == ("pending", "initializing")
        assert created["ownership_verification"] == {
            "type": "txt",
            "name": "_cf-custom-hostname.shop.customer.com",
            "value": created["id"],
        }
        assert created["ownership_verification_http"]["http_body"] == created["id"]
        states, url = [created], f"{HOSTNAMES}/{created['id']}"
        for age in (1500, 2500, 3500, 4500):
            set_age(edge, age)
            states.append(client.call("GET", url))
        assert tuple(one["ssl"]["status"] for one in states) == custom_hostnames.SSL_STATES
        (record,) = next(one for one in states if one["ssl"]["status"] == "pending_validation")["ssl"][
            "validation_records"
        ]
        assert (record["txt_name"], record["status"]) == ("_acme-challenge.shop.customer.com", "pending")
        assert "ownership_verification" not in states[-1]
        again = client.call("PATCH", url, json={"ssl": {**SSL, "method": "txt"}})
        assert (again["status"], again["ssl"]["status"]) == ("active", "initializing"), (
            "setting ssl again, even unchanged, restarts validation"
        )


def test_custom_hostname_state_time_in_future_is_first_state() -> None:
    """A timestamp in the future, after a clock change, is treated as the first state."""
    assert custom_hostnames.state(("pending", "active"), "2999-01-01T00:00:00Z", 4, 0.0) == "pending"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"hostname": None}, (400, 1407)),
        ({"hostname": "*.customer.com"}, (400, 1407)),
        ({"hostname": "192.0.2.1"}, (400, 1407)),
        ({"hostname": "a b.com"}, (400, 1407)),
        ({"hostname": "x" * 252 + ".com"}, (400, 1407)),
        ({"hostname": "bücher.de"}, (400, 1408)),
        ({"hostname": "shop.test"}, (400, 1409)),
        ({"hostname": "shop"}, (400, 1410)),
        ({"hostname": "example.net"}, (400, 1411)),
        ({"hostname": "shop.example.com"}, (400, 1411)),
        ({"hostname": "taken.customer.com"}, (409, 1406)),
        ({"custom_metadata": []}, (400, 1401)),
        ({"custom_metadata": {"a": 1}}, (400, 1401)),
        ({"custom_origin_server": "*.example.com"}, (400, 1420)),
        ({"custom_origin_server": "a b"}, (400, 1415)),
        ({"custom_origin_server": "bücher.de"}, (400, 1416)),
        ({"custom_origin_server": "shop.invalid"}, (400, 1417)),
        ({"custom_origin_server": "shop"}, (400, 1418)),
        ({"custom_origin_server": "a.example.org"}, (400, 1419)),
        ({"custom_origin_server": "nobody.example.com"}, (400, 1421)),
        ({"ssl": []}, (400, 1434)),
        ({"ssl": {**SSL, "wildcard": "yes"}}, (400, 1434)),
        ({"ssl": {**SSL, "settings": []}}, (400, 1434)),
        ({"ssl": {**SSL, "method": "fax"}}, (400, 1432)),
        ({"ssl": {**SSL, "type": "ev"}}, (400, 1433)),
        ({"ssl": {"method": "http"}}, (400, 1440)),
        ({"ssl": {}}, (400, 1440)),
        ({"ssl": {**SSL, "certificate_authority": "me"}}, (400, 1434)),
        ({"ssl": {**SSL, "bundle_method": "me"}}, (400, 1449)),
        ({"ssl": {**SSL, "settings": {"http2": True}}}, (400, 1422)),
        ({"ssl": {**SSL, "settings": {"tls_1_3": "?"}}}, (400, 1424)),
        ({"ssl": {**SSL, "settings": {"min_tls_version": "2"}}}, (400, 1425)),
    ],
)
def test_create_custom_hostname_invalid_body_is_refused(
    strict_client: Client, body: dict[str, Any], expected: tuple[int, int]
) -> None:
    strict_client.call("POST", HOSTNAMES, json={"hostname": "taken.customer.com"})
    assert strict_client.error("POST", HOSTNAMES, json={"hostname": "shop.customer.com", **body}) == expected
    assert strict_client.error("POST", HOSTNAMES, data=b"{") == (400, 1400)
    assert strict_client.error("GET", f"{HOSTNAMES}/shop.customer.com") == (400, 1435)
    assert strict_client.call("GET", f"{HOSTNAMES}/quota")["used"] == 1


def test_patch_custom_hostname_partial_ssl_keeps_other_settings(client: Client) -> None:
    created = client.call(
        "POST",
        HOSTNAMES,
        json={"hostname": "shop.customer.com", "ssl": {**SSL, "certificate_authority": "lets_encrypt"}},
    )
    url = f"{HOSTNAMES}/{created['id']}"
    changed = client.call("PATCH", url, json={"ssl": {"settings": {"min_tls_version": "1.3"}}})["ssl"]
    assert {key: changed[key] for key in (*SSL, "certificate_authority", "settings")} == {
        **SSL,
        "certificate_authority": "lets_encrypt",
        "settings": {"min_tls_version": "1.3"},
    }
    assert client.error("PATCH", url, json={"ssl": {"certificate_authority": "google"}}) == (400, 1440)
    client.call("PATCH", url, json={"ssl": {**SSL, "custom_certificate": "public", "custom_key": "private"}})
    assert "private" not in client.send("GET", url).text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["b.customer.com", "a.customer.com"]),
        ("?hostname=a.customer.com", ["a.customer.com"]),
        ("?hostname=customer.com", []),
        ("?hostname.exact=A.customer.com", ["a.customer.com"]),
        ("?hostname.contain=customer", ["b.customer.com", "a.customer.com"]),
        ("?hostname.startsWith=b.", ["b.customer.com"]),
        ("?ssl=1", ["b.customer.com"]),
        ("?ssl=0", ["a.customer.com"]),
        ("?ssl_status=active", ["b.customer.com"]),
        ("?hostname_status=pending", []),
        ("?wildcard=true", ["b.customer.com"]),
        ("?certificate_authority=google", ["b.customer.com"]),
        ("?order=ssl&direction=desc", ["b.customer.com", "a.customer.com"]),
        ("?order=ssl", ["a.customer.com", "b.customer.com"]),
        ("?per_page=5&page=2", []),
    ],
)
def test_list_custom_hostnames_filter_returns_matching_hostnames(
    strict_client: Client, query: str, expected: list[str]
) -> None:
    strict_client.call("POST", HOSTNAMES, json={"hostname": "a.customer.com"})
    created = strict_client.call(
        "POST", HOSTNAMES, json={"hostname": "b.customer.com", "ssl": {**SSL, "wildcard": True}}
    )
    assert [one["hostname"] for one in strict_client.call("GET", f"{HOSTNAMES}{query}")] == expected
    assert [one["hostname"] for one in strict_client.call("GET", f"{HOSTNAMES}?id={created['id']}")] == [
        "b.customer.com"
    ]
    assert strict_client.error("GET", f"{HOSTNAMES}?id={created['id']}&hostname=b.customer.com") == (400, 1438)
    assert strict_client.error("GET", f"{HOSTNAMES}?per_page=4") == (400, 10004)


def test_fallback_origin_put_get_delete_returns_current_state(strict_client: Client) -> None:
    url = f"{HOSTNAMES}/fallback_origin"
    for method in ("GET", "DELETE"):
        assert strict_client.error(method, url) == (404, 1551)
    for origin in ("fallback.example.com", "fallback.elsewhere.org"):
        assert strict_client.error("PUT", url, json={"origin": origin}) == (400, 1421)
    record = strict_client.call("POST", DNS, json=a_record("fallback"))
    assert strict_client.error("PUT", url, json={"origin": "fallback.example.com"}) == (400, 1421), "not proxied"
    strict_client.call("PATCH", f"{DNS}/{record['id']}", json={"proxied": True})
    created = strict_client.call("PUT", url, json={"origin": "fallback.example.com"})
    assert (created["origin"], created["status"], created["errors"]) == ("fallback.example.com", "active", [])
    assert (
        strict_client.call("PUT", url, json={"origin": "fallback.example.com"})["created_at"] == created["created_at"]
    )
    assert strict_client.call("DELETE", url)["status"] == "pending_deletion"
    assert strict_client.error("GET", url) == (404, 1551)


def test_fallback_origin_dns_not_required_needs_no_record(client: Client) -> None:
    assert (
        client.call("PUT", f"{HOSTNAMES}/fallback_origin", json={"origin": "fallback.example.com"})["status"]
        == "initializing"
    )
    body = {"hostname": "shop.customer.com", "custom_origin_server": "origin.example.com"}
    created = client.call("POST", HOSTNAMES, json=body)
    assert created["status"] == "pending"
    patched = client.call("PATCH", f"{HOSTNAMES}/{created['id']}", json={"custom_metadata": {}})
    assert patched["custom_origin_server"] == "origin.example.com"
    assert "custom_origin_server" not in client.call(
        "PATCH", f"{HOSTNAMES}/{created['id']}", json={"custom_origin_server": None}
    )


def test_put_worker_routes_list_replaces_all_routes(client: Client) -> None:
    client.upload("/workers/scripts/w")
    url = "/workers/scripts/w/routes"
    (route,) = client.call("PUT", url, json=["example.com/*"])
    assert (route["pattern"], route["script"], route["zone_name"]) == ("example.com/*", "w", "example.com")
    routes = [{"pattern": "EXAMPLE.com/*"}, {"pattern": "*/*", "zone_name": "platform.localhost"}, "example.com/*"]
    both = client.call("PUT", url, json=routes)
    assert [(one["id"] == route["id"], one["pattern"]) for one in both] == [(True, "example.com/*"), (False, "*/*")]
    assert client.error("PUT", url, json=["*/*"]) == (400, 10082)
    assert client.error("PUT", url, json={}) == (400, 10026)
    assert client.error("PUT", url, json=[7]) == (400, 10026)
    assert client.call("PUT", url, json=[]) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["platform.localhost", "example.com"]),
        ("?order=name", ["example.com", "platform.localhost"]),
        ("?direction=desc", ["platform.localhost", "example.com"]),
        ("?order=name&direction=desc", ["platform.localhost", "example.com"]),
        ("?name=example.com", ["example.com"]),
        ("?name=starts_with:exa", ["example.com"]),
        ("?name=example.com&status=pending", []),
        ("?name=example.com&status=pending&match=any", ["example.com"]),
        ("?status=nonsense", []),
        ("?status=active&type=full&per_page=5", ["platform.localhost", "example.com"]),
    ],
)
def test_list_zones_filter_returns_matching_zones(client: Client, query: str, expected: list[str]) -> None:
    assert [one["name"] for one in client.call("GET", f"/zones{query}")] == expected
