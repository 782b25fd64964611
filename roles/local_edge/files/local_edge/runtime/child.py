# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A workerd that is kept alive: started, listened to, restarted, and never left behind."""
from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from local_edge.runtime import wire

BEAT, PATIENCE, MISSES = 0.25, 0.5, 2
#: A child that uses little processor time is not looping but waiting for its turn: it gets so many times the patience.
FORBEARANCE = 4
PR_SET_PDEATHSIG = 1
#: What workerd writes whenever an isolate ends itself on request, with a stack of a kilobyte and a half below it.
NOISE = "failed: script terminated for unknown reasons"

LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Run in the child before it becomes workerd: the kernel ends it when its parent is gone, however that went."""
    if LIBC:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """One workerd process. Its sockets belong to us and outlive it: while it restarts, clients wait in their backlog."""

    def __init__(self, name: str, binary: str, config: Path, sockets: Mapping[str, socket.socket], pulse: Path | None) -> None:
        self.name, self.binary, self.config, self.sockets, self.pulse = name, binary, config, sockets, pulse
        self.process: asyncio.subprocess.Process | None = None
        self.stopping = False
        self.tasks: list[asyncio.Task[None]] = []

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    async def start(self) -> None:
        await self.spawn()
        self.tasks = [asyncio.create_task(self.keep())]
        if self.pulse:
            self.tasks.append(asyncio.create_task(self.listen_to_heart(self.pulse)))

    async def spawn(self) -> None:
        fds = [f"--socket-fd={name}={one.fileno()}" for name, one in self.sockets.items()]
        self.process = await asyncio.create_subprocess_exec(
            self.binary, "serve", str(self.config), "--experimental", *fds, pass_fds=[one.fileno() for one in self.sockets.values()],
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            preexec_fn=die_with_parent, start_new_session=True, limit=1 << 20,
            env={})  # it needs nothing of ours, and credentials may be there

    async def keep(self) -> None:
        """Start it again whenever it ends, a little later each time it ends at once."""
        delay = 0.0
        while not self.stopping:
            assert self.process
            born = time.monotonic()
            await self.forward_output(self.process)
            status = await self.process.wait()
            if self.stopping:
                return
            delay = 0.0 if time.monotonic() - born > 2 else min(2.0, delay + 0.1)
            self.say(f"ended with status {status}, restarting")
            await asyncio.sleep(delay)
            await self.spawn()

    async def forward_output(self, process: asyncio.subprocess.Process) -> None:
        """Pass on what Workers log and workerd complains about, without the traces of evictions."""
        assert process.stdout
        quiet = False
        while True:
            try:
                line = (await process.stdout.readline()).decode(errors="replace")
            except ValueError:  # a line longer than the buffer
                continue
            if not line:
                return
            quiet = NOISE in line or (quiet and line.startswith("stack:"))
            if not quiet and line.strip():
                self.say(line.rstrip())

    def say(self, text: str) -> None:
        print(f"{self.name}: {text}", file=sys.stderr, flush=True)

    async def listen_to_heart(self, pulse: Path) -> None:
        """Kill it when it misses two beats: a Worker that loops stops all others, and ignores a polite signal."""
        missed = 0.0
        while not self.stopping:
            await asyncio.sleep(BEAT)
            began, pid, used = time.monotonic(), self.pid, cpu_seconds(self.pid)
            alive = await answers(pulse)
            took, spent = time.monotonic() - began, cpu_seconds(pid)
            # If this process itself was late, silence proves nothing.
            if alive or took > PATIENCE + 0.25 or pid != self.pid:
                missed = 0.0
                continue
            busy = used is None or spent is None or spent - used > took / 2
            missed += 1 if busy else 1 / FORBEARANCE
            if missed >= MISSES:
                self.say("does not answer, killing it")
                self.kill()
                missed = 0.0

    def kill(self) -> None:
        if self.process and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGKILL)

    async def stop(self) -> None:
        self.stopping = True
        self.kill()
        for task in self.tasks[1:]:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self.process:
            await self.process.wait()


async def answers(pulse: Path) -> bool:
    try:
        await asyncio.wait_for(wire.exchange(pulse, "GET", "/"), PATIENCE)
    except (OSError, EOFError, asyncio.TimeoutError):
        return False
    return True


def cpu_seconds(pid: int | None) -> float | None:
    """The processor time a process has used, where the system tells."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
