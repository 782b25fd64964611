# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a Worker's code comes from."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
import sys
import typing as t

import pytest
import requests
from ansible_collections.tenantry.cloudflare_workers.plugins.action import api as action
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import CloudflareError
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.namespaced_workers import merge
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker import (
    esbuild,
    esbuild_output,
    folder_source,
    source,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker.fingerprint import (
    FingerprintTag,
    find_fingerprint_tag,
    secrets_digest,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker.multipart import (
    read_modules,
    upload_request,
)

if t.TYPE_CHECKING:
    from harness import Runner
    from local_edge.testing import Edge

CODE = "export default { fetch: () => new Response('one') };"
# A substitute for esbuild that writes the given output, or fails, and counts its runs.
FAKE_ESBUILD = f"""#!{sys.executable}
import json, os, sys
with open(__file__ + ".runs", "a") as runs:
    runs.write("x")
options = dict(argument[2:].partition("=")[::2] for argument in sys.argv[2:])
code = open(sys.argv[1]).read()
if "BROKEN" in code:
    sys.exit("a.ts:1:0: ERROR: Unexpected thing\\n\\nnode:child_process:981\\n    throw err;\\n\\nNode.js v24")
os.makedirs(os.path.dirname(options["outfile"]))
with open(options["outfile"], "w") as out:
    out.write("// VERSION\\n" + code)
with open(options["metafile"], "w") as meta:
    outputs = {{os.path.relpath(options["outfile"]): {{"imports": []}}}}
    json.dump({{"inputs": {{"a.ts": {{}}}}, "outputs": outputs}}, meta)
"""


@pytest.fixture(autouse=True)
def _clear_source_cache() -> None:
    source._read.cache_clear()


@pytest.fixture
def entrypoint(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    file = tmp_path / "a.ts"
    file.write_text("export default {};\n")
    return file


def fake_esbuild(folder: pathlib.Path, version: str) -> str:
    program = folder / f"esbuild-{version}"
    program.write_text(FAKE_ESBUILD.replace("VERSION", version))
    program.chmod(0o755)
    return str(program)


def count_runs(program: str) -> int:
    return os.path.getsize(f"{program}.runs")


def request_content(edge: Edge, method: str, **options: t.Any) -> requests.Response:
    """Read or replace the code of Worker a of the tenants."""
    url = f"{edge.api}/accounts/{edge.account}/workers/dispatch/namespaces/tenants/scripts/a/content"
    response = requests.request(method, url, headers={"Authorization": f"Bearer {edge.token}"}, **options)
    response.raise_for_status()
    return response


def write_files(root: pathlib.Path, contents: t.Mapping[str, str | bytes]) -> str:
    """Write files below a folder, and return it."""
    for name, content in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(root)


@pytest.mark.parametrize(
    ("options", "source_digest"),
    [
        ({"content": CODE}, "b92eecd68e6dce43abcb3588fe1b64504815a926d265126ea1801c027dc05b64"),
        (
            {"content": CODE, "main_module": "lib/a.mjs"},
            "633b4e3974541152b89e7b61b2447bcbc2544c849cac27b0a1cc7d52b27c95d4",
        ),
        ({"path": "router.js"}, "beafd3eae15a43b5a8d2ce4a2d3d4f8f356f84d406c1e0e3f4715398938c0147"),
        (
            {"path": "router.js", "main_module": "x.cjs"},
            "8568d75462eeada255b49ddea1ea3489681515594632412dccf7d81df75f0546",
        ),
        ({"path": "folder"}, "71c60683b0ea7959c47d5b81d7ebec9155f856c38565c04fa1833a34182c3cdf"),
        ({"entrypoint": "a.ts"}, "31a13cc9ddc4a1cee9672258a90b77fce61ed5c5573e51a6f5ad2758f2fc9ab3"),
        (
            {"entrypoint": "a.ts", "minify": True, "define": {"A": 1}},
            "29019e6fe9cc758f72c6a1915f94d0f906987373af0132d53b4f347d6a573b84",
        ),
    ],
)
def test_source_digest_is_stable_across_releases(
    entrypoint: pathlib.Path, options: dict[str, t.Any], source_digest: str
) -> None:
    """These digests are in the tags of existing Workers. If one changes, all of them are uploaded again."""
    write_files(entrypoint.parent, {"router.js": CODE, "folder/index.js": CODE, "folder/lib/a.txt": "a"})
    source_options = {
        **options,
        "source_root": str(entrypoint.parent),
        "esbuild_path": fake_esbuild(entrypoint.parent, "1"),
    }
    assert source.load(source_options).source_digest == source_digest


def test_bundle_finds_esbuild_of_installed_local_edge(
    entrypoint: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / ".cache/tenantry/local_edge/bin/esbuild"
    program.parent.mkdir(parents=True)
    program.symlink_to(fake_esbuild(entrypoint.parent, "7"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert esbuild.find_esbuild(str(entrypoint), None) == str(program)
    assert source.load({"entrypoint": str(entrypoint)}).modules


def test_bundle_without_esbuild_fails(entrypoint: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nowhere")
    with pytest.raises(
        CloudflareError,
        match=r"needs esbuild, which was not found\. Install esbuild beside the entrypoint .*esbuild_path",
    ):
        source.load({"entrypoint": str(entrypoint)})
    with pytest.raises(CloudflareError, match="esbuild_path: /nowhere is not an executable file"):
        source.load({"entrypoint": str(entrypoint), "esbuild_path": "/nowhere"})


@pytest.mark.parametrize(
    ("contents", "options", "message"),
    [
        ({"a.ts": CODE}, {"path": "a.ts"}, "path: .*a.ts is not JavaScript. Set it as entrypoint"),
        ({"x/a.ts": CODE}, {"path": "x"}, "path: .*x contains no JavaScript. For TypeScript, set entrypoint"),
        ({"x/a.ts": CODE}, {"entrypoint": "x"}, "entrypoint: .*x is a folder. Set the file"),
        (
            {"x/a.js": CODE, "x/b.js": CODE},
            {"path": "x"},
            r"contains several modules, and none is named index.js or .*\. Set one of a.js, b.js",
        ),
        (
            {"x/index.js": CODE, "x/b/c.js": CODE},
            {"path": "x", "main_module": "c.js"},
            r"'c.js' is not a code module in .*\. Set one of index.js, b/c.js",
        ),
        ({"x/index.js": CODE}, {"path": "x", "main_module": "../a.js"}, "'../a.js' is not a code module in"),
        ({"x/index.js": " \n"}, {"path": "x"}, "path: index.js is empty"),
        ({"a.js": ""}, {"path": "a.js"}, "path: a.js is empty"),
        ({}, {"content": " "}, "content: worker.js is empty"),
        (
            {"a.ts": CODE},
            {"entrypoint": "a.ts", "main_module": "../../a.js"},
            "main_module: '../../a.js' is not a valid module name",
        ),
        (
            {"a.ts": CODE},
            {"entrypoint": "a.ts", "main_module": "a.wasm"},
            "main_module: 'a.wasm' does not have a valid extension. Use one of .js, .mjs,",
        ),
        (
            {"a.js": CODE},
            {"path": "a.js", "main_module": "a.txt"},
            "main_module: 'a.txt' does not have a valid extension. Use one of .js, .mjs, .cjs, .py,",
        ),
    ],
)
def test_source_invalid_files_are_refused(
    tmp_path: pathlib.Path, contents: dict[str, str], options: dict[str, str], message: str
) -> None:
    with pytest.raises(CloudflareError, match=message):
        source.load({**options, "source_root": write_files(tmp_path, contents)})


def test_source_over_limits_is_refused(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_SIZE", 200)
    monkeypatch.setattr(folder_source, "MAX_MODULES", 2)
    root = write_files(
        tmp_path,
        {
            "large/index.js": CODE,
            "large/a.bin": b"x" * 200,
            "many/index.js": CODE,
            "many/a.txt": "",
            "many/b.txt": "",
            "a.js": CODE * 4,
        },
    )
    for path, message in (
        ("large", "contains 252 bytes in 2 modules, and the limit is 200"),
        ("many", "contains 3 modules, and the limit is 2"),
    ):
        with pytest.raises(CloudflareError, match=f"path: .*{path} {message}"):
            source.load({"path": path, "source_root": root})
    for options in ({"path": "a.js", "source_root": root}, {"content": CODE * 4}):
        with pytest.raises(CloudflareError, match="has 208 bytes, and the limit is 200"):
            source.load(options)


def test_source_unreadable_file_is_reported(tmp_path: pathlib.Path) -> None:
    os.symlink("/nowhere", tmp_path / "gone.txt")
    with pytest.raises(CloudflareError, match=r"path: .*gone\.txt is a link to a path outside the folder"):
        source.load({"path": write_files(tmp_path, {"index.js": CODE})})


def test_source_folder_contains_its_modules(tmp_path: pathlib.Path) -> None:
    types = {
        "index.js": "application/javascript+module",
        "data.bin": "application/octet-stream",
        "lib/a.cjs": "application/javascript",
        "lib/deep/b.mjs": "application/javascript+module",
        "page.html": "text/plain",
        "query.sql": "text/plain",
        "settings.json": "application/javascript+module",
        "text.txt": "text/plain",
        "tool.py": "text/x-python",
        "tool.wasm": "application/wasm",
    }
    ignored_files = ["README.md", "index.ts", "index.d.ts", "package.json", "tsconfig.build.json", "lib/B.JS"]
    wrangler_files = ["wrangler.json", "wrangler.jsonc", "wrangler.toml", ".dev.vars", ".env", ".env.production"]
    ignored = [*ignored_files, *wrangler_files, ".hidden.js"]
    in_ignored_folders = [".git/a.js", "node_modules/a/index.js", "lib/node_modules/a.js"]
    contents = dict.fromkeys([*types, *ignored, *in_ignored_folders], CODE)
    (tmp_path / "linked").symlink_to("lib")
    loaded = source.load({"path": write_files(tmp_path, {**contents, "settings.json": "{}", "index.js.map": "{}"})})
    assert {module.name: module.type for module in loaded.modules} == types
    assert [module.name for module in loaded.modules] == sorted(types)
    assert loaded.main_module == "index.js"
    left_out = sorted([*ignored, ".git/", "node_modules/", "lib/node_modules/", "linked/"])
    assert loaded.left_out == tuple(f"{tmp_path}/{name}" for name in left_out)
    assert [(one.name, one.type) for one in loaded.maps] == [("index.js.map", "application/source-map")]
    sent = [(name, part[2]) for name, part in upload_request(loaded, {}, [], [], {})["files"]]
    assert sent == [
        ("metadata", "application/json"),
        *sorted(types.items()),
        ("index.js.map", "application/source-map"),
    ]
    assert source.load({"path": str(tmp_path), "main_module": "lib/deep/b.mjs"}).main_module == "lib/deep/b.mjs"


VENDORED = {
    "python_modules/pkg/__init__.py": "application/octet-stream",
    "python_modules/pkg/package.json": "application/octet-stream",
    "python_modules/pkg/.hidden": "application/octet-stream",
    "python_modules/pkg/cacert.pem": "application/octet-stream",
    "python_modules/pkg/fast.so": "application/octet-stream",
    "python_modules/pkg/web.js": "application/octet-stream",
    "python_modules/pkg-1.0.dist-info/METADATA": "application/octet-stream",
    "python_modules/workers/sdk.mjs": "application/javascript+module",
}


def test_source_python_worker_contains_vendored_packages(tmp_path: pathlib.Path) -> None:
    own = {"entry.py": "text/x-python", "lib/a.py": "text/x-python", "data.json": "text/plain"}
    excluded = ["python_modules/pkg/__pycache__/a.pyc", "python_modules/pkg/b.pyc", "pyproject.toml"]
    folder = write_files(tmp_path, dict.fromkeys([*own, *VENDORED, *excluded], "x = 1"))
    loaded = source.load({"path": folder, "main_module": "entry.py"})
    assert {module.name: module.type for module in loaded.modules} == {**own, **VENDORED}
    assert all(module.content == b"x = 1" for module in loaded.modules)
    names = ["pyproject.toml", "python_modules/pkg/__pycache__/", "python_modules/pkg/b.pyc"]
    assert loaded.left_out == tuple(f"{tmp_path}/{name}" for name in names)
    for name in ("lib/a.py", "data.json"):
        (tmp_path / name).unlink()
    source._read.cache_clear()
    assert source.load({"path": folder}).main_module == "entry.py", "a vendored file is not the main module"


def test_worker_in_python_is_uploaded_with_vendored_packages(tmp_path: pathlib.Path, run: Runner) -> None:
    run.ok("dispatch_namespace", name="tenants")
    folder = write_files(tmp_path, {**dict.fromkeys(["entry.py", *VENDORED], "x = 1"), "data.json": "[1]"})
    worker = {"dispatch_namespace": "tenants", "name": "a", "path": folder, "compatibility_date": "2026-11-01"}
    made = run.ok("namespaced_worker", **worker)
    assert {module["name"] for module in made["namespaced_worker"]["modules"]} == {"entry.py", "data.json", *VENDORED}
    assert made["warnings"] == []
    for depth in ("fingerprint", "content"):
        assert not run.ok("namespaced_worker", **worker, drift_detection=depth)["changed"]


def test_source_javascript_worker_has_no_vendored_packages(tmp_path: pathlib.Path) -> None:
    loaded = source.load({"path": write_files(tmp_path, dict.fromkeys(["a.js", *VENDORED], CODE))})
    assert [module.name for module in loaded.modules] == [
        "a.js",
        *(f"python_modules/{name}" for name in ("pkg/__init__.py", "pkg/web.js", "workers/sdk.mjs")),
    ]
    assert f"{tmp_path}/python_modules/pkg/cacert.pem" in loaded.left_out


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ('{"a": "é\\n"}', r'export default JSON.parse("{\"a\": \"\u00e9\\n\"}");'),
        ("\ufeff[1]", 'export default JSON.parse("[1]");'),
        ('{"__proto__": 1}', r'export default JSON.parse("{\"__proto__\": 1}");'),
    ],
)
def test_source_json_becomes_es_module(tmp_path: pathlib.Path, text: str, sent: str) -> None:
    loaded = source.load({"path": write_files(tmp_path, {"index.js": CODE, "data.json": text})})
    assert (loaded.modules[0].type, loaded.modules[0].content.decode()) == (source.ES_MODULE, sent + "\n")


@pytest.mark.parametrize("text", ["{", "// a comment\n{}", "[NaN]", b"\xff"])
def test_source_invalid_json_is_refused(tmp_path: pathlib.Path, text: str | bytes) -> None:
    folder = write_files(tmp_path, {"index.js": CODE, "lib/data.json": text})
    with pytest.raises(CloudflareError, match=r"path: lib/data\.json is not valid JSON: .*\. Correct it, or move it"):
        source.load({"path": folder})


def test_source_unreadable_subfolder_is_reported(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def walk(top: str, onerror: t.Callable[[OSError], None]) -> t.Iterator[t.Any]:
        yield top, ["lib"], ["index.js"]
        onerror(PermissionError(13, "Permission denied", f"{top}lib"))

    monkeypatch.setattr(os, "walk", walk)  # root can read every folder
    with pytest.raises(CloudflareError, match=r"path: .*lib cannot be read: Permission denied"):
        source.load({"path": write_files(tmp_path, {"index.js": CODE})})


@pytest.mark.parametrize(
    ("names", "main"),
    [
        (["worker.js", "index.mjs", "a.js"], "index.mjs"),
        (["worker.mjs", "lib/index.js"], "worker.mjs"),
        (["odd.js", "a.txt"], "odd.js"),
        (["lib/a.py"], "lib/a.py"),
    ],
)
def test_source_folder_main_module_is_found(tmp_path: pathlib.Path, names: list[str], main: str) -> None:
    assert source.load({"path": write_files(tmp_path, dict.fromkeys(names, CODE))}).main_module == main


def test_bundle_error_is_reported_and_cached(entrypoint: pathlib.Path) -> None:
    entrypoint.write_text("BROKEN")
    program = fake_esbuild(entrypoint.parent, "1")
    for _tenant in range(3):
        with pytest.raises(CloudflareError, match=r"could not bundle .*a.ts:\na.ts:1:0: ERROR: Unexpected thing$"):
            source.load({"entrypoint": str(entrypoint), "esbuild_path": program})
    assert count_runs(program) == 1


def test_source_digest_ignores_esbuild_version(entrypoint: pathlib.Path) -> None:
    made = [
        source.load({"entrypoint": str(entrypoint), "esbuild_path": fake_esbuild(entrypoint.parent, version)})
        for version in ("1", "2")
    ]
    assert made[0].modules != made[1].modules and made[0].source_digest == made[1].source_digest
    assert made[0].bundle_digest != made[1].bundle_digest
    assert made[0].main_module == "a.js"
    source._read.cache_clear()
    entrypoint.write_text("export default { other: 1 };\n")
    changed = source.load({"entrypoint": str(entrypoint), "esbuild_path": fake_esbuild(entrypoint.parent, "1")})
    assert changed.source_digest != made[0].source_digest


def test_source_digest_includes_tsconfig_chain(entrypoint: pathlib.Path) -> None:
    program, digests = fake_esbuild(entrypoint.parent, "1"), set()
    for contents in (
        {},
        {"tsconfig.json": '{"extends": "./base"}'},
        {"base.json": "{}"},
        {"base.json": '{"compilerOptions": {"jsx": "react"}}'},
    ):
        source._read.cache_clear()
        write_files(entrypoint.parent, contents)
        digests.add(source.load({"entrypoint": str(entrypoint), "esbuild_path": program}).source_digest)
    assert len(digests) == 4


def test_bundle_finds_esbuild_beside_entrypoint(entrypoint: pathlib.Path) -> None:
    folder = entrypoint.parent / "node_modules" / ".bin"
    folder.mkdir(parents=True)
    shutil.move(fake_esbuild(entrypoint.parent, "1"), folder / "esbuild")
    assert source.load({"entrypoint": str(entrypoint)}).modules


def test_bundle_module_imported_with_query_is_uploaded_once(tmp_path: pathlib.Path) -> None:
    code = 'import a from "./X-a.wasm?module";import b from"./X-a.wasm";export{a,b};'
    write_files(tmp_path, {"out/lib/w.js": code, "out/lib/X-a.wasm": "wasm"})
    imports = [{"path": f"out/lib/X-a.wasm{query}", "kind": "import-statement"} for query in ("?module", "")]
    outputs = {"out/lib/w.js": {"imports": imports}, "out/lib/X-a.wasm": {"imports": []}}
    (tmp_path / "meta.json").write_text(json.dumps({"inputs": {}, "outputs": outputs}))
    output = esbuild_output.read(str(tmp_path / "meta.json"), str(tmp_path / "out"), "lib/w.js", str(tmp_path), False)
    assert output.files["lib/X-a.wasm"] == b"wasm" and sorted(output.files) == ["lib/X-a.wasm", "lib/w.js"]
    sent = output.files["lib/w.js"].decode()
    assert sent == 'import a from "./X-a.wasm"       ;import b from"./X-a.wasm";export{a,b};', "columns stay"


def test_bundle_shared_source_is_built_once(entrypoint: pathlib.Path, run: Runner, edge: Edge) -> None:
    program = fake_esbuild(entrypoint.parent, "1")
    run.ok("dispatch_namespace", name="tenants")
    defaults = {"entrypoint": str(entrypoint), "esbuild_path": program, "compatibility_date": "2026-11-01"}
    workers = [{"name": f"t{number}", "vars": {"NUMBER": number}} for number in range(30)]
    fleet = {"dispatch_namespace": "tenants", "defaults": defaults, "workers": workers}
    assert len(run.ok("namespaced_workers", **fleet)["operations"]) == 30
    assert count_runs(program) == 1
    source._read.cache_clear()
    packed = action._pack(fleet)
    assert count_runs(program) == 2 and len(packed) == 1
    # Where they are handed over, no esbuild is needed any more, and nothing differs.
    os.unlink(program)
    source._read.cache_clear()
    assert not run.ok("namespaced_workers", **fleet, _controller_sources=packed)["changed"]


def test_worker_with_other_esbuild_warns_until_rebundle(entrypoint: pathlib.Path, run: Runner, edge: Edge) -> None:
    run.ok("dispatch_namespace", name="tenants")
    old, new = (
        {"entrypoint": str(entrypoint), "esbuild_path": fake_esbuild(entrypoint.parent, version)}
        for version in ("1", "2")
    )
    worker = {"dispatch_namespace": "tenants", "name": "a", "compatibility_date": "2026-11-01"}
    fleet = {"dispatch_namespace": "tenants", "workers": [{"name": "a", "compatibility_date": "2026-11-01"}]}
    warning = (
        "Workers whose code was bundled by another version of esbuild or of the Node.js preset: 1. "
        "They stay as they are. Set rebundle: true"
    )

    def current_code() -> str:
        return request_content(edge, "GET").text

    assert run.ok("namespaced_worker", **worker, **old)["warnings"] == []
    assert run.ok("namespaced_worker", **worker, **old)["warnings"] == []
    for module, options in (
        ("namespaced_worker", {**worker, **new}),
        ("namespaced_workers", {**fleet, "defaults": new}),
    ):
        for level in ("fingerprint", "settings", "content"):
            result = run.ok(module, **options, drift_detection=level)
            assert not result["changed"] and warning in result["warnings"][0], (module, level)
    # Tags are written without the code, which they go on telling of.
    assert run.ok("namespaced_worker", **worker, **new, tags=["x"])["operations"][0].endswith("/tags")
    assert warning in run.ok("namespaced_worker", **worker, **new, tags=["x"])["warnings"][0]
    assert not run.ok("namespaced_worker", **worker, **old, rebundle=True)["changed"]
    predicted = run.ok("namespaced_worker", check=True, **worker, **new, rebundle=True)
    assert [operation.split()[0] for operation in predicted["operations"]] == ["PUT"] and predicted["diff"]
    assert "// 1" in current_code()
    assert run.ok("namespaced_workers", **fleet, defaults=new, rebundle=True)["namespaced_workers"][0][
        "changed_fields"
    ] == ["modules"]
    assert "// 2" in current_code()
    again = run.ok("namespaced_workers", **fleet, defaults=new, rebundle=True)
    assert not again["changed"] and again["warnings"] == []


def test_worker_code_changed_externally_is_repaired_with_any_esbuild(
    entrypoint: pathlib.Path, run: Runner, edge: Edge
) -> None:
    run.ok("dispatch_namespace", name="tenants")
    worker = {
        "dispatch_namespace": "tenants",
        "name": "a",
        "compatibility_date": "2026-11-01",
        "entrypoint": str(entrypoint),
        "drift_detection": "content",
    }
    run.ok("namespaced_worker", **worker, esbuild_path=fake_esbuild(entrypoint.parent, "1"))
    parts = {
        "metadata": (None, '{"main_module": "a.js"}', "application/json"),
        "a.js": ("a.js", CODE, "application/javascript+module"),
    }
    request_content(edge, "PUT", files=parts)
    repaired = run.ok("namespaced_worker", **worker, esbuild_path=fake_esbuild(entrypoint.parent, "2"))
    assert repaired["changed"] and repaired["warnings"] == []
    assert not run.ok("namespaced_worker", **worker, esbuild_path=fake_esbuild(entrypoint.parent, "2"))["changed"]


def test_source_pack_normalizes_bundler_options(entrypoint: pathlib.Path) -> None:
    shared = {"entrypoint": str(entrypoint), "esbuild_path": fake_esbuild(entrypoint.parent, "1")}
    text_options = {**shared, "minify": "yes", "define": '{"A": 1}', "compatibility_flags": "nodejs_compat"}
    parsed_options = {**shared, "minify": True, "define": {"A": 1}, "compatibility_flags": ["nodejs_compat"]}
    assert source.load(parsed_options, action._pack(text_options)) == source.load(parsed_options)
    assert set(action._pack(text_options)) == set(action._pack(parsed_options))


def test_worker_absent_needs_no_code(entrypoint: pathlib.Path, run: Runner) -> None:
    run.ok("dispatch_namespace", name="tenants")
    worker = {
        "dispatch_namespace": "tenants",
        "name": "a",
        "compatibility_date": "2026-11-01",
        "path": write_files(entrypoint.parent, {"index.js": CODE}),
    }
    run.ok("namespaced_worker", **worker)
    shutil.rmtree(entrypoint.parent)
    source._read.cache_clear()
    assert f"path: file {worker['path']} does not exist" in run.refused("namespaced_worker", **worker)
    assert run.ok("namespaced_worker", **worker, state="absent")["changed"]


def test_worker_from_folder_warns_of_files_left_out(tmp_path: pathlib.Path, run: Runner) -> None:
    """Wrangler's settings stay on the machine, JSON is accepted, and nothing is left out without a word."""
    run.ok("dispatch_namespace", name="tenants")
    files = {"index.js": CODE, "data.json": "{}", "wrangler.json": '{"name": "x"}', ".dev.vars": "KEY=s3cret"}
    folder = write_files(tmp_path, files)
    options = {"path": folder, "compatibility_date": "2026-11-01"}
    left_out = "path: left out of the upload, since they are not modules of a Worker: {} ({})."
    warning = left_out.format(2, f"{folder}/.dev.vars, {folder}/wrangler.json")
    one = {"dispatch_namespace": "tenants", "name": "a", **options}
    fleet = {"dispatch_namespace": "tenants", "defaults": options, "workers": [{"name": "a"}, {"name": "b"}]}
    for module, worker in (("namespaced_worker", one), ("namespaced_workers", fleet)):
        assert run.ok(module, **worker, check=True)["warnings"] == [warning]
        assert run.ok(module, **worker)["warnings"] == [warning]
        again = run.ok(module, **worker)
        assert (again["changed"], again["warnings"]) == (False, [warning])
    write_files(tmp_path, {f"{number:02}.md": "x" for number in range(20)})
    source._read.cache_clear()
    names = [f"{folder}/{name}" for name in (".dev.vars", *(f"{number:02}.md" for number in range(9)))]
    assert run.ok("namespaced_worker", **one)["warnings"] == [left_out.format(22, f"{', '.join(names)}, ...")]


def test_merge_without_entrypoint_drops_bundler_options() -> None:
    defaults = {"entrypoint": "a.ts", "minify": True, "esbuild_path": "/bin/esbuild", "vars": {"A": "b"}}
    assert merge(defaults, {"content": CODE}) == {"content": CODE, "vars": {"A": "b"}}
    assert merge(defaults, {"entrypoint": "b.ts"}) == {**defaults, "entrypoint": "b.ts"}
    assert merge(defaults, {"name": "a"}) == {**defaults, "name": "a"}


def test_source_packed_loads_on_other_host(tmp_path: pathlib.Path) -> None:
    folder = (
        write_files(
            tmp_path, {"x/index.js": CODE, "x/index.js.map": "{}", "x/a.json": "{}", "x/b.md": "", "empty/index.js": ""}
        )
        + "/x"
    )
    packed = json.loads(json.dumps(source.pack([{"path": folder}, {"path": f"{tmp_path}/empty"}, {"content": CODE}])))
    local = source.load({"path": folder})
    shutil.rmtree(tmp_path)
    source._read.cache_clear()
    assert source.load({"path": folder}, packed) == local
    with pytest.raises(CloudflareError, match=r"path: index\.js is empty"):
        source.load({"path": f"{tmp_path}/empty"}, packed)


def test_read_modules_returns_exact_content() -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="a.js"; filename="a.js"\r\n'
        b"Content-Type: application/javascript+module\r\n\r\n"
        b"export default '\xc3\xa9';\r\n\n\r\n"
        b'--x\r\nContent-Disposition: form-data; name="b.bin"; filename="b.bin"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n"
        b"\x00\xff\r\n--x--\r\n"
    )
    modules = read_modules(body, "multipart/form-data; boundary=x")
    assert [(module.name, module.content) for module in modules] == [
        ("a.js", "export default 'é';\r\n\n".encode()),
        ("b.bin", b"\x00\xff"),
    ]


def test_fingerprint_tag_round_trips() -> None:
    tag = FingerprintTag("0123456789abcdef", "89abcdef")
    assert find_fingerprint_tag(["x", tag.render(1_795_000_000)]) == tag
    assert find_fingerprint_tag(["tenantry.2.0123456789abcdef.89abcdef.abc", "tenantry.owner.x"]) is None
    bundled_tag = dataclasses.replace(tag, code="01234567")
    assert (
        find_fingerprint_tag([bundled_tag.render(1_795_000_000)]) == tag
        and getattr(find_fingerprint_tag([bundled_tag.render(1_795_000_000)]), "code", "") == "01234567"
    )
    assert len(bundled_tag.render(1_795_000_000)) <= 63


def test_secrets_digest_depends_on_key_and_values() -> None:
    assert secrets_digest({"A": "1"}, None) == secrets_digest({"A": "2"}, None), "without a key only names count"
    assert secrets_digest({"A": "1"}, None) != secrets_digest({"B": "1"}, None)
    assert secrets_digest({"A": "1"}, "key") != secrets_digest({"A": "2"}, "key")
    assert secrets_digest({"A": "1"}, "key") != secrets_digest({"A": "1"}, "other key")
    assert secrets_digest({"A": None}, None) != secrets_digest({"A": "1"}, None)
