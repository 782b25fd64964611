# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Staying inside the API budget before Cloudflare enforces it.

A sliding window in buckets of one second: a burst up to the quota is allowed, and no window ever holds more than it.
Source of the default: 1200 requests in 5 minutes per user or account token, then everything is blocked for 5 minutes.
"""

from __future__ import annotations

import collections
import re
import threading
import time
import typing as t

QUOTA, WINDOW = 1200, 300  # requests, seconds


def _items(header: str) -> list[dict[str, int]]:
    """Parse C("default";r=50;t=30, "burst";...): a list whose items carry numbers by letter."""
    return [{key: int(number) for key, number in re.findall(r";\s*(\w+)=(\d+)", item)} for item in header.split(",")]


class Pacer:
    """Counts the requests of this process and says how long to wait before the next one.

    C(waited) is the time slept so far, in seconds. C(clock) and C(sleep) are there for the tests.
    """

    def __init__(
        self,
        quota: int = QUOTA,
        window: int = WINDOW,
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self.quota, self.window = quota, window
        self.waited = 0.0
        self.on_wait: t.Callable[[float], None] = lambda seconds: None
        self._clock, self._sleep = clock, sleep
        self._buckets: collections.OrderedDict[int, int] = collections.OrderedDict()
        self._not_before = 0.0
        self._counting = threading.Lock()

    def take(self) -> None:
        """Wait until one more request fits into the budget, and count it."""
        while True:
            with self._counting:
                delay = self._delay()
                if delay <= 0:
                    second = int(self._clock())
                    self._buckets[second] = self._buckets.get(second, 0) + 1
                    return
            self.pause(delay)

    def left(self) -> int:
        """Return how many requests the budget allows now."""
        return self.quota - sum(self._buckets.values())

    def pause(self, seconds: float) -> None:
        """Sleep, and remember for how long."""
        self._sleep(seconds)
        self.waited += seconds

    def learn(self, headers: t.Mapping[str, str]) -> None:
        """Obey what the server says: its quota, and how long to hold back once nothing remains of it."""
        policies = [item for item in _items(headers.get("Ratelimit-Policy", "")) if "q" in item and item.get("w")]
        if policies:
            self.quota, self.window = min(((item["q"], item["w"]) for item in policies), key=lambda pair: pair[0] / pair[1])
        for item in _items(headers.get("Ratelimit", "")):
            if item.get("r") == 0:
                self._not_before = max(self._not_before, self._clock() + item.get("t", 0))

    def _delay(self) -> float:
        now = self._clock()
        while self._buckets and next(iter(self._buckets)) < int(now) - self.window:
            self._buckets.popitem(last=False)
        held_back = self._not_before - now
        if sum(self._buckets.values()) < self.quota:
            return held_back
        return max(held_back, next(iter(self._buckets)) + self.window + 1 - now)
