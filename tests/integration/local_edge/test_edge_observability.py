# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs and exceptions of Workers, cron triggers and tail Workers."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from edge_process import Edge, Platform, wait_until

pytestmark = pytest.mark.integration

TALKING = """
export default { async fetch(request, env, ctx) {
  console.log("hello %s", "you", { a: [1] });
  console.warn("two\\nlines");
  console.log({ only: "an object" });
  ctx.waitUntil((async () => { throw new Error("thrown later"); })());
  if (request.url.endsWith("/throw")) null.length;
  return new Response("said");
} };
"""


def log_entries(edge: Edge, **query: Any) -> list[tuple[str, str, str]]:
    answer = edge.session.get(edge.api.replace("/client/v4", "/_edge/logs"), params=query)
    assert answer.ok, answer.text
    return [(entry["worker"], entry["level"], entry["text"]) for entry in answer.json()["entries"]]


def test_logs_tenant_output_and_exceptions_are_listed_by_name(platform: Platform) -> None:
    edge = platform.edge
    before = edge.session.get(edge.api.replace("/client/v4", "/_edge/logs")).json()["last"]
    for name in ("a", "b"):
        platform.deploy_tenant(name, TALKING)
    assert platform.get("a").text == "said"
    assert "fetch rejected: Cannot read properties of null" in platform.get("b", "/throw").text
    wait_until(lambda: len(log_entries(edge, after=before)) == 9)
    entries = log_entries(edge, after=before, worker="tenants/a")
    assert entries == log_entries(edge, after=before, worker="a")
    plain = [entry for entry in entries if entry[1] != "exception"]
    assert plain == [
        ("tenants/a", "log", "hello you { a: [ 1 ] }"),
        ("tenants/a", "warn", "two\nlines"),
        ("tenants/a", "log", "{ only: 'an object' }"),
    ]
    (later,) = [text for _worker, level, text in entries if level == "exception"]
    assert later.startswith("Error: thrown later\n") and "index.js:6" in later and "__local_edge" not in later
    thrown = [
        text
        for worker, level, text in log_entries(edge, after=before, worker="b")
        if level == "exception" and "null" in text
    ]
    assert len(thrown) == 1 and "TypeError: Cannot read properties of null" in thrown[0] and "index.js:7" in thrown[0]
    log = edge.log.read_text()
    assert "tenants/a log: hello you { a: [ 1 ] }\n" in log and "tenants/a warn: two\n    lines\n" in log


def test_logs_each_kind_of_failure_is_listed(platform: Platform) -> None:
    platform.deploy_tenant(
        "a",
        """import { WorkerEntrypoint } from "cloudflare:workers";
    export default class extends WorkerEntrypoint {
      async fetch(request) {
        if (!request.url.endsWith("/floating")) throw new Error("in a class");
        Promise.reject(new Error("floating"));
        return new Response("");
      }
    }""",
    )
    platform.get("a")
    platform.get("a", "/floating")
    wait_until(
        lambda: (
            {
                text.split("\n")[0]
                for _worker, level, text in log_entries(platform.edge, worker="a")
                if level == "exception"
            }
            >= {"Error: in a class", "Error: floating"}
        )
    )


def test_logs_worker_cannot_write_as_another(platform: Platform) -> None:
    platform.deploy_tenant(
        "liar",
        "export default { fetch() { console.log('\\x1e0123 x/tenants/victim log\\x1fforged\\x1e'); return new Response(''); } };",
    )
    platform.get("liar")
    wait_until(lambda: bool(log_entries(platform.edge, worker="liar")))
    assert log_entries(platform.edge, worker="victim") == []


def test_logs_command_follow_prints_new_entries(platform: Platform) -> None:
    platform.deploy_tenant(
        "followed",
        "export default { fetch(request) { console.log(new URL(request.url).pathname); return new Response(''); } };",
    )
    platform.get("followed", "/first")
    address = platform.edge.api.split("/")[2]
    command = platform.edge.command("logs", "--api", address, "--worker", "tenants/followed", "--follow")
    follower = subprocess.Popen(command, env=platform.edge.environment(), stdout=subprocess.PIPE, text=True)
    try:
        assert follower.stdout
        assert follower.stdout.readline().endswith("tenants/followed log: /first\n")
        platform.get("followed", "/second")
        assert follower.stdout.readline().endswith("tenants/followed log: /second\n")
        follower.send_signal(signal.SIGINT)
        assert follower.wait(60) == 0
    finally:
        follower.kill()


CRON = """
export default {
  async scheduled(controller, env) {
    await env.DATA.put("fired", `${controller.cron} ${controller.scheduledTime}`);
    if (controller.cron === "1 1 1 1 *") throw new Error("not today");
    if (controller.cron === "2 2 2 2 *") controller.noRetry();
  },
};
"""


def test_scheduled_endpoint_fires_cron_trigger(edge: Edge) -> None:
    kv = edge.call("POST", "/storage/kv/namespaces", json={"title": "fired"})["id"]
    edge.deploy("clock", CRON, bindings=[{"name": "DATA", "type": "kv_namespace", "namespace_id": kv}])
    edge.deploy("deaf", "export default { fetch: () => new Response('') };")
    url = edge.api.replace("/client/v4", "/_edge/scheduled")

    def fire(**tail_events: Any) -> requests.Response:
        return edge.session.post(url, json=tail_events)

    assert fire(worker="clock").status_code == 400
    edge.call("PUT", "/workers/scripts/clock/schedules", json=[{"cron": "*/5 * * * *"}])
    assert fire(worker="clock", time=1_700_000_000_000).json() == {"outcome": "ok", "noRetry": False}
    assert (
        edge.session.get(f"{edge.account}/storage/kv/namespaces/{kv}/values/fired").text == "*/5 * * * * 1700000000000"
    )
    assert fire(worker="clock", cron="1 1 1 1 *").json()["outcome"] == "exception"
    assert fire(worker="clock", cron="2 2 2 2 *").json()["noRetry"] is True
    assert (
        fire(worker="deaf", cron="* * * * *").status_code,
        fire(worker="nobody").status_code,
        fire().status_code,
    ) == (400, 404, 404)


LISTENER = """
export default { async tail(events, env) { for (const event of events) await env.DATA.put(`${event.scriptName} ${event.outcome}`, JSON.stringify(event)); } };
"""


@pytest.fixture
def tail_events(edge: Edge) -> Any:
    """Deploy a tail Worker. Return a function that reads the events it received, by name."""
    kv = edge.call("POST", "/storage/kv/namespaces", json={"title": "told"})["id"]
    edge.deploy("listener", LISTENER, bindings=[{"name": "DATA", "type": "kv_namespace", "namespace_id": kv}])

    def read() -> dict[str, Any]:
        names = [one["name"] for one in edge.call("GET", f"/storage/kv/namespaces/{kv}/keys")]
        return {
            name: edge.session.get(f"{edge.account}/storage/kv/namespaces/{kv}/values/{name}").json() for name in names
        }

    return read


def test_tail_worker_receives_requests_logs_and_exceptions(edge: Edge, tail_events: Any) -> None:
    code = """export default { fetch(request) {
      console.log('hi %s', { a: 1 }, 'there');
      if (request.url.endsWith('/no')) throw new RangeError('far');
      return new Response('x', { status: 201 });
    } };"""
    edge.deploy("watched", code, tail_consumers=[{"service": "listener"}])
    edge.route("watched.example.com/*", "watched")
    assert edge.get("watched.example.com", "/yes").status_code == 201
    edge.get("watched.example.com", "/no")
    wait_until(lambda: set(tail_events()) == {"watched ok", "watched exception"})
    fine, failed = tail_events()["watched ok"], tail_events()["watched exception"]
    assert (fine["event"]["request"]["url"], fine["event"]["response"]["status"]) == (
        "http://watched.example.com/yes",
        201,
    )
    assert [(one["level"], one["message"]) for one in fine["logs"]] == [("log", ["hi %s", {"a": 1}, "there"])]
    assert [one["level"] for one in failed["logs"]] == ["log"]
    assert [(one["name"], one["message"]) for one in failed["exceptions"]] == [("RangeError", "far")]
    assert "index.js:3" in failed["exceptions"][0]["stack"] and "__local_edge" not in failed["exceptions"][0]["stack"]
    assert fine["scriptTags"] == failed["scriptTags"] == []
    edge.call("PUT", "/workers/scripts/watched/tags", json=["plan-pro", "eu"])
    edge.get("watched.example.com", "/yes")
    wait_until(lambda: tail_events()["watched ok"]["scriptTags"] == ["plan-pro", "eu"])


TYPESCRIPT = """// A comment, which is not in the output.
interface Order { id: string }

function fail(order: Order): never {
  throw new RangeError(`no order ${order.id}`);
}

export default {
  async fetch(request: Request): Promise<Response> {
    return fail({ id: new URL(request.url).pathname });
  },
};
"""


def test_stack_traces_are_mapped_to_original_sources(edge: Edge, tail_events: Any, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "orders.ts").write_text(TYPESCRIPT)
    command = ["esbuild", "src/orders.ts", "--bundle", "--minify", "--format=esm", "--sourcemap", "--outfile=index.js"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    code, source_map = (tmp_path / "index.js").read_text(), (tmp_path / "index.js.map").read_text()
    edge.deploy(
        "orders",
        code,
        files={"index.js.map": ("application/source-map", source_map)},
        tail_consumers=[{"service": "listener"}],
    )
    edge.route("orders.example.com/*", "orders")
    assert edge.get("orders.example.com", "/7").status_code == 500
    wait_until(lambda: "orders exception" in tail_events() and bool(log_entries(edge, worker="orders")))
    ((_worker, level, text),) = log_entries(edge, worker="orders")
    assert level == "exception"
    for stack in (text, tail_events()["orders exception"]["exceptions"][0]["stack"]):
        assert "src/orders.ts:5:9" in stack
        assert "src/orders.ts:10:12" in stack
        assert "index.js" not in stack
    edge.deploy("orders", code, tail_consumers=[{"service": "listener"}])
    edge.get("orders.example.com", "/8")
    wait_until(lambda: len(log_entries(edge, worker="orders")) == 2)
    assert "index.js:" in log_entries(edge, worker="orders")[1][2]


CALLED = """
import { DurableObject } from "cloudflare:workers";
export class Bell extends DurableObject {
  async set() { await this.ctx.storage.setAlarm(Date.now()); }
  alarm() {}
}
export default { async fetch(request, env) { await env.BELL.getByName("x").set(); return new Response("set"); } };
"""


def test_tail_worker_receives_only_events_of_its_worker(edge: Edge) -> None:
    kv = edge.call("POST", "/storage/kv/namespaces", json={"title": "every"})["id"]
    listener = """export default { tail: (events, env) =>
      Promise.all(events.map(({ entrypoint = "default", event }) => env.DATA.put(`${entrypoint} ${Object.keys(event)}`, ""))) };"""
    edge.deploy("listener", listener, bindings=[{"name": "DATA", "type": "kv_namespace", "namespace_id": kv}])
    tail_events: dict[str, Any] = {
        "bindings": [{"name": "BELL", "type": "durable_object_namespace", "class_name": "Bell"}],
        "tail_consumers": [{"service": "listener"}],
    }
    edge.deploy("watched", CALLED, migrations={"new_tag": "v1", "new_sqlite_classes": ["Bell"]}, **tail_events)
    edge.route("watched.example.com/*", "watched")
    assert edge.get("watched.example.com").text == "set"
    edge.deploy("watched", CALLED, **tail_events)

    def events() -> set[str]:
        return {one["name"] for one in edge.call("GET", f"/storage/kv/namespaces/{kv}/keys")}

    wait_until(lambda: "Bell scheduledTime" in events())
    time.sleep(0.5)
    assert events() == {"default request,response", "Bell rpcMethod", "Bell scheduledTime"}


def test_tail_worker_of_router_receives_events_of_tenants(platform: Platform, tail_events: Any) -> None:
    edge = platform.edge
    edge.call("PATCH", "/workers/scripts/router/script-settings", json={"tail_consumers": [{"service": "listener"}]})
    platform.deploy_tenant(
        "a", "export default { fetch() { console.log('from a tenant'); return new Response(''); } };"
    )
    platform.get("a")
    wait_until(lambda: set(tail_events()) >= {"router ok", "a ok"})
    assert tail_events()["a ok"]["dispatchNamespace"] == platform.namespace
    assert tail_events()["a ok"]["logs"][0]["message"] == ["from a tenant"]


def test_trusted_namespace_next_upload_sees_cf(platform: Platform) -> None:
    code = "export default { fetch: (request) => Response.json(request.cf?.colo ?? null) };"
    edge = platform.edge
    edge.deploy("direct", code)
    edge.route("direct.example.com/*", "direct")
    assert edge.get("direct.example.com").json() == "LCL"
    platform.deploy_tenant("a", code)
    assert platform.get("a").json() is None
    edge.call(
        "PUT",
        f"/workers/dispatch/namespaces/{platform.namespace}",
        json={"name": platform.namespace, "trusted_workers": True},
    )
    assert platform.get("a").json() is None
    platform.deploy_tenant("a", code)
    assert platform.get("a").json() == "LCL"


def test_visitor_headers_are_set_as_on_cloudflare(edge: Edge) -> None:
    edge.deploy("headers", "export default { fetch: (request) => Response.json(Object.fromEntries(request.headers)) };")
    edge.route("headers.example.com/*", "headers")
    seen = edge.get("headers.example.com", headers={"CF-Connecting-IP": "6.6.6.6", "X-Own": "kept"}).json()
    assert (seen["cf-connecting-ip"], seen["x-forwarded-proto"], seen["x-own"]) == ("127.0.0.1", "http", "kept")


ROUTED = """
export default { async fetch(request, env) {
  const worker = await env.DATA.get(new URL(request.url).hostname);
  return worker ? env.TENANTS.get(worker).fetch(request) : new Response("nobody", { status: 404 });
} };
"""


@pytest.mark.parametrize("failure", ["stopped", "killed"])
def test_warm_tenants_control_plane_down_still_respond(platform: Platform, failure: str) -> None:
    """Tenants found through KV respond as well. Cold tenants return an error until the control plane is back."""
    edge = platform.edge
    kv = edge.call("POST", "/storage/kv/namespaces", json={"title": "records"})["id"]
    edge.call(
        "PUT",
        f"/storage/kv/namespaces/{kv}/bulk",
        json=[{"key": f"{name}.example.com", "value": name} for name in ("warm", "cold")],
    )
    edge.deploy(
        "router",
        ROUTED,
        bindings=[
            {"name": "TENANTS", "type": "dispatch_namespace", "namespace": platform.namespace},
            {"name": "DATA", "type": "kv_namespace", "namespace_id": kv},
        ],
    )
    for name in ("warm", "cold"):
        platform.deploy_tenant(
            name, f"export default {{ fetch() {{ console.log('x'.repeat(1000)); return new Response('{name}'); }} }};"
        )
    assert platform.get("warm").text == "warm"
    control = edge.children()["control"]
    os.kill(control, signal.SIGSTOP if failure == "stopped" else signal.SIGKILL)
    try:
        for _request in range(200):
            assert platform.get("warm").text == "warm"
        colds: list[int] = []
        visitor = threading.Thread(target=lambda: colds.append(platform.get("cold", timeout=30).status_code))
        visitor.start()
        assert platform.get("warm").text == "warm"
        visitor.join()
        assert colds in ([500], [200]), "an error after a timeout, or served by the restarted control plane"
    finally:
        if failure == "stopped":
            os.kill(control, signal.SIGCONT)
    wait_until(lambda: platform.get("cold").text == "cold")
    platform.deploy_tenant("warm", "export default { fetch: () => new Response('new') };")
    assert platform.get("warm").text == "new"


def test_control_plane_killed_keeps_log(platform: Platform) -> None:
    edge = platform.edge
    for number in range(5):
        platform.deploy_tenant("a", f"export default {{ fetch: () => new Response('{number}') }};")
        assert platform.get("a").text == str(number)
        os.kill(edge.children()["control"], signal.SIGKILL)
        edge.session.close()
        assert platform.get("a").text == str(number)
        assert [
            one["id"] for one in edge.call("GET", f"/workers/dispatch/namespaces/{platform.namespace}/scripts")
        ] == ["a"]
