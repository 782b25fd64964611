# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wrangler: a router with all bindings and triggers, secrets, environments and deletion."""

from __future__ import annotations

from typing import Any

import pytest
from edge_process import ECHO, Edge
from foreign_clients import Project

ROUTER = """
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname === "/own") {
      const greeted = await env.GREETER.fetch(request);
      return Response.json({ vars: env.VARS, stored: await env.DATA.get("key"), greeting: await greeted.text() });
    }
    const tenant = url.hostname.split(".")[0];
    return env.TENANTS.get(tenant, {}, env.OUTBOUND && { outbound: { customer: tenant } }).fetch(request);
  },
  async scheduled() {},
};
"""
TEXT = "export default {{ fetch: () => new Response('{}') }};"
OUTBOUND = "export default { fetch: (request, env) => new Response(`${env.customer} asked ${new URL(request.url).hostname}`) };"
ASKING = "export default { fetch: () => fetch('https://service.example.net/') };"
VALUE = {"a": 1}


@pytest.fixture
def edge(edge: Edge) -> Edge:
    """Create the objects that the router is bound to."""
    edge.call("POST", "/workers/dispatch/namespaces", json={"name": "customers"})
    edge.deploy("customer-a", TEXT.format("customer a"), namespace="customers")
    edge.deploy("customer-b", ASKING, namespace="customers")
    edge.deploy("greeter", TEXT.format("hello"))
    edge.deploy("outbound", OUTBOUND)
    return edge


@pytest.fixture
def data(edge: Edge) -> str:
    kv = str(edge.call("POST", "/storage/kv/namespaces", json={"title": "data"})["id"])
    edge.session.put(f"{edge.account}/storage/kv/namespaces/{kv}/values/key", data="the value")
    return kv


def patterns(edge: Edge) -> dict[str, str]:
    return {
        route["pattern"]: route["script"] for route in edge.call("GET", f"{edge.zone['example.com']}/workers/routes")
    }


def schedules(edge: Edge) -> list[str]:
    return [schedule["cron"] for schedule in edge.call("GET", "/workers/scripts/router/schedules")["schedules"]]


def test_deploy_router_with_all_bindings_and_triggers(project: Project, edge: Edge, data: str) -> None:
    settings: dict[str, Any] = {
        "name": "router",
        "main": "index.js",
        "workers_dev": False,
        "vars": {"VARS": VALUE},
        "routes": [{"pattern": "*.example.com/*", "zone_name": "example.com"}, "example.com/own"],
        "kv_namespaces": [{"binding": "DATA", "id": data}],
        "services": [{"binding": "GREETER", "service": "greeter"}],
        "dispatch_namespaces": [{"binding": "TENANTS", "namespace": "customers"}],
        "triggers": {"crons": ["*/5 * * * *", "0 3 * * 1"]},
    }
    project.write("index.js", ROUTER)
    project.configure(**settings)
    output = project.wrangler("deploy")
    assert "*.example.com/* (zone name: example.com)" in output and "schedule: */5 * * * *" in output
    assert edge.get("example.com", "/own").json() == {"vars": VALUE, "stored": "the value", "greeting": "hello"}
    assert edge.get("customer-a.example.com").text == "customer a"
    assert patterns(edge) == {"*.example.com/*": "router", "example.com/own": "router"}
    assert schedules(edge) == ["*/5 * * * *", "0 3 * * 1"]
    assert edge.call("GET", "/workers/scripts/router/subdomain") == {"enabled": False, "previews_enabled": False}

    project.configure(
        **{
            **settings,
            "vars": {"VARS": "changed"},
            "routes": ["*.example.com/*"],
            "triggers": {"crons": []},
            "workers_dev": True,
        }
    )
    output = project.wrangler("deploy", "--message", "a second thought", "--tag", "v2")
    assert "router.local-edge.workers.dev" in output and "WARNING" not in output
    assert edge.get("router.local-edge.workers.dev", "/own").json()["vars"] == "changed"
    assert (patterns(edge), schedules(edge)) == ({"*.example.com/*": "router"}, [])
    assert edge.call("GET", "/workers/scripts/router/subdomain")["enabled"] is True
    versions = edge.call("GET", "/workers/scripts/router/versions")["items"]
    assert len(versions) == 2 and versions[0]["annotations"]["workers/message"] == "a second thought"


def test_deploy_outbound_worker_receives_fetches_of_tenants(project: Project, edge: Edge) -> None:
    outbound = {"service": "outbound", "parameters": ["customer"]}
    project.write("index.js", ROUTER)
    project.configure(
        name="router",
        main="index.js",
        routes=["*.example.com/*"],
        vars={"OUTBOUND": True},
        dispatch_namespaces=[{"binding": "TENANTS", "namespace": "customers", "outbound": outbound}],
    )
    project.wrangler("deploy")
    assert edge.get("customer-b.example.com").text == "customer-b asked service.example.net"


def test_deploy_route_of_other_worker_is_refused(project: Project, edge: Edge) -> None:
    edge.route("taken.example.com/*", "greeter")
    project.write("index.js", ECHO)
    project.configure(name="late", main="index.js", workers_dev=False, routes=["taken.example.com/*"])
    assert "already assigned to routes" in project.wrangler("deploy", fails=True)
    assert patterns(edge) == {"taken.example.com/*": "greeter"}


def test_deploy_custom_domain_is_created(project: Project, edge: Edge) -> None:
    project.write("index.js", ECHO)
    project.configure(name="shop", main="index.js", routes=[{"pattern": "shop.example.com", "custom_domain": True}])
    assert "shop.example.com (custom domain)" in project.wrangler("deploy")
    assert edge.get("shop.example.com", "/any").json()["url"].endswith("/any")
    assert [(domain["hostname"], domain["service"]) for domain in edge.call("GET", "/workers/domains")] == [
        ("shop.example.com", "shop")
    ]


def test_deploy_environment_is_separate_worker(project: Project, edge: Edge) -> None:
    project.write("index.js", ECHO)
    staging = {"vars": {"STAGE": "staging"}, "routes": ["staging.example.com/*"]}
    project.configure(name="shop", main="index.js", vars={"STAGE": "production"}, env={"staging": staging})
    project.wrangler("deploy", "--env", "staging")
    assert edge.get("staging.example.com").json()["env"] == {"STAGE": "staging"}
    project.wrangler("secret", "put", "KEY", "--env", "staging", stdin="hidden")
    tags = edge.call("GET", "/workers/scripts/shop-staging/script-settings")["tags"]
    assert sorted(tags) == ["cf:environment=staging", "cf:service=shop"]
    assert edge.get("staging.example.com").json()["env"] == {"STAGE": "staging", "KEY": "hidden"}


def test_deploy_binding_to_missing_worker_is_refused(project: Project, edge: Edge) -> None:
    project.write("index.js", ECHO)
    project.configure(name="lost", main="index.js", services=[{"binding": "OTHER", "service": "nobody"}])
    assert "[code: 10144]" in project.wrangler("deploy", fails=True)
    assert "lost" not in [script["id"] for script in edge.call("GET", "/workers/scripts")]


def test_secret_put_list_delete_survives_deployment(project: Project, edge: Edge) -> None:
    at = ("--name", "keeper")
    project.wrangler("secret", "put", "FIRST", *at, stdin="one\n")  # wrangler creates the missing Worker
    project.write("secrets.json", {"SECOND": "two", "THIRD": "three"})
    project.wrangler("secret", "bulk", "secrets.json", *at)
    project.write("secrets.json", {"SECOND": None, "THIRD": "drei"})
    project.wrangler("secret", "bulk", "secrets.json", *at)
    assert [secret["name"] for secret in project.read("secret", "list", *at)] == ["FIRST", "THIRD"]
    project.wrangler("secret", "delete", "FIRST", *at)
    project.write("index.js", ECHO)
    project.configure(name="keeper", main="index.js", routes=["keeper.example.com/*"])
    project.wrangler("deploy")
    assert edge.get("keeper.example.com").json()["env"] == {"THIRD": "drei"}


def test_delete_worker_in_use_requires_force(project: Project, edge: Edge) -> None:
    edge.deploy("visitor", ECHO, bindings=[{"name": "GREETER", "type": "service", "service": "greeter"}])
    output = project.wrangler(
        "delete", "--name", "greeter"
    )  # without a terminal wrangler takes yes for the answer to its question
    assert (
        "Worker visitor (production) uses this Worker as a Service Binding" in output
        and "Successfully deleted greeter" in output
    )
    project.wrangler("delete", "--name", "visitor", "--force")
    assert [script["id"] for script in edge.call("GET", "/workers/scripts")] == ["outbound"]
