# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turning a TypeScript or JavaScript entrypoint into one module, with esbuild."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import typing as t
from dataclasses import dataclass

from .._cloudflare.errors import CloudflareError

OPTIONS = (
    "--bundle",
    "--format=esm",
    "--platform=neutral",
    "--target=es2022",
    "--charset=utf8",
    "--main-fields=workerd,module,main",
    "--conditions=workerd,worker,browser,import",
    "--external:cloudflare:*",
    "--external:node:*",
    "--log-level=warning",
    "--color=false",
)
SECONDS = 120
HOW_TO_GET = "Install it beside the entrypoint (npm install --save-dev esbuild), put it on PATH, or name it with esbuild_path."


@dataclass(frozen=True)
class Bundle:
    """What esbuild made, and from what: C(made_from) does not change with esbuild's own version, so that an upgrade of the
    tool alone never uploads a fleet anew."""

    code: bytes
    made_from: list[t.Any]


def find_esbuild(entrypoint: str, esbuild_path: str | None) -> str:
    """Return the esbuild to use: the one given, else the nearest in a node_modules above the entrypoint, else the one on PATH."""
    if esbuild_path:
        esbuild_path = os.path.expanduser(esbuild_path)
        if not os.access(esbuild_path, os.X_OK):
            raise CloudflareError(f"esbuild_path: {esbuild_path} is no program that can be run. {HOW_TO_GET}")
        return esbuild_path
    folder = os.path.dirname(entrypoint)
    while True:
        candidate = os.path.join(folder, "node_modules", ".bin", "esbuild")
        if os.access(candidate, os.X_OK):
            return candidate
        parent = os.path.dirname(folder)
        if parent == folder:
            break
        folder = parent
    found = shutil.which("esbuild")
    if not found:
        raise CloudflareError(f"entrypoint: {entrypoint} must be bundled, and there is no esbuild. {HOW_TO_GET}")
    return found


def bundle(entrypoint: str, esbuild_path: str | None = None) -> Bundle:
    """Bundle C(entrypoint) and everything it imports into one ES module."""
    esbuild, folder = find_esbuild(entrypoint, esbuild_path), os.path.dirname(entrypoint)
    with tempfile.TemporaryDirectory(prefix="tenantry-") as scratch:
        meta, out = os.path.join(scratch, "meta.json"), os.path.join(scratch, "out.js")
        command = [esbuild, os.path.basename(entrypoint), *OPTIONS, f"--metafile={meta}", f"--outfile={out}"]
        try:
            # Run in the entrypoint's folder, so that the names in the output are the same on every machine.
            # Not AnsibleModule.run_command: on the controller there is no module.
            run = subprocess.run(  # pylint: disable=ansible-bad-function
                command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise CloudflareError(f"entrypoint: esbuild did not finish {entrypoint} in {SECONDS} s.") from error
        except OSError as error:
            raise CloudflareError(f"entrypoint: {esbuild} cannot be run: {error}. {HOW_TO_GET}") from error
        if run.returncode:
            raise CloudflareError(f"entrypoint: esbuild could not bundle {entrypoint}:\n{run.stderr.strip()}")
        with open(meta, encoding="utf-8") as file:
            inputs = sorted(json.load(file)["inputs"])
        with open(out, "rb") as code:
            return Bundle(code.read(), [[name, _digest(os.path.join(folder, name))] for name in [*inputs, *_settings(folder)]] + [list(OPTIONS)])


def _settings(folder: str) -> list[str]:
    """Return the tsconfig.json that esbuild obeys without saying so: the nearest above the entrypoint, relative to it."""
    levels = folder.rstrip(os.sep).count(os.sep) + 1
    names = (os.path.join(*[os.pardir] * level, "tsconfig.json") for level in range(levels))
    return [name for name in names if os.path.isfile(os.path.join(folder, name))][:1]


def _digest(path: str) -> str:
    if not os.path.isfile(path):  # what is no file stands in its name, such as data: URLs
        return ""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
