# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""R2 buckets in Workers: all methods and options, the store shared with the API, large bodies and recovery."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from edge_process import Edge, Platform, wait_until

pytestmark = pytest.mark.integration

HOST = "r2.example.com"
BINDING = {"name": "B", "type": "r2_bucket", "bucket_name": "files"}
HELPERS = """
const fails = async (act) => { try { return await act(); } catch (error) { return `${error.name}: ${error.message}`; } };
const bytes = (text) => new TextEncoder().encode(text);
const fixed = (text, length = text.length) => {
  const { readable, writable } = new FixedLengthStream(length);
  const writer = writable.getWriter();
  writer.write(bytes(text)).then(() => writer.close()).catch(() => {});
  return readable;
};
"""
#: Stores and returns objects by the path of the request.
STORE = """
export default { async fetch(request, env) {
  const key = new URL(request.url).pathname.slice(1);
  if (request.method === "PUT") return Response.json(await env.B.put(key, request.body));
  const object = await env.B.get(key);
  return object ? new Response(object.body) : new Response(null, { status: 404 });
} };
"""


@pytest.fixture
def edge_with_bucket(edge: Edge) -> Edge:
    """Provide an edge with a bucket."""
    edge.call("POST", "/r2/buckets", json={"name": "files"})
    return edge


def run_in_worker(edge: Edge, code: str, body: Any = None, **options: Any) -> Any:
    """Deploy a Worker that runs the code with bucket `b`, and return the code's `result`."""
    source = (
        f"{HELPERS} export default {{ async fetch(request, env) {{"
        f" const b = env.B; {code} return Response.json(result); }} }};"
    )
    edge.deploy("w", source, **{"bindings": [BINDING], **options})
    if not edge.call("GET", f"{edge.zone['example.com']}/workers/routes"):
        edge.route(f"{HOST}/*", "w")
    response = edge.get(HOST, method="POST", data=body)
    assert response.ok, response.text
    return response.json()


def deploy_store(edge: Edge) -> None:
    edge.deploy("w", STORE, bindings=[BINDING])
    edge.route(f"{HOST}/*", "w")


def blob_files(edge: Edge) -> set[Path]:
    """Return the files of all objects and parts, including unfinished ones."""
    return set((edge.data / "r2").glob("*"))


def hex_digest(text: str, name: str = "md5") -> str:
    return hashlib.new(name, text.encode()).hexdigest()


def test_r2_put_and_get_each_value_type_and_reader(edge_with_bucket: Edge) -> None:
    result = run_in_worker(
        edge_with_bucket,
        """
      const values = {
        string: "grüße", buffer: bytes("grüße").buffer, view: bytes("--grüße--").subarray(2, 9), data: new DataView(bytes("--grüße").buffer, 2),
        blob: new Blob(["grü", "ße"]), fixed: fixed("hello"), request: request.body, response: new Response("hello").body, none: null, empty: "",
      };
      const result = {};
      for (const [key, value] of Object.entries(values)) {
        const { size, etag } = await b.put(key, value);
        const stream = (await b.get(key)).body;
        result[key] = { size, etag, text: await (await b.get(key)).text(), stream: await new Response(stream).text() };
      }
      await b.put("json", JSON.stringify({ n: [1] }), { httpMetadata: { contentType: "application/json" } });
      const get = () => b.get("json");
      const blob = await (await get()).blob();
      result.read = [
        await (await get()).json(), (await (await get()).arrayBuffer()).byteLength, (await (await get()).bytes()).constructor.name,
        blob.type, await blob.text(),
      ];
      const once = await get();
      result.used = [once.bodyUsed, await once.text(), once.bodyUsed, await fails(() => once.json())];
      result.refused = [await fails(() => b.put("k", 5)), await fails(() => b.put("k", { a: 1 }))];""",
        body=b"of a visitor",
    )
    texts = {
        "string": "grüße",
        "buffer": "grüße",
        "view": "grüße",
        "data": "grüße",
        "blob": "grüße",
        "fixed": "hello",
        "request": "of a visitor",
        "response": "hello",
        "none": "",
        "empty": "",
    }
    for key, text in texts.items():
        assert result[key] == {"size": len(text.encode()), "etag": hex_digest(text), "text": text, "stream": text}, key
    assert result["read"] == [{"n": [1]}, 9, "Uint8Array", "application/json", '{"n":[1]}']
    assert result["used"][:3] == [False, '{"n":[1]}', True] and "Body has already been used" in result["used"][3]
    assert all(refusal.startswith("TypeError: ") for refusal in result["refused"])


def test_r2_object_properties_are_complete(edge_with_bucket: Edge) -> None:
    result = run_in_worker(
        edge_with_bucket,
        """
      const httpMetadata = { contentType: "text/plain", contentLanguage: "de", contentDisposition: "inline", contentEncoding: "br",
                             cacheControl: "no-cache", cacheExpiry: new Date(1e12) };
      const created = await b.put("a/ü", "hello", { httpMetadata, customMetadata: { k: "v", ü: "→", n: 5 }, storageClass: "InfrequentAccess" });
      const [head, got] = [await b.head("a/ü"), await b.get("a/ü")];
      const headers = new Headers({ "x-own": "yes", "content-type": "overwritten/one" });
      got.writeHttpMetadata(headers);
      const again = await b.put("copy", "x", { httpMetadata: headers });
      const never = await b.put("never", "x", { httpMetadata: new Headers({ expires: "never" }) });
      const plain = await b.put("plain", "x");
      const shown = new Headers();
      plain.writeHttpMetadata(shown);
      const result = {
        created, head, got, headers: [...headers], again: again.httpMetadata, plain: [plain.httpMetadata, plain.customMetadata, [...shown]],
        types: [got.uploaded, got.httpMetadata.cacheExpiry, again.httpMetadata.cacheExpiry].map((value) => value instanceof Date),
        recent: Math.abs(Date.now() - got.uploaded) < 60_000, md5: new Uint8Array(got.checksums.md5).toHex(), body: ["body" in got, "body" in head],
        names: [b, head, got].map((value) => value.constructor.name), fixed: await fails(() => { head.key = "x"; }),
        never: [never.httpMetadata, await fails(() => b.put("never", "x", { httpMetadata: { cacheExpiry: new Date("never") } }))],
        absent: [await b.head("none"), await b.get("none"), await b.delete("none") ?? null],
      };""",
    )
    http = {
        "contentType": "text/plain",
        "contentLanguage": "de",
        "contentDisposition": "inline",
        "contentEncoding": "br",
        "cacheControl": "no-cache",
        "cacheExpiry": "2001-09-09T01:46:40.000Z",
    }
    created = result["created"]
    assert created == {
        "key": "a/ü",
        "version": created["version"],
        "size": 5,
        "etag": hex_digest("hello"),
        "httpEtag": f'"{hex_digest("hello")}"',
        "uploaded": created["uploaded"],
        "checksums": {"md5": hex_digest("hello")},
        "httpMetadata": http,
        "customMetadata": {"k": "v", "ü": "→", "n": "5"},
        "storageClass": "InfrequentAccess",
    }
    assert result["head"] == result["got"] == {**created, "range": {"offset": 0, "length": 5}}
    assert dict(result["headers"]) == {
        "x-own": "yes",
        "content-type": "text/plain",
        "content-language": "de",
        "content-disposition": "inline",
        "content-encoding": "br",
        "cache-control": "no-cache",
        "expires": "Sun, 09 Sep 2001 01:46:40 GMT",
    }
    assert (result["again"], result["plain"]) == (http, [{}, {}, []])
    assert (result["types"], result["recent"], result["md5"], result["body"]) == (
        [True] * 3,
        True,
        hex_digest("hello"),
        [True, False],
    )
    assert result["names"] == ["R2Bucket", "R2Object", "R2ObjectBody"]
    assert result["fixed"].startswith("TypeError")
    assert result["never"][0] == {} and result["never"][1].startswith("TypeError: ")
    assert result["absent"] == [None] * 3


def test_r2_put_wrong_checksum_is_refused(edge_with_bucket: Edge) -> None:
    result = run_in_worker(
        edge_with_bucket,
        """
      const names = { md5: "MD5", sha1: "SHA-1", sha256: "SHA-256", sha384: "SHA-384", sha512: "SHA-512" };
      const result = { right: {}, wrong: {} };
      for (const [name, algorithm] of Object.entries(names)) {
        const digest = new Uint8Array(await crypto.subtle.digest(algorithm, bytes("hello")));
        const views = [digest, digest.buffer, new DataView(digest.buffer), digest.toHex(), digest.toHex().toUpperCase()];
        result.right[name] = await Promise.all(views.map(async (value, index) => (await b.put(`k${index}`, "hello", { [name]: value })).checksums));
        result.wrong[name] = await fails(() => b.put("k0", "other", { [name]: digest }));
      }
      const stored = await b.get("k0");
      result.stored = [await stored.text(), Object.keys(stored.checksums), stored.checksums.sha512.byteLength];
      result.refused = [
        await fails(() => b.put("k", "x", { md5: "00", sha1: "00" })), await fails(() => b.put("k", "x", { md5: "00" })),
        await fails(() => b.put("k", "x", { sha1: new Uint8Array(19) })), await fails(() => b.put("k", "x", { md5: "x".repeat(32) })),
      ];
      result.none = await b.head("k");""",
    )
    labels = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512"}
    for name, label in labels.items():
        given, real = hex_digest("hello", name), hex_digest("other", name)
        assert result["right"][name] == [{"md5": hex_digest("hello"), name: given}] * 5
        assert result["wrong"][name] == (
            f"Error: put: The {label} checksum you specified did not match what we received.\n"
            f"You provided a {label} checksum with value: {given}\nActual {label} was: {real} (10037)"
        )
    assert result["stored"] == ["hello", ["md5", "sha512"], 64]
    assert result["refused"] == [
        "TypeError: You cannot specify multiple hashing algorithms.",
        "TypeError: MD5 is 32 hex characters, not 2",
        "TypeError: SHA-1 is 20 bytes, not 19",
        "TypeError: Provided MD5 wasn't a valid hex string",
    ]
    assert result["none"] is None


def test_r2_conditional_get_and_put_follow_conditions(edge_with_bucket: Edge) -> None:
    """Check that the options arrive. The unit tests check how they combine."""
    result = run_in_worker(
        edge_with_bucket,
        """
      const reset = () => b.put("k", "old");
      const { etag, httpEtag, uploaded } = await reset();
      const [past, future] = [new Date(uploaded - 5000), new Date(+uploaded + 60_000)];
      const conditions = {
        same: { etagMatches: etag }, other: { etagMatches: "x" }, any: { etagMatches: "*" },
        differs: { etagDoesNotMatch: "x" }, equal: { etagDoesNotMatch: etag },
        before: { uploadedBefore: future }, tooLate: { uploadedBefore: past }, after: { uploadedAfter: past }, tooSoon: { uploadedAfter: future },
        ifMatch: new Headers({ "if-match": `"x", ${httpEtag}` }), ifMatchOther: new Headers({ "if-match": '"x"' }),
        ifNoneMatch: new Headers({ "if-none-match": '"x"' }), ifNoneMatchSame: new Headers({ "if-none-match": `W/${httpEtag}` }),
        since: new Headers({ "if-modified-since": past.toUTCString() }), sinceFuture: new Headers({ "if-modified-since": future.toUTCString() }),
        until: new Headers({ "if-unmodified-since": future.toUTCString() }), untilPast: new Headers({ "if-unmodified-since": past.toUTCString() }),
        nothing: new Headers(), noTime: new Headers({ "if-modified-since": "soon" }), seconds: { uploadedAfter: uploaded, secondsGranularity: true },
      };
      const result = { get: {}, put: {}, shown: null };
      for (const [name, onlyIf] of Object.entries(conditions)) {
        const got = await b.get("k", { onlyIf });
        result.get[name] = "body" in got ? await got.text() : null;
        if (name === "other") result.shown = got;
        result.put[name] = (await b.put("k", "new", { onlyIf })) && (await (await b.get("k")).text());
        if (result.put[name]) { await reset(); conditions.seconds.uploadedAfter = (await b.head("k")).uploaded; }
      }
      result.absent = [await b.get("none", { onlyIf: { etagMatches: "x" } }), await b.put("none", "x", { onlyIf: { etagMatches: "*" } }),
                     (await b.put("fresh", "x", { onlyIf: { etagDoesNotMatch: "*" } })).key, await b.put("fresh", "y", { onlyIf: { etagDoesNotMatch: "*" } })];
      result.refused = [await fails(() => b.get("k", { onlyIf: { etagMatches: httpEtag } })), await fails(() => b.get("k", { onlyIf: { etagMatches: 5 } })),
                      await fails(() => b.get("k", { onlyIf: new Headers({ "if-match": "x" }) })),
                      await fails(() => b.put("k", "x", { onlyIf: { uploadedBefore: new Date("x") } }))];
      result.stored = [await (await b.get("k")).text(), await (await b.get("fresh")).text()];""",
    )
    holds = {
        "same",
        "any",
        "differs",
        "before",
        "after",
        "ifMatch",
        "ifNoneMatch",
        "since",
        "until",
        "nothing",
        "noTime",
    }
    for name in result["get"]:
        assert (result["get"][name], result["put"][name]) == (("old", "new") if name in holds else (None, None)), name
    assert result["shown"]["etag"] == hex_digest("old") and result["shown"]["range"] == {"offset": 0, "length": 3}
    assert result["absent"] == [None, None, "fresh", None]
    assert (
        result["refused"][0] == f'TypeError: Conditional ETag should not be wrapped in quotes ("{hex_digest("old")}").'
    )
    assert result["refused"][1].startswith("TypeError: ")
    assert result["refused"][2] == "Error: get: Invalid ETag in if-match header (10029)"
    assert result["refused"][3].startswith("TypeError: ")
    assert result["stored"] == ["old", "x"]


def test_r2_get_range_returns_range_or_error(edge_with_bucket: Edge) -> None:
    body = "0123456789"
    cases: dict[str, tuple[int, int] | str] = {
        "{ offset: 3 }": (3, 7),
        "{ length: 3 }": (0, 3),
        "{ offset: 2, length: 3 }": (2, 3),
        "{ offset: 8, length: 50 }": (8, 2),
        "{ suffix: 4 }": (6, 4),
        "{ suffix: 50 }": (0, 10),
        "{}": (0, 10),
        'new Headers({ range: "bytes=2-4" })': (2, 3),
        'new Headers({ range: "bytes=7-" })': (7, 3),
        'new Headers({ range: "bytes=-2" })': (8, 2),
        'new Headers({ range: "bytes=1-2,4-5" })': (0, 10),
        'new Headers({ range: "bytes=20-" })': (0, 10),
        "new Headers()": (0, 10),
        **dict.fromkeys(
            ("{ offset: 10 }", "{ offset: 42 }", "{ length: 0 }", "{ suffix: 0 }"),
            "Error: get: The requested range is not satisfiable (10039)",
        ),
        "{ offset: -1 }": "RangeError: Invalid range. Starting offset (-1) must be greater than or equal to 0.",
        "{ offset: 1.5 }": "RangeError: Invalid range. Starting offset (1.5) must be an integer, not floating point.",
        "{ length: -2 }": "RangeError: Invalid range. Length (-2) must be greater than or equal to 0.",
        "{ suffix: -1 }": "RangeError: Invalid suffix. Suffix (-1) must be greater than or equal to 0.",
        "{ suffix: 1, offset: 1 }": "TypeError: Suffix is incompatible with offset.",
        "{ suffix: 1, length: 1 }": "TypeError: Suffix is incompatible with length.",
    }
    result = run_in_worker(
        edge_with_bucket,
        f"""
      await b.put("k", "{body}");
      const result = [];
      for (const range of [{", ".join(cases)}]) {{
        result.push(await fails(async () => {{ const got = await b.get("k", {{ range }}); return [got.range, await got.text(), got.size]; }}));
      }}""",
    )
    for (given, expected), found in zip(cases.items(), result, strict=True):
        if isinstance(expected, str):
            assert found == expected, given
        else:
            start, length = expected
            assert found == [{"offset": start, "length": length}, body[start : start + length], 10], given


KEYS = ["a", "a/1", "a/2", "a/b/1", "ab", "b/1", "b/2", "c", "ü/x"]
LIST = """
  for (const key of KEYS) await b.put(key, key);
  const result = [];
  for (const options of OPTIONS) {
    const pages = [];
    let cursor;
    do {
      const page = await b.list({ ...options, cursor });
      pages.push([page.objects.map(({ key }) => key), page.delimitedPrefixes, page.truncated]);
      cursor = page.cursor;
    } while (cursor);
    result.push(pages);
  }
"""


def test_r2_list_option_combinations_match_model(edge_with_bucket: Edge) -> None:
    cases = [
        {
            name: value
            for name, value in zip(("prefix", "delimiter", "limit", "startAfter"), each, strict=True)
            if value is not None
        }
        for each in itertools.product(
            [None, "", "a", "a/", "none"], [None, "/", "b"], [None, 1, 2], [None, "a/1", "ab"]
        )
    ]
    result = run_in_worker(
        edge_with_bucket, LIST.replace("KEYS", json.dumps(KEYS)).replace("OPTIONS", json.dumps(cases))
    )
    for options, pages in zip(cases, result, strict=True):
        prefix, delimiter, limit = options.get("prefix", ""), options.get("delimiter", ""), options.get("limit", 1000)
        keys = [key for key in KEYS if key.startswith(prefix) and key > options.get("startAfter", "")]
        ends = {key: key.find(delimiter, len(prefix)) if delimiter else -1 for key in keys}
        entries = list(
            dict.fromkeys((key, False) if ends[key] < 0 else (key[: ends[key] + len(delimiter)], True) for key in keys)
        )
        expected = [entries[start : start + limit] for start in range(0, len(entries), limit)] or [[]]
        assert pages == [
            [[one for one, group in page if not group], [one for one, group in page if group], page is not expected[-1]]
            for page in expected
        ], options


def test_r2_list_include_returns_requested_metadata(edge_with_bucket: Edge) -> None:
    code = """
      await b.put("k", "hello", { httpMetadata: { contentType: "a/b" }, customMetadata: { c: "d" } });
      const shown = async (options) => {
        const { httpMetadata, customMetadata } = (await b.list(options)).objects[0];
        return [httpMetadata ?? null, customMetadata ?? null];
      };
      const [object] = (await b.list()).objects;
      const result = {
        none: await shown(), empty: await shown({ include: [] }), http: await shown({ include: ["httpMetadata"] }),
        custom: await shown({ include: ["customMetadata"] }), both: await shown({ include: ["httpMetadata", "customMetadata"] }), object,
        write: await fails(() => object.writeHttpMetadata(new Headers())),
        refused: await Promise.all([{ include: ["x"] }, { limit: 0 }, { limit: -1 }, { limit: 1001 }, { cursor: "!" }, { prefix: 5 }].map(
          (options) => fails(() => b.list(options)))),
      };"""
    result = run_in_worker(edge_with_bucket, code)
    http, custom = {"contentType": "a/b"}, {"c": "d"}
    assert result["none"] == result["empty"] == [None, None]
    assert (result["http"], result["custom"], result["both"]) == ([http, None], [None, custom], [http, custom])
    assert (
        result["object"].items()
        >= {
            "key": "k",
            "size": 5,
            "etag": hex_digest("hello"),
            "checksums": {"md5": hex_digest("hello")},
            "storageClass": "Standard",
        }.items()
    )
    assert "range" not in result["object"]
    assert (
        result["write"]
        == "TypeError: HTTP metadata unknown for key `k`. Did you forget to add 'httpMetadata' to `include` when listing?"
    )
    limit = "Error: list: MaxKeys params must be positive integer <= 1000. (10022)"
    assert result["refused"][:5] == [
        "RangeError: Unsupported include value x",
        limit,
        limit,
        limit,
        "Error: list: The cursor was not issued for this listing. (10029)",
    ]
    assert result["refused"][5].startswith("TypeError: ")
    old = run_in_worker(edge_with_bucket, code, compatibility_date="2022-08-03")
    assert old["none"] == old["http"] == old["both"] == [http, custom], (
        "with an old compatibility date, a listing includes all metadata"
    )


def test_r2_delete_up_to_1000_keys_deletes_all(edge_with_bucket: Edge) -> None:
    result = run_in_worker(
        edge_with_bucket,
        """
      const keys = Array.from({ length: 1000 }, (_, index) => `${"k".repeat(500)}${index}`);
      await Promise.all(keys.slice(0, 20).map((key) => b.put(key, key)));
      await b.put("other", "x");
      const result = [(await b.list()).objects.length, await fails(() => b.delete([...keys, "one more"])), await fails(() => b.delete([]))];
      await b.delete(keys);
      result.push((await b.list()).objects.map(({ key }) => key));
      await b.delete("other");
      result.push((await b.list()).objects.length);""",
    )
    refusal = "Error: delete: The number of keys in the request must be between 1 and 1000 inclusive. (10027)"
    assert result == [21, refusal, refusal, ["other"], 0]


def test_r2_put_any_key_and_metadata_within_limits_is_stored(edge_with_bucket: Edge) -> None:
    result = run_in_worker(
        edge_with_bucket,
        """
      const keys = ["", " ", "a\\0b", "\\n", "ünï/→?#%2F", "../..", "😀", "k".repeat(1024), "__proto__", "\\ud800"];
      const result = { keys: [], metadata: [] };
      for (const key of keys) {
        const { key: created } = await b.put(key, `<${key}>`);
        result.keys.push([created, await (await b.get(key)).text(), (await b.head(key)).key]);
      }
      result.listed = (await b.list()).objects.map(({ key }) => key);
      for (const value of ["x".repeat(8191), "→".repeat(4094), "\\u0001".repeat(8191), "\\r\\n"]) {
        await b.put("m", "", { customMetadata: { a: value } });
        result.metadata.push([(await b.head("m")).customMetadata.a, (await b.get("m")).customMetadata.a].map((found) => found === value));
      }
      result.refused = [await fails(() => b.put("k".repeat(1025), "x")), await fails(() => b.head("→".repeat(342))), await fails(() => b.get("k".repeat(1025))),
                      await fails(() => b.delete("k".repeat(1025))), await fails(() => b.put("m", "x", { customMetadata: { a: "x".repeat(8192) } })),
                      await fails(() => b.put("m", "x", { customMetadata: { a: "x".repeat(200_000) } })),
                      await fails(() => b.put("m", "x", { storageClass: "Glacial" }))];
      result.stored = (await b.head("m")).size;""",
    )
    keys = ["", " ", "a\0b", "\n", "ünï/→?#%2F", "../..", "😀", "k" * 1024, "__proto__", "\ufffd"]
    assert [(created, head) for created, _text, head in result["keys"]] == [(key, key) for key in keys]
    assert [text for _made, text, _head in result["keys"][:-1]] == [f"<{key}>" for key in keys[:-1]]
    assert result["listed"] == sorted(keys, key=str.encode)
    assert result["metadata"] == [[True, True]] * 4
    name, metadata = (
        "The specified object name is not valid. (10020)",
        "put: Your metadata headers exceed the maximum allowed metadata size. (10012)",
    )
    assert (
        result["refused"][:6]
        == [f"Error: {action}: {name}" for action in ("put", "head", "get", "delete")] + [f"Error: {metadata}"] * 2
    )
    assert result["refused"][6].startswith("Error: put: ") and "Glacial" in result["refused"][6]
    assert result["stored"] == 0


def test_r2_put_stream_of_unknown_or_wrong_length_is_refused(edge_with_bucket: Edge) -> None:
    before = blob_files(edge_with_bucket)
    result = run_in_worker(
        edge_with_bucket,
        """
      const { readable, writable } = new TransformStream();
      const writer = writable.getWriter();
      writer.write(bytes("x")).catch(() => {});
      const broken = new FixedLengthStream(5);
      const breaking = broken.writable.getWriter();
      breaking.write(bytes("ab")).then(() => breaking.abort(new Error("changed my mind"))).catch(() => {});
      const result = {
        unknown: [await fails(() => b.put("k", readable)), await fails(() => b.put("k", ReadableStream.from([bytes("x")])))],
        broken: [await fails(() => b.put("k", fixed("abc", 5))), await fails(() => b.put("k", broken.readable))],
        none: await b.head("k"), one: (await b.put("k", fixed("abc"))).size,
      };""",
    )
    assert (
        result["unknown"]
        == [
            "TypeError: Provided readable stream must have a known length (request/response body or readable half of FixedLengthStream)"
        ]
        * 2
    )
    assert all(refusal.startswith("Error: ") for refusal in result["broken"])
    assert (result["none"], result["one"]) == (None, 3)
    wait_until(lambda: len(blob_files(edge_with_bucket) - before) == 1)


PART = 5 * 1024 * 1024


def test_r2_multipart_upload_completed_creates_object(edge_with_bucket: Edge) -> None:
    result = run_in_worker(
        edge_with_bucket,
        f"""
      const part = {PART};
      const options = {{ httpMetadata: {{ contentType: "a/b" }}, customMetadata: {{ c: "d" }}, storageClass: "InfrequentAccess" }};
      const upload = await b.createMultipartUpload("k", options);
      const resumed = b.resumeMultipartUpload(upload.key, upload.uploadId);
      const third = await resumed.uploadPart(3, "the end");
      const first = await upload.uploadPart(1, new Uint8Array(part).fill(65));
      const replaced = await upload.uploadPart(2, "replaced");
      const second = await upload.uploadPart(2, new Response(new Uint8Array(part).fill(66)).body);
      const numbers = [first, second, third].map(({{ partNumber }}) => partNumber);
      const result = {{ upload, numbers, hidden: await b.head("k"), listed: (await b.list()).objects.length }};
      result.replaced = await fails(() => upload.complete([first, replaced, third]));
      result.created = await resumed.complete([second, first, third]);
      result.head = await b.head("k");
      const around = await b.get("k", {{ range: {{ offset: part - 2, length: 4 }} }});
      result.around = [await around.text(), await (await b.get("k", {{ range: {{ suffix: 9 }} }})).text()];
      let sum = 0, size = 0;
      for await (const chunk of (await b.get("k")).body) {{ size += chunk.length; for (const byte of chunk) sum += byte; }}
      result.whole = [size, sum];
      result.over = [await fails(() => upload.complete([first])), await fails(() => upload.uploadPart(4, "x")),
                   await upload.abort() ?? null, (await b.head("k")).size];
      const [reading, ranged] = [await b.get("k"), await b.get("k", {{ range: {{ offset: part + 1 }} }})];
      await b.put("k", "in its place");
      result.reading = [(await reading.arrayBuffer()).byteLength, (await ranged.arrayBuffer()).byteLength, await (await b.get("k")).text()];""",
    )
    size = 2 * PART + 7
    assert (
        result["upload"] == {"key": "k", "uploadId": result["upload"]["uploadId"]}
        and len(result["upload"]["uploadId"]) > 50
    )
    assert (result["numbers"], result["hidden"], result["listed"]) == ([1, 2, 3], None, 0)
    assert (
        result["replaced"]
        == "Error: completeMultipartUpload: One or more of the specified parts could not be found. (10025)"
    )
    digests = b"".join(hashlib.md5(body).digest() for body in (b"A" * PART, b"B" * PART, b"the end"))
    etag = f"{hashlib.md5(digests).hexdigest()}-3"
    created = result["created"]
    assert created == {
        "key": "k",
        "version": created["version"],
        "size": size,
        "etag": etag,
        "httpEtag": f'"{etag}"',
        "checksums": {},
        "uploaded": created["uploaded"],
        "httpMetadata": {"contentType": "a/b"},
        "customMetadata": {"c": "d"},
        "storageClass": "InfrequentAccess",
    }
    assert result["head"] == {**created, "range": {"offset": 0, "length": size}}
    assert (result["around"], result["whole"]) == (["AABB", "BBthe end"], [size, PART * (65 + 66) + sum(b"the end")])
    gone = "The specified multipart upload does not exist. (10024)"
    assert result["over"] == [f"Error: completeMultipartUpload: {gone}", f"Error: uploadPart: {gone}", None, size]
    assert result["reading"] == [size, PART + 6, "in its place"], "a read in progress continues with the old object"


def test_r2_multipart_upload_invalid_or_aborted_is_refused(edge_with_bucket: Edge) -> None:
    before = blob_files(edge_with_bucket)
    result = run_in_worker(
        edge_with_bucket,
        """
      const upload = await b.createMultipartUpload("k");
      const parts = await Promise.all([1, 2, 3].map((number) => upload.uploadPart(number, "small")));
      const none = b.resumeMultipartUpload("k", "none");
      const result = {
        small: await fails(() => upload.complete(parts)), twice: await fails(() => upload.complete([parts[0], parts[0]])),
        none: [await fails(() => none.uploadPart(1, "x")), await fails(() => none.complete([])), await fails(() => none.abort())],
        numbers: [await fails(() => upload.uploadPart(0, "x")), await fails(() => upload.uploadPart(10_001, "x")),
                  await fails(() => upload.complete([{ partNumber: 0, etag: "x" }]))],
        key: await fails(() => b.createMultipartUpload("k".repeat(1025))), value: await fails(() => upload.uploadPart(1, null)),
      };
      await upload.abort();
      await upload.abort();
      result.aborted = await fails(() => upload.complete([parts[0]]));
      const [one, empty] = [await b.createMultipartUpload("one"), await b.createMultipartUpload("empty")];
      result.alone = [(await one.complete([await one.uploadPart(7, "tiny")])).size, (await empty.complete([])).etag];""",
    )
    gone = "The specified multipart upload does not exist. (10024)"
    assert (
        result["small"]
        == "Error: completeMultipartUpload: Your proposed upload is smaller than the minimum allowed object size. (10011)"
    )
    assert (
        result["twice"] == "Error: completeMultipartUpload: We encountered an internal error. Please try again. (10001)"
    )
    assert result["none"] == [
        f"Error: {action}: {gone}" for action in ("uploadPart", "completeMultipartUpload", "abortMultipartUpload")
    ]
    assert result["numbers"] == [
        f"TypeError: Part number must be between 1 and 10000 (inclusive). Actual value was: {number}"
        for number in (0, 10_001, 0)
    ]
    assert result["key"] == "Error: createMultipartUpload: The specified object name is not valid. (10020)"
    assert result["value"].startswith("TypeError: ")
    assert result["aborted"] == f"Error: completeMultipartUpload: {gone}"
    assert result["alone"] == [4, "d41d8cd98f00b204e9800998ecf8427e-0"]
    assert len(blob_files(edge_with_bucket) - before) == 1


def test_r2_customer_encryption_key_is_refused(edge_with_bucket: Edge) -> None:
    result = run_in_worker(
        edge_with_bucket,
        """
      const options = { ssecKey: "0".repeat(64) };
      const upload = await b.createMultipartUpload("k");
      const result = await Promise.all([() => b.put("k", "x", options), () => b.get("k", options), () => b.createMultipartUpload("k", options),
                                      () => upload.uploadPart(1, "x", options)].map(fails));""",
    )
    assert all("SSE-C" in refusal and "ssecKey" in refusal for refusal in result)


def test_r2_worker_and_api_share_one_store(edge_with_bucket: Edge) -> None:
    path = f"{edge_with_bucket.account}/r2/buckets/files/objects"
    edge_with_bucket.call(
        "PUT",
        f"{path}/from/api",
        data=b"\x00\xff",
        headers={"Content-Type": "image/png", "Expires": "Fri, 24 Feb 2023 00:00:00 GMT"},
    )
    result = run_in_worker(
        edge_with_bucket,
        """
      const got = await b.get("from/api");
      const result = [[...(await got.bytes())], got.httpMetadata];
      await b.put("from/worker", "hello", { httpMetadata: { contentType: "text/ü", contentEncoding: "gzip" }, customMetadata: { a: "→" } });""",
    )
    assert result == [[0, 255], {"contentType": "image/png", "cacheExpiry": "2023-02-24T00:00:00.000Z"}]
    got = edge_with_bucket.session.get(f"{path}/from/worker", stream=True)
    assert (got.raw.read(decode_content=False), got.headers["content-encoding"]) == (b"hello", "gzip")
    assert [one["key"] for one in edge_with_bucket.call("GET", path)] == ["from/api", "from/worker"]
    assert edge_with_bucket.call("GET", f"{path}?prefix=from/w")[0]["custom_metadata"] == {"a": "→"}
    edge_with_bucket.call("DELETE", f"{path}/from/worker")
    assert run_in_worker(edge_with_bucket, "const result = await b.head('from/worker');") is None


def test_r2_tenants_have_separate_buckets(platform: Platform) -> None:
    edge = platform.edge
    for name in ("a", "b"):
        edge.call("POST", "/r2/buckets", json={"name": f"bucket-{name}"})
        platform.deploy_tenant(name, STORE, bindings=[{**BINDING, "bucket_name": f"bucket-{name}"}])
        assert platform.get(name, "/k", method="PUT", data=f"of {name}".encode()).ok
    assert [platform.get(name, "/k").text for name in ("a", "b")] == ["of a", "of b"]
    edge.call("DELETE", "/r2/buckets/bucket-a/objects/k")
    assert (platform.get("a", "/k").status_code, platform.get("b", "/k").text) == (404, "of b")


def test_r2_bucket_in_jurisdiction_is_separate(edge_with_bucket: Edge) -> None:
    eu_headers, objects = {"cf-r2-jurisdiction": "eu"}, f"{edge_with_bucket.account}/r2/buckets/files/objects"
    edge_with_bucket.call("POST", "/r2/buckets", json={"name": "files"}, headers=eu_headers)
    bindings = [BINDING, {**BINDING, "name": "EU", "jurisdiction": "eu"}]
    result = run_in_worker(
        edge_with_bucket,
        "await env.EU.put('k', 'x'); const result = [await b.head('k'), (await env.EU.head('k')).size];",
        bindings=bindings,
    )
    assert result == [None, 1]
    assert (
        [one["key"] for one in edge_with_bucket.call("GET", objects, headers=eu_headers)],
        edge_with_bucket.call("GET", objects),
    ) == (
        ["k"],
        [],
    )
    edge_with_bucket.call("DELETE", f"{objects}/k", headers=eu_headers)
    edge_with_bucket.call("DELETE", "/r2/buckets/files", headers=eu_headers)


def test_r2_deleted_bucket_calls_fail_until_recreated(edge_with_bucket: Edge) -> None:
    actions = ("head", "get", "put", "list", "createMultipartUpload", "delete")
    code = """const result = [];
      for (const act of [() => b.head("k"), () => b.get("k"), () => b.put("k", "x".repeat(5_000_000)), () => b.list(), () => b.createMultipartUpload("k"),
                         () => b.delete("k")]) result.push(await fails(act) ?? null);"""
    assert not any("Error" in json.dumps(one) for one in run_in_worker(edge_with_bucket, code))
    edge_with_bucket.call("DELETE", "/r2/buckets/files")
    assert edge_with_bucket.get(HOST, method="POST").json() == [
        f"Error: {action}: The specified bucket does not exist. (10006)" for action in actions
    ]
    edge_with_bucket.call("POST", "/r2/buckets", json={"name": "files"})
    assert not any("Error" in json.dumps(one) for one in edge_with_bucket.get(HOST, method="POST").json()), (
        "a new bucket of the same name replaces it"
    )


def peak_memory_mb(edge: Edge, process: str) -> int:
    """Return the peak memory of a process since the last call, in MB."""
    folder = Path(f"/proc/{edge.children()[process]}")
    found = next(
        int(line.split()[1]) // 1024
        for line in (folder / "status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
    (folder / "clear_refs").write_text("5")
    return found


def test_r2_large_object_uses_little_memory(edge_with_bucket: Edge) -> None:
    deploy_store(edge_with_bucket)
    assert edge_with_bucket.get(HOST, "/small", method="PUT", data=b"x").ok
    processes = ("control", "edge")
    body = os.urandom(1024 * 1024) * 60
    before = [[peak_memory_mb(edge_with_bucket, process) for process in processes] for _twice in range(2)][1]
    created = edge_with_bucket.get(HOST, "/large", method="PUT", data=body).json()
    assert (created["size"], created["etag"]) == (len(body), hashlib.md5(body).hexdigest())
    assert edge_with_bucket.get(HOST, "/large").content == body
    assert edge_with_bucket.session.get(f"{edge_with_bucket.account}/r2/buckets/files/objects/large").content == body
    growth = [
        peak_memory_mb(edge_with_bucket, process) - memory for process, memory in zip(processes, before, strict=True)
    ]
    assert max(growth) < 25, dict(zip(processes, growth, strict=True))


def send_half_object(edge: Edge) -> tuple[socket.socket, Path]:
    """Send half of an object. Return the connection and the file that contains the half."""
    before = blob_files(edge)
    visitor = socket.create_connection(("127.0.0.1", int(edge.http.rsplit(":", 1)[1])))
    visitor.sendall(f"PUT /half HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: 1000000\r\n\r\n".encode() + b"x" * 500_000)
    wait_until(lambda: any(path.stat().st_size > 0 for path in blob_files(edge) - before))
    return visitor, (blob_files(edge) - before).pop()


def test_r2_put_interrupted_leaves_no_file(edge_with_bucket: Edge) -> None:
    deploy_store(edge_with_bucket)
    assert edge_with_bucket.get(HOST, "/whole", method="PUT", data=b"whole").ok
    visitor, half = send_half_object(edge_with_bucket)
    visitor.close()
    wait_until(lambda: not half.exists())
    assert [one["key"] for one in edge_with_bucket.call("GET", "/r2/buckets/files/objects")] == ["whole"]


def test_r2_control_process_killed_keeps_only_acknowledged_objects(start: Callable[..., Edge]) -> None:
    edge, body = start(), b"whole" * 100_000
    edge.call("POST", "/r2/buckets", json={"name": "files"})
    deploy_store(edge)
    assert edge.get(HOST, "/whole", method="PUT", data=body).ok
    visitor, half = send_half_object(edge)
    os.kill(edge.children()["control"], signal.SIGKILL)
    assert b" 500 " in visitor.recv(100)
    visitor.close()
    assert edge.get(HOST, "/whole").content == body, "a request during the restart waits for it"
    assert edge.get(HOST, "/half").status_code == 404
    wait_until(lambda: not half.exists())
    edge.stop()
    edge.start()
    assert edge.get(HOST, "/whole").content == body
    assert [one["key"] for one in edge.call("GET", "/r2/buckets/files/objects")] == ["whole"]
    assert len(blob_files(edge)) == 1


def test_r2_slow_readers_do_not_block_others(edge_with_bucket: Edge) -> None:
    deploy_store(edge_with_bucket)
    body = os.urandom(1024 * 1024) * 60
    assert edge_with_bucket.get(HOST, "/large", method="PUT", data=body).ok
    readers = [edge_with_bucket.get(HOST, "/large", stream=True) for _reader in range(5)]
    assert edge_with_bucket.get(HOST, "/none").status_code == 404, "readers that never end would block it"
    edge_with_bucket.call("DELETE", "/r2/buckets/files/objects/large")
    assert edge_with_bucket.get(HOST, "/large").status_code == 404
    assert readers[0].content == body
    for reader in readers:
        reader.close()
