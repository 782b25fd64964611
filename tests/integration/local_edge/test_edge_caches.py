# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Cache API in Workers: storage, expiry, responses and sharing."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
from edge_process import ECHO, Edge, Platform

pytestmark = pytest.mark.integration

#: Runs the requested operation on a cache. Responds with its result or error.
WORKER = """
const describe = async (found) => found && { status: found.status, headers: Object.fromEntries(found.headers), text: await found.text() };
const OPERATIONS = {
  put: (cache, key, { body, ...init }) => cache.put(key, new Response(body, init)),
  match: async (cache, key, options) => describe(await cache.match(key, options)),
  delete: (cache, key, options) => cache.delete(key, options),
};
export default { async fetch(request) {
  const { operation, name, url, init, options } = await request.json();
  try {
    const cache = name === null ? caches.default : await caches.open(name);
    return Response.json((await OPERATIONS[operation](cache, init ? new Request(url, init) : url, options)) ?? null);
  } catch (error) { return Response.json(`${error.name}: ${error.message}`); }
} };
"""
DISABLED = (
    "caches.default is disabled for namespaced scripts. Use `await caches.open(NAME)`, which is private, or set "
    "`trusted_workers` of the namespace and upload the Worker again."
)
HOUR = {"cache-control": "max-age=3600"}


class Caches:
    """The caches of the Worker at a host. Each instance has its own URL by default."""

    def __init__(self, edge: Edge, host: str, url: str | None = None) -> None:
        self.edge, self.host, self.url = edge, host, url or f"http://{uuid.uuid4()}.example.com/x"

    def run(self, operation: str, name: str | None, init: dict[str, Any] | None, options: Any) -> Any:
        call = {"operation": operation, "name": name, "url": self.url, "init": init, "options": options}
        return self.edge.get(self.host, method="POST", json=call).json()

    def put(
        self,
        body: str | None = "kept",
        name: str | None = None,
        init: dict[str, Any] | None = None,
        **response_init: Any,
    ) -> Any:
        return self.run("put", name, init, {"body": body, **response_init})

    def match(self, name: str | None = None, init: dict[str, Any] | None = None, **options: Any) -> Any:
        return self.run("match", name, init, options)

    def delete(self, name: str | None = None, init: dict[str, Any] | None = None, **options: Any) -> Any:
        return self.run("delete", name, init, options)

    def text(self, name: str | None = None) -> str | None:
        found = self.match(name)
        return found["text"] if isinstance(found, dict) else found


def deploy_caches(edge: Edge, name: str, url: str | None = None) -> Caches:
    """Deploy a Worker in the account and return its caches."""
    edge.deploy(name, WORKER)
    edge.route(f"{name}.example.com/*", name)
    return Caches(edge, f"{name}.example.com", url)


@pytest.fixture
def cache(edge: Edge) -> Caches:
    return deploy_caches(edge, "one")


def test_cache_put_match_delete_returns_stored_response(cache: Caches) -> None:
    assert cache.match() is None
    assert cache.put("hello", status=404, headers={**HOUR, "x-own": "yes"}) is None
    found = cache.match()
    assert (found["status"], found["text"]) == (404, "hello")
    expected = {
        "x-own": "yes",
        "cf-cache-status": "HIT",
        "content-length": "5",
        "content-type": "text/plain;charset=UTF-8",
        **HOUR,
    }
    assert found["headers"] == {**expected, "age": found["headers"]["age"]}
    assert 0 <= int(found["headers"]["age"]) < 5
    assert (cache.delete(), cache.delete(), cache.match()) == (True, False, None)


def test_cache_put_again_replaces_unless_not_storable(cache: Caches) -> None:
    for body, headers in (("first", HOUR), ("second", HOUR), ("third", {"cache-control": "no-store"})):
        cache.put(body, headers=headers)
    assert cache.text() == "second"


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, {}),
        (301, {"location": "http://x/"}),
        (302, {"location": "http://x/"}),
        (303, {"location": "http://x/"}),
        (404, {}),
        (410, {}),
        (200, {"cache-control": "public"}),
        (200, {"Cache-Control": "Public, MAX-AGE=60"}),
        (200, {"cache-control": 'max-age="60"'}),
        (200, {"cache-control": "max-age=0, s-maxage=60"}),
        (500, {"cache-control": "max-age=60"}),
        (201, {"cache-control": "s-maxage=60"}),
        (200, {"expires": "Fri, 31 Dec 9999 23:59:59 GMT"}),
        (200, {"vary": "accept-language"}),
        (200, {"set-cookie": "a=b", "cache-control": "private=Set-Cookie, max-age=60"}),
        (200, {"set-cookie": "a=b", "cache-control": 'max-age=60, private="x-other, set-cookie"'}),
        (200, {"cache-control": "no-cache=x-absent, max-age=60"}),
        (200, {"age": "50", "cache-control": "max-age=60"}),
    ],
)
def test_cache_put_storable_response_is_stored(cache: Caches, status: int, headers: dict[str, str]) -> None:
    assert cache.put("" if status in (301, 302, 303) else "kept", status=status, headers=headers) is None
    found = cache.match()
    assert found["status"] == status
    assert "set-cookie" not in found["headers"]
    assert int(found["headers"]["age"]) - int(headers.get("age", 0)) < 5


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (201, {}),
        (403, {}),
        (500, {}),
        (200, {"cache-control": "no-store, max-age=60"}),
        (200, {"cache-control": "private, max-age=60"}),
        (200, {"cache-control": "no-cache, max-age=60"}),
        (200, {"cache-control": "max-age=0"}),
        (200, {"cache-control": "max-age=60, s-maxage=0"}),
        (200, {"cache-control": "max-age=soon"}),
        (200, {"set-cookie": "a=b", **HOUR}),
        (200, {"set-cookie": "a=b"}),
        (200, {"set-cookie": "a=b", "cache-control": "private=x-other, max-age=60"}),
        (200, {"x-there": "1", "cache-control": "no-cache=x-there, max-age=60"}),
        (200, {"expires": "Thu, 01 Jan 1970 00:00:00 GMT"}),
        (200, {"expires": "0"}),
        (200, {"age": "61", "cache-control": "max-age=60"}),
        (304, HOUR),
    ],
)
def test_cache_put_not_storable_response_is_ignored(cache: Caches, status: int, headers: dict[str, str]) -> None:
    assert cache.put(None if status == 304 else "kept", status=status, headers=headers) is None
    assert cache.match() is None
    assert cache.delete() is False


def test_cache_put_authorized_request_requires_public(cache: Caches) -> None:
    init = {"headers": {"authorization": "Bearer x"}}
    cache.put(init=init, headers=HOUR)
    assert cache.match() is None
    cache.put(init=init, headers={"cache-control": "public, max-age=60"})
    assert cache.text() == "kept"


def test_cache_entry_expires(cache: Caches) -> None:
    cache.put(headers={"cache-control": "max-age=4"})
    assert cache.text() == "kept"
    time.sleep(4.2)
    assert (cache.match(), cache.delete()) == (None, False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"status": 206}, "TypeError: Cannot cache response to a range request (206 Partial Content)."),
        ({"headers": {"vary": "accept, *"}}, "TypeError: Cannot cache response with 'Vary: *' header."),
        ({"init": {"method": "POST"}}, "TypeError: Cannot cache response to non-GET request."),
    ],
)
def test_cache_put_invalid_response_or_request_raises(cache: Caches, options: dict[str, Any], message: str) -> None:
    assert cache.put(**options) == message


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT"])
def test_cache_match_other_method_requires_ignore_method(cache: Caches, method: str) -> None:
    cache.put()
    init = {"method": method}
    assert cache.match(init=init) is None
    assert cache.match(init=init, ignoreMethod=True)["text"] == "kept"
    assert cache.delete(init=init) is False
    assert cache.delete(init=init, ignoreMethod=True) is True


@pytest.mark.parametrize("field", ["ignoreSearch", "ignoreVary", "cacheName"])
def test_cache_match_unsupported_option_raises(cache: Caches, field: str) -> None:
    assert cache.match(**{field: True}) == f"Error: The '{field}' field on 'CacheQueryOptions' is not implemented."


@pytest.mark.parametrize(
    ("url", "same", "other"),
    [
        ("http://e.test/q?b=2&a=1", "http://E.test:80/q?b=2&a=1", "http://e.test/q?a=1&b=2"),
        ("http://e.test/a/../p", "http://e.test/p", "https://e.test/p"),
        ("http://e.test/%61", "http://e.test/%61", "http://e.test/a"),
        ("http://e.test/f#part", "http://e.test/f#part", "http://e.test/f"),
        ("ftp://e.test/", "ftp://e.test/", "http://e.test/"),
    ],
)
def test_cache_key_is_normalized_url(edge: Edge, cache: Caches, url: str, same: str, other: str) -> None:
    Caches(edge, cache.host, url).put(url)
    assert [Caches(edge, cache.host, one).text() for one in (url, same, other)] == [url, url, None]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://user:secret@e.test/", "Invalid URL. Cache API keys must be fully-qualified, valid URLs."),
        ("data:,x", "Invalid URL. Cache API keys must be fully-qualified, valid URLs."),
        ("/relative", "Invalid URL: /relative"),
    ],
)
def test_cache_put_invalid_url_raises(edge: Edge, cache: Caches, url: str, message: str) -> None:
    assert Caches(edge, cache.host, url).put() == f"TypeError: {message}"


@pytest.mark.parametrize(
    ("headers", "status", "text"),
    [
        ({"if-none-match": '"v1"'}, 304, ""),
        ({"if-none-match": 'W/"v1"'}, 304, ""),
        ({"if-none-match": '"v0", "v1"'}, 304, ""),
        ({"if-none-match": "*"}, 304, ""),
        ({"if-none-match": '"v2"'}, 200, "0123456789"),
        ({"if-modified-since": "Wed, 01 Jan 2025 00:00:00 GMT"}, 304, ""),
        ({"if-modified-since": "Tue, 31 Dec 2024 00:00:00 GMT"}, 200, "0123456789"),
        ({"if-none-match": '"v2"', "if-modified-since": "Thu, 02 Jan 2025 00:00:00 GMT"}, 200, "0123456789"),
        ({"range": "bytes=2-4"}, 206, "234"),
        ({"range": "bytes=7-"}, 206, "789"),
        ({"range": "bytes=-3"}, 206, "789"),
        ({"range": "bytes=5-99"}, 206, "56789"),
        ({"range": "bytes=10-12"}, 416, ""),
        ({"range": "lines=1-2"}, 200, "0123456789"),
        ({"range": "bytes=0-1,3-4"}, 200, "0123456789"),
        ({"range": "bytes=2-4", "if-range": '"v1"'}, 206, "234"),
        ({"range": "bytes=2-4", "if-range": '"v2"'}, 200, "0123456789"),
        ({"range": "bytes=2-4", "if-none-match": '"v1"'}, 304, ""),
        ({"cache-control": "no-cache"}, 200, "0123456789"),
    ],
)
def test_cache_match_conditional_or_range_request_returns_matching_status(
    cache: Caches, headers: dict[str, str], status: int, text: str
) -> None:
    cache.put("0123456789", headers={"etag": '"v1"', "last-modified": "Wed, 01 Jan 2025 00:00:00 GMT", **HOUR})
    found = cache.match(init={"headers": headers})
    assert (found["status"], found["text"], found["headers"]["cf-cache-status"]) == (status, text, "HIT")
    span = {"234": "2-4", "789": "7-9", "56789": "5-9"}.get(text, "*")
    assert found["headers"].get("content-range") == (f"bytes {span}/10" if status in (206, 416) else None)


def test_cache_named_caches_are_separate(cache: Caches) -> None:
    for name in (None, "a", "ü/é", "default"):
        cache.put(str(name), name)
    assert [cache.text(name) for name in (None, "a", "ü/é", "default", "b")] == ["None", "a", "ü/é", "default", None]
    assert cache.delete("a") is True
    assert [cache.text(name) for name in (None, "a")] == ["None", None]
    assert cache.match("x" * 1024) == "TypeError: Cache name is too long."


OBJECTS = """
const url = "http://objects.test/";
const outcome = async (act) => { try { return await act(); } catch (error) { return `${error.name}: ${error.message}`; } };
export default { async fetch(request, env, ctx) {
  const cache = caches.default;
  const own = new Response("body");
  const putting = cache.put(url, own);
  const used = own.bodyUsed;
  await putting;
  const found = await cache.match(new URL(url));
  const { match } = cache;
  return Response.json({
    used, text: await found.clone().text(), url: found.url, classes: [cache instanceof Cache, caches instanceof CacheStorage, found instanceof Response],
    immutable: await outcome(() => found.headers.set("a", "b")), foreign: await outcome(() => match(url)), twice: await outcome(() => cache.put(url, own)),
    missing: await outcome(() => cache.match()), what: await outcome(() => cache.put(url, "text")), add: await outcome(() => cache.add(url)),
    same: caches.default === cache, opened: (await caches.open("a")) instanceof Cache,
  });
} };
"""


def test_cache_objects_behave_as_in_runtime(edge: Edge) -> None:
    edge.deploy("w", OBJECTS)
    edge.route("w.example.com/*", "w")
    foreign = "TypeError: Illegal invocation: function called with incorrect `this` reference."
    result = edge.get("w.example.com").json()
    assert result.pop("foreign").startswith(foreign)
    assert result == {
        "used": True,
        "text": "body",
        "url": "",
        "classes": [True, True, True],
        "immutable": "TypeError: Can't modify immutable headers.",
        "twice": "TypeError: Body has already been used. It can only be used once. Use tee() first if you need to read it twice.",
        "missing": "TypeError: Failed to execute 'match' on 'Cache': parameter 1 is not of type 'Request or string'.",
        "what": "TypeError: Failed to execute 'put' on 'Cache': parameter 2 is not of type 'Response'.",
        "add": "Error: Failed to execute 'add' on 'Cache': the method is not implemented.",
        "same": True,
        "opened": True,
    }


ENCODED = """
const bytes = async (format) => new Response(new Response("zip me ".repeat(50)).body.pipeThrough(new CompressionStream(format))).arrayBuffer();
const RESPONSES = {
  "/automatic": () => new Response("zip me ".repeat(50), { headers: { "content-encoding": "gzip" } }),
  "/manual": async () => new Response(await bytes("gzip"), { headers: { "content-encoding": "gzip" }, encodeBody: "manual" }),
  "/plain": () => new Response("zip me ".repeat(50)),
  "/stream": () => new Response(new Response("zip me ".repeat(50)).body.pipeThrough(new IdentityTransformStream())),
};
export default { async fetch(request) {
  const cache = caches.default;
  const found = await cache.match(request);
  if (found) return found;
  const make = RESPONSES[new URL(request.url).pathname];
  await cache.put(request, await make());
  return make();
} };
"""


@pytest.mark.parametrize("path", ["/automatic", "/manual", "/plain", "/stream"])
def test_cache_body_keeps_content_encoding(edge: Edge, path: str) -> None:
    edge.deploy("w", ENCODED)
    host = f"{uuid.uuid4()}.example.com"
    edge.route(f"{host}/*", "w")
    first, second = edge.get(host, path), edge.get(host, path)
    assert [page.headers.get("cf-cache-status") for page in (first, second)] == [None, "HIT"]
    assert first.text == second.text == "zip me " * 50
    assert first.headers.get("content-encoding") == second.headers.get("content-encoding")


MANY = """
const at = (number) => `http://many.test/${number}`;
export default { async fetch(request) {
  const cache = await caches.open("many");
  const [from, to, size] = new URL(request.url).pathname.slice(1).split("/").map(Number);
  const hits = [];
  for (let number = from; number < to; number += 1) {
    if (size) await cache.put(at(number), new Response(new Uint8Array(size)));
    else {
      const found = await cache.match(at(number));
      await found?.body.cancel();
      if (found) hits.push(number);
    }
  }
  return Response.json(hits);
} };
"""


def test_cache_full_evicts_least_recently_used(edge: Edge) -> None:
    edge.deploy("w", MANY)
    edge.route("many.example.com/*", "w")
    edge.get("many.example.com", f"/0/60/{1024 * 1024}")
    assert edge.get("many.example.com", "/0/60").json() == list(range(60))
    assert edge.get("many.example.com", "/0/5").json() == list(range(5))
    edge.get("many.example.com", f"/60/100/{1024 * 1024}")
    hits = edge.get("many.example.com", "/0/100").json()
    assert hits[:5] == list(range(5))
    assert hits[-40:] == list(range(60, 100))
    assert 60 <= len(hits) < 64
    edge.get("many.example.com", f"/200/201/{17 * 1024 * 1024}")
    assert edge.get("many.example.com", "/200/201").json() == []
    assert edge.get("many.example.com", "/0/100").json() == hits


def test_cache_workers_of_account_share_caches(edge: Edge, cache: Caches) -> None:
    other = deploy_caches(edge, "other", cache.url)
    for name in (None, "named"):
        cache.put(f"of one {name}", name)
        assert other.text(name) == f"of one {name}"
    edge.deploy("one", WORKER + "// another version")
    assert cache.text() == "of one None"
    assert other.delete() is True
    assert cache.text() is None


def test_cache_untrusted_worker_has_separate_caches(platform: Platform) -> None:
    edge, url = platform.edge, f"http://{uuid.uuid4()}.test/"
    platform.deploy_tenant("a", WORKER)
    platform.deploy_tenant("b", WORKER)
    of_a, of_b, of_account = (
        Caches(edge, "a.example.com", url),
        Caches(edge, "b.example.com", url),
        deploy_caches(edge, "of-account", url),
    )
    for client in (of_a, of_b):
        message = client.put()
        assert message == client.match()
        assert "caches.default is disabled for namespaced scripts" in message
        assert "caches.open(NAME)" in message
        assert "trusted_workers" in message
    of_a.put("of a", "named")
    of_account.put("of the account", "named")
    assert [client.text("named") for client in (of_a, of_b, of_account)] == ["of a", None, "of the account"]
    platform.deploy_tenant("a", WORKER + "// another version")
    assert of_a.text("named") == "of a"
    edge.call("DELETE", "/workers/dispatch/namespaces/tenants/scripts/a")
    platform.deploy_tenant("a", WORKER)
    assert of_a.text("named") is None


TOP_LEVEL = "const cache = caches.default; export default { fetch: () => new Response('here') };"


def test_cache_untrusted_worker_reads_default_cache_at_top_level(platform: Platform) -> None:
    platform.deploy_tenant("a", TOP_LEVEL)
    assert platform.get("a").text == "here"


def test_cache_untrusted_worker_behavior_throw_fails_with_reason(platform: Platform) -> None:
    platform.deploy_tenant("a", WORKER)
    cache, behaviors = (
        Caches(platform.edge, "a.example.com"),
        platform.edge.api.replace("/client/v4", "/_edge/behaviors"),
    )
    assert cache.match() == f"Error: {DISABLED}"
    platform.edge.session.post(behaviors, json={"untrusted_default_cache": "throw"})
    try:
        assert cache.match() == f"Error: {DISABLED}"
        refused = platform.edge.upload("b", TOP_LEVEL, namespace=platform.namespace)
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["code"] == 10021
        assert "caches.default is disabled" in refused.json()["errors"][0]["message"]
        platform.edge.deploy("of-account", TOP_LEVEL)
    finally:
        platform.edge.session.post(behaviors, json={"untrusted_default_cache": "reject"})
    platform.deploy_tenant("b", TOP_LEVEL)
    assert platform.get("b").text == "here"


def trust(edge: Edge, namespace: str, trusted: bool = True) -> None:
    edge.call("PUT", f"/workers/dispatch/namespaces/{namespace}", json={"name": namespace, "trusted_workers": trusted})


def test_cache_trusted_namespace_applies_to_later_uploads(platform: Platform) -> None:
    edge, url = platform.edge, f"http://{uuid.uuid4()}.test/"
    for name in ("old", "new"):
        platform.deploy_tenant(name, WORKER)
        platform.deploy_tenant(f"echo-{name}", ECHO)
    trust(edge, platform.namespace)
    for name in ("new", "third"):
        platform.deploy_tenant(name, WORKER)
        platform.deploy_tenant(f"echo-{name}", ECHO)
    old, new, third = (Caches(edge, f"{name}.example.com", url) for name in ("old", "new", "third"))
    assert platform.get("echo-old").json()["cf"] is None
    assert platform.get("echo-new").json()["cf"]["colo"] == platform.get("echo-third").json()["cf"]["colo"] == "LCL"
    for name in (None, "named"):
        new.put("of the namespace", name)
        assert third.text(name) == "of the namespace"
    assert "caches.default is disabled for namespaced scripts" in old.match()
    assert old.text("named") is None
    platform.deploy_tenant("old", WORKER)
    assert (old.text(), old.text("named")) == ("of the namespace", "of the namespace")
    trust(edge, platform.namespace, trusted=False)
    assert new.text() == "of the namespace"
    platform.deploy_tenant("new", WORKER)
    assert "caches.default is disabled for namespaced scripts" in new.match()
    assert new.text("named") is None


def test_cache_trusted_namespaces_are_separate(platform: Platform) -> None:
    edge, url = platform.edge, f"http://{uuid.uuid4()}.test/"
    edge.call("POST", "/workers/dispatch/namespaces", json={"name": "others"})
    edge.deploy(
        "second",
        """export default { fetch(request, env) { return env.OTHERS.get("a").fetch(request); } };""",
        bindings=[{"name": "OTHERS", "type": "dispatch_namespace", "namespace": "others"}],
    )
    edge.route("second.example.com/*", "second")
    for namespace in (platform.namespace, "others"):
        trust(edge, namespace)
        edge.deploy("a", WORKER, namespace=namespace)
    all_caches = [
        Caches(edge, "a.example.com", url),
        Caches(edge, "second.example.com", url),
        deploy_caches(edge, "of-account", url),
    ]
    for name in (None, "named"):
        for number, caches in enumerate(all_caches):
            assert caches.text(name) is None
            caches.put(str(number), name)
        assert [caches.text(name) for caches in all_caches] == ["0", "1", "2"]
