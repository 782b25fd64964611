# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wrangler: the user, dispatch namespaces, and Workers deployed into them."""

from __future__ import annotations

import pytest
from edge_process import Platform
from foreign_clients import Project

TENANT = "export default { fetch: (request, env) => Response.json(env) };"


@pytest.fixture
def platform(project: Project) -> Platform:
    return Platform(project.edge)


def test_whoami_prints_user_and_account(project: Project) -> None:
    output = project.read("whoami", "--json")
    (account,) = project.edge.ready["accounts"]
    assert output["loggedIn"] and output["authType"] == "User API Token" and output["email"]
    assert [known["id"] for known in output["accounts"]] == [account["id"]]


def test_whoami_unknown_token_is_refused(project: Project) -> None:
    project.environment["CLOUDFLARE_API_TOKEN"] = "0123456789abcdef0123456789abcdef01234567"
    assert "[code: 9109]" in project.wrangler("dispatch-namespace", "list", fails=True)


def test_dispatch_namespace_create_list_rename_delete(project: Project) -> None:
    edge = project.edge
    output = project.wrangler("dispatch-namespace", "create", "customers")
    created = edge.call("GET", "/workers/dispatch/namespaces/customers")
    assert f'Created dispatch namespace "customers" with ID "{created["namespace_id"]}"' in output
    assert "namespace_name: 'customers'" in project.wrangler("dispatch-namespace", "list")
    assert f"namespace_id: '{created['namespace_id']}'" in project.wrangler("dispatch-namespace", "get", "customers")
    project.wrangler("dispatch-namespace", "rename", "customers", "clients")
    (renamed,) = edge.call("GET", "/workers/dispatch/namespaces")
    assert (renamed["namespace_name"], renamed["namespace_id"]) == ("clients", created["namespace_id"])
    assert "[code: 100119]" in project.wrangler("dispatch-namespace", "get", "customers", fails=True)
    project.wrangler("dispatch-namespace", "delete", "clients")
    assert edge.call("GET", "/workers/dispatch/namespaces") == []


def test_deploy_tenant_again_keeps_secrets(project: Project, platform: Platform) -> None:
    project.write("index.js", TENANT)
    project.configure(name="customer-a", main="index.js", vars={"PLAN": "free", "LIMITS": {"seats": [1, 2]}})
    output = project.wrangler("deploy", "--dispatch-namespace", platform.namespace)
    assert f"Dispatch Namespace: {platform.namespace}" in output
    assert platform.get("customer-a").json() == {"PLAN": "free", "LIMITS": {"seats": [1, 2]}}
    path = f"/workers/dispatch/namespaces/{platform.namespace}/scripts/customer-a"
    platform.edge.call("PUT", f"{path}/secrets", json={"name": "KEY", "text": "hidden", "type": "secret_text"})
    project.configure(name="customer-a", main="index.js", vars={"PLAN": "pro"})
    project.wrangler("deploy", "--dispatch-namespace", platform.namespace)
    assert platform.get("customer-a").json() == {"PLAN": "pro", "KEY": "hidden"}
    assert [script["id"] for script in platform.edge.call("GET", "/workers/scripts")] == ["router"]


def test_deploy_failing_code_prints_error_with_position(project: Project, platform: Platform) -> None:
    project.write("index.js", "export default { fetch() {} };\nundefinedFunction();")
    project.configure(name="customer-b", main="index.js")
    output = project.wrangler("deploy", "--dispatch-namespace", platform.namespace, fails=True)
    assert "[code: 10021]" in output and "undefinedFunction is not defined" in output
    assert platform.get("customer-b").status_code == 404
