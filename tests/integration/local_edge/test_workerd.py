# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the local edge takes for granted of workerd's experimental features, asked of workerd itself: a new version that behaves otherwise is
found here, and not in the traffic. Each case says what depends on it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from edge_process import wait_until
from local_edge import sockets

pytestmark = pytest.mark.integration

CONFIG = """using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main), (name = "disk", disk = (path = "%s", writable = true))],
  sockets = [(name = "http", http = (), service = "main")]);
const main :Workerd.Worker = (
  modules = [(name = "main.js", esModule = embed "main.js")],
  compatibilityDate = "2026-11-01", compatibilityFlags = ["experimental", "service_binding_extra_handlers"],
  bindings = [(name = "LOADER", workerLoader = ()), (name = "HOSTS", durableObjectNamespace = "Host"), (name = "KV", kvNamespace = "main"),
    (name = "QUEUE", queue = (name = "main", entrypoint = "Sent")), (name = "DISK", service = "disk"),
    (name = "D1", wrapped = (moduleName = "cloudflare-internal:d1-api",
      innerBindings = [(name = "fetcher", service = (name = "main", entrypoint = "Echo"))]))],
  durableObjectNamespaces = [(className = "Host", uniqueKey = "hosts", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"));
"""
#: What every case has: an entrypoint that leads nowhere, one that answers, one that a queue sends to, a host of facets; and `load`, which starts
#: a module.
COMMON = """
import { DurableObject, WorkerEntrypoint, abortIsolate } from "cloudflare:workers";
export class Nowhere extends WorkerEntrypoint { fetch() { throw new Error("blocked"); } }
export class Echo extends WorkerEntrypoint {
  async fetch(request) {
    return Response.json({ success: true, results: { columns: ["path"], rows: [[new URL(request.url).pathname]] }, meta: { duration: 0 } });
  }
  greet(name) { return `hello ${name}`; }
}
export class Sent extends WorkerEntrypoint {
  async fetch(request) {
    globalThis.sent = [request.headers.get("x-msg-delay-secs"), new Uint8Array(await request.arrayBuffer()).toHex()];
    return Response.json({ metadata: { metrics: { backlogCount: 0, backlogBytes: 0, oldestMessageTimestamp: 0 } } });
  }
}
export class Host extends DurableObject {
  async run(code, member) {
    const worker = this.env.LOADER.get(code, () => ({ ...BASE, modules: { "m.js": code }, globalOutbound: null }));
    return this.ctx.facets.get("object", () => ({ class: worker.getDurableObjectClass("Thing"), id: "an id" }))[member]();
  }
  ingest(text) { return this.ctx.storage.sql.ingest(text); }
  async mark() { return this.ctx.storage.getCurrentBookmark(); }
}
const BASE = { compatibilityDate: "2026-11-01", mainModule: "m.js", allowExperimental: true };
const load = (env, ctx, name, code, more = {}) =>
  env.LOADER.get(name, () => ({ ...BASE, modules: { "m.js": code }, globalOutbound: ctx.exports.Nowhere({}), ...more }));
"""


class Program:
    """A workerd process with the given main module."""

    def __init__(self, folder: Path, code: str, exports: str = "") -> None:
        (folder / "disk").mkdir()
        (folder / "main.js").write_text(
            f"{COMMON}\n{exports}\nexport default {{ async fetch(request, env, ctx) {{ {code} }} }};"
        )
        (folder / "config.capnp").write_text(CONFIG % (folder / "disk"))
        self.listener = sockets.listen("127.0.0.1", 0)
        self.process = subprocess.Popen(
            [
                os.environ["LOCAL_EDGE_WORKERD"],
                "serve",
                str(folder / "config.capnp"),
                "--experimental",
                f"--socket-fd=http={self.listener.fileno()}",
            ],
            pass_fds=[self.listener.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def get(self, path: str = "/") -> str:
        return requests.get(sockets.url(self.listener) + path, timeout=20).text

    def ends_process(self) -> bool:
        """Send a request. Return True if it ends the process."""
        try:
            self.get()
        except requests.ConnectionError:
            return self.process.wait(60) != 0
        return False


StartProgram = Callable[..., Program]


@pytest.fixture
def start_program(tmp_path: Path) -> Iterator[StartProgram]:
    """Return a function that starts a workerd with the code of its `fetch` and additional exports."""
    started: list[Program] = []

    def start(code: str, exports: str = "") -> Program:
        started.append(Program(tmp_path, code, exports))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()
        one.listener.close()


PASSING = "export default { fetch(request, env, ctx) { ctx.passThroughOnException(); throw new Error('x'); } };"


def test_pass_through_without_outbound_ends_process(start_program: StartProgram) -> None:
    """Every Worker therefore gets `NoEgress`, never `globalOutbound: null`."""
    assert start_program(
        f"return load(env, ctx, 'a', `{PASSING}`, {{ globalOutbound: null }}).getEntrypoint().fetch(request);"
    ).ends_process()


def test_pass_through_to_throwing_outbound_keeps_process(start_program: StartProgram) -> None:
    assert not start_program(f"return load(env, ctx, 'a', `{PASSING}`).getEntrypoint().fetch(request);").ends_process()


def test_loader_failed_callback_is_cached_by_name(start_program: StartProgram) -> None:
    """The edge therefore fetches the code of a Worker before it calls the loader."""
    assert (
        start_program("""
      const tries = [() => { throw new Error("not now"); }, () => ({ ...BASE, modules: { "m.js": "export default { fetch: () => new Response('fine') };" } })];
      const seen = [];
      for (const code of tries) seen.push(await env.LOADER.get("a", code).getEntrypoint().fetch(request).then((r) => r.text(), (error) => error.message));
      return Response.json(seen);""").get()
        == '["not now","not now"]'
    )


ABORTING = """import { WorkerEntrypoint, abortIsolate } from "cloudflare:workers"; let n = 0;
export default { async fetch(request) { if (request.url.endsWith("slow")) await scheduler.wait(300); return new Response(String(++n)); } };
export class Evict extends WorkerEntrypoint { evict() { abortIsolate("evicted"); } }"""


def test_isolate_stays_until_it_ends_itself(start_program: StartProgram) -> None:
    """Each Worker therefore exports an entrypoint that ends it. The edge uses it to evict the least recently used."""
    running = start_program(f"""
      const worker = load(env, ctx, "a", `{ABORTING}`);
      if (!request.url.endsWith("evict")) return worker.getEntrypoint().fetch(request);
      const slow = worker.getEntrypoint().fetch("http://x/slow");
      await scheduler.wait(50);
      await worker.getEntrypoint("Evict").evict().catch(() => {{}});
      return new Response(await (await slow).text());""")
    assert [running.get(path) for path in ("/", "/", "/evict", "/", "/")] == ["1", "2", "3", "1", "2"]


def test_env_bindings_can_be_replaced_before_worker_reads_them(start_program: StartProgram) -> None:
    """A stub in `env` can therefore be replaced with the class that it has on Cloudflare."""
    code = """import "./shim.js"; import { env as imported } from "cloudflare:workers"; const early = imported.A;
    export default { fetch: (request, env) => Response.json([early, imported.A, env.A, "HIDDEN" in env]) };"""
    shim = 'import { env } from "cloudflare:workers"; env.A = "replaced"; delete env.HIDDEN;'
    assert (
        start_program(f"""return env.LOADER.get("a", () => ({{ ...BASE, modules: {{ "m.js": `{code}`, "shim.js": `{shim}` }},
      env: {{ A: "stub", HIDDEN: 1 }}, globalOutbound: ctx.exports.Nowhere({{}}) }})).getEntrypoint().fetch(request);
      """).get()
        == '["replaced","replaced","replaced",false]'
    )


def test_d1_class_can_wrap_stub(start_program: StartProgram) -> None:
    """A D1 database is therefore the runtime's class around the edge's stub."""
    code = """import "./shim.js"; export default { async fetch(request, env) {
      const { results } = await env.MADE.prepare("select 1").all(); return Response.json([env.MADE.constructor.name, results]); } };"""
    shim = "import { env } from 'cloudflare:workers'; env.MADE = new env.LENT.constructor(env.MADE);"
    assert (
        start_program(f"""return env.LOADER.get("d", () => ({{ ...BASE, modules: {{ "m.js": `{code}`, "shim.js": `{shim}` }},
      env: {{ LENT: env.D1, MADE: ctx.exports.Echo({{}}) }}, globalOutbound: ctx.exports.Nowhere({{}}) }})).getEntrypoint().fetch(request);
      """).get()
        == '["D1Database",[{"path":"/query"}]]'
    )


def test_native_bindings_cannot_be_passed_to_worker(start_program: StartProgram) -> None:
    """KV and similar bindings are therefore classes of the edge around a stub."""
    assert (
        start_program("""return new Response(await Promise.resolve().then(() => load(env, ctx, "k", "export default { fetch: () => new Response('') };",
      { env: { KV: env.KV } }).getEntrypoint().fetch(request)).then(() => "handed over", (error) => error.name));""").get()
        == "DataCloneError"
    )


def test_queue_binding_reveals_serialization(start_program: StartProgram) -> None:
    """V8-serialized messages are therefore captured through a queue and identified by their delay."""
    assert (
        start_program("""await env.QUEUE.send(new Map([[1, 2]]), { contentType: "v8", delaySeconds: 7 }); return Response.json(globalThis.sent);
      """).get()
        == '["7","ff0f3b490249043a02"]'
    )


WAITING = """
const modules = {
  "key.js": "import { env } from 'cloudflare:workers'; env.KEY = await crypto.subtle.importKey('raw', new Uint8Array(16), 'AES-GCM', false, ['encrypt']);",
  "user.js": "import { env } from 'cloudflare:workers'; const early = String(env.KEY); export default { fetch: () => new Response(early) }; IMPORT",
  "m.js": "import './key.js'; export { default } from './user.js';" };
return load(env, ctx, "a", "", { modules }).getEntrypoint().fetch(request);"""


@pytest.mark.parametrize(("imported", "seen"), [("", "undefined"), ("import './key.js';", "[object CryptoKey]")])
def test_module_waits_only_for_its_own_imports(start_program: StartProgram, imported: str, seen: str) -> None:
    """Modules of a Worker with secret keys therefore import the module that imports the keys."""
    assert start_program(WAITING.replace("IMPORT", imported)).get() == seen


def test_script_imported_late_registers_listeners(start_program: StartProgram) -> None:
    """A service Worker script is therefore run as a CommonJS module, after its keys are imported."""
    script = "addEventListener('fetch', (event) => event.respondWith(new Response(early)));"
    assert (
        start_program(f"""const modules = {{ "m.js": "globalThis.early = await Promise.resolve('early'); await import('./script.js');",
      "script.js": {{ cjs: `{script}` }} }};
      return load(env, ctx, "a", "", {{ modules }}).getEntrypoint().fetch(request);""").get()
        == "early"
    )


@pytest.mark.parametrize(
    ("date", "flags", "kind"),
    [("2024-04-03", "", "function"), ("2024-04-02", "", "undefined"), ("2021-11-02", "'rpc'", "function")],
)
def test_stub_methods_require_date_or_flag(start_program: StartProgram, date: str, flags: str, kind: str) -> None:
    """Workers with an older date therefore get that flag, since their bindings are called by RPC."""
    code = "export default { fetch: (request, env) => new Response(typeof env.STUB.greet) };"
    assert (
        start_program(f"""return load(env, ctx, "a", `{code}`, {{ compatibilityDate: "{date}", compatibilityFlags: [{flags}],
      env: {{ STUB: ctx.exports.Echo({{}}) }} }}).getEntrypoint().fetch(request);""").get()
        == kind
    )


def test_visitor_request_exposes_address(start_program: StartProgram) -> None:
    """A request is therefore rebuilt from its URL before a Worker gets it."""
    code = "export default { fetch: (request) => Response.json(request.cf ?? null) };"
    running = start_program(f"""const stub = load(env, ctx, "a", `{code}`).getEntrypoint();
      return request.url.endsWith("rebuilt") ? stub.fetch(request.url, {{ method: request.method }}) : stub.fetch(request);""")
    assert "clientIp" in running.get("/")
    assert running.get("/rebuilt") == "null"


def test_outbound_with_fetch_only_closes_sockets(start_program: StartProgram) -> None:
    code = """import { connect } from "cloudflare:sockets"; export default { async fetch() {
      return new Response(await Promise.resolve().then(() => connect("127.0.0.1:22").opened).then(() => "open", () => "closed")); } };"""
    assert start_program(f"return load(env, ctx, 'a', `{code}`).getEntrypoint().fetch(request);").get() == "closed"


THING = """import { DurableObject } from "cloudflare:workers";
export class Thing extends DurableObject {
  count() { const n = (this.ctx.storage.kv.get("n") ?? 0) + 1; this.ctx.storage.kv.put("n", n); return [n, String(this.ctx.id)]; }
  async alarm() {}
  async set() { try { await this.ctx.storage.setAlarm(Date.now() + 1000); return "set"; } catch (error) { return error.message; } }
  rename() {
    Object.defineProperty(this.ctx, "id", { value: "mine" });
    this.ctx.storage.setAlarm = () => "ours";
    return [this.ctx.id, this.ctx.storage.setAlarm()];
  }
}"""


def test_facet_has_storage_and_id_but_no_alarm(start_program: StartProgram) -> None:
    """Durable Objects are therefore facets of a host object, which holds their alarm."""
    running = start_program(f"""const host = env.HOSTS.get(env.HOSTS.idFromName("h"));
      return Response.json(await host.run(`{THING}`, new URL(request.url).pathname.slice(1)));""")
    assert [running.get("/count"), running.get("/count")] == ['[1,"an id"]', '[2,"an id"]']
    assert running.get("/set") != '"set"'
    assert running.get("/rename") == '["mine","ours"]'


def test_stub_receives_length_of_body(start_program: StartProgram) -> None:
    """R2 can therefore refuse a stream of unknown length."""
    code = """export default { async fetch(request, { LENGTH }) {
      const { readable, writable } = new FixedLengthStream(3);
      const writer = writable.getWriter();
      writer.write(new Uint8Array(3)).then(() => writer.close());
      const bodies = ["text", "", readable, new Blob(["blob"]).stream(), ReadableStream.from([new Uint8Array(3)]), new TransformStream().readable];
      return Response.json(await Promise.all(bodies.map(async (body) => (await LENGTH.fetch("http://x/", { method: "POST", body })).text())));
    } };"""
    exports = """export class Length extends WorkerEntrypoint { fetch({ headers }) {
      return new Response([headers.get("content-length"), headers.get("transfer-encoding")].join()); } }"""
    ask = f"return load(env, ctx, 'a', `{code}`, {{ env: {{ LENGTH: ctx.exports.Length({{}}) }} }}).getEntrypoint().fetch(request);"
    assert start_program(ask, exports).get() == '["4,","0,","3,","4,",",chunked",",chunked"]'


def test_worker_compatibility_flags_are_visible(start_program: StartProgram) -> None:
    """R2 listings can therefore depend on the compatibility date of the Worker."""
    code = "export default { fetch: () => Response.json(Cloudflare.compatibilityFlags.r2_list_honor_include) };"
    dates = ("2022-08-03", "2022-08-04")
    running = start_program(f"""const date = new URL(request.url).pathname.slice(1);
      return load(env, ctx, date, `{code}`, {{ compatibilityDate: date }}).getEntrypoint().fetch(request);""")
    assert [running.get(f"/{date}") for date in dates] == ["false", "true"]


def test_proxy_entrypoint_accepts_any_call(start_program: StartProgram) -> None:
    """A service binding is therefore the runtime's own stub, whatever its target exports."""
    code = "export default { fetch: async (request, { ANY }) => Response.json([await ANY.greet('you'), await ANY.other(1)]) };"
    exports = """export class Any extends WorkerEntrypoint { constructor(ctx, env) { super(ctx, env); const echo = ctx.exports.Echo({});
      return new Proxy(this, { get: (own, member) => typeof member === "symbol" ? own[member] : member === "greet" ? echo.greet : (n) => n + 1 }); } }"""
    ask = f"return load(env, ctx, 'a', `{code}`, {{ env: {{ ANY: ctx.exports.Any({{}}) }} }}).getEntrypoint().fetch(request);"
    assert start_program(ask, exports).get() == '["hello you",2]'


def test_tail_and_scheduled_events_can_be_sent(start_program: StartProgram) -> None:
    """The edge can therefore call tail Workers and fire cron triggers."""
    code = "export default { fetch() { console.log('message'); return new Response(''); }, scheduled(c) { c.noRetry(); } };"
    running = start_program(
        f"""
      const worker = load(env, ctx, "a", `{code}`, {{ tails: [ctx.exports.Receiver({{}})] }}).getEntrypoint();
      if (request.url.endsWith("received")) return Response.json(globalThis.received ?? null);
      if (request.url.endsWith("cron")) return Response.json(await worker.scheduled({{ cron: "* * * * *", scheduledTime: new Date() }}));
      return worker.fetch(request);""",
        "export class Receiver extends WorkerEntrypoint"
        " { tail(events) { globalThis.received = events[0].logs[0]?.message; } }",
    )
    assert running.get("/cron") == '{"outcome":"ok","noRetry":true}'
    running.get("/")
    wait_until(lambda: running.get("/received") == '["message"]')


def test_sql_ingest_runs_only_complete_statements(start_program: StartProgram) -> None:
    """A D1 import is therefore run in pieces, so that other requests are served in between."""
    running = start_program(
        """return Response.json(await env.HOSTS.getByName("x").ingest("create table t (a); insert into t values (';'); select 'op"));"""
    )
    seen = json.loads(running.get())
    assert (seen["statementCount"], seen["remainder"]) == (2, " select 'op")


def test_sql_later_bookmark_sorts_after_earlier(start_program: StartProgram) -> None:
    """D1 sessions can therefore compare bookmarks."""
    running = start_program("""return new Response(await env.HOSTS.getByName("x").mark());""")
    first, second = running.get(), running.get()
    assert first < second


def test_object_file_can_be_deleted_while_running(start_program: StartProgram) -> None:
    """The files of a deleted object are therefore removed immediately."""
    running = start_program("""const host = env.HOSTS.getByName("x");
      if (request.url.endsWith("make")) await host.ingest("create table t (a);");
      const response = await env.DISK.fetch(`http://disk/hosts/${host.id}.sqlite`, { method: request.url.endsWith("delete") ? "DELETE" : "HEAD" });
      return new Response(response.ok ? "there" : String(response.status));""")
    assert [running.get(path) for path in ("/make", "/delete", "/look")] == ["there", "there", "404"]
