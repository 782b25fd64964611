# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The laws of info modules. test_completeness.py fails for an info module without a case here.

Each returns the objects as the module that created them does, filters them by its options, and sends only reads.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.client import Client
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.responses import ApiResponse
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.info import Info
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.custom_hostname import (
    CustomHostname,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.kv_values import MAX_BULK_READ
from harness import Result, Runner
from local_edge.testing import Edge
from predictions import UNKNOWN
from test_resource_laws import APIS, CODE, DATE, Options, api_behaviors, prepare_case, resource_classes

ZONE = {"zone": "platform.localhost"}
NAMESPACED = {"dispatch_namespace": "tenants"}
METADATA = {"title": "Metadata"}


@dataclass
class Case:
    """An info module's case: the C(resource) whose objects it returns, and the requests of a listing (C(reads)).

    C(scope) selects all objects, C(full_detail) adds all their fields, and C(missing_scope) does not exist. The options
    in C(first) and C(second) create two objects. Each of C(filters) selects only the first one, each of C(unmatched)
    none. C(prerequisites) are created before the resource's own. The values of C(volatile) change over time.
    """

    resource: str
    second: Options
    filters: t.Sequence[Options]
    unmatched: t.Sequence[Options]
    first: Options = field(default_factory=dict)
    prerequisites: t.Sequence[tuple[str, Options]] = ()
    scope: Options = field(default_factory=dict)
    full_detail: Options = field(default_factory=dict)
    missing_scope: Options | None = None
    volatile: t.Sequence[str] = ()
    reads: int = 1


WORKERS: Options = {
    "second": {"name": "second", "owner": "them", "tags": ["trial"], "secrets": {}},
    "filters": (
        {"owner": "default"},
        {"tags": ["plan-pro:yes"]},
        {"tags": "plan-pro:yes,trial:no"},
        {"tags": ["trial:no"]},
    ),
    "unmatched": (
        {"name": "never"},
        {"owner": "nobody"},
        {"tags": ["plan-pro:yes", "trial:yes"]},
        {"owner": "them", "tags": ["plan-pro:yes"]},
    ),
    "full_detail": {"detail": "content"},
}
INFOS = {
    "dispatch_namespace_info": Case(
        resource="dispatch_namespace",
        second={"name": "second"},
        filters=({"name": "tenants"}, {"namespace": "tenants"}),
        unmatched=({"name": "never"},),
    ),
    "kv_namespace_info": Case(
        resource="kv_namespace",
        second={"title": "Second", "jurisdiction": "us"},
        filters=({"title": "Metadata"},),
        unmatched=({"title": "metadata"}, {"id": "f" * 32}, {"id": "f" * 32, "title": "Metadata"}),
    ),
    "queue_info": Case(
        resource="queue",
        second={"queue_name": "second"},
        filters=({"queue_name": "orders"}, {"name": "orders"}),
        unmatched=({"queue_name": "Orders"},),
    ),
    "kv_entries_info": Case(
        resource="kv_entries",
        first={"entries": [{"key": "a/b", "value": {"x": 1}, "metadata": {"m": 1}}]},
        second={"entries": [{"key": "x/y", "value": "z"}]},
        filters=({"prefix": "a/"},),
        unmatched=({"prefix": "b"},),
        scope=METADATA,
        missing_scope={"title": "Nowhere"},
        reads=3,
    ),
    "namespaced_worker_info": Case(
        resource="namespaced_worker",
        scope=NAMESPACED,
        missing_scope={"dispatch_namespace": "nowhere"},
        **{**WORKERS, "filters": ({"name": "a"}, *WORKERS["filters"])},
    ),
    "worker_info": Case(resource="worker", **{**WORKERS, "filters": ({"name": "router"}, *WORKERS["filters"])}),
    "worker_route_info": Case(
        resource="worker_route",
        second={"pattern": "other.platform.localhost/x*", "worker": None},
        filters=({"pattern": "*.Platform.localhost/*"}, {"worker": "router"}),
        unmatched=(
            {"pattern": "*.platform.localhost/"},
            {"worker": "never"},
            {"pattern": "*.platform.localhost/*", "worker": None},
        ),
        scope=ZONE,
        missing_scope={"zone": "nowhere.org"},
        reads=2,
    ),
    "dns_record_info": Case(
        resource="dns_record",
        first={"name": "*.platform.localhost", "content": "100::"},
        second={"name": "www.platform.localhost", "content": "100::2", "tags": []},
        filters=(
            {"name": "*.Platform.localhost"},
            {"content": "100::"},
            {"name": "*.platform.localhost", "type": "AAAA"},
        ),
        unmatched=(
            {"type": "A"},
            {"name": "platform.localhost"},
            {"name": "www.platform.localhost", "content": "100::"},
        ),
        scope=ZONE,
        missing_scope={"zone": "nowhere.org"},
        reads=2,
    ),
    "worker_domain_info": Case(
        resource="worker_domain",
        first={"hostname": "app.platform.localhost"},
        second={"hostname": "www.example.com", "worker": "other"},
        filters=(
            {"hostname": "APP.platform.localhost"},
            {"worker": "router"},
            {"zone": "Platform.localhost"},
            {"zone": "platform.localhost"},
        ),
        unmatched=(
            {"hostname": "app.example.com"},
            {"worker": "never"},
            {"worker": "other", "zone": "platform.localhost"},
            {"zone_id": "f" * 32},
        ),
        missing_scope={"zone": "nowhere.org"},
    ),
    "custom_hostname_info": Case(
        resource="custom_hostname",
        first={"hostname": "shop.customer.net"},
        second={"hostname": "www.customer.net", "custom_metadata": None},
        filters=({"hostname": "SHOP.customer.net"},),
        volatile=CustomHostname.computed_on_write,
        unmatched=({"hostname": "customer.net"}, {"status": "never"}, {"ssl_status": "never"}),
        scope=ZONE,
        missing_scope={"zone": "nowhere.org"},
        reads=2,
    ),
    "worker_schedule_info": Case(
        resource="worker_schedule",
        first={"crons": ["*/30 * * * *", "0 4 * * SUN"]},
        second={"worker": "other", "crons": ["1 2 3 4 *"]},
        prerequisites=[("worker", {"name": name, "content": CODE, **DATE}) for name in ("other", "idle")],
        filters=({"worker": "router"},),
        unmatched=({"worker": "never"}, {"worker": "idle"}),
        reads=1 + 3,
    ),
}
every_info = pytest.mark.parametrize("name", INFOS)


def info_class(name: str) -> type[Info]:
    return t.cast("type[Info]", resource_classes(Info)[name])


def query_info(run: Runner, edge: Edge, name: str, options: Options) -> list[Options]:
    """Hold one look to the laws, and return what it found."""
    edge.clear()
    results: list[Result] = [run.ok(name, check=check, **options) for check in (True, False)]
    assert edge.writes() == [], "it wrote"
    predicted, found = (
        [without(item, INFOS[name].volatile) for item in result.pop(info_class(name).result_key)] for result in results
    )
    assert predicted == found and results[0] == results[1], "check mode tells something else"
    assert results[0] == {"changed": False, "operations": [], "warnings": [], "invocation": results[1]["invocation"]}
    return found


def without(item: Options, keys: t.Collection[str]) -> Options:
    return {key: value for key, value in item.items() if key not in keys}


def create_prerequisites(run: Runner, case: Case) -> Options:
    """Make what must exist beforehand, and return what makes an object."""
    for module, options in case.prerequisites:
        run.ok(module, **options)
    return prepare_case(run, case.resource).create


def create_object(run: Runner, case: Case, options: Options) -> list[Options]:
    """Make an object with its module, and return it as one that looks would."""
    created = run.ok(case.resource, **options)[case.resource]
    if created.get("assets"):
        created["assets"] = {"digest": created["assets"]["digest"]}  # Cloudflare lists them for nobody
    if case.resource != "kv_entries":
        # workers_dev is only read where it is managed, and no response contains upload_metadata.
        return [without(created, (*case.volatile, "workers_dev", "upload_metadata"))]
    return [{"key": key, "expiration": None, "metadata": None, **entry} for key, entry in created["entries"].items()]


def by_name(items: list[Options]) -> list[Options]:
    return sorted(
        items,
        key=lambda item: [
            str(item.get(key)) for key in ("name", "queue_name", "worker", "title", "key", "pattern", "hostname")
        ],
    )


@every_info
def test_info_on_empty_account_returns_nothing(run: Runner, edge: Edge, name: str) -> None:
    case = INFOS[name]
    for options in (
        case.scope,
        *({**case.scope, **choice} for choice in (*case.filters, *case.unmatched)),
        case.missing_scope,
    ):
        if options is not None:
            assert query_info(run, edge, name, options) == []


@every_info
def test_info_returns_objects_as_created(run: Runner, edge: Edge, name: str) -> None:
    case = INFOS[name]
    create, everything = create_prerequisites(run, case), {**case.scope, **case.full_detail}
    first = create_object(run, case, {**create, **case.first})
    assert query_info(run, edge, name, everything) == first
    second = create_object(run, case, {**create, **case.second})
    assert by_name(query_info(run, edge, name, everything)) == by_name([*first, *second])
    for choice in case.filters:
        assert query_info(run, edge, name, {**everything, **choice}) == first, choice
    for choice in case.unmatched:
        assert query_info(run, edge, name, {**everything, **choice}) == [], choice


@pytest.mark.slow
@every_info
@pytest.mark.parametrize("number", range(APIS))
def test_info_with_any_api_behavior_returns_objects(run: Runner, edge: Edge, name: str, number: int) -> None:
    vars(edge.behaviors).update(api_behaviors(number))
    case = INFOS[name]
    create, everything = create_prerequisites(run, case), {**case.scope, **case.full_detail}
    first, second = (create_object(run, case, {**create, **options}) for options in (case.first, case.second))
    for options, expected in (
        (everything, [*first, *second]),
        *(({**everything, **choice}, first) for choice in case.filters),
    ):
        found = query_info(run, edge, name, options)
        # Not every answer tells all: what is not told is null.
        assert by_name(found) == by_name(
            [{key: None if found[0][key] is None else value for key, value in item.items()} for item in expected]
        ), options
    for choice in case.unmatched:
        assert query_info(run, edge, name, {**everything, **choice}) == [], choice


def count_requests(run: Runner, edge: Edge, module: str, /, **options: t.Any) -> int:
    """Return how many requests a look sends."""
    edge.clear()
    run.ok(module, **options)
    return len(edge.requests())


@every_info
def test_info_listing_sends_expected_requests(run: Runner, edge: Edge, name: str) -> None:
    case = INFOS[name]
    create = create_prerequisites(run, case)
    for options in (case.first, case.second):
        create_object(run, case, {**create, **options})
    assert count_requests(run, edge, name, **case.scope) == case.reads


@pytest.mark.parametrize("name", ["namespaced_worker_info", "worker_info"])
def test_worker_info_detail_reads_only_selected_workers(run: Runner, edge: Edge, name: str) -> None:
    case = INFOS[name]
    create = prepare_case(run, case.resource).create
    for number in range(3):
        run.ok(case.resource, **{**create, "name": f"w{number}", "tags": ["odd"] if number % 2 else []})
    assert count_requests(run, edge, name, **case.scope, detail="settings") == 1 + 3
    assert count_requests(run, edge, name, **case.scope, detail="content") == 1 + 3 * 2
    assert count_requests(run, edge, name, **case.scope, detail="content", name="w1") == 1 + 2
    assert count_requests(run, edge, name, **case.scope, detail="settings", tags=["odd:no"]) == 1 + 2
    keys = [
        set(run.ok(name, **case.scope, name="w1", detail=detail)[info_class(name).result_key][0])
        for detail in ("listing", "settings", "content")
    ]
    assert keys[1] - keys[0] >= {"compatibility_date", "bindings", "secrets"} and keys[2] - keys[1] == {"modules"}


def test_worker_info_listing_without_tags_reads_each_worker(run: Runner, edge: Edge) -> None:
    edge.behaviors.list_includes_tags = "no"
    create = prepare_case(run, "namespaced_worker").create
    for name, owner in (("a", "us"), ("b", "them")):
        run.ok("namespaced_worker", **{**create, "name": name, "owner": owner})
    assert count_requests(run, edge, "namespaced_worker_info", **NAMESPACED) == 1 + 2
    assert count_requests(run, edge, "namespaced_worker_info", **NAMESPACED, owner="us") == 1 + 1


def test_info_by_id_sends_one_request(run: Runner, edge: Edge) -> None:
    ident = run.ok("kv_namespace", title="Metadata")["kv_namespace"]["id"]
    assert count_requests(run, edge, "kv_namespace_info", id=ident) == 1
    assert count_requests(run, edge, "kv_entries_info", namespace_id=ident) == 1
    assert count_requests(run, edge, "worker_route_info", zone_id=edge.zones["example.com"]) == 1


def test_kv_entries_info_values_are_read_in_batches(run: Runner, edge: Edge) -> None:
    ident = run.ok("kv_namespace", title="Metadata")["kv_namespace"]["id"]
    entries = [{"key": f"k{number:04}", "value": number} for number in range(2 * MAX_BULK_READ + 1)]
    run.ok("kv_entries", namespace_id=ident, entries=entries)
    assert count_requests(run, edge, "kv_entries_info", namespace_id=ident) == 1 + 3
    assert count_requests(run, edge, "kv_entries_info", namespace_id=ident, detail="keys") == 1
    assert count_requests(run, edge, "kv_entries_info", namespace_id=ident, prefix="k00") == 1 + 1
    found = run.ok("kv_entries_info", namespace_id=ident)["kv_entries"]
    assert [(entry["key"], entry["value"]) for entry in found] == [
        (entry["key"], str(entry["value"])) for entry in entries
    ]
    keys = run.ok("kv_entries_info", namespace_id=ident, detail="keys")["kv_entries"]
    assert keys == [{key: value for key, value in entry.items() if key != "value"} for entry in found]


def test_kv_entries_info_bytes_are_read_individually(run: Runner, edge: Edge) -> None:
    ident = run.ok("kv_namespace", title="Metadata")["kv_namespace"]["id"]
    run.ok(
        "kv_entries",
        namespace_id=ident,
        entries=[{"key": "gif", "value": "R0lGODn/", "base64": True}, {"key": "text", "value": "R0lGODn/"}],
    )
    defaults = {"metadata": None, "expiration": None}
    found = query_info(run, edge, "kv_entries_info", {"namespace_id": ident, "detail": "bytes"})
    assert found == [
        {"key": "gif", "value": "R0lGODn/", "base64": True, **defaults},
        {"key": "text", "value": "R0lGODn/", **defaults},
    ]
    assert count_requests(run, edge, "kv_entries_info", namespace_id=ident, detail="bytes") == 1 + 2
    assert run.ok("kv_entries_info", namespace_id=ident)["kv_entries"] == found
    assert run.ok("kv_entries_info", namespace_id=ident, prefix="text")["kv_entries"] == found[1:]


@pytest.mark.parametrize("binary", [(50,), (0, 99), range(MAX_BULK_READ)])
def test_kv_entries_info_values_with_binary_ones_are_all_returned(
    run: Runner, edge: Edge, binary: t.Collection[int]
) -> None:
    ident = run.ok("kv_namespace", title="Metadata")["kv_namespace"]["id"]
    entries = [
        {"key": f"k{number:02}", "metadata": {"n": number}}
        | ({"value": "R0lGODn/", "base64": True} if number in binary else {"value": f"\ufffd{number}"[number % 2 :]})
        for number in range(MAX_BULK_READ)
    ]
    run.ok("kv_entries", namespace_id=ident, entries=entries)
    found = run.ok("kv_entries_info", namespace_id=ident)["kv_entries"]
    assert found == [{**entry, "expiration": None} for entry in entries]
    assert len(binary) > 1 or count_requests(run, edge, "kv_entries_info", namespace_id=ident, prefix="k5") <= 1 + 5 + 8


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
def test_info_several_pages_are_read(run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    case, original = INFOS[name], Client.call

    def in_small_pages(
        client: Client, method: str, path: str, idempotent: bool | None = None, **options: t.Any
    ) -> ApiResponse:
        params = {
            key: PAGE if key in ("limit", "per_page") else value for key, value in (options.get("params") or {}).items()
        }
        return original(client, method, path, idempotent, **{**options, "params": params})

    prepare_case(run, case.resource)
    for number in range(MANY):
        module, create_options = MANY_OF[name](number)
        run.ok(module, **create_options)
    monkeypatch.setattr(Client, "call", in_small_pages)
    found = query_info(run, edge, name, case.scope)
    assert len(found) == len({str(item) for item in found}) == MANY
    assert count_requests(run, edge, name, **case.scope) == case.reads + 2


def test_worker_info_filter_ignored_by_api_is_applied(run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    create, original = prepare_case(run, "namespaced_worker").create, Client.call
    for name, tags in (("a", ["plan-pro"]), ("b", ["plan-pro", "trial"]), ("c", [])):
        run.ok("namespaced_worker", **{**create, "name": name, "tags": tags})

    def without_filter(
        client: Client, method: str, path: str, idempotent: bool | None = None, **options: t.Any
    ) -> ApiResponse:
        return original(
            client, method, path, idempotent, **{**options, "params": {**(options.get("params") or {}), "tags": None}}
        )

    monkeypatch.setattr(Client, "call", without_filter)
    found = query_info(
        run, edge, "namespaced_worker_info", {**NAMESPACED, "tags": "plan-pro:yes, trial:no", "owner": "default"}
    )
    assert [worker["name"] for worker in found] == ["a"]


def test_worker_info_without_owner_returns_null_owner(run: Runner, edge: Edge) -> None:
    create = prepare_case(run, "namespaced_worker").create
    run.ok("namespaced_worker", **create)
    run.ok(
        "api",
        method="PUT",
        path=f"/accounts/{edge.account}/workers/dispatch/namespaces/tenants/scripts/a/tags",
        body=["cf:theirs"],
    )
    worker = query_info(run, edge, "namespaced_worker_info", NAMESPACED)[0]
    assert worker["owner"] is None and worker["tags"] == ["cf:theirs"]
    assert query_info(run, edge, "namespaced_worker_info", {**NAMESPACED, "tags": ["cf:theirs:yes"]}) == [worker]
    assert query_info(run, edge, "namespaced_worker_info", {**NAMESPACED, "owner": "default"}) == []


@pytest.mark.parametrize(("part", "tags_listed"), [("settings", "yes"), ("content", "yes"), ("settings", "no")])
def test_worker_info_worker_deleted_during_read_is_omitted(
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


def test_info_of_predicted_parent_returns_nothing(run: Runner, edge: Edge) -> None:
    predicted_id = run.ok("kv_namespace", check=True, title="Metadata")["kv_namespace"]["id"]
    assert predicted_id == UNKNOWN
    for name, option in (
        ("kv_entries_info", "namespace_id"),
        ("kv_namespace_info", "id"),
        ("worker_route_info", "zone_id"),
    ):
        options = {option: predicted_id}
        assert run.ok(name, check=True, **options)[info_class(name).result_key] == []
        assert "is a prediction of check mode, not a value" in run.refused(name, **options)


INVALID = [
    (
        "namespaced_worker_info",
        {**NAMESPACED, "tags": ["plan-pro"]},
        "tags: 'plan-pro' is not a valid filter. Write plan-pro:yes",
    ),
    ("namespaced_worker_info", {**NAMESPACED, "tags": [""]}, "tags: '' is not a valid filter"),
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


@pytest.mark.parametrize(("name", "options", "message"), INVALID, ids=[message for _name, _options, message in INVALID])
def test_info_invalid_options_are_refused(run: Runner, name: str, options: Options, message: str) -> None:
    assert message in run.refused(name, **options)
