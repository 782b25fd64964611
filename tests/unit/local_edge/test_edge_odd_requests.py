# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is sent to whichever path: an answer in an envelope, and never a stumble."""

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
ODD: list[Any] = [None, [], {}, "text", 7, [None], [[]], [{}], [7], {"name": None}, {"title": []}]
#: The keys that anything here reads, each beside what it takes and with something that it is not.
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
ODD += [
    {key: value for key in KEYS if key != right} | {right: "x"}
    for right in ("name", "title", "pattern", "hostname")
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


def address(client: Client, path: str) -> str:
    """A path to something that is there, where something is."""
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


#: Texts that some parser takes for JSON and some client does not, or that fell a parser.
HOSTILE = (
    b"",
    b"\xff\xfe",
    b"{",
    b"[" * 60_000,
    b"[" * 900 + b"]" * 900,
    *(
        b'{"name": %s, "title": %s, "pattern": %s, "hostname": %s, "observability": {"enabled": true, "head_sampling_rate": %s}}'
        % ((odd,) * 5)
        for odd in (b"NaN", b"1e999", b"-Infinity", b"1" * 5000, b'"\\ud800"', b'"\xed\xa0\x80"', b'"\\u0000"')
    ),
)


def told(client: Client, method: str, path: str, **options: Any) -> None:
    """Send it; the answer is none of a bug, and one that every client can read."""
    response = client.session.request(method, client.edge.api + address(client, path), **options)
    assert response.status_code < 500, f"{method} {path} {options}: {response.text}"
    if "json" in response.headers.get("content-type", ""):
        loads_strict(response.content)


LISTINGS = [path for method, path in PATHS if method == "GET" and not re.search(r"\}$", path)]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_odd_bodies(platform: Client, method: str, path: str) -> None:
    for body in ODD if method in ("PUT", "POST", "PATCH") else ODD[:1]:
        told(platform, method, path, json=body)
    for raw in HOSTILE:
        told(platform, method, path, data=raw, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path in PATHS if method == "GET"])
def test_odd_queries(platform: Client, method: str, path: str) -> None:
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
        told(platform, method, f"{path}?{query}")
    told(platform, method, f"{path}/%ff")


@pytest.mark.parametrize(
    "path",
    [f"/accounts/{{account}}/workers/{level}scripts/{{script}}" for level in ("", "dispatch/namespaces/{namespace}/")],
)
@pytest.mark.parametrize("key", METADATA)
def test_odd_metadata(platform: Client, path: str, key: str) -> None:
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
        described = {"main_module": "index.js", key: value}
        files = {
            "metadata": (None, json.dumps(described)),
            "index.js": ("index.js", "export default {}", "application/javascript+module"),
        }
        told(platform, "PUT", path, files=files)
        told(platform, "PATCH", f"{path}/settings", files={"settings": (None, json.dumps({key: value}))})
        if "namespaces" not in path:
            told(platform, "POST", f"{path}/versions", files=files)
    for listing in LISTINGS:
        told(platform, "GET", listing)
