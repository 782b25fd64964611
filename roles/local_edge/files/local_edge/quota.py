# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rate limit of the API: a number of requests per sliding window, then a block."""

from __future__ import annotations

import math
import time
from collections import deque

from local_edge.errors import ApiError
from local_edge.settings import Quota

BLOCKED_MESSAGE = "Please wait and consider throttling your request speed"


class RateLimiter:
    """Counts requests per second, so that memory depends on the window and not on the traffic."""

    def __init__(self, quota: Quota) -> None:
        self.quota = quota
        self.seconds: deque[list[int]] = deque()
        self.used = 0
        self.blocked_until = 0.0

    def expire(self, moment: float) -> None:
        while self.seconds and self.seconds[0][0] <= moment - self.quota.window:
            self.used -= self.seconds.popleft()[1]

    def count(self) -> None:
        """Count a request. Raise a 429 error above the limit and while blocked."""
        moment = time.monotonic()
        if not self.quota.requests:
            return
        if moment < self.blocked_until:
            raise self.rate_limit_error(self.blocked_until - moment)
        self.expire(moment)
        if self.used >= self.quota.requests:
            self.reset()
            self.blocked_until = moment + self.quota.block
            raise self.rate_limit_error(self.quota.block)
        if not self.seconds or self.seconds[-1][0] != int(moment):
            self.seconds.append([int(moment), 0])
        self.seconds[-1][1] += 1
        self.used += 1

    @staticmethod
    def rate_limit_error(seconds: float) -> ApiError:
        return ApiError(429, 971, BLOCKED_MESSAGE, headers={"retry-after": str(max(1, math.ceil(seconds)))})

    def headers(self) -> dict[str, str]:
        """Return the rate limit headers of a response."""
        if not self.quota.requests:
            return {}
        moment = time.monotonic()
        self.expire(moment)
        blocked = self.blocked_until > moment
        remaining = 0 if blocked else self.quota.requests - self.used
        free_at = (
            self.blocked_until if blocked else (self.seconds[0][0] + self.quota.window if self.seconds else moment)
        )
        return {
            "ratelimit": f'"default";r={remaining};t={max(0, math.ceil(free_at - moment))}',
            "ratelimit-policy": f'"default";q={self.quota.requests};w={self.quota.window}',
        }

    def reset(self) -> None:
        self.seconds.clear()
        self.used, self.blocked_until = 0, 0.0
