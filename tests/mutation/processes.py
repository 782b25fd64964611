# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of forks, and of tests that do not end."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import time

CPU_SECONDS = 20  # of one test; independent of other programs on the machine
MEMORY = 8 * 2**30  # bytes of addresses
TIMED_OUT = -1000  # below the negative numbers of signals


class Limits:
    """A pytest plugin that ends the process if a test takes longer than ``CPU_SECONDS``, and limits its memory."""

    @staticmethod
    def pytest_sessionstart() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))

    def pytest_runtest_setup(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)


def wait(process: int, timeout: float) -> int:
    """Return the exit status of a session leader, or ``TIMED_OUT``. End the processes that it has left."""
    end = time.monotonic() + timeout
    ended = status = 0
    try:
        while not ended and time.monotonic() < end:
            ended, status = os.waitpid(process, os.WNOHANG)
            time.sleep(0 if ended else 0.01)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)
    if not ended:
        os.waitpid(process, 0)
    exit_code = os.waitstatus_to_exitcode(status) if ended else TIMED_OUT
    return TIMED_OUT if exit_code == -signal.SIGPROF else exit_code
