# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The programs that bundle an entrypoint, replaced by programs that write what they get."""

from __future__ import annotations

import json
import pathlib
import re
import sys
import typing as t

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.action import api as action
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import CloudflareError
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.remedies import find_remedy
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker import source
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker.nodejs import Compatibility

if t.TYPE_CHECKING:
    from harness import Runner
    from local_edge.testing import Edge

# Writes a module with its arguments, working folder and environment, and what wrangler writes beside it.
FAKE_WRANGLER = f"""#!{sys.executable}
import glob, json, os, sys
if "BROKEN" in open(sys.argv[2]).read():
    print("\\x1b[31mX [ERROR] Unexpected thing\\x1b[0m")
    sys.exit(1)
out = next(argument.partition("=")[2] for argument in sys.argv if argument.startswith("--outdir="))
os.makedirs(out)
environment = [*sorted(os.environ), *glob.glob(os.path.expanduser("~/.wrangler"))]
seen = [[part for part in sys.argv[1:] if out not in part], os.getcwd(), environment]
files = {{
    "index.js": "export default " + json.dumps(seen),
    "a-query.sql": "SELECT 1",
    "index.js.map": json.dumps({{"sources": ["../../x.ts"], "sourceRoot": out, "mappings": ""}}),
    "README.md": "generated now",
}}
for name, content in files.items():
    open(os.path.join(out, name), "w").write(content)
"""
WORKER = {"name": "a", "compatibility_date": "2025-10-08", "bundler": "wrangler"}


@pytest.fixture(autouse=True)
def _clear_source_cache() -> None:
    source._read.cache_clear()


@pytest.fixture
def entrypoint(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Provide a project with wrangler."""
    programs = tmp_path / "node_modules" / ".bin"
    programs.mkdir(parents=True)
    for program in (programs / "wrangler", tmp_path / "bin" / "node"):
        program.parent.mkdir(exist_ok=True)
        program.write_text(FAKE_WRANGLER)
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "secret-token")
    monkeypatch.setenv("VAULT_PASSWORD", "secret-password")
    (tmp_path / "home" / ".wrangler").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "wrangler.toml").write_text("")
    file = tmp_path / "src" / "index.ts"
    file.parent.mkdir()
    file.write_text("export default {};\n")
    return file


def seen_by_wrangler(entrypoint: pathlib.Path, **options: t.Any) -> tuple[list[str], str, list[str]]:
    """Return the arguments, the folder and the names of variables that wrangler got."""
    source._read.cache_clear()
    loaded = source.load({**WORKER, "entrypoint": str(entrypoint), **options})
    assert [module.name for module in loaded.modules] == ["a-query.sql", "index.js"]
    arguments, folder, variables = json.loads(loaded.modules[1].content.removeprefix(b"export default "))
    return arguments, folder, variables


def test_wrangler_gets_options_and_no_credentials(entrypoint: pathlib.Path) -> None:
    (entrypoint.parent / "fs.mjs").write_text("")
    arguments, folder, variables = seen_by_wrangler(
        entrypoint,
        compatibility_flags=["nodejs_compat"],
        define={"A": {"b": 1}},
        alias={"fs": "./fs.mjs", "a": "b"},
        minify=True,
        conditions=["edge"],
    )
    root = entrypoint.parents[1]
    assert arguments == [
        "deploy",
        str(entrypoint),
        "--dry-run",
        "--name=worker",
        "--compatibility-date=2025-10-08",
        "--compatibility-flags=nodejs_compat",
        f"--config={root}/wrangler.toml",
        '--define=A:{"b": 1}',
        "--alias=a:b",
        f"--alias=fs:{entrypoint.parent}/fs.mjs",
        "--minify",
    ]
    assert folder == str(root)
    assert not {"CLOUDFLARE_API_TOKEN", "VAULT_PASSWORD"} & set(variables)
    assert not [name for name in variables if name.endswith(".wrangler")], "no stored login"
    assert {"CI", "WRANGLER_SEND_METRICS", "WRANGLER_BUILD_CONDITIONS"} <= set(variables)


def test_wrangler_nearest_configuration_is_used(entrypoint: pathlib.Path) -> None:
    assert "--compatibility-flags=" in seen_by_wrangler(entrypoint)[0], "flags of the file do not apply"
    (entrypoint.parent / "wrangler.json").write_text("{}")
    arguments, folder, _variables = seen_by_wrangler(entrypoint)
    assert f"--config={entrypoint.parent}/wrangler.json" in arguments and folder == str(entrypoint.parent)


def test_wrangler_output_decides_on_upload(entrypoint: pathlib.Path, run: Runner, edge: Edge) -> None:
    task = {**WORKER, "entrypoint": str(entrypoint), "source_map": True}
    assert run.ok("worker", **task)["changed"]
    source._read.cache_clear()
    again = run.ok("worker", **task)
    assert not again["changed"] and not again["warnings"]
    program = entrypoint.parents[1] / "node_modules/.bin/wrangler"
    program.write_text(FAKE_WRANGLER.replace("SELECT 1", "SELECT 2"))
    source._read.cache_clear()
    assert [operation.split()[0] for operation in run.ok("worker", **task)["operations"]] == ["PUT"]
    assert not run.ok("worker", **task)["changed"]


def test_wrangler_source_map_has_no_temporary_folder(entrypoint: pathlib.Path) -> None:
    maps = source.load({**WORKER, "entrypoint": str(entrypoint), "source_map": True}).maps
    assert [(part.name, sorted(json.loads(part.content))) for part in maps] == [
        ("index.js.map", ["mappings", "sources"])
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loader": {".graphql": "text"}}, "loader: wrangler takes rules from its configuration file. Remove loader,"),
        ({"keep_names": True}, "keep_names: wrangler takes .* or set bundler: esbuild"),
        ({"esbuild_path": "esbuild"}, "esbuild_path: wrangler has an esbuild of its own"),
        ({"alias": {"a": "./b.mjs"}}, "alias: the file .*/src/b.mjs for a does not exist"),
        ({"alias": {"node:fs": "a"}}, "alias: node:fs contains a colon, which wrangler does not accept"),
        ({"main_module": "main.js"}, "main_module: wrangler has not written main.js, only a-query.sql, index.js"),
        ({"bundler": "rollup"}, "bundler.*esbuild, wrangler.*rollup"),
    ],
)
def test_wrangler_unsupported_options_are_refused(
    entrypoint: pathlib.Path, run: Runner, options: dict[str, t.Any], message: str
) -> None:
    assert re.search(message, run.refused("worker", **{**WORKER, "entrypoint": str(entrypoint), **options}))


def test_wrangler_missing_programs_are_named(
    entrypoint: pathlib.Path, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = {**WORKER, "entrypoint": str(entrypoint)}
    monkeypatch.setenv("PATH", "/nowhere")
    assert "bundler: wrangler needs node, which is not on PATH" in run.refused("worker", **worker)
    (entrypoint.parents[1] / "node_modules/.bin/wrangler").unlink()
    source._read.cache_clear()
    message = run.refused("worker", **worker)
    assert f"bundler: wrangler was not found in a node_modules above {entrypoint}. Install it in the project" in message


def test_wrangler_error_is_reported_without_colors(entrypoint: pathlib.Path) -> None:
    entrypoint.write_text("BROKEN")
    with pytest.raises(CloudflareError, match=r"wrangler could not bundle .*index.ts:\nX \[ERROR\] Unexpected thing$"):
        source.load({**WORKER, "entrypoint": str(entrypoint)})


@pytest.mark.parametrize(
    "options", [{"bundler": "rollup"}, {"define": "A"}, {"alias": ["a"]}, {"conditions": {"a": 1}}]
)
def test_pack_leaves_invalid_options_to_the_module(entrypoint: pathlib.Path, options: dict[str, t.Any]) -> None:
    assert action._pack({**WORKER, "entrypoint": str(entrypoint), **options}) == {}
    assert len(action._pack({**WORKER, "entrypoint": str(entrypoint)})) == 1


def test_bundler_without_entrypoint_is_refused(run: Runner) -> None:
    message = run.refused("worker", **WORKER, content="export default {};")
    assert "bundler: only an entrypoint is bundled, and content is uploaded unchanged. Remove bundler" in message


@pytest.mark.parametrize(
    ("date", "flags", "has_nodejs", "has_polyfills"),
    [
        ("2026-11-01", [], True, True),
        ("2026-11-01", ["no_nodejs_compat"], False, False),
        ("2026-11-01", ["no_nodejs_compat_v2"], True, False),
        ("2026-08-03", [], False, False),
        ("2024-09-23", ["nodejs_compat"], True, True),
        ("2024-09-22", ["nodejs_compat"], True, False),
        ("2024-09-22", ["nodejs_compat_v2"], True, True),
        ("2024-09-23", ["nodejs_compat", "no_nodejs_compat_v2"], True, False),
        (None, ["nodejs_als"], False, False),
    ],
)
def test_compatibility_decides_on_nodejs(
    date: str | None, flags: list[str], has_nodejs: bool, has_polyfills: bool
) -> None:
    compatibility = Compatibility.from_options({"compatibility_date": date, "compatibility_flags": flags})
    assert (compatibility.has_nodejs, compatibility.has_polyfills) == (has_nodejs, has_polyfills)


def test_missing_nodejs_module_remedy_names_both_ways() -> None:
    remedy = find_remedy("script", 10021, 'Uncaught Error: No such module "node:fs".\n  imported from "index.js"')
    assert "does not have node:fs at this compatibility_date" in remedy
    assert "npm install --save-dev wrangler" in remedy and "bundler: wrangler" in remedy
    assert "node:fs" not in find_remedy("script", 10021, 'Uncaught Error: No such module "lib/a.js".')
