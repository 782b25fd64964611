# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a bundler gets and returns, and what all bundlers need."""

from __future__ import annotations

import hashlib
import os
import subprocess
import typing as t
from dataclasses import dataclass, field

from .._cloudflare.errors import CloudflareError
from .nodejs import Compatibility

Files = dict[str, bytes]  # content by module name

BUNDLER_OPTIONS: dict[str, t.Mapping[str, t.Any]] = {
    "bundler": {"type": "str", "choices": ["esbuild", "wrangler"]},
    "define": {"type": "dict"},
    "alias": {"type": "dict"},
    "loader": {"type": "dict"},
    "conditions": {"type": "list", "elements": "str"},
    "minify": {"type": "bool"},
    "keep_names": {"type": "bool"},
    "source_map": {"type": "bool"},
}


@dataclass(frozen=True)
class Entrypoint:
    """A file to bundle, its absolute C(path).

    C(main_module) is the name of the module to make. C(options) are C(BUNDLER_OPTIONS) and C(esbuild_path), if set.
    """

    path: str
    main_module: str
    options: t.Mapping[str, t.Any]
    compatibility: Compatibility = field(default_factory=Compatibility)

    @property
    def folder(self) -> str:
        """The folder of the file, without links, since esbuild resolves them too."""
        return os.path.realpath(os.path.dirname(self.path))

    @property
    def aliases(self) -> dict[str, str]:
        """The option C(alias), with paths relative to C(folder). Raise CloudflareError if a file does not exist."""
        return {
            name: self._relative(name, str(target)) if str(target).startswith(("./", "../", "/")) else str(target)
            for name, target in (self.options.get("alias") or {}).items()
        }

    def _relative(self, name: str, target: str) -> str:
        path = os.path.normpath(os.path.join(self.folder, target))
        if not os.path.exists(path):
            raise CloudflareError(
                f"alias: the file {path} for {name} does not exist. "
                "Correct the path, which starts from the folder of the entrypoint."
            )
        relative = os.path.relpath(path, self.folder)
        return relative if relative.startswith("..") else f"./{relative}"


@dataclass(frozen=True)
class Bundle:
    """Output of a bundler, and what decides whether the code changed: C(inputs), as JSON."""

    files: Files
    inputs: list[t.Any]


def ancestors(file: str) -> t.Iterator[str]:
    """Yield the folders above a file, nearest first."""
    folder = os.path.dirname(os.path.abspath(file))
    yield folder
    while (parent := os.path.dirname(folder)) != folder:
        yield parent
        folder = parent


def nearest(file: str, name: str) -> str | None:
    """Return the path of the file C(name) in the nearest folder above a file that contains it, or None."""
    paths = (os.path.join(folder, name) for folder in ancestors(file))
    return next((path for path in paths if os.path.isfile(path)), None)


def nearest_program(entrypoint: str, name: str) -> str | None:
    """Return the path of the program in the nearest node_modules above the entrypoint that contains it, or None."""
    paths = (os.path.join(folder, "node_modules/.bin", name) for folder in ancestors(entrypoint))
    return next((path for path in paths if os.access(path, os.X_OK)), None)


def run(
    command: t.Sequence[str],
    folder: str,
    remedy: str,
    timeout: int,
    stdin: str = "",
    environment: t.Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder and return its output.

    Raise CloudflareError if it cannot be run, or does not finish in C(timeout) seconds.
    """
    try:
        # Not AnsibleModule.run_command, since this also runs in the action plugin.
        return subprocess.run(  # pylint: disable=ansible-bad-function
            command,
            cwd=folder,
            env=environment,
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        name = os.path.basename(command[0])
        raise CloudflareError(
            f"entrypoint: {name} did not finish in {timeout} s in {folder}. Run it by hand to find the cause."
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a null character in an argument
        raise CloudflareError(f"entrypoint: {command[0]} cannot be run: {error}. {remedy}") from error


def digest(path: str) -> str:
    """Return the SHA-256 of a file, or "" if the path is not a file, such as a data: URL, whose name is its content."""
    path = path.partition("?")[0]
    if not os.path.isfile(path):
        return ""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
