# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private folder of a run: configurations, the JavaScript they embed, and the sockets between the processes."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

#: The name of a Unix socket has at most 107 bytes.
MAX_FOLDER = 107 - len("/validator0.sock")


class Folder:
    """Where what is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        #: Where the edge asks the control plane, and where it is told what has changed.
        self.control, self.admin = path / "control.sock", path / "admin.sock"

    def config(self, name: str) -> Path:
        return self.path / f"{name}.capnp"

    @classmethod
    def made(cls, data: str) -> Folder:
        """An empty folder that only we can enter: `run` in the data folder, where the next start finds and clears what a killed one left;
        elsewhere if its path is too long for a socket's name."""
        path = Path(data) / "run"
        if len(bytes(path)) > MAX_FOLDER:
            path = Path(tempfile.mkdtemp(prefix="local-edge-", dir="/tmp")) / "run"
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700)
        return cls(path)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
