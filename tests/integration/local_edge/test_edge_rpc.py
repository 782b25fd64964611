# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls between Workers through service bindings and dispatch namespaces, by fetch and by RPC."""

from __future__ import annotations

from typing import Any

import pytest
from edge_process import Edge, Platform

pytestmark = pytest.mark.integration

TARGET = """
import { RpcTarget, WorkerEntrypoint } from "cloudflare:workers";
class Handle extends RpcTarget { constructor(value) { super(); this.value = value; } plus(more) { return this.value + more; } }
export default class extends WorkerEntrypoint {
  add(one, other) { return one + other; }
  handle(value) { return new Handle(value); }
  call(back) { return back(20); }
  stream() { return new Response("streamed").body; }
  boom() { throw new RangeError("too far"); }
  get value() { return "v"; }
  props() { return this.ctx.props ?? null; }
  fetch(request) { return Response.json([request.method, this.ctx.props?.plan ?? null]); }
}
export class Named extends WorkerEntrypoint { who() { return ["named", this.ctx.props]; } fetch() { return new Response("named"); } }
"""
CALLS = """
  const result = {};
  const note = async (name, act) => {
    try { result[name] = await act(); } catch (error) { result[name] = `${error.name}: ${error.message}`; }
  };
  await note("add", () => target.add(2, 3));
  await note("pipelined", () => target.handle(5).plus(4));
  await note("value", () => target.value);
  await note("back", () => target.call((n) => n * 2));
  await note("boom", () => target.boom());
  await note("nothing", () => target.nothing());
  await note("stream", async () => new Response(await target.stream()).text());
  await note("fetch", async () => (await target.fetch("http://x/", { method: "POST", body: "b" })).json());
"""
CALL_RESULTS = {"add": 5, "pipelined": 9, "value": "v", "back": 40, "boom": "RangeError: too far", "stream": "streamed"}


def run_in_worker(edge: Edge, code: str, **options: Any) -> Any:
    """Deploy a Worker that runs the code, and return its `result`."""
    edge.deploy(
        "caller",
        f"export default {{ async fetch(request, env, ctx) {{ {code} return Response.json(result); }} }};",
        **options,
    )
    edge.route("caller.example.com/*", "caller")
    return edge.get("caller.example.com").json()


def test_service_binding_rpc_calls_return_results(edge: Edge) -> None:
    edge.deploy("target", TARGET)
    bindings = [
        {"name": "S", "type": "service", "service": "target"},
        {"name": "N", "type": "service", "service": "target", "entrypoint": "Named", "props": {"a": 1}},
        {"name": "M", "type": "service", "service": "target", "entrypoint": "Missing"},
    ]
    more = """await note('named', () => env.N.who()); await note('fetched', async () => (await env.N.fetch('http://x/')).text());
              await note('missing', () => env.M.who());"""
    result = run_in_worker(edge, f"const target = env.S; {CALLS} {more}", bindings=bindings)
    assert (
        result.items()
        >= {**CALL_RESULTS, "fetch": ["POST", None], "named": ["named", {"a": 1}], "fetched": "named"}.items()
    )
    assert "does not implement the method" in result["nothing"]
    assert "no such entrypoint" in result["missing"]


def test_service_binding_first_call_to_new_version_succeeds(edge: Edge) -> None:
    """The target is not loaded yet, as after each of its versions."""
    code = "const result = [await env.S.handle(5).plus(4), await env.S.value, await env.S.add(1, 2)];"
    for version in range(3):
        edge.deploy("target", TARGET.replace('"v"', f'"v{version}"'))
        assert run_in_worker(edge, code, bindings=[{"name": "S", "type": "service", "service": "target"}]) == [
            9,
            f"v{version}",
            3,
        ]
        edge.wipe()


def run_with_tenant(edge: Edge, code: str) -> Any:
    edge.call("POST", "/workers/dispatch/namespaces", json={"name": "tenants"})
    edge.deploy("tenant", TARGET, namespace="tenants")
    return run_in_worker(
        edge, code, bindings=[{"name": "TENANTS", "type": "dispatch_namespace", "namespace": "tenants"}]
    )


def test_dispatch_rpc_calls_return_results(edge: Edge) -> None:
    result = run_with_tenant(edge, f"const target = env.TENANTS.get('tenant'); {CALLS}")
    assert result.items() >= CALL_RESULTS.items()
    assert "does not implement the method" in result["nothing"]


def test_dispatch_arguments_become_props_of_tenant(edge: Edge) -> None:
    result = run_with_tenant(
        edge,
        """
      const target = env.TENANTS.get("tenant", { plan: "pro", seats: [1, 2] }, { limits: { cpuMs: 10, subRequests: 5 } });
      const free = env.TENANTS.get("tenant", { plan: "free" });
      const result = [await target.props(), await (await target.fetch(request)).json(), await (await free.fetch(request)).json(),
                    await env.TENANTS.get("tenant").props()];""",
    )
    assert result == [{"plan": "pro", "seats": [1, 2]}, ["GET", "pro"], ["GET", "free"], {}]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../../workers",
        "a/b",
        "__proto__",
        "constructor",
        "then",
        "no\\u0000pe",
        "é",
        "tenant ",
        "Tenant",
        "x" * 300,
        "tenant%00",
        "?",
        "#",
    ],
)
def test_dispatch_hostile_name_is_not_found(edge: Edge, name: str) -> None:
    code = f"const stub = env.TENANTS.get({name!r}); const tries = [() => stub.fetch(request), () => stub.add(1, 2)];"
    collect = "const result = []; for (const go of tries) result.push(await go().then(() => 'there', (error) => error.message));"
    assert run_with_tenant(edge, code + collect) == ["Worker not found."] * 2


LOOP = "export default { fetch(request, env) { return env.NEXT.fetch(request); } };"


def test_service_loop_ends_with_depth_error(edge: Edge) -> None:
    edge.deploy("one", LOOP.replace("NEXT", "GONE"), bindings=[])
    edge.deploy("other", LOOP, bindings=[{"name": "NEXT", "type": "service", "service": "one"}])
    edge.deploy("one", LOOP, bindings=[{"name": "NEXT", "type": "service", "service": "other"}])
    edge.route("loop.example.com/*", "one")
    edge.deploy("good", "export default { fetch: () => new Response('good') };")
    edge.route("good.example.com/*", "good")
    before = edge.children()["edge"]
    response = edge.get("loop.example.com")
    assert response.status_code == 500
    assert "Subrequest depth limit exceeded" in response.text
    assert edge.get("good.example.com").text == "good"
    assert edge.children()["edge"] == before


def test_dispatch_to_itself_ends_with_depth_error(platform: Platform) -> None:
    code = "export default { fetch(request, env) { return env.TENANTS.get('a').fetch(request); } };"
    platform.deploy_tenant(
        "a", code, bindings=[{"name": "TENANTS", "type": "dispatch_namespace", "namespace": platform.namespace}]
    )
    assert "Subrequest depth limit exceeded" in platform.get("a").text


DESCRIBE_REQUEST = """
const describe = async (request) => Response.json([request.method, request.url, request.headers.get("x-a"), await request.text(), request.cf?.hint ?? null]);
"""
CALLER = (
    DESCRIBE_REQUEST
    + """
import { DurableObject } from "cloudflare:workers";
export class Echo extends DurableObject { fetch(request) { return describe(request); } }
export default { async fetch(request, env) {
  const targets = [env.TENANTS.get("echo"), env.TRUSTED.get("echo"), env.ECHO, env.OBJECTS.getByName("x")];
  const make = () => new Request("http://before/", { method: "POST", body: "hello", headers: { "x-a": "1" }, cf: { hint: "near" } });
  return Response.json(await Promise.all(targets.map(async (target) => (await target.fetch("http://after/", make())).json())));
} };
"""
)


def test_fetch_url_and_request_are_combined(platform: Platform) -> None:
    edge = platform.edge
    edge.call("POST", "/workers/dispatch/namespaces", json={"name": "trusted", "trusted_workers": True})
    echo = DESCRIBE_REQUEST + "export default { fetch: describe };"
    edge.deploy("echo", echo)
    platform.deploy_tenant("echo", echo)
    edge.deploy("echo", echo, namespace="trusted")
    edge.deploy(
        "caller",
        CALLER,
        migrations={"new_tag": "v1", "new_sqlite_classes": ["Echo"]},
        bindings=[
            {"name": "TENANTS", "type": "dispatch_namespace", "namespace": "tenants"},
            {"name": "TRUSTED", "type": "dispatch_namespace", "namespace": "trusted"},
            {"name": "ECHO", "type": "service", "service": "echo"},
            {"name": "OBJECTS", "type": "durable_object_namespace", "class_name": "Echo"},
        ],
    )
    edge.route("caller.example.com/*", "caller")
    expected = ["POST", "http://after/", "1", "hello"]
    assert edge.get("caller.example.com").json() == [
        [*expected, None],
        [*expected, "near"],
        [*expected, "near"],
        [*expected, "near"],
    ]
