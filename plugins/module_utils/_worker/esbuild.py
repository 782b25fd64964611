# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bundle a TypeScript or JavaScript entrypoint with esbuild: one module of code, and one per imported data file."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import tempfile
import typing as t

from .._cloudflare.errors import CloudflareError
from . import esbuild_output, nodejs
from .bundle import Bundle, Entrypoint, nearest_program, run

SCRIPT = os.path.join(os.path.dirname(__file__), "esbuild.mjs")
TIMEOUT = 120  # seconds
PACKAGE_MISSING = 3  # exit status of the script
COPIED_EXTENSIONS = (".wasm", ".txt", ".html", ".sql", ".bin")  # copied unchanged, as separate modules
OPTIONS: dict[str, t.Any] = {  # of esbuild's API
    "bundle": True,
    "format": "esm",
    "platform": "browser",
    "target": "es2022",
    "charset": "utf8",
    "conditions": ["workerd", "worker", "browser"],
    "external": ["cloudflare:*", "node:*"],
    "loader": {
        **dict.fromkeys((".js", ".mjs", ".cjs"), "jsx"),
        **dict.fromkeys(COPIED_EXTENSIONS, "copy"),
    },
    "assetNames": "[hash]-[name]",
    "define": {"process.env.NODE_ENV": '"production"'},
    "logLevel": "warning",
    "color": False,
}
REPEATED = ("external",)  # options that the command line takes once per value
# Options that are part of the digest of the sources, if they are set. Their order is a part of it too.
DIGESTED_OPTIONS = ("define", "minify", "source_map", "alias", "loader", "conditions", "keep_names")
LOCAL_EDGE_ESBUILD = "~/.cache/tenantry/local_edge/bin/esbuild"  # in the default local_edge_install_dir of the role
INSTALL_HINT = (
    "Install esbuild beside the entrypoint (npm install --save-dev esbuild), add it to PATH, or set esbuild_path."
)
NEEDS_NODE = "built into node"  # part of esbuild's message
NODEJS_COMPAT_HINT = "\nTo use modules of Node.js, set compatibility_flags: [nodejs_compat]."
# npm's replacement of the program, without install scripts, adds this to a failed run.
STACK_TRACE = re.compile(r"\n*^node:(?:internal/)?[\w/]+:\d+\n.*", re.MULTILINE | re.DOTALL)
KEBAB = re.compile(r"(?=[A-Z])")


def build(entrypoint: Entrypoint) -> Bundle:
    """Bundle the entrypoint and its imports, plus the data files that it imports.

    The inputs include neither the version of esbuild nor the fixed OPTIONS nor polyfills of Node.js, so an upgrade
    alone uploads nothing again. Raise CloudflareError with the output of esbuild if it fails.
    """
    if aliases := entrypoint.aliases:
        entrypoint = dataclasses.replace(entrypoint, options={**entrypoint.options, "alias": aliases})
    folder, options = entrypoint.folder, esbuild_options(entrypoint)
    with tempfile.TemporaryDirectory(prefix="tenantry-") as temporary:
        scratch = os.path.realpath(temporary)  # esbuild resolves links too
        meta, out = os.path.join(scratch, "meta.json"), os.path.join(scratch, "out")
        options["outfile"] = os.path.join(out, entrypoint.main_module)
        # Run in the entrypoint's folder, which makes the paths in the output relative to it on every machine.
        completed = _run_script(entrypoint, options, meta) or _run_program(entrypoint, options, meta)
        if completed.returncode:
            stderr = STACK_TRACE.sub("", completed.stderr).strip() or completed.stderr.strip()
            stderr = stderr or f"no output, exit status {completed.returncode}"
            raise CloudflareError(
                f"entrypoint: esbuild could not bundle {entrypoint.path}:\n{stderr}"
                + (NODEJS_COMPAT_HINT if NEEDS_NODE in stderr else "")
            )
        has_nodejs = entrypoint.compatibility.has_nodejs
        output = esbuild_output.read(meta, out, entrypoint.main_module, folder, has_nodejs)
    digested = {name: entrypoint.options[name] for name in DIGESTED_OPTIONS if entrypoint.options.get(name)}
    return Bundle(output.files, [*output.input_digests, digested])


def find_esbuild(entrypoint: str, esbuild_path: str | None) -> str:
    """Return the path of esbuild. Raise CloudflareError if it is not found or not executable.

    C(esbuild_path) comes first, then the nearest node_modules above the entrypoint, PATH, and an installed local edge.
    """
    if esbuild_path:
        esbuild_path = os.path.abspath(os.path.expanduser(esbuild_path))
        if not os.access(esbuild_path, os.X_OK):
            raise CloudflareError(f"esbuild_path: {esbuild_path} is not an executable file. {INSTALL_HINT}")
        return esbuild_path
    found = (
        nearest_program(entrypoint, "esbuild")
        or shutil.which("esbuild")
        or shutil.which(os.path.expanduser(LOCAL_EDGE_ESBUILD))
    )
    if not found:
        raise CloudflareError(f"entrypoint: {entrypoint} needs esbuild, which was not found. {INSTALL_HINT}")
    return found


def esbuild_options(entrypoint: Entrypoint) -> dict[str, t.Any]:
    """Return the options of esbuild's API for the options of the user, which win over the fixed ones."""
    given, merged = entrypoint.options, dict(OPTIONS)
    define = {name: json.dumps(value) for name, value in sorted((given.get("define") or {}).items())}
    merged["define"] = {**OPTIONS["define"], **define}
    merged["loader"] = {**OPTIONS["loader"], **(given.get("loader") or {})}
    if given.get("conditions"):
        merged["conditions"] = given["conditions"]
    if alias := given.get("alias"):  # an alias of node:fs is one of fs too
        merged["alias"] = {**{name.removeprefix("node:"): target for name, target in alias.items()}, **alias}
    switches = {
        "minify": given.get("minify"),
        "keepNames": given.get("keep_names"),
        "sourcemap": "linked" if given.get("source_map") else None,
    }
    return {**merged, **{name: value for name, value in switches.items() if value}}


def command_line(options: t.Mapping[str, t.Any]) -> list[str]:
    """Convert options of esbuild's API to those of its command line."""
    arguments = []
    for name, value in options.items():
        option = "--" + KEBAB.sub("-", name).lower()
        if isinstance(value, dict):
            arguments += [f"{option}:{key}={item}" for key, item in value.items()]
        elif name in REPEATED:
            arguments += [f"{option}:{item}" for item in value]
        elif isinstance(value, list):
            arguments.append(f"{option}={','.join(value)}")
        else:
            arguments.append(f"{option}={json.dumps(value) if isinstance(value, bool) else value}")
    return arguments


def _run_program(entrypoint: Entrypoint, options: t.Mapping[str, t.Any], meta: str) -> subprocess.CompletedProcess[str]:
    """Run the program esbuild, which takes no plugins: imports of Node.js modules are left to the runtime."""
    prefixed = {name: f"node:{name}" for name in nodejs.MODULES if entrypoint.compatibility.has_nodejs}
    aliases = {**prefixed, **options.get("alias", {})}
    arguments = command_line({**options, "alias": aliases, "metafile": meta})
    esbuild = find_esbuild(entrypoint.path, entrypoint.options.get("esbuild_path"))
    return run([esbuild, os.path.basename(entrypoint.path), *arguments], entrypoint.folder, INSTALL_HINT, TIMEOUT)


def _run_script(
    entrypoint: Entrypoint, options: t.Mapping[str, t.Any], meta: str
) -> subprocess.CompletedProcess[str] | None:
    """Run esbuild's API with polyfills of Node.js. Return None if the Worker needs none, or if they are not installed.

    The folder of the request is absolute, but no absolute path gets into the output.
    """
    node = shutil.which("node") if entrypoint.compatibility.has_polyfills else None
    if not node:
        return None
    folder, esbuild_path = entrypoint.folder, entrypoint.options.get("esbuild_path")
    request = {
        "entrypoint": os.path.join(folder, os.path.basename(entrypoint.path)),
        "esbuild": find_esbuild(entrypoint.path, esbuild_path) if esbuild_path else None,
        "metafile": meta,
        "compatibility": dataclasses.asdict(entrypoint.compatibility),
        "options": {
            **options,
            "absWorkingDir": folder,
            "entryPoints": [os.path.basename(entrypoint.path)],
        },
    }
    completed = run([node, SCRIPT], folder, INSTALL_HINT, TIMEOUT, json.dumps(request))
    return None if completed.returncode == PACKAGE_MISSING else completed
