# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every fault of every request of every module: a run converges, or fails clearly and the next run converges."""

from __future__ import annotations

import itertools
import os
import pathlib
import random
import typing as t

import pytest
import yaml
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare import connections
from conftest import Count
from credulous_client import believe_everything
from disturbances import BELIEVABLE
from harness import Result, Runner
from in_process import ACCOUNT, TOKEN, ZONES
from local_edge.testing import Edge, running
from play_server import PlayServer
from proxy import FaultProxy, proxy_of
from scenarios import ROLE, ROLE_SCENARIOS, SCENARIOS, BoundRole, RoleScenario, Scenario
from test_resource_laws import Options
from trials import Laboratory
from virtual_time import VirtualTime

Role = t.Callable[[Options, bool], Result]
SEED = 14
SAMPLE, ROLE_SAMPLE, ROLE_TRIALS = 5, 1, 150  # trials of each scenario; a play takes a second
NOTICED = 25  # of each of two scenarios: trials that a client which believes every response must fail
SHOWN = 30  # problems of one scenario


@pytest.fixture(scope="session")
def proxy(control_plane: Edge) -> t.Iterator[FaultProxy]:
    with running(token=TOKEN, accounts=[ACCOUNT], zones=ZONES) as replica:
        replica.store.cipher = control_plane.store.cipher
        with proxy_of(control_plane, replica) as proxy:
            yield proxy


@pytest.fixture(scope="session")
def virtual_time() -> VirtualTime:
    return VirtualTime()


@pytest.fixture
def laboratory(
    run: Runner, proxy: FaultProxy, virtual_time: VirtualTime, monkeypatch: pytest.MonkeyPatch
) -> Laboratory:
    virtual_time.install(monkeypatch)
    monkeypatch.setenv("CLOUDFLARE_API_BASE_URL", proxy.api)
    return Laboratory(run, proxy, virtual_time, monkeypatch)


@pytest.fixture(scope="session")
def play_server() -> t.Iterator[PlayServer]:
    server = PlayServer()
    yield server
    server.close()


@pytest.fixture
def role(play_server: PlayServer, virtual_time: VirtualTime, tmp_path: pathlib.Path) -> Role:
    """Run the role platform with these variables, in check mode or not."""
    playbook = tmp_path / "site.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "roles": [ROLE]}]))

    def run_role(variables: Options, check: bool) -> Result:
        job = {"playbook": str(playbook), "variables": variables, "check": check}
        environment = {name: value for name, value in os.environ.items() if name.startswith(("CLOUDFLARE_", "XDG_"))}
        job |= {"environment": environment, "timeout": connections.TIMEOUT, "waited": virtual_time.waited}
        return play_server.play(job)

    return run_role


def try_faults(
    laboratory: Laboratory, scenario: Scenario | BoundRole, count: Count, sample: int = 0, share: int = 1
) -> list[str]:
    """Try a sample of the faults of a scenario, or a share, count the outcomes, and return everything that is wrong."""
    trials = laboratory.prepare(scenario)
    number = min(sample or -(-len(trials) // share), len(trials))
    trials = random.Random(f"{SEED} {scenario}").sample(trials, number)
    wrong = []
    for trial in trials:
        verdict = laboratory.try_fault(trial)
        wrong += [f"{scenario}: {trial}: {verdict.outcome}: {problem}" for problem in verdict.problems]
        if verdict.outcome != "not met":
            figures = {name: int(verdict.outcome == name) for name in ("converged", "warned", "believed", "failed")}
            figures = {"tried": 1, **figures, "wrong": int(bool(verdict.problems))}
            count("faults", trial.fault.kind, **figures)
            count("faults by module", scenario.group, **figures)
    return wrong


def check(wrong: list[str]) -> None:
    if wrong:
        pytest.fail("\n".join([f"{len(wrong)} problems:", *wrong[:SHOWN]]), pytrace=False)


@pytest.fixture
def sampled(request: pytest.FixtureRequest, count: Count) -> Count:
    """Count, unless the exhaustive tests of the same run do."""
    return count if "not slow" in request.config.getoption("markexpr") else lambda _table, _row, **_figures: None


@pytest.fixture
def share(request: pytest.FixtureRequest) -> int:
    """Return the number of trials of which the exhaustive tests try one."""
    return int(request.config.getoption("--share"))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_scenario_meets_some_faults(laboratory: Laboratory, sampled: Count, scenario: Scenario) -> None:
    check(try_faults(laboratory, scenario, sampled, SAMPLE))


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_scenario_meets_all_faults(laboratory: Laboratory, count: Count, share: int, scenario: Scenario) -> None:
    check(try_faults(laboratory, scenario, count, share=share))


@pytest.mark.parametrize("scenario", ROLE_SCENARIOS, ids=str)
def test_role_meets_some_faults(laboratory: Laboratory, sampled: Count, role: Role, scenario: RoleScenario) -> None:
    check(try_faults(laboratory, scenario.bind(role), sampled, ROLE_SAMPLE))


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ROLE_SCENARIOS, ids=str)
def test_role_meets_many_faults(
    laboratory: Laboratory, count: Count, role: Role, share: int, scenario: RoleScenario
) -> None:
    check(try_faults(laboratory, scenario.bind(role), count, ROLE_TRIALS // share))


@pytest.mark.parametrize("name", ["queue_info, gather", "kv_namespace, remove"])
def test_client_that_believes_every_response_is_noticed(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A test of the tests."""
    believe_everything(monkeypatch)
    trials = [
        trial
        for trial in laboratory.prepare(next(one for one in SCENARIOS if one.name == name))
        if trial.fault.name in BELIEVABLE and trial.times == 1 and trial.key.startswith("GET")
    ]
    wrong = (trial for trial in trials if laboratory.try_fault(trial).problems)
    assert len(list(itertools.islice(wrong, NOTICED))) == NOTICED
