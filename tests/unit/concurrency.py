# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time that a test moves, and threads that begin together."""

from __future__ import annotations

import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept.append(seconds)
        self.now += seconds


def run_in_threads(count: int, call: t.Callable[[int], t.Any]) -> list[t.Any]:
    """Do something in so many threads, none of which begins before all are there."""
    ready = threading.Barrier(count)

    def wait_and_call(number: int) -> t.Any:
        ready.wait(60)
        return call(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(wait_and_call, range(count)))
