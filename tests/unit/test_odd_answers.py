# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Odd answers: no response that is not the API's counts as a success, an empty list or an absent object.

Every module meets each of them in place of the responses to its reads and to its writes. A run then fails with a
message, or it reaches the state of an undisturbed run, which the next run confirms. The exhaustive tests are slow; the
others try a part.
"""

from __future__ import annotations

import copy
import gzip
import itertools
import typing as t

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine import converge
from credulous_client import believe_everything
from harness import Runner
from local_edge.testing import Edge
from odd_answers import JSON_TYPE, OddAnswers, envelope
from test_thin_answers import SCENARIOS, Scenario

Answer = dict[str, t.Any]
HTML = {"Content-Type": "text/html"}
GZIP = {**JSON_TYPE, "Content-Encoding": "gzip"}
LOCATION = "https://login.example.com/?next=x"
# Some endpoints may answer without content, and the result of a write may be null.
NOT_OF_API: dict[str, Answer] = {
    "redirect": {"status": 301, "headers": {"Location": LOCATION}},
    "temporary redirect": {"status": 307, "headers": {"Location": LOCATION, **JSON_TYPE}, "body": envelope(result=[])},
    "broken redirect": {"status": 302, "headers": {"Location": "http://[::1"}},
    "not modified": {"status": 304},
    "HTML": {"body": b"<html>Sign in</html>", "headers": HTML},
    "broken JSON": {"body": envelope(result=[])[:-9]},
    "null": {"body": b"null"},
    "list": {"body": b"[]"},
    "object": {"body": b"{}"},
    "bare result": {"body": b'{"result": [], "errors": []}'},
    "success as text": {"body": b'{"success": "true", "result": []}'},
    "too deep": {"body": b"[" * 100_000},
    "NaN": {"body": envelope(result=[])[:-1] + b', "x": NaN}'},
    "truncated": {"body": envelope(result=[]), "headers": {**JSON_TYPE, "Content-Length": "500"}},
    "not gzip": {"body": envelope(result=[]), "headers": GZIP},
    "cut gzip": {
        "body": gzip.compress(envelope(result=[]))[:-12],
        "headers": GZIP,
    },
    "two lengths": {"body": envelope(), "headers": {**JSON_TYPE, "Content-Length": "5, 6"}},
}
NO_CONTENT: dict[str, Answer] = {"no content": {"status": 204}, "empty": {}}
NO_RESULT: dict[str, Answer] = {"null result": {"body": envelope(result=None)}, "no result": {"body": envelope()}}
TO_READS = {**NOT_OF_API, **NO_CONTENT, **NO_RESULT}
TO_WRITES = {**NOT_OF_API, **NO_CONTENT}
WRITES = "^(?!.*(bulk/get|/assets))"
QUICK_SHARE = 6  # the quick tests try one answer of so many


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> OddAnswers:
    monkeypatch.setattr(converge, "VERIFY_TIMEOUT", 0.0)
    return OddAnswers(monkeypatch)


def part_of(scenario: Scenario, answers: t.Mapping[str, Answer], share: int) -> t.Iterator[tuple[str, Answer]]:
    """Yield a part of the answers, another one for each scenario."""
    return itertools.islice(answers.items(), SCENARIOS.index(scenario) % share, None, share)


def try_all_reads(run: Runner, odd: OddAnswers, scenario: Scenario, share: int) -> None:
    """Run a scenario with an odd answer to all reads: it must fail and write nothing."""
    options = scenario.prepare(run)
    for name, answer in part_of(scenario, TO_READS, share):
        odd.add("GET", ".", **answer, times=1000, performed=False)
        message = run.refused(scenario.module, **copy.deepcopy(options))
        odd.clear()
        assert "GET " in message, (name, message)


def try_each_request(run: Runner, edge: Edge, odd: OddAnswers, scenario: Scenario, share: int) -> list[str]:
    """Run a scenario with an odd answer to all attempts of each request in turn. Return the deviations."""
    options = scenario.prepare(run)
    before, deviations = edge.snapshot(), []
    edge.clear()
    undisturbed = run.ok(scenario.module, **copy.deepcopy(options))
    counts = {True: len(edge.writes()), False: len(edge.requests()) - len(edge.writes())}
    requests = [(is_write, number) for is_write in counts for number in range(counts[is_write])]
    answers = [*part_of(scenario, TO_READS, share), *part_of(scenario, TO_WRITES, share)]
    for (is_write, number), (name, answer), performed in itertools.product(requests, answers, (False, True)):
        if (not is_write and performed) or (is_write and name in NO_RESULT):
            continue
        edge.restore(before)
        methods, path = ("PUT|POST|PATCH|DELETE", WRITES) if is_write else ("GET", ".")
        odd.add(methods, path, **answer, times=4, skip=number, performed=performed)
        deviation = converges(run, scenario.module, options, odd, undisturbed["warnings"])
        if deviation:
            deviations.append(f"{name} to {methods} {number}, performed: {performed}: {deviation}")
    return deviations


def converges(
    run: Runner, module: str, options: dict[str, t.Any], odd: OddAnswers, usual_warnings: t.Collection[str]
) -> str:
    """Run a module until it changes nothing. Return a deviation: a bug, a false success, or a change for ever.

    A run that leaves something to the next one may succeed with a warning.
    """
    first = run(module, **copy.deepcopy(options))
    odd.clear()
    if "is a bug" in first.get("msg", ""):
        return str(first["msg"])
    second, third = (run(module, **copy.deepcopy(options)) for _each in range(2))
    if second.get("failed") or third.get("failed"):
        return f"fails for ever: {second.get('msg')} {third.get('msg')}"
    if not first.get("failed") and second["changed"] and set(first["warnings"]) <= set(usual_warnings):
        return f"succeeded, and the next run sent {second['operations']}"
    return f"the third run sent {third['operations']}" if third["changed"] else ""


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_module_believes_no_odd_answer_to_reads(run: Runner, edge: Edge, odd: OddAnswers, scenario: Scenario) -> None:
    try_all_reads(run, odd, scenario, QUICK_SHARE)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_module_believes_none_of_all_odd_answers(run: Runner, edge: Edge, odd: OddAnswers, scenario: Scenario) -> None:
    try_all_reads(run, odd, scenario, 1)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [one for one in SCENARIOS if one.stage != "gather"], ids=str)
def test_module_converges_after_odd_answer(run: Runner, edge: Edge, odd: OddAnswers, scenario: Scenario) -> None:
    assert try_each_request(run, edge, odd, scenario, QUICK_SHARE) == []


def test_client_that_believes_every_response_is_noticed(
    run: Runner, edge: Edge, odd: OddAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    believe_everything(monkeypatch)
    with pytest.raises(AssertionError):
        try_all_reads(run, odd, Scenario("kv_namespace", "remove"), 1)
    odd.clear()
    edge.reset()
    assert try_each_request(run, edge, odd, Scenario("kv_entries", "create"), QUICK_SHARE)
