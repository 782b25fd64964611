# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits of modules that take no time: retries, polls and the rate limit advance a clock instead."""

from __future__ import annotations

import functools
import threading
import time

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils import _module
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.interruption import (
    Interrupted,
    Interruption,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.rate_limiter import RateLimiter
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.converge import RunOptions


class VirtualTime:
    """The time of this machine, plus all virtual waits."""

    def __init__(self) -> None:
        self.waited = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return time.time() + self.waited

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.waited += seconds

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Replace the waits of all modules that run in this process and its forks."""

        def sleep(interruption: Interruption, seconds: float) -> None:
            if interruption.reason:
                raise Interrupted(interruption.reason)
            self.sleep(seconds)

        monkeypatch.setattr(Interruption, "sleep", sleep)
        monkeypatch.setattr(RateLimiter.__init__, "__defaults__", (None, self, self.sleep))
        monkeypatch.setattr(_module, "RunOptions", functools.partial(RunOptions, sleep=self.sleep))
