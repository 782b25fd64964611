# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The global `fetch` of Workers: hosts of the account's other Workers are reached, others are not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from edge_process import Edge, running_edge
from web_socket import ECHOING

pytestmark = pytest.mark.integration

TARGET = """
export default { async fetch(request) {
  const headers = Object.fromEntries(["cf-connecting-ip", "x-forwarded-proto", "x-own"].map((name) => [name, request.headers.get(name)]));
  return Response.json({ url: request.url, method: request.method, body: await request.text(), headers, cf: request.cf?.colo ?? null });
} };
"""
CALLER = """
export default { async fetch(request) {
  const to = request.headers.get("x-to");
  try {
    const answer = await fetch(to, { method: "POST", body: "hello", headers: { "x-own": "kept" } });
    return new Response(answer.body, { status: answer.status });
  } catch (error) { return new Response(error.message, { status: 502 }); }
} };
"""
HOSTS = {
    "route": "https://target.example.com/path?q=1",
    "route of another zone": "https://target.platform.localhost/path?q=1",
    "custom domain": "https://domain.example.com/path?q=1",
    "custom hostname": "https://www.customer.dev/path?q=1",
    "workers.dev": "https://target.local-edge.workers.dev/path?q=1",
    "workers.localhost": "http://target.workers.localhost:8787/path?q=1",
}
BLOCKED = "gives Workers no way out"


@pytest.fixture(scope="module")
def module_edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """Provide an edge on which custom hostnames are active at once."""
    with running_edge(tmp_path_factory.mktemp("edge") / "data", "--custom-hostname-seconds", "0") as edge:
        yield edge


@pytest.fixture
def fetching_edge(edge: Edge) -> Edge:
    """Provide a caller at caller.example.com, and a target with a host of each kind."""
    edge.deploy("target", TARGET)
    edge.deploy("caller", CALLER)
    edge.route("caller.example.com/*", "caller")
    edge.route("target.example.com/*", "target")
    edge.route("target.platform.localhost/*", "target", zone="platform.localhost")
    edge.call("PUT", "/workers/domains", json={"hostname": "domain.example.com", "service": "target"})
    edge.call("POST", f"{edge.zone['example.com']}/custom_hostnames", json={"hostname": "www.customer.dev"})
    edge.route("www.customer.dev/*", "target")
    edge.call("POST", "/workers/scripts/target/subdomain", json={"enabled": True})
    return edge


@pytest.mark.parametrize("kind", HOSTS)
def test_fetch_host_of_worker_reaches_it(fetching_edge: Edge, kind: str) -> None:
    answer = fetching_edge.get("caller.example.com", headers={"x-to": HOSTS[kind]})
    assert answer.status_code == 200, answer.text
    scheme = HOSTS[kind].partition(":")[0]
    assert answer.json() == {
        "url": HOSTS[kind],
        "method": "POST",
        "body": "hello",
        "headers": {"cf-connecting-ip": "2a06:98c0:3600::103", "x-forwarded-proto": scheme, "x-own": "kept"},
        "cf": "LCL",
    }


def test_fetch_host_of_worker_reaches_it_from_tenant(fetching_edge: Edge) -> None:
    edge = fetching_edge
    edge.call("POST", "/workers/dispatch/namespaces", json={"name": "tenants"})
    edge.deploy("tenant", CALLER, namespace="tenants")
    binding = {"name": "TENANTS", "type": "dispatch_namespace", "namespace": "tenants"}
    router = "export default { fetch: (request, env) => env.TENANTS.get('tenant').fetch(request) };"
    edge.deploy("router", router, bindings=[binding])
    edge.route("tenant.example.com/*", "router")
    assert edge.get("tenant.example.com", headers={"x-to": HOSTS["route"]}).json()["body"] == "hello"


@pytest.mark.parametrize(
    "url",
    [
        "https://nobody.example.com/",
        "https://nobody.workers.dev/",
        "https://api.elsewhere.test/",
        "http://127.0.0.1/",
        "https://caller.example.com/",
    ],
)
def test_fetch_other_host_is_blocked(fetching_edge: Edge, url: str) -> None:
    fetching_edge.deploy("all", "export default { fetch: () => new Response('all') };")
    fetching_edge.route("*/*", "all", zone="platform.localhost")
    answer = fetching_edge.get("caller.example.com", headers={"x-to": url})
    assert answer.status_code == 502
    assert BLOCKED in answer.text


def test_fetch_worker_throws_returns_error_page(fetching_edge: Edge) -> None:
    fetching_edge.deploy("target", "export default { fetch() { throw new Error('broken'); } };")
    answer = fetching_edge.get("caller.example.com", headers={"x-to": HOSTS["route"]})
    assert answer.status_code == 500
    assert "1101" in answer.text


@pytest.mark.parametrize(
    "forwarding", ["fetch(NEXT, request)", "fetch(NEXT)"], ids=["headers passed on", "headers dropped"]
)
def test_fetch_circle_of_workers_ends(edge: Edge, forwarding: str) -> None:
    for name, other in (("ping", "pong"), ("pong", "ping")):
        code = forwarding.replace("NEXT", f"'http://{other}.example.com/'")
        edge.deploy(name, f"export default {{ fetch: (request) => {code} }};")
        edge.route(f"{name}.example.com/*", name)
    answer = edge.get("ping.example.com")
    assert answer.status_code == 500
    assert "Subrequest depth limit exceeded" in edge.log.read_text()


def test_fetch_own_route_strictly_public_reaches_itself(edge: Edge) -> None:
    code = """export default { async fetch(request) {
      const { pathname, origin } = new URL(request.url);
      return pathname === "/inner" ? new Response("inner") : fetch(`${origin}/inner`);
    } };"""
    edge.deploy("w", code)
    edge.route("w.example.com/*", "w")
    assert edge.get("w.example.com").status_code == 500
    edge.deploy("w", code, compatibility_flags=["global_fetch_strictly_public"])
    assert edge.get("w.example.com").text == "inner"


def test_fetch_web_socket_of_worker_connects(fetching_edge: Edge) -> None:
    edge = fetching_edge
    edge.deploy("target", ECHOING)
    code = """export default { async fetch() {
      const { webSocket } = await fetch("http://target.example.com/", { headers: { upgrade: "websocket" } });
      webSocket.accept();
      const heard = new Promise((resolve) => webSocket.addEventListener("message", ({ data }) => resolve(data)));
      webSocket.send("hi");
      return new Response(await heard);
    } };"""
    edge.deploy("caller", code)
    assert edge.get("caller.example.com").text == "echo hi"
