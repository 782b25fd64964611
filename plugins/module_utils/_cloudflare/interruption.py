# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a run before it is complete: by a signal, or because the process of Ansible ended."""

from __future__ import annotations

import contextlib
import time
import typing as t

from .errors import AmbiguousResult

POLL_INTERVAL = 0.2  # seconds. A signal handler must take no lock, so it cannot wake the threads that sleep.


class Interrupted(BaseException):
    """The run ends before its next request. It is no Exception, since it is not an error of the request."""


class Interruption:
    """Whether the run of a module ends early, and its writes so far. Threads share it.

    ``acknowledged``, ``in_flight`` and ``ambiguous`` are writes, such as ``PUT /accounts/.../scripts/a``.
    """

    def __init__(self) -> None:
        self.reason = ""
        self.acknowledged: list[str] = []
        self.in_flight: list[str] = []
        self.ambiguous: list[str] = []
        self._is_orphaned: t.Callable[[], bool] = lambda: False

    def start_run(self, is_orphaned: t.Callable[[], bool]) -> None:
        """Start a run. ``is_orphaned`` is called before each request: whether the process of Ansible has ended."""
        self._is_orphaned = is_orphaned
        self.acknowledged.clear()
        self.ambiguous.clear()

    def begin(self, reason: str) -> None:
        """Send no further request, and end all waits."""
        self.reason = self.reason or reason

    def check(self) -> None:
        """Raise Interrupted if no further request is to be sent."""
        if not self.reason and self._is_orphaned():
            self.begin("the end of Ansible's process")
        if self.reason:
            raise Interrupted(self.reason)

    def sleep(self, seconds: float) -> None:
        """Sleep. Raise Interrupted at the interruption."""
        end = time.monotonic() + seconds
        while not self.reason and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, POLL_INTERVAL))
        if self.reason:
            raise Interrupted(self.reason)

    @contextlib.contextmanager
    def writing(self, request: str) -> t.Iterator[None]:
        """Record a write while it is in flight, and afterwards if it was acknowledged."""
        self.in_flight.append(request)
        try:
            yield
            self.acknowledged.append(request)
        except AmbiguousResult:
            self.ambiguous.append(request)
            raise
        finally:
            self.in_flight.remove(request)

    @contextlib.contextmanager
    def sending(self, request: str) -> t.Iterator[None]:
        """Record a write as ambiguous if a signal ends the wait for its response."""
        try:
            yield
        except Interrupted:
            self.ambiguous += [request] if request in self.in_flight else []
            raise

    def describe(self) -> str:
        """Return the reason and the writes as text."""
        done, ambiguous = ", ".join(self.acknowledged), ", ".join(self.ambiguous)
        parts = [f"Interrupted by {self.reason}.", f"Done: {done}." if done else "No write was acknowledged."]
        if ambiguous:
            parts.append(f"Possibly carried out: {ambiguous}.")
        return " ".join((*parts, "Run again to continue."))
