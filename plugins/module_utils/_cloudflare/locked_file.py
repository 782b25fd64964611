# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few kilobytes that all processes of one user on one machine change one after another."""

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
Update = t.Callable[[bytes], tuple[bytes, T]]  # from what was there to what shall be there, and what to return


def private_cache_dir() -> str | None:
    """Return a folder that nobody else can enter, made if need be; None where there is no place for one."""
    bases = (
        (os.environ.get("XDG_RUNTIME_DIR", ""), "tenantry/budgets"),
        (os.path.expanduser("~"), ".cache/tenantry/budgets"),
    )
    places = [os.path.join(base, below) for base, below in bases if os.path.isabs(base) and _is_owned(base, os.stat)]
    places.append(os.path.join(tempfile.gettempdir(), f"tenantry-{os.getuid()}"))
    return next((place for place in places if _ensure_private_dir(place)), None)


def _is_owned(place: str, look: t.Callable[[str], os.stat_result]) -> bool:
    with contextlib.suppress(OSError):
        found = look(place)
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return False


def _ensure_private_dir(place: str) -> bool:
    with contextlib.suppress(OSError):
        os.makedirs(place, 0o700, exist_ok=True)
        if _is_owned(place, os.lstat):  # where a link leads, others may decide
            os.chmod(place, 0o700)
            return True
    return False


def _remove_stale(folder: str) -> None:
    """Remove what nobody changed for a day: credentials are replaced, and edges come and go."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if entry.stat().st_mtime < time.time() - DAY:
                os.unlink(entry)


class LockedFile:
    """What is shared: a file, or, where there can be none, the memory of this process alone."""

    def __init__(self, name: str = "") -> None:
        folder = private_cache_dir() if name else None
        self.path = os.path.join(folder, name) if folder else None
        if folder and not os.path.exists(os.path.join(folder, name)):
            _remove_stale(folder)
        self._content = b""
        self._changing = threading.Lock()

    def update(self, update_content: Update[T]) -> T:
        """Let C(how) change the content while nobody else can; it may be called twice."""
        if self.path:
            try:
                return _change_file(self.path, update_content)
            except OSError:  # a full or read-only disk, or one that knows no locks
                self.path = None
        with self._changing:
            self._content, result = update_content(self._content)
            return result


def _change_file(path: str, update_content: Update[T]) -> T:
    # Opened anew each time: threads and forks that shared an open file would share its lock as well.
    with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed
        content, result = update_content(file.read())
        file.seek(0)
        file.write(content)
        file.truncate()
        return result
