# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Static assets through workerd: paths, missing files, rules, headers and the assets binding."""

from __future__ import annotations

import http.client
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import sites
from edge_process import Edge, Platform
from sites import deploy, digest

pytestmark = pytest.mark.integration

#: The body of each file is its path.
SITE = {
    path: path
    for path in (
        "/index.html",
        "/404.html",
        "/about.html",
        "/blog/index.html",
        "/blog/404.html",
        "/blog/post.html",
        "/both.html",
        "/both/index.html",
        "/app.css",
        "/a@b.txt",
        "/café.html",
        "/[id].html",
        "/100%25.txt",
        "/plain",
    )
}
HOST = "site.example.com"


def deploy_site(
    edge: Edge,
    config: dict[str, Any] | None = None,
    files: dict[str, str] | None = None,
    code: str | None = None,
    **metadata: Any,
) -> None:
    """Deploy a Worker of the account at the host."""
    deploy(edge, "site", SITE if files is None else files, code, config=config, **metadata)
    edge.route(f"{HOST}/*", "site")


def visit(edge: Edge, target: str, **headers: str) -> str:
    """Visit `/path` or `METHOD /path`, without normalizing the path. Return the text or the location, after any status but 200."""
    method, path = target.split() if " " in target else ("GET", target)
    connection = http.client.HTTPConnection(urlsplit(edge.http).netloc, timeout=30)
    connection.request(
        method, path, headers={"Host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}
    )
    response = connection.getresponse()
    text = response.getheader("location") or response.read().decode()
    connection.close()
    return text if response.status == 200 else f"{response.status} {text}".strip()


#: The response of each path by `html_handling`: a file, or a status and a location.
PAGES = """
path                  auto-trailing-slash   force-trailing-slash  drop-trailing-slash   none
/                     /index.html           /index.html           /index.html           404
/index                307 /                 307 /                 307 /                 404
/index.html           307 /                 307 /                 307 /                 /index.html
/about                /about.html           307 /about/           /about.html           404
/about/               307 /about            /about.html           307 /about            404
/about.html           307 /about            307 /about/           307 /about            /about.html
/about/index          307 /about            307 /about/           307 /about            404
/about/index.html     307 /about            307 /about/           307 /about            404
/blog                 307 /blog/            307 /blog/            /blog/index.html      404
/blog/                /blog/index.html      /blog/index.html      307 /blog             404
/blog.html            307 /blog/            307 /blog/            307 /blog             404
/blog/index           307 /blog/            307 /blog/            307 /blog             404
/blog/index.html      307 /blog/            307 /blog/            307 /blog             /blog/index.html
/both                 /both.html            307 /both/            /both.html            404
/both/                /both/index.html      /both/index.html      307 /both             404
/both.html            307 /both             /both.html            307 /both             /both.html
/both/index.html      307 /both/            307 /both/            /both/index.html      /both/index.html
/404                  /404.html             307 /404/             /404.html             404
/app.css              /app.css              /app.css              /app.css              /app.css
/app.css/             404                   404                   404                   404
/plain                /plain                /plain                /plain                /plain
/about?x=1            /about.html           307 /about/?x=1       /about.html           404
/ABOUT                404                   404                   404                   404
"""
HANDLINGS = ("auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none")


def column(table: str, name: str) -> dict[str, str]:
    """Return the expected responses of one column of a table. `-` is a response without a body."""
    head, *rows = [re.split(r"\s{2,}", line) for line in table.strip().splitlines()]
    return {row[0]: "" if row[head.index(name)] == "-" else row[head.index(name)] for row in rows}


@pytest.mark.parametrize("handling", HANDLINGS)
def test_assets_html_handling_serves_expected_pages(edge: Edge, handling: str) -> None:
    deploy_site(edge, {"html_handling": handling})
    answers = column(PAGES, handling)
    assert {path: visit(edge, path) for path in answers} == answers


def test_assets_same_content_is_not_redirected(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sites, "digest", lambda _path, _body: "0123456789abcdef" * 2)
    deploy_site(edge, files={"/twin": "twin", "/twin.html": "twin"})
    assert [visit(edge, path) for path in ("/twin", "/twin.html")] == ["twin", "twin"]


SPELLINGS = {
    "//about": "307 /about",
    "/blog//post": "307 /blog/post",
    "//evil.test": "404",
    "/./about": "/about.html",
    "/blog/../about": "/about.html",
    "/%61bout": "307 /about",
    "/blog%2Fpost": "307 /blog/post",
    "/%2Fabout": "307 /about",
    "/about%2Ehtml": "307 /about",
    "/a@b.txt": "307 /a%40b.txt",
    "/a%40b.txt": "/a@b.txt",
    "/caf%C3%A9": "/café.html",
    "/caf%c3%a9": "307 /caf%C3%A9",
    "/[id]": "307 /%5Bid%5D",
    "/%5Bid%5D": "/[id].html",
    "/100%25.txt": "404",
    "/100%2525.txt": "/100%25.txt",
    "/%zz": "404",
    "/%": "404",
}


def test_assets_non_canonical_path_redirects(edge: Edge) -> None:
    """Each file has one canonical path, encoded as by encodeURIComponent. Other spellings redirect to it."""
    deploy_site(edge)
    assert {path: visit(edge, path) for path in SPELLINGS} == SPELLINGS


NOT_FOUND = ("none", "404-page", "single-page-application")
STAND_INS = """
path                  none                  404-page              single-page-application
/none                 404                   404 /404.html         /index.html
/blog/none            404                   404 /blog/404.html    /index.html
/blog/a/b/none        404                   404 /blog/404.html    /index.html
/not@here             404                   307 /not%40here       307 /not%40here
POST /none            404                   405                   405
HEAD /none            404                   404                   -
"""


@pytest.mark.parametrize("handling", NOT_FOUND)
def test_assets_missing_file_follows_not_found_handling(edge: Edge, handling: str) -> None:
    deploy_site(edge, {"not_found_handling": handling})
    answers = column(STAND_INS, handling)
    assert {target: visit(edge, target) for target in answers} == answers


def test_assets_missing_fallback_page_returns_404(edge: Edge) -> None:
    for handling in ("404-page", "single-page-application"):
        deploy_site(edge, {"not_found_handling": handling}, files={"/about.html": "about"})
        assert [visit(edge, path) for path in ("/", "/none", "/about")] == ["404", "404", "about"]
        edge.wipe()


METHODS = {
    "GET /app.css": "/app.css",
    "HEAD /app.css": "",
    "POST /app.css": "405",
    "PUT /app.css": "405",
    "DELETE /app.css": "405",
    "OPTIONS /app.css": "405",
    "POST /about.html": "405",
    "POST /none": "404",
    "OPTIONS /none": "404",
}


def test_assets_other_methods_are_refused(edge: Edge) -> None:
    deploy_site(edge)
    assert {target: visit(edge, target) for target in METHODS} == METHODS


CODE = "export default { fetch: (request) => new Response(`code ${request.method} ${new URL(request.url).pathname}`) };"
NAVIGATES = {"Sec_Fetch_Mode": "navigate"}
OLD, ON, OFF = (
    {"compatibility_date": "2025-03-31"},
    "assets_navigation_prefers_asset_serving",
    "assets_navigation_has_no_effect",
)
SPA, PAGE = {"not_found_handling": "single-page-application"}, {"not_found_handling": "404-page"}
TURNS = [
    # configuration, metadata, headers, expected responses
    (
        {},
        {},
        {},
        {
            "/about": "/about.html",
            "/about.html": "307 /about",
            "/none": "code GET /none",
            "POST /about": "405",
            "POST /none": "code POST /none",
        },
    ),
    (PAGE, {}, {}, {"/none": "code GET /none"}),
    (SPA, {}, {}, {"/none": "code GET /none", "/about": "/about.html"}),
    (SPA, {}, NAVIGATES, {"/none": "/index.html", "/about": "/about.html", "POST /none": "405"}),
    (PAGE, {}, NAVIGATES, {"/none": "404 /404.html"}),
    ({}, {}, NAVIGATES, {"/none": "code GET /none"}),
    (SPA, {}, {"Sec_Fetch_Mode": "cors"}, {"/none": "code GET /none"}),
    (SPA, OLD, NAVIGATES, {"/none": "code GET /none"}),
    (SPA, {**OLD, "compatibility_flags": [ON]}, NAVIGATES, {"/none": "/index.html"}),
    (SPA, {"compatibility_flags": [OFF]}, NAVIGATES, {"/none": "code GET /none"}),
    ({"run_worker_first": False}, {}, {}, {"/about": "/about.html", "/none": "code GET /none"}),
    ({"run_worker_first": True}, {}, {}, {"/about": "code GET /about", "/none": "code GET /none"}),
    ({**SPA, "run_worker_first": True}, {}, NAVIGATES, {"/none": "code GET /none"}),
    (
        {"run_worker_first": ["/blog/*"]},
        {},
        {},
        {"/blog/post": "code GET /blog/post", "/about": "/about.html", "/none": "code GET /none"},
    ),
    ({**SPA, "run_worker_first": ["/api/*"]}, {}, {}, {"/api/x": "code GET /api/x", "/none": "/index.html"}),
    ({**PAGE, "run_worker_first": ["/api/*"]}, OLD, {}, {"/api/x": "code GET /api/x", "/none": "404 /404.html"}),
    (
        {"run_worker_first": ["/*", "!/blog/*"]},
        {},
        {},
        {"/about": "code GET /about", "/blog/post": "/blog/post.html", "/blog/none": "404"},
    ),
    (
        {"run_worker_first": ["/about", "/*.css"]},
        {},
        {},
        {"/about": "code GET /about", "/about.html": "307 /about", "/app.css": "code GET /app.css"},
    ),
    ({"run_worker_first": ["/a.*"]}, {}, {}, {"/app.css": "/app.css", "/a.b": "code GET /a.b"}),
    (
        {"_redirects": "/old /about\n/under /none 200"},
        {},
        {},
        {"/old": "302 /about", "POST /old": "302 /about", "/under": "404", "/none": "code GET /none"},
    ),
    ({**SPA, "_redirects": "/under /none 200"}, OLD, {}, {"/under": "/index.html", "/none": "code GET /none"}),
]


@pytest.mark.parametrize(("config", "metadata", "headers", "expected"), TURNS)
@pytest.mark.parametrize("namespace", [None, "tenants"])
def test_assets_with_worker_selects_assets_or_code(
    edge: Edge,
    namespace: str | None,
    config: dict[str, Any],
    metadata: dict[str, Any],
    headers: dict[str, str],
    expected: dict[str, str],
) -> None:
    if namespace:
        Platform(edge, namespace)
        deploy(edge, "site", SITE, CODE, namespace, config, **metadata)
    else:
        deploy_site(edge, config, code=CODE, **metadata)
    assert {target: visit(edge, target, **headers) for target in expected} == expected


ETAG = f'"{digest("/app.css", "/app.css")}"'
CONDITIONS = {
    ETAG: "304",
    f"W/{ETAG}": "304",
    f'"other", {ETAG}': "/app.css",
    "*": "/app.css",
    '"other"': "/app.css",
    ETAG.strip('"'): "/app.css",
}


def test_assets_conditional_request_returns_304(edge: Edge) -> None:
    """Only a single entity tag is compared, as on Cloudflare."""
    deploy_site(edge)
    assert {tag: visit(edge, "/app.css", If_None_Match=tag) for tag in CONDITIONS} == CONDITIONS


def test_assets_file_has_expected_headers(edge: Edge) -> None:
    deploy_site(edge)
    caching = "public, max-age=0, must-revalidate"
    for path, headers, expected in [
        ("/app.css", {}, ("text/css; charset=utf-8", ETAG, caching)),
        ("/app.css", {"If-None-Match": ETAG}, ("text/css; charset=utf-8", ETAG, caching)),
        ("/app.css", {"Range": "bytes=0-2"}, ("text/css; charset=utf-8", ETAG, None)),
        ("/app.css", {"Authorization": "Basic eA=="}, ("text/css; charset=utf-8", ETAG, None)),
        ("/plain", {}, (None, f'"{digest("/plain", "/plain")}"', caching)),
    ]:
        response = edge.get(HOST, path, headers=headers)
        assert (
            response.headers.get("content-type"),
            response.headers["etag"],
            response.headers.get("cache-control"),
        ) == expected
    assert edge.get(HOST, "/app.css", headers={"Range": "bytes=0-2"}).text == "/app.css", (
        "the whole file, as on Cloudflare"
    )


REDIRECTS = [
    ("/moved /about", {"/moved": "302 /about", "/moved?q=1": "302 /about?q=1", "/moved/": "404"}),
    (
        "/301 /about 301\n/303 /about 303\n/307 /about 307\n/308 /about 308",
        {f"/{one}": f"{one} /about" for one in (301, 303, 307, 308)},
    ),
    ("/about /app.css", {"/about": "302 /app.css", "/about.html": "307 /about"}),
    ("/q /about?a=1#part", {"/q": "302 /about?a=1#part", "/q?b=2": "302 /about?a=1#part"}),
    ("/out https://h.test/x?a=1", {"/out": "302 https://h.test/x?a=1"}),
    ("/out https://h.test/x", {"/out?b=2": "302 https://h.test/x?b=2"}),
    ("/x/* /first/:splat\n/x/y /second", {"/x/y": "302 /first/y"}),
    ("/x/y /exact\n/x/* /first/:splat", {"/x/y": "302 /exact", "/x/z/w": "302 /first/z/w"}),
    ("/posts/:year/:slug /:slug?from=:year", {"/posts/2026/a": "302 /a?from=2026", "/posts/2026/a/b": "404"}),
    ("/:a/:ab /lost", {"/x/y": "404"}),
    ("/go/* /:splat", {"/go//h.test": "302 /h.test", "/go/%2F%2Fh.test": "302 /%2F%2Fh.test"}),
    ("/go/* https://h.test/:splat", {"/go/a//b": "302 https://h.test/a//b"}),
    ("/pretty /about 200", {"/pretty": "/about.html", "/pretty?x=1": "/about.html", "POST /pretty": "405"}),
    ("/pretty /about.html 200", {"/pretty": "307 /about"}),
    (
        "/under/* /blog/:splat 200",
        {"/under/post": "/blog/post.html", "/under/": "/blog/index.html", "/under/none": "404"},
    ),
    ("/café /about\n/sp%20ace /about", {"/caf%C3%A9": "302 /about", "/sp%20ace": "302 /about"}),
    ("# one\n\n  /a /about # two\r\n\t/b\t/about#part\t301\t\n", {"/a": "302 /about", "/b": "301 /about#part"}),
]


@pytest.mark.parametrize(("rules", "expected"), REDIRECTS)
def test_assets_redirects_file_is_applied(edge: Edge, rules: str, expected: dict[str, str]) -> None:
    deploy_site(edge, {"_redirects": rules})
    assert {target: visit(edge, target) for target in expected} == expected


HEADERS: list[tuple[str, dict[str, dict[str, str | None]]]] = [
    ("/*\n  X-A: 1", {"/about": {"x-a": "1"}, "/none": {"x-a": "1"}, "/about.html": {"x-a": "1"}}),
    ("/about\n  X-A: 1", {"/about": {"x-a": "1"}, "/about.html": {"x-a": None}, "/app.css": {"x-a": None}}),
    ("/*\n  X-A: 1\n  X-A: 2\n/about\n  x-a: 3", {"/about": {"x-a": "1, 2, 3"}, "/": {"x-a": "1, 2"}}),
    (
        "/*\n  Cache-Control: no-store\n  Content-Type: text/x",
        {"/about": {"cache-control": "no-store", "content-type": "text/x"}},
    ),
    (
        "/*\n  X-A: 1\n/about\n  ! X-A\n  ! Cache-Control\n  ! ETag",
        {"/about": {"x-a": None, "cache-control": None, "etag": None}, "/": {"x-a": "1"}},
    ),
    ("/about\n  ! X-A\n/*\n  X-A: 1", {"/about": {"x-a": "1"}}),
    ("/blog/*\n  X-A: <:splat>", {"/blog/post": {"x-a": "<post>"}}),
    ("/:a/:b\n  X-A: :b/:a", {"/blog/post": {"x-a": "post/blog"}, "/about": {"x-a": None}}),
    (f"https://{HOST}/*\n  X-A: here\nhttps://other.test/*\n  X-A: there", {"/about": {"x-a": "here"}}),
    (
        "https://:sub.example.com/about\n  X-A: :sub\nhttps://:whole.com/*\n  X-A: never",
        {"/about": {"x-a": "site"}, "/": {"x-a": None}},
    ),
    ("/a%40b.txt\n  X-A: 1\n/caf%C3%A9\n  X-A: 2", {"/a%40b.txt": {"x-a": "1"}, "/caf%C3%A9": {"x-a": "2"}}),
]


@pytest.mark.parametrize(("rules", "expected"), HEADERS)
def test_assets_headers_file_is_applied(edge: Edge, rules: str, expected: dict[str, dict[str, str | None]]) -> None:
    deploy_site(edge, {"_headers": rules})
    assert {
        path: {name: edge.get(HOST, path).headers.get(name) for name in names} for path, names in expected.items()
    } == expected


def test_assets_headers_file_does_not_apply_to_worker(edge: Edge) -> None:
    deploy_site(edge, {"_headers": "/*\n  X-A: 1"}, code=CODE)
    assert [edge.get(HOST, path).headers.get("x-a") for path in ("/about", "/none")] == ["1", None]


BASES = """
path                  auto-trailing-slash   force-trailing-slash  drop-trailing-slash   none
/docs                 307 /docs/            307 /docs/            /index.html           404
/docs/                /index.html           /index.html           307 /docs             404
/docs/about           /about.html           307 /docs/about/      /about.html           404
/docs/about.html      307 /docs/about       307 /docs/about/      307 /docs/about       /about.html
/docs//about          307 /docs/about       307 /docs/about/      307 /docs/about       404
/docs/old             302 /docs/about       302 /docs/about       302 /docs/about       302 /docs/about
/docs/under           /app.css              /app.css              /app.css              /app.css
/docs/again           /index.html           /index.html           /index.html           404
/docs/beyond          404                   404                   404                   404
/about                404                   404                   404                   404
/docs.html            404                   404                   404                   404
/                     404                   404                   404                   404
"""


@pytest.mark.parametrize("handling", HANDLINGS)
def test_assets_base_path_serves_only_below_it(edge: Edge, handling: str) -> None:
    """Paths outside the base path are not served from assets, whatever the rules are."""
    rules = "/docs/old /docs/about\n/docs/under /docs/app.css 200\n/docs/again /docs 200\n/docs/beyond /app.css 200\n/ /docs/"
    deploy_site(edge, {"html_handling": handling, "base_path": "docs", "_redirects": rules})
    answers = column(BASES, handling)
    assert {path: visit(edge, path) for path in answers} == answers


def test_assets_base_path_worker_serves_other_paths(edge: Edge) -> None:
    deploy_site(edge, {**SPA, "base_path": "/docs"}, code=CODE)
    assert [visit(edge, path, **NAVIGATES) for path in ("/docs/none", "/none", "/docs/about")] == [
        "/index.html",
        "code GET /none",
        "/about.html",
    ]


BINDING = """
export default { async fetch(request, env) {
  const url = new URL(request.url);
  const [how, path] = url.pathname.split("!");
  if (how === "/as-it-is") return env.ASSETS.fetch(new Request(new URL(path, request.url), request));
  if (how === "/elsewhere") return env.ASSETS.fetch(`https://assets.test:8443${path}`);
  const answer = await env.ASSETS.fetch(new URL(path, request.url), { method: how.slice(1) });
  return new Response(`${answer.status} ${answer.redirected} ${await answer.text()}`);
} };
"""
ASKED = {
    "/as-it-is!/about": "/about.html",
    "/as-it-is!/about.html": "307 /about",
    "/as-it-is!/none": "404 /404.html",
    "POST /as-it-is!/about": "405",
    "/elsewhere!/about": "/about.html",
    "/elsewhere!/about.html": "/about.html",
    "/elsewhere!/blog": "/blog/index.html",
    "/GET!/about.html": "200 true /about.html",
    "/GET!/moved": "200 true /about.html",
    "/HEAD!/about": "200 false ",
    "/POST!/about": "405 false ",
    "/OPTIONS!/none": "405 false ",
}


@pytest.mark.parametrize("namespace", [None, "tenants"])
def test_assets_binding_fetch_returns_asset(edge: Edge, namespace: str | None) -> None:
    """The host is ignored. Redirects are followed unless the request disables it, as with every service."""
    config = {**PAGE, "run_worker_first": True, "_redirects": "/moved /about"}
    if namespace:
        Platform(edge, namespace)
        deploy(edge, "site", SITE, BINDING, namespace, config)
    else:
        deploy_site(edge, config, code=BINDING)
    assert {target: visit(edge, target) for target in ASKED} == ASKED


def test_assets_new_version_applies_to_next_request(platform: Platform) -> None:
    for body in ("body {}", "p {}"):
        deploy(
            platform.edge,
            "tenant",
            {"/app.css": body},
            "export default { fetch: (request, env) => env.ASSETS.fetch(request) };",
            platform.namespace,
            {"run_worker_first": True},
        )
        assert platform.get("tenant", "/app.css").text == body


def test_assets_cache_full_evicts_least_recently_used(edge: Edge) -> None:
    small, large, many = (
        "s" * 1000,
        "x" * (1024 * 1024 + 1),
        {f"/{number}.txt": f"{number:04}" * (256 * 1024 - 256) for number in range(66)},
    )
    deploy_site(edge, files={"/small.txt": small, "/large.txt": large, "/same.txt": small, **many})

    def status(path: str, body: str) -> str:
        response = edge.get(HOST, path)
        assert (response.text, response.headers["content-length"]) == (body, str(len(body)))
        return response.headers["cf-cache-status"]

    assert [status("/small.txt", small), status("/small.txt", small), status("/same.txt", small)] == [
        "MISS",
        "HIT",
        "HIT",
    ]
    assert [status("/large.txt", large), status("/large.txt", large)] == ["MISS", "MISS"]
    assert edge.get(HOST, "/large.txt", method="HEAD").headers["cf-cache-status"] == "HIT", "no file is fetched"
    for path, body in many.items():
        assert status(path, body) == "MISS"
        assert status("/small.txt", small) == "HIT", "recently used"
    assert [status(path, many[path]) for path in ("/0.txt", "/65.txt")] == ["MISS", "HIT"], (
        "the least recently used is gone"
    )


def test_assets_namespace_recreated_has_its_own_files(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients choose the hashes, so files cached by hash are dropped with their namespace."""
    monkeypatch.setattr(sites, "digest", lambda _path, _body: "0123456789abcdef" * 2)
    for body in ("first", "other"):
        platform = Platform(edge)
        deploy(edge, "tenant", {"/a.txt": body}, namespace=platform.namespace)
        assert platform.get("tenant", "/a.txt").text == body
        edge.wipe()
