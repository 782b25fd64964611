# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A supervised child process: started, monitored, restarted, and never orphaned."""

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

HEALTH_INTERVAL, HEALTH_TIMEOUT, MAX_FAILURES = 0.25, 0.5, 3
#: A child that uses little CPU time is starved, not looping: its timeout is multiplied by this factor.
IDLE_TOLERANCE = 4
#: Seconds until a started child must be healthy, and until a terminated child must have exited.
START_TIMEOUT, STOP_TIMEOUT = 20.0, 8.0
PR_SET_PDEATHSIG = 1

LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Have the kernel kill the calling process when its parent exits. Run in the child before exec."""
    if LIBC:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def log(name: str, text: str) -> None:
    """Print a line of the edge's own log."""
    print(f"{name}: {text}", file=sys.stderr, flush=True)


class StartFailed(Exception):
    """A child exited before it was healthy, or was not healthy within START_TIMEOUT."""


class SupervisedProcess:
    """A supervised process. Its listening sockets belong to the parent: clients wait in the backlog while it restarts.

    `on_line` receives each line of its output. If `health_socket` is set, the process is killed when that socket stops
    answering. It is also killed if it uses more than `max_memory` bytes.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        fds: Sequence[int],
        on_line: Callable[[str], None],
        health_socket: Path | None = None,
        max_memory: int = 0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.command, self.fds, self.on_line = name, command, fds, on_line
        self.health_socket, self.max_memory, self.environment = health_socket, max_memory, environment
        self.process: asyncio.subprocess.Process | None = None
        self.stopping = self.healthy = False
        self.tasks: list[asyncio.Task[None]] = []

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    async def start(self, healthy: Awaitable[None]) -> None:
        """Start the process and return once it is healthy. It is restarted from then on."""
        await self.spawn()
        restarting, waiting = asyncio.create_task(self.restart_loop()), asyncio.ensure_future(healthy)
        self.tasks = [restarting]
        await asyncio.wait({restarting, waiting}, timeout=START_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        self.healthy = waiting.done()
        if not self.healthy:
            waiting.cancel()
            raise StartFailed(self.name)
        if self.health_socket:
            self.tasks.append(asyncio.create_task(self.watch_liveness(self.health_socket)))

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

    async def restart_loop(self) -> None:
        """Restart the process whenever it exits, with a growing delay if it exits at once."""
        delay = 0.0
        while not self.stopping:
            assert self.process
            started_at = time.monotonic()
            await self.forward_output(self.process)
            status = await self.process.wait()
            if self.stopping or not self.healthy:
                return
            delay = 0.0 if time.monotonic() - started_at > 2 else min(2.0, delay + 0.1)
            log(self.name, f"ended with status {status}, restarting")
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
            self.on_line(line.removesuffix("\n"))

    def send_line(self, text: str) -> None:
        """Write a line to stdin. Drop the line if the buffer is full: a stalled child must not fill the memory."""
        pipe = self.process.stdin if self.process else None
        if pipe and not pipe.is_closing() and pipe.transport.get_write_buffer_size() < 1 << 20:
            pipe.write(f"{text}\n".encode())

    async def watch_liveness(self, health_socket: Path) -> None:
        """Kill the process if it fails MAX_FAILURES health checks or exceeds its memory limit.

        A Worker in an endless loop blocks all others, and workerd then ignores SIGTERM.
        """
        failures = 0.0
        while not self.stopping:
            await asyncio.sleep(HEALTH_INTERVAL)
            if self.max_memory and memory_bytes(self.pid) > self.max_memory:
                log(self.name, f"uses more than {self.max_memory >> 20} MB, killing it: see --max-memory-mb")
                self.kill()
                continue
            began, pid, used = time.monotonic(), self.pid, cpu_seconds(self.pid)
            alive = await is_healthy(health_socket)
            took, spent = time.monotonic() - began, cpu_seconds(pid)
            # A late check by this process is not a failure of the child.
            if alive or took > HEALTH_TIMEOUT + 0.25 or pid != self.pid:
                failures = 0.0
                continue
            # Not by the clock: on a busy machine, little of the time of a check may have been the child's.
            work = 1.0 if used is None or spent is None else (spent - used) / HEALTH_TIMEOUT
            failures += max(work, 1 / IDLE_TOLERANCE)
            if failures >= MAX_FAILURES:
                log(self.name, "does not answer, killing it")
                self.kill()
                failures = 0.0

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self.process and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    async def stop(self, gracefully: bool = False) -> None:
        """Kill the process. If `gracefully`, send SIGTERM first and wait for STOP_TIMEOUT."""
        self.stopping = True
        if gracefully and self.process:
            self.kill(signal.SIGTERM)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.process.wait(), STOP_TIMEOUT)
        self.kill()
        for task in self.tasks[1:]:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self.process:
            await self.process.wait()


async def is_healthy(health_socket: Path) -> bool:
    try:
        await asyncio.wait_for(uds_http.request(health_socket, "GET", "/"), HEALTH_TIMEOUT)
    except (OSError, EOFError, asyncio.TimeoutError):
        return False
    return True


def memory_bytes(pid: int | None) -> int:
    """Return the resident memory of a process in bytes, 0 if /proc is not available."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def cpu_seconds(pid: int | None) -> float | None:
    """Return the CPU seconds used by a process, None if /proc is not available."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
