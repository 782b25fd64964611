# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure a command: time and memory of its processes, and the requests that the edge received."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_process import Edge
from foreign_clients import clear_request_log, request_log


class CommandError(Exception):
    """A failed command. The message contains the reason and the end of its output."""


class CommandTimeout(CommandError):
    """A command that was killed at its time limit."""


@dataclass(frozen=True)
class Measure:
    """C(requests) to the API; C(refused), those answered with 429; C(span), seconds from the first to the last request;

    C(seconds) from start to end; C(cpu) seconds of all processes; C(megabytes), the peak memory of the largest process.
    """

    requests: int
    refused: int
    span: float
    seconds: float
    cpu: float
    megabytes: float


def measure(command: Sequence[str], folder: Path, environment: Mapping[str, str], edge: Edge, limit: float) -> Measure:
    """Run a command and measure it. Kill it at the limit, in seconds."""
    clear_request_log(edge)
    # A child inherits the peak memory of its parent. Writing 5 resets it.
    Path("/proc/self/clear_refs").write_text("5")
    with tempfile.TemporaryFile() as output:
        start_time = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        alarm = threading.Timer(limit, os.killpg, (process.pid, signal.SIGKILL))
        alarm.start()
        try:
            # wait4 includes descendants that were waited for: the sum of CPU time, the maximum of memory.
            _pid, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            alarm.cancel()
        seconds = time.perf_counter() - start_time
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode == -signal.SIGKILL and seconds >= limit:
            raise CommandTimeout(f"took longer than {limit:.0f} s")
        if process.returncode:
            output.seek(0)
            raise CommandError(
                f"{' '.join(command)} ended with {process.returncode}\n{output.read().decode(errors='replace')[-4000:]}"
            )
    requests = request_log(edge)
    times = [one["at"] for one in requests] or [0]
    return Measure(
        len(requests),
        sum(one["status"] == 429 for one in requests),
        max(times) - min(times),
        seconds,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
    )
