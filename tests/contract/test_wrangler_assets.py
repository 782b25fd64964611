# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wrangler: static assets with and without code, in an account and in a namespace."""

from __future__ import annotations

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker.content_types import (
    NO_CONTENT_TYPE,
    content_type,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker.media_types import MEDIA_TYPES
from edge_process import Edge, Platform
from foreign_clients import Project, clear_request_log, request_log

API = """
export default { fetch(request, env) {
  const url = new URL(request.url);
  return url.pathname.startsWith("/api/") ? Response.json(url.pathname) : env.ASSETS.fetch(request);
} };
"""


def uploads(edge: Edge) -> int:
    return sum(request["path"].endswith("/workers/assets/upload") for request in request_log(edge))


def test_deploy_changed_site_uploads_only_changed_files(project: Project, edge: Edge) -> None:
    project.write("public/index.html", "<h1>home</h1>")
    project.write("public/about.html", "<h1>about</h1>")
    project.write("public/style.css", "h1 { color: red }")
    project.configure(
        name="site", assets={"directory": "public", "not_found_handling": "404-page"}, routes=["site.example.com/*"]
    )
    assert "Uploaded 3 of 3 assets" in project.wrangler("deploy")
    assert edge.get("site.example.com").text == "<h1>home</h1>"
    assert edge.get("site.example.com", "/about").text == "<h1>about</h1>"
    sheet = edge.get("site.example.com", "/style.css")
    assert (sheet.text, sheet.headers["content-type"]) == ("h1 { color: red }", "text/css; charset=utf-8")

    project.write("public/style.css", "h1 { color: blue }")
    project.write("public/404.html", "<h1>nothing</h1>")
    assert "Uploaded 2 of 2 assets" in project.wrangler("deploy")
    assert edge.get("site.example.com", "/style.css").text == "h1 { color: blue }"
    missing = edge.get("site.example.com", "/nowhere")
    assert (missing.status_code, missing.text) == (404, "<h1>nothing</h1>")

    clear_request_log(edge)
    assert "No updated asset files to upload" in project.wrangler("deploy")
    assert uploads(edge) == 0 and edge.get("site.example.com", "/about").text == "<h1>about</h1>"


def test_deploy_content_types_equal_those_of_the_modules(project: Project, edge: Edge) -> None:
    """The table that travels with the collection is the one of the wrangler that is installed here."""
    names = [f"a.{extension}" for extension in (*MEDIA_TYPES, "none", "A.HTML")] + [".html", "..html", "html", "a."]
    for name in names:
        project.write(f"public/{name}", name)
    served = {"directory": "public", "html_handling": "none"}
    project.configure(name="site", assets=served, routes=["site.example.com/*"])
    project.wrangler("deploy")
    for name in names:
        response = edge.get("site.example.com", f"/{name}")
        assert (name, response.headers.get("content-type", NO_CONTENT_TYPE)) == (name, content_type(f"/{name}"))


def test_deploy_headers_and_redirects_files_are_applied(project: Project, edge: Edge) -> None:
    project.write("public/about.html", "<h1>about</h1>")
    project.write("public/_headers", "/about\n  X-Page: one\n")
    project.write("public/_redirects", "/old /about 301\n")
    project.configure(name="site", assets={"directory": "public"}, routes=["site.example.com/*"])
    project.wrangler("deploy")
    assert edge.get("site.example.com", "/about").headers["x-page"] == "one"
    moved = edge.get("site.example.com", "/old")
    assert (moved.status_code, moved.headers["location"]) == (301, "/about")


def test_deploy_assets_below_base_path(project: Project, edge: Edge) -> None:
    project.write("public/about.html", "<h1>about</h1>")
    project.configure(name="site", assets={"directory": "public", "base_path": "/docs"}, routes=["site.example.com/*"])
    project.wrangler("deploy")
    assert [edge.get("site.example.com", path).status_code for path in ("/docs/about", "/about")] == [200, 404]


def test_deploy_invalid_redirects_prints_error(project: Project, edge: Edge) -> None:
    project.write("public/index.html", "<h1>home</h1>")
    project.write("public/_redirects", "/* /index.html 200\n")
    project.configure(name="site", assets={"directory": "public"})
    output = project.wrangler("deploy", fails=True)
    assert (
        "Invalid _redirects configuration" in output
        and "Line 1: Infinite loop detected in this rule." in output
        and "[code: 100324]" in output
    )


def test_deploy_tenant_with_code_and_assets(project: Project, edge: Edge) -> None:
    platform = Platform(edge)
    project.write("index.js", API)
    project.write("public/index.html", "<h1>tenant</h1>")
    project.configure(
        name="shop",
        main="index.js",
        assets={"directory": "public", "binding": "ASSETS", "run_worker_first": ["/api/*"]},
    )
    project.wrangler("deploy", "--dispatch-namespace", platform.namespace)
    assert platform.get("shop").text == "<h1>tenant</h1>"
    assert platform.get("shop", "/api/x").json() == "/api/x"
