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
    """A workerd with a main module of its own."""

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

    def ends(self) -> bool:
        """Whether a request is its end."""
        try:
            self.get()
        except requests.ConnectionError:
            return self.process.wait(10) != 0
        return False


Start = Callable[..., Program]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Start]:
    """Start one whose `fetch` is the code given, beside further exports."""
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


def test_passing_through_without_a_way_out_ends_the_process(program: Start) -> None:
    """Therefore every Worker gets `NoEgress` and never `globalOutbound: null`."""
    assert program(
        f"return load(env, ctx, 'a', `{PASSING}`, {{ globalOutbound: null }}).getEntrypoint().fetch(request);"
    ).ends()


def test_passing_through_to_a_way_out_that_throws_does_not(program: Start) -> None:
    assert not program(f"return load(env, ctx, 'a', `{PASSING}`).getEntrypoint().fetch(request);").ends()


def test_a_failed_callback_poisons_its_name(program: Start) -> None:
    """Therefore the code of a Worker is at hand before the loader is asked."""
    assert (
        program("""
      const tries = [() => { throw new Error("not now"); }, () => ({ ...BASE, modules: { "m.js": "export default { fetch: () => new Response('fine') };" } })];
      const seen = [];
      for (const code of tries) seen.push(await env.LOADER.get("a", code).getEntrypoint().fetch(request).then((r) => r.text(), (error) => error.message));
      return Response.json(seen);""").get()
        == '["not now","not now"]'
    )


ABORTING = """import { WorkerEntrypoint, abortIsolate } from "cloudflare:workers"; let n = 0;
export default { async fetch(request) { if (request.url.endsWith("slow")) await scheduler.wait(300); return new Response(String(++n)); } };
export class Evict extends WorkerEntrypoint { evict() { abortIsolate("evicted"); } }"""


def test_an_isolate_stays_until_it_ends_itself_and_answers_what_it_has(program: Start) -> None:
    """Therefore each Worker exports an entrypoint that ends it, by which the edge lets go of the least recently used."""
    running = program(f"""
      const worker = load(env, ctx, "a", `{ABORTING}`);
      if (!request.url.endsWith("evict")) return worker.getEntrypoint().fetch(request);
      const slow = worker.getEntrypoint().fetch("http://x/slow");
      await scheduler.wait(50);
      await worker.getEntrypoint("Evict").evict().catch(() => {{}});
      return new Response(await (await slow).text());""")
    assert [running.get(path) for path in ("/", "/", "/evict", "/", "/")] == ["1", "2", "3", "1", "2"]


def test_bindings_can_be_replaced_before_the_worker_reads_them(program: Start) -> None:
    """Therefore a stub in `env` can get the class that it has on Cloudflare: what `env` has is seen by top-level code, handlers and classes."""
    code = """import "./shim.js"; import { env as imported } from "cloudflare:workers"; const early = imported.A;
    export default { fetch: (request, env) => Response.json([early, imported.A, env.A, "HIDDEN" in env]) };"""
    shim = 'import { env } from "cloudflare:workers"; env.A = "replaced"; delete env.HIDDEN;'
    assert (
        program(f"""return env.LOADER.get("a", () => ({{ ...BASE, modules: {{ "m.js": `{code}`, "shim.js": `{shim}` }},
      env: {{ A: "stub", HIDDEN: 1 }}, globalOutbound: ctx.exports.Nowhere({{}}) }})).getEntrypoint().fetch(request);
      """).get()
        == '["replaced","replaced","replaced",false]'
    )


def test_the_class_of_d1_can_be_lent(program: Start) -> None:
    """Therefore a D1 database is the runtime's own class around a stub of ours."""
    code = """import "./shim.js"; export default { async fetch(request, env) {
      const { results } = await env.MADE.prepare("select 1").all(); return Response.json([env.MADE.constructor.name, results]); } };"""
    shim = "import { env } from 'cloudflare:workers'; env.MADE = new env.LENT.constructor(env.MADE);"
    assert (
        program(f"""return env.LOADER.get("d", () => ({{ ...BASE, modules: {{ "m.js": `{code}`, "shim.js": `{shim}` }},
      env: {{ LENT: env.D1, MADE: ctx.exports.Echo({{}}) }}, globalOutbound: ctx.exports.Nowhere({{}}) }})).getEntrypoint().fetch(request);
      """).get()
        == '["D1Database",[{"path":"/query"}]]'
    )


def test_other_native_bindings_cannot_be_handed_over(program: Start) -> None:
    """Therefore KV and the like are classes of our own around a stub."""
    assert (
        program("""return new Response(await Promise.resolve().then(() => load(env, ctx, "k", "export default { fetch: () => new Response('') };",
      { env: { KV: env.KV } }).getEntrypoint().fetch(request)).then(() => "handed over", (error) => error.name));""").get()
        == "DataCloneError"
    )


def test_a_queue_of_ones_own_shows_how_the_runtime_serializes(program: Start) -> None:
    """Therefore messages in V8's own format are what it writes, found by the number that their delay is."""
    assert (
        program("""await env.QUEUE.send(new Map([[1, 2]]), { contentType: "v8", delaySeconds: 7 }); return Response.json(globalThis.sent);
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
def test_a_module_waits_only_for_what_it_imports_itself(program: Start, imported: str, seen: str) -> None:
    """Therefore the modules of a Worker that has keys import what imports those; and an import at the end is as good as one at the beginning."""
    assert program(WAITING.replace("IMPORT", imported)).get() == seen


def test_a_script_listens_though_it_is_imported_late(program: Start) -> None:
    """Therefore the syntax from before modules is a CommonJS module, which its keys are there for."""
    script = "addEventListener('fetch', (event) => event.respondWith(new Response(early)));"
    assert (
        program(f"""const modules = {{ "m.js": "globalThis.early = await Promise.resolve('early'); await import('./script.js');",
      "script.js": {{ cjs: `{script}` }} }};
      return load(env, ctx, "a", "", {{ modules }}).getEntrypoint().fetch(request);""").get()
        == "early"
    )


@pytest.mark.parametrize(
    ("date", "flags", "kind"),
    [("2024-04-03", "", "function"), ("2024-04-02", "", "undefined"), ("2021-11-02", "'rpc'", "function")],
)
def test_stubs_have_methods_since_a_date_or_by_a_flag(program: Start, date: str, flags: str, kind: str) -> None:
    """Therefore Workers of an older date get that flag: what is behind their bindings is called by methods."""
    code = "export default { fetch: (request, env) => new Response(typeof env.STUB.greet) };"
    assert (
        program(f"""return load(env, ctx, "a", `{code}`, {{ compatibilityDate: "{date}", compatibilityFlags: [{flags}],
      env: {{ STUB: ctx.exports.Echo({{}}) }} }}).getEntrypoint().fetch(request);""").get()
        == kind
    )


def test_the_request_of_a_visitor_tells_its_address(program: Start) -> None:
    """Therefore a request is rebuilt from its URL before a Worker gets it."""
    code = "export default { fetch: (request) => Response.json(request.cf ?? null) };"
    running = program(f"""const stub = load(env, ctx, "a", `{code}`).getEntrypoint();
      return request.url.endsWith("rebuilt") ? stub.fetch(request.url, {{ method: request.method }}) : stub.fetch(request);""")
    assert "clientIp" in running.get("/")
    assert running.get("/rebuilt") == "null"


def test_sockets_are_closed_where_fetch_alone_is_defined(program: Start) -> None:
    code = """import { connect } from "cloudflare:sockets"; export default { async fetch() {
      return new Response(await Promise.resolve().then(() => connect("127.0.0.1:22").opened).then(() => "open", () => "closed")); } };"""
    assert program(f"return load(env, ctx, 'a', `{code}`).getEntrypoint().fetch(request);").get() == "closed"


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


def test_facets_have_storage_and_an_id_and_no_alarm(program: Start) -> None:
    """Therefore Durable Objects are facets of a host, which has their alarm; and what they see around them can be put right."""
    running = program(f"""const host = env.HOSTS.get(env.HOSTS.idFromName("h"));
      return Response.json(await host.run(`{THING}`, new URL(request.url).pathname.slice(1)));""")
    assert [running.get("/count"), running.get("/count")] == ['[1,"an id"]', '[2,"an id"]']
    assert running.get("/set") != '"set"'
    assert running.get("/rename") == '["mine","ours"]'


def test_a_stub_is_told_the_length_of_a_body_that_has_one(program: Start) -> None:
    """Therefore a stream without a length can be refused where an object of R2 is to be made of it."""
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
    assert program(ask, exports).get() == '["4,","0,","3,","4,",",chunked",",chunked"]'


def test_a_worker_sees_its_compatibility_flags(program: Start) -> None:
    """Therefore a listing of R2 objects knows whether it is an old Worker's."""
    code = "export default { fetch: () => Response.json(Cloudflare.compatibilityFlags.r2_list_honor_include) };"
    dates = ("2022-08-03", "2022-08-04")
    running = program(f"""const date = new URL(request.url).pathname.slice(1);
      return load(env, ctx, date, `{code}`, {{ compatibilityDate: date }}).getEntrypoint().fetch(request);""")
    assert [running.get(f"/{date}") for date in dates] == ["false", "true"]


def test_a_proxy_as_an_entrypoint_takes_any_call(program: Start) -> None:
    """Therefore a service binding is the runtime's own stub, whatever its target exports."""
    code = "export default { fetch: async (request, { ANY }) => Response.json([await ANY.greet('you'), await ANY.other(1)]) };"
    exports = """export class Any extends WorkerEntrypoint { constructor(ctx, env) { super(ctx, env); const echo = ctx.exports.Echo({});
      return new Proxy(this, { get: (own, member) => typeof member === "symbol" ? own[member] : member === "greet" ? echo.greet : (n) => n + 1 }); } }"""
    ask = f"return load(env, ctx, 'a', `{code}`, {{ env: {{ ANY: ctx.exports.Any({{}}) }} }}).getEntrypoint().fetch(request);"
    assert program(ask, exports).get() == '["hello you",2]'


def test_tails_and_events_of_other_kinds(program: Start) -> None:
    """Therefore tail Workers are told, and cron triggers can be fired."""
    code = (
        "export default { fetch() { console.log('said'); return new Response(''); }, scheduled(c) { c.noRetry(); } };"
    )
    running = program(
        f"""
      const worker = load(env, ctx, "a", `{code}`, {{ tails: [ctx.exports.Told({{}})] }}).getEntrypoint();
      if (request.url.endsWith("told")) return Response.json(globalThis.told ?? null);
      if (request.url.endsWith("cron")) return Response.json(await worker.scheduled({{ cron: "* * * * *", scheduledTime: new Date() }}));
      return worker.fetch(request);""",
        "export class Told extends WorkerEntrypoint { tail(events) { globalThis.told = events[0].logs[0]?.message; } }",
    )
    assert running.get("/cron") == '{"outcome":"ok","noRetry":true}'
    running.get("/")
    wait_until(lambda: running.get("/told") == '["said"]')


def test_statements_are_taken_in_as_far_as_they_are_complete(program: Start) -> None:
    """Therefore the file that a D1 database imports is run piece by piece, while others get their turn."""
    running = program(
        """return Response.json(await env.HOSTS.getByName("x").ingest("create table t (a); insert into t values (';'); select 'op"));"""
    )
    seen = json.loads(running.get())
    assert (seen["statementCount"], seen["remainder"]) == (2, " select 'op")


def test_later_bookmarks_sort_after_earlier_ones(program: Start) -> None:
    """Therefore a session of D1 knows how far it has come."""
    running = program("""return new Response(await env.HOSTS.getByName("x").mark());""")
    first, second = running.get(), running.get()
    assert first < second


def test_the_file_of_an_object_can_be_deleted_while_it_runs(program: Start) -> None:
    """Therefore what is kept of an object that is gone leaves the disk at once."""
    running = program("""const host = env.HOSTS.getByName("x");
      if (request.url.endsWith("make")) await host.ingest("create table t (a);");
      const response = await env.DISK.fetch(`http://disk/hosts/${host.id}.sqlite`, { method: request.url.endsWith("delete") ? "DELETE" : "HEAD" });
      return new Response(response.ok ? "there" : String(response.status));""")
    assert [running.get(path) for path in ("/make", "/delete", "/look")] == ["there", "there", "404"]
