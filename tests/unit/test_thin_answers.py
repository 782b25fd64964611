# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Thin answers: every module meets responses in which each key in turn is missing, null, empty or of another type.

A run then fails with a message, or it converges: the next run meets the same responses and finds nothing to do, unless
the module does not read what it has written. No run ends in an exception that this collection calls a bug. The cases
are those of the laws of resources and of info modules, so a new module is covered by its case. The exhaustive tests are
slow; the others try a part.
"""

from __future__ import annotations

import copy
import json
import typing as t
from dataclasses import dataclass

import pytest
import requests
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare import shapes
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.client import Client
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine import converge
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.resource import ApiObject
from harness import Runner
from local_edge.testing import Edge
from tenant import CODE, SECRET, WORKER, get
from test_info import INFOS, create_object, create_prerequisites
from test_resource_laws import CASES, Options, prepare_case, resource_classes

EACH = "[]"  # in a path: every element of a list
KINDS = ("missing", "null", "empty", "other")
QUICK_SHARE = 40  # the quick tests try one mutation of so many


@dataclass(frozen=True)
class Mutation:
    """A change of all responses of one endpoint: the value at a path of their JSON."""

    endpoint: str
    path: tuple[str, ...]
    kind: str

    def __str__(self) -> str:
        return f"{self.endpoint}: {'.'.join(self.path)} {self.kind}"

    def apply(self, envelope: t.Any) -> None:
        """Change the values in place."""
        for parent in _parents(envelope, self.path[:-1]):
            key = self.path[-1]
            places: t.Iterable[t.Any] = ()
            if key == EACH and isinstance(parent, list):
                places = range(len(parent))
            elif isinstance(parent, dict) and key in parent:
                places = [key]
            for place in places:
                if self.kind == "missing" and isinstance(parent, dict):
                    del parent[place]
                else:
                    parent[place] = replacement(parent[place], self.kind)


def replacement(value: t.Any, kind: str) -> t.Any:
    if kind == "empty":
        return type(value)()
    return None if kind in ("null", "missing") else "other" if isinstance(value, (dict, list, int)) else 7


def _parents(value: t.Any, path: t.Sequence[str]) -> t.Iterator[t.Any]:
    if not path:
        yield value
    elif path[0] == EACH:
        for element in value if isinstance(value, list) else ():
            yield from _parents(element, path[1:])
    elif isinstance(value, dict) and path[0] in value:
        yield from _parents(value[path[0]], path[1:])


def paths_of(value: t.Any, prefix: tuple[str, ...] = ()) -> t.Iterator[tuple[tuple[str, ...], t.Any]]:
    """Yield the path and the value of every key and of the elements of every list, at any depth."""
    items: t.Iterable[tuple[str, t.Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = [(EACH, element) for element in value]
    for key, inner in items:
        yield (*prefix, key), inner
        yield from paths_of(inner, (*prefix, key))


class Transport:
    """Records the JSON of all responses, and applies a mutation to them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mutation: Mutation | None = None
        self.mutations: dict[Mutation, None] = {}
        self.hidden: tuple[tuple[str, ...], ...] = ()
        send = Client._send

        def send_mutated(client: Client, method: str, path: str, kwargs: t.Any) -> requests.Response:
            response = send(client, method, path, kwargs)
            if "json" in response.headers.get("Content-Type", "") and response.ok:
                response._content = json.dumps(self.meet(method, path, response.json())).encode()
            return response

        monkeypatch.setattr(Client, "_send", send_mutated)

    def meet(self, method: str, path: str, envelope: t.Any) -> t.Any:
        shape = shapes.find(method, path)
        endpoint, kinds = str(shape), KINDS if shape and shape.result != "unused" else ("missing",)
        for place, value in paths_of(envelope):
            self.mutations.update(
                (Mutation(endpoint, place, kind), None)
                for kind in kinds
                if not (kind == "empty" and value in (None, type(value)())) and not (kind == "null" and value is None)
            )
        if self.mutation and self.mutation.endpoint == endpoint:
            self.mutation.apply(envelope)
        for path in self.hidden:
            Mutation(endpoint, path, "missing").apply(envelope)
        return envelope

    def hide(self, *paths: tuple[str, ...]) -> None:
        """Leave these keys out of the responses of all endpoints."""
        self.hidden = paths


@pytest.fixture
def transport(monkeypatch: pytest.MonkeyPatch) -> Transport:
    monkeypatch.setattr(converge, "VERIFY_TIMEOUT", 0.0)
    return Transport(monkeypatch)


@dataclass(frozen=True)
class Scenario:
    """One run of a module, and what must exist before it."""

    module: str
    stage: str

    def __str__(self) -> str:
        return f"{self.module}-{self.stage}"

    def prepare(self, run: Runner) -> Options:
        """Create what must exist. Return the options of the run."""
        if self.module in INFOS:
            info = INFOS[self.module]
            create_object(run, info, {**create_prerequisites(run, info), **info.first})
            return {**info.scope, **info.full_detail}
        case = prepare_case(run, self.module)
        if self.stage == "create":
            return case.create
        run.ok(self.module, **copy.deepcopy(case.create))
        return case.change if self.stage == "change" else {"state": "absent", **case.identity, **case.removal}


SCENARIOS = [
    *(Scenario(name, stage) for name in CASES for stage in ("create", "change", "remove")),
    *(Scenario(name, "gather") for name in INFOS),
]


def is_verified(module: str) -> bool:
    """Whether the module reads what it has written, and fails if it finds something else."""
    kind = resource_classes(ApiObject).get(module)
    return kind is not None and t.cast("type[ApiObject]", kind).verify_after_write


def try_mutations(run: Runner, edge: Edge, transport: Transport, scenario: Scenario, share: int) -> int:
    """Run a scenario under each mutation of its responses, or a part of them, and return their number."""
    options = scenario.prepare(run)
    snapshot = edge.snapshot()
    transport.mutations.clear()
    run.ok(scenario.module, **copy.deepcopy(options))
    mutations = list(transport.mutations)
    mutations = mutations[len(mutations) % share :: share] or mutations[:1]
    wrong = []
    for mutation in mutations:
        edge.restore(snapshot)
        transport.mutation = mutation
        for check in (False, True) if is_verified(scenario.module) else (False,):
            result = run(scenario.module, check=check, **copy.deepcopy(options))
            if "is a bug" in result.get("msg", ""):
                wrong.append(f"{mutation}: {result['msg']}")
            if result.get("failed"):
                break
            if check and result["changed"]:
                wrong.append(f"{mutation}: the second run would send {result['operations']}")
        transport.mutation = None
    assert not wrong, "\n".join([f"{len(wrong)} of {len(mutations)} in {scenario}:", *wrong])
    return len(mutations)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_module_meets_some_thin_answers(run: Runner, edge: Edge, transport: Transport, scenario: Scenario) -> None:
    assert try_mutations(run, edge, transport, scenario, QUICK_SHARE)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_module_meets_thin_answers(run: Runner, edge: Edge, transport: Transport, scenario: Scenario) -> None:
    print(f"{scenario}: {try_mutations(run, edge, transport, scenario, 1)} mutations")


@pytest.mark.parametrize("kind", ["missing", "null"])
@pytest.mark.parametrize("code", [{}, {"content": f"{CODE}//"}], ids=["without code", "with code"])
def test_settings_without_bindings_lose_no_secret_and_no_binding(
    run: Runner, edge: Edge, transport: Transport, code: Options, kind: str
) -> None:
    run.ok("dispatch_namespace", name="tenants")
    bindings = [{"name": "AI", "type": "ai"}]
    run.ok("namespaced_worker", **WORKER, vars={"PLAN": "free"}, bindings=bindings, secrets={"KEY": SECRET})
    transport.mutation = Mutation(f"GET {shapes.NAMESPACED}/{{script}}/settings", ("result", "bindings"), kind)
    identity = {name: WORKER[name] for name in ("dispatch_namespace", "name")}
    date = {"compatibility_date": WORKER["compatibility_date"]} if code else {}
    run.ok("namespaced_worker", **identity, **code, **date, vars={"PLAN": "pro"})
    transport.mutation = None
    found = {binding["name"]: binding["type"] for binding in get(run, edge, "/bindings")}
    assert found == {"AI": "ai", "KEY": "secret_text", "PLAN": "plain_text"}


def test_response_without_tags_keeps_tags_of_worker(run: Runner, edge: Edge, transport: Transport) -> None:
    run.ok("worker", name="a", content=CODE, compatibility_date="2026-11-01", tags=["plan-pro"])
    before = run.ok("worker_info")["workers"]
    transport.hide(("result", EACH, "tags"), ("result", "tags"))
    run.ok("worker", name="a", logpush=True)
    transport.hide()
    assert [worker["tags"] for worker in run.ok("worker_info")["workers"]] == [worker["tags"] for worker in before]
