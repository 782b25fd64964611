# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Staying inside the API budget before Cloudflare enforces it: all threads, forks, plays and runs of a user on a machine, together."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import threading
import time
import typing as t

from .errors import ConnectError
from .locked_file import LockedFile
from .rate_limit_state import DEFAULT_LIMIT, InFlightRequest, Limits, RateLimitState

MAX_WAIT = 600  # seconds: who is asked to wait longer is told so instead; Cloudflare blocks for 300
LOOPBACK = re.compile(r"https?://(localhost|[^/:]+\.localhost|127\.[\d.]+|\[::1\])(:\d+)?(/|$)")
DEFAULT_LIMITS: Limits = {"default": DEFAULT_LIMIT}
T = t.TypeVar("T")


def is_alive(process: int) -> bool:
    """Return whether there is such a process on this machine."""
    try:
        os.kill(process, 0)
    except PermissionError:  # somebody else's
        return True
    except ProcessLookupError:
        return False
    return True


class RateLimiter:
    """Lets requests go one by one, each when the budget allows it. Threads and forks may share it.

    C(assumed) are the limits of a server that tells none. C(waited) is for how many seconds this process waited so far, and
    C(on_wait) is told before it waits for a second or more. C(clock) and C(sleep) are there for the tests.
    """

    def __init__(
        self,
        assumed: Limits,
        locked_file: LockedFile | None = None,
        clock: t.Callable[[], float] = time.time,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self.waited = 0.0
        self.on_wait: t.Callable[[float], None] = lambda seconds: None
        self._locked_file, self._assumed = locked_file or LockedFile(), assumed
        self._clock, self._sleep = clock, sleep
        self._waiting_until = 0.0
        self._wait_lock = threading.Lock()

    @classmethod
    def for_credentials(cls, url: str, secret: str) -> RateLimiter:
        """Return the pacer of these credentials there. On this very machine, nothing limits but what the answers say."""
        name = hmac.new(secret.encode(), url.encode(), hashlib.sha256).hexdigest()
        return cls({} if LOOPBACK.match(url) else DEFAULT_LIMITS, LockedFile(name))

    def acquire(self) -> InFlightRequest:
        """Wait until one more request fits into the budget, and count it. It must C(land).

        Raises Unreachable where that takes longer than anybody waits.
        """
        while True:
            turn = self._locked(lambda state, now: state.delay(now) or state.start(now, os.getpid()))
            if isinstance(turn, InFlightRequest):
                return turn
            if turn > MAX_WAIT:
                raise ConnectError(
                    f"The API budget is spent, and the next request may go in {turn:.0f} s. Nothing was sent: run again then."
                )
            self.sleep(turn)

    def release(self, flight: InFlightRequest, status: int = 0, headers: t.Mapping[str, str] | None = None) -> None:
        """Count a request as answered, and heed what its answer says of the budget. Without a status it had none."""
        self._locked(lambda state, now: state.finish(flight, now, status, headers))

    def remaining(self) -> int | None:
        """Return how many requests the budget still allows now, as far as known; None where nothing limits them."""
        return self._locked(RateLimitState.remaining)

    def seconds_for(self, count: int) -> float:
        """Return about how long it takes at least until so many more requests may have gone."""
        return self._locked(lambda state, now: state.seconds_for(count, now))

    def sleep(self, seconds: float) -> None:
        """Sleep, and remember for how long: what threads sleep through together counts once."""
        with self._wait_lock:
            now = self._clock()
            more = now + seconds - max(now, self._waiting_until)
            self._waiting_until = max(self._waiting_until, now + seconds)
            self.waited += max(0.0, more)
        if more >= 1:
            self.on_wait(seconds)
        self._sleep(seconds)

    def _locked(self, do: t.Callable[[RateLimitState, float], T]) -> T:
        def change(content: bytes) -> tuple[bytes, T]:
            now = self._clock()
            state = RateLimitState.load(content, self._assumed)
            state.advance(now, is_alive)
            result = do(state, now)
            return state.dump(), result

        return self._locked_file.update(change)
