# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Showing how far long work has come: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
import typing as t

from ansible.utils.display import Display
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.progress import Progress, watched

EVERY = {True: 0.2, False: 10.0}  # seconds between two tellings, on a terminal and elsewhere
WIPE = "\r\033[K"  # what empties the line of a terminal
WIDTH = 12  # characters of the bar
RUNNERS = (
    "AWX_ISOLATED_DATA_DIR",
    "RUNNER_OMIT_EVENTS",
)  # ansible-runner gives a terminal to plays whose output becomes events


def on_terminal(environ: t.Mapping[str, str], process: int) -> bool:
    """Whether a person watches what this process of Ansible prints. A worker's own outputs lead nowhere."""
    if any(name in environ for name in RUNNERS):
        return False
    with contextlib.suppress(OSError), open(f"/proc/{process}/fd/1", "rb", buffering=0) as output:
        return output.isatty()
    return False


def is_read(process: int) -> bool:
    """Whether anybody can read what this process of Ansible prints. Ansible waits for ever once it was asked to show a line where nobody does."""
    with (
        contextlib.suppress(OSError),
        open(f"/proc/{process}/fd/1", "wb", buffering=0, opener=_without_waiting) as output,
    ):
        looking = select.poll()
        looking.register(output, select.POLLOUT)
        return not any(seen & select.POLLERR for _output, seen in looking.poll(0))
    return True


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)  # of a file nothing is cut off


def say(text: str, **how: t.Any) -> None:
    """Show a text where Ansible prints, from one of its workers."""
    if is_read(os.getppid()):
        Display().display(text, **how)


def clock(seconds: float) -> str:
    """Return a duration as people write it: minutes and seconds, hours where there are any."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def line(progress: Progress, now: float) -> str:
    """Return in words how far it is, what is told first being what matters most."""
    waits, left, to_go = progress.waits_until > now, progress.rate_limiter.remaining(), progress.seconds_left
    parts = {
        f"{progress.done}/{progress.total}": progress.total,
        f"waiting for the API budget until {time.strftime('%H:%M:%S', time.localtime(progress.waits_until))}": waits,
        f"{clock(to_go or 0)} to go": to_go is not None and progress.done < progress.total,
        f"{progress.changed} changed": progress.total,
        f"{progress.failed} failed": progress.total,
        f"{left} requests left": left is not None,
    }
    return ", ".join(part for part, told in parts.items() if told)


def drawn(progress: Progress, now: float, width: int) -> str:
    """Return the same as a bar, of at most C(width) characters."""
    filled = WIDTH * progress.done // progress.total if progress.total else 0
    track = f"[{'#' * filled}{'.' * (WIDTH - filled)}] " if progress.total else ""
    return (track + line(progress, now))[:width]


class Shown:
    """Shows what it is told of, not too often. C(width) is that of the terminal, 0 where there is none."""

    def __init__(self, width: int, display: t.Callable[..., None], clock: t.Callable[[], float] = time.time) -> None:
        self._width, self._display, self._clock = width, display, clock
        self._lock = threading.Lock()
        self._last = clock()
        self._waits_until = 0.0
        self._drawn = False

    def __call__(self, progress: Progress) -> None:
        """Tell how far it is, if it is time to."""
        with self._lock:
            now = self._clock()
            begins_to_wait = progress.waits_until > max(now, self._waits_until) + 1  # all threads do
            if now - self._last < EVERY[bool(self._width)] and not begins_to_wait:
                return
            self._last, self._waits_until = now, progress.waits_until
            if self._width:
                self._drawn = True
                self._display(f"{WIPE}{drawn(progress, now, self._width)}", screen_only=True, newline=False)
            else:
                self._display(f"{progress.label}: {line(progress, now)}" if progress.label else line(progress, now))

    def end(self) -> None:
        """Leave nothing of a bar behind."""
        if self._drawn:
            self._display(WIPE, screen_only=True, newline=False)


@contextlib.contextmanager
def shown() -> t.Iterator[None]:
    """Show the progress of the work that is done meanwhile."""
    watcher = Shown(Display().columns if on_terminal(os.environ, os.getppid()) else 0, say)
    try:
        with watched(watcher):
            yield
    finally:
        watcher.end()
