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
)  # with all that is below
DEFAULT_MAIN_MODULES = tuple(f"{stem}.{ending}" for stem in ("index", "worker", "main") for ending in ("js", "mjs"))
MAX_MODULES = 5000  # beyond them it is some other folder
MAX_NAMES_IN_MESSAGE = 10  # names in one message


def read(folder: str, extensions: t.Container[str], max_bytes: int) -> dict[str, bytes]:
    """Return the files below C(folder) with one of these extensions, by relative path, at most C(max_bytes) in total."""
    names = sorted(_names(folder, extensions))
    size = sum(os.path.getsize(os.path.join(folder, name)) for name in names)
    if len(names) > MAX_MODULES:
        raise CloudflareError(
            f"path: {folder} holds {len(names)} modules, and more than {MAX_MODULES} are no Worker: name the folder of the Worker alone."
        )
    if size > max_bytes:
        raise CloudflareError(
            f"path: {folder} holds {size} bytes in {len(names)} modules and a Worker has {max_bytes} at most: leave out what it does not need."
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
            f"path: {folder} holds no JavaScript. What is TypeScript is given as entrypoint, and esbuild compiles it."
        )
    found = ", ".join(sorted(code, key=lambda name: (name.count("/"), name))[:MAX_NAMES_IN_MESSAGE]) + (
        ", ..." if len(code) > MAX_NAMES_IN_MESSAGE else ""
    )
    problem = (
        f"{main_module!r} is no code in {folder}"
        if main_module
        else f"{folder} has several modules, and none is called {' or '.join(DEFAULT_MAIN_MODULES)}"
    )
    raise CloudflareError(f"main_module: {problem}: name one of {found}.")
