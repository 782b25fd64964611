# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was measured of a fleet, and what it was to be."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from measuring import Measure

OURS = ("list", "file", "secret file")


@dataclass(frozen=True)
class Record:
    """What an operation cost a contender in a round of a scenario. C(quota) is the budget of the API: requests in seconds."""

    scenario: str
    contender: str
    count: int
    operation: str
    quota: tuple[int, int]
    measure: Measure

    @property
    def least(self) -> float:
        """The least seconds from the first request to the last in which no window holds more than the quota."""
        requests, window = self.quota
        return (math.ceil(self.measure.requests / requests) - 1) * window


class Results:
    """All records of a run."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = list(records)

    def those(self, **labels: Any) -> list[Record]:
        """The records that bear these labels."""
        return [
            record for record in self.records if all(getattr(record, name) == value for name, value in labels.items())
        ]

    def median(self, figure: str, **labels: Any) -> float | None:
        """The median of a figure over the rounds; None if there was none."""
        found = [getattr(record.measure, figure) for record in self.those(**labels)]
        return statistics.median(found) if found else None


#: What was measured and what it may be at most.
Pair = tuple[float, float]


@dataclass(frozen=True)
class Target:
    """C(limit) in words; C(pairs) has a pair for each case that was measured."""

    what: str
    limit: str
    pairs: Callable[[Results], Iterable[Pair]]

    def worst(self, results: Results) -> Pair | None:
        """The pair that is nearest to its limit, or farthest beyond; None if nothing was measured."""
        return max(self.pairs(results), key=lambda pair: pair[0] - pair[1], default=None)


def requests(operation: str, limit: Callable[[int], float]) -> Callable[[Results], Iterator[Pair]]:
    """The requests of an operation, in every scenario, against what they may be for so many tenants."""
    return lambda results: (
        (record.measure.requests, limit(record.count))
        for record in results.those(operation=operation)
        if record.contender in OURS
    )


def within(figure: str, limit: float, **labels: Any) -> Callable[[Results], Iterator[Pair]]:
    """The median of a figure against a number."""

    def pairs(results: Results) -> Iterator[Pair]:
        median = results.median(figure, **labels)
        if median is not None:
            yield median, limit

    return pairs


def beside(
    figure: str, factor: float, other: str, contender: str, **labels: Any
) -> Callable[[Results], Iterator[Pair]]:
    """The median of a figure against that of another contender, so many times."""

    def pairs(results: Results) -> Iterator[Pair]:
        ours, theirs = (results.median(figure, contender=one, **labels) for one in (contender, other))
        if ours is not None and theirs is not None:
            yield ours, theirs * factor

    return pairs


def largest(contender: str, count: int, megabytes: float) -> Callable[[Results], Iterator[Pair]]:
    """The largest process of any operation."""
    return lambda results: (
        (record.measure.megabytes, megabytes) for record in results.those(contender=contender, count=count)
    )


def paced(factor: float) -> Callable[[Results], Iterator[Pair]]:
    """From the first request to the last, against the least time that this can take."""
    return lambda results: (
        (record.measure.span, factor * record.least)
        for record in results.those(scenario="budget", count=120, operation="create")
    )


TARGETS = (
    Target("create: requests", "N + 20 + N/500", requests("create", lambda count: count + 20 + count / 500)),
    Target(
        "create 100: seconds",
        "0.5 x alchemy",
        beside("seconds", 0.5, "alchemy", "list", scenario="hundred", count=100, operation="create"),
    ),
    Target(
        "create 100, 100 ms away: seconds",
        "0.5 x alchemy",
        beside("seconds", 0.5, "alchemy", "file", scenario="far hundred", count=100, operation="create"),
    ),
    Target(
        "create 1000, 100 ms away: seconds",
        "1.3 x a bare client",
        beside("seconds", 1.3, "bare", "list", scenario="far thousand", count=1000, operation="create"),
    ),
    Target("no change: requests", "14 + N/500", requests("no change", lambda count: 14 + count / 500)),
    Target(
        "no change of 100: seconds",
        "0.35 x alchemy",
        beside("seconds", 0.35, "alchemy", "list", scenario="hundred", count=100, operation="no change"),
    ),
    Target(
        "no change of 100, 100 ms away: seconds",
        "0.35 x alchemy",
        beside("seconds", 0.35, "alchemy", "file", scenario="far hundred", count=100, operation="no change"),
    ),
    Target(
        "no change of 1000 in a list: seconds",
        "5",
        within("seconds", 5, scenario="thousand", contender="list", count=1000, operation="no change"),
    ),
    Target(
        "no change of 10,000 in a file: seconds",
        "10",
        within("seconds", 10, scenario="ten thousand", contender="file", count=10_000, operation="no change"),
    ),
    Target("one changed: requests", "15 + N/500", requests("one changed", lambda count: 15 + count / 500)),
    Target("one drifted: requests", "17 + N/500", requests("drifted", lambda count: 17 + count / 500)),
    Target("destroy: requests", "18 + N/500", requests("destroy", lambda count: 18 + count / 500)),
    Target(
        "three times the budget: answers of 429",
        "0",
        lambda results: ((record.measure.refused, 0) for record in results.those(scenario="budget")),
    ),
    Target("three times the budget: seconds", "1.05 x the least", paced(1.05)),
    Target("10,000 in a file: MB of the largest process", "300", largest("file", 10_000, 300)),
    Target(
        "10,000 with a secret each, create: requests",
        "without secrets",
        beside("requests", 1, "file", "secret file", scenario="secrets", count=10_000, operation="create"),
    ),
    Target(
        "10,000 with a secret each, create: seconds",
        "2 x without secrets",
        beside("seconds", 2, "file", "secret file", scenario="secrets", count=10_000, operation="create"),
    ),
    Target(
        "10,000 with a secret each, no change: requests",
        "without secrets",
        beside("requests", 1, "file", "secret file", scenario="secrets", count=10_000, operation="no change"),
    ),
    Target(
        "10,000 with a secret each, no change: seconds",
        "2 x without secrets",
        beside("seconds", 2, "file", "secret file", scenario="secrets", count=10_000, operation="no change"),
    ),
)
