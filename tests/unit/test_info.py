# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The laws that hold for every module that only looks: one without a case here fails the suite, as does one that is missing.

Each finds what the module of its objects made, as that module returned it, chooses by what it is given, and sends reads only.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.client import ApiResponse, Client
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.info import Info
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.custom_hostname import (
    CustomHostname,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.kv_entries import MAX_BULK_READ
from harness import Result, Runner
from local_edge.testing import Edge
from predictions import UNKNOWN
from test_resource_laws import APIS, CASES, CODE, DATE, Options, api_behaviors, prepare_case, resource_classes

ZONE = {"zone": "platform.localhost"}
NAMESPACED = {"dispatch_namespace": "tenants"}
METADATA = {"title": "Metadata"}
# What has no module of its own that looks.
TOLD_BY = {
    "namespaced_workers": "namespaced_worker_info",
    "worker_routes": "worker_route_info",
    "worker_secrets": "worker_info",
}


@dataclass
class Case:
    """How a module looks for what the module C(of) makes. C(where) leads to all that there is, and C(deep) has all of it told.

    C(first) and C(second) are laid over what makes an object, to make two of them. Each of C(choices) leads to the first one alone,
    and C(none) to no object. C(nowhere) is a place that does not exist; C(reads) is how many requests it takes to tell of all. C(needs)
    exists beforehand, beside what the module that makes them needs. C(moving) is what time changes of the objects.
    """

    of: str
    second: Options
    choices: t.Sequence[Options]
    none: t.Sequence[Options]
    first: Options = field(default_factory=dict)
    needs: t.Sequence[tuple[str, Options]] = ()
    where: Options = field(default_factory=dict)
    deep: Options = field(default_factory=dict)
    nowhere: Options | None = None
    moving: t.Sequence[str] = ()
    reads: int = 1


WORKERS: Options = {
    "second": {"name": "second", "owner": "them", "tags": ["trial"], "secrets": {}},
    "choices": (
        {"owner": "default"},
        {"tags": ["plan-pro:yes"]},
        {"tags": "plan-pro:yes,trial:no"},
        {"tags": ["trial:no"]},
    ),
    "none": (
        {"name": "never"},
        {"owner": "nobody"},
        {"tags": ["plan-pro:yes", "trial:yes"]},
        {"owner": "them", "tags": ["plan-pro:yes"]},
    ),
    "deep": {"detail": "content"},
}
INFOS = {
    "dispatch_namespace_info": Case(
        of="dispatch_namespace",
        second={"name": "second"},
        choices=({"name": "tenants"}, {"namespace": "tenants"}),
        none=({"name": "never"},),
    ),
    "kv_namespace_info": Case(
        of="kv_namespace",
        second={"title": "Second"},
        choices=({"title": "Metadata"},),
        none=({"title": "metadata"}, {"id": "f" * 32}, {"id": "f" * 32, "title": "Metadata"}),
    ),
    "kv_entries_info": Case(
        of="kv_entries",
        first={"entries": [{"key": "a/b", "value": {"x": 1}, "metadata": {"m": 1}}]},
        second={"entries": [{"key": "x/y", "value": "z"}]},
        choices=({"prefix": "a/"},),
        none=({"prefix": "b"},),
        where=METADATA,
        nowhere={"title": "Nowhere"},
        reads=3,
    ),
    "namespaced_worker_info": Case(
        of="namespaced_worker",
        where=NAMESPACED,
        nowhere={"dispatch_namespace": "nowhere"},
        **{**WORKERS, "choices": ({"name": "a"}, *WORKERS["choices"])},
    ),
    "worker_info": Case(of="worker", **{**WORKERS, "choices": ({"name": "router"}, *WORKERS["choices"])}),
    "worker_route_info": Case(
        of="worker_route",
        second={"pattern": "other.platform.localhost/x*", "worker": None},
        choices=({"pattern": "*.Platform.localhost/*"}, {"worker": "router"}),
        none=(
            {"pattern": "*.platform.localhost/"},
            {"worker": "never"},
            {"pattern": "*.platform.localhost/*", "worker": None},
        ),
        where=ZONE,
        nowhere={"zone": "nowhere.org"},
        reads=2,
    ),
    "dns_record_info": Case(
        of="dns_record",
        first={"name": "*.platform.localhost", "content": "100::"},
        second={"name": "www.platform.localhost", "content": "100::2", "tags": []},
        choices=(
            {"name": "*.Platform.localhost"},
            {"content": "100::"},
            {"name": "*.platform.localhost", "type": "AAAA"},
        ),
        none=({"type": "A"}, {"name": "platform.localhost"}, {"name": "www.platform.localhost", "content": "100::"}),
        where=ZONE,
        nowhere={"zone": "nowhere.org"},
        reads=2,
    ),
    "worker_domain_info": Case(
        of="worker_domain",
        first={"hostname": "app.platform.localhost"},
        second={"hostname": "www.example.com", "worker": "other"},
        choices=(
            {"hostname": "APP.platform.localhost"},
            {"worker": "router"},
            {"zone": "Platform.localhost"},
            {"zone": "platform.localhost"},
        ),
        none=(
            {"hostname": "app.example.com"},
            {"worker": "never"},
            {"worker": "other", "zone": "platform.localhost"},
            {"zone_id": "f" * 32},
        ),
        nowhere={"zone": "nowhere.org"},
    ),
    "custom_hostname_info": Case(
        of="custom_hostname",
        first={"hostname": "shop.customer.net"},
        second={"hostname": "www.customer.net", "custom_metadata": None},
        choices=({"hostname": "SHOP.customer.net"},),
        moving=CustomHostname.computed_on_write,
        none=({"hostname": "customer.net"}, {"status": "never"}, {"ssl_status": "never"}),
        where=ZONE,
        nowhere={"zone": "nowhere.org"},
        reads=2,
    ),
    "worker_schedule_info": Case(
        of="worker_schedule",
        first={"crons": ["*/30 * * * *", "0 4 * * SUN"]},
        second={"worker": "other", "crons": ["1 2 3 4 *"]},
        needs=[("worker", {"name": name, "content": CODE, **DATE}) for name in ("other", "idle")],
        choices=({"worker": "router"},),
        none=({"worker": "never"}, {"worker": "idle"}),
        reads=1 + 3,
    ),
}
every_info = pytest.mark.parametrize("name", INFOS)


def kind(name: str) -> type[Info]:
    return t.cast("type[Info]", resource_classes(Info)[name])


def look(run: Runner, edge: Edge, name: str, options: Options) -> list[Options]:
    """Hold one look to the laws, and return what it found."""
    edge.clear()
    looks: list[Result] = [run.ok(name, check=check, **options) for check in (True, False)]
    assert edge.writes() == [], "it wrote"
    foreseen, found = (
        [without(thing, INFOS[name].moving) for thing in one.pop(kind(name).result_key)] for one in looks
    )
    assert foreseen == found and looks[0] == looks[1], "check mode tells something else"
    assert looks[0] == {"changed": False, "operations": [], "warnings": [], "invocation": looks[1]["invocation"]}
    return found


def without(thing: Options, keys: t.Collection[str]) -> Options:
    return {key: value for key, value in thing.items() if key not in keys}


def ready(run: Runner, case: Case) -> Options:
    """Make what must exist beforehand, and return what makes an object."""
    for module, options in case.needs:
        run.ok(module, **options)
    return prepare_case(run, case.of).create


def make(run: Runner, case: Case, options: Options) -> list[Options]:
    """Make an object with its module, and return it as one that looks would."""
    made = run.ok(case.of, **options)[case.of]
    if made.get("assets"):
        made["assets"] = {"digest": made["assets"]["digest"]}  # Cloudflare lists them for nobody
    if case.of != "kv_entries":
        return [without(made, (*case.moving, "workers_dev"))]  # which is only read where it is managed
    return [{"key": key, "expiration": None, "metadata": None, **entry} for key, entry in made["entries"].items()]


def test_every_module_of_objects_has_one_that_looks() -> None:
    assert set(resource_classes(Info)) == set(INFOS) == {f"{name}_info" for name in CASES if name not in TOLD_BY}


def by_name(things: list[Options]) -> list[Options]:
    return sorted(
        things,
        key=lambda thing: [str(thing.get(key)) for key in ("name", "worker", "title", "key", "pattern", "hostname")],
    )


@every_info
def test_where_there_is_nothing_nothing_is_found(run: Runner, edge: Edge, name: str) -> None:
    case = INFOS[name]
    for options in (case.where, *({**case.where, **choice} for choice in (*case.choices, *case.none)), case.nowhere):
        if options is not None:
            assert look(run, edge, name, options) == []


@every_info
def test_what_a_module_made_is_found_as_it_returned_it(run: Runner, edge: Edge, name: str) -> None:
    case = INFOS[name]
    create, everything = ready(run, case), {**case.where, **case.deep}
    first = make(run, case, {**create, **case.first})
    assert look(run, edge, name, everything) == first
    second = make(run, case, {**create, **case.second})
    assert by_name(look(run, edge, name, everything)) == by_name([*first, *second])
    for choice in case.choices:
        assert look(run, edge, name, {**everything, **choice}) == first, choice
    for choice in case.none:
        assert look(run, edge, name, {**everything, **choice}) == [], choice


@pytest.mark.slow
@every_info
@pytest.mark.parametrize("number", range(APIS))
def test_whatever_the_real_api_does_where_nobody_knows(run: Runner, edge: Edge, name: str, number: int) -> None:
    vars(edge.behaviors).update(api_behaviors(number))
    case = INFOS[name]
    create, everything = ready(run, case), {**case.where, **case.deep}
    first, second = (make(run, case, {**create, **options}) for options in (case.first, case.second))
    for options, there in (
        (everything, [*first, *second]),
        *(({**everything, **choice}, first) for choice in case.choices),
    ):
        found = look(run, edge, name, options)
        # Not every answer tells all: what is not told is null.
        assert by_name(found) == by_name(
            [{key: None if found[0][key] is None else value for key, value in thing.items()} for thing in there]
        ), options
    for choice in case.none:
        assert look(run, edge, name, {**everything, **choice}) == [], choice


def cost(run: Runner, edge: Edge, module: str, /, **options: t.Any) -> int:
    """Return how many requests a look sends."""
    edge.clear()
    run.ok(module, **options)
    return len(edge.requests())


@every_info
def test_what_each_look_costs(run: Runner, edge: Edge, name: str) -> None:
    case = INFOS[name]
    create = ready(run, case)
    for options in (case.first, case.second):
        make(run, case, {**create, **options})
    assert cost(run, edge, name, **case.where) == case.reads


@pytest.mark.parametrize("name", ["namespaced_worker_info", "worker_info"])
def test_only_the_chosen_workers_are_read_more_of(run: Runner, edge: Edge, name: str) -> None:
    case = INFOS[name]
    create = prepare_case(run, case.of).create
    for number in range(3):
        run.ok(case.of, **{**create, "name": f"w{number}", "tags": ["odd"] if number % 2 else []})
    assert cost(run, edge, name, **case.where, detail="settings") == 1 + 3
    assert cost(run, edge, name, **case.where, detail="content") == 1 + 3 * 2
    assert cost(run, edge, name, **case.where, detail="content", name="w1") == 1 + 2
    assert cost(run, edge, name, **case.where, detail="settings", tags=["odd:no"]) == 1 + 2
    told = [
        set(run.ok(name, **case.where, name="w1", detail=read)[kind(name).result_key][0])
        for read in ("listing", "settings", "content")
    ]
    assert told[1] - told[0] >= {"compatibility_date", "bindings", "secrets"} and told[2] - told[1] == {"modules"}


def test_a_listing_without_tags_costs_a_request_for_each_worker(run: Runner, edge: Edge) -> None:
    edge.behaviors.list_includes_tags = "no"
    create = prepare_case(run, "namespaced_worker").create
    for name, owner in (("a", "us"), ("b", "them")):
        run.ok("namespaced_worker", **{**create, "name": name, "owner": owner})
    assert cost(run, edge, "namespaced_worker_info", **NAMESPACED) == 1 + 2
    assert cost(run, edge, "namespaced_worker_info", **NAMESPACED, owner="us") == 1 + 1


def test_what_is_known_by_a_name_that_the_api_knows_takes_one_request(run: Runner, edge: Edge) -> None:
    ident = run.ok("kv_namespace", title="Metadata")["kv_namespace"]["id"]
    assert cost(run, edge, "kv_namespace_info", id=ident) == 1
    assert cost(run, edge, "kv_entries_info", namespace_id=ident) == 1
    assert cost(run, edge, "worker_route_info", zone_id=edge.zones["example.com"]) == 1


def test_values_are_read_a_hundred_at_once(run: Runner, edge: Edge) -> None:
    ident = run.ok("kv_namespace", title="Metadata")["kv_namespace"]["id"]
    entries = [{"key": f"k{number:04}", "value": number} for number in range(2 * MAX_BULK_READ + 1)]
    run.ok("kv_entries", namespace_id=ident, entries=entries)
    assert cost(run, edge, "kv_entries_info", namespace_id=ident) == 1 + 3
    assert cost(run, edge, "kv_entries_info", namespace_id=ident, detail="keys") == 1
    assert cost(run, edge, "kv_entries_info", namespace_id=ident, prefix="k00") == 1 + 1
    found = run.ok("kv_entries_info", namespace_id=ident)["kv_entries"]
    assert [(entry["key"], entry["value"]) for entry in found] == [
        (entry["key"], str(entry["value"])) for entry in entries
    ]
    keys = run.ok("kv_entries_info", namespace_id=ident, detail="keys")["kv_entries"]
    assert keys == [{key: value for key, value in entry.items() if key != "value"} for entry in found]


def test_values_that_are_no_text_are_read_one_by_one(run: Runner, edge: Edge) -> None:
    ident = run.ok("kv_namespace", title="Metadata")["kv_namespace"]["id"]
    run.ok(
        "kv_entries",
        namespace_id=ident,
        entries=[{"key": "gif", "value": "R0lGODn/", "base64": True}, {"key": "text", "value": "R0lGODn/"}],
    )
    told = {"metadata": None, "expiration": None}
    found = look(run, edge, "kv_entries_info", {"namespace_id": ident, "detail": "bytes"})
    assert found == [
        {"key": "gif", "value": "R0lGODn/", "base64": True, **told},
        {"key": "text", "value": "R0lGODn/", **told},
    ]
    assert cost(run, edge, "kv_entries_info", namespace_id=ident, detail="bytes") == 1 + 2
    assert "text" in run.refused("kv_entries_info", namespace_id=ident)


MANY, PAGE = 21, 10
MANY_OF: dict[str, t.Callable[[int], tuple[str, Options]]] = {
    "kv_namespace_info": lambda number: ("kv_namespace", {"title": f"n{number}"}),
    "kv_entries_info": lambda number: ("kv_entries", {**METADATA, "entries": [{"key": f"n{number}", "value": "x"}]}),
    "dns_record_info": lambda number: (
        "dns_record",
        {"name": f"n{number}.platform.localhost", "type": "AAAA", "content": "100::"},
    ),
    "custom_hostname_info": lambda number: (
        "custom_hostname",
        {**ZONE, "hostname": f"n{number}.customer.net", "ssl": {"method": "txt"}},
    ),
    "namespaced_worker_info": lambda number: (
        "namespaced_worker",
        {**NAMESPACED, "name": f"n{number}", "content": CODE, **DATE},
    ),
}


@pytest.mark.parametrize("name", MANY_OF)
def test_more_than_a_page_is_found(run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    case, whole = INFOS[name], Client.call

    def in_small_pages(
        client: Client, method: str, path: str, idempotent: bool | None = None, **how: t.Any
    ) -> ApiResponse:
        params = {
            key: PAGE if key in ("limit", "per_page") else value for key, value in (how.get("params") or {}).items()
        }
        return whole(client, method, path, idempotent, **{**how, "params": params})

    prepare_case(run, case.of)
    for number in range(MANY):
        module, options = MANY_OF[name](number)
        run.ok(module, **options)
    monkeypatch.setattr(Client, "call", in_small_pages)
    found = look(run, edge, name, case.where)
    assert len(found) == len({str(thing) for thing in found}) == MANY
    assert cost(run, edge, name, **case.where) == case.reads + 2


def test_a_filter_that_the_api_does_not_heed_is_kept_all_the_same(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, whole = prepare_case(run, "namespaced_worker").create, Client.call
    for name, tags in (("a", ["plan-pro"]), ("b", ["plan-pro", "trial"]), ("c", [])):
        run.ok("namespaced_worker", **{**create, "name": name, "tags": tags})

    def without_filter(
        client: Client, method: str, path: str, idempotent: bool | None = None, **how: t.Any
    ) -> ApiResponse:
        return whole(client, method, path, idempotent, **{**how, "params": {**(how.get("params") or {}), "tags": None}})

    monkeypatch.setattr(Client, "call", without_filter)
    found = look(
        run, edge, "namespaced_worker_info", {**NAMESPACED, "tags": "plan-pro:yes, trial:no", "owner": "default"}
    )
    assert [worker["name"] for worker in found] == ["a"]


def test_a_worker_of_nobody_is_told_as_one(run: Runner, edge: Edge) -> None:
    create = prepare_case(run, "namespaced_worker").create
    run.ok("namespaced_worker", **create)
    run.ok(
        "api",
        method="PUT",
        path=f"/accounts/{edge.account}/workers/dispatch/namespaces/tenants/scripts/a/tags",
        body=["cf:theirs"],
    )
    worker = look(run, edge, "namespaced_worker_info", NAMESPACED)[0]
    assert worker["owner"] is None and worker["tags"] == ["cf:theirs"]
    assert look(run, edge, "namespaced_worker_info", {**NAMESPACED, "tags": ["cf:theirs:yes"]}) == [worker]
    assert look(run, edge, "namespaced_worker_info", {**NAMESPACED, "owner": "default"}) == []


@pytest.mark.parametrize(("part", "tags_listed"), [("settings", "yes"), ("content", "yes"), ("settings", "no")])
def test_a_worker_that_is_gone_when_more_of_it_is_read_is_not_told(
    run: Runner, edge: Edge, part: str, tags_listed: str
) -> None:
    create = prepare_case(run, "namespaced_worker").create
    for name in ("a", "b"):
        run.ok("namespaced_worker", **{**create, "name": name})
    edge.behaviors.list_includes_tags = tags_listed
    edge.fault(method="GET", path=f".*/scripts/a/{part}", status=404, code=10007, times=1)
    assert [
        worker["name"]
        for worker in run.ok("namespaced_worker_info", **NAMESPACED, detail="content")["namespaced_workers"]
    ] == ["b"]


def test_in_what_a_run_would_make_there_is_nothing_yet(run: Runner, edge: Edge) -> None:
    foreseen = run.ok("kv_namespace", check=True, title="Metadata")["kv_namespace"]["id"]
    assert foreseen == UNKNOWN
    for name, option in (
        ("kv_entries_info", "namespace_id"),
        ("kv_namespace_info", "id"),
        ("worker_route_info", "zone_id"),
    ):
        options = {option: foreseen}
        assert run.ok(name, check=True, **options)[kind(name).result_key] == []
        assert "which is what check mode foresees and no value" in run.refused(name, **options)


WRONG = [
    (
        "namespaced_worker_info",
        {**NAMESPACED, "tags": ["plan-pro"]},
        "tags: 'plan-pro' is no filter: write plan-pro:yes",
    ),
    ("namespaced_worker_info", {**NAMESPACED, "tags": [""]}, "tags: '' is no filter"),
    ("namespaced_worker_info", {**NAMESPACED, "name": None}, "name is null"),
    ("namespaced_worker_info", {**NAMESPACED, "owner": ""}, "owner is empty"),
    ("dispatch_namespace_info", {"name": ""}, "name is empty"),
    ("worker_route_info", {}, "one of the following is required: zone_id, zone, pattern"),
    ("worker_route_info", {**ZONE, "pattern": None}, "pattern is null"),
    ("worker_route_info", {"pattern": "*/*"}, "matches every zone. Set zone or zone_id"),
    ("worker_route_info", {"pattern": "a.*.example.com/"}, "is no route"),
    ("worker_route_info", {"zone_id": "f" * 32}, "Check zone_id"),
    ("kv_entries_info", {}, "one of the following is required: title, namespace_id"),
    ("kv_entries_info", {**METADATA, "namespace_id": "f" * 32}, "mutually exclusive"),
]


@pytest.mark.parametrize(("name", "options", "message"), WRONG, ids=[message for _name, _options, message in WRONG])
def test_what_cannot_be_looked_for_is_refused(run: Runner, name: str, options: Options, message: str) -> None:
    assert message in run.refused(name, **options)
