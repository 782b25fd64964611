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
    """The paths in the private folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        #: The sockets of the internal API, for the edge, and of the edge's admin API, for the control plane.
        self.control, self.admin = path / "control.sock", path / "admin.sock"

    def config(self, name: str) -> Path:
        return self.path / f"{name}.capnp"

    @classmethod
    def made(cls, data: str) -> Folder:
        """Create an empty folder with mode 0700 and return it.

        It is `run` in the data folder, so that the next start removes the leftovers of a killed run. If that path is
        too long for a Unix socket, it is a temporary folder.
        """
        path = Path(data) / "run"
        if len(bytes(path)) > MAX_FOLDER:
            path = Path(tempfile.mkdtemp(prefix="local-edge-", dir="/tmp")) / "run"
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700)
        return cls(path)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
