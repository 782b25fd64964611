# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Regular files of limited size. Reading a FIFO would block, and a device need not end."""

from __future__ import annotations

import os
import stat
import unicodedata

from .._cloudflare.errors import CloudflareError

KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def kind_error(path: str) -> str:
    """Return why a path is not a regular file, such as "a FIFO", or ""."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return f"not readable: {error.strerror}"
    return next((kind for is_kind, kind in KINDS if is_kind(mode)), "")


def check_regular(option: str, path: str, limit: int) -> None:
    """Raise CloudflareError if a path is not a regular file of at most C(limit) bytes."""
    if kind := kind_error(path):
        raise CloudflareError(f"{option}: {path} is {kind}. Set the path of a regular file.")
    _check_size(option, path, os.path.getsize(path), limit)


def read_regular(option: str, path: str, limit: int) -> bytes:
    """Return the content of a file. Raise the errors of C(check_regular)."""
    check_regular(option, path, limit)
    # Without blocking, even if the file was replaced by a FIFO meanwhile.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        content = file.read(limit + 1)
    _check_size(option, path, len(content), limit)
    return content


def _check_size(option: str, path: str, size: int, limit: int) -> None:
    if size > limit:
        raise CloudflareError(f"{option}: {path} has {size} bytes, and the limit is {limit}. Make the file smaller.")


def leads_out(folder: str, path: str) -> bool:
    """Whether a path below a folder is a link to a path outside it."""
    return not os.path.realpath(path).startswith(os.path.join(os.path.realpath(folder), ""))


def name_error(name: str) -> str:
    """Return why the name of a file cannot be that of a module or of an asset, or ""."""
    if name != name.encode(errors="replace").decode():
        return f"{name!r} is not a valid UTF-8 name"
    if any(unicodedata.category(character) == "Cc" for character in name):
        return f"{name!r} contains a control character"
    return ""
