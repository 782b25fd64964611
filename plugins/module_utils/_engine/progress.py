# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Progress of a long operation. A front end that can display it registers a ``progress_listener``."""

from __future__ import annotations

import contextlib
import time
import typing as t
from dataclasses import dataclass, field

from .._cloudflare.rate_limiter import RateLimiter


@dataclass
class Progress:
    """Number of finished elements, out of ``total``, and how many of them changed or failed.

    ``waits_until`` and ``started_at`` are seconds since 1970. A wait for the rate limit ends at ``waits_until``.
    """

    label: str
    total: int
    rate_limiter: RateLimiter
    done: int = 0
    changed: int = 0
    failed: int = 0
    waits_until: float = 0.0
    started_at: float = field(default_factory=time.time)

    def advance(self, changed: bool, failed: bool) -> None:
        """Count one more finished element."""
        self.done += 1
        self.changed += changed
        self.failed += failed
        _notify(self)

    def wait(self, seconds: float) -> None:
        """Report that no request will be sent for this number of seconds."""
        self.waits_until = time.time() + seconds
        _notify(self)

    @property
    def seconds_left(self) -> float | None:
        """Return an estimate for the rest, at one request per element. None until the first element is finished."""
        left = self.total - self.done
        return (
            max((time.time() - self.started_at) / self.done * left, self.rate_limiter.seconds_for(left))
            if self.done
            else None
        )


ProgressListener = t.Callable[[Progress], None]
_listeners: list[ProgressListener] = []


def _notify(progress: Progress) -> None:
    for listener in _listeners:
        listener(progress)


@contextlib.contextmanager
def progress_listener(listener: ProgressListener) -> t.Iterator[None]:
    """Call ``listener`` at every update of a ``Progress`` inside this context, from any thread."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
