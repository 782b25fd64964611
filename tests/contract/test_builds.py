# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Projects of popular frameworks, deployed by the collection: what they build by path, and their code by entrypoint."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker import source
from edge_process import Edge
from foreign_clients import BIN, ROOT, Project
from plays import AnsibleProject

FRAMEWORKS = Path(os.environ.get("FRAMEWORKS", ROOT / ".cache" / "frameworks")) / "node_modules"
PROJECTS = Path(__file__).parent / "projects"
WRANGLER = "node_modules/wrangler/bin/wrangler.js"
NODEJS = {"compatibility_flags": ["nodejs_compat"]}
NODEJS_DATES = ("2024-09-23", "2025-10-08", "2026-11-01")
HONO_RESPONSE = {
    "hash": "ca978112",
    "heard": 1,
    "modules": [
        "fs",
        "os",
        "performance",
        "readline",
        "tty",
        "vm",
        "child",
        "workers",
        "v8",
        "inspector",
        "cluster",
        "http",
    ],
    "performance": "number",
}


@pytest.fixture
def ansible(edge: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AnsibleProject:
    assert FRAMEWORKS.is_dir(), "the frameworks are not installed: run `make contract`"
    monkeypatch.setenv("PATH", f"{BIN}:/usr/bin:/bin")
    return AnsibleProject(edge, tmp_path)


def project_folder(ansible: AnsibleProject, name: str, packages: Path = FRAMEWORKS) -> Path:
    """Copy a project into the folder of the playbook."""
    folder = ansible.folder / "project" / name
    shutil.copytree(PROJECTS / name, folder)
    (folder / "node_modules").symlink_to(packages)
    return folder


def run(edge: Edge, folder: Path, *command: str) -> None:
    """Run a JavaScript program in a project."""
    runner = Project(folder.parent / "unused", edge, packages=FRAMEWORKS)
    runner.folder = folder
    runner.run(*command, ASTRO_TELEMETRY_DISABLED="1")
    shutil.rmtree(folder.parent / "unused")


def deploy(ansible: AnsibleProject, *workers: dict[str, Any]) -> None:
    """Deploy Workers in one play. Check mode must predict it, and a second run, not in process, must change nothing."""
    tasks = []
    for options in workers:
        worker = {"tenantry.cloudflare_workers.worker": {"compatibility_date": "2025-10-08", **options}}
        tasks += [
            {"name": "changes", **worker, "check_mode": True},
            {"name": "changes", **worker},
            {"name": "unchanged", **worker, "vars": {"tenantry_in_process": False}},
        ]
    for name, result in ansible.play(tasks).ok().tasks:
        assert result["changed"] == (name == "changes"), result["diff"]
    for options in workers:
        ansible.edge.route(f"{options['name']}.example.com/*", options["name"])


def imports(edge: Edge, name: str) -> set[str]:
    """Return the modules of Node.js that the code of a Worker imports from the runtime."""
    content = edge.session.get(f"{edge.account}/workers/scripts/{name}/content/v2").text
    return set(re.findall(r'^(?:import|export) .*"(?:node:)?([^"]+)";$', content, re.MULTILINE))


def test_hono_has_nodejs_at_each_date(ansible: AnsibleProject, edge: Edge) -> None:
    """By entrypoint and by path to the output of wrangler, which import the same modules."""
    folder, workers = project_folder(ansible, "hono"), []
    for date in NODEJS_DATES:
        arguments = ("--name", "x", "--compatibility-date", date, "--compatibility-flags", "nodejs_compat")
        run(edge, folder, WRANGLER, "deploy", "src/index.ts", "--dry-run", "--outdir", f"dist/{date}", *arguments)
        common = {"compatibility_date": date, **NODEJS}
        workers.append({"name": f"entrypoint-{date}", "entrypoint": "hono/src/index.ts", **common})
        workers.append({"name": f"path-{date}", "path": f"hono/dist/{date}", **common})
    deploy(ansible, *workers)
    for date in NODEJS_DATES:
        native = "[object process]" if date > "2026" else "[object Object]"
        for code in ("entrypoint", "path"):
            assert edge.get(f"{code}-{date}.example.com").json() == {
                **HONO_RESPONSE,
                "process": ["string", native, "production"],
            }
        assert imports(edge, f"entrypoint-{date}") == imports(edge, f"path-{date}") != set()


def packages_without_preset(folder: Path) -> Path:
    packages = folder / "node_modules"
    packages.mkdir()
    for name in ("hono", "esbuild", "@esbuild", ".bin"):
        (packages / name).symlink_to(FRAMEWORKS / name)
    return packages


def test_preset_changes_only_the_digest_of_the_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a Worker that was bundled without polyfills is not uploaded again, except with rebundle."""
    monkeypatch.setenv("PATH", f"{BIN}:/usr/bin:/bin")
    folder = tmp_path / "hono"
    shutil.copytree(PROJECTS / "hono", folder)
    options = {"entrypoint": str(folder / "src/index.ts"), "compatibility_date": "2025-10-08", **NODEJS}
    loaded = []
    for packages in (packages_without_preset(tmp_path), FRAMEWORKS):
        (folder / "node_modules").unlink(missing_ok=True)
        (folder / "node_modules").symlink_to(packages)
        source._read.cache_clear()
        loaded.append(source.load(options))
    assert loaded[0].source_digest == loaded[1].source_digest
    assert loaded[0].bundle_digest != loaded[1].bundle_digest


def test_hono_without_preset_names_both_remedies(ansible: AnsibleProject, tmp_path: Path) -> None:
    project_folder(ansible, "hono", packages_without_preset(tmp_path))
    task = {"tenantry.cloudflare_workers.worker": {"name": "built", "entrypoint": "hono/src/index.ts", **NODEJS}}
    task["tenantry.cloudflare_workers.worker"]["compatibility_date"] = "2025-10-08"
    message = ansible.play([task]).tasks[-1][1]["msg"]
    assert 'No such module "node:perf_hooks"' in message
    assert "npm install --save-dev wrangler" in message and "bundler: wrangler" in message
    task["tenantry.cloudflare_workers.worker"]["compatibility_date"] = "2026-11-01"
    assert ansible.play([task]).ok().changed == 1


def test_wrangler_bundler_runs_without_credentials(ansible: AnsibleProject, edge: Edge) -> None:
    """Its build command sees the variables that wrangler has. The module has the date and flags of the task."""
    folder = project_folder(ansible, "hono")
    command = "node -e 'require(`fs`).writeFileSync(`seen.json`, JSON.stringify(process.env))'"
    settings = {"name": "x", "main": "no.ts", "compatibility_date": "2021-11-02", "build": {"command": command}}
    (folder / "wrangler.json").write_text(json.dumps(settings))
    options = {"bundler": "wrangler", "define": {"A": {"b": 1}}, "source_map": True}
    deploy(ansible, {"name": "built", "entrypoint": "hono/src/index.ts", **options, **NODEJS})
    assert edge.get("built.example.com").json()["hash"] == "ca978112"
    seen = json.loads((folder / "seen.json").read_text())
    assert not [name for name in seen if name.startswith(("CLOUDFLARE", "CF_", "ANSIBLE"))]
    assert seen["CI"] == "1" and seen["WRANGLER_SEND_METRICS"] == "false"
    content = edge.session.get(f"{edge.account}/workers/scripts/built/content/v2").content
    assert str(ansible.folder).encode() not in content and b"tenantry-" not in content


def test_vite_app_is_deployed_by_path_and_entrypoint(ansible: AnsibleProject, edge: Edge) -> None:
    run(edge, project_folder(ansible, "vite"), "node_modules/vite/bin/vite.js", "build")
    assets = {
        "directory": "vite/dist/client",
        "not_found_handling": "single-page-application",
        "run_worker_first": ["/api/*"],
    }
    codes = {"path": {"path": "vite/dist/vite_app"}, "entrypoint": {"entrypoint": "vite/src/index.ts"}}
    deploy(ansible, *({"name": name, **code, **NODEJS, "assets": assets} for name, code in codes.items()))
    for name in codes:
        assert edge.get(f"{name}.example.com", "/api/x").json() == ["ca978112", "number"]
        assert "/assets/index-" in edge.get(f"{name}.example.com", "/some/page").text


def test_astro_app_is_rendered_by_path_and_entrypoint(ansible: AnsibleProject, edge: Edge) -> None:
    run(edge, project_folder(ansible, "astro"), "node_modules/astro/bin/astro.mjs", "build")
    edge.call("POST", "/storage/kv/namespaces", json={"title": "sessions"})
    common = {
        **NODEJS,
        "bindings": [{"name": "SESSION", "type": "kv_namespace", "title": "sessions"}],
        "assets": {"directory": "astro/dist/client", "binding": "ASSETS"},
    }
    codes = {
        "path": {"path": "astro/dist/server", "main_module": "entry.mjs"},
        "entrypoint": {"entrypoint": "astro/dist/server/entry.mjs"},
    }
    deploy(ansible, *({"name": name, **code, **common} for name, code in codes.items()))
    for name in codes:
        assert "<h1>Hello you</h1>" in edge.get(f"{name}.example.com", "/?name=you").text
        assert edge.get(f"{name}.example.com", "/api.json").json() == ["ca978112"]
        assert edge.get(f"{name}.example.com", "/robots.txt").text == "User-agent: *\n"
