# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs at the same time: nothing is lost or doubled, the one that lost reports it, and the next run converges.

In half of the races, one run is held at a request until the other has ended. In the others, both run freely.
"""

from __future__ import annotations

import asyncio
import json
import pathlib
import random
import sqlite3
import typing as t
from dataclasses import dataclass, field

import pytest
from conftest import Count
from entrances import WHEN
from fleets_at_random import ExternalClient
from local_edge.testing import Edge, running
from operators import Operator, operator_of
from platforms import NAMESPACE, absent, code, fleet, foundation, neighbors, present, tenant
from runs import Run, Task
from states import Account, differences, read_account, violations

TENANTS = 20
LISTING = "/tenants/scripts"
Pair = tuple[Operator, Operator]


@dataclass(frozen=True)
class Case:
    """The tasks of both runs, and those before them."""

    first: list[Task]
    second: list[Task]
    earlier: list[Task] = field(default_factory=neighbors)


CASES = {
    "two checkouts": Case(present(TENANTS, 2), present(TENANTS, 3), [*neighbors(), *present(TENANTS, 1)]),
    "two runs, creating": Case(present(TENANTS, 1), present(TENANTS, 1), []),
    "two runs, changing": Case(present(TENANTS, 2), present(TENANTS, 2), [*neighbors(), *present(TENANTS, 1)]),
    "deployment and removal": Case(present(TENANTS, 2), absent(), [*neighbors(), *present(TENANTS, 1)]),
}
SEEDS = range(8)
SAMPLED = 1


def cases(names: t.Iterable[str]) -> list[t.Any]:
    return [
        pytest.param(name, seed, marks=[] if seed < SAMPLED else pytest.mark.slow) for name in names for seed in SEEDS
    ]


@pytest.fixture
def operators(edge: Edge, tmp_path: pathlib.Path) -> t.Iterator[Pair]:
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    with operator_of(edge, folders[0]) as first, operator_of(edge, folders[1]) as second:
        yield first, second


@dataclass(frozen=True)
class Race:
    """Both runs after their end. ``seen`` tells whether the first run listed the Workers after the second had ended."""

    runs: tuple[Run, Run]
    is_seen: bool
    moment: str = ""
    """The request at which the first run was held."""


def race(operators: Pair, case: Case, dice: random.Random, requests: int) -> Race:
    first, second = operators
    if dice.random() < 0.5:
        both = first.start(case.first), second.start(case.second)
        return Race((both[0].wait(), both[1].wait()), is_seen=False)
    inner: list[Run] = []
    position = 0

    async def run_second(_run: Run) -> None:
        nonlocal position
        inner.append(await asyncio.to_thread(lambda: second.start(case.second).wait()))
        position = len(first.way.requests)

    number, when = dice.randrange(requests), dice.choice(WHEN)
    outer = first.start(case.first, (number, when, run_second)).wait()
    later = first.way.requests[position:]
    is_seen = any(one.startswith("GET") and one.endswith(LISTING) for one in later)
    return Race((outer, inner[0]), is_seen, f"{when} {first.way.requests[number]}")


@dataclass(frozen=True)
class Reached:
    """The states after the earlier tasks and after each of some lists of tasks from there, and a copy of the first.

    ``requests`` are those of the first list.
    """

    copy: sqlite3.Connection
    states: list[Account]
    requests: list[str]


REACHED: dict[str, Reached] = {}


def reach(name: str, one: Operator, earlier: list[Task], *orders: list[Task]) -> Reached:
    """Run undisturbed, once for all tests of a name, and leave the edge in the state after the earlier tasks."""
    if name not in REACHED:
        one.edge.reset()
        one.complete(earlier)
        # A Worker that is deleted and created again has another date, in whole seconds.
        one.edge.store.db.execute("update scripts set created_on = '2026-01-01T00:00:00.000000Z'")
        found, requests = Reached(one.edge.snapshot(), [read_account(one.edge)], []), list[list[str]]()
        for tasks in orders:
            one.edge.restore(found.copy)
            one.complete(tasks)
            found.states.append(read_account(one.edge))
            requests.append(list(one.way.requests))
        found.requests.extend(requests[0])
        REACHED[name] = found
    one.edge.restore(REACHED[name].copy)
    return REACHED[name]


@pytest.mark.parametrize(("name", "seed"), cases(CASES))
def test_two_runs_of_one_owner(name: str, seed: int, operators: Pair, count: Count) -> None:
    case, dice = CASES[name], random.Random(seed)
    found = reach(name, operators[0], case.earlier, case.first, case.second)
    before, after_first, after_second = found.states
    result = race(operators, case, dice, len(found.requests))
    now = read_account(operators[0].edge)
    assert not violations(now, before, after_first, after_second)
    first_lost = bool(differences(now, after_first))
    is_silent = first_lost and result.is_seen and not (result.runs[0].error or result.runs[0].warnings)
    assert not is_silent, (differences(now, after_first), result.moment, result.runs[0].results)
    for operator, tasks, expected in (
        (operators[0], case.first, after_first),
        (operators[1], case.second, after_second),
    ):
        operator.converge(tasks)
        assert not differences(read_account(operator.edge), expected)
    count("races", name, races=1, lost=0, doubled=0, silent=0, not_converged=0)


# -- two owners --------------------------------------------------------------------------------------------------------


def platform_of(owner: str, prefix: str, version: int) -> list[Task]:
    tenants = [tenant(number, version, prefix) for number in range(TENANTS)]
    return [*foundation(), fleet(tenants, owner, prune=True, prune_limit="100%")]


@pytest.mark.parametrize(("name", "seed"), cases(["two owners"]))
def test_two_owners_do_not_touch_each_other(name: str, seed: int, operators: Pair, count: Count) -> None:
    case = Case(platform_of("mine", "t", 2), platform_of("others", "u", 2), platform_of("mine", "t", 1))
    orders = case.first, [*case.first, *case.second]
    found = reach(name, operators[0], case.earlier, *orders)
    before, _first, together = found.states
    race(operators, case, random.Random(seed), len(found.requests))
    assert not violations(read_account(operators[0].edge), before, together)
    for operator, tasks in zip(operators, (case.first, case.second), strict=True):
        operator.converge(tasks)
    assert not differences(read_account(operators[0].edge), together)
    count("races", name, races=1, lost=0, doubled=0, silent=0, not_converged=0)


@pytest.mark.parametrize(("name", "seed"), cases(["two owners of the same names"]))
def test_two_owners_of_same_names_each_worker_has_one(name: str, seed: int, operators: Pair, count: Count) -> None:
    case = Case(platform_of("mine", "t", 2), platform_of("others", "t", 3), foundation())
    found = reach(name, operators[0], case.earlier, case.first, case.second)
    result = race(operators, case, random.Random(seed), len(found.requests))
    now = read_account(operators[0].edge)
    assert not violations(now, *found.states)
    assert len(now.workers) == TENANTS
    lost = {worker.owner for worker in now.workers.values()}
    for number, (owner, other) in enumerate((("mine", "others"), ("others", "mine"))):
        if other in lost and (number or result.is_seen):
            assert result.runs[number].error, f"{owner} does not report that it lost Workers"
    for owner, operator, tasks in zip(("mine", "others"), operators, (case.first, case.second), strict=True):
        operator.edge.clear()
        again = operator.start(tasks).wait()
        assert bool(again.error) == (lost != {owner}), again.error
    assert {name: worker.owner for name, worker in read_account(operators[0].edge).workers.items()} == {
        name: worker.owner for name, worker in now.workers.items()
    }
    count("races", name, races=1, lost=0, doubled=0, silent=0, not_converged=0)


# -- other clients -----------------------------------------------------------------------------------------------------


Change = t.Callable[[Edge, str], None]


def send(edge: Edge, name: str, method: str, path: str = "", **options: t.Any) -> None:
    ExternalClient(edge, NAMESPACE, name).send(method, path, **options)


def upload(edge: Edge, name: str) -> None:
    """Upload a Worker without tags, as wrangler does."""
    metadata = {"main_module": "w.js", "compatibility_date": "2026-01-01", "keep_bindings": ["secret_text"]}
    module = ("w.js", code("theirs"), "application/javascript+module")
    send(edge, name, "PUT", files={"metadata": (None, json.dumps(metadata), "application/json"), "w.js": module})


def set_variable(edge: Edge, name: str) -> None:
    bindings = [{"name": "PLAN", "type": "plain_text", "text": "theirs"}, {"name": "KEY", "type": "inherit"}]
    send(edge, name, "PATCH", "/settings", files={"settings": (None, json.dumps({"bindings": bindings}))})


CHANGES: dict[str, Change] = {
    "wrangler uploads": upload,
    "an operator sets a variable": set_variable,
    "an operator deletes the Worker": lambda edge, name: send(edge, name, "DELETE"),
    "an operator deletes a secret": lambda edge, name: send(edge, name, "DELETE", "/secrets/KEY"),
    "an operator sets a secret": lambda edge, name: send(
        edge, name, "PUT", "/secrets", json={"name": "KEY", "text": "secret-by-hand-1", "type": "secret_text"}
    ),
    "an operator removes the tags": lambda edge, name: send(edge, name, "PUT", "/tags", json=[]),
}


def deeper(tasks: t.Sequence[Task]) -> list[Task]:
    fleets = {"namespaced_workers": {"drift_detection": "content"}}
    return [Task(task.module, {**task.options, **fleets.get(task.module, {})}, task.when) for task in tasks]


@pytest.mark.parametrize(("name", "seed"), cases(CHANGES))
def test_external_change_during_a_run_is_repaired(name: str, seed: int, operators: Pair, count: Count) -> None:
    case, dice = CASES["two checkouts"], random.Random(seed)
    found, edge = reach("external change", operators[0], case.earlier, case.first), operators[0].edge
    number = dice.randrange(TENANTS)

    async def change(_run: Run) -> None:
        await asyncio.to_thread(CHANGES[name], edge, f"t{number:03}")

    moment = dice.randrange(len(found.requests)), dice.choice(WHEN)
    run = operators[0].start(case.first, (*moment, change)).wait()
    operators[0].converge(case.first)
    is_deeper = number % 5 == 2 and bool(differences(read_account(edge), found.states[1]))
    if is_deeper:  # the responses to secrets and tags have no date, and may hide a change right before them
        operators[0].complete(deeper(case.first))
    assert not differences(read_account(edge), found.states[1]), (moment, run.warnings)
    count("races", name, races=1, lost=0, doubled=0, silent=0, not_converged=0, found_by_content_only=is_deeper)


def test_worker_deleted_before_its_update_gets_all_secrets(operators: Pair) -> None:
    one, versions = operators[0], ([fleet([tenant(0, version)], concurrency=1)] for version in (1, 2))
    earlier, tasks = versions
    found = reach("deleted before its update", one, [*foundation(), *earlier], tasks)
    update = next(number for number, request in enumerate(found.requests) if request.startswith("PUT"))

    async def delete(_run: Run) -> None:
        await asyncio.to_thread(send, one.edge, "t000", "DELETE")

    run = one.start(tasks, (update, "before", delete)).wait()
    assert not run.error and not differences(read_account(one.edge), found.states[1])
    one.converge(tasks)


# -- one rate limit ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kills_one", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_three_plays_share_one_rate_limit(kills_one: bool, tmp_path: pathlib.Path, count: Count) -> None:
    plays = {owner: [fleet([tenant(number, 1, owner) for number in range(TENANTS)], owner)] for owner in "xyz"}
    with running(rate_limit="40/3", zones=["example.com"]) as edge, operator_of(edge, tmp_path) as one:
        one.complete(foundation())
        edge.clear()
        runs = [Run(tasks, one.environment, tmp_path) for tasks in plays.values()]
        if kills_one:
            while not edge.writes():
                assert runs[0].process.is_alive()
            runs[0].kill()
        assert [run.wait().error for run in runs[int(kills_one) :]] == [""] * (3 - kills_one)
        one.complete([task for tasks in plays.values() for task in tasks])
        assert len(read_account(edge).workers) == 3 * TENANTS
        assert {request["status"] for request in edge.requests()} <= {200, 404}
    count("races", "three plays, one rate limit", races=1, lost=0, doubled=0, silent=0, not_converged=0)
