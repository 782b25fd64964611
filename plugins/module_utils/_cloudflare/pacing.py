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

from .budget import CLOUDFLARE, Budget, Flight, Limits
from .errors import Unreachable
from .shared import Shared

LONGEST_WAIT = 600  # seconds: who is asked to wait longer is told so instead; Cloudflare blocks for 300
LOOPBACK = re.compile(r"https?://(localhost|[^/:]+\.localhost|127\.[\d.]+|\[::1\])(:\d+)?(/|$)")
ASSUMED: Limits = {"default": CLOUDFLARE}
T = t.TypeVar("T")


def lives(process: int) -> bool:
    """Return whether there is such a process on this machine."""
    try:
        os.kill(process, 0)
    except PermissionError:  # somebody else's
        return True
    except ProcessLookupError:
        return False
    return True


class Pacer:
    """Lets requests go one by one, each when the budget allows it. Threads and forks may share it.

    C(assumed) are the limits of a server that tells none. C(waited) is for how many seconds this process waited so far, and
    C(on_wait) is told before it waits for a second or more. C(clock) and C(sleep) are there for the tests.
    """

    def __init__(
        self,
        assumed: Limits,
        shared: Shared | None = None,
        clock: t.Callable[[], float] = time.time,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self.waited = 0.0
        self.on_wait: t.Callable[[float], None] = lambda seconds: None
        self._shared, self._assumed = shared or Shared(), assumed
        self._clock, self._sleep = clock, sleep
        self._waiting_until = 0.0
        self._telling = threading.Lock()

    @classmethod
    def of(cls, url: str, secret: str) -> Pacer:
        """Return the pacer of these credentials there. On this very machine, nothing limits but what the answers say."""
        name = hmac.new(secret.encode(), url.encode(), hashlib.sha256).hexdigest()
        return cls({} if LOOPBACK.match(url) else ASSUMED, Shared(name))

    def take(self) -> Flight:
        """Wait until one more request fits into the budget, and count it. It must C(land).

        Raises Unreachable where that takes longer than anybody waits.
        """
        while True:
            turn = self._with(lambda budget, now: budget.delay(now) or budget.depart(now, os.getpid()))
            if isinstance(turn, Flight):
                return turn
            if turn > LONGEST_WAIT:
                raise Unreachable(
                    f"The API budget is spent, and the next request may go in {turn:.0f} s. Nothing was sent: run again then."
                )
            self.pause(turn)

    def land(self, flight: Flight, status: int = 0, headers: t.Mapping[str, str] | None = None) -> None:
        """Count a request as answered, and heed what its answer says of the budget. Without a status it had none."""
        self._with(lambda budget, now: budget.land(flight, now, status, headers))

    def left(self) -> int | None:
        """Return how many requests the budget still allows now, as far as known; None where nothing limits them."""
        return self._with(Budget.left)

    def seconds_for(self, count: int) -> float:
        """Return about how long it takes at least until so many more requests may have gone."""
        return self._with(lambda budget, now: budget.seconds_for(count, now))

    def pause(self, seconds: float) -> None:
        """Sleep, and remember for how long: what threads sleep through together counts once."""
        with self._telling:
            now = self._clock()
            more = now + seconds - max(now, self._waiting_until)
            self._waiting_until = max(self._waiting_until, now + seconds)
            self.waited += max(0.0, more)
        if more >= 1:
            self.on_wait(seconds)
        self._sleep(seconds)

    def _with(self, do: t.Callable[[Budget, float], T]) -> T:
        def change(content: bytes) -> tuple[bytes, T]:
            now = self._clock()
            budget = Budget.load(content, self._assumed)
            budget.advance(now, lives)
            result = do(budget, now)
            return budget.dump(), result

        return self._shared.change(change)
