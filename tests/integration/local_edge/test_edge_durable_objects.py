# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durable Objects of uploaded Workers: identity, storage, alarms, WebSockets and lifetime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from edge_process import Edge, Platform, wait_until
from web_socket import WebSocket

pytestmark = pytest.mark.integration

COUNTER = """
import { DurableObject, RpcTarget } from "cloudflare:workers";
class Handle extends RpcTarget { constructor(value) { super(); this.value = value; } plus(more) { return this.value + more; } }
export class Counter extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.here = 0;
    ctx.blockConcurrencyWhile(async () => { this.loaded = (await ctx.storage.get("n")) ?? 0; });
  }
  async add(by) { const n = ((await this.ctx.storage.get("n")) ?? 0) + by; await this.ctx.storage.put("n", n); return n; }
  rows() {
    const { sql } = this.ctx.storage;
    sql.exec("create table if not exists t (a)");
    sql.exec("insert into t values (?)", this.here);
    return sql.exec("select count(*) c from t").one().c;
  }
  handle() { return new Handle(40); }
  get version() { return "VERSION"; }
  who() { return { id: this.ctx.id.toString(), name: this.ctx.id.name ?? null, here: this.here++, loaded: this.loaded, greeting: this.env.GREETING }; }
  boom() { throw new RangeError("too far"); }
  async alarmIn(milliseconds) { await this.ctx.storage.setAlarm(Date.now() + milliseconds); return (await this.ctx.storage.getAlarm()) !== null; }
  async emptied() { await this.alarmIn(60_000); await this.ctx.storage.deleteAll(); return (await this.ctx.storage.getAlarm()) !== null; }
  async alarm() { await this.add(100); if ((await this.ctx.storage.getAlarm()) !== null) throw new Error("an alarm that fires is not set"); }
  fetch(request) {
    if (request.headers.get("upgrade")) {
      const pair = new WebSocketPair();
      this.ctx.acceptWebSocket(pair[1]);
      return new Response(null, { status: 101, webSocket: pair[0] });
    }
    return Response.json([request.method, new URL(request.url).pathname, request.headers.get("x-own"), this.ctx.id.name]);
  }
  webSocketMessage(socket, message) { socket.send(`echo ${message} of ${this.ctx.getWebSockets().length}`); }
}
const call = async (env, [name, method, ...args]) => {
  const stub = env.COUNTERS.getByName(name);
  if (method === "pipelined") return stub.handle().plus(2);
  if (method === "version") return stub.version;
  return stub[method](...args.map(Number));
};
export default { async fetch(request, env) {
  const { pathname } = new URL(request.url);
  const [name, method, ...args] = pathname.slice(1).split("/");
  try {
    const headers = { ...Object.fromEntries(request.headers), "x-own": "yes" };
    if (method === "fetch") return await env.COUNTERS.get(env.COUNTERS.idFromName(name)).fetch(request, { headers });
    return Response.json((await call(env, [name, method, ...args])) ?? null);
  } catch (error) { return Response.json([error.name, error.message], { status: 500 }); }
} };
"""
BINDING = {"name": "COUNTERS", "type": "durable_object_namespace", "class_name": "Counter"}
GREETING = {"name": "GREETING", "type": "plain_text", "text": "hello"}
FIRST: dict[str, Any] = {"migrations": {"new_tag": "v1", "new_sqlite_classes": ["Counter"]}}


@pytest.fixture
def counter_platform(platform: Platform) -> Platform:
    platform.deploy_tenant("a", COUNTER.replace("VERSION", "1"), bindings=[BINDING, GREETING], **FIRST)
    return platform


def call_object(platform: Platform, path: str) -> Any:
    return platform.get("a", path).json()


def test_object_each_name_has_its_own_storage(counter_platform: Platform) -> None:
    assert [call_object(counter_platform, path) for path in ("/x/add/5", "/x/add/5", "/y/add/1")] == [5, 10, 1]
    assert [call_object(counter_platform, path) for path in ("/x/rows", "/x/rows", "/y/rows")] == [1, 2, 1]
    who = [call_object(counter_platform, "/x/who") for _time in range(2)]
    assert [one["here"] for one in who] == [0, 1]
    assert (who[0]["name"], len(who[0]["id"]), who[0]["greeting"]) == ("x", 64, "hello")
    assert who[0]["id"] != call_object(counter_platform, "/y/who")["id"]


def test_object_rpc_calls_return_results(counter_platform: Platform) -> None:
    assert call_object(counter_platform, "/x/pipelined") == 42
    assert call_object(counter_platform, "/x/version") == "1"
    assert call_object(counter_platform, "/x/boom") == ["RangeError", "too far"]
    assert call_object(counter_platform, "/x/nothing")[0] == "TypeError"
    assert call_object(counter_platform, "/x/fetch/deep?q=1") == ["GET", "/x/fetch/deep", "yes", "x"]


def test_object_new_version_keeps_storage_and_resets_memory(counter_platform: Platform) -> None:
    call_object(counter_platform, "/x/add/7")
    call_object(counter_platform, "/x/who")
    counter_platform.deploy_tenant("a", COUNTER.replace("VERSION", "2"), bindings=[BINDING, GREETING])
    assert call_object(counter_platform, "/x/version") == "2"
    who = call_object(counter_platform, "/x/who")
    assert (who["here"], who["loaded"]) == (0, 7)


def test_object_alarm_fires(counter_platform: Platform) -> None:
    assert call_object(counter_platform, "/x/alarmIn/100") is True
    wait_until(lambda: call_object(counter_platform, "/x/add/0") == 100)


@pytest.mark.parametrize(("date", "stays"), [("2026-02-23", True), ("2026-02-24", False)])
def test_object_delete_all_deletes_alarm_by_compatibility_date(
    counter_platform: Platform, date: str, stays: bool
) -> None:
    counter_platform.deploy_tenant("a", COUNTER, bindings=[BINDING, GREETING], compatibility_date=date)
    assert call_object(counter_platform, "/x/emptied") is stays


def test_object_edge_restarted_keeps_storage_and_alarm(start: Callable[..., Edge]) -> None:
    edge = start()
    platform = Platform(edge)
    platform.deploy_tenant("a", COUNTER, bindings=[BINDING, GREETING], **FIRST)
    call_object(platform, "/x/add/3")
    call_object(platform, "/x/alarmIn/1500")
    edge.stop()
    edge.start()
    assert call_object(platform, "/x/who")["loaded"] % 100 == 3, "the alarm adds 100, possibly before this call"
    wait_until(lambda: call_object(platform, "/x/add/0") == 103)


def connect(platform: Platform, tenant: str) -> WebSocket:
    """Open a WebSocket to an object of a tenant."""
    return WebSocket(platform.edge, f"{tenant}.example.com", "/x/fetch")


def test_object_web_socket_is_answered(counter_platform: Platform) -> None:
    assert connect(counter_platform, "a").send_hi() == b"\x81\x0cecho hi of 1"


def test_object_web_socket_new_version_is_closed(counter_platform: Platform) -> None:
    for name in ("b", "c"):
        counter_platform.deploy_tenant(name, COUNTER, bindings=[BINDING, GREETING], **FIRST)
    updated, deleted, other = (connect(counter_platform, name) for name in ("a", "b", "c"))
    assert {updated.send_hi(), deleted.send_hi(), other.send_hi()} == {b"\x81\x0cecho hi of 1"}
    counter_platform.deploy_tenant("a", COUNTER.replace("echo", "anew"), bindings=[BINDING, GREETING])
    counter_platform.edge.call(
        "DELETE", f"/workers/dispatch/namespaces/{counter_platform.namespace}/scripts/b?force=true"
    )
    assert (updated.send_hi(), deleted.send_hi(), other.send_hi()) == (b"", b"", b"\x81\x0cecho hi of 1")
    assert connect(counter_platform, "a").send_hi() == b"\x81\x0canew hi of 1"


def test_object_class_of_other_worker_is_called(counter_platform: Platform) -> None:
    edge = counter_platform.edge
    edge.deploy("keeper", COUNTER.replace("VERSION", "kept"), bindings=[BINDING], **FIRST)
    code = "export default { async fetch(request, env) { return Response.json(await env.THEIRS.getByName('x').version); } };"
    edge.deploy(
        "visitor",
        code,
        bindings=[
            {"name": "THEIRS", "type": "durable_object_namespace", "class_name": "Counter", "script_name": "keeper"}
        ],
    )
    edge.route("visitor.example.com/*", "visitor")
    assert edge.get("visitor.example.com").json() == "kept"
    missing = edge.upload(
        "lost",
        code,
        bindings=[
            {"name": "THEIRS", "type": "durable_object_namespace", "class_name": "None", "script_name": "keeper"}
        ],
    )
    assert missing.json()["errors"][0]["code"] == 10061
    listed = edge.call("GET", "/workers/durable_objects/namespaces")
    assert [(one["script"], one["class"]) for one in listed] == [("keeper", "Counter")]


def test_object_class_without_sqlite_has_no_sql(platform: Platform) -> None:
    platform.deploy_tenant("a", COUNTER, bindings=[BINDING], migrations={"new_tag": "v1", "new_classes": ["Counter"]})
    assert call_object(platform, "/x/add/1") == 1
    assert "SQL is not enabled for this Durable Object class" in call_object(platform, "/x/rows")[1]


IDS = """
import { DurableObject } from "cloudflare:workers";
export class Counter extends DurableObject {}
export default { fetch(request, env) {
  const { COUNTERS } = env;
  const unique = COUNTERS.newUniqueId();
  const tries = { short: () => COUNTERS.idFromString("abc"), foreign: () => COUNTERS.idFromString("0".repeat(64)), text: () => COUNTERS.get("x") };
  const outcome = (go) => { try { go(); return "fine"; } catch (error) { return error.message; } };
  const refused = Object.fromEntries(Object.entries(tries).map(([name, go]) => [name, outcome(go)]));
  const [x, y] = ["x", "y"].map((name) => COUNTERS.idFromName(name));
  return Response.json({ refused, again: COUNTERS.idFromString(unique.toString()).equals(unique), same: COUNTERS.idFromName("x").equals(x),
    differ: x.equals(y), known: x.toString().length });
} };
"""


def test_object_ids_are_unique_and_validated(platform: Platform) -> None:
    platform.deploy_tenant("a", IDS, bindings=[BINDING], **FIRST)
    seen = call_object(platform, "/")
    assert (seen["again"], seen["same"], seen["differ"], seen["known"]) == (True, True, False, 64)
    assert "64 hex digits" in seen["refused"]["short"]
    assert "not valid for this namespace" in seen["refused"]["foreign"]
    assert "idFromName" in seen["refused"]["text"]


def test_object_deleted_class_leaves_no_storage(counter_platform: Platform) -> None:
    call_object(counter_platform, "/x/add/5")
    edge = counter_platform.edge
    edge.call("DELETE", f"/workers/dispatch/namespaces/{counter_platform.namespace}/scripts/a")
    counter_platform.deploy_tenant("a", COUNTER, bindings=[BINDING, GREETING], **FIRST)
    assert call_object(counter_platform, "/x/add/0") == 0


def test_object_evicted_with_worker_is_reloaded(start: Callable[..., Edge]) -> None:
    platform = Platform(start("--max-isolates", "3"))
    platform.deploy_tenant("a", COUNTER, bindings=[BINDING, GREETING], **FIRST)
    call_object(platform, "/x/add/5")
    for number in range(6):
        platform.deploy_tenant(f"t{number}", "export default { fetch: () => new Response('x') };")
        assert platform.get(f"t{number}").text == "x"
    assert call_object(platform, "/x/add/1") == 6
    assert call_object(platform, "/x/who")["loaded"] == 5
