# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program workerd: where it is, what it knows, and how one is started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from socket import socket

from local_edge.runtime import uds_http
from local_edge.runtime.child import Child

#: What workerd writes whenever an isolate ends itself on request, with a stack of a kilobyte and a half below it.
NOISE = "failed: script terminated for unknown reasons"


class Unusable(Exception):
    """workerd is missing or does not run; the text says what to do."""


def find_binary(given: str | None) -> str:
    """The workerd to run: as given, from the environment, in the npm package beside us, or on the PATH."""
    packaged = Path(__file__).parents[2] / "node_modules" / "@cloudflare"
    candidates = [
        given or os.environ.get("LOCAL_EDGE_WORKERD"),
        *map(str, sorted(packaged.glob("workerd-*/bin/workerd"))),
        shutil.which("workerd"),
    ]
    found = next((one for one in candidates if one), None)
    if found is None or not os.access(found, os.X_OK):
        what = f"there is no program at {found}" if found else "workerd was not found"
        raise Unusable(
            f"{what}: give its path with --workerd or in LOCAL_EDGE_WORKERD; `npm ci` beside package.json installs it"
        )
    return found


def newest_date(binary: str) -> str:
    """The last compatibility date a workerd knows: a week after the date that is its version."""
    try:
        text = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
        return (date.fromisoformat(text.split()[-1]) + timedelta(days=7)).isoformat()
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise Unusable(
            f"{binary} does not run as workerd ({type(error).__name__}): install the version that package.json names"
        ) from None


def did_not_start(binary: str) -> str:
    return f"{binary} did not start; what it said is above. Install the version that package.json names"


async def well(socket: Path) -> None:
    """Wait until what listens on a socket answers."""
    while True:
        with contextlib.suppress(OSError, EOFError):
            await uds_http.request(socket, "GET", "/")
            return
        await asyncio.sleep(0.02)


def quieted(hear: Callable[[str], None]) -> Callable[[str], None]:
    """Hear what Workers log and workerd complains about, without the traces of evictions."""
    quiet = False

    def heard(line: str) -> None:
        nonlocal quiet
        quiet = NOISE in line or (quiet and line.startswith("stack:"))
        if not quiet and line.strip():
            hear(line)

    return heard


def child(
    name: str,
    binary: str,
    config: Path,
    sockets: Mapping[str, socket],
    hear: Callable[[str], None],
    pulse: Path | None = None,
    max_memory: int = 0,
) -> Child:
    """A workerd that serves a configuration. Its environment is empty: it needs nothing of ours, and credentials may be there."""
    fds = [f"--socket-fd={label}={one.fileno()}" for label, one in sockets.items()]
    return Child(
        name,
        [binary, "serve", str(config), "--experimental", *fds],
        [one.fileno() for one in sockets.values()],
        quieted(hear),
        pulse,
        max_memory,
        environment={},
    )
