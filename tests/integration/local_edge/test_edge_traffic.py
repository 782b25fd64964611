# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests through workerd: routing, isolation and bindings."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from edge_process import ECHO, TOKEN, Edge, Platform, wait_until
from web_socket import ECHOING, WebSocket

pytestmark = pytest.mark.integration


def test_tenants_see_only_their_own_bindings(platform: Platform) -> None:
    for name in ("a", "b"):
        platform.deploy_tenant(
            name,
            ECHO,
            bindings=[
                {"name": "CONFIG", "type": "json", "json": {"customer": name}},
                {"name": f"SECRET_{name}", "type": "secret_text", "text": f"only-{name}"},
                {"name": "PLAN", "type": "plain_text", "text": "pro"},
            ],
        )
    seen = {name: platform.get(name).json() for name in ("a", "b")}
    assert seen["a"]["env"] == {"CONFIG": {"customer": "a"}, "SECRET_a": "only-a", "PLAN": "pro"}
    assert seen["b"]["env"] == {"CONFIG": {"customer": "b"}, "SECRET_b": "only-b", "PLAN": "pro"}
    assert seen["a"]["cf"] is None
    assert seen["a"]["url"] == "http://a.example.com/"


def test_tenants_have_separate_globals(platform: Platform) -> None:
    count = "globalThis.n = (globalThis.n ?? 0) + 1;"
    code = f"export default {{ fetch() {{ {count} return new Response(String(globalThis.n)); }} }};"
    platform.deploy_tenant("a", code)
    platform.deploy_tenant("b", code)
    assert [platform.get(name).text for name in ("a", "a", "b")] == ["1", "2", "1"]


def test_dispatch_missing_worker_rejects_fetch(platform: Platform) -> None:
    assert platform.get("nobody").text == "fetch rejected: Worker not found."
    platform.deploy_tenant("somebody", ECHO)
    assert platform.get("somebody").status_code == 200
    platform.edge.call("DELETE", "/workers/dispatch/namespaces/tenants/scripts/somebody")
    assert platform.get("somebody").text == "fetch rejected: Worker not found."


def test_upload_applies_to_next_request(platform: Platform) -> None:
    for number in range(100):
        platform.deploy_tenant("a", f"export default {{ fetch() {{ return new Response('{number}'); }} }};")
        assert platform.get("a").text == str(number)


def test_wait_until_completes_after_new_version(platform: Platform) -> None:
    kv = platform.edge.call("POST", "/storage/kv/namespaces", json={"title": "done"})["id"]
    code = """export default { fetch(request, env, ctx) {
      ctx.waitUntil(scheduler.wait(500).then(() => env.DONE.put(request.url, "VERSION")));
      return new Response("VERSION");
    } };"""

    def completed() -> list[str]:
        return sorted(one["name"] for one in platform.edge.call("GET", f"/storage/kv/namespaces/{kv}/keys"))

    for version in ("1", "2"):
        platform.deploy_tenant(
            "a",
            code.replace("VERSION", version),
            bindings=[{"name": "DONE", "type": "kv_namespace", "namespace_id": kv}],
        )
        assert platform.get("a", f"/{version}").text == version
    platform.edge.call("DELETE", f"/workers/dispatch/namespaces/{platform.namespace}/scripts/a")
    wait_until(lambda: completed() == ["http://a.example.com/1", "http://a.example.com/2"])


def test_secret_or_settings_change_applies_to_next_request(platform: Platform) -> None:
    platform.deploy_tenant("a", ECHO)
    path = "/workers/dispatch/namespaces/tenants/scripts/a"
    for text in ("one", "two"):
        platform.edge.call("PUT", f"{path}/secrets", json={"name": "S", "text": text, "type": "secret_text"})
        assert platform.get("a").json()["env"] == {"S": text}
    platform.edge.call("PATCH", f"{path}/settings", files={"settings": (None, '{"bindings": []}')})
    assert platform.get("a").json()["env"] == {}


def test_service_binding_fetch_reaches_target(edge: Edge) -> None:
    edge.deploy(
        "inner",
        "export default { async fetch(request) { return new Response(`inner got ${await request.text()}`); } };",
    )
    edge.deploy(
        "outer",
        "export default { fetch(request, env) { return env.INNER.fetch(request); } };",
        bindings=[{"name": "INNER", "type": "service", "service": "inner"}],
    )
    edge.route("example.com/*", "outer")
    assert edge.get("example.com", method="POST", data="this").text == "inner got this"


def test_module_of_each_type_is_imported(edge: Edge) -> None:
    code = """
    import { number } from "./lib/deep.js"; import text from "./note.txt"; import data from "./blob.bin";
    import settings from "./settings.json"; import common from "./old.cjs"; import wasm from "./add.wasm";
    const { exports } = await WebAssembly.instantiate(wasm);
    export default { fetch: () => Response.json([number, text, [...new Uint8Array(data)], settings, common.answer, exports.add(2, 3)]) };
    """
    add = bytes.fromhex("0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b")
    edge.deploy(
        "w",
        code,
        files={
            "lib/deep.js": ("application/javascript+module", 'export { number } from "../number.js";'),
            "number.js": ("application/javascript+module", "export const number = 7;"),
            "note.txt": ("text/plain", "Grüße"),
            "blob.bin": ("application/octet-stream", b"\x00\xff"),
            "settings.json": ("application/javascript+module", 'export default JSON.parse("[1]");'),
            "old.cjs": ("application/javascript", "module.exports = { answer: 42 };"),
            "add.wasm": ("application/wasm", add),
        },
    )
    edge.route("example.com/*", "w")
    assert edge.get("example.com").json() == [7, "Grüße", [0, 255], [1], 42, 5]


def test_route_most_specific_pattern_wins(edge: Edge) -> None:
    for name in ("all", "wild", "host", "path"):
        edge.deploy(name, f"export default {{ fetch: () => new Response('{name}') }};")
    edge.route("*/*", "all", zone="platform.localhost")
    edge.route("*.example.com/*", "wild")
    edge.route("a.example.com/*", "host")
    edge.route("a.example.com/deep/*", "path")
    edge.route("a.example.com/deep/none*", None)
    assert edge.get("shop.customer.test").text == "all"
    assert edge.get("b.example.com").text == "wild"
    assert edge.get("A.Example.COM:8787").text == "host"
    assert edge.get("a.example.com", "/deep/er").text == "path"
    nowhere = edge.get("a.example.com", "/deep/nonesuch")
    assert nowhere.status_code == 404
    assert "has no Worker" in nowhere.text


def test_route_pattern_matches_query(edge: Edge) -> None:
    for name in ("all", "exact"):
        edge.deploy(name, f"export default {{ fetch: () => new Response('{name}') }};")
    edge.route("a.example.com/*", "all")
    edge.route("a.example.com/exact", "exact")
    edge.route("a.example.com/begins*", "exact")
    edge.route("a.example.com/none", None)
    seen = {path: edge.get("a.example.com", path).text for path in ("/exact", "/exact?x=1", "/begins?x=1", "/none?x=1")}
    assert seen == {"/exact": "exact", "/exact?x=1": "all", "/begins?x=1": "exact", "/none?x=1": "all"}
    assert edge.get("a.example.com", "/none").status_code == 404


@pytest.mark.parametrize("host", ["bücher.example.com", "*.bücher.example.com", "*bücher.example.com"])
def test_route_host_in_any_script_matches(edge: Edge, host: str) -> None:
    edge.deploy("books", "export default { fetch: () => new Response('books') };")
    edge.route(f"{host}/*", "books")
    assert edge.get(host.replace("*", "a" if "*." in host else "").encode("idna").decode()).text == "books"


OWN_HOSTS = ["router.local-edge.workers.dev", "router.local-edge.workers.localhost", "router.workers.localhost"]


@pytest.mark.parametrize("host", OWN_HOSTS)
def test_workers_dev_host_reaches_worker(edge: Edge, host: str) -> None:
    edge.deploy("all", "export default { fetch: () => new Response('all') };")
    edge.route("*/*", "all", zone="platform.localhost")
    edge.deploy("router", ECHO)
    undeployed = edge.get(host)
    assert undeployed.status_code == 404
    assert f"No Worker answers at {host}." in undeployed.text
    edge.call("POST", "/workers/scripts/router/subdomain", json={"enabled": True})
    assert edge.get(host, "/x").json()["url"].endswith("/x")
    edge.call("DELETE", "/workers/scripts/router/subdomain")
    assert edge.get(host).status_code == 404


def test_workers_dev_host_of_no_worker_reaches_no_route(edge: Edge) -> None:
    edge.deploy("all", "export default { fetch: () => new Response('all') };")
    edge.route("*/*", "all", zone="platform.localhost")
    assert edge.get("customer.example.net").text == "all"
    for host in ("workers.dev", "nobody.local-edge.workers.dev", "nobody.workers.localhost", "workers.localhost"):
        assert edge.get(host).status_code == 404


def test_workers_dev_host_of_two_accounts_belongs_to_the_first(start: Callable[..., Edge]) -> None:
    accounts = ["a" * 32, "b" * 32]
    edge = start("--account", accounts[0], "--account", accounts[1])
    for account in reversed(accounts):
        edge.account = f"{edge.api}/accounts/{account}"
        edge.call("PUT", "/workers/subdomain", json={"subdomain": account[0]})
        edge.deploy("router", f"export default {{ fetch: () => new Response({account[0]!r}) }};")
        edge.call("POST", "/workers/scripts/router/subdomain", json={"enabled": True})
    hosts = ("router.workers.localhost", "router.a.workers.localhost", "router.b.workers.localhost")
    assert [edge.get(host).text for host in hosts] == ["a", "a", "b"]


def test_visit_without_route_explains_how_to_list_routes(edge: Edge) -> None:
    response = edge.get("nobody.platform.localhost")
    assert response.status_code == 404
    assert "No route matches nobody.platform.localhost." in response.text
    assert f"{edge.zone['platform.localhost']}/workers/routes" in response.text
    assert "is not in a zone of this edge" in edge.get("elsewhere.test").text


def test_visit_worker_throws_returns_error_page(edge: Edge) -> None:
    edge.deploy("w", "export default { fetch() { throw new TypeError('broken on purpose'); } };")
    edge.route("example.com/*", "w")
    response = edge.get("example.com")
    assert response.status_code == 500
    assert "1101" in response.text
    assert "TypeError: broken on purpose" in response.text


def test_egress_none_blocks_all_connections(platform: Platform) -> None:
    platform.deploy_tenant(
        "a",
        """import { connect } from "cloudflare:sockets";
    export default { async fetch(request) {
      const tries = { fetch: () => fetch("https://example.org/"), api: () => fetch(request.headers.get("x-api")),
                      connect: async () => { const socket = connect("127.0.0.1:22"); await socket.opened; return "open"; } };
      const seen = {};
      for (const [name, go] of Object.entries(tries)) seen[name] = await go().then(() => "out", (error) => error.message);
      return Response.json(seen);
    } };""",
    )
    seen = platform.get("a", headers={"x-api": platform.edge.api}).json()
    assert "blocked: the local edge" in seen["fetch"]
    assert "https://example.org" in seen["fetch"]
    assert "blocked: the local edge" in seen["api"]
    assert seen["connect"] not in ("open", "out")


PUBLISHER = """
export default { async fetch(request, env) {
  const form = new FormData();
  form.set("metadata", JSON.stringify({ main_module: "index.js", compatibility_date: "2026-11-01" }));
  form.set("index.js", new File(["export default { fetch: () => new Response('published') };"], "index.js", { type: "application/javascript+module" }));
  const url = `https://api.cloudflare.com/client/v4/accounts/${env.ACCOUNT}/workers/dispatch/namespaces/tenants/scripts/fresh`;
  const answer = await fetch(url, { method: "PUT", body: form, headers: { authorization: `Bearer ${env.TOKEN}` } });
  return new Response(`${answer.status} ${await (await env.TENANTS.get("fresh").fetch("http://fresh/")).text()}`);
} };
"""


def test_worker_uploads_another_through_api(platform: Platform) -> None:
    edge = platform.edge
    edge.deploy(
        "publisher",
        PUBLISHER,
        bindings=[
            {"name": "TENANTS", "type": "dispatch_namespace", "namespace": platform.namespace},
            {"name": "TOKEN", "type": "secret_text", "text": TOKEN},
            {"name": "ACCOUNT", "type": "plain_text", "text": edge.ready["accounts"][0]["id"]},
        ],
    )
    edge.route("publisher.example.com/*", "publisher")
    assert edge.get("publisher.example.com").text == "200 published"


def test_visit_streams_bodies_and_redirects_pass_through(platform: Platform) -> None:
    platform.deploy_tenant(
        "a",
        """export default { async fetch(request) {
      if (new URL(request.url).pathname === "/away") return Response.redirect("https://example.org/", 302);
      return new Response(request.body, { headers: { "x-method": request.method } });
    } };""",
    )
    big = b"x" * 5_000_000
    echoed = platform.get("a", method="PUT", data=big)
    assert echoed.content == big
    assert echoed.headers["x-method"] == "PUT"
    assert platform.get("a", "/away").headers["location"] == "https://example.org/"


def test_egress_open_allows_only_public_addresses(start: Callable[..., Edge]) -> None:
    platform = Platform(start("--egress", "internet"))
    platform.deploy_tenant(
        "a",
        """export default { async fetch(request) {
      return new Response(await fetch(request.headers.get("x-to")).then(() => "out", (error) => `refused: ${error.message}`));
    } };""",
    )
    seen = platform.get("a", headers={"x-to": f"{platform.edge.api}/accounts"}).text
    assert seen.startswith("refused")
    assert "blocked" not in seen


@pytest.mark.parametrize("host", ["a b", "[", "ex ample.com:x"])
def test_visit_invalid_host_is_refused(edge: Edge, host: str) -> None:
    assert edge.get(host).status_code == 400


def test_visit_web_socket_connects(platform: Platform) -> None:
    platform.deploy_tenant("a", ECHOING)
    assert WebSocket(platform.edge, "a.example.com").send_hi() == b"\x81\x07echo hi"


PLACES = """
import { WorkerEntrypoint } from "cloudflare:workers";
export class Named extends WorkerEntrypoint { fetch(request) { return Response.json(request.cf?.colo ?? null); } }
export default { async fetch(request, env) {
  const copies = [request, request.clone(), new Request(request), new Request("http://elsewhere/", request)].map(({ cf }) => cf?.colo ?? null);
  return Response.json([...copies, env.NAMED ? await (await env.NAMED.fetch(request)).json() : null]);
} };
"""


def test_request_cf_is_kept_in_copies_and_named_entrypoints(platform: Platform) -> None:
    platform.edge.deploy("own", PLACES)
    platform.edge.deploy(
        "own", PLACES, bindings=[{"name": "NAMED", "type": "service", "service": "own", "entrypoint": "Named"}]
    )
    platform.edge.route("own.example.com/*", "own")
    platform.deploy_tenant("a", PLACES)
    assert platform.edge.get("own.example.com").json() == ["LCL"] * 5
    assert platform.get("a").json() == [None] * 5
