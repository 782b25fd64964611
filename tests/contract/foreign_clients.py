# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run clients of the Cloudflare API by other authors, unmodified except for the base URL."""

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
TIMEOUT = 120
COLOR_CODES = re.compile(r"\x1b\[[\d;]*m")

#: Disables prompts, telemetry and update checks.
QUIET = {
    "CI": "true",
    "NO_COLOR": "1",
    "WRANGLER_SEND_METRICS": "false",
    "DO_NOT_TRACK": "1",
    "ALCHEMY_TELEMETRY_DISABLED": "1",
    "ALCHEMY_CI_STATE_STORE_CHECK": "false",
}


class ProgramError(Exception):
    """An unexpected exit status of a program. The message contains its output."""


class Project:
    """A folder that contains a Worker project, and the programs that deploy it."""

    def __init__(self, folder: Path, edge: Edge, token: str = TOKEN, packages: Path = INSTALLED) -> None:
        self.folder, self.edge = folder, edge
        folder.mkdir(parents=True)
        (folder / "node_modules").symlink_to(packages)
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
        """Write a file of the project. Content that is not text is encoded as JSON."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))

    def configure(self, **settings: Any) -> None:
        """Write wrangler.json."""
        self.write("wrangler.json", {"compatibility_date": DATE, **settings})

    def copy_from(self, folder: Path) -> None:
        """Copy a project without its installed packages."""
        shutil.copytree(folder, self.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))

    def run(self, program: str, *arguments: str, stdin: str = "", fails: bool = False, **environment: str) -> str:
        """Run a JavaScript program and return its combined output."""
        command = [str(BIN / "node"), str(self.folder / program), *arguments]
        completed = subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environment, **environment},
            input=stdin,
            text=True,
            timeout=TIMEOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output = COLOR_CODES.sub("", completed.stdout)
        if fails != bool(completed.returncode):
            raise ProgramError(
                f"{' '.join(command[1:])} exited with {completed.returncode}\n{output}\n{format_request_log(self.edge)}"
            )
        return output

    def wrangler(self, *arguments: str, **options: Any) -> str:
        return self.run("node_modules/wrangler/bin/wrangler.js", *arguments, **options)

    def read(self, *arguments: str) -> Any:
        """Run a wrangler command and decode the JSON that it prints."""
        return json.loads(self.wrangler(*arguments))


def request_log(edge: Edge) -> list[Mapping[str, Any]]:
    """Return the API requests since the log was cleared."""
    response = edge.session.get(edge.api.replace("/client/v4", "/_edge/requests"))
    return list(response.json()["requests"])


def clear_request_log(edge: Edge) -> None:
    edge.session.delete(edge.api.replace("/client/v4", "/_edge/requests"))


def unserved_requests(edge: Edge) -> list[str]:
    """List the logged requests to endpoints that the edge does not serve."""
    tree = table.tree()
    return [
        f"{request['method']} {request['path']}"
        for request in request_log(edge)
        if request["method"] not in tree.find(request["path"].strip("/").split("/"))[0]
    ]


def format_request_log(edge: Edge) -> str:
    return "\n".join(
        f"{request['method']} {request['path']}?{request['query']} {request['status']}" for request in request_log(edge)
    )
