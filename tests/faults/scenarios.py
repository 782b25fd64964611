# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of modules that are disturbed: each case of the resource laws, each info module, and further ones of fleets."""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass, field

from harness import Result, Runner
from tenant import CODE
from test_info import INFOS
from test_resource_laws import AFTER, CASES, DATE, KEYED, KV, NAMESPACE, Options

Task = tuple[str, Options]
THEIRS = {"owner": "theirs", "dispatch_namespace": "tenants", "routing_kv": {"title": "Metadata"}}
#: Objects of others beside those of a case, by the module that creates its parent.
BYSTANDERS: dict[str, list[Task]] = {
    "dispatch_namespace": [
        (
            "namespaced_worker",
            {
                "dispatch_namespace": "tenants",
                "name": "z",
                "owner": "theirs",
                "content": CODE,
                **DATE,
                "secrets": {"K": "their-secret"},
            },
        ),
    ],
    "kv_namespace": [("kv_entries", {"title": "Metadata", "entries": [{"key": "theirs", "value": "kept"}]})],
}
FLEET: Options = {
    "dispatch_namespace": "tenants",
    "owner": "mine",
    "routing_kv": {"title": "Metadata"},
    "fingerprint_key": "fingerprint-key-1",
    "defaults": {"content": CODE, **DATE, "secrets": {"KEY": "a-secret-value-1"}},
}


def tenants(*names: str, **options: t.Any) -> list[Options]:
    return [{"name": name, "hostnames": [f"{name}.example.com"], **options} for name in names]


@dataclass(frozen=True)
class Scenario:
    """Tasks to disturb (``tasks``) after others (``before``)."""

    name: str
    tasks: tuple[Task, ...]
    before: tuple[Task, ...] = ()
    group: str = field(default="")

    def __str__(self) -> str:
        return self.name

    def prepare(self, run: Runner) -> None:
        """Create what must exist, and objects of others."""
        for module, options in self.before:
            run.ok(module, **copy.deepcopy(options))

    def play(self, run: Runner, check: bool = False) -> Result:
        """Run the tasks until one fails. Return the last result, with the operations and warnings of all."""
        operations, warnings, result = list[str](), list[str](), Result()
        for module, options in self.tasks:
            result = run(module, check=check, **copy.deepcopy(options))
            operations += result.get("operations") or []
            warnings += result["warnings"]
            if result.get("failed"):
                break
        return {**result, "operations": operations, "warnings": warnings, "changed": bool(operations)}


def with_bystanders(needs: t.Iterable[Task]) -> tuple[Task, ...]:
    needs = tuple(needs)
    return (*needs, *(bystander for module, _options in needs for bystander in BYSTANDERS.get(module, [])))


def case_scenarios() -> t.Iterator[Scenario]:
    for name, case in CASES.items():
        before, removal = with_bystanders(case.needs), {"state": "absent", **case.identity, **case.removal}
        yield Scenario(f"{name}, create", ((name, case.create),), before, name)
        yield Scenario(f"{name}, change", ((name, case.change),), (*before, (name, case.create)), name)
        yield Scenario(f"{name}, remove", ((name, removal),), (*before, (name, case.create)), name)


def fleet_scenarios() -> t.Iterator[Scenario]:
    before = (*with_bystanders([NAMESPACE, KV]), ("namespaced_workers", {**FLEET, "workers": tenants("a", "b", "c")}))

    def scenario(stage: str, *more: Task, **options: t.Any) -> Scenario:
        task = ("namespaced_workers", {**FLEET, "workers": tenants("a", "b", "c"), **options})
        return Scenario(f"namespaced_workers, {stage}", (task,), (*before, *more), "namespaced_workers")

    yield scenario("prune", workers=tenants("a", "b"), prune=True, prune_limit="100%")
    yield scenario("rotate a secret", defaults={**FLEET["defaults"], "secrets": {"KEY": "a-secret-value-2"}})
    yield scenario("change settings", defaults={**FLEET["defaults"], "limits": {"cpu_ms": 50}, "tags": ["paid"]})
    yield scenario(
        "move a host",
        workers=[
            *tenants("a"),
            {"name": "b", "hostnames": ["c.example.com"]},
            {"name": "c", "hostnames": ["b.example.com"]},
        ],
    )
    yield scenario("remove one", workers=[{"name": "b"}], state="absent")
    worker: Options = {"dispatch_namespace": "tenants", "name": "a", "owner": "mine", "content": CODE, **DATE, **KEYED}
    more: list[tuple[str, Options, Options]] = [
        ("rotate a secret", {"secrets": {"KEY": "a-secret-value-1"}}, {"secrets": {"KEY": "a-secret-value-2"}}),
        ("change settings", {"vars": {"PLAN": "free"}}, {"vars": {"PLAN": "pro"}, "limits": {"cpu_ms": 50}}),
        ("change tags", {"tags": ["a", "b"]}, {"tags": ["b", "c"]}),
        ("add assets", {}, AFTER),
    ]
    for stage, first, second in more:
        earlier = (*with_bystanders([NAMESPACE]), ("namespaced_worker", {**worker, **first}))
        yield Scenario(
            f"namespaced_worker, {stage}", (("namespaced_worker", {**worker, **second}),), earlier, "namespaced_worker"
        )


#: Variables of the role platform.
PLATFORM: Options = {
    "platform_namespace": "tenants",
    "platform_kv_namespace": "Metadata",
    "platform_owner": "mine",
    "platform_fingerprint_key": "fingerprint-key-1",
    "platform_router": {"name": "platform-router", "secrets": {"KEY": "a-secret-value-1"}},
    "platform_routes": [{"pattern": "*.platform.localhost/*"}, {"pattern": "*/*", "zone": "example.com"}],
    "platform_tenant_defaults": {"content": CODE, **DATE, "secrets": {"KEY": "a-secret-value-2"}},
    "platform_tenants": tenants("a", "b"),
}
CHANGED_PLATFORM: Options = {
    **PLATFORM,
    "platform_router": {"name": "platform-router", "secrets": {"KEY": "a-secret-value-3"}},
    "platform_tenants": [*tenants("a", vars={"PLAN": "pro"}), *tenants("c")],
    "platform_prune": True,
    "platform_prune_limit": "100%",
}
ROLE = "tenantry.cloudflare_workers.platform"


@dataclass(frozen=True)
class RoleScenario:
    """A play with the role platform. ``earlier`` are the variables of plays before it."""

    name: str
    variables: Options
    earlier: tuple[Options, ...] = ()
    bystanders: tuple[Task, ...] = ()
    group: str = "role platform"

    def __str__(self) -> str:
        return self.name

    def bind(self, play: t.Callable[[Options, bool], Result]) -> BoundRole:
        """Return the scenario with the function that runs the role."""
        return BoundRole(self.name, self.group, self, play)


@dataclass(frozen=True)
class BoundRole:
    """A role's scenario that can be run like one of modules."""

    name: str
    group: str
    scenario: RoleScenario
    role: t.Callable[[Options, bool], Result]

    def __str__(self) -> str:
        return self.name

    def prepare(self, run: Runner) -> None:
        for variables in self.scenario.earlier:
            result = self.role(variables, False)
            assert not result["failed"], result
        for module, options in self.scenario.bystanders:
            run.ok(module, **copy.deepcopy(options))

    def play(self, run: Runner, check: bool = False) -> Result:
        return self.role(self.scenario.variables, check)


OTHERS = (*BYSTANDERS["dispatch_namespace"], *BYSTANDERS["kv_namespace"])
ABSENT = {**PLATFORM, "platform_state": "absent"}
ROLE_SCENARIOS = [
    RoleScenario("role platform, create", PLATFORM),
    RoleScenario("role platform, change", CHANGED_PLATFORM, (PLATFORM,), OTHERS),
    RoleScenario("role platform, remove", ABSENT, (PLATFORM,)),
    RoleScenario("role platform, remove beside others", ABSENT, (PLATFORM,), OTHERS),
]


def info_scenarios() -> t.Iterator[Scenario]:
    for name, info in INFOS.items():
        case = CASES[info.resource]
        before = (*info.prerequisites, *with_bystanders(case.needs), (info.resource, {**case.create, **info.first}))
        yield Scenario(f"{name}, gather", ((name, {**info.scope, **info.full_detail}),), before, "info modules")


SCENARIOS = [*case_scenarios(), *fleet_scenarios(), *info_scenarios()]
