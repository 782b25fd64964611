# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of forks."""

from __future__ import annotations

import contextlib
import os
import signal
import time

TIMED_OUT = -1000  # below the negative numbers of signals


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
    return os.waitstatus_to_exitcode(status) if ended else TIMED_OUT
