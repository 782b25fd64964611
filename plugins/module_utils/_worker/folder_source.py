# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the modules and the main module of a Worker in a folder, and list the files that are not part of it."""

from __future__ import annotations

import fnmatch
import os
import typing as t
from dataclasses import dataclass

from .._cloudflare.errors import CloudflareError
from .._engine.text import list_errors, list_names
from .module_types import CODE, MODULE_TYPES, VENDORED, extension, is_python
from .regular_file import kind_error, leads_out, name_error, read_regular

DEFAULT_MAIN_MODULES = tuple(f"{stem}.{ending}" for stem in ("index", "worker", "main") for ending in ("js", "mjs"))
MAX_MODULES = 5000  # a folder with more is probably the wrong one


@dataclass(frozen=True)
class Selection:
    """The files of a folder that belong to a Worker.

    C(ignored) are patterns of files, and of folders with their contents. C(extensions) is None for all others.
    """

    ignored: tuple[str, ...]
    extensions: t.Container[str] | None = None

    def excludes(self, name: str, is_folder: bool) -> bool:
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in self.ignored):
            return True
        return not is_folder and self.extensions is not None and extension(name) not in self.extensions


# wrangler.json contains the settings of a build, and paths of the machine that made it.
MODULES = Selection(
    (
        ".*",
        "node_modules",
        "__pycache__",
        "package.json",
        "package-lock.json",
        "tsconfig*.json",
        "wrangler.json",
    ),
    MODULE_TYPES,
)
VENDORED_FILES = Selection(("__pycache__", "*.pyc"))


@dataclass(frozen=True)
class FolderSource:
    """The files of a Worker by relative path, and the paths of the files and folders that are not part of it."""

    main: str
    files: t.Mapping[str, bytes]
    left_out: tuple[str, ...]


def read(folder: str, main_module: str | None, max_bytes: int) -> FolderSource:
    """Read the Worker in C(folder), with the vendored packages of a Python Worker.

    Raise CloudflareError if its modules have more than C(max_bytes) in total, or if there are more than MAX_MODULES.
    """
    names, left_out = _select(folder, "", MODULES, skipped=VENDORED)
    main = find_main(folder, [name for name in names if extension(name) in CODE], main_module)
    if os.path.isdir(os.path.join(folder, VENDORED)):
        vendored, unused = _select(folder, VENDORED, VENDORED_FILES if is_python(main) else MODULES)
        names, left_out = [*names, *vendored], [*left_out, *unused]
    names.sort()
    _check_files(folder, names)
    _check_limits(folder, names, max_bytes)
    return FolderSource(
        main,
        {name: read_regular("path", os.path.join(folder, name), max_bytes) for name in names},
        tuple(os.path.join(folder, name) for name in sorted(left_out)),
    )


def _select(folder: str, below: str, selection: Selection, skipped: str = "") -> tuple[list[str], list[str]]:
    """Return the selected files below a subfolder of C(folder), and all other files and folders, by relative path.

    Folders end in a slash. C(skipped) is a subfolder that is in neither list.
    """
    selected: list[str] = []
    left_out: list[str] = []
    for root, folders, files in os.walk(os.path.join(folder, below), onerror=_raise_error):
        relative = os.path.relpath(root, folder).replace(os.sep, "/")
        above = "" if relative == os.curdir else f"{relative}/"
        present = [name for name in folders if above + name != skipped]
        # Links to folders are not followed.
        folders[:] = [
            name
            for name in present
            if not selection.excludes(name, is_folder=True) and not os.path.islink(os.path.join(root, name))
        ]
        left_out += [f"{above}{name}/" for name in present if name not in folders]
        for name in files:
            (left_out if selection.excludes(name, is_folder=False) else selected).append(above + name)
    return selected, left_out


def _raise_error(error: OSError) -> t.NoReturn:
    raise error


def _check_files(folder: str, names: t.Iterable[str]) -> None:
    """Raise CloudflareError with the names of files that are not regular files inside the folder."""
    errors = [error for name in names if (error := _file_error(folder, name))]
    if errors:
        raise CloudflareError(
            f"path: {folder}: {list_errors(errors)}. Replace them with regular files, or remove them from the folder."
        )


def _file_error(folder: str, name: str) -> str:
    path = os.path.join(folder, name)
    if error := name_error(name):
        return error
    if leads_out(folder, path):
        return f"{name} is a link to a path outside the folder"
    if kind := kind_error(path):
        return f"{name} is {kind}"
    return ""


def _check_limits(folder: str, names: t.Sequence[str], max_bytes: int) -> None:
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
    found = list_names(sorted(code, key=lambda name: (name.count("/"), name)))
    problem = (
        f"{main_module!r} is not a code module in {folder}"
        if main_module
        else f"{folder} contains several modules, and none is named {' or '.join(DEFAULT_MAIN_MODULES)}"
    )
    raise CloudflareError(f"main_module: {problem}. Set one of {found}.")
