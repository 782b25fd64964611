# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bundle a TypeScript or JavaScript entrypoint with esbuild: one module of code, and one per imported data file."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import typing as t
from dataclasses import dataclass

from .._cloudflare.errors import CloudflareError

Files = dict[str, bytes]  # content by module name

COPIED_EXTENSIONS = (".wasm", ".txt", ".html", ".sql", ".bin")  # copied unchanged, as separate modules
OPTIONS = (
    "--bundle",
    "--format=esm",
    "--platform=browser",
    "--target=es2022",
    "--charset=utf8",
    "--conditions=workerd,worker,browser",
    "--external:cloudflare:*",
    "--external:node:*",
    *(f"--loader:{ending}=jsx" for ending in (".js", ".mjs", ".cjs")),
    *(f"--loader:{ending}=copy" for ending in COPIED_EXTENSIONS),
    "--asset-names=[hash]-[name]",
    '--define:process.env.NODE_ENV="production"',
    "--log-level=warning",
    "--color=false",
)
# Modules of Node.js that packages import without the prefix "node:", which Workers with nodejs_compat require.
BUILTINS = (
    *(
        "assert",
        "async_hooks",
        "buffer",
        "child_process",
        "cluster",
        "console",
        "constants",
        "crypto",
        "dgram",
        "diagnostics_channel",
        "dns",
        "domain",
    ),
    *(
        "events",
        "fs",
        "http",
        "http2",
        "https",
        "inspector",
        "module",
        "net",
        "os",
        "path",
        "perf_hooks",
        "process",
        "punycode",
        "querystring",
        "readline",
    ),
    *(
        "repl",
        "stream",
        "string_decoder",
        "sys",
        "timers",
        "tls",
        "trace_events",
        "tty",
        "url",
        "util",
        "v8",
        "vm",
        "wasi",
        "worker_threads",
        "zlib",
    ),
)
# Lets CommonJS packages find these modules too, since esbuild does not replace their calls of require().
REQUIRE = (
    'import { createRequire as __createRequire } from "node:module"; globalThis.require ??= __createRequire("/");\n'
)
ESBUILD_TIMEOUT = 120
INSTALL_HINT = (
    "Install esbuild beside the entrypoint (npm install --save-dev esbuild), add it to PATH, or set esbuild_path."
)
NEEDS_NODE = "built into node"  # part of esbuild's message
NODEJS_COMPAT_HINT = "\nTo use modules of Node.js, set compatibility_flags: [nodejs_compat]."
EXTENDS = re.compile(r'"extends"\s*:\s*"(\.[^"]*)"')


@dataclass(frozen=True)
class Bundle:
    """Output of esbuild, and the names and hashes of its C(inputs).

    The inputs include neither the version of esbuild nor the fixed OPTIONS, so an upgrade alone uploads nothing again.
    """

    files: Files
    inputs: list[t.Any]


def find_esbuild(entrypoint: str, esbuild_path: str | None) -> str:
    """Return the path of esbuild: C(esbuild_path), else in the nearest node_modules above the entrypoint, else in PATH.

    Raise CloudflareError if it is not found or not executable.
    """
    if esbuild_path:
        esbuild_path = os.path.abspath(os.path.expanduser(esbuild_path))
        if not os.access(esbuild_path, os.X_OK):
            raise CloudflareError(f"esbuild_path: {esbuild_path} is not an executable file. {INSTALL_HINT}")
        return esbuild_path
    nearest = next(
        (
            folder
            for folder in _ancestors(entrypoint)
            if os.access(os.path.join(folder, "node_modules/.bin/esbuild"), os.X_OK)
        ),
        None,
    )
    found = os.path.join(nearest, "node_modules/.bin/esbuild") if nearest else shutil.which("esbuild")
    if not found:
        raise CloudflareError(f"entrypoint: {entrypoint} needs esbuild, which was not found. {INSTALL_HINT}")
    return found


def bundle(entrypoint: str, name: str, options: t.Mapping[str, t.Any], nodejs: bool = False) -> Bundle:
    """Bundle C(entrypoint) and its imports into a module C(name), plus the data files that it imports.

    Used options are C(esbuild_path), C(define), C(minify) and C(source_map). C(nodejs) means that the Worker supports
    modules of Node.js. Raise CloudflareError with the output of esbuild if it fails.
    """
    esbuild, folder = (
        find_esbuild(entrypoint, options.get("esbuild_path")),
        os.path.realpath(os.path.dirname(entrypoint)),
    )
    build_options = {option: options[option] for option in ("define", "minify", "source_map") if options.get(option)}
    with tempfile.TemporaryDirectory(prefix="tenantry-") as temporary:
        scratch = os.path.realpath(temporary)  # esbuild resolves links too
        meta, out = os.path.join(scratch, "meta.json"), os.path.join(scratch, "out", name)
        arguments = [
            os.path.basename(entrypoint),
            *OPTIONS,
            *_esbuild_options(build_options, nodejs),
            f"--metafile={meta}",
            f"--outfile={out}",
        ]
        # Run in the entrypoint's folder, which makes the paths in the output relative to it on every machine.
        run = _run(esbuild, arguments, folder)
        if run.returncode:
            stderr = run.stderr.strip() or f"no output, exit status {run.returncode}"
            raise CloudflareError(
                f"entrypoint: esbuild could not bundle {entrypoint}:\n{stderr}"
                + (NODEJS_COMPAT_HINT if NEEDS_NODE in stderr else "")
            )
        with open(meta, encoding="utf-8") as file:
            metafile = json.load(file)
        files = _collect(os.path.join(scratch, "out"), folder, metafile["outputs"])
        output = metafile["outputs"][os.path.relpath(out, folder)]
    if nodejs and any(item.get("external") and item["kind"] == "require-call" for item in output["imports"]):
        files = _with_require(files, name)
    if build_options.get("source_map"):
        files[f"{name}.map"] = _relativize_sources(files[f"{name}.map"], os.path.dirname(out), folder)
    inputs = [*sorted(metafile["inputs"]), *_tsconfig_files(folder)]
    return Bundle(files, [*([item, _digest(os.path.join(folder, item))] for item in inputs), build_options])


def _esbuild_options(build_options: t.Mapping[str, t.Any], nodejs: bool) -> list[str]:
    return [
        *(f"--alias:{item}=node:{item}" for item in BUILTINS if nodejs),
        *(
            f"--define:{item}={json.dumps(value)}"
            for item, value in sorted((build_options.get("define") or {}).items())
        ),
        *(["--minify"] if build_options.get("minify") else []),
        *(["--sourcemap=linked"] if build_options.get("source_map") else []),
    ]


def _run(esbuild: str, arguments: t.Sequence[str], folder: str) -> subprocess.CompletedProcess[str]:
    try:
        # Not AnsibleModule.run_command, since this also runs in the action plugin.
        return subprocess.run(  # pylint: disable=ansible-bad-function
            [esbuild, *arguments],
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=ESBUILD_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CloudflareError(
            f"entrypoint: esbuild did not finish {arguments[0]} in {ESBUILD_TIMEOUT} s. "
            "Run it by hand to find the cause."
        ) from error
    except OSError as error:
        raise CloudflareError(f"entrypoint: {esbuild} cannot be run: {error}. {INSTALL_HINT}") from error


def _collect(out: str, folder: str, outputs: t.Mapping[str, t.Any]) -> Files:
    """Read the output files, named as the code imports them: C(a.wasm?module) is read from C(a.wasm)."""
    paths = {
        *outputs,
        *(item["path"] for output in outputs.values() for item in output["imports"] if not item.get("external")),
    }
    files = {}
    for path in sorted(os.path.join(folder, path) for path in paths):
        with open(path.partition("?")[0], "rb") as file:
            files[os.path.relpath(path, out)] = file.read()
    return files


def _with_require(files: Files, name: str) -> Files:
    """Prepend a line that defines C(require) for modules of Node.js, and shift the source map by it."""
    files = {**files, name: REQUIRE.encode() + files[name]}
    if f"{name}.map" in files:
        source_map = json.loads(files[f"{name}.map"])
        files[f"{name}.map"] = json.dumps({**source_map, "mappings": ";" + source_map["mappings"]}).encode()
    return files


def _relativize_sources(content: bytes, out_folder: str, folder: str) -> bytes:
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
    nearest = next(
        (
            path
            for above in _ancestors(os.path.join(folder, "_"))
            if os.path.isfile(path := os.path.join(above, "tsconfig.json"))
        ),
        None,
    )
    found: list[str] = []
    while nearest and nearest not in found and os.path.isfile(nearest):
        found.append(nearest)
        with open(nearest, encoding="utf-8", errors="replace") as file:
            extended = EXTENDS.search(file.read())
        path = os.path.normpath(os.path.join(os.path.dirname(nearest), extended[1])) if extended else ""
        nearest = path if path.endswith(".json") or not path else f"{path}.json"
    return [os.path.relpath(path, folder) for path in found]


def _ancestors(file: str) -> t.Iterator[str]:
    """Yield the folders above a file, nearest first."""
    folder = os.path.dirname(os.path.abspath(file))
    yield folder
    while (parent := os.path.dirname(folder)) != folder:
        yield parent
        folder = parent


def _digest(path: str) -> str:
    path = path.partition("?")[0]
    if not os.path.isfile(path):  # such as a data: URL, whose name is its content
        return ""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
