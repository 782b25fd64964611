# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bundle an entrypoint with the wrangler of the project, as C(wrangler deploy) does before its upload."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import typing as t

from .._cloudflare.errors import CloudflareError
from .bundle import Bundle, Entrypoint, Files, nearest, nearest_program, run
from .esbuild_output import relativize_sources

TIMEOUT = 600  # seconds, since wrangler also runs the project's own build command
CONFIGURATIONS = ("wrangler.json", "wrangler.jsonc", "wrangler.toml")
WRITTEN_BESIDE = ("README.md",)  # by wrangler, into the folder of the output
INSTALL_HINT = "Install it in the project (npm install --save-dev wrangler), or remove bundler."
# Options that only esbuild supports, and the place where wrangler finds them.
UNSUPPORTED = {
    "esbuild_path": "wrangler has an esbuild of its own",
    "loader": "wrangler takes rules from its configuration file",
    "keep_names": "wrangler takes keep_names from its configuration file",
}
# Variables that programs of a build need. All others may contain credentials.
PASSED_VARIABLES = ("PATH", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "NODE_OPTIONS", "NODE_PATH")
COLOR_CODES = re.compile(r"\x1b\[[\d;]*m")


def build(entrypoint: Entrypoint) -> Bundle:
    """Bundle the entrypoint without an upload. The inputs are the output, so a Worker is uploaded if it changed.

    Raise CloudflareError with the output of wrangler if it fails.
    """
    _check_options(entrypoint)
    wrangler, configuration = _find_wrangler(entrypoint.path), _find_configuration(entrypoint.path)
    folder = os.path.dirname(configuration or nearest(entrypoint.path, "package.json") or entrypoint.path)
    with tempfile.TemporaryDirectory(prefix="tenantry-") as temporary:
        scratch = os.path.realpath(temporary)
        out = os.path.join(scratch, "out")
        command = [wrangler, "deploy", entrypoint.path, *_arguments(entrypoint, configuration), f"--outdir={out}"]
        completed = run(command, folder, INSTALL_HINT, TIMEOUT, environment=_environment(entrypoint, scratch))
        if completed.returncode:
            output = COLOR_CODES.sub("", f"{completed.stdout}\n{completed.stderr}").strip()
            raise CloudflareError(f"entrypoint: wrangler could not bundle {entrypoint.path}:\n{output}")
        files = _collect(out, os.path.realpath(folder), bool(entrypoint.options.get("source_map")))
    if entrypoint.main_module not in files:
        raise CloudflareError(
            f"main_module: wrangler has not written {entrypoint.main_module}, only {', '.join(sorted(files))}. "
            "Omit main_module, or set one of these."
        )
    digests = [[name, hashlib.sha256(content).hexdigest()] for name, content in files.items()]
    return Bundle(files, [["bundler", "wrangler"], *digests])


def _check_options(entrypoint: Entrypoint) -> None:
    for name, reason in UNSUPPORTED.items():
        if entrypoint.options.get(name):
            raise CloudflareError(f"{name}: {reason}. Remove {name}, or set bundler: esbuild.")
    for name in entrypoint.aliases:
        if ":" in name:  # wrangler splits its argument there
            raise CloudflareError(
                f"alias: {name} contains a colon, which wrangler does not accept in an argument. "
                "Set alias in the configuration file of wrangler, or set bundler: esbuild."
            )


def _find_wrangler(entrypoint: str) -> str:
    found = nearest_program(entrypoint, "wrangler")
    if not found:
        raise CloudflareError(f"bundler: wrangler was not found in a node_modules above {entrypoint}. {INSTALL_HINT}")
    if not shutil.which("node"):
        raise CloudflareError("bundler: wrangler needs node, which is not on PATH. Install Node.js, or remove bundler.")
    return found


def _find_configuration(entrypoint: str) -> str | None:
    """Return the nearest configuration file of wrangler above the entrypoint, or None."""
    found = [path for name in CONFIGURATIONS if (path := nearest(entrypoint, name))]
    return max(found, key=lambda path: len(os.path.dirname(path)), default=None)


def _arguments(entrypoint: Entrypoint, configuration: str | None) -> list[str]:
    options, compatibility = entrypoint.options, entrypoint.compatibility
    aliases = {
        name: os.path.normpath(os.path.join(entrypoint.folder, target)) if target.startswith(".") else target
        for name, target in entrypoint.aliases.items()
    }
    return [
        "--dry-run",
        "--name=worker",  # required, if there is no configuration file
        f"--compatibility-date={compatibility.date}",
        # Without flags, an empty one replaces those of the configuration file.
        *(f"--compatibility-flags={flag}" for flag in compatibility.flags or ("",)),
        *([f"--config={configuration}"] if configuration else []),
        *(f"--define={name}:{json.dumps(value)}" for name, value in sorted((options.get("define") or {}).items())),
        *(f"--alias={name}:{target}" for name, target in sorted(aliases.items())),
        *(["--minify"] if options.get("minify") else []),
    ]


def _environment(entrypoint: Entrypoint, scratch: str) -> dict[str, str]:
    """Return an environment without credentials, in which wrangler neither asks nor reports."""
    conditions = entrypoint.options.get("conditions")
    return {
        **{name: os.environ[name] for name in PASSED_VARIABLES if name in os.environ},
        "CI": "1",
        "NO_COLOR": "1",
        "WRANGLER_SEND_METRICS": "false",
        "WRANGLER_SEND_ERROR_REPORTS": "false",
        "WRANGLER_LOG_PATH": os.path.join(scratch, "logs"),
        # The two places of a stored login, which wrangler would find.
        "HOME": scratch,
        "XDG_CONFIG_HOME": os.path.join(scratch, "config"),
        **({"WRANGLER_BUILD_CONDITIONS": ",".join(conditions)} if conditions else {}),
    }


def _collect(out: str, folder: str, with_maps: bool) -> Files:
    """Read the files that wrangler wrote, by name. Sources of source maps become relative to the project."""
    paths = (os.path.join(parent, name) for parent, _folders, names in os.walk(out) for name in names)
    files = {}
    for path in sorted(paths):
        name = os.path.relpath(path, out)
        is_map = name.endswith(".map")
        if name in WRITTEN_BESIDE or (is_map and not with_maps):
            continue
        with open(path, "rb") as file:
            content = file.read()
        files[name] = _portable_map(content, os.path.dirname(path), folder) if is_map else content
    return files


def _portable_map(content: bytes, out: str, folder: str) -> bytes:
    """Remove the folder of the output from a source map."""
    source_map: dict[str, t.Any] = json.loads(content)
    source_map.pop("sourceRoot", None)
    return relativize_sources(json.dumps(source_map).encode(), out, folder)
