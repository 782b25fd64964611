# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Permissions of the token, and products of the account."""

from __future__ import annotations

import pytest
from control_plane import Client
from local_edge.access import FAMILIES, PERMISSIONS
from local_edge.api.table import API_ROUTES

NAMESPACES = "/workers/dispatch/namespaces"


def test_families_cover_every_endpoint_but_those_of_the_user() -> None:
    uncovered = {path for _method, path, _handler in API_ROUTES if not any(one.match(path) for one, _name in FAMILIES)}
    assert uncovered == {"/user", "/memberships"}


@pytest.mark.parametrize(
    ("family", "path", "body"),
    [
        ("Workers Scripts", NAMESPACES, {"name": "a"}),
        ("Workers KV Storage", "/storage/kv/namespaces", {"title": "a"}),
        ("Queues", "/queues", {"queue_name": "a"}),
        ("D1", "/d1/database", {"name": "a"}),
    ],
)
def test_access_without_permission_is_refused(client: Client, family: str, path: str, body: dict[str, str]) -> None:
    client.edge.access.set_missing([f"{family} Write"])
    client.call("GET", path)
    assert client.error("POST", path, json=body) == (403, 10000)
    client.edge.access.set_missing([f"{family} Read"])
    client.call("GET", path)  # to write includes to read
    client.edge.access.set_missing([f"{family} Read", f"{family} Write"])
    assert client.error("GET", path) == (403, 10000)
    client.edge.access.set_missing([])
    client.call("POST", path, json=body)


def test_access_without_zone_read_lists_no_zones(client: Client) -> None:
    client.edge.access.set_missing(["Zone Read", "Zone Write", "Account Settings Read", "Account Settings Write"])
    assert client.call("GET", "/zones") == client.call("GET", "/accounts") == []


def test_access_without_workers_for_platforms_refuses_dispatch_only(client: Client) -> None:
    client.edge.access.set_missing(["Workers for Platforms"])
    assert client.error("GET", NAMESPACES) == (403, 10121)
    client.call("GET", "/workers/scripts")


@pytest.mark.parametrize("base", ["/user/tokens", "/tokens"])
def test_token_policies_contain_what_is_granted(client: Client, base: str) -> None:
    ident = client.call("GET", f"{base}/verify")["id"]
    client.edge.access.set_missing(["DNS Write"])
    (policy,) = client.call("GET", f"{base}/{ident}")["policies"]
    assert {group["name"] for group in policy["permission_groups"]} == {*PERMISSIONS} - {"DNS Write"}
    assert client.error("GET", f"{base}/other") == (404, 1001)


def test_access_endpoint_sets_and_refuses_unknown_names(client: Client) -> None:
    url = f"{client.edge.api.removesuffix('/client/v4')}/_edge/access"
    assert client.session.post(url, json={"missing": ["DNS Write"]}).json()["missing"] == ["DNS Write"]
    assert "DNS Write" not in client.session.get(url).json()["granted"]
    for missing in (["Coffee Write"], "DNS Write", [1], None):
        assert client.session.post(url, json={"missing": missing}).status_code == 400
    assert client.edge.access.missing == {"DNS Write"}
