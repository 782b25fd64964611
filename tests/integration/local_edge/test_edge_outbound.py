# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outbound Workers: they receive the fetches of tenants, with parameters from the router."""

from __future__ import annotations

import pytest
from edge_process import Edge

EGRESS = """
export default { async fetch(request, env) {
  return Response.json({ url: request.url, method: request.method, body: await request.text(), customer: env.customer, more: env.more ?? null, own: env.OWN });
} };
"""
ROUTER = """
export default { async fetch(request, env) {
  const name = new URL(request.url).hostname.split(".")[0];
  const outbound = { customer: request.headers.get("x-customer") ?? name, more: "never declared" };
  return env.TENANTS.get(name, {}, { outbound }).fetch(request);
} };
"""
TENANT = "export default { fetch(request) { return fetch('https://elsewhere.test/path?q=1', { method: 'POST', body: 'from %s' }); } };"


@pytest.fixture
def outbound_edge(edge: Edge) -> Edge:
    """Provide a router that passes the customer to an outbound Worker."""
    edge.call("POST", "/workers/dispatch/namespaces", json={"name": "tenants"})
    edge.deploy("egress", EGRESS, bindings=[{"name": "OWN", "type": "plain_text", "text": "kept"}])
    binding = {
        "name": "TENANTS",
        "type": "dispatch_namespace",
        "namespace": "tenants",
        "outbound": {"worker": {"service": "egress"}, "params": [{"name": "customer"}]},
    }
    edge.deploy("router", ROUTER, bindings=[binding])
    edge.route("*.example.com/*", "router")
    for name in ("one", "two"):
        edge.deploy(name, TENANT % name, namespace="tenants")
    return edge


def test_outbound_worker_receives_fetch_and_parameters(outbound_edge: Edge) -> None:
    for name in ("one", "two", "one"):
        assert outbound_edge.get(f"{name}.example.com").json() == {
            "url": "https://elsewhere.test/path?q=1",
            "method": "POST",
            "body": f"from {name}",
            "customer": name,
            "more": None,
            "own": "kept",
        }


def test_outbound_worker_new_version_applies_to_next_request(outbound_edge: Edge) -> None:
    assert outbound_edge.get("one.example.com").json()["body"] == "from one"
    outbound_edge.deploy("one", TENANT % "one anew", namespace="tenants")
    assert outbound_edge.get("one.example.com").json()["body"] == "from one anew"
    outbound_edge.deploy("egress", "export default { fetch: () => new Response('closed') };")
    assert outbound_edge.get("one.example.com").text == "closed"


def test_outbound_worker_parameters_differ_by_request(outbound_edge: Edge) -> None:
    for number in range(60):
        assert (
            outbound_edge.get("one.example.com", headers={"x-customer": f"c{number}"}).json()["customer"]
            == f"c{number}"
        )


def test_outbound_worker_tenant_cannot_set_parameters(outbound_edge: Edge) -> None:
    forged = {"x-edge-outbound": "%7B%22customer%22%3A%22other%22%7D", "x-edge-dispatch": "two"}
    assert outbound_edge.get("one.example.com", headers=forged).json()["customer"] == "one"
