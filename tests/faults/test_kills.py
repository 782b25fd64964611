# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that is killed at any request loses nothing, and the next run completes it."""

from __future__ import annotations

import pathlib
import random
import sqlite3
import typing as t
from dataclasses import dataclass, field

import pytest
from conftest import Count
from entrances import WHEN
from local_edge.testing import Edge
from operators import Operator, operator_of
from platforms import absent, neighbors, present
from runs import Run, Task
from states import Account, dangling_records, differences, read_account, violations

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


@pytest.fixture
def operator(edge: Edge, tmp_path: pathlib.Path) -> t.Iterator[Operator]:
    with operator_of(edge, tmp_path) as one:
        yield one


TWINS: dict[str, Twin] = {}


def twin_of(case: str, operator: Operator) -> Twin:
    if case not in TWINS:
        operator.edge.reset()
        operator.complete([*CASES[case].others, *CASES[case].reverted])
        copy, before = operator.edge.snapshot(), read_account(operator.edge)
        operator.complete(CASES[case].tasks)
        TWINS[case] = Twin(copy, before, read_account(operator.edge), len(operator.way.requests))
    return TWINS[case]


@pytest.mark.parametrize("seed", SEEDS)
def test_run_killed_at_any_request_is_completed_by_next_run(seed: int, operator: Operator, count: Count) -> None:
    case, dice = list(CASES)[seed % len(CASES)], random.Random(seed)
    tasks, twin = CASES[case].tasks, twin_of(case, operator)
    operator.edge.restore(twin.copy)
    killed = kill_at(operator, tasks, dice.randrange(twin.requests), dice.choice(WHEN))
    now = read_account(operator.edge)
    assert not violations(now, twin.before, twin.after)
    assert not dangling_records(now)
    is_reverted = bool(CASES[case].reverted) and dice.random() < 0.3
    tasks, expected = (CASES[case].reverted, twin.before) if is_reverted else (tasks, twin.after)
    operator.converge(tasks)
    assert not differences(read_account(operator.edge), expected)
    count("kills", case, kills=1, killed_in_a_write=int(is_write(killed)), lost=0, doubled=0, not_converged=0)


def is_write(request: str) -> bool:
    return not request.startswith("GET")


def kill_at(operator: Operator, tasks: t.Sequence[Task], number: int, when: str) -> str:
    """Kill a run at a moment of one of its requests. Return that request."""

    async def kill(run: Run) -> None:
        run.kill()

    run = operator.start(tasks, (number, when, kill)).wait()
    operator.way.settle()
    assert run.was_killed, run.results
    return operator.way.requests[number]
