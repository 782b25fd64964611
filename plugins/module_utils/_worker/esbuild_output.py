# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the output of esbuild: its files, named as the code imports them, and its inputs."""

from __future__ import annotations

import json
import os
import re
import typing as t
from dataclasses import dataclass

from .bundle import Files, digest, nearest

# Lets CommonJS packages find modules of Node.js too, since esbuild does not replace their calls of require().
REQUIRE = (
    'import { createRequire as __createRequire } from "node:module"; globalThis.require ??= __createRequire("/");\n'
)
EXTENDS = re.compile(r'"extends"\s*:\s*"(\.[^"]*)"')


@dataclass(frozen=True)
class Output:
    """The output files, and the relative path and hash of each input."""

    files: Files
    input_digests: list[list[str]]


def read(meta: str, out: str, name: str, folder: str, has_nodejs: bool) -> Output:
    """Read the metafile and the files in the folder C(out), whose main module is C(name).

    C(folder) is the working folder of esbuild, to which the paths of the inputs are relative.
    """
    with open(meta, encoding="utf-8") as file:
        metafile = json.load(file)
    files = _collect(out, folder, metafile["outputs"])
    main = os.path.join(out, name)
    imports = metafile["outputs"][os.path.relpath(main, folder)]["imports"]
    if has_nodejs and any(item.get("external") and item["kind"] == "require-call" for item in imports):
        files = _with_require(files, name)
    if f"{name}.map" in files:
        files[f"{name}.map"] = relativize_sources(files[f"{name}.map"], os.path.dirname(main), folder)
    inputs = [*sorted(metafile["inputs"]), *_tsconfig_files(folder)]
    return Output(files, [[item, digest(os.path.join(folder, item))] for item in inputs])


def _collect(out: str, folder: str, outputs: t.Mapping[str, t.Any]) -> Files:
    """Read the output files. An import of C(a.wasm?module) becomes one of C(a.wasm), so the module is uploaded once."""
    files = {}
    for path in sorted(outputs):
        with open(os.path.join(folder, path), "rb") as file:
            content = file.read()
        imported = {item["path"] for item in outputs[path]["imports"] if not item.get("external")}
        for specifier in sorted(imported - set(outputs)):
            content = _without_query(content, os.path.basename(specifier))
        files[os.path.relpath(os.path.join(folder, path), out)] = content
    return files


def _without_query(code: bytes, name: str) -> bytes:
    """Remove the query from imports of the file C(name), and add spaces, since a source map counts columns."""
    old, new = (f'/{text}"'.encode() for text in (name, name.partition("?")[0]))
    return code.replace(old, new.ljust(len(old)))


def _with_require(files: Files, name: str) -> Files:
    """Prepend a line that defines C(require) for modules of Node.js, and shift the source map by it."""
    files = {**files, name: REQUIRE.encode() + files[name]}
    if f"{name}.map" in files:
        source_map = json.loads(files[f"{name}.map"])
        files[f"{name}.map"] = json.dumps({**source_map, "mappings": ";" + source_map["mappings"]}).encode()
    return files


def relativize_sources(content: bytes, out_folder: str, folder: str) -> bytes:
    """Make the sources of a source map relative to the entrypoint's folder instead of the temporary output folder."""
    source_map = json.loads(content)
    paths = [os.path.normpath(os.path.join(out_folder, source)) for source in source_map["sources"]]
    # Other sources, such as values of define, have the same name on every machine.
    sources = [
        os.path.relpath(path, folder) if os.path.exists(path) else source
        for path, source in zip(paths, source_map["sources"], strict=True)
    ]
    return json.dumps({**source_map, "sources": sources}, separators=(",", ":"), ensure_ascii=False).encode()


def _tsconfig_files(folder: str) -> list[str]:
    """Return the nearest tsconfig.json in C(folder) or above and the files that it extends, as relative paths.

    esbuild reads them, but does not list them among its inputs.
    """
    found: list[str] = []
    current = nearest(os.path.join(folder, "_"), "tsconfig.json")
    while current and current not in found and os.path.isfile(current):
        found.append(current)
        with open(current, encoding="utf-8", errors="replace") as file:
            extended = EXTENDS.search(file.read())
        path = os.path.normpath(os.path.join(os.path.dirname(current), extended[1])) if extended else ""
        current = path if path.endswith(".json") or not path else f"{path}.json"
    return [os.path.relpath(path, folder) for path in found]
