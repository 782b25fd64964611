# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measurements of a fleet, and their targets."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from measuring import Measure

COLLECTION = ("list", "file", "secret file")


@dataclass(frozen=True)
class Record:
    """The cost of an operation for a contender in a round. C(quota) is the rate limit as (requests, seconds)."""

    scenario: str
    contender: str
    count: int
    operation: str
    quota: tuple[int, int]
    measure: Measure

    @property
    def minimum_seconds(self) -> float:
        """Return the minimum seconds from the first to the last request that the rate limit allows."""
        requests, window = self.quota
        return (math.ceil(self.measure.requests / requests) - 1) * window


class Results:
    """All records of a run, with queries."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = list(records)

    def matching(self, **labels: Any) -> list[Record]:
        """Return the records with these labels."""
        return [
            record for record in self.records if all(getattr(record, name) == value for name, value in labels.items())
        ]

    def median(self, figure: str, **labels: Any) -> float | None:
        """Return the median of a figure over the rounds, or None if there is no record."""
        found = [getattr(record.measure, figure) for record in self.matching(**labels)]
        return statistics.median(found) if found else None


#: A measured value and its limit.
Pair = tuple[float, float]


@dataclass(frozen=True)
class Target:
    """A target. C(limit) is the limit as text. C(pairs) returns a pair per measured case."""

    name: str
    limit: str
    pairs: Callable[[Results], Iterable[Pair]]

    def worst(self, results: Results) -> Pair | None:
        """Return the pair that exceeds its limit most, or is nearest to it. None if nothing was measured."""
        return max(self.pairs(results), key=lambda pair: pair[0] - pair[1], default=None)


def requests(operation: str, limit: Callable[[int], float]) -> Callable[[Results], Iterator[Pair]]:
    """Compare the requests of an operation in every scenario with the limit for the number of tenants."""
    return lambda results: (
        (record.measure.requests, limit(record.count))
        for record in results.matching(operation=operation)
        if record.contender in COLLECTION
    )


def below(figure: str, limit: float, **labels: Any) -> Callable[[Results], Iterator[Pair]]:
    """Compare the median of a figure with a constant."""

    def pairs(results: Results) -> Iterator[Pair]:
        median = results.median(figure, **labels)
        if median is not None:
            yield median, limit

    return pairs


def compared_to(
    figure: str, factor: float, other: str, contender: str, **labels: Any
) -> Callable[[Results], Iterator[Pair]]:
    """Compare the median of a figure with that of another contender, times a factor."""

    def pairs(results: Results) -> Iterator[Pair]:
        value, reference = (results.median(figure, contender=one, **labels) for one in (contender, other))
        if value is not None and reference is not None:
            yield value, reference * factor

    return pairs


def largest(contender: str, count: int, megabytes: float) -> Callable[[Results], Iterator[Pair]]:
    """Compare the memory of the largest process of any operation with a limit."""
    return lambda results: (
        (record.measure.megabytes, megabytes) for record in results.matching(contender=contender, count=count)
    )


def near_minimum_time(factor: float) -> Callable[[Results], Iterator[Pair]]:
    """Compare the time from the first to the last request with the minimum, times a factor."""
    return lambda results: (
        (record.measure.span, factor * record.minimum_seconds)
        for record in results.matching(scenario="budget", count=120, operation="create")
    )


TARGETS = (
    Target("create: requests", "N + 20 + N/500", requests("create", lambda count: count + 20 + count / 500)),
    Target(
        "create 100: seconds",
        "0.5 x alchemy",
        compared_to("seconds", 0.5, "alchemy", "list", scenario="hundred", count=100, operation="create"),
    ),
    Target(
        "create 100, 100 ms away: seconds",
        "0.5 x alchemy",
        compared_to("seconds", 0.5, "alchemy", "file", scenario="far hundred", count=100, operation="create"),
    ),
    Target(
        "create 1000, 100 ms away: seconds",
        "1.3 x a bare client",
        compared_to("seconds", 1.3, "bare", "list", scenario="far thousand", count=1000, operation="create"),
    ),
    Target("no change: requests", "14 + N/500", requests("no change", lambda count: 14 + count / 500)),
    Target(
        "no change of 100: seconds",
        "0.35 x alchemy",
        compared_to("seconds", 0.35, "alchemy", "list", scenario="hundred", count=100, operation="no change"),
    ),
    Target(
        "no change of 100, 100 ms away: seconds",
        "0.35 x alchemy",
        compared_to("seconds", 0.35, "alchemy", "file", scenario="far hundred", count=100, operation="no change"),
    ),
    Target(
        "no change of 1000 in a list: seconds",
        "5",
        below("seconds", 5, scenario="thousand", contender="list", count=1000, operation="no change"),
    ),
    Target(
        "no change of 10,000 in a file: seconds",
        "10",
        below("seconds", 10, scenario="ten thousand", contender="file", count=10_000, operation="no change"),
    ),
    Target("one changed: requests", "15 + N/500", requests("one changed", lambda count: 15 + count / 500)),
    Target("one drifted: requests", "17 + N/500", requests("drifted", lambda count: 17 + count / 500)),
    Target("destroy: requests", "18 + N/500", requests("destroy", lambda count: 18 + count / 500)),
    Target(
        "three times the budget: answers of 429",
        "0",
        lambda results: ((record.measure.refused, 0) for record in results.matching(scenario="budget")),
    ),
    Target("three times the budget: seconds", "1.05 x the least", near_minimum_time(1.05)),
    Target("10,000 in a file: MB of the largest process", "300", largest("file", 10_000, 300)),
    Target(
        "10,000 with a secret each, create: requests",
        "without secrets",
        compared_to("requests", 1, "file", "secret file", scenario="secrets", count=10_000, operation="create"),
    ),
    Target(
        "10,000 with a secret each, create: seconds",
        "2 x without secrets",
        compared_to("seconds", 2, "file", "secret file", scenario="secrets", count=10_000, operation="create"),
    ),
    Target(
        "10,000 with a secret each, no change: requests",
        "without secrets",
        compared_to("requests", 1, "file", "secret file", scenario="secrets", count=10_000, operation="no change"),
    ),
    Target(
        "10,000 with a secret each, no change: seconds",
        "2 x without secrets",
        compared_to("seconds", 2, "file", "secret file", scenario="secrets", count=10_000, operation="no change"),
    ),
)
