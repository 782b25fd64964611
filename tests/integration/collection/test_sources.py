# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Folders and entrypoints, bundled by esbuild and run by workerd."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import CloudflareError
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker import source
from plays import AnsibleProject

# (func (export "add") (param i32 i32) (result i32) ...)
WASM = bytes.fromhex("0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b")
HOST = "modules.example.com"
WORKER = "tenantry.cloudflare_workers.worker"

FOLDER: dict[str, str | bytes] = {
    "main.mjs": """
        import tool from "./lib/tool.wasm";
        import text from "./lib/text.txt";
        import data from "./lib/data.bin";
        import page from "./page.html";
        import query from "./query.sql";
        import settings from "./settings.json";
        import old from "./lib/old.cjs";
        import { greet } from "./lib/deep/greet.js";
        const added = new WebAssembly.Instance(tool).exports.add(40, 2);
        export default { fetch: () => Response.json([added, text, [...new Uint8Array(data)], page, query, settings, old, greet("you")]) };
    """,
    "lib/tool.wasm": WASM,
    "lib/text.txt": "é\n",
    "lib/data.bin": b"\x00\xff\r\n",
    "page.html": "<b>",
    "query.sql": "SELECT 1",
    "settings.json": '{"a": [1]}',
    "lib/old.cjs": "module.exports = 'old';",
    "lib/deep/greet.js": "import text from '../text.txt'; export const greet = (name) => text.trim() + name;",
    "node_modules/heavy/index.js": "throw new Error('no part of it');",
    ".env": "NO=part of it",
    "README.md": "no part of it",
}
FOLDER_RESPONSE = [42, "é\n", [0, 255, 13, 10], "<b>", "SELECT 1", {"a": [1]}, "old", "éyou"]

PROJECT: dict[str, str | bytes] = {
    "src/worker.tsx": """
        import { WorkerEntrypoint } from "cloudflare:workers";
        import { join } from "path";
        import dependency from "dependency";
        import tool from "./tool.wasm?module";
        import same from "./tool.wasm";
        import text from "./text.txt";
        import page from "../page.html";
        import data from "./data.bin";
        import settings from "./settings.json";
        import { greet } from "./greet";
        declare const RELEASE: string, LIMITS: { seats: number };
        const jsx = (tag: string, attributes: unknown, ...children: string[]): string => `<${tag}>${children.join("")}</${tag}>`;
        const add = (module: WebAssembly.Module): number => (new WebAssembly.Instance(module).exports.add as (a: number, b: number) => number)(40, 2);
        export default class extends WorkerEntrypoint {
          fetch(): Response {
            return Response.json([
              add(tool), add(same), text, page, [...new Uint8Array(data)], settings, greet("you"), <b>bold</b>, dependency,
              RELEASE, LIMITS.seats, join("a", "b"),
            ]);
          }
        }
    """,
    "src/greet.ts": "export const greet = (name: string): string => `hello ${name}`;",
    "src/tool.wasm": WASM,
    "src/text.txt": "é\n",
    "src/data.bin": b"\x00\xff",
    "src/settings.json": '{"a": [1]}',
    "page.html": "<b>",
    "tsconfig.json": '{"compilerOptions": {"jsx": "react", "jsxFactory": "jsx"}}',
    "node_modules/dependency/package.json": '{"name": "dependency", "main": "node.js", "browser": "worker.js"}',
    "node_modules/dependency/node.js": "throw new Error('not for Workers')",
    "node_modules/dependency/worker.js": "const path = require('path'); module.exports = [path.basename('/a/b'), process.env.NODE_ENV];",
}
OPTIONS = {
    "entrypoint": "src/worker.tsx",
    "define": {"RELEASE": "1.2 \"'", "LIMITS": {"seats": 5}},
    "compatibility_flags": ["nodejs_compat"],
    "source_map": True,
}
PROJECT_RESPONSE = [
    42,
    42,
    "é\n",
    "<b>",
    [0, 255],
    {"a": [1]},
    "hello you",
    "<b>bold</b>",
    ["b", "production"],
    "1.2 \"'",
    5,
    "a/b",
]


def write_files(root: pathlib.Path, contents: t.Mapping[str, str | bytes]) -> pathlib.Path:
    for name, content in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def worker(**options: t.Any) -> dict[str, t.Any]:
    return {WORKER: {"name": "modules", "compatibility_date": "2026-11-01", **options}}


@pytest.mark.parametrize("in_process", [True, False])
def test_path_folder_of_modules_is_uploaded(project: AnsibleProject, in_process: bool) -> None:
    write_files(project.folder / "project" / "worker", FOLDER)
    tasks = [worker(path="worker")]
    applied = project.play(tasks, tenantry_in_process=in_process).ok()
    assert [module["name"] for module in applied.tasks[-1][1]["worker"]["modules"]] == sorted(
        name for name in FOLDER if name[0] not in ".Rn"
    )
    project.edge.route(f"{HOST}/*", "modules")
    assert project.edge.get(HOST).json() == FOLDER_RESPONSE
    assert project.play(tasks, tenantry_in_process=not in_process).ok().changed == 0
    # Without the fingerprint tag, all modules are read back and found equal.
    project.edge.call("PATCH", "/workers/scripts/modules/script-settings", json={"tags": []})
    assert [operation.split()[0] for operation in project.play(tasks).ok().operations] == ["PATCH"]


@pytest.mark.parametrize("minify", [True, False])
def test_entrypoint_with_all_imports_is_bundled(project: AnsibleProject, minify: bool) -> None:
    """Bundling in two folders gives the same bytes, so the second run changes nothing, even without the tag."""
    for folder in ("one", "two/deeper"):
        write_files(project.folder / "project" / folder, PROJECT)
    one, two = (
        [worker(**OPTIONS, minify=minify, source_root=str(project.folder / "project" / folder))]
        for folder in ("one", "two/deeper")
    )
    bundle = project.play(one, tenantry_in_process=minify).ok().tasks[-1][1]["worker"]["modules"]
    project.edge.route(f"{HOST}/*", "modules")
    assert project.edge.get(HOST).json() == PROJECT_RESPONSE
    assert project.play(two, tenantry_in_process=not minify).ok().changed == 0
    project.edge.call("PATCH", "/workers/scripts/modules/script-settings", json={"tags": []})
    assert [operation.split()[0] for operation in project.play(two).ok().operations] == ["PATCH"]
    assert len(bundle) == 5 and [module["name"] for module in bundle][-1] == "worker.js"
    content = project.edge.session.get(f"{project.edge.account}/workers/scripts/modules/content/v2").content
    assert str(project.folder).encode() not in content and b"tenantry-" not in content


@pytest.mark.parametrize("minify", [True, False])
def test_entrypoint_in_different_folders_gives_same_bytes(tmp_path: pathlib.Path, minify: bool) -> None:
    folders = [write_files(tmp_path / folder, PROJECT) for folder in ("one", "two/much/deeper")]
    one, two = (source.load({**OPTIONS, "minify": minify, "source_root": str(folder)}) for folder in folders)
    assert one == two and len(one.modules) == 5
    assert [part.name.partition("-")[2] for part in one.modules if b"\0asm" in part.content] == ["tool.wasm"]
    assert not [
        part.name for part in one.parts if str(tmp_path).encode() in part.content or b"tenantry-" in part.content
    ]
    source_map = json.loads(one.maps[0].content)
    assert set(source_map["sources"]) == {
        "worker.tsx",
        "greet.ts",
        "settings.json",
        "../node_modules/dependency/worker.js",
        "<define:LIMITS>",
    }
    assert one.maps[0].name == "worker.js.map" and one.modules[-1].content.endswith(
        b"\n//# sourceMappingURL=worker.js.map\n"
    )


def test_entrypoint_alias_loader_and_conditions_are_applied(tmp_path: pathlib.Path, project: AnsibleProject) -> None:
    """An alias also wins over the modules that the runtime provides, with and without their prefix."""
    write_files(
        project.folder / "project",
        {
            "src/a.ts": """
                import query from "./query.graphql";
                import { readFileSync } from "node:fs";
                import { cpus } from "os";
                import heavy from "heavy";
                import chosen from "chosen";
                class Kept {}
                export default { fetch: () => Response.json([query, readFileSync(), cpus(), heavy, chosen, Kept.name]) };
            """,
            "src/query.graphql": "{ me }",
            "src/stubs/fs.mjs": "export const readFileSync = () => 'stubbed';",
            "stub.mjs": "export default 'stub'; export const cpus = () => 'no cpus';",
            "node_modules/chosen/package.json": '{"exports": {"edge": "./edge.js", "default": "./default.js"}}',
            "node_modules/chosen/edge.js": "export default 'edge';",
            "node_modules/chosen/default.js": "export default 'default';",
        },
    )
    options = {
        "entrypoint": "src/a.ts",
        "alias": {"node:fs": "./stubs/fs.mjs", "heavy": "../stub.mjs", "node:os": "../stub.mjs"},
        "loader": {".graphql": "text"},
        "conditions": ["edge"],
        "minify": True,
        "keep_names": True,
    }
    project.play([worker(**options)]).ok()
    project.edge.route(f"{HOST}/*", "modules")
    assert project.edge.get(HOST).json() == ["{ me }", "stubbed", "no cpus", "stub", "edge", "Kept"]
    assert project.play([worker(**options)], tenantry_in_process=False).ok().changed == 0
    assert project.play([worker(**{**options, "conditions": ["other"]})], "--check").ok().changed == 1


def test_source_map_refers_to_source_line(tmp_path: pathlib.Path) -> None:
    """Also if a line is prepended to the code, so that packages find Node's modules."""
    for flags in ([], ["nodejs_compat"]):
        head = "try { require('node:fs') } catch {}"
        entry = (
            write_files(
                tmp_path / f"{len(flags)}",
                {"a.ts": f"{head}\n\nexport default {{ fetch() {{ throw new Error('here') }} }};\n"},
            )
            / "a.ts"
        )
        bundle = source.load({"entrypoint": str(entry), "source_map": True, "compatibility_flags": flags})
        lines = bundle.modules[0].content.decode().splitlines()
        assert lines[0].startswith("import { createRequire as") is bool(flags)
        at = next(number for number, line in enumerate(lines) if "'here'" in line or '"here"' in line)
        assert source_lines(json.loads(bundle.maps[0].content)["mappings"])[at] == 2


def source_lines(mappings: str) -> list[int | None]:
    """Decode a source map. Return the first source line of each line of the code."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    found: list[int | None] = []
    line = 0
    for group in mappings.split(";"):
        found.append(None)
        for segment in filter(None, group.split(",")):
            numbers, value, shift = [], 0, 0
            for digit in map(digits.index, segment):
                value, shift = value | (digit & 31) << shift, shift + 5
                if not digit & 32:
                    numbers.append(-(value >> 1) if value & 1 else value >> 1)
                    value, shift = 0, 0
            line += numbers[2]
            found[-1] = line if found[-1] is None else found[-1]
    return found


@pytest.mark.parametrize(
    ("code", "options", "message"),
    [
        (
            "export default {\n  fetch( };",
            {},
            r"esbuild could not bundle .*a\.ts:\n.*\[ERROR\] Expected identifier.*a\.ts:2:9:",
        ),
        ("import './nothing';", {}, r'Could not resolve "./nothing".*a\.ts:1:7:'),
        ("import 'fs';", {}, r'Could not resolve "fs".*compatibility_flags: \[nodejs_compat\]'),
        ("import './a.css';", {}, "a.css is not a valid module"),
        ("export default A;", {"define": {"A-b": 1}}, "define name"),
        ("export default {};", {"loader": {".graphql": "graphql"}}, "loader.*graphql"),
        ("export default {};", {"alias": {"a": "./b.mjs"}}, "alias: the file .*/b.mjs for a does not exist. Correct"),
        ("import 'a'; export default {};", {"alias": {"a": "b"}}, 'Could not resolve "b"'),
    ],
)
def test_entrypoint_invalid_reports_esbuild_error(
    tmp_path: pathlib.Path, code: str, options: dict[str, t.Any], message: str
) -> None:
    write_files(tmp_path, {"a.ts": code, "a.css": "a {}"})
    with pytest.raises(CloudflareError, match=f"(?s){message}"):
        source.load({"entrypoint": str(tmp_path / "a.ts"), **options})
