# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trials: a scenario under one fault, compared with its undisturbed twin."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

import pytest
from account_state import account_state, differences
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare import connections, shapes
from disturbances import ANY_BYTES, EMPTY_LIST, FALSE_ACKNOWLEDGMENTS, FOREVER, LASTING, READ_FAULTS, WRITE_FAULTS
from harness import Result, Runner
from proxy import Disturbance, Fault, FaultProxy, restore_snapshot, take_snapshot
from scenarios import BoundRole, Scenario
from test_info import INFOS, info_class, without
from virtual_time import VirtualTime

STALL_TIMEOUT = (10, 0.5)  # seconds; a request that it ends by mistake is one more lost response
LATER = 5000.0  # seconds until the next run: every wait that a rate limit can require
UNREADABLE = re.compile(r'^different: bindings .*"secret_text"')  # a value that no read shows
UNMANAGED = re.compile("^(lost: tags|different: (scripts|dns_records)) ")  # of an object that seemed to be new
LEDGER_WRITE = re.compile("^PUT .*/storage/kv/namespaces/[^/]+/bulk$")
CLEAR_MESSAGE = re.compile(r"[A-Z]+ /|api_url|https?://|Run again|: |There is no ")


@dataclass(frozen=True)
class Trial:
    """A fault of one request of a scenario, once or each time the request is sent."""

    key: str
    occurrence: int
    fault: Fault
    times: int

    def __str__(self) -> str:
        often = "always" if self.times == FOREVER else "once"
        return f"{self.key} ({self.occurrence}): {self.fault} {often}"


def is_consistent_lie(trial: Trial) -> bool:
    """Whether the response is one of the API, but not true: an empty list, or a write that was not stored."""
    if trial.key.startswith("GET "):
        return trial.fault.name == EMPTY_LIST
    return str(trial.fault) in FALSE_ACKNOWLEDGMENTS


@dataclass
class Verdict:
    """The outcome of a trial, and everything that is wrong with it."""

    outcome: str
    problems: list[str] = field(default_factory=list)


class Laboratory:
    """Runs a scenario again and again from the same state."""

    def __init__(self, run: Runner, proxy: FaultProxy, clock: VirtualTime, monkeypatch: pytest.MonkeyPatch) -> None:
        self.run, self.proxy, self.edge, self.clock = run, proxy, proxy.edge, clock
        self.monkeypatch = monkeypatch

    def prepare(self, scenario: Scenario | BoundRole) -> list[Trial]:
        """Run a scenario undisturbed, and return all trials."""
        self.scenario = scenario
        scenario.prepare(self.run)
        self.before = take_snapshot(self.edge)
        self.proxy.replica.restore(self.before)
        self.proxy.disturb(None)
        self.twin_result = scenario.play(self.run)
        assert not self.twin_result.get("failed"), self.twin_result
        keys = dict(self.proxy.keys)
        self.twin = account_state(self.edge)
        return [trial for key, count in keys.items() for trial in trials_of(key, count)]

    def try_fault(self, trial: Trial) -> Verdict:
        restore_snapshot(self.edge, self.before)
        self.edge.clear()
        self.proxy.disturb(Disturbance(trial.fault, trial.key, trial.occurrence, trial.times))
        with self.monkeypatch.context() as patch:
            if "stalled" in trial.fault.name:
                patch.setattr(connections, "TIMEOUT", STALL_TIMEOUT)
            first = self.scenario.play(self.run)
        disturbed = self.proxy.disturbed
        self.proxy.deliver_late()
        self.proxy.disturb(None)
        self.clock.sleep(LATER)
        if not disturbed:
            return Verdict("not met")
        verdict = self.judge_failure(first) if first.get("failed") else self.judge_success(trial, first)
        return self.judge_next(trial, verdict)

    def judge_success(self, trial: Trial, first: Result) -> Verdict:
        verdict = Verdict("converged")
        wrong = differences(account_state(self.edge), self.twin)
        if wrong and is_consistent_lie(trial):
            verdict.outcome = "believed"
        elif wrong and set(first["warnings"]) <= set(self.twin_result["warnings"]):
            verdict.problems += [f"success, but {one}" for one in wrong]
        elif wrong:
            verdict.outcome = "warned"
        found, expected = self.objects_of(first), self.objects_of(self.twin_result)
        if found != expected and is_consistent_lie(trial):
            verdict.outcome = "believed"
        elif found != expected:
            verdict.problems.append(f"success, but found {found} instead of {expected}")
        return verdict

    def objects_of(self, result: Result) -> t.Any:
        """Return the objects that an info module found, without values that change over time."""
        module = self.scenario.name.partition(",")[0]
        if module not in INFOS:
            return None
        return [without(item, INFOS[module].volatile) for item in result[info_class(module).result_key]]

    def judge_failure(self, first: Result) -> Verdict:
        verdict, message = Verdict("failed"), str(first.get("msg", ""))
        if "is a bug" in message or "Traceback" in message or first.get("exception"):
            verdict.problems.append(f"a traceback: {message}")
        if not CLEAR_MESSAGE.search(message):
            verdict.problems.append(f"an unclear message: {message!r}")
        return verdict

    def judge_next(self, trial: Trial, verdict: Verdict) -> Verdict:
        """Run again, undisturbed: the result must be that of the twin, and a further run must find nothing to do."""
        again = self.scenario.play(self.run)
        if again.get("failed"):
            verdict.problems.append(f"the next run fails: {again['msg']}")
            return verdict
        # A ledger that the disturbed run could not store comes back.
        if verdict.outcome == "converged" and not all(LEDGER_WRITE.search(one) for one in again["operations"]):
            verdict.problems.append(f"the next run changes {again['operations']}")
        wrong = differences(account_state(self.edge), self.twin)
        if is_consistent_lie(trial):
            wrong = [one for one in wrong if not UNREADABLE.search(one) and not UNMANAGED.search(one)]
        verdict.problems += [f"after the next run, {one}" for one in wrong]
        if not again["changed"]:
            return verdict
        last = self.scenario.play(self.run, check=True)
        if last.get("failed") or (last["changed"] and not wrong):
            verdict.problems.append(f"later runs: {last.get('msg') or last['operations']}")
        return verdict


def trials_of(key: str, count: int) -> t.Iterator[Trial]:
    """Yield the trials of requests that are sent so many times: each one once, and the first one each time."""
    method, path = key.split(" ", 1)
    faults = READ_FAULTS if method == "GET" else WRITE_FAULTS
    shape = shapes.find(method, path)
    if shape and shape.result == "bytes":
        faults = tuple(fault for fault in faults if fault.name not in ANY_BYTES)
    for occurrence in range(1, count + 1):
        yield from (Trial(key, occurrence, fault, 1) for fault in faults)
    yield from (Trial(key, 1, fault, FOREVER) for fault in faults if fault.name in LASTING)
