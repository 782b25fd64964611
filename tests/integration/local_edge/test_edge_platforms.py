# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Platform patterns from Cloudflare's documentation: how a router selects a customer's Worker, and what it adds."""

from __future__ import annotations

from typing import Any

import pytest
from edge_process import Edge, wait_until
from web_socket import ECHOING, WebSocket

pytestmark = pytest.mark.integration

#: Shared code of the routers. A missing Worker is a 404, not an error of the platform.
DISPATCH = """
async function dispatch(env, name, request, ...more) {
  try {
    return await env.CUSTOMERS.get(name, ...more).fetch(request);
  } catch (error) {
    if (error.message.startsWith("Worker not found")) return new Response("no such customer", { status: 404 });
    return new Response(`customer failed: ${error.message}`, { status: 500 });
  }
}
"""
ROUTERS = {
    "by subdomain": "dispatch(env, new URL(request.url).hostname.split('.')[0], request)",
    "by the first part of the path": "dispatch(env, new URL(request.url).pathname.split('/')[1], request)",
    "by a record in KV": "dispatch(env, (await env.RECORDS.get(new URL(request.url).hostname)) ?? '', request)",
    "by the metadata of a custom hostname": "dispatch(env, request.cf?.hostMetadata?.worker ?? '', request)",
}
KNOWN_CUSTOMERS = {
    "by subdomain": ("shop.example.com", "/"),
    "by the first part of the path": ("example.com", "/shop/cart"),
    "by a record in KV": ("shop.example.com", "/"),
    "by the metadata of a custom hostname": ("shop.customer.net", "/"),
}
UNKNOWN_CUSTOMERS = {
    "by subdomain": ("stranger.example.com", "/"),
    "by the first part of the path": ("example.com", "/stranger/cart"),
    "by a record in KV": ("stranger.example.com", "/"),
    "by the metadata of a custom hostname": ("stranger.example.com", "/"),
}


@pytest.fixture
def edge_with_shop(edge: Edge) -> Edge:
    """Provide a namespace with the Worker `shop`."""
    edge.call("POST", "/workers/dispatch/namespaces", json={"name": "customers"})
    edge.deploy(
        "shop",
        "export default { fetch: (request) => new Response(`shop ${new URL(request.url).pathname}`) };",
        namespace="customers",
    )
    return edge


def deploy_router(edge: Edge, expression: str, code: str = "", pattern: str = "*/*", **binding: Any) -> None:
    """Deploy a router on all hosts, bound to the namespace and the KV records."""
    kv = edge.call("POST", "/storage/kv/namespaces", json={"title": "records"})["id"]
    edge.call("PUT", f"/storage/kv/namespaces/{kv}/bulk", json=[{"key": "shop.example.com", "value": "shop"}])
    bindings = [
        {"name": "CUSTOMERS", "type": "dispatch_namespace", "namespace": "customers", **binding},
        {"name": "RECORDS", "type": "kv_namespace", "namespace_id": kv},
    ]
    edge.deploy(
        "router",
        f"{DISPATCH}{code} export default {{ async fetch(request, env, ctx) {{ return {expression}; }} }};",
        bindings=bindings,
    )
    edge.route(pattern, "router")


@pytest.mark.parametrize("pattern_name", ROUTERS)
def test_router_pattern_finds_customer(edge_with_shop: Edge, pattern_name: str) -> None:
    if "metadata" in pattern_name:
        hostnames = f"{edge_with_shop.zone['example.com']}/custom_hostnames"
        body = {
            "hostname": "shop.customer.net",
            "ssl": {"method": "http", "type": "dv"},
            "custom_metadata": {"worker": "shop"},
        }
        created = edge_with_shop.call("POST", hostnames, json=body)
        wait_until(lambda: edge_with_shop.call("GET", f"{hostnames}/{created['id']}")["status"] == "active")
    deploy_router(edge_with_shop, ROUTERS[pattern_name])
    host, path = KNOWN_CUSTOMERS[pattern_name]
    assert edge_with_shop.get(host, path).text == f"shop {path}"
    unknown = edge_with_shop.get(*UNKNOWN_CUSTOMERS[pattern_name])
    assert (unknown.status_code, unknown.text) == (404, "no such customer")
    if "metadata" in pattern_name:
        edge_with_shop.call("DELETE", f"{hostnames}/{created['id']}")


def test_router_failing_customer_returns_500(edge_with_shop: Edge) -> None:
    edge_with_shop.deploy(
        "broken", "export default { fetch() { throw new Error('out of order'); } };", namespace="customers"
    )
    deploy_router(edge_with_shop, ROUTERS["by subdomain"])
    response = edge_with_shop.get("broken.example.com")
    assert (response.status_code, response.text) == (500, "customer failed: out of order")


def test_router_limits_by_plan_are_accepted(edge_with_shop: Edge) -> None:
    limits = "{ free: { cpuMs: 10, subRequests: 5 }, pro: { cpuMs: 50, subRequests: 50 } }"
    deploy_router(
        edge_with_shop, f"dispatch(env, 'shop', request, {{}}, {{ limits: ({limits})[request.headers.get('x-plan')] }})"
    )
    assert [
        edge_with_shop.get("shop.example.com", headers={"x-plan": plan}).text for plan in ("free", "pro", "none")
    ] == ["shop /"] * 3


def test_route_without_worker_excludes_host_from_router(edge_with_shop: Edge) -> None:
    deploy_router(edge_with_shop, ROUTERS["by subdomain"])
    edge_with_shop.route("www.example.com/*", None)
    assert edge_with_shop.get("shop.example.com").ok
    response = edge_with_shop.get("www.example.com")
    assert response.status_code == 404 and "has no Worker" in response.text


OUTBOUND = """
export default { async fetch(request, env) {
  if (new URL(request.url).hostname.endsWith(".internal")) return new Response("not for customers", { status: 403 });
  const signed = new Request(request);
  signed.headers.set("x-signed-for", env.customer);
  return Response.json({ to: request.url, signed: signed.headers.get("x-signed-for"), plan: env.plan });
} };
"""


def test_outbound_worker_controls_fetches_of_customers(edge_with_shop: Edge) -> None:
    edge_with_shop.deploy("egress", OUTBOUND)
    edge_with_shop.deploy(
        "asking",
        """export default { async fetch(request) {
      const answers = await Promise.all(["https://api.example.net/x", "http://metadata.internal/"].map((url) => fetch(url)));
      return Response.json([await answers[0].json(), answers[1].status]);
    } };""",
        namespace="customers",
    )
    deploy_router(
        edge_with_shop,
        "dispatch(env, 'asking', request, {}, { outbound: { customer: 'c-1', plan: 'pro' } })",
        outbound={"worker": {"service": "egress"}, "params": [{"name": "customer"}, {"name": "plan"}]},
    )
    assert edge_with_shop.get("shop.example.com").json() == [
        {"to": "https://api.example.net/x", "signed": "c-1", "plan": "pro"},
        403,
    ]


CHANGING = """
async function changed(request, env, ctx) {
  const started = Date.now();
  const answer = await dispatch(env, "shop", new Request(request, { headers: { ...Object.fromEntries(request.headers), "x-customer": "shop" } }));
  const copy = new Response(answer.body, answer);
  copy.headers.set("x-platform", "mine");
  ctx.waitUntil(env.RECORDS.put("seen", `${answer.status} ${Date.now() >= started}`));
  return copy;
}
"""


def test_router_changes_request_and_response(edge_with_shop: Edge) -> None:
    edge_with_shop.deploy(
        "shop",
        "export default { fetch: (request) => new Response(request.headers.get('x-customer'), { status: 202 }) };",
        namespace="customers",
    )
    deploy_router(edge_with_shop, "changed(request, env, ctx)", CHANGING)
    response = edge_with_shop.get("shop.example.com")
    assert (response.status_code, response.text, response.headers["x-platform"]) == (202, "shop", "mine")
    (kv,) = edge_with_shop.call("GET", "/storage/kv/namespaces")
    wait_until(
        lambda: (
            edge_with_shop.session.get(f"{edge_with_shop.account}/storage/kv/namespaces/{kv['id']}/values/seen").text
            == "202 true"
        )
    )


EVENTS = """
export default { fetch() {
  const encoder = new TextEncoder();
  return new Response(new ReadableStream({ async start(controller) {
    for (let number = 0; number < 3; number += 1) {
      controller.enqueue(encoder.encode(`data: ${number}\\n\\n`));
      await scheduler.wait(150);
    }
    controller.close();
  } }), { headers: { "content-type": "text/event-stream" } });
} };
"""


def test_server_sent_events_are_streamed(edge_with_shop: Edge) -> None:
    edge_with_shop.deploy("shop", EVENTS, namespace="customers")
    deploy_router(edge_with_shop, ROUTERS["by subdomain"])
    response = edge_with_shop.get("shop.example.com", stream=True)
    parts = list(response.iter_content(chunk_size=None))
    assert (len(parts), b"".join(parts)) == (3, b"data: 0\n\ndata: 1\n\ndata: 2\n\n")


def test_web_socket_through_router_connects(edge_with_shop: Edge) -> None:
    edge_with_shop.deploy("shop", ECHOING, namespace="customers")
    deploy_router(edge_with_shop, ROUTERS["by a record in KV"])
    assert WebSocket(edge_with_shop, "shop.example.com").send_hi() == b"\x81\x07echo hi"
