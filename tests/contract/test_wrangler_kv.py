# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wrangler: KV namespaces, single pairs and bulk operations."""

from __future__ import annotations

import time

import pytest
from foreign_clients import Project


@pytest.fixture
def kv(project: Project) -> str:
    """Create a namespace and return its id."""
    return str(project.edge.call("POST", "/storage/kv/namespaces", json={"title": "data"})["id"])


def test_kv_namespace_create_list_rename_delete(project: Project) -> None:
    project.wrangler("kv", "namespace", "create", "settings")
    assert "already exists" in project.wrangler("kv", "namespace", "create", "settings", fails=True)
    (made,) = project.read("kv", "namespace", "list")
    assert made["title"] == "settings"
    project.wrangler("kv", "namespace", "rename", "--namespace-id", made["id"], "--new-name", "preferences")
    assert project.edge.call("GET", f"/storage/kv/namespaces/{made['id']}")["title"] == "preferences"
    project.wrangler("kv", "namespace", "delete", "--namespace-id", made["id"], "--skip-confirmation")
    assert project.edge.call("GET", "/storage/kv/namespaces") == []


def test_kv_key_put_get_list_delete(project: Project, kv: str) -> None:
    at, key = ("--namespace-id", kv, "--remote"), "a folder/ä key?"
    project.wrangler("kv", "key", "put", *at, key, "the value", "--metadata", '{"owner":"me"}', "--ttl", "600")
    assert project.wrangler("kv", "key", "get", *at, key, "--text").strip() == "the value"
    (listed,) = project.read("kv", "key", "list", *at, "--prefix", "a folder/")
    assert (
        listed["name"] == key
        and listed["metadata"] == {"owner": "me"}
        and 0 < listed["expiration"] - time.time() <= 600
    )
    project.wrangler("kv", "key", "delete", *at, key)
    assert "404" in project.wrangler("kv", "key", "get", *at, key, "--text", fails=True)


def test_kv_bulk_put_get_delete(project: Project, kv: str) -> None:
    at = ("--namespace-id", kv, "--remote")
    project.write(
        "pairs.json",
        [{"key": "plain", "value": "one"}, {"key": "bytes", "value": "AP8=", "base64": True, "metadata": {"n": 2}}],
    )
    project.wrangler("kv", "bulk", "put", *at, "pairs.json")
    value = project.edge.session.get(f"{project.edge.account}/storage/kv/namespaces/{kv}/values/bytes")
    assert value.content == b"\x00\xff"
    project.write("keys.json", ["plain", "absent"])
    output = project.wrangler("kv", "bulk", "get", *at, "keys.json")
    assert '"plain": "one"' in output and '"absent": null' in output
    project.write("keys.json", ["plain", "bytes"])
    project.wrangler("kv", "bulk", "delete", *at, "keys.json", "--force")
    assert project.edge.call("GET", f"/storage/kv/namespaces/{kv}/keys") == []
