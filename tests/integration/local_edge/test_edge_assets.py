# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Static assets as visitors see them, and the API as Workers do."""
from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from edge_process import TOKEN, Edge, Platform

SITE = {"/index.html": "home", "/about.html": "about", "/blog/index.html": "blog", "/app.css": "body {}", "/404.html": "lost", "/blog/404.html": "lost post"}
TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8"}
CODE = "export default { async fetch(request, env) { return new Response(`code ${new URL(request.url).pathname}`); } };"
THROUGH = "export default { fetch(request, env) { return env.ASSETS.fetch(request); } };"


def completed(edge: Edge, name: str, namespace: str | None = None, **changed: str) -> str:
    """Upload the files, some of them changed; the token that says so."""
    site = {**SITE, **{f"/{path.replace('_', '.')}": body for path, body in changed.items()}}
    where = f"/workers/dispatch/namespaces/{namespace}/scripts" if namespace else "/workers/scripts"
    digests = {path: hashlib.sha256((path + body).encode()).hexdigest()[:32] for path, body in site.items()}
    manifest = {path: {"hash": digest, "size": len(site[path])} for path, digest in digests.items()}
    begun = edge.ask("POST", f"{where}/{name}/assets-upload-session", json={"manifest": manifest})
    token: str = begun["jwt"]
    for bucket in begun["buckets"]:
        paths = {digest: path for path, digest in digests.items()}
        parts = [(each, (each, base64.b64encode(site[paths[each]].encode()), TYPES[paths[each].rpartition(".")[2]])) for each in bucket]
        answer = edge.session.post(f"{edge.account}/workers/assets/upload?base64=true", files=parts, headers={"Authorization": f"Bearer {token}"})
        assert answer.ok, answer.text
        done: str = answer.json()["result"].get("jwt", token)
    return done if begun["buckets"] else token


def site(edge: Edge, config: dict[str, Any]) -> None:
    """A Worker of assets alone at site.example.com."""
    metadata = {"assets": {"jwt": completed(edge, "site"), "config": config}, "compatibility_date": "2026-11-01"}
    answer = edge.session.put(f"{edge.account}/workers/scripts/site", files={"metadata": (None, json.dumps(metadata), "application/json")})
    assert answer.ok, answer.text
    edge.route("site.example.com/*", "site")


def seen(edge: Edge, path: str) -> str:
    """What a visitor gets: a body, or where to go, or a status."""
    answer = edge.get("site.example.com", path)
    return answer.headers.get("location") or (answer.text if answer.ok else f"{answer.status_code} {answer.text}")


@pytest.mark.parametrize(("handling", "expected"), [
    ("auto-trailing-slash", {"/": "home", "/index.html": "/", "/about": "about", "/about.html": "/about", "/about/": "/about", "/blog": "/blog/",
                             "/blog/": "blog", "/blog/index.html": "/blog/", "/app.css": "body {}", "/none": "404 "}),
    ("force-trailing-slash", {"/": "home", "/about": "/about/", "/about/": "about", "/blog": "/blog/", "/blog/": "blog"}),
    ("drop-trailing-slash", {"/": "home", "/about/": "/about", "/about": "about", "/blog/": "/blog", "/blog": "blog"}),
    ("none", {"/": "404 ", "/about": "404 ", "/about.html": "about", "/blog/index.html": "blog"}),
])
def test_pages(edge: Edge, handling: str, expected: dict[str, str]) -> None:
    site(edge, {"html_handling": handling})
    assert {path: seen(edge, path) for path in expected} == expected


@pytest.mark.parametrize(("handling", "expected"), [
    ("none", ["404 ", "404 "]), ("404-page", ["404 lost", "404 lost post"]), ("single-page-application", ["home", "home"])])
def test_what_is_not_there(edge: Edge, handling: str, expected: list[str]) -> None:
    site(edge, {"not_found_handling": handling})
    assert [seen(edge, "/deep/none"), seen(edge, "/blog/none")] == expected


def test_headers_and_methods(edge: Edge) -> None:
    site(edge, {})
    answer = edge.get("site.example.com", "/app.css")
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("text/css; charset=utf-8", "public, max-age=0, must-revalidate")
    assert edge.get("site.example.com", "/app.css", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert edge.get("site.example.com", "/app.css", method="POST").status_code == 405
    assert edge.get("site.example.com", "/app.css?v=2").text == "body {}"


REDIRECTS = """
# moved
/old  /about  301
/posts/:year/*  https://blog.test/:splat?from=:year
/pretty  /blog/  200
"""
HEADERS = """
/*
  X-Frame-Options: DENY
/about
  X-About: yes
  ! cache-control
"""


def test_the_files_of_rules(edge: Edge) -> None:
    site(edge, {"_redirects": REDIRECTS, "_headers": HEADERS})
    assert [seen(edge, path) for path in ("/old", "/posts/2026/a/b", "/pretty")] == ["/about", "https://blog.test/a/b?from=2026", "blog"]
    assert [edge.get("site.example.com", path).status_code for path in ("/old", "/posts/2026/a")] == [301, 302]
    about, home = edge.get("site.example.com", "/about").headers, edge.get("site.example.com", "/").headers
    assert (about["x-frame-options"], about["x-about"], about.get("cache-control")) == ("DENY", "yes", None)
    assert (home["x-frame-options"], home.get("x-about")) == ("DENY", None)
    assert home["cache-control"]


@pytest.mark.parametrize(("first", "expected"), [
    (False, ["home", "code /api/x"]), (True, ["code /", "code /api/x"]), (["/api/*", "/"], ["code /", "code /api/x"]), (["/*", "!/"], ["home", "code /api/x"])])
def test_files_before_code_or_after_it(platform: Platform, first: Any, expected: list[str]) -> None:
    token = completed(platform.edge, "tenant", platform.namespace)
    platform.tenant("tenant", CODE, assets={"jwt": token, "config": {"run_worker_first": first}})
    assert [platform.get("tenant", path).text for path in ("/", "/api/x")] == expected


def test_the_binding(platform: Platform) -> None:
    token = completed(platform.edge, "tenant", platform.namespace)
    platform.tenant("tenant", THROUGH, bindings=[{"name": "ASSETS", "type": "assets"}], assets={"jwt": token, "config": {"run_worker_first": True}})
    assert [platform.get("tenant", path).text for path in ("/", "/app.css")] == ["home", "body {}"]
    changed = completed(platform.edge, "tenant", platform.namespace, app_css="p {}")
    platform.tenant("tenant", THROUGH, bindings=[{"name": "ASSETS", "type": "assets"}], assets={"jwt": changed, "config": {"run_worker_first": True}})
    assert platform.get("tenant", "/app.css").text == "p {}"


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


def test_a_worker_publishes_another_through_the_api(platform: Platform) -> None:
    edge = platform.edge
    edge.deploy("publisher", PUBLISHER, bindings=[
        {"name": "TENANTS", "type": "dispatch_namespace", "namespace": platform.namespace}, {"name": "TOKEN", "type": "secret_text", "text": TOKEN},
        {"name": "ACCOUNT", "type": "plain_text", "text": edge.ready["accounts"][0]["id"]}])
    edge.route("publisher.example.com/*", "publisher")
    assert edge.get("publisher.example.com").text == "200 published"


def test_a_host_on_workers_dev(edge: Edge) -> None:
    edge.deploy("router", CODE)
    assert edge.get("router.local-edge.workers.dev").status_code == 404
    edge.ask("POST", "/workers/scripts/router/subdomain", json={"enabled": True})
    assert edge.get("router.local-edge.workers.dev", "/x").text == "code /x"
    edge.ask("DELETE", "/workers/scripts/router/subdomain")
    assert edge.get("router.local-edge.workers.dev").status_code == 404
