# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A folder that is a Worker: which of its files are modules, and which of these is the main one."""

from __future__ import annotations

import fnmatch
import os
import typing as t

from .._cloudflare.errors import CloudflareError

LEFT_OUT = (
    ".*",
    "node_modules",
    "__pycache__",
    "package.json",
    "package-lock.json",
    "tsconfig*.json",
)  # with all that is below
MAINS = tuple(f"{stem}.{ending}" for stem in ("index", "worker", "main") for ending in ("js", "mjs"))
MOST_MODULES = 5000  # beyond them it is some other folder
TOLD = 10  # names in one message


def read(folder: str, endings: t.Container[str], most: int) -> dict[str, bytes]:
    """Return the files below C(folder) with one of these endings, by their path in it, C(most) bytes together."""
    names = sorted(_names(folder, endings))
    size = sum(os.path.getsize(os.path.join(folder, name)) for name in names)
    if len(names) > MOST_MODULES:
        raise CloudflareError(
            f"path: {folder} holds {len(names)} modules, and more than {MOST_MODULES} are no Worker: name the folder of the Worker alone."
        )
    if size > most:
        raise CloudflareError(
            f"path: {folder} holds {size} bytes in {len(names)} modules and a Worker has {most} at most: leave out what it does not need."
        )
    files = {}
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            files[name.replace(os.sep, "/")] = file.read()
    return files


def _names(folder: str, endings: t.Container[str]) -> t.Iterator[str]:
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not _left_out(name)]
        for name in files:
            if os.path.splitext(name)[1] in endings and not _left_out(name):
                yield os.path.relpath(os.path.join(root, name), folder)


def _left_out(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in LEFT_OUT)


def find_main(folder: str, code: t.Collection[str], main_module: str | None) -> str:
    """Return the main one of the modules that are C(code): the one named, else one that is called so, else the only one."""
    named = (
        [main_module]
        if main_module
        else [name for name in MAINS if name in code] or (list(code) if len(code) == 1 else [])
    )
    if named and named[0] in code:
        return named[0]
    if not code:
        raise CloudflareError(
            f"path: {folder} holds no JavaScript. What is TypeScript is given as entrypoint, and esbuild compiles it."
        )
    found = ", ".join(sorted(code, key=lambda name: (name.count("/"), name))[:TOLD]) + (
        ", ..." if len(code) > TOLD else ""
    )
    what = (
        f"{main_module!r} is no code in {folder}"
        if main_module
        else f"{folder} has several modules, and none is called {' or '.join(MAINS)}"
    )
    raise CloudflareError(f"main_module: {what}: name one of {found}.")
