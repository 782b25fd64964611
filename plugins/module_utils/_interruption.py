# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals and the parent process of a module: how its run is interrupted."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import types
import typing as t

from ._cloudflare.interruption import Interrupted, Interruption

GRACE = 10  # seconds for the writes in flight
REASONS = {
    signal.SIGALRM: "the timeout of the task",
    signal.SIGINT: "the signal SIGINT",
    signal.SIGTERM: "the signal SIGTERM",
}
CONTROLLER_PROCESS = "_controller_process"  # internal argument: the id of Ansible's main process on this machine
CONTROLLER_TIMEOUT = "_controller_timeout"  # internal argument: seconds until the timeout of the task, or 0
_received: list[int] = []


def orphan_check(process: int | None) -> t.Callable[[], bool]:
    """Return a function that checks whether a process is no longer an ancestor of this one.

    It checks the parent instead if the process is None, or no ancestor now, since another service may start modules.
    """
    ancestor = process if process and _is_ancestor(process) else os.getppid()
    return lambda: not _is_ancestor(ancestor)


def _is_ancestor(process: int) -> bool:
    parent = os.getppid()
    while parent not in (0, process):
        try:
            with open(f"/proc/{parent}/stat", encoding="utf-8", errors="replace") as status:
                parent = int(status.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError):  # it has just ended, or there is no /proc on this system
            return os.getppid() != 1
    return parent == process


@contextlib.contextmanager
def interruptible(interruption: Interruption, timeout: int = 0) -> t.Iterator[None]:
    """Let signals interrupt the run inside this context. ``timeout`` seconds later it is interrupted, unless 0.

    The run ends when the writes in flight are finished, or ``GRACE`` seconds later. Further signals have no effect,
    since Ansible sends several. Interrupted is raised in the main thread, unless the run ends by itself.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread receives signals
        yield
        return

    def on_signal(number: int, _frame: types.FrameType | None) -> None:
        is_first = not interruption.reason
        interruption.begin(REASONS[signal.Signals(number)])
        if number != signal.SIGALRM:
            _received.append(number)
        if is_first and interruption.in_flight:
            signal.alarm(GRACE)
        elif is_first or number == signal.SIGALRM:
            raise Interrupted(interruption.reason)

    handlers = {number: signal.getsignal(number) for number in REASONS}
    handled = {
        number: handler
        for number, handler in handlers.items()
        if handler is not None and (handler is not signal.SIG_IGN or number == signal.SIGALRM)
    }
    for number in handled:
        signal.signal(number, on_signal)
    if timeout:
        signal.alarm(timeout)
    try:
        yield
    finally:
        if timeout or interruption.reason:
            signal.alarm(0)
        for number, handler in handled.items():
            signal.signal(number, handler)


def take_signal() -> int | None:
    """Return the number of a signal that interrupted the last run, once. None if there was none."""
    number = _received[0] if _received else None
    _received.clear()
    return number
