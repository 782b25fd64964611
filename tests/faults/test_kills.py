# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that is killed at any request loses nothing, and the next run completes it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import pathlib
import random
import sqlite3
import typing as t
from dataclasses import dataclass, field

import pytest
from conftest import Count
from entrances import WHEN, Entrance
from local_edge.testing import Edge
from platforms import absent, neighbors, present
from runs import Run, Task
from states import Account, differences, read_account, violations

TENANTS, REMAINING = 200, 120


@dataclass(frozen=True)
class Case:
    """Tasks of other owners, those of the state before, and those that are killed."""

    tasks: list[Task]
    reverted: list[Task] = field(default_factory=list)
    others: list[Task] = field(default_factory=list)


FIRST = present(TENANTS, 1)
CASES = {
    "create": Case(present(TENANTS, 1), others=neighbors()),
    "change": Case(present(TENANTS, 2), FIRST, neighbors()),
    "prune": Case(present(REMAINING, 1), FIRST, neighbors()),
    "change and prune": Case(present(REMAINING, 2), FIRST, neighbors()),
    "destroy": Case(absent(), FIRST, neighbors()),
    "destroy all": Case(absent(), FIRST),
}
KILLS, SAMPLE = 102, 6
SEEDS = [seed if seed < SAMPLE else pytest.param(seed, marks=pytest.mark.slow) for seed in range(KILLS)]


@dataclass(frozen=True)
class Twin:
    """An undisturbed run: the state before it, as a copy and as a value, the state after it, and its requests."""

    copy: sqlite3.Connection
    before: Account
    after: Account
    requests: int


class Bench:
    """Runs tasks in processes of their own through an entrance to the edge."""

    def __init__(self, edge: Edge, way: Entrance, folder: pathlib.Path) -> None:
        self.edge, self.way, self.folder, self.count = edge, way, folder, 0

    def start(self, tasks: t.Sequence[Task], *hooks: tuple[int, str, t.Callable[[Run], t.Awaitable[None]]]) -> Run:
        """Start a run. A hook is called with it at a moment of the request with its number."""
        started: concurrent.futures.Future[Run] = concurrent.futures.Future()
        self.way.clear()
        for number, when, hook in hooks:
            self.way.at(number, when, functools.partial(_call_with, started, hook))
        self.count += 1
        environment = {
            "CLOUDFLARE_API_BASE_URL": self.way.api,
            "CLOUDFLARE_API_TOKEN": self.edge.token,
            "CLOUDFLARE_ACCOUNT_ID": self.edge.account,
        }
        started.set_result(Run(tasks, environment, self.folder / f"run-{self.count}"))
        return started.result()

    def complete(self, tasks: t.Sequence[Task]) -> Run:
        """Run tasks, of which none may fail."""
        run = self.start(tasks).wait()
        assert not run.error, run.error
        return run


async def _call_with(started: concurrent.futures.Future[Run], hook: t.Callable[[Run], t.Awaitable[None]]) -> None:
    await hook(await asyncio.wrap_future(started))


@pytest.fixture
def bench(edge: Edge, tmp_path: pathlib.Path) -> t.Iterator[Bench]:
    with Entrance(edge).opened() as way:
        yield Bench(edge, way, tmp_path)


TWINS: dict[str, Twin] = {}


def twin_of(case: str, bench: Bench) -> Twin:
    if case not in TWINS:
        bench.edge.reset()
        bench.complete([*CASES[case].others, *CASES[case].reverted])
        copy, before = bench.edge.snapshot(), read_account(bench.edge)
        bench.complete(CASES[case].tasks)
        TWINS[case] = Twin(copy, before, read_account(bench.edge), len(bench.way.requests))
    return TWINS[case]


@pytest.mark.parametrize("seed", SEEDS)
def test_run_killed_at_any_request_is_completed_by_next_run(seed: int, bench: Bench, count: Count) -> None:
    case, dice = list(CASES)[seed % len(CASES)], random.Random(seed)
    tasks, twin = CASES[case].tasks, twin_of(case, bench)
    bench.edge.restore(twin.copy)
    killed = kill_at(bench, tasks, dice.randrange(twin.requests), dice.choice(WHEN))
    assert not violations(read_account(bench.edge), twin.before, twin.after)
    is_reverted = bool(CASES[case].reverted) and dice.random() < 0.3
    tasks, expected = (CASES[case].reverted, twin.before) if is_reverted else (tasks, twin.after)
    bench.complete(tasks)
    assert not differences(read_account(bench.edge), expected)
    bench.edge.clear()
    again = bench.complete(tasks)
    assert (again.changed, bench.edge.writes()) == (False, [])
    count("kills", case, kills=1, killed_in_a_write=int(is_write(killed)), lost=0, doubled=0, not_converged=0)


def is_write(request: str) -> bool:
    return not request.startswith("GET")


def kill_at(bench: Bench, tasks: t.Sequence[Task], number: int, when: str) -> str:
    """Kill a run at a moment of one of its requests. Return that request."""

    async def kill(run: Run) -> None:
        run.kill()

    run = bench.start(tasks, (number, when, kill)).wait()
    bench.way.settle()
    assert run.was_killed, run.results
    return bench.way.requests[number]
