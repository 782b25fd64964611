# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor, which is the process of `serve`. It owns the sockets and restarts its children if they fail.

The children are the control plane and the edge. Each works without the other: loaded Workers are served while the
control plane is down, and the API answers while the edge restarts.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from local_edge import sockets
from local_edge.runtime import binary, config
from local_edge.runtime.folder import Folder
from local_edge.runtime.log import LogReader
from local_edge.runtime.process import StartFailed, SupervisedProcess, log
from local_edge.settings import PREFIX, Settings

#: The line that the control plane prints when it is ready.
READY = "ready"
#: Exit status of a control plane that cannot start. It has printed the reason.
EXIT_STARTUP_FAILED = 2


async def wait_for_signal() -> None:
    done, loop = asyncio.Event(), asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, done.set)
    await done.wait()


def ready_line(settings: Settings, addresses: dict[str, str]) -> str:
    """Return the line that `serve` prints when the edge is ready: a JSON object."""
    return json.dumps(
        {
            **addresses,
            "pid": os.getpid(),
            "accounts": [{"id": one.id, "name": one.name} for one in settings.accounts],
            "zones": [{"id": one.id, "name": one.name} for one in settings.zones],
        }
    )


@dataclasses.dataclass(frozen=True)
class Listeners:
    """The public sockets. Without `https`, there is no TLS port."""

    api: socket.socket
    http: socket.socket
    https: socket.socket | None = None

    @property
    def visitors(self) -> dict[str, socket.socket]:
        """The sockets of the edge, by their names in its configuration."""
        return {"http": self.http, **({"https": self.https} if self.https else {})}

    def addresses(self) -> dict[str, str]:
        return {
            "api": sockets.url(self.api) + PREFIX,
            **{scheme: sockets.url(listener, scheme) for scheme, listener in self.visitors.items()},
        }


class Supervisor:
    """The two child processes, their sockets and their output."""

    def __init__(
        self, settings: Settings, arguments: Sequence[str], public: Listeners, tls: config.KeyPair | None
    ) -> None:
        data = str(settings.data)
        program = binary.find_binary(settings.workerd)
        binary.newest_date(program)
        self.addresses = public.addresses()
        self.folder, secret = Folder.made(data), secrets.token_hex(8)
        objects = Path(data) / "objects"
        objects.mkdir(mode=0o700, exist_ok=True)
        config.write(
            config.RuntimeConfig(
                self.folder, self.addresses["api"], settings.egress, settings.max_isolates, objects, secret, tls
            )
        )
        self.listeners = [sockets.listen_unix(self.folder.control), sockets.listen_unix(self.folder.admin)]
        control, admin = self.listeners
        self.program, self.reader, self.ready = program, LogReader(secret), asyncio.Event()
        inherited = {"folder": str(self.folder.path), "addresses": self.addresses}
        fds = {"api_fd": public.api.fileno(), "control_fd": control.fileno()}
        self.control = SupervisedProcess(
            "control",
            [sys.executable, "-m", "local_edge", "control", "--inherit", json.dumps({**inherited, **fds}), *arguments],
            list(fds.values()),
            self.on_control_output,
        )
        self.edge = binary.workerd_process(
            "edge",
            program,
            self.folder.config("edge"),
            {**public.visitors, "admin": admin},
            self.on_workerd_output,
            self.folder.admin,
            settings.max_memory_mb << 20,
        )

    def on_control_output(self, line: str) -> None:
        if line == READY:
            self.ready.set()
        elif line:
            print(line, file=sys.stderr, flush=True)

    def on_workerd_output(self, line: str) -> None:
        """Log the output of workerd. Log entries of Workers are also sent to the control plane, for /_edge/logs."""
        entry = self.reader.read(line)
        if isinstance(entry, str):
            log("edge", entry)
        elif entry:
            log(f"{entry.worker} {entry.level}", entry.text.replace("\n", "\n    "))
            self.control.send_line(json.dumps(dataclasses.asdict(entry)))

    async def start(self) -> None:
        edge = asyncio.create_task(self.edge.start(binary.wait_healthy(self.folder.admin)))
        try:
            await self.control.start(self.wait_ready())
            await edge
        except StartFailed as error:
            edge.cancel()
            if str(error) == "edge":
                raise binary.WorkerdUnavailable(binary.start_failure(self.program)) from None
            raise SystemExit(EXIT_STARTUP_FAILED) from None

    async def wait_ready(self) -> None:
        await self.ready.wait()

    async def stop(self) -> None:
        await self.control.stop(gracefully=True)
        await self.edge.stop()
        self.folder.remove()


async def serve(
    settings: Settings, arguments: Sequence[str], public: Listeners, tls: config.KeyPair | None = None
) -> None:
    """Run until SIGTERM or SIGINT. `arguments` is the command line of the settings, for the control plane."""
    stopped = asyncio.create_task(wait_for_signal())
    supervisor = Supervisor(settings, arguments, public, tls)
    try:
        await supervisor.start()
        print(ready_line(settings, supervisor.addresses), flush=True)
        await stopped
    finally:
        await supervisor.stop()
