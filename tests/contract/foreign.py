# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of others that speak to Cloudflare, told nothing but another base URL."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_process import TOKEN, Edge
from local_edge.api import table

ROOT = Path(__file__).parents[2]
INSTALLED = Path(os.environ.get("CONTRACT_CLIENTS", ROOT / ".cache" / "contract")) / "node_modules"
BIN = Path(sys.executable).parent
DATE = "2026-11-01"
PATIENCE = 120
COLOURS = re.compile(r"\x1b\[[\d;]*m")

#: What keeps a program from asking a terminal, its maker's telemetry, or the network for a newer version.
QUIET = {
    "CI": "true",
    "NO_COLOR": "1",
    "WRANGLER_SEND_METRICS": "false",
    "DO_NOT_TRACK": "1",
    "ALCHEMY_TELEMETRY_DISABLED": "1",
    "ALCHEMY_CI_STATE_STORE_CHECK": "false",
}


class Failed(Exception):
    """A program ended otherwise than it was meant to; the text is all it said."""


class Project:
    """A folder with somebody's Worker in it, and the programs to deploy it with."""

    def __init__(self, folder: Path, edge: Edge, token: str = TOKEN) -> None:
        self.folder, self.edge = folder, edge
        folder.mkdir(parents=True)
        (folder / "node_modules").symlink_to(INSTALLED)
        home = folder.parent / "home"
        self.environment = {
            **QUIET,
            "PATH": f"{BIN}:/usr/bin:/bin",
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "CLOUDFLARE_API_BASE_URL": edge.api,
            "CLOUDFLARE_BASE_URL": edge.api,
            "CLOUDFLARE_API_TOKEN": token,
        }

    def write(self, name: str, content: Any) -> None:
        """A file of the project; what is not text becomes JSON."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))

    def configure(self, **settings: Any) -> None:
        """The project's wrangler.json."""
        self.write("wrangler.json", {"compatibility_date": DATE, **settings})

    def take(self, folder: Path) -> None:
        """Copy a project of somebody, without what he had installed."""
        shutil.copytree(folder, self.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))

    def run(self, program: str, *arguments: str, given: str = "", fails: bool = False, **environment: str) -> str:
        """What a JavaScript program says, on both its outputs."""
        command = [str(BIN / "node"), str(self.folder / program), *arguments]
        ended = subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environment, **environment},
            input=given,
            text=True,
            timeout=PATIENCE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        said = COLOURS.sub("", ended.stdout)
        if fails != bool(ended.returncode):
            raise Failed(f"{' '.join(command[1:])} ended with {ended.returncode}\n{said}\n{tell(self.edge)}")
        return said

    def wrangler(self, *arguments: str, **options: Any) -> str:
        return self.run("node_modules/wrangler/bin/wrangler.js", *arguments, **options)

    def read(self, *arguments: str) -> Any:
        """The JSON that a wrangler command prints."""
        return json.loads(self.wrangler(*arguments))


def asked(edge: Edge) -> list[Mapping[str, Any]]:
    """The requests to the API since the journal was cleared."""
    response = edge.session.get(edge.api.replace("/client/v4", "/_edge/requests"))
    return list(response.json()["requests"])


def forget(edge: Edge) -> None:
    edge.session.delete(edge.api.replace("/client/v4", "/_edge/requests"))


def unanswered(edge: Edge) -> list[str]:
    """What was asked that the edge has no endpoint for."""
    tree = table.tree()
    return [
        f"{seen['method']} {seen['path']}"
        for seen in asked(edge)
        if seen["method"] not in tree.find(seen["path"].strip("/").split("/"))[0]
    ]


def tell(edge: Edge) -> str:
    return "\n".join(f"{seen['method']} {seen['path']}?{seen['query']} {seen['status']}" for seen in asked(edge))
