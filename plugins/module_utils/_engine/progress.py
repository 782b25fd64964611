# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far long work has come. Who can show it says so by C(watched); else nobody looks."""

from __future__ import annotations

import contextlib
import time
import typing as t
from dataclasses import dataclass, field

from .._cloudflare.rate_limiter import RateLimiter


@dataclass
class Progress:
    """So many of C(total) are done, of which some changed and some failed. C(pacer) knows how many requests the API's budget still
    allows; C(waits_until) is when the wait for it ends, seconds since 1970."""

    label: str
    total: int
    rate_limiter: RateLimiter
    done: int = 0
    changed: int = 0
    failed: int = 0
    waits_until: float = 0.0
    began: float = field(default_factory=time.time)

    def step(self, changed: bool, failed: bool) -> None:
        """Count one more that is done."""
        self.done += 1
        self.changed += changed
        self.failed += failed
        _tell(self)

    def wait(self, seconds: float) -> None:
        """Say that nothing will be sent for a while."""
        self.waits_until = time.time() + seconds
        _tell(self)

    @property
    def seconds_left(self) -> float | None:
        """Return about how long the rest will take, at a request for each; None as long as nobody can tell."""
        left = self.total - self.done
        return (
            max((time.time() - self.began) / self.done * left, self.rate_limiter.seconds_for(left))
            if self.done
            else None
        )


Watcher = t.Callable[[Progress], None]
_watchers: list[Watcher] = []


def _tell(progress: Progress) -> None:
    for watcher in _watchers:
        watcher(progress)


@contextlib.contextmanager
def watched(watcher: Watcher) -> t.Iterator[None]:
    """Have C(watcher) called at every step of the work that is done meanwhile, from whichever thread."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)
