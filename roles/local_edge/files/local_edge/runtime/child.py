# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that is kept alive: started, listened to, restarted, and never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from local_edge.runtime import uds_http

BEAT, PATIENCE, MISSES = 0.25, 0.5, 2
#: A child that uses little processor time is not looping but waiting for its turn: it gets so many times the patience.
FORBEARANCE = 4
#: Seconds that a child gets to be well after its start, and to end by itself.
START_WITHIN, FAREWELL = 20.0, 8.0
PR_SET_PDEATHSIG = 1

LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Run in the child before it becomes what it is to be: the kernel ends it when its parent is gone, however that went."""
    if LIBC:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def say(name: str, text: str) -> None:
    """A line of our own log."""
    print(f"{name}: {text}", file=sys.stderr, flush=True)


class Stillborn(Exception):
    """A child ended before it was well, or took too long to be."""


class Child:
    """One process. Its sockets belong to us and outlive it: while it restarts, clients wait in their backlog.

    `hear` is given each line that it writes. With a `pulse`, a socket that answers while it is well, it is killed when that falls silent, or
    when it has more than `max_memory` bytes.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        fds: Sequence[int],
        hear: Callable[[str], None],
        pulse: Path | None = None,
        max_memory: int = 0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.command, self.fds, self.hear = name, command, fds, hear
        self.pulse, self.max_memory, self.environment = pulse, max_memory, environment
        self.process: asyncio.subprocess.Process | None = None
        self.stopping = self.well = False
        self.tasks: list[asyncio.Task[None]] = []

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    async def start(self, well: Awaitable[None]) -> None:
        """Start it, and return when it is well; from then on it is kept."""
        await self.spawn()
        keeping, waiting = asyncio.create_task(self.keep()), asyncio.ensure_future(well)
        self.tasks = [keeping]
        await asyncio.wait({keeping, waiting}, timeout=START_WITHIN, return_when=asyncio.FIRST_COMPLETED)
        self.well = waiting.done()
        if not self.well:
            waiting.cancel()
            raise Stillborn(self.name)
        if self.pulse:
            self.tasks.append(asyncio.create_task(self.listen_to_heart(self.pulse)))

    async def spawn(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *self.command,
            pass_fds=self.fds,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            preexec_fn=die_with_parent,
            start_new_session=True,
            limit=1 << 20,
            env=self.environment,
        )

    async def keep(self) -> None:
        """Start it again whenever it ends, a little later each time it ends at once."""
        delay = 0.0
        while not self.stopping:
            assert self.process
            born = time.monotonic()
            await self.forward_output(self.process)
            status = await self.process.wait()
            if self.stopping or not self.well:
                return
            delay = 0.0 if time.monotonic() - born > 2 else min(2.0, delay + 0.1)
            say(self.name, f"ended with status {status}, restarting")
            await asyncio.sleep(delay)
            if not self.stopping:
                await self.spawn()

    async def forward_output(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        while True:
            try:
                line = (await process.stdout.readline()).decode(errors="replace")
            except ValueError:  # a line longer than the buffer
                continue
            if not line:
                return
            self.hear(line.removesuffix("\n"))

    def tell(self, text: str) -> None:
        """A line into its ear, if that takes it at once: a child that does not listen must not fill our memory."""
        pipe = self.process.stdin if self.process else None
        if pipe and not pipe.is_closing() and pipe.transport.get_write_buffer_size() < 1 << 20:
            pipe.write(f"{text}\n".encode())

    async def listen_to_heart(self, pulse: Path) -> None:
        """Kill it when it misses two beats: a Worker that loops stops all others, and ignores a polite signal; or when one fills the memory."""
        missed = 0.0
        while not self.stopping:
            await asyncio.sleep(BEAT)
            if self.max_memory and memory(self.pid) > self.max_memory:
                say(self.name, f"uses more than {self.max_memory >> 20} MB, killing it: see --max-memory-mb")
                self.kill()
                continue
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
                say(self.name, "does not answer, killing it")
                self.kill()
                missed = 0.0

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self.process and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    async def stop(self, politely: bool = False) -> None:
        """End it; `politely`, it is asked first."""
        self.stopping = True
        if politely and self.process:
            self.kill(signal.SIGTERM)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.process.wait(), FAREWELL)
        self.kill()
        for task in self.tasks[1:]:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self.process:
            await self.process.wait()


async def answers(pulse: Path) -> bool:
    try:
        await asyncio.wait_for(uds_http.request(pulse, "GET", "/"), PATIENCE)
    except (OSError, EOFError, asyncio.TimeoutError):
        return False
    return True


def memory(pid: int | None) -> int:
    """The bytes of memory a process has, where the system tells; else none."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def cpu_seconds(pid: int | None) -> float | None:
    """The processor time a process has used, where the system tells."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
