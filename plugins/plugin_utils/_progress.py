# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Display of progress on standard error: a bar on a terminal, an occasional line in a log."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
import typing as t

from ansible.utils.display import Display
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.progress import (
    Progress,
    progress_listener,
)

UPDATE_INTERVAL = {True: 0.2, False: 10.0}  # seconds, on a terminal and elsewhere
CLEAR_LINE = "\r\033[K"
BAR_WIDTH = 12  # characters
DEFAULT_WIDTH = 80  # columns of a terminal of unknown size
STDERR = "/proc/{}/fd/2"  # the standard error of a process; a file only on Linux
RUNNER_ENV_VARS = (
    "AWX_ISOLATED_DATA_DIR",
    "RUNNER_OMIT_EVENTS",
)  # ansible-runner gives a terminal to plays whose output becomes events


def terminal_width(environ: t.Mapping[str, str], process: int) -> int:
    """Return the usable columns of the terminal to which an Ansible process writes its standard error.

    Return 0 if it is not a terminal, or if a job runner reads it.
    """
    if any(name in environ for name in RUNNER_ENV_VARS):
        return 0
    with contextlib.suppress(OSError), open(STDERR.format(process), "rb", buffering=0) as output:
        if output.isatty():
            return (os.get_terminal_size(output.fileno()).columns or DEFAULT_WIDTH) - 1  # the cursor needs one
    return 0


def stderr_is_open(process: int) -> bool:
    """Return whether the standard error of an Ansible process still has a reader.

    True if this cannot be determined. Ansible hangs when it displays a line without a reader.
    """
    with (
        contextlib.suppress(OSError),
        open(STDERR.format(process), "wb", buffering=0, opener=_open_without_blocking) as output,
    ):
        poll = select.poll()
        poll.register(output, select.POLLOUT)
        return not any(events & select.POLLERR for _output, events in poll.poll(0))
    return True


def _open_without_blocking(path: str, flags: int) -> int:
    # Without the flag O_TRUNC, since it may be a file.
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def display(text: str, **options: t.Any) -> None:
    """Display a text from a worker process of Ansible, with the keyword arguments of ``Display.display``.

    It is written to standard error, since standard output belongs to the callback, which may write JSON or YAML.
    """
    if stderr_is_open(os.getppid()):
        Display().display(text, stderr=True, **options)


@contextlib.contextmanager
def controller_stderr() -> t.Iterator[t.Callable[[str], None]]:
    """Return a function that writes to the standard error of Ansible's main process, even after that has ended."""
    output = -1
    with contextlib.suppress(OSError):  # a socket, or no /proc on this system
        output = _open_without_blocking(STDERR.format(os.getppid()), os.O_WRONLY)

    def write(text: str) -> None:
        with contextlib.suppress(OSError):
            os.write(output, text.encode())

    try:
        yield write
    finally:
        if output != -1:
            os.close(output)


def format_duration(seconds: float) -> str:
    """Format a duration as ``m:ss``, or as ``h:mm:ss`` from one hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def format_progress(progress: Progress, now: float) -> str:
    """Format a progress as comma-separated text, the most important part first."""
    waits = progress.waits_until > now
    requests_left, seconds_left = progress.rate_limiter.remaining(), progress.seconds_left
    wait_end = time.strftime("%H:%M:%S", time.localtime(progress.waits_until))
    parts = {
        f"{progress.done}/{progress.total}": progress.total,
        f"waiting for the rate limit until {wait_end}": waits,
        f"{format_duration(seconds_left or 0)} to go": seconds_left is not None and progress.done < progress.total,
        f"{progress.changed} changed": progress.total,
        f"{progress.failed} failed": progress.total,
        f"{requests_left} requests left": requests_left is not None,
    }
    return ", ".join(part for part, include in parts.items() if include)


def format_bar(progress: Progress, now: float, width: int) -> str:
    """Format a progress as a bar and text, of at most ``width`` characters."""
    filled = BAR_WIDTH * progress.done // progress.total if progress.total else 0
    blocks = f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] " if progress.total else ""
    return (blocks + format_progress(progress, now))[:width]


class ProgressDisplay:
    """A progress listener that displays updates at limited intervals. Without a terminal, ``width`` is 0."""

    def __init__(self, width: int, display: t.Callable[..., None], clock: t.Callable[[], float] = time.time) -> None:
        self._width, self._display, self._clock = width, display, clock
        self._lock = threading.Lock()
        self._updated_at = clock()
        self._waits_until = 0.0
        self._bar_visible = False

    def __call__(self, progress: Progress) -> None:
        """Display a progress if the update interval is over, or if a wait for the rate limit starts."""
        with self._lock:
            now = self._clock()
            wait_started = progress.waits_until > max(now, self._waits_until) + 1  # once, although all threads wait
            if now - self._updated_at < UPDATE_INTERVAL[bool(self._width)] and not wait_started:
                return
            self._updated_at, self._waits_until = now, progress.waits_until
            if self._width:
                self._bar_visible = True
                self._display(f"{CLEAR_LINE}{format_bar(progress, now, self._width)}", screen_only=True, newline=False)
            else:
                text = format_progress(progress, now)
                self._display(f"{progress.label}: {text}" if progress.label else text)

    def end(self) -> None:
        """Erase the bar."""
        if self._bar_visible:
            self._display(CLEAR_LINE, screen_only=True, newline=False)


@contextlib.contextmanager
def show_progress() -> t.Iterator[None]:
    """Display the progress of all operations inside this context."""
    progress_display = ProgressDisplay(terminal_width(os.environ, os.getppid()), display)
    try:
        with progress_listener(progress_display):
            yield
    finally:
        progress_display.end()
