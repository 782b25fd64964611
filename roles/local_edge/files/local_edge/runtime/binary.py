# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locate workerd, read its version, and start it."""

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
from local_edge.runtime.process import SupervisedProcess

#: workerd logs this, with a stack of 1.5 kB below it, each time an isolate is evicted.
EVICTION_LOG = "failed: script terminated for unknown reasons"


class WorkerdUnavailable(Exception):
    """workerd is missing or does not run. The text includes the remedy."""


def find_binary(configured: str | None) -> str:
    """Return the path of workerd: the configured one, LOCAL_EDGE_WORKERD, the npm package, or PATH, in this order."""
    packaged = Path(__file__).parents[2] / "node_modules" / "@cloudflare"
    candidates = [
        configured or os.environ.get("LOCAL_EDGE_WORKERD"),
        *map(str, sorted(packaged.glob("workerd-*/bin/workerd"))),
        shutil.which("workerd"),
    ]
    found = next((one for one in candidates if one), None)
    if found is None or not os.access(found, os.X_OK):
        problem = f"{found} is not an executable file" if found else "workerd was not found"
        raise WorkerdUnavailable(
            f"{problem}. Set its path with --workerd or LOCAL_EDGE_WORKERD, or install it with `npm ci` beside "
            "package.json."
        )
    return found


def newest_date(binary: str) -> str:
    """Return the last compatibility date that workerd supports: a week after the date in its version."""
    try:
        text = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
        return (date.fromisoformat(text.split()[-1]) + timedelta(days=7)).isoformat()
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise WorkerdUnavailable(
            f"{binary} does not run as workerd ({type(error).__name__}). Install the version pinned in package.json."
        ) from None


def start_failure(binary: str) -> str:
    return f"{binary} did not start. See its output above. Install the version pinned in package.json."


async def wait_healthy(socket: Path) -> None:
    """Wait until the server on a Unix socket answers."""
    while True:
        with contextlib.suppress(OSError, EOFError):
            await uds_http.request(socket, "GET", "/")
            return
        await asyncio.sleep(0.02)


def suppress_noise(on_line: Callable[[str], None]) -> Callable[[str], None]:
    """Wrap a line callback to drop the stack traces of evictions and empty lines."""
    suppressing = False

    def on_each(line: str) -> None:
        nonlocal suppressing
        suppressing = EVICTION_LOG in line or (suppressing and line.startswith("stack:"))
        if not suppressing and line.strip():
            on_line(line)

    return on_each


def workerd_process(
    name: str,
    binary: str,
    config: Path,
    sockets: Mapping[str, socket],
    on_line: Callable[[str], None],
    health_socket: Path | None = None,
    max_memory: int = 0,
) -> SupervisedProcess:
    """Return a process that runs workerd with a configuration.

    Its environment is empty, so that no credentials of the parent reach it.
    """
    fds = [f"--socket-fd={label}={one.fileno()}" for label, one in sockets.items()]
    return SupervisedProcess(
        name,
        [binary, "serve", str(config), "--experimental", *fds],
        [one.fileno() for one in sockets.values()],
        suppress_noise(on_line),
        health_socket,
        max_memory,
        environment={},
    )
