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

FORGOTTEN = 150.0  # seconds: longer than any answer is waited for
FRESH = 30.0  # seconds for which what remains is trusted before one request asks again
FORESIGHT = 3600.0  # seconds for which a time to come is trusted
ROUNDING = 1.0  # seconds: the server tells whole ones, and may round either way
SOONEST, LATEST = 0.005, 1.0  # seconds between two looks for an answer that is awaited


class Limit(t.NamedTuple):
    """So many requests in so many seconds."""

    quota: int
    window: int


class Flight(t.NamedTuple):
    """A request that was sent: its number, how many had been answered by then, the process that sent it, and when."""

    number: int
    answered: int
    process: int
    since: float


class Word(t.NamedTuple):
    """What the server said in its answer to the request of that number, of the limit of that name: up to which number requests are
    C(allowed), what was C(remaining), and that there will be more between C(soonest) and C(reset)."""

    number: int = 0
    name: str = ""
    allowed: float = 0
    remaining: int = 1
    at: float = -math.inf
    soonest: float = -math.inf
    reset: float = -math.inf


NOTHING = Word()
CLOUDFLARE = Limit(1200, 300)  # per user or account token; then everything is blocked for 5 minutes
Limits = dict[str, Limit]


def items_of(header: str) -> dict[str, dict[str, int]]:
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
class Budget:
    """C(limits) are what the server said, or what is C(assumed) of one that says nothing, by name. C(departed) and C(answered) count
    requests, C(flights) are those in between, and C(log) is when each was answered, oldest first, as far back as a limit goes."""

    assumed: Limits
    limits: Limits
    departed: int = 0
    answered: int = 0
    flights: list[Flight] = field(default_factory=list)
    word: Word = NOTHING
    log: array.array[float] = field(default_factory=lambda: array.array("d"))

    # -- as bytes ------------------------------------------------------------------------------------------------------

    def dump(self) -> bytes:
        """Return it as bytes."""
        head = json.dumps([self.limits, self.departed, self.answered, self.flights, self.word]).encode()
        body = head + b"\n" + self.log.tobytes()
        return b"%08x" % zlib.crc32(body) + body

    @classmethod
    def load(cls, content: bytes, assumed: Limits) -> Budget:
        """Return what C(dump) made bytes of. Of anything else, a budget of which nothing is known."""
        check, body = content[:8], content[8:]
        if check != b"%08x" % zlib.crc32(body):
            return cls(assumed, assumed)
        head, _end, log = body.partition(b"\n")
        limits, departed, answered, flights, word = json.loads(head)
        named = {name: Limit(*limit) for name, limit in limits.items()}
        return cls(
            assumed,
            named,
            departed,
            answered,
            [Flight(*flight) for flight in flights],
            Word(*word),
            array.array("d", log),
        )

    # -- as time goes by -----------------------------------------------------------------------------------------------

    def advance(self, now: float, lives: t.Callable[[int], bool]) -> None:
        """Bring it to this moment: what lies in the future happened now, and what is old or whose process C(lives) no more is forgotten."""
        past = bisect.bisect_right(self.log, now)
        self.log[past:] = array.array("d", [now] * (len(self.log) - past))
        if self.word.at > now:
            back = self.word.at - now
            self.word = self.word._replace(at=now, soonest=self.word.soonest - back, reset=self.word.reset - back)
        self.flights = [flight._replace(since=min(flight.since, now)) for flight in self.flights]
        for flight in self.flights.copy():
            if now - flight.since > FORGOTTEN or not lives(flight.process):
                self.land(flight, now)
        horizon = max((limit.window for limit in self.limits.values()), default=0)
        del self.log[: self._expired(horizon + ROUNDING, now)]

    def _expired(self, window: float, now: float) -> int:
        """Return how many of the log are a window old."""
        return bisect.bisect_right(self.log, now, key=lambda answered: answered + window)

    # -- when a request may go -----------------------------------------------------------------------------------------

    def delay(self, now: float) -> float:
        """Return for how many seconds none may go, or until it is worth looking again; 0 where one may go now."""
        return max(0.0, self._unsure(now), *(self._full(limit, now) for limit in self.limits.values()))

    def _full(self, limit: Limit, now: float) -> float:
        room = limit.quota - len(self.flights)
        if room <= 0:
            return self._look(now)
        return self.log[-room] + limit.window - now if room <= len(self.log) else 0.0

    def _unsure(self, now: float) -> float:
        if self.departed < self.word.allowed and now < self.word.at + FRESH:
            return 0.0
        if self.flights:
            return self._look(now)
        return 0.0 if self.word.remaining else self.word.reset - now

    def _look(self, now: float) -> float:
        """The longer an answer takes, the less often it is looked for."""
        return min(max(SOONEST, (now - self.flights[-1].since) / 4), LATEST)

    def left(self, now: float) -> int | None:
        """Return how many requests the budget still allows now, as far as known; None where nothing limits them."""
        room = [
            limit.quota - len(self.flights) - len(self.log) + self._expired(limit.window, now)
            for limit in self.limits.values()
        ]
        said = [int(self.word.allowed) - self.departed] if now < self.word.reset else []
        return max(0, min(room + said)) if room else None

    def seconds_for(self, count: int, now: float) -> float:
        """Return about how long it takes at least until so many more may have gone: those beyond what is left go at the limit's mean rate."""
        beyond = max(0, count - (self.left(now) or 0))
        return max((beyond * limit.window / limit.quota for limit in self.limits.values()), default=0.0)

    # -- what happens --------------------------------------------------------------------------------------------------

    def depart(self, now: float, process: int) -> Flight:
        """Count a request that is about to be sent."""
        self.departed += 1
        self.flights.append(Flight(self.departed, self.answered, process, now))
        return self.flights[-1]

    def land(self, flight: Flight, now: float, status: int = 0, headers: t.Mapping[str, str] | None = None) -> None:
        """Count a request as answered, and heed what its answer says. Without a status it had none."""
        known = [one for one in self.flights if one[:3] == flight[:3]]
        if not known:  # for longer than any answer is waited for
            return
        self.flights.remove(known[0])
        self.answered += 1
        self.log.append(now)
        if status:
            self._heed(flight, now, status, headers or {})

    def _heed(self, flight: Flight, now: float, status: int, headers: t.Mapping[str, str]) -> None:
        policies = items_of(headers.get("Ratelimit-Policy", "")).items()
        limits = {name: Limit(item["q"], item["w"]) for name, item in policies if item.get("q") and item.get("w")}
        said = {name: item for name, item in items_of(headers.get("Ratelimit", "")).items() if "r" in item}
        if limits or said:
            self.limits = {name: limits.get(name) or self.limits.get(name) or CLOUDFLARE for name in (*limits, *said)}
        if status == 429:
            self._refused(
                now,
                retry_after(headers) or max((item.get("t", 0) for item in said.values() if not item["r"]), default=0),
            )
        elif said:
            self._told(flight, now, said)
        elif (
            flight.number > self.word.number
            and status < 500
            and (limits or not self.word.name or now >= self.word.at + FRESH)
        ):
            self.limits = limits or self.assumed
            self.word = Word(flight.number, allowed=math.inf, at=now)

    def _told(self, flight: Flight, now: float, said: t.Mapping[str, t.Mapping[str, int]]) -> None:
        before, name = self.word, min(said, key=lambda name: (said[name]["r"], -said[name].get("t", 0)))
        remaining, seconds = said[name]["r"], min(said[name].get("t", self.limits[name].window), FORESIGHT)
        soonest, reset = flight.since + seconds - ROUNDING, now + seconds
        if remaining + len(self.log) + len(self.flights) < self.limits[name].quota:
            reset += ROUNDING  # others spend too, and when theirs will be old, our log cannot tell
        if name == before.name and now < before.soonest and before.reset < reset:
            soonest, reset = before.soonest, before.reset  # what was foretold before has not happened yet
        if flight.since <= before.at:  # both were in flight at once, and which was counted last is not known
            remaining = min(remaining, before.remaining)
        if flight.number > before.number:  # else a newer one was answered before
            self.word = Word(flight.number, name, flight.answered + 1 + said[name]["r"], remaining, now, soonest, reset)
        elif before.name:
            self.word = before._replace(remaining=remaining)
        if not self.flights:
            self.word = self.word._replace(allowed=max(self.word.allowed, self.departed + self.word.remaining))

    def _refused(self, now: float, seconds: float) -> None:
        """Hold back whoever asks, until one may try; what was sent before says nothing of the time after."""
        until = max(now + min(seconds, FORESIGHT), -math.inf if self.word.name else self.word.reset)
        self.word = Word(self.departed, remaining=0, at=now, soonest=until, reset=until)
