# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small file that all processes of one user on one machine update in turn."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
import threading
import time
import typing as t

DAY = 24 * 60 * 60  # seconds
T = t.TypeVar("T")
Update = t.Callable[[bytes], tuple[bytes, T]]  # from the old content to the new content and a result


def private_cache_dir() -> str | None:
    """Return a directory that only this user can access, created if necessary. Return None if none can be created."""
    bases = (
        (os.environ.get("XDG_RUNTIME_DIR", ""), "tenantry/budgets"),
        (os.path.expanduser("~"), ".cache/tenantry/budgets"),
    )
    candidates = [
        os.path.join(base, subdirectory)
        for base, subdirectory in bases
        if os.path.isabs(base) and _is_owned(base, os.stat)
    ]
    candidates.append(os.path.join(tempfile.gettempdir(), f"tenantry-{os.getuid()}"))
    return next((path for path in candidates if _ensure_private_dir(path)), None)


def _is_owned(path: str, get_status: t.Callable[[str], os.stat_result]) -> bool:
    with contextlib.suppress(OSError):
        status = get_status(path)
        return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    return False


def _ensure_private_dir(path: str) -> bool:
    with contextlib.suppress(OSError):
        os.makedirs(path, 0o700, exist_ok=True)
        if _is_owned(path, os.lstat):  # another user may control the target of a link
            os.chmod(path, 0o700)
            return True
    return False


def _remove_stale(directory: str) -> None:
    """Delete files that were not changed for a day, such as those of replaced credentials and stopped local edges."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(directory):
            if entry.stat().st_mtime < time.time() - DAY:
                os.unlink(entry)


class LockedFile:
    """Content shared through a locked file. If no file can be used, the content is in the memory of this process."""

    def __init__(self, name: str = "") -> None:
        directory = private_cache_dir() if name else None
        self.path = os.path.join(directory, name) if directory else None
        if directory and not os.path.exists(os.path.join(directory, name)):
            _remove_stale(directory)
        self._content = b""
        self._lock = threading.Lock()

    def update(self, update_content: Update[T]) -> T:
        """Replace the content under an exclusive lock, and return the result of ``update_content``.

        The function may be called twice, since a failed write is repeated in memory.
        """
        if self.path:
            try:
                return _update_file(self.path, update_content)
            except OSError:  # a full or read-only disk, or a file system without locks
                self.path = None
        with self._lock:
            self._content, result = update_content(self._content)
            return result


def _update_file(path: str, update_content: Update[T]) -> T:
    # Opened each time, since threads and forks that share an open file also share its lock.
    with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed
        content, result = update_content(file.read())
        file.seek(0)
        file.write(content)
        file.truncate()
        return result
