# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""State of an API rate limit, and the delays that result from it. All times are arguments, in seconds since 1970.

A request may be sent when two conditions allow it.

The local count: no window contains more requests than its quota. A request counts from the time it is sent until one
window after its response, since only the server knows when in between it counted the request.

The server's report: other clients use the same quota, so the latest rate limit headers apply too. The reported
remainder is reduced by the requests in flight at that time, since the server may not have counted them. Once the
remainder is zero, one request is sent at the reported reset time, and its response determines how many may follow.
"""

from __future__ import annotations

import array
import bisect
import json
import math
import re
import typing as t
import zlib
from dataclasses import dataclass, field

IN_FLIGHT_TIMEOUT = 150.0  # seconds; longer than the timeout of any request
HEADER_MAX_AGE = 30.0  # seconds for which a reported remainder is used, before one request refreshes it
MAX_WINDOW = 300  # seconds; Cloudflare's own. No header stops the requests of all runs for longer
HEADER_RESOLUTION = 1.0  # seconds; the headers contain integers, rounded up or down
MIN_POLL_INTERVAL, MAX_POLL_INTERVAL = 0.005, 1.0  # seconds between two checks for a response


class RateLimit(t.NamedTuple):
    """A quota of requests per window of seconds."""

    quota: int
    window: int


class InFlightRequest(t.NamedTuple):
    """A request without a response so far. ``process`` sent it at ``since``.

    ``number`` and ``finished`` are the counts of started and finished requests at that time. The state file contains
    the fields in this order.
    """

    number: int
    finished: int
    process: int
    since: float


class ServerReport(t.NamedTuple):
    """The rate limit headers of a response: to request ``number``, for the limit ``name``, received ``at`` this time.

    ``remaining`` is the reported remainder, and ``allowed`` is the highest request number that it permits. The quota is
    replenished between ``soonest`` and ``reset``. The state file contains the fields in this order.
    """

    number: int = 0
    name: str = ""
    allowed: float = 0
    remaining: int = 1
    at: float = -math.inf
    soonest: float = -math.inf
    reset: float = -math.inf


NO_REPORT = ServerReport()
DEFAULT_LIMIT = RateLimit(1200, 300)  # per user or account token; Cloudflare then blocks all requests for 5 minutes
Limits = dict[str, RateLimit]


def parse_ratelimit(header: str) -> dict[str, dict[str, int]]:
    """Parse a header such as ``"default";r=50;t=30, "burst";r=9;t=1``.

    Return the parameters by limit, such as ``{"default": {"r": 50, "t": 30}, "burst": {"r": 9, "t": 1}}``.
    """
    items = (item.partition(";") for item in header.split(","))
    return {
        name.strip(' "'): {key: int(number) for key, number in re.findall(r"(\w+)=(\d{1,9})\b", parameters)}
        for name, _semicolon, parameters in items
        if parameters
    }


def retry_after(headers: t.Mapping[str, str]) -> float:
    """Return the seconds of the header Retry-After, or 0 without a number."""
    seconds = headers.get("Retry-After", "")
    return float(seconds) if seconds.isdecimal() else 0.0


@dataclass
class RateLimitState:
    """Counts and limits of one set of credentials at one URL.

    ``limits`` are those of the latest rate limit headers, or ``assumed`` for a server without such headers, by name.
    ``started`` and ``finished`` count requests, and ``in_flight`` are those in between. ``log`` contains the times of
    the responses, oldest first, as far back as the longest window.
    """

    assumed: Limits
    limits: Limits
    started: int = 0
    finished: int = 0
    in_flight: list[InFlightRequest] = field(default_factory=list)
    report: ServerReport = NO_REPORT
    log: array.array[float] = field(default_factory=lambda: array.array("d"))

    # -- serialization -------------------------------------------------------------------------------------------------

    def dump(self) -> bytes:
        """Serialize the state: a checksum, a line of JSON, and the log as an array of doubles."""
        head = json.dumps([self.limits, self.started, self.finished, self.in_flight, self.report]).encode()
        body = head + b"\n" + self.log.tobytes()
        return b"%08x" % zlib.crc32(body) + body

    @classmethod
    def load(cls, content: bytes, assumed: Limits) -> RateLimitState:
        """Deserialize the result of ``dump``. Return an empty state with the assumed limits for any other content."""
        checksum, body = content[:8], content[8:]
        if checksum != b"%08x" % zlib.crc32(body):
            return cls(assumed, assumed)
        head, _end, log = body.partition(b"\n")
        limits, started, finished, in_flight, report = json.loads(head)
        return cls(
            assumed,
            {name: RateLimit(*limit) for name, limit in limits.items()},
            started,
            finished,
            [InFlightRequest(*request) for request in in_flight],
            ServerReport(*report),
            array.array("d", log),
        )

    # -- passage of time -----------------------------------------------------------------------------------------------

    def advance(self, now: float, is_alive: t.Callable[[int], bool]) -> None:
        """Drop expired log entries, and finish requests that timed out or whose process is no longer alive.

        Times in the future, as after a change of the clock, become the current time.
        """
        past_count = bisect.bisect_right(self.log, now)
        self.log[past_count:] = array.array("d", [now] * (len(self.log) - past_count))
        if self.report.at > now:
            shift = self.report.at - now
            self.report = self.report._replace(
                at=now, soonest=self.report.soonest - shift, reset=self.report.reset - shift
            )
        self.in_flight = [request._replace(since=min(request.since, now)) for request in self.in_flight]
        for request in self.in_flight.copy():
            if now - request.since > IN_FLIGHT_TIMEOUT or not is_alive(request.process):
                self.finish(request, now)
        horizon = max((limit.window for limit in self.limits.values()), default=0)
        del self.log[: self._expired(horizon + HEADER_RESOLUTION, now)]

    def _expired(self, window: float, now: float) -> int:
        """Return the number of log entries that are at least one window old."""
        return bisect.bisect_right(self.log, now, key=lambda finished_at: finished_at + window)

    # -- delays --------------------------------------------------------------------------------------------------------

    def delay(self, now: float) -> float:
        """Return the seconds until a request may be sent, or until the next check. Return 0 if one may be sent now."""
        return max(0.0, self._server_delay(now), *(self._window_delay(limit, now) for limit in self.limits.values()))

    def _window_delay(self, limit: RateLimit, now: float) -> float:
        available = limit.quota - len(self.in_flight)
        if available <= 0:
            return self._poll_interval(now)
        return self.log[-available] + limit.window - now if available <= len(self.log) else 0.0

    def _server_delay(self, now: float) -> float:
        if self.started < self.report.allowed and now < self.report.at + HEADER_MAX_AGE:
            return 0.0
        if self.in_flight:
            return self._poll_interval(now)
        return 0.0 if self.report.remaining else self.report.reset - now

    def _poll_interval(self, now: float) -> float:
        """Return the seconds until the next check, a quarter of the time that the latest request has taken so far."""
        return min(max(MIN_POLL_INTERVAL, (now - self.in_flight[-1].since) / 4), MAX_POLL_INTERVAL)

    def remaining(self, now: float) -> int | None:
        """Return the number of requests that the known limits still allow, or None without limits."""
        available = [
            limit.quota - len(self.in_flight) - len(self.log) + self._expired(limit.window, now)
            for limit in self.limits.values()
        ]
        reported = [int(self.report.allowed) - self.started] if now < self.report.reset else []
        return max(0, min(available + reported)) if available else None

    def seconds_for(self, count: int, now: float) -> float:
        """Estimate the minimum number of seconds until ``count`` more requests are sent.

        Requests beyond the remaining quota are sent at the mean rate of the limit.
        """
        excess = max(0, count - (self.remaining(now) or 0))
        return max((excess * limit.window / limit.quota for limit in self.limits.values()), default=0.0)

    # -- events --------------------------------------------------------------------------------------------------------

    def start(self, now: float, process: int) -> InFlightRequest:
        """Count a request that ``process`` is about to send."""
        self.started += 1
        self.in_flight.append(InFlightRequest(self.started, self.finished, process, now))
        return self.in_flight[-1]

    def finish(
        self, request: InFlightRequest, now: float, status: int = 0, headers: t.Mapping[str, str] | None = None
    ) -> None:
        """Count a request as finished, and apply the rate limit headers of its response. Status 0 means no response."""
        matching = [one for one in self.in_flight if one[:3] == request[:3]]  # advance() may have changed ``since``
        if not matching:  # it timed out
            return
        self.in_flight.remove(matching[0])
        self.finished += 1
        self.log.append(now)
        if status:
            self._apply_headers(request, now, status, headers or {})

    def _apply_headers(self, request: InFlightRequest, now: float, status: int, headers: t.Mapping[str, str]) -> None:
        policies = parse_ratelimit(headers.get("Ratelimit-Policy", "")).items()
        limits = {
            name: RateLimit(item["q"], min(item["w"], MAX_WINDOW))
            for name, item in policies
            if item.get("q") and item.get("w")
        }
        reported = {name: item for name, item in parse_ratelimit(headers.get("Ratelimit", "")).items() if "r" in item}
        if limits or reported:
            self.limits = {
                name: limits.get(name) or self.limits.get(name) or DEFAULT_LIMIT for name in (*limits, *reported)
            }
        if status == 429:
            self._apply_rejection(
                now,
                retry_after(headers)
                or max((item.get("t", 0) for item in reported.values() if not item["r"]), default=0),
            )
        elif reported:
            self._apply_report(request, now, reported)
        elif (
            request.number > self.report.number
            and status < 500
            and (limits or not self.report.name or now >= self.report.at + HEADER_MAX_AGE)
        ):
            self.limits = limits or self.assumed
            self.report = ServerReport(request.number, allowed=math.inf, at=now)

    def _apply_report(
        self, request: InFlightRequest, now: float, reported: t.Mapping[str, t.Mapping[str, int]]
    ) -> None:
        previous = self.report
        name = min(reported, key=lambda name: (reported[name]["r"], -reported[name].get("t", 0)))
        remaining, seconds = reported[name]["r"], min(reported[name].get("t", self.limits[name].window), MAX_WINDOW)
        soonest, reset = request.since + seconds - HEADER_RESOLUTION, now + seconds
        if remaining + len(self.log) + len(self.in_flight) < self.limits[name].quota:
            reset += HEADER_RESOLUTION  # other clients used the quota too, at times that are not in the log
        if name == previous.name and now < previous.soonest and previous.reset < reset:
            soonest, reset = previous.soonest, previous.reset  # the previous reset is still to come
        if request.since <= previous.at:  # both were in flight, and the server may have counted either one last
            remaining = min(remaining, previous.remaining)
        if request.number > previous.number:  # otherwise the response to a later request was faster
            self.report = ServerReport(
                request.number, name, request.finished + 1 + reported[name]["r"], remaining, now, soonest, reset
            )
        elif previous.name:
            self.report = previous._replace(remaining=remaining)
        if not self.in_flight:
            self.report = self.report._replace(allowed=max(self.report.allowed, self.started + self.report.remaining))

    def _apply_rejection(self, now: float, seconds: float) -> None:
        """Delay all requests for these seconds, after which one may be sent. Ignore the reports of earlier requests."""
        until = max(now + min(seconds, MAX_WINDOW), -math.inf if self.report.name else self.report.reset)
        self.report = ServerReport(self.started, remaining=0, at=now, soonest=until, reset=until)
