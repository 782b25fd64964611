# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Worker routes, KV namespaces and KV values."""

from __future__ import annotations

import json
from typing import Any

import pytest
from control_plane import Client


def test_route_create_update_delete_returns_current_state(client: Client) -> None:
    client.upload("/workers/scripts/router")
    created = client.call("POST", client.routes, json={"pattern": "*.Example.com/A*", "script": "router"})
    assert created == {"id": created["id"], "pattern": "*.example.com/A*", "script": "router"}
    url = f"{client.routes}/{created['id']}"
    assert client.call("GET", url) == created
    assert client.error("POST", client.routes, json={"pattern": "*.EXAMPLE.com/A*"}) == (409, 10020)
    assert client.call("GET", "/workers/scripts")[0]["routes"] == [created]
    bare = client.call("PUT", url, json={"pattern": "example.com/*"})
    assert bare == {"id": created["id"], "pattern": "example.com/*"}
    assert client.call("GET", client.routes) == [bare]
    assert client.call("DELETE", url) == {"id": created["id"]}
    for method in ("GET", "PUT", "DELETE"):
        assert client.error(method, url, json={"pattern": "example.com/*"}) == (404, 10009)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"pattern": "example.com/*", "script": "nobody"}, (400, 10019)),
        ({"pattern": "other.test/*"}, (400, 10022)),
        ({"pattern": "notexample.com/*"}, (400, 10022)),
        ({"pattern": "a.*.example.com/*"}, (400, 10022)),
        ({"pattern": "example.com/*/x"}, (400, 10022)),
        ({"pattern": "example.com/?q=1"}, (400, 10022)),
        ({"pattern": "*"}, (400, 10022)),
        *(
            ({"pattern": pattern}, (400, 10022))
            for pattern in (
                "..example.com/*",
                "*..example.com/*",
                ".example.com/*",
                "a..example.com/*",
                "\0.example.com/*",
            )
        ),
        ({"pattern": ""}, (400, 10022)),
        ({"script": "router"}, (400, 10022)),
        ([], (400, 10026)),
    ],
)
def test_create_route_invalid_body_is_refused(client: Client, body: Any, expected: tuple[int, int]) -> None:
    assert client.error("POST", client.routes, json=body) == expected


@pytest.mark.parametrize(
    "pattern",
    ["*/*", "example.com", "*example.com/*", "*.example.com/*", "https://a.b.example.com/x*", "example.com/a/"],
)
def test_create_route_valid_pattern_is_accepted(client: Client, pattern: str) -> None:
    assert client.call("POST", client.routes, json={"pattern": pattern})["pattern"] == pattern


def test_create_route_host_without_path_equals_root(client: Client) -> None:
    for pattern, other in (("example.com", "example.com/"), ("https://a.example.com/", "https://a.example.com")):
        client.call("POST", client.routes, json={"pattern": pattern})
        assert client.error("POST", client.routes, json={"pattern": other}) == (409, 10020)


def test_create_route_behavior_id_returns_only_id(client: Client) -> None:
    client.edge.behaviors.set("route_create_response", "id")
    assert set(client.call("POST", client.routes, json={"pattern": "example.com/*"})) == {"id"}


@pytest.mark.parametrize(
    ("pattern", "accepted"),
    [
        ("www.customer.dev/path*", True),
        ("www.customer.dev", True),
        ("a.www.customer.dev/*", False),
        ("*.www.customer.dev/*", False),
        ("customer.dev/*", False),
        ("shop.dev/*", True),
        ("a.b.shop.dev/*", True),
        ("*.shop.dev/*", True),
        ("*.a.shop.dev/*", True),
        ("*shop.dev/*", True),
    ],
)
def test_create_route_host_is_custom_hostname_of_zone(client: Client, pattern: str, accepted: bool) -> None:
    zone = client.routes.removesuffix("/workers/routes")
    for hostname, wildcard in (("www.customer.dev", False), ("shop.dev", True)):
        ssl = {"method": "http", "type": "dv", "wildcard": wildcard}
        client.call("POST", f"{zone}/custom_hostnames", json={"hostname": hostname, "ssl": ssl})
    other = f"/zones/{client.edge.zones['platform.localhost']}/workers/routes"
    assert client.error("POST", other, json={"pattern": pattern}) == (400, 10022)
    if accepted:
        assert client.call("POST", client.routes, json={"pattern": pattern})["pattern"] == pattern
    else:
        assert client.error("POST", client.routes, json={"pattern": pattern}) == (400, 10022)


def test_put_script_routes_host_is_custom_hostname_of_zone(client: Client) -> None:
    client.upload("/workers/scripts/router")
    zone = client.routes.removesuffix("/workers/routes")
    client.call("POST", f"{zone}/custom_hostnames", json={"hostname": "www.customer.dev"})
    route = {"pattern": "www.customer.dev/path", "zone_name": "example.com"}
    assert client.call("PUT", "/workers/scripts/router/routes", json=[route])[0]["zone_name"] == "example.com"


SPACES = "/storage/kv/namespaces"


def test_kv_namespace_create_rename_delete_returns_current_state(client: Client) -> None:
    ident = client.kv("one")
    assert client.call("GET", f"{SPACES}/{ident}") == {"id": ident, "title": "one", "supports_url_encoding": True}
    assert client.error("POST", SPACES, json={"title": "one"}) == (400, 10014)
    assert client.error("POST", SPACES, json={}) == (400, 10019)
    assert client.error("POST", SPACES, data=b"x") == (400, 10012)
    client.kv("two")
    assert client.error("PUT", f"{SPACES}/{ident}", json={"title": "two"}) == (400, 10014)
    client.call("PUT", f"{SPACES}/{ident}", json={"title": "zero"})
    body = client.send("GET", f"{SPACES}?per_page=1&page=2&order=title").json()
    assert [one["title"] for one in body["result"]] == ["zero"]
    assert body["result_info"]["total_count"] == 2
    client.call("DELETE", f"{SPACES}/{ident}")
    assert client.error("GET", f"{SPACES}/{ident}") == (404, 10013)
    assert client.error("GET", f"{SPACES}/{ident}/keys") == (404, 10013)


def test_delete_kv_namespace_bound_to_worker_is_refused(client: Client) -> None:
    ident = client.kv()
    client.upload("/workers/scripts/w", bindings=[{"name": "D", "type": "kv_namespace", "namespace_id": ident}])
    assert client.error("DELETE", f"{SPACES}/{ident}") == (400, 10052)
    client.call("DELETE", "/workers/scripts/w")
    client.call("DELETE", f"{SPACES}/{ident}")


@pytest.fixture
def namespace_path(client: Client) -> str:
    return f"{SPACES}/{client.kv()}"


def test_kv_value_any_key_is_stored_and_deleted(client: Client, namespace_path: str) -> None:
    for key in ("plain", "a%2Fb", "%C3%BC%20%3F", "a/b"):
        client.call("PUT", f"{namespace_path}/values/{key}", data=b"\x00" + key.encode())
    assert client.send("GET", f"{namespace_path}/values/a%2Fb").content == b"\x00a/b", (
        "an escaped and an unescaped slash address the same key"
    )
    assert [one["name"] for one in client.call("GET", f"{namespace_path}/keys")] == ["a/b", "plain", "ü ?"]
    assert client.error("GET", f"{namespace_path}/values/none") == (404, 10009)
    client.call("DELETE", f"{namespace_path}/values/plain")
    client.call("DELETE", f"{namespace_path}/values/plain")
    assert client.error("GET", f"{namespace_path}/values/plain") == (404, 10009)


def test_kv_put_without_metadata_resets_metadata(client: Client, namespace_path: str) -> None:
    client.call(
        "PUT",
        f"{namespace_path}/values/k",
        files={"value": (None, "v"), "metadata": (None, '{"a": 1}')},
        params={"expiration_ttl": 60},
    )
    assert client.send("GET", f"{namespace_path}/values/k").text == "v"
    every = bytes(range(256))
    client.call("PUT", f"{namespace_path}/values/bytes", files={"value": (None, every)})
    assert client.send("GET", f"{namespace_path}/values/bytes").content == every
    client.call("DELETE", f"{namespace_path}/values/bytes")
    assert client.call("GET", f"{namespace_path}/metadata/k") == {"a": 1}
    (listed,) = client.call("GET", f"{namespace_path}/keys")
    assert listed["metadata"] == {"a": 1}
    assert listed["expiration"] > 0
    client.call("PUT", f"{namespace_path}/values/k", data=b"w")
    assert client.call("GET", f"{namespace_path}/keys") == [{"name": "k"}]
    assert client.call("GET", f"{namespace_path}/metadata/k") is None


@pytest.mark.parametrize(
    ("path", "options", "code"),
    [
        ("/values/k?expiration_ttl=59", {"data": b"x"}, 10034),
        ("/values/k?expiration_ttl=soon", {"data": b"x"}, 10034),
        ("/values/k?expiration_ttl=1_000", {"data": b"x"}, 10034),
        ("/values/k?expiration_ttl=60.9", {"data": b"x"}, 10034),
        ("/values/k?expiration_ttl=1" + "0" * 25, {"data": b"x"}, 10034),
        ("/values/%ff", {"data": b"x"}, 7003),
        ("/values/k?expiration=1", {"data": b"x"}, 10034),
        ("/values/" + "k" * 513, {"data": b"x"}, 10030),
        ("/values/k", {"data": b"x" * (25 * 1024 * 1024 + 1)}, 10032),
        ("/values/k", {"files": {"value": (None, "v"), "metadata": (None, "{")}}, 10012),
        ("/values/k", {"files": {"value": (None, "v"), "metadata": (None, json.dumps("x" * 1025))}}, 10031),
        ("/values/k", {"files": {"metadata": (None, "{}")}}, 10012),
    ],
)
def test_kv_put_invalid_value_is_refused(
    client: Client, namespace_path: str, path: str, options: Any, code: int
) -> None:
    assert client.error("PUT", namespace_path + path, **options)[1] == code


def test_kv_expired_key_is_absent(client: Client, namespace_path: str) -> None:
    client.call("PUT", f"{namespace_path}/values/k?expiration_ttl=60", data=b"x")
    client.edge.clock.offset = 61
    assert client.error("GET", f"{namespace_path}/values/k") == (404, 10009)
    assert client.call("GET", f"{namespace_path}/keys") == []


def test_list_keys_prefix_and_limit_pages(client: Client, namespace_path: str) -> None:
    client.call(
        "PUT",
        f"{namespace_path}/bulk",
        json=[{"key": f"{prefix}{number:02}", "value": "x"} for prefix in "ab" for number in range(15)],
    )
    first = client.send("GET", f"{namespace_path}/keys?prefix=b&limit=10").json()
    assert len(first["result"]) == first["result_info"]["count"] == 10
    second = client.send(
        "GET", f"{namespace_path}/keys?prefix=b&limit=10&cursor={first['result_info']['cursor']}"
    ).json()
    assert [one["name"] for one in second["result"]] == [f"b{number}" for number in range(10, 15)]
    assert second["result_info"] == {"count": 5, "cursor": ""}
    assert client.error("GET", f"{namespace_path}/keys?limit=9") == (400, 10004)


def test_kv_bulk_put_get_delete_changes_several_keys(client: Client, namespace_path: str) -> None:
    pairs = [
        {"key": "t", "value": "text"},
        {"key": "b", "value": "AP8=", "base64": True},
        {"key": "m", "value": '{"n":1}', "metadata": {"x": 1}},
    ]
    assert client.call("PUT", f"{namespace_path}/bulk", json=pairs) == {
        "successful_key_count": 3,
        "unsuccessful_keys": [],
    }
    assert client.send("GET", f"{namespace_path}/values/b").content == b"\x00\xff"
    response = client.call("POST", f"{namespace_path}/bulk/get", json={"keys": ["t", "nope"]})
    assert response == {"values": {"t": "text", "nope": None}}
    response = client.call(
        "POST", f"{namespace_path}/bulk/get", json={"keys": ["m"], "type": "json", "withMetadata": True}
    )
    assert response == {"values": {"m": {"value": {"n": 1}, "metadata": {"x": 1}}}}
    assert client.call("POST", f"{namespace_path}/bulk/delete", json=["t", "nope"])["successful_key_count"] == 2
    client.call("DELETE", f"{namespace_path}/bulk", json=[{"name": "b"}])
    assert [one["name"] for one in client.call("GET", f"{namespace_path}/keys")] == ["m"]


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("PUT", "/bulk", [], 10029),
        ("PUT", "/bulk", {}, 10012),
        ("PUT", "/bulk", [{"key": "k"}], 10012),
        ("PUT", "/bulk", [{"key": "ok", "value": "v"}, {"key": "", "value": "v"}], 10033),
        ("PUT", "/bulk", [{"key": "k", "value": "!", "base64": True}], 10012),
        ("PUT", "/bulk", [{"key": "k", "value": "v"}] * 10_001, 10012),
        ("PUT", "/bulk", [{"key": "k", "value": "v", "expiration_ttl": 1e30}], 10034),
        ("PUT", "/bulk", [{"key": "k", "value": "v", "expiration": True}], 10034),
        ("POST", "/bulk/get", {"keys": []}, 10012),
        ("POST", "/bulk/get", {"keys": ["k"] * 101}, 10012),
        ("POST", "/bulk/get", {"keys": ["k"], "type": "xml"}, 10012),
    ],
)
def test_kv_bulk_invalid_body_changes_nothing(
    client: Client, namespace_path: str, method: str, path: str, body: Any, code: int
) -> None:
    assert client.error(method, namespace_path + path, json=body)[1] == code
    assert client.call("GET", f"{namespace_path}/keys") == []
