# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Malformed requests to every endpoint are answered without an internal error."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from control_plane import Client, text
from local_edge.api.table import API_ROUTES
from local_edge.strict_json import loads_strict

pytestmark = pytest.mark.slow
PATHS = sorted({(method, path) for method, path, _handler in API_ROUTES})
MALFORMED: list[Any] = [None, [], {}, "text", 7, [None], [[]], [{}], [7], {"name": None}, {"title": []}]
#: Keys that endpoints read. Each is sent with values of the wrong type.
KEYS = (
    "name",
    "title",
    "pattern",
    "script",
    "manifest",
    "secrets",
    "versions",
    "strategy",
    "annotations",
    "enabled",
    "subdomain",
    "keys",
    "type",
    "hostname",
    "service",
    "zone_id",
    "content",
    "ssl",
    "custom_metadata",
    "proxied",
    "ttl",
    "origin",
    "tags",
    "bindings",
    "settings",
    "trusted_workers",
    "metadata",
)
MALFORMED += [
    {key: value for key in KEYS if key != valid_key} | {valid_key: "x"}
    for valid_key in ("name", "title", "pattern", "hostname")
    for value in (7, [7], {"x": 7})
]
METADATA = (
    "main_module",
    "bindings",
    "tags",
    "keep_bindings",
    "assets",
    "migrations",
    "limits",
    "observability",
    "placement",
    "annotations",
    "exports",
    "compatibility_flags",
    "tail_consumers",
    "keep_assets",
    "cache_options",
    "logpush",
    "usage_model",
)


def fill_path(client: Client, path: str) -> str:
    """Fill in a path template with the ids of existing objects, if there are any."""
    known = {
        "account": client.edge.account,
        "zone": client.edge.zones["example.com"],
        "namespace": "prod",
        "script": "a",
    }
    return re.sub(r"\{(\w+)\+?\}", lambda match: known.get(match[1], "x"), path)


@pytest.fixture
def platform(client: Client) -> Client:
    client.upload(f"{client.namespace()}/a", bindings=[text("A")])
    client.upload("/workers/scripts/a", bindings=[text("A")])
    return client


#: Bodies that JSON parsers disagree on, or that crash some of them.
MALFORMED_JSON = (
    b"",
    b"\xff\xfe",
    b"{",
    b"[" * 60_000,
    b"[" * 900 + b"]" * 900,
    *(
        b'{"name": %s, "title": %s, "pattern": %s, "hostname": %s, '
        b'"observability": {"enabled": true, "head_sampling_rate": %s}}' % ((odd,) * 5)
        for odd in (b"NaN", b"1e999", b"-Infinity", b"1" * 5000, b'"\\ud800"', b'"\xed\xa0\x80"', b'"\\u0000"')
    ),
)


def assert_handled(client: Client, method: str, path: str, **options: Any) -> None:
    """Send a request. The response must not be an internal error and must be strict JSON."""
    response = client.session.request(method, client.edge.api + fill_path(client, path), **options)
    assert response.status_code < 500, f"{method} {path} {options}: {response.text}"
    if "json" in response.headers.get("content-type", ""):
        loads_strict(response.content)


LISTINGS = [path for method, path in PATHS if method == "GET" and not re.search(r"\}$", path)]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_endpoint_malformed_body_returns_no_internal_error(platform: Client, method: str, path: str) -> None:
    for body in MALFORMED if method in ("PUT", "POST", "PATCH") else MALFORMED[:1]:
        assert_handled(platform, method, path, json=body)
    for raw in MALFORMED_JSON:
        assert_handled(platform, method, path, data=raw, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path in PATHS if method == "GET"])
def test_endpoint_malformed_query_returns_no_internal_error(platform: Client, method: str, path: str) -> None:
    for query in (
        "page=0",
        "page=x",
        "per_page=-1",
        "per_page=1000000",
        "limit=x",
        "cursor=%ff",
        "cursor=bm90IGlzc3VlZA==",
        "tags=x",
        "tags=:yes",
        "order=x",
        "direction=x",
        "name=",
        "name=%00",
        "prefix=%F0%9F%98%80",
        "status=x",
        "match=x",
        "%ff=1",
        f"page={'9' * 5000}",
        f"limit={'9' * 5000}",
        f"tags={','.join(f't{number}:yes' for number in range(1500))}",
    ):
        assert_handled(platform, method, f"{path}?{query}")
    assert_handled(platform, method, f"{path}/%ff")


@pytest.mark.parametrize(
    "path",
    [f"/accounts/{{account}}/workers/{level}scripts/{{script}}" for level in ("", "dispatch/namespaces/{namespace}/")],
)
@pytest.mark.parametrize("key", METADATA)
def test_upload_malformed_metadata_returns_no_internal_error(platform: Client, path: str, key: str) -> None:
    for value in (
        "x",
        7,
        [7],
        [{}],
        {"x": 7},
        [{"name": "A", "type": []}],
        {"new_classes": 7},
        {"steps": [7]},
        {"jwt": 7},
        [[]],
        True,
        float("nan"),
        [{"type": "inherit", "name": "A", "old_name": ["x"]}],
        {"enabled": "x"},
        {"new_tag": 5},
        {"cpu_ms": -5},
        {"mode": "x"},
    ):
        metadata = {"main_module": "index.js", key: value}
        files = {
            "metadata": (None, json.dumps(metadata)),
            "index.js": ("index.js", "export default {}", "application/javascript+module"),
        }
        assert_handled(platform, "PUT", path, files=files)
        assert_handled(platform, "PATCH", f"{path}/settings", files={"settings": (None, json.dumps({key: value}))})
        if "namespaces" not in path:
            assert_handled(platform, "POST", f"{path}/versions", files=files)
    for listing in LISTINGS:
        assert_handled(platform, "GET", listing)
