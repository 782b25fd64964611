# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Odd values in every option of every module, at every depth.

A value of the wrong type is refused before the first request, by a message that names its option. Any other value is
refused by such a message, by the API, or accepted. No run ends in an exception, or in one that this collection calls a
bug, and no message carries a huge value, a control character or text that UTF-8 cannot express.
"""

from __future__ import annotations

import copy
import json
import re
import typing as t

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.resource import Convergible
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.text import MAX_MESSAGE
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import AUTH, STATE
from conftest import Count
from harness import Runner
from hypothesis import given
from hypothesis import strategies as st
from local_edge.testing import Edge
from odd_values import ELEMENT, Options, Place, odd_value, places, tries
from test_info import INFOS
from test_resource_laws import CASES, prepare_case, resource_classes

API = {"path": "/accounts"}
KINDS = {name: kind for name, kind in resource_classes(Convergible).items() if name in (*CASES, *INFOS, "api")}
MODULES = sorted(KINDS)
SAMPLE, ALL = 8, 260  # examples for each module and property
MAX_PLACES = 4  # odd values in one run
COLUMNS = ("refused_before_any_request", "failed_later", "accepted")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def places_of(module: str) -> list[Place]:
    kind = KINDS[module]
    return list(places({**kind.spec(), **(STATE if kind.has_state else {}), **AUTH}))


def prepare(run: Runner, module: str) -> Options:
    """Create the prerequisites of a module. Return valid options."""
    if module in CASES:
        return prepare_case(run, module).create
    return API if module == "api" else {**INFOS[module].scope}


def check_texts(result: t.Mapping[str, t.Any]) -> None:
    """Refuse messages that are not printable, too long, or reports of a bug."""
    members = (member for value in result.values() if isinstance(value, list) for member in value)
    messages = [result.get("msg", ""), *result["warnings"]]
    messages += [member["msg"] for member in members if isinstance(member, dict) and isinstance(member.get("msg"), str)]
    for message in messages:
        message.encode()
        assert "is a bug" not in message and "Traceback" not in message, message
        assert len(message) < MAX_MESSAGE + 100 and not CONTROL.search(message), message[:200]
    json.dumps(result)


def add_row(count: Count, module: str, outcomes: t.Mapping[str, int]) -> None:
    figures = {column: outcomes.get(column, 0) for column in COLUMNS}
    count("inputs", module, tried=sum(figures.values()), **figures, tracebacks=0)


def outcome(edge: Edge, result: t.Mapping[str, t.Any]) -> str:
    """Return the column of a result in the table."""
    if not result.get("failed"):
        return "accepted"
    return "failed_later" if edge.requests() else "refused_before_any_request"


def try_wrong_types(run: Runner, edge: Edge, module: str, examples: int, count: Count) -> None:
    options, all_places, kind = prepare(run, module), places_of(module), KINDS[module]
    outcomes: dict[str, int] = {}

    @tries(examples)
    @given(st.data())
    def refuses(data: st.DataObject) -> None:
        place = data.draw(st.sampled_from(all_places), "place")
        value = data.draw(st.sampled_from(place.wrong_values), "value")
        edge.clear()
        result = run(module, check=data.draw(st.booleans(), "check"), **place.set(copy.deepcopy(options), value))
        check_texts(result)
        assert result.get("failed"), result
        if place.path[:2] != (kind.list_option, ELEMENT):  # else the other elements converge
            assert edge.requests() == [], result["msg"]
        assert place.names[0] in result["msg"] or place.names[0] == kind.list_option, result["msg"]
        assert place.names[-1] in result["msg"], result["msg"]
        outcomes[outcome(edge, result)] = outcomes.get(outcome(edge, result), 0) + 1

    refuses()
    add_row(count, module, outcomes)


def try_odd_values(run: Runner, edge: Edge, module: str, examples: int, count: Count) -> None:
    options, all_places = prepare(run, module), places_of(module)
    names = {name for place in all_places for name in (*place.names, *place.option.get("aliases", ()))}
    outcomes: dict[str, int] = {}

    @tries(examples)
    @given(st.data())
    def survives(data: st.DataObject) -> None:
        arguments, check = copy.deepcopy(options), data.draw(st.booleans(), "check")
        for place in data.draw(st.lists(st.sampled_from(all_places), min_size=1, max_size=MAX_PLACES), "places"):
            arguments = place.set(arguments, data.draw(odd_value(place.option), str(place)))
        edge.clear()
        result = run(module, check=check, **arguments)
        check_texts(result)
        assert not (check and edge.writes())
        column = outcome(edge, result)
        if column == "refused_before_any_request":
            assert any(name in result["msg"] for name in names), result["msg"]
        outcomes[column] = outcomes.get(column, 0) + 1

    survives()
    add_row(count, module, outcomes)


@pytest.mark.parametrize("module", MODULES)
def test_module_refuses_some_wrong_types(run: Runner, edge: Edge, module: str, count: Count) -> None:
    try_wrong_types(run, edge, module, SAMPLE, count)


@pytest.mark.parametrize("module", MODULES)
def test_module_survives_some_odd_values(run: Runner, edge: Edge, module: str, count: Count) -> None:
    try_odd_values(run, edge, module, SAMPLE, count)


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_module_refuses_wrong_types(run: Runner, edge: Edge, module: str, count: Count) -> None:
    try_wrong_types(run, edge, module, ALL, count)


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_module_survives_odd_values(run: Runner, edge: Edge, module: str, count: Count) -> None:
    try_odd_values(run, edge, module, ALL, count)
