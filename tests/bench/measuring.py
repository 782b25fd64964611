# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a command costs: seconds and memory of its processes, and the requests that the edge saw meanwhile."""

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


class Failed(Exception):
    """A command that did not do what it was to do; the text says what became of it."""


class TooLong(Failed):
    """A command that was ended because its time was up."""


@dataclass(frozen=True)
class Measure:
    """C(requests) to the API and how many of them it C(refused) as too many; C(span), seconds from the first to the last of them;

    C(seconds) from start to end; C(cpu) seconds of all processes together; C(megabytes), the most that one of them held.
    """

    requests: int
    refused: int
    span: float
    seconds: float
    cpu: float
    megabytes: float


def measure(command: Sequence[str], folder: Path, environment: Mapping[str, str], edge: Edge, limit: float) -> Measure:
    """Run a command to its end, or for so many seconds."""
    clear_request_log(edge)
    # A process inherits the largest size of the one that starts it; 5 makes the kernel forget ours.
    Path("/proc/self/clear_refs").write_text("5")
    with tempfile.TemporaryFile() as said:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        alarm = threading.Timer(limit, os.killpg, (process.pid, signal.SIGKILL))
        alarm.start()
        try:
            # What the kernel says of a process that ended counts what it waited for too: the sum of their seconds, the largest of their sizes.
            _pid, status, used = os.wait4(process.pid, 0)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            alarm.cancel()
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode == -signal.SIGKILL and seconds >= limit:
            raise TooLong(f"took longer than {limit:.0f} s")
        if process.returncode:
            said.seek(0)
            raise Failed(
                f"{' '.join(command)} ended with {process.returncode}\n{said.read().decode(errors='replace')[-4000:]}"
            )
    seen = request_log(edge)
    moments = [one["at"] for one in seen] or [0]
    return Measure(
        len(seen),
        sum(one["status"] == 429 for one in seen),
        max(moments) - min(moments),
        seconds,
        used.ru_utime + used.ru_stime,
        used.ru_maxrss / 1024,
    )
