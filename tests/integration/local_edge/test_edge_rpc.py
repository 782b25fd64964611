# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What leads from one Worker to another: service bindings and dispatch namespaces, by request and by RPC."""

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
  const seen = {};
  const note = async (name, act) => { try { seen[name] = await act(); } catch (error) { seen[name] = `${error.name}: ${error.message}`; } };
  await note("add", () => target.add(2, 3));
  await note("pipelined", () => target.handle(5).plus(4));
  await note("value", () => target.value);
  await note("back", () => target.call((n) => n * 2));
  await note("boom", () => target.boom());
  await note("nothing", () => target.nothing());
  await note("stream", async () => new Response(await target.stream()).text());
  await note("fetch", async () => (await target.fetch("http://x/", { method: "POST", body: "b" })).json());
"""
CALLED = {"add": 5, "pipelined": 9, "value": "v", "back": 40, "boom": "RangeError: too far", "stream": "streamed"}


def seen_by(edge: Edge, code: str, **options: Any) -> Any:
    """What a Worker at caller.example.com answers."""
    edge.deploy(
        "caller",
        f"export default {{ async fetch(request, env, ctx) {{ {code} return Response.json(seen); }} }};",
        **options,
    )
    edge.route("caller.example.com/*", "caller")
    return edge.get("caller.example.com").json()


def test_a_service_is_called_by_rpc(edge: Edge) -> None:
    edge.deploy("target", TARGET)
    bindings = [
        {"name": "S", "type": "service", "service": "target"},
        {"name": "N", "type": "service", "service": "target", "entrypoint": "Named", "props": {"a": 1}},
        {"name": "M", "type": "service", "service": "target", "entrypoint": "Missing"},
    ]
    more = """await note('named', () => env.N.who()); await note('fetched', async () => (await env.N.fetch('http://x/')).text());
              await note('missing', () => env.M.who());"""
    seen = seen_by(edge, f"const target = env.S; {CALLS} {more}", bindings=bindings)
    assert seen.items() >= {**CALLED, "fetch": ["POST", None], "named": ["named", {"a": 1}], "fetched": "named"}.items()
    assert "does not implement the method" in seen["nothing"]
    assert "no such entrypoint" in seen["missing"]


def test_the_first_call_finds_the_target_too(edge: Edge) -> None:
    """Where the target is not at hand yet, as after each of its versions."""
    code = "const seen = [await env.S.handle(5).plus(4), await env.S.value, await env.S.add(1, 2)];"
    for version in range(3):
        edge.deploy("target", TARGET.replace('"v"', f'"v{version}"'))
        assert seen_by(edge, code, bindings=[{"name": "S", "type": "service", "service": "target"}]) == [
            9,
            f"v{version}",
            3,
        ]
        edge.wipe()


def dispatched(edge: Edge, code: str) -> Any:
    edge.call("POST", "/workers/dispatch/namespaces", json={"name": "tenants"})
    edge.deploy("tenant", TARGET, namespace="tenants")
    return seen_by(edge, code, bindings=[{"name": "TENANTS", "type": "dispatch_namespace", "namespace": "tenants"}])


def test_a_tenant_is_called_by_rpc(edge: Edge) -> None:
    seen = dispatched(edge, f"const target = env.TENANTS.get('tenant'); {CALLS}")
    assert seen.items() >= CALLED.items()
    assert "does not implement the method" in seen["nothing"]


def test_arguments_are_the_props_of_the_tenant_and_limits_are_taken(edge: Edge) -> None:
    seen = dispatched(
        edge,
        """
      const target = env.TENANTS.get("tenant", { plan: "pro", seats: [1, 2] }, { limits: { cpuMs: 10, subRequests: 5 } });
      const free = env.TENANTS.get("tenant", { plan: "free" });
      const seen = [await target.props(), await (await target.fetch(request)).json(), await (await free.fetch(request)).json(),
                    await env.TENANTS.get("tenant").props()];""",
    )
    assert seen == [{"plan": "pro", "seats": [1, 2]}, ["GET", "pro"], ["GET", "free"], {}]


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
def test_hostile_names_are_workers_that_are_not_there(edge: Edge, name: str) -> None:
    code = f"const stub = env.TENANTS.get({name!r}); const tries = [() => stub.fetch(request), () => stub.add(1, 2)];"
    collect = (
        "const seen = []; for (const go of tries) seen.push(await go().then(() => 'there', (error) => error.message));"
    )
    assert dispatched(edge, code + collect) == ["Worker not found."] * 2


LOOP = "export default { fetch(request, env) { return env.NEXT.fetch(request); } };"


def test_a_loop_between_services_ends_in_an_error_and_harms_nobody(edge: Edge) -> None:
    edge.deploy("one", LOOP.replace("NEXT", "GONE"), bindings=[])
    edge.deploy("other", LOOP, bindings=[{"name": "NEXT", "type": "service", "service": "one"}])
    edge.deploy("one", LOOP, bindings=[{"name": "NEXT", "type": "service", "service": "other"}])
    edge.route("loop.example.com/*", "one")
    edge.deploy("good", "export default { fetch: () => new Response('good') };")
    edge.route("good.example.com/*", "good")
    before = edge.children()["edge"]
    page = edge.get("loop.example.com")
    assert page.status_code == 500
    assert "Subrequest depth limit exceeded" in page.text
    assert edge.get("good.example.com").text == "good"
    assert edge.children()["edge"] == before


def test_a_tenant_that_dispatches_to_itself(platform: Platform) -> None:
    code = "export default { fetch(request, env) { return env.TENANTS.get('a').fetch(request); } };"
    platform.deploy_tenant(
        "a", code, bindings=[{"name": "TENANTS", "type": "dispatch_namespace", "namespace": platform.namespace}]
    )
    assert "Subrequest depth limit exceeded" in platform.get("a").text


SAY = """
const say = async (request) => Response.json([request.method, request.url, request.headers.get("x-a"), await request.text(), request.cf?.hint ?? null]);
"""
CALLER = (
    SAY
    + """
import { DurableObject } from "cloudflare:workers";
export class Echo extends DurableObject { fetch(request) { return say(request); } }
export default { async fetch(request, env) {
  const targets = [env.TENANTS.get("echo"), env.TRUSTED.get("echo"), env.ECHO, env.OBJECTS.getByName("x")];
  const make = () => new Request("http://before/", { method: "POST", body: "hello", headers: { "x-a": "1" }, cf: { hint: "near" } });
  return Response.json(await Promise.all(targets.map(async (target) => (await target.fetch("http://after/", make())).json())));
} };
"""
)


def test_a_request_is_made_of_an_address_and_another_request(platform: Platform) -> None:
    edge = platform.edge
    edge.call("POST", "/workers/dispatch/namespaces", json={"name": "trusted", "trusted_workers": True})
    echo = SAY + "export default { fetch: say };"
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
    sent = ["POST", "http://after/", "1", "hello"]
    assert edge.get("caller.example.com").json() == [[*sent, None], [*sent, "near"], [*sent, "near"], [*sent, "near"]]
