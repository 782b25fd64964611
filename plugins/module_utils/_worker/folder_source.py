# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the modules and the main module of a Worker in a folder."""

from __future__ import annotations

import fnmatch
import os
import typing as t

from .._cloudflare.errors import CloudflareError

IGNORED_NAMES = (
    ".*",
    "node_modules",
    "__pycache__",
    "package.json",
    "package-lock.json",
    "tsconfig*.json",
)  # files, and folders with their contents
DEFAULT_MAIN_MODULES = tuple(f"{stem}.{ending}" for stem in ("index", "worker", "main") for ending in ("js", "mjs"))
MAX_MODULES = 5000  # a folder with more is probably the wrong one
MAX_NAMES_IN_MESSAGE = 10


def read(folder: str, extensions: t.Container[str], max_bytes: int) -> dict[str, bytes]:
    """Read the files below C(folder) with one of the extensions, by relative path.

    Raise CloudflareError if they have more than C(max_bytes) in total or if there are more than MAX_MODULES.
    """
    names = sorted(_names(folder, extensions))
    size = sum(os.path.getsize(os.path.join(folder, name)) for name in names)
    if len(names) > MAX_MODULES:
        raise CloudflareError(
            f"path: {folder} contains {len(names)} modules, and the limit is {MAX_MODULES}. "
            "Set a folder that contains only the Worker."
        )
    if size > max_bytes:
        raise CloudflareError(
            f"path: {folder} contains {size} bytes in {len(names)} modules, and the limit is {max_bytes}. "
            "Remove files that the Worker does not need."
        )
    files = {}
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            files[name.replace(os.sep, "/")] = file.read()
    return files


def _names(folder: str, extensions: t.Container[str]) -> t.Iterator[str]:
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not _is_ignored(name)]
        for name in files:
            if os.path.splitext(name)[1] in extensions and not _is_ignored(name):
                yield os.path.relpath(os.path.join(root, name), folder)


def _is_ignored(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in IGNORED_NAMES)


def find_main(folder: str, code: t.Collection[str], main_module: str | None) -> str:
    """Return the main module: the named one, else one with a default name, else the only one in C(code)."""
    named = (
        [main_module]
        if main_module
        else [name for name in DEFAULT_MAIN_MODULES if name in code] or (list(code) if len(code) == 1 else [])
    )
    if named and named[0] in code:
        return named[0]
    if not code:
        raise CloudflareError(
            f"path: {folder} contains no JavaScript. For TypeScript, set entrypoint; esbuild compiles it."
        )
    found = ", ".join(sorted(code, key=lambda name: (name.count("/"), name))[:MAX_NAMES_IN_MESSAGE]) + (
        ", ..." if len(code) > MAX_NAMES_IN_MESSAGE else ""
    )
    problem = (
        f"{main_module!r} is not a code module in {folder}"
        if main_module
        else f"{folder} contains several modules, and none is named {' or '.join(DEFAULT_MAIN_MODULES)}"
    )
    raise CloudflareError(f"main_module: {problem}. Set one of {found}.")
