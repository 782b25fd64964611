# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wrangler: who is asking, dispatch namespaces, and Workers deployed into them."""

from __future__ import annotations

import pytest
from edge_process import Platform
from foreign_clients import Project

TENANT = "export default { fetch: (request, env) => Response.json(env) };"


@pytest.fixture
def platform(project: Project) -> Platform:
    return Platform(project.edge)


def test_whoami_tells_the_user_and_the_account(project: Project) -> None:
    said = project.read("whoami", "--json")
    (account,) = project.edge.ready["accounts"]
    assert said["loggedIn"] and said["authType"] == "User API Token" and said["email"]
    assert [known["id"] for known in said["accounts"]] == [account["id"]]


def test_a_token_that_is_unknown_is_refused(project: Project) -> None:
    project.environment["CLOUDFLARE_API_TOKEN"] = "0123456789abcdef0123456789abcdef01234567"
    assert "[code: 9109]" in project.wrangler("dispatch-namespace", "list", fails=True)


def test_namespaces_are_made_listed_renamed_and_deleted(project: Project) -> None:
    edge = project.edge
    said = project.wrangler("dispatch-namespace", "create", "customers")
    made = edge.call("GET", "/workers/dispatch/namespaces/customers")
    assert f'Created dispatch namespace "customers" with ID "{made["namespace_id"]}"' in said
    assert "namespace_name: 'customers'" in project.wrangler("dispatch-namespace", "list")
    assert f"namespace_id: '{made['namespace_id']}'" in project.wrangler("dispatch-namespace", "get", "customers")
    project.wrangler("dispatch-namespace", "rename", "customers", "clients")
    (renamed,) = edge.call("GET", "/workers/dispatch/namespaces")
    assert (renamed["namespace_name"], renamed["namespace_id"]) == ("clients", made["namespace_id"])
    assert "[code: 100119]" in project.wrangler("dispatch-namespace", "get", "customers", fails=True)
    project.wrangler("dispatch-namespace", "delete", "clients")
    assert edge.call("GET", "/workers/dispatch/namespaces") == []


def test_a_tenant_is_deployed_changed_and_keeps_its_secrets(project: Project, platform: Platform) -> None:
    project.write("index.js", TENANT)
    project.configure(name="customer-a", main="index.js", vars={"PLAN": "free", "LIMITS": {"seats": [1, 2]}})
    said = project.wrangler("deploy", "--dispatch-namespace", platform.namespace)
    assert f"Dispatch Namespace: {platform.namespace}" in said
    assert platform.get("customer-a").json() == {"PLAN": "free", "LIMITS": {"seats": [1, 2]}}
    where = f"/workers/dispatch/namespaces/{platform.namespace}/scripts/customer-a"
    platform.edge.call("PUT", f"{where}/secrets", json={"name": "KEY", "text": "hidden", "type": "secret_text"})
    project.configure(name="customer-a", main="index.js", vars={"PLAN": "pro"})
    project.wrangler("deploy", "--dispatch-namespace", platform.namespace)
    assert platform.get("customer-a").json() == {"PLAN": "pro", "KEY": "hidden"}
    assert [script["id"] for script in platform.edge.call("GET", "/workers/scripts")] == ["router"]


def test_code_that_does_not_start_is_refused_with_its_place(project: Project, platform: Platform) -> None:
    project.write("index.js", "export default { fetch() {} };\nundefinedFunction();")
    project.configure(name="customer-b", main="index.js")
    said = project.wrangler("deploy", "--dispatch-namespace", platform.namespace, fails=True)
    assert "[code: 10021]" in said and "undefinedFunction is not defined" in said
    assert platform.get("customer-b").status_code == 404
