# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Client-side rate limiting, shared by all threads, processes and plays of one user on a machine."""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
import time
import typing as t

from .api_url import is_loopback
from .errors import ConnectError
from .locked_file import LockedFile
from .rate_limit_state import DEFAULT_LIMIT, InFlightRequest, Limits, RateLimitState

MAX_WAIT = 600  # seconds; a longer wait is an error. Cloudflare blocks for 300.
DEFAULT_LIMITS: Limits = {"default": DEFAULT_LIMIT}
T = t.TypeVar("T")


def is_alive(process: int) -> bool:
    """Return whether a process with this id exists on this machine."""
    try:
        os.kill(process, 0)
    except PermissionError:  # it belongs to another user
        return True
    except ProcessLookupError:
        return False
    return True


class RateLimiter:
    """Delays requests so that they stay within the rate limit. Threads and forks may share an instance.

    ``assumed`` are the limits of a server whose responses have no rate limit headers. ``waited`` is the number of
    seconds that this process has waited so far. ``on_wait`` is called before a wait of one second or more. Tests
    replace ``clock`` and ``sleep``.
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
    def for_credentials(cls, url: str, secret: str, sleep: t.Callable[[float], None] = time.sleep) -> RateLimiter:
        """Return the rate limiter of these credentials at this URL.

        A server on this machine has no limits until its responses contain some.
        """
        name = hmac.new(secret.encode(), url.encode(), hashlib.sha256).hexdigest()
        return cls({} if is_loopback(url) else DEFAULT_LIMITS, LockedFile(name), sleep=sleep)

    @property
    def reset_hint(self) -> str:
        """How to send requests in spite of the state that all runs share, as a sentence. Empty without such a state."""
        path = self._locked_file.path
        return f" If a server has reported a wrong limit, delete {path}." if path else ""

    def acquire(self) -> InFlightRequest:
        """Wait until the rate limit allows one more request, and count it. The caller must release it.

        Raise ConnectError if the wait would be longer than ``MAX_WAIT``.
        """
        while True:
            request_or_delay = self._locked(lambda state, now: state.delay(now) or state.start(now, os.getpid()))
            if isinstance(request_or_delay, InFlightRequest):
                return request_or_delay
            if request_or_delay > MAX_WAIT:
                raise ConnectError(
                    "The API rate limit is exhausted, and the request was not sent."
                    f" Run again in {request_or_delay:.0f} s.{self.reset_hint}"
                )
            self.sleep(request_or_delay)

    def release(self, request: InFlightRequest, status: int = 0, headers: t.Mapping[str, str] | None = None) -> None:
        """Count a request as finished, and apply the rate limit headers of its response. Status 0 means no response."""
        self._locked(lambda state, now: state.finish(request, now, status, headers))

    def remaining(self) -> int | None:
        """Return the number of requests that the known limits still allow, or None without limits."""
        return self._locked(RateLimitState.remaining)

    def seconds_for(self, count: int) -> float:
        """Estimate the minimum number of seconds until ``count`` more requests are sent."""
        return self._locked(lambda state, now: state.seconds_for(count, now))

    def sleep(self, seconds: float) -> None:
        """Sleep, and add the seconds to ``waited``. Overlapping sleeps of several threads count once."""
        with self._wait_lock:
            now = self._clock()
            added = now + seconds - max(now, self._waiting_until)
            self._waiting_until = max(self._waiting_until, now + seconds)
            self.waited += max(0.0, added)
        if added >= 1:
            self.on_wait(seconds)
        self._sleep(seconds)

    def _locked(self, operation: t.Callable[[RateLimitState, float], T]) -> T:
        def update_content(content: bytes) -> tuple[bytes, T]:
            now = self._clock()
            state = RateLimitState.load(content, self._assumed)
            state.advance(now, is_alive)
            result = operation(state, now)
            return state.dump(), result

        return self._locked_file.update(update_content)
