# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Static assets, from a folder next to the playbook to a visitor."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from edge_process import Platform
from plays import AnsibleProject, Play

API = """
export default { async fetch(request, env) {
  const { pathname } = new URL(request.url);
  return pathname.startsWith("/api/") ? Response.json(pathname) : env.ASSETS.fetch(request);
} };
"""
SITE = {
    "index.html": "<h1>home</h1>",
    "about.html": "<h1>about</h1>",
    "404.html": "<h1>nothing</h1>",
    "app.css": "h1 { color: red }",
    "caf\u00e9 [1].html": "<h1>café</h1>",
    "secret.txt": "not for visitors",
    ".assetsignore": "secret.txt\n",
    "_redirects": "/old /about 301\n",
    "_headers": "/app.css\n  X-Sheet: one\n",
}


@pytest.fixture
def site(project: AnsibleProject) -> pathlib.Path:
    folder = project.folder / "project" / "site"
    folder.mkdir()
    for name, text in SITE.items():
        (folder / name).write_text(text)
    return folder


def visit(project: AnsibleProject, *paths: str, host: str = "site.example.com") -> list[str]:
    """Visit each path. Return the location or the text of the response, after its status if it is not 200."""
    answers = [project.edge.get(host, path) for path in paths]
    return [
        ("" if answer.status_code == 200 else f"{answer.status_code} ")
        + answer.headers.get("location", answer.content.decode())
        for answer in answers
    ]


@pytest.mark.parametrize(("name", "in_process"), [("direct", True), ("ordinary", False)])
def test_worker_assets_only_site_is_deployed_and_updated(
    project: AnsibleProject, site: pathlib.Path, name: str, in_process: bool
) -> None:
    def worker(options: str = "", **assets: t.Any) -> Play:
        arguments = {
            "name": name,
            "compatibility_date": "2026-11-01",
            "assets": {"directory": "site", "not_found_handling": "404-page", **assets},
        }
        return project.play(
            [{"name": "a site", "tenantry.cloudflare_workers.worker": arguments}],
            options,
            tenantry_in_process=in_process,
        ).ok()

    def uploads() -> int:
        return sum(request["path"].endswith("/workers/assets/upload") for request in project.requests())

    assert worker().changed == 1 and uploads() == 1
    project.edge.route("site.example.com/*", name)
    paths = ("/", "/about", "/caf%C3%A9%20%5B1%5D", "/none", "/old", "/secret.txt", "/_headers", "/.assetsignore")
    nothing = "404 <h1>nothing</h1>"
    assert visit(project, *paths) == [
        "<h1>home</h1>",
        "<h1>about</h1>",
        "<h1>café</h1>",
        nothing,
        "301 /about",
        nothing,
        nothing,
        nothing,
    ]
    sheet = project.edge.get("site.example.com", "/app.css")
    assert (sheet.headers["content-type"], sheet.headers["x-sheet"]) == ("text/css; charset=utf-8", "one")

    project.requests()
    assert worker().changed == 0 and len(project.requests()) == 1

    (site / "index.html").write_text("<h1>new</h1>")
    (site / "about.html").unlink()
    (site / "_redirects").write_text("/old / 302\n")
    predicted = worker("--check --diff")
    assert predicted.changed == 1 and uploads() == 0 and visit(project, "/") == ["<h1>home</h1>"]
    applied = worker("--diff")
    assert (
        applied.operations == predicted.operations
        and applied.diffs[0]["after"] == predicted.diffs[0]["after"]
        and uploads() == 1
    )
    assert visit(project, "/", "/about", "/old") == ["<h1>new</h1>", nothing, "302 /"]

    assert worker(not_found_handling="none").changed == 1 and uploads() == 0
    assert visit(project, "/", "/about") == ["<h1>new</h1>", "404 "]


def test_namespaced_workers_shared_assets_are_deployed(project: AnsibleProject, site: pathlib.Path) -> None:
    platform = Platform(project.edge)
    fleet = {
        "dispatch_namespace": platform.namespace,
        "defaults": {
            "content": API,
            "compatibility_date": "2026-11-01",
            "assets": {"directory": "site", "binding": "ASSETS", "run_worker_first": ["/api/*", "/front"]},
        },
        "workers": [
            {"name": "a"},
            {"name": "b"},
            {
                "name": "c",
                "assets": {"directory": "other"},
                "content": "export default { fetch: () => new Response('c') };",
            },
        ],
    }
    (project.folder / "project" / "other").mkdir()
    (project.folder / "project" / "other" / "index.html").write_text("<h1>other</h1>")
    task = {"name": "tenants", "tenantry.cloudflare_workers.namespaced_workers": fleet}
    project.play([task]).ok()
    for name in ("a", "b"):
        assert visit(project, "/", "/api/x", "/about", "/old", host=f"{name}.example.com") == [
            "<h1>home</h1>",
            '"/api/x"',
            "<h1>about</h1>",
            "301 /about",
        ]
    assert visit(project, "/", "/about", host="c.example.com") == ["<h1>other</h1>", "c"]
    project.requests()
    assert project.play([task]).ok().changed == 0 and len(project.requests()) == 1

    fleet["workers"][0]["content"] = API.replace("Response.json(pathname)", "Response.json('changed')")  # type: ignore[index]
    changed = project.play([task]).ok()
    assert [operation.rpartition("/")[2] for operation in changed.operations] == ["a"]
    assert visit(project, "/", "/api/x", host="a.example.com") == ["<h1>home</h1>", '"changed"'], (
        "the assets are unchanged"
    )


def test_assets_directory_remote_host_or_missing_is_refused(project: AnsibleProject, site: pathlib.Path) -> None:
    arguments = {"name": "site", "compatibility_date": "2026-11-01", "assets": {"directory": "site"}}
    play = project.play([{"tenantry.cloudflare_workers.worker": arguments, "vars": {"ansible_connection": "ssh"}}])
    assert play.code != 0 and "this task runs on another host. Set delegate_to: localhost" in play.tasks[-1][1]["msg"]
    arguments["assets"] = {"directory": "nowhere"}
    play = project.play([{"tenantry.cloudflare_workers.worker": arguments}])
    assert play.code != 0 and "directory: folder nowhere does not exist. Correct the path" in play.tasks[-1][1]["msg"]
