# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways that Cloudflare's documentation builds platforms: how a router finds the Worker of a customer, and what it does around it."""

from __future__ import annotations

from typing import Any

import pytest
from edge_process import Edge, wait_until
from web_socket import ECHOING, WebSocket

pytestmark = pytest.mark.integration

#: What the routers have in common: a Worker that is not there is no error of the platform's.
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
VISITS = {
    "by subdomain": ("shop.example.com", "/"),
    "by the first part of the path": ("example.com", "/shop/cart"),
    "by a record in KV": ("shop.example.com", "/"),
    "by the metadata of a custom hostname": ("shop.customer.net", "/"),
}
STRANGERS = {
    "by subdomain": ("stranger.example.com", "/"),
    "by the first part of the path": ("example.com", "/stranger/cart"),
    "by a record in KV": ("stranger.example.com", "/"),
    "by the metadata of a custom hostname": ("stranger.example.com", "/"),
}


@pytest.fixture
def customers(edge: Edge) -> Edge:
    """A namespace with the Worker `shop`."""
    edge.call("POST", "/workers/dispatch/namespaces", json={"name": "customers"})
    edge.deploy(
        "shop",
        "export default { fetch: (request) => new Response(`shop ${new URL(request.url).pathname}`) };",
        namespace="customers",
    )
    return edge


def route(edge: Edge, how: str, code: str = "", pattern: str = "*/*", **binding: Any) -> None:
    """A router on everything, bound to the customers and to their records."""
    kv = edge.call("POST", "/storage/kv/namespaces", json={"title": "records"})["id"]
    edge.call("PUT", f"/storage/kv/namespaces/{kv}/bulk", json=[{"key": "shop.example.com", "value": "shop"}])
    bindings = [
        {"name": "CUSTOMERS", "type": "dispatch_namespace", "namespace": "customers", **binding},
        {"name": "RECORDS", "type": "kv_namespace", "namespace_id": kv},
    ]
    edge.deploy(
        "router",
        f"{DISPATCH}{code} export default {{ async fetch(request, env, ctx) {{ return {how}; }} }};",
        bindings=bindings,
    )
    edge.route(pattern, "router")


@pytest.mark.parametrize("how", ROUTERS)
def test_a_customer_is_found(customers: Edge, how: str) -> None:
    if "metadata" in how:
        hostnames = f"{customers.zone['example.com']}/custom_hostnames"
        wanted = {
            "hostname": "shop.customer.net",
            "ssl": {"method": "http", "type": "dv"},
            "custom_metadata": {"worker": "shop"},
        }
        made = customers.call("POST", hostnames, json=wanted)
        wait_until(lambda: customers.call("GET", f"{hostnames}/{made['id']}")["status"] == "active", 10)
    route(customers, ROUTERS[how])
    host, path = VISITS[how]
    assert customers.get(host, path).text == f"shop {path}"
    stranger = customers.get(*STRANGERS[how])
    assert (stranger.status_code, stranger.text) == (404, "no such customer")
    if "metadata" in how:
        customers.call("DELETE", f"{hostnames}/{made['id']}")


def test_a_customer_that_fails_is_told_apart_from_one_that_is_not_there(customers: Edge) -> None:
    customers.deploy(
        "broken", "export default { fetch() { throw new Error('out of order'); } };", namespace="customers"
    )
    route(customers, ROUTERS["by subdomain"])
    answer = customers.get("broken.example.com")
    assert (answer.status_code, answer.text) == (500, "customer failed: out of order")


def test_limits_by_plan(customers: Edge) -> None:
    limits = "{ free: { cpuMs: 10, subRequests: 5 }, pro: { cpuMs: 50, subRequests: 50 } }"
    route(customers, f"dispatch(env, 'shop', request, {{}}, {{ limits: ({limits})[request.headers.get('x-plan')] }})")
    assert [customers.get("shop.example.com", headers={"x-plan": plan}).text for plan in ("free", "pro", "none")] == [
        "shop /"
    ] * 3


def test_hosts_are_kept_from_the_router_by_routes_without_a_worker(customers: Edge) -> None:
    route(customers, ROUTERS["by subdomain"])
    customers.route("www.example.com/*", None)
    assert customers.get("shop.example.com").ok
    kept = customers.get("www.example.com")
    assert kept.status_code == 404 and "has no Worker" in kept.text


OUTBOUND = """
export default { async fetch(request, env) {
  if (new URL(request.url).hostname.endsWith(".internal")) return new Response("not for customers", { status: 403 });
  const signed = new Request(request);
  signed.headers.set("x-signed-for", env.customer);
  return Response.json({ to: request.url, signed: signed.headers.get("x-signed-for"), plan: env.plan });
} };
"""


def test_an_outbound_worker_decides_what_customers_may_reach(customers: Edge) -> None:
    customers.deploy("egress", OUTBOUND)
    customers.deploy(
        "asking",
        """export default { async fetch(request) {
      const answers = await Promise.all(["https://api.example.net/x", "http://metadata.internal/"].map((url) => fetch(url)));
      return Response.json([await answers[0].json(), answers[1].status]);
    } };""",
        namespace="customers",
    )
    route(
        customers,
        "dispatch(env, 'asking', request, {}, { outbound: { customer: 'c-1', plan: 'pro' } })",
        outbound={"worker": {"service": "egress"}, "params": [{"name": "customer"}, {"name": "plan"}]},
    )
    assert customers.get("shop.example.com").json() == [
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


def test_a_router_changes_what_goes_in_and_what_comes_out(customers: Edge) -> None:
    customers.deploy(
        "shop",
        "export default { fetch: (request) => new Response(request.headers.get('x-customer'), { status: 202 }) };",
        namespace="customers",
    )
    route(customers, "changed(request, env, ctx)", CHANGING)
    answer = customers.get("shop.example.com")
    assert (answer.status_code, answer.text, answer.headers["x-platform"]) == (202, "shop", "mine")
    (kv,) = customers.call("GET", "/storage/kv/namespaces")
    wait_until(
        lambda: (
            customers.session.get(f"{customers.account}/storage/kv/namespaces/{kv['id']}/values/seen").text
            == "202 true"
        )
    )


EVENTS = """
export default { fetch() {
  const encoder = new TextEncoder();
  return new Response(new ReadableStream({ async start(controller) {
    for (let number = 0; number < 3; number += 1) { controller.enqueue(encoder.encode(`data: ${number}\\n\\n`)); await scheduler.wait(150); }
    controller.close();
  } }), { headers: { "content-type": "text/event-stream" } });
} };
"""


def test_events_come_as_they_happen(customers: Edge) -> None:
    customers.deploy("shop", EVENTS, namespace="customers")
    route(customers, ROUTERS["by subdomain"])
    answer = customers.get("shop.example.com", stream=True)
    parts = list(answer.iter_content(chunk_size=None))
    assert (len(parts), b"".join(parts)) == (3, b"data: 0\n\ndata: 1\n\ndata: 2\n\n")


def test_sockets_go_through_a_router(customers: Edge) -> None:
    customers.deploy("shop", ECHOING, namespace="customers")
    route(customers, ROUTERS["by a record in KV"])
    assert WebSocket(customers, "shop.example.com").send_hi() == b"\x81\x07echo hi"
