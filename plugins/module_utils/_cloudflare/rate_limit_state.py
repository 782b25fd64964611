# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of a budget of requests, and what follows from it. Times are seconds since 1970; nothing here has a clock.

Two accounts are kept, and a request goes when both allow it.

Ours: no window ever holds more than its quota. A request counts from when it is sent until a window after its answer, for only
the server knows when in between it was counted.

The server's: others spend the same budget, so its last answer decides. What it says remains is less than it seems by the
requests that were in flight beside its own, as it may not have counted them. Once nothing remains, one request goes when the
server said that there would be some again, and its answer says how many may follow.
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

IN_FLIGHT_TIMEOUT = 150.0  # seconds: longer than any answer is waited for
HEADER_MAX_AGE = 30.0  # seconds for which what remains is trusted before one request asks again
MAX_RESET = 3600.0  # seconds for which a time to come is trusted
HEADER_RESOLUTION = 1.0  # seconds: the server tells whole ones, and may round either way
MIN_POLL_INTERVAL, MAX_POLL_INTERVAL = 0.005, 1.0  # seconds between two looks for an answer that is awaited


class RateLimit(t.NamedTuple):
    """So many requests in so many seconds."""

    quota: int
    window: int


class InFlightRequest(t.NamedTuple):
    """A request that was sent: its number, how many had been answered by then, the process that sent it, and when."""

    number: int
    finished: int
    process: int
    since: float


class ServerReport(t.NamedTuple):
    """What the server said in its answer to the request of that number, of the limit of that name: up to which number requests are
    C(allowed), what was C(remaining), and that there will be more between C(soonest) and C(reset)."""

    number: int = 0
    name: str = ""
    allowed: float = 0
    remaining: int = 1
    at: float = -math.inf
    soonest: float = -math.inf
    reset: float = -math.inf


NO_REPORT = ServerReport()
DEFAULT_LIMIT = RateLimit(1200, 300)  # per user or account token; then everything is blocked for 5 minutes
Limits = dict[str, RateLimit]


def parse_ratelimit(header: str) -> dict[str, dict[str, int]]:
    """Parse a list such as C("default";r=50;t=30, "burst";r=9;t=1): numbers by letter, by name."""
    found = (item.partition(";") for item in header.split(","))
    return {
        name.strip(' "'): {key: int(number) for key, number in re.findall(r"(\w+)=(\d{1,9})\b", rest)}
        for name, _semicolon, rest in found
        if rest
    }


def retry_after(headers: t.Mapping[str, str]) -> float:
    """Return for how many seconds an answer asks to hold back."""
    asked = headers.get("Retry-After", "")
    return float(asked) if asked.isdecimal() else 0.0


@dataclass
class RateLimitState:
    """C(limits) are what the server said, or what is C(assumed) of one that says nothing, by name. C(departed) and C(answered) count
    requests, C(flights) are those in between, and C(log) is when each was answered, oldest first, as far back as a limit goes."""

    assumed: Limits
    limits: Limits
    started: int = 0
    finished: int = 0
    in_flight: list[InFlightRequest] = field(default_factory=list)
    report: ServerReport = NO_REPORT
    log: array.array[float] = field(default_factory=lambda: array.array("d"))

    # -- as bytes ------------------------------------------------------------------------------------------------------

    def dump(self) -> bytes:
        """Return it as bytes."""
        head = json.dumps([self.limits, self.started, self.finished, self.in_flight, self.report]).encode()
        body = head + b"\n" + self.log.tobytes()
        return b"%08x" % zlib.crc32(body) + body

    @classmethod
    def load(cls, content: bytes, assumed: Limits) -> RateLimitState:
        """Return what C(dump) made bytes of. Of anything else, a budget of which nothing is known."""
        check, body = content[:8], content[8:]
        if check != b"%08x" % zlib.crc32(body):
            return cls(assumed, assumed)
        head, _end, log = body.partition(b"\n")
        limits, started, answered, in_flight, report = json.loads(head)
        named = {name: RateLimit(*limit) for name, limit in limits.items()}
        return cls(
            assumed,
            named,
            started,
            answered,
            [InFlightRequest(*flight) for flight in in_flight],
            ServerReport(*report),
            array.array("d", log),
        )

    # -- as time goes by -----------------------------------------------------------------------------------------------

    def advance(self, now: float, is_alive: t.Callable[[int], bool]) -> None:
        """Bring it to this moment: what lies in the future happened now, and what is old or whose process C(lives) no more is forgotten."""
        past = bisect.bisect_right(self.log, now)
        self.log[past:] = array.array("d", [now] * (len(self.log) - past))
        if self.report.at > now:
            back = self.report.at - now
            self.report = self.report._replace(
                at=now, soonest=self.report.soonest - back, reset=self.report.reset - back
            )
        self.in_flight = [flight._replace(since=min(flight.since, now)) for flight in self.in_flight]
        for flight in self.in_flight.copy():
            if now - flight.since > IN_FLIGHT_TIMEOUT or not is_alive(flight.process):
                self.finish(flight, now)
        horizon = max((limit.window for limit in self.limits.values()), default=0)
        del self.log[: self._expired(horizon + HEADER_RESOLUTION, now)]

    def _expired(self, window: float, now: float) -> int:
        """Return how many of the log are a window old."""
        return bisect.bisect_right(self.log, now, key=lambda answered: answered + window)

    # -- when a request may go -----------------------------------------------------------------------------------------

    def delay(self, now: float) -> float:
        """Return for how many seconds none may go, or until it is worth looking again; 0 where one may go now."""
        return max(0.0, self._server_delay(now), *(self._window_delay(limit, now) for limit in self.limits.values()))

    def _window_delay(self, limit: RateLimit, now: float) -> float:
        room = limit.quota - len(self.in_flight)
        if room <= 0:
            return self._poll_interval(now)
        return self.log[-room] + limit.window - now if room <= len(self.log) else 0.0

    def _server_delay(self, now: float) -> float:
        if self.started < self.report.allowed and now < self.report.at + HEADER_MAX_AGE:
            return 0.0
        if self.in_flight:
            return self._poll_interval(now)
        return 0.0 if self.report.remaining else self.report.reset - now

    def _poll_interval(self, now: float) -> float:
        """The longer an answer takes, the less often it is looked for."""
        return min(max(MIN_POLL_INTERVAL, (now - self.in_flight[-1].since) / 4), MAX_POLL_INTERVAL)

    def remaining(self, now: float) -> int | None:
        """Return how many requests the budget still allows now, as far as known; None where nothing limits them."""
        room = [
            limit.quota - len(self.in_flight) - len(self.log) + self._expired(limit.window, now)
            for limit in self.limits.values()
        ]
        reported = [int(self.report.allowed) - self.started] if now < self.report.reset else []
        return max(0, min(room + reported)) if room else None

    def seconds_for(self, count: int, now: float) -> float:
        """Return about how long it takes at least until so many more may have gone: those beyond what is left go at the limit's mean rate."""
        beyond = max(0, count - (self.remaining(now) or 0))
        return max((beyond * limit.window / limit.quota for limit in self.limits.values()), default=0.0)

    # -- what happens --------------------------------------------------------------------------------------------------

    def start(self, now: float, process: int) -> InFlightRequest:
        """Count a request that is about to be sent."""
        self.started += 1
        self.in_flight.append(InFlightRequest(self.started, self.finished, process, now))
        return self.in_flight[-1]

    def finish(
        self, flight: InFlightRequest, now: float, status: int = 0, headers: t.Mapping[str, str] | None = None
    ) -> None:
        """Count a request as answered, and heed what its answer says. Without a status it had none."""
        known = [one for one in self.in_flight if one[:3] == flight[:3]]
        if not known:  # for longer than any answer is waited for
            return
        self.in_flight.remove(known[0])
        self.finished += 1
        self.log.append(now)
        if status:
            self._apply_headers(flight, now, status, headers or {})

    def _apply_headers(self, flight: InFlightRequest, now: float, status: int, headers: t.Mapping[str, str]) -> None:
        policies = parse_ratelimit(headers.get("Ratelimit-Policy", "")).items()
        limits = {name: RateLimit(item["q"], item["w"]) for name, item in policies if item.get("q") and item.get("w")}
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
            self._apply_report(flight, now, reported)
        elif (
            flight.number > self.report.number
            and status < 500
            and (limits or not self.report.name or now >= self.report.at + HEADER_MAX_AGE)
        ):
            self.limits = limits or self.assumed
            self.report = ServerReport(flight.number, allowed=math.inf, at=now)

    def _apply_report(self, flight: InFlightRequest, now: float, reported: t.Mapping[str, t.Mapping[str, int]]) -> None:
        before, name = self.report, min(reported, key=lambda name: (reported[name]["r"], -reported[name].get("t", 0)))
        remaining, seconds = reported[name]["r"], min(reported[name].get("t", self.limits[name].window), MAX_RESET)
        soonest, reset = flight.since + seconds - HEADER_RESOLUTION, now + seconds
        if remaining + len(self.log) + len(self.in_flight) < self.limits[name].quota:
            reset += HEADER_RESOLUTION  # others spend too, and when theirs will be old, our log cannot tell
        if name == before.name and now < before.soonest and before.reset < reset:
            soonest, reset = before.soonest, before.reset  # what was foretold before has not happened yet
        if flight.since <= before.at:  # both were in flight at once, and which was counted last is not known
            remaining = min(remaining, before.remaining)
        if flight.number > before.number:  # else a newer one was answered before
            self.report = ServerReport(
                flight.number, name, flight.finished + 1 + reported[name]["r"], remaining, now, soonest, reset
            )
        elif before.name:
            self.report = before._replace(remaining=remaining)
        if not self.in_flight:
            self.report = self.report._replace(allowed=max(self.report.allowed, self.started + self.report.remaining))

    def _apply_rejection(self, now: float, seconds: float) -> None:
        """Hold back whoever asks, until one may try; what was sent before says nothing of the time after."""
        until = max(now + min(seconds, MAX_RESET), -math.inf if self.report.name else self.report.reset)
        self.report = ServerReport(self.started, remaining=0, at=now, soonest=until, reset=until)
