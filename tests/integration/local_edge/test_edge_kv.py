# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""KV in Workers: the runtime class, the store shared with the API, and cached reads that are never stale."""

from __future__ import annotations

import base64
import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from edge_process import FILES, Edge, running_edge

pytestmark = pytest.mark.integration

ALL_METHODS = """
export default { async fetch(request, env) {
  await env.DATA.put("plain", "text");
  await env.DATA.put("with/slash and ü", JSON.stringify({ n: 1 }), { metadata: { m: "ü" }, expirationTtl: 3600 });
  await env.DATA.put("bytes", new Uint8Array([0, 255, 1]));
  await env.DATA.put("gone", "x");
  await env.DATA.delete("gone");
  const bytes = new Uint8Array(await env.DATA.get("bytes", "arrayBuffer"));
  const several = await env.DATA.get(["plain", "missing"]);
  const first = await env.DATA.list({ limit: 2 });
  const rest = await env.DATA.list({ cursor: first.cursor });
  let refused;
  try { await env.DATA.get(""); } catch (error) { refused = `${error.name}: ${error.message}`; }
  return Response.json({
    api: await env.DATA.get("from-api"),
    json: await env.DATA.get("with/slash and ü", { type: "json" }),
    meta: await env.DATA.getWithMetadata("with/slash and ü", "text"),
    bytes: [...bytes], stream: await new Response(await env.DATA.get("plain", "stream")).text(),
    gone: await env.DATA.get("gone"), nothing: await env.DATA.getWithMetadata("gone"),
    several: [...several], names: [...first.keys, ...rest.keys].map(({ name }) => name),
    complete: [first.list_complete, rest.list_complete], refused,
  });
} };
"""


def test_kv_worker_and_api_share_one_store(edge: Edge) -> None:
    kv = edge.call("POST", "/storage/kv/namespaces", json={"title": "data"})["id"]
    values = f"{edge.account}/storage/kv/namespaces/{kv}/values"
    edge.call("PUT", f"{values}/from-api", data=b"hello")
    edge.deploy("w", ALL_METHODS, bindings=[{"name": "DATA", "type": "kv_namespace", "namespace_id": kv}])
    edge.route("example.com/*", "w")
    result: dict[str, Any] = edge.get("example.com").json()
    assert result["api"] == "hello"
    assert result["json"] == {"n": 1}
    assert result["meta"] == {"value": '{"n":1}', "metadata": {"m": "ü"}, "cacheStatus": None}
    assert (result["bytes"], result["stream"], result["gone"]) == ([0, 255, 1], "text", None)
    assert result["nothing"] == {"value": None, "metadata": None, "cacheStatus": None}
    assert result["several"] == [["plain", "text"], ["missing", None]]
    assert result["names"] == ["bytes", "from-api", "plain", "with/slash and ü"]
    assert result["complete"] == [False, True]
    assert result["refused"] == "TypeError: Key name cannot be empty."
    assert edge.session.get(f"{values}/bytes").content == b"\x00\xff\x01"
    assert edge.call("GET", f"/storage/kv/namespaces/{kv}/metadata/with%2Fslash%20and%20%C3%BC") == {"m": "ü"}


#: Returns the outcome of each case as JSON, with a prefix for other types. `threw` marks synchronous exceptions.
CASES = """
const bytes = (buffer) => [...new Uint8Array(buffer)];
async function describe(value) {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof ReadableStream) return `stream ${await new Response(value).text()}`;
  if (value instanceof ArrayBuffer) return `bytes ${JSON.stringify(bytes(value))}`;
  if (value instanceof Map) return `map ${JSON.stringify(Object.fromEntries(value))}`;
  return value === undefined ? "undefined" : JSON.stringify(value);
}
async function outcome(act) {
  let promise;
  try { promise = act(); } catch (error) { return `threw ${await describe(error)}`; }
  return promise.then(describe, describe);
}
const streamOf = (...chunks) => new ReadableStream({
  start(control) { for (const chunk of chunks) control.enqueue(chunk); control.close(); },
});
const written = async (kv, ...args) => {
  try {
    await kv.put("w", ...args);
    return await kv.getWithMetadata("w", "arrayBuffer").then(({ value, metadata }) => [bytes(value), metadata]);
  }
  finally { await kv.delete("w"); }
};
const appearance = async (kv) => [kv.constructor.name, `${kv}`, JSON.stringify(kv), Object.keys(kv), (await kv) === kv];
const members = async (kv) => { const found = []; for (const member in kv) found.push(member); return found.sort(); };
const changed = async (kv) => {
  const view = new Uint8Array([1]);
  const putting = kv.put("own", view);
  view[0] = 9;
  await putting;
  (await kv.get("json", "json")).a.push(2);
  new Uint8Array(await kv.get("bytes", "arrayBuffer"))[0] = 9;
  return [await kv.get("json", "json"), bytes(await kv.get("bytes", "arrayBuffer")), bytes(await kv.get("own", "arrayBuffer"))];
};
const cases = (kv) => ({ %s });
export default { async fetch(request, { DATA: kv }) {
  await kv.put("text", "hällo");
  await kv.put("json", '{"a":[1]}');
  await kv.put("bytes", new Uint8Array([0, 255]));
  await kv.put("empty", "");
  await kv.put("meta", "m", { metadata: { x: "ü" } });
  await kv.put("bom", "\\ufeffbom");
  for (const key of ["1", "null", "undefined"]) await kv.put(key, `of ${key}`);
  await kv.put("p/1", "1", { expiration: 2100000000, metadata: "s" });
  await kv.put("p/2", "2", { metadata: 0 });
  await kv.put("p/3", "3");
  const outcomes = {};
  for (const [name, act] of Object.entries(cases(kv))) outcomes[name] = await outcome(act);
  return Response.json(outcomes);
} };
"""
UNKNOWN_TYPE = 'TypeError: Unknown response type. Possible types are "text", "arrayBuffer", "json", and "stream".'
VALUES_ONLY = "TypeError: KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values."
RANGE = "TypeError: Value out of range. Must be between -2147483648 and 2147483647 (inclusive)."
PAST = "Please specify integer greater than the current number of seconds since the UNIX epoch."
NOTHING = '{"value":null,"metadata":null,"cacheStatus":null}'
LISTED = '{"name":"p/1","expiration":2100000000,"metadata":"s"},{"name":"p/2","metadata":0},{"name":"p/3"}'
ALL = f'{{"keys":[{LISTED}],"list_complete":true,"cacheStatus":null}}'

#: Calls, and their outcomes on Cloudflare with the runtime's own class.
OUTCOMES = {
    # Reads of one key
    'kv.get("text")': '"hällo"',
    'kv.get("text", "text")': '"hällo"',
    'kv.get("text", {})': '"hällo"',
    'kv.get("text", null)': '"hällo"',
    'kv.get("json", "json")': '{"a":[1]}',
    'kv.get("json", { type: "json", cacheTtl: 60 })': '{"a":[1]}',
    'kv.get("bytes", "arrayBuffer")': "bytes [0,255]",
    'kv.get("empty", "arrayBuffer")': "bytes []",
    'kv.get("text", "stream")': "stream hällo",
    'kv.get("empty", "stream")': "stream ",
    'kv.get("bytes")': '"\\u0000\ufffd"',
    'kv.get("bom")': '"\ufeffbom"',
    'kv.get("empty")': '""',
    'kv.get("missing")': "null",
    'kv.get("missing", "json")': "null",
    'kv.get("missing", "nonsense")': "null",
    'kv.get("text", "json")': "SyntaxError: Unexpected token 'h', \"hällo\" is not valid JSON",
    'kv.get("text", "nonsense")': UNKNOWN_TYPE,
    'kv.get("text", "constructor")': UNKNOWN_TYPE,
    'kv.get("text", { type: null })': UNKNOWN_TYPE,
    'kv.get("text", { cacheTtl: 30 })': '"hällo"',
    'kv.get("text", { cacheTtl: "60" })': '"hällo"',
    'kv.get("text", { cacheTtl: 29 })': "Error: KV GET failed: 400 Invalid cache_ttl of 29. Cache TTL must be at least 30.",
    'kv.get("missing", { cacheTtl: NaN })': "Error: KV GET failed: 400 Invalid cache_ttl of 0. Cache TTL must be at least 30.",
    'kv.get("text", { cacheTtl: 2 ** 40 })': f"threw {RANGE}",
    'kv.getWithMetadata("meta")': '{"value":"m","metadata":{"x":"ü"},"cacheStatus":null}',
    'kv.getWithMetadata("missing")': NOTHING,
    'kv.getWithMetadata("json", "json")': '{"value":{"a":[1]},"metadata":null,"cacheStatus":null}',
    # Keys
    "kv.get(1)": '"of 1"',
    "kv.get(null)": '"of null"',
    "kv.get(undefined)": '"of undefined"',
    'kv.get({ toString: () => "text" })': '"hällo"',
    'kv.get("")': "TypeError: Key name cannot be empty.",
    'kv.get(".")': 'TypeError: "." is not allowed as a key name.',
    'kv.put("..", "v")': 'TypeError: ".." is not allowed as a key name.',
    'kv.delete("")': "TypeError: Key name cannot be empty.",
    'kv.getWithMetadata("")': "threw TypeError: Key name cannot be empty.",
    'kv.get("ü".repeat(257))': "Error: KV GET failed: 414 UTF-8 encoded length of 514 exceeds key length limit of 512.",
    'kv.put("x".repeat(513), "v")': "Error: KV PUT failed: 414 UTF-8 encoded length of 513 exceeds key length limit of 512.",
    'kv.delete("x".repeat(513))': "Error: KV DELETE failed: 414 UTF-8 encoded length of 513 exceeds key length limit of 512.",
    'kv.get("x".repeat(512))': "null",
    "kv.get(Symbol())": "threw TypeError: Cannot convert a Symbol value to a string",
    "kv.get()": "threw TypeError: Failed to execute 'get' on 'KvNamespace': parameter 1 is not of type 'string or Array'.",
    'kv.put("k")': "TypeError: Failed to execute 'put' on 'KvNamespace': parameter 2 is not of type 'string or Object'.",
    "kv.delete()": "TypeError: Failed to execute 'delete' on 'KvNamespace': parameter 1 is not of type 'string'.",
    # Several keys: the runtime omits keys that are numbers
    'kv.get(["text", "missing", "text", "empty"])': 'map {"text":"hällo","missing":null,"empty":""}',
    'kv.get(["1", "null"])': 'map {"null":"of null"}',
    'kv.get(["json", "missing"], "json")': 'map {"json":{"a":[1]},"missing":null}',
    'kv.get(["text"], "")': 'map {"text":"hällo"}',
    'kv.getWithMetadata(["meta", "text", "missing"])': (
        'map {"meta":{"value":"m","metadata":{"x":"ü"}},"text":{"value":"hällo","metadata":null},"missing":null}'
    ),
    'kv.get(["text"], "json")': "Error: KV GET_BULK failed: 400 At least one of the requested keys corresponds to a non-json value",
    'kv.get(["text"], "stream")': 'Error: KV GET_BULK failed: 400 "stream" is not a valid type. Use "json" or "text"',
    "kv.get([])": "Error: KV GET_BULK failed: 400 You must request a minimum of 1 key",
    'kv.get(Array(101).fill("text"))': "Error: KV GET_BULK failed: 400 You can request a maximum of 100 keys",
    'kv.get(["."])': 'Error: KV GET_BULK failed: 400 Illegal key name ".". Please use a different name.',
    'kv.get(["text", ""])': "Error: KV GET_BULK failed: 400 Key names must not be empty",
    'kv.get(["text"], { cacheTtl: 1 })': "Error: KV GET_BULK failed: 400 Invalid cache_ttl of 1. Cache TTL must be at least 30.",
    # Values
    'written(kv, "v")': "[[118],null]",
    'written(kv, "")': "[[],null]",
    "written(kv, 5)": "[[53],null]",
    "written(kv, null)": "[[110,117,108,108],null]",
    "written(kv, new Uint8Array([1, 2]).buffer)": "[[1,2],null]",
    "written(kv, new Uint8Array([1, 2, 3, 4]).subarray(1, 3))": "[[2,3],null]",
    "written(kv, new DataView(new Uint8Array([9, 8, 7]).buffer, 1))": "[[8,7],null]",
    "written(kv, new Uint16Array([258]))": "[[2,1],null]",
    'written(kv, streamOf(new Uint8Array([1]), "a", new Uint8Array([2])))': "[[1,97,2],null]",
    "written(kv, streamOf())": "[[],null]",
    'written(kv, new Response("b").body)': "[[98],null]",
    "written(kv, {})": VALUES_ONLY,
    "written(kv, [1])": VALUES_ONLY,
    'written(kv, new Blob(["b"]))': VALUES_ONLY,
    'written(kv, new Response("r"))': VALUES_ONLY,
    'written(kv, new String("s"))': VALUES_ONLY,
    "written(kv, () => 1)": VALUES_ONLY,
    "written(kv, Symbol())": "TypeError: Cannot convert a Symbol value to a string",
    'written(kv, new ReadableStream({ pull() { throw new RangeError("boom"); } }))': "RangeError: boom",
    "written(kv, new Uint8Array(25 * 2 ** 20 + 1))": "Error: KV PUT failed: 413 Value length of 26214401 exceeds limit of 26214400.",
    "written(kv, new ReadableStream({ pull(control) { control.enqueue(new Uint8Array(2 ** 20)); } }))": (
        "Error: KV PUT failed: 413 Value length of more than 26214400 exceeds limit of 26214400."
    ),
    # Expiration
    'written(kv, "v", { expirationTtl: 60 })': "[[118],null]",
    'written(kv, "v", { expirationTtl: "60.9" })': "[[118],null]",
    'written(kv, "v", null)': "[[118],null]",
    'written(kv, "v", { expiration: 1, expirationTtl: 60 })': "[[118],null]",
    'written(kv, "v", { expirationTtl: 59 })': "Error: KV PUT failed: 400 Invalid expiration_ttl of 59. Expiration TTL must be at least 60.",
    'written(kv, "v", { expirationTtl: 0 })': "Error: KV PUT failed: 400 Invalid expiration_ttl of 0. Please specify integer greater than 0.",
    'written(kv, "v", { expirationTtl: null })': "Error: KV PUT failed: 400 Invalid expiration_ttl of 0. Please specify integer greater than 0.",
    'written(kv, "v", { expirationTtl: 60n })': "TypeError: Cannot convert a BigInt value to a number",
    'written(kv, "v", { expiration: 1000 })': f"Error: KV PUT failed: 400 Invalid expiration of 1000. {PAST}",
    'written(kv, "v", { expiration: "soon" })': f"Error: KV PUT failed: 400 Invalid expiration of 0. {PAST}",
    'written(kv, "v", { expiration: Date.now() })': RANGE,
    'written(kv, "v", "options")': "TypeError: Failed to execute 'put' on 'KvNamespace': parameter 3 is not of type 'PutOptions'.",
    # Metadata
    'written(kv, "", { metadata: 0 })': "[[],0]",
    'written(kv, "", { metadata: "" })': '[[],""]',
    'written(kv, "", { metadata: null })': "[[],null]",
    'written(kv, "", { metadata: [1, { a: "ü" }] })': '[[],[1,{"a":"ü"}]]',
    'written(kv, "", { metadata: new Date(0) })': '[[],"1970-01-01T00:00:00.000Z"]',
    'written(kv, "", { metadata: "\\ud800\\r\\n" })': '[[],"\\ud800\\r\\n"]',
    'written(kv, "", { metadata: 1n })': "TypeError: Do not know how to serialize a BigInt",
    'written(kv, "", { metadata: "x".repeat(1023) })': "Error: KV PUT failed: 413 Metadata length of 1025 exceeds limit of 1024.",
    'written(kv, "", { metadata: "x".repeat(1022) }).then(([, metadata]) => metadata.length)': "1022",
    # Listings
    'kv.list({ prefix: "p/" })': ALL,
    'kv.list({ prefix: "p/", limit: 3, cursor: null })': ALL,
    'kv.list({ prefix: "p/", limit: 0 })': ALL,
    'kv.list({ prefix: "p/", limit: -1, cursor: "" })': ALL,
    'kv.list({ prefix: "p/", limit: 1000 })': ALL,
    'kv.list({ prefix: "none" })': '{"keys":[],"list_complete":true,"cacheStatus":null}',
    "kv.list().then(({ keys }) => keys.length)": "12",
    (
        'kv.list({ prefix: "p/", limit: 2 })'
        ".then(({ cursor, ...rest }) => [typeof cursor, rest.list_complete, Object.keys(rest)])"
    ): '["string",false,["keys","list_complete","cacheStatus"]]',
    'kv.list({ prefix: "p/", limit: 2 }).then(({ cursor }) => kv.list({ prefix: "p/", limit: 2, cursor }))': (
        '{"keys":[{"name":"p/3"}],"list_complete":true,"cacheStatus":null}'
    ),
    "kv.list({ limit: 1001 })": "Error: KV GET failed: 400 Invalid key_count_limit of 1001. Please specify an integer less than 1000.",
    'kv.list({ prefix: "x".repeat(513) })': "Error: KV GET failed: 414 UTF-8 encoded length of 513 exceeds key length limit of 512.",
    'kv.list({ cursor: "nonsense" })': "Error: KV GET failed: 400 Invalid cursor",
    "kv.list(5)": "TypeError: Failed to execute 'list' on 'KvNamespace': parameter 1 is not of type 'ListOptions'.",
    # The class
    "appearance(kv)": '["KvNamespace","[object KvNamespace]","{}",[],true]',
    "members(kv)": '["delete","get","getWithMetadata","list","put"]',
    "new kv.constructor()": "threw TypeError: Illegal constructor",
    "(0, kv.get)(1)": "threw TypeError: Illegal invocation: function called with incorrect `this` reference. See "
    "https://developers.cloudflare.com/workers/observability/errors/#illegal-invocation-errors for details.",
    # Values that were read are copies
    "changed(kv)": '[{"a":[1]},[0,255],[1]]',
}


def kv_worker(edge: Edge, code: str, name: str = "w", kv: str | None = None) -> str:
    """Deploy a Worker with a KV namespace as `DATA`, a new one by default. Return the namespace's id."""
    kv = kv or edge.call("POST", "/storage/kv/namespaces", json={"title": name})["id"]
    edge.deploy(name, code, bindings=[{"name": "DATA", "type": "kv_namespace", "namespace_id": kv}])
    edge.route(f"{name}.example.com/*", name)
    return str(kv)


@pytest.fixture(scope="module")
def outcomes(module_edge: Edge) -> dict[str, str]:
    module_edge.wipe()
    kv_worker(module_edge, CASES % ", ".join(f"{json.dumps(one)}: () => {one}" for one in OUTCOMES))
    result: dict[str, str] = module_edge.get("w.example.com", timeout=120).json()
    return result


@pytest.mark.parametrize("call", OUTCOMES)
def test_kv_call_has_outcome_of_runtime_class(outcomes: dict[str, str], call: str) -> None:
    assert outcomes[call] == OUTCOMES[call]


LARGE = """
export default { async fetch(request, { DATA: kv }) {
  for (const key of ["a", "b", "c"]) await kv.put(key, "x".repeat(9 * 2 ** 20));
  const two = await kv.get(["a", "b"]);
  const three = await kv.get(["a", "b", "c"]).catch(({ message }) => message);
  return Response.json([[...two].map(([key, value]) => [key, value.length]), three]);
} };
"""


def test_kv_bulk_get_over_25_mb_is_refused(edge: Edge) -> None:
    kv_worker(edge, LARGE)
    assert edge.get("w.example.com").json() == [
        [["a", 9 * 2**20], ["b", 9 * 2**20]],
        "KV GET_BULK failed: 413 Total size of request exceeds the limit of 25MB",
    ]


READ_WRITE = """
export default { async fetch(request, { DATA: kv }) {
  const key = new URL(request.url).pathname.slice(1);
  if (request.method === "PUT") await kv.put(key, request.body ?? "");
  if (request.method === "DELETE") await kv.delete(key);
  return request.method === "GET" ? Response.json((await kv.get(key))?.trim() ?? null) : new Response();
} };
"""


class Store:
    """A KV namespace, used by two Workers and by the API."""

    def __init__(self, edge: Edge, code: str = READ_WRITE) -> None:
        self.edge = edge
        self.kv = kv_worker(edge, code, "reader")
        kv_worker(edge, code, "writer", self.kv)
        self.path = f"{edge.account}/storage/kv/namespaces/{self.kv}"

    def read(self, key: str, session: Any = requests) -> Any:
        return session.get(f"{self.edge.http}/{key}", headers={"Host": "reader.example.com"}, timeout=30).json()

    def api(self, method: str, path: str, **options: Any) -> None:
        assert self.edge.session.request(method, f"{self.path}{path}", **options).ok

    def worker(self, method: str, key: str, **options: Any) -> None:
        assert self.edge.get("writer.example.com", f"/{key}", method=method, **options).ok


@pytest.fixture
def store(edge: Edge) -> Store:
    return Store(edge)


WRITES: dict[str, Callable[[Store, str], None]] = {
    "API, one": lambda store, text: store.api("PUT", "/values/k", data=text),
    "API, bulk": lambda store, text: store.api(
        "PUT", "/bulk", json=[{"key": "k", "value": base64.b64encode(text.encode()).decode(), "base64": True}]
    ),
    "another Worker": lambda store, text: store.worker("PUT", "k", data=text),
}
DELETES: dict[str, Callable[[Store], None]] = {
    "API, one": lambda store: store.api("DELETE", "/values/k"),
    "API, bulk": lambda store: store.api("POST", "/bulk/delete", json=["k"]),
    "another Worker": lambda store: store.worker("DELETE", "k"),
}


@contextlib.contextmanager
def readers(store: Store, count: int = 2) -> Iterator[None]:
    """Read continuously in the background, so that a read is always in progress."""
    stop = threading.Event()

    def read() -> None:
        with requests.Session() as session:
            while not stop.is_set():
                store.read("k", session)

    threads = [threading.Thread(target=read) for _number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("method", WRITES)
def test_kv_read_after_write_is_never_stale(store: Store, method: str) -> None:
    with readers(store):
        stale = []
        for number in range(300):
            # Large enough that some writes are still in progress when the next one starts.
            WRITES[method](store, f"value {number}".ljust(500_000))
            result = store.read("k")
            if result != f"value {number}":
                stale.append((number, result))
    assert stale == []


@pytest.mark.parametrize("method", DELETES)
def test_kv_read_after_delete_is_never_stale(store: Store, method: str) -> None:
    with readers(store):
        stale = []
        for number in range(60):
            WRITES["API, one"](store, str(number))
            before = store.read("k")
            DELETES[method](store)
            after = store.read("k")
            if (before, after) != (str(number), None):
                stale.append((number, before, after))
    assert stale == []


def update_database(store: Store, statement: str, value: Any) -> None:
    """Change the pairs of the namespace in the database, without the edge noticing."""
    with sqlite3.connect(store.edge.data / "edge.db") as database:
        database.execute(f"update kv set {statement} where namespace = ?", (value, store.kv))


def test_kv_read_is_cached_until_next_write(store: Store) -> None:
    store.api("PUT", "/values/k", data="first")
    assert store.read("k") == "first"
    update_database(store, "value = ?", b"second")
    assert store.read("k") == "first"
    store.worker("PUT", "another", data="x")
    assert store.read("k") == "first"
    store.api("PUT", "/values/another", data="x")
    assert store.read("k") == "second"


def test_kv_cached_read_expires_with_pair(store: Store) -> None:
    store.api("PUT", "/values/k?expiration_ttl=60", data="short")
    expiration = int(time.time()) + 8
    update_database(store, "expiration = ?", expiration)
    assert store.read("k") == "short"
    time.sleep(max(0.0, expiration - time.time()) + 0.2)
    assert store.read("k") is None


def test_kv_read_with_cached_reads_is_late_by_cache_ttl(tmp_path: Path) -> None:
    """A missing key is cached too. What a Worker wrote shows at once."""
    with running_edge(tmp_path / "data", "--kv-reads", "cached") as edge:
        check_cached_reads(edge)


def check_cached_reads(edge: Edge) -> None:
    store = Store(edge, READ_WRITE.replace("kv.get(key)", "kv.get(key, { cacheTtl: 30 })"))
    assert store.read("a") is store.read("b") is None
    since = time.monotonic()
    store.api("PUT", "/values/a", data="new")
    assert store.read("a") is None
    store.worker("PUT", "b", data="own")
    assert store.read("b") == "own"
    while store.read("a") is None and time.monotonic() < since + 300:
        time.sleep(0.5)
    assert store.read("a") == "new"
    assert time.monotonic() - since >= 25


def test_kv_namespace_recreated_is_empty(edge: Edge) -> None:
    for _time in range(3):
        store = Store(edge)
        assert store.read("k") is None
        WRITES["API, one"](store, "value")
        assert store.read("k") == "value"
        edge.wipe()


LRU_CACHE = """
import { LruCache } from "./lru_cache.js";
export default { fetch() {
  const [capacity, maxValueSize] = [100_000, 20_000];
  const cache = new LruCache(capacity, maxValueSize);
  const now = Date.now();
  const wrong = [];
  let seed = 1;
  const chance = (below) => (seed = (seed * 48271) % 2147483647) % below;
  for (let step = 0; step < 20_000; step += 1) {
    const name = `${chance(3)}:${chance(200)}`;
    if (chance(3)) cache.set(name, { name }, chance(25_000), chance(9) ? Infinity : now - 1);
    else if (chance(4)) {
      const found = cache.get(name);
      if (found && found.name !== name) wrong.push("value of another key");
    }
    else if (chance(5)) cache.delete(name);
    else if (!chance(20)) cache.deleteWhere((name) => name.startsWith("1:"));
    if (cache.used > capacity || cache.used < 0) wrong.push(cache.used);
  }
  cache.deleteWhere(() => true);
  const emptied = cache.used;
  cache.set("large", 1, maxValueSize + 1);
  cache.set("expired", 1, 1, now);
  for (const name of ["a", "b", "c", "d", "e"]) cache.set(name, name, maxValueSize - 1000);
  cache.get("a");
  cache.set("f", "f", maxValueSize - 1000);
  cache.set("b again", null, 0);
  return Response.json({ wrong, emptied, large: cache.get("large") ?? null, expired: cache.get("expired") ?? null,
    present: ["a", "b", "c", "d", "e", "f"].filter((name) => cache.get(name)),
    nothing: cache.get("b again"), deleted: [cache.delete("a"), cache.delete("a")] });
} };
"""


def test_lru_cache_full_evicts_least_recently_used(edge: Edge) -> None:
    text = (FILES / "local_edge" / "runtime" / "js" / "lru_cache.js").read_text()
    edge.deploy("w", LRU_CACHE, files={"lru_cache.js": ("application/javascript+module", text)})
    edge.route("w.example.com/*", "w")
    assert edge.get("w.example.com").json() == {
        "wrong": [],
        "emptied": 0,
        "large": None,
        "expired": None,
        "present": ["a", "c", "d", "e", "f"],
        "nothing": None,
        "deleted": [True, False],
    }


FILL = """
export default { async fetch(request, { DATA: kv }) {
  const [from, to, size] = new URL(request.url).pathname.slice(1).split("/").map(Number);
  const wrong = [];
  for (let number = from; number < to; number += 1) {
    if (size) await kv.put(`key ${number}`, new Uint8Array(size).fill(number));
    else {
      const found = new Uint8Array(await kv.get(`key ${number}`, "arrayBuffer"));
      if (found[0] !== number || found.at(-1) !== number) wrong.push(number);
    }
  }
  return Response.json(wrong);
} };
"""


def test_kv_more_values_than_cache_capacity_are_read(edge: Edge) -> None:
    kv_worker(edge, FILL)
    for part in range(4):
        edge.get("w.example.com", f"/{part * 25}/{part * 25 + 25}/1000000")
    for _time in range(2):
        assert edge.get("w.example.com", "/0/100").json() == []
