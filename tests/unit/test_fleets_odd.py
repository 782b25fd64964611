# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets on bad days: ledgers that are wrong, others who meddle, records that cannot be written."""

from __future__ import annotations

import json
import time
import typing as t

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources import script_mapping
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.namespaced_workers import (
    NamespacedWorkers,
)
from fleets_at_random import LEDGER, NO_LEDGERS, play
from harness import Runner
from local_edge.testing import Edge
from tenant import CODE, SECRET, call, get, secret_names

FLEET: dict[str, t.Any] = {
    "dispatch_namespace": "tenants",
    "owner": "mine",
    "routing_kv": {"title": "Metadata"},
    "defaults": {"content": CODE, "compatibility_date": "2026-11-01"},
}


@pytest.fixture(autouse=True)
def _platform(run: Runner) -> None:
    run.ok("dispatch_namespace", name="tenants")
    run.ok("kv_namespace", title="Metadata")


def declared(*names: str, **options: t.Any) -> dict[str, t.Any]:
    """Declare these Workers, each with options of its own where C(options) has them by its name."""
    return {**FLEET, "diff": False, "workers": [{"name": name, **options.get(name, {})} for name in names]}


def fleet(run: Runner, *names: str, **options: t.Any) -> dict[str, t.Any]:
    return run.ok("namespaced_workers", **declared(*names, **options))


def records(run: Runner) -> dict[str, str]:
    entries = run.ok("kv_entries_info", title="Metadata")["kv_entries"]
    return {entry["key"]: json.loads(entry["value"])["worker"] for entry in entries if entry["key"] != LEDGER}


def cost(edge: Edge) -> list[str]:
    """Return what was sent for Workers since the edge was last cleared, shortened."""
    return [
        f"{seen['method']} {seen['path'].partition('/tenants/scripts')[2]}"
        for seen in edge.requests()
        if "/tenants/scripts" in seen["path"]
    ]


def ledger(run: Runner) -> dict[str, t.Any]:
    entries = run.ok("kv_entries_info", title="Metadata", prefix=LEDGER)["kv_entries"]
    return t.cast("dict[str, t.Any]", json.loads(entries[0]["value"]))


def test_a_change_of_tags_alone_is_remembered(run: Runner, edge: Edge) -> None:
    fleet(run, "a", "b", a={"vars": {"PLAN": "pro"}, "secrets": {"KEY": "secret-value-1"}})
    before = ledger(run)
    for tags in (["x"], ["y"], []):
        edge.clear()
        fleet(run, "a", "b", a={"vars": {"PLAN": "pro"}, "secrets": {"KEY": "secret-value-1"}, "tags": tags})
        assert cost(edge) == ["GET ", "PUT /a/tags", "GET "]
    edge.clear()
    fleet(run, "a", "b", a={"vars": {"PLAN": "free"}, "secrets": {"KEY": "secret-value-1"}})
    assert cost(edge) == ["GET ", "PUT /a", "GET "], "nothing was forgotten, so nothing is read"
    after = ledger(run)
    assert after["b"] == before["b"] and after["a"][3]["secrets"] == before["a"][3]["secrets"] == ["KEY"]


@pytest.mark.parametrize("moved", ["all", "content", "all_but_tags"])
@pytest.mark.parametrize("carries", ["no", "etag"])
def test_where_a_listing_has_no_tags_those_that_were_just_written_are_read(
    run: Runner, edge: Edge, carries: str, moved: str
) -> None:
    edge.behaviors.list_includes_tags, edge.behaviors.modified_on_updated_by = carries, moved
    fleet(run, "a", "b")
    for tags in (["x"], ["y"]):
        assert fleet(run, "a", "b", a={"tags": tags})["changed"]
        assert not fleet(run, "a", "b", a={"tags": tags})["changed"]
        assert set(tags) < set(get(run, edge, "/tags"))


def test_what_stays_is_read_even_where_nobody_can_see_that_it_came(run: Runner, edge: Edge) -> None:
    edge.behaviors.modified_on_updated_by = "content"
    keeping = {"vars": {"PLAN": "pro"}, "unmanaged_bindings": "keep"}
    fleet(run, "a", a=keeping)
    call(run, edge, "PUT", "/secrets", body={"name": "BY_HAND", "text": SECRET, "type": "secret_text"})
    fleet(run, "a", a={**keeping, "vars": {"SEATS": 5}})
    assert secret_names(run, edge) == ["BY_HAND"]
    assert {binding["name"] for binding in get(run, edge, "/bindings")} == {"PLAN", "SEATS", "BY_HAND"}


@pytest.mark.parametrize(
    "odd",
    [*NO_LEDGERS, '{"a": [STAMP, 1, 2, 3]}', '{"a": [STAMP, 1, 2, {"secrets": ["GONE"]}]}'],
)
def test_a_ledger_that_is_none_is_made_anew(run: Runner, odd: str) -> None:
    fleet(run, "a", "b", a={"vars": {"PLAN": "pro"}})
    right = ledger(run)
    run.ok(
        "kv_entries",
        title="Metadata",
        entries=[{"key": LEDGER, "value": odd.replace("STAMP", json.dumps(right["a"][0]))}],
    )
    fleet(run, "a", "b", a={"vars": {"PLAN": "pro"}})
    assert fleet(run, "a", "b", a={"vars": {"PLAN": "free"}})["changed"]
    assert {name: len(entry) for name, entry in ledger(run).items()} == {"a": 4, "b": 3}
    assert not fleet(run, "a", "b", a={"vars": {"PLAN": "free"}})["changed"]


@pytest.mark.slow
def test_what_others_change_while_a_fleet_is_written_is_mended_next_time(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger is written last: what it notes then must not be what others have made of it."""
    monkeypatch.setattr(script_mapping, "UPLOAD_TOLERANCE", 0.0)
    look = NamespacedWorkers.look

    def overtaken(self: NamespacedWorkers, names: t.Collection[str] | None = None) -> None:
        if names is not None:
            time.sleep(2.1)
            self.client.call(
                "PUT", self._path("a", "secrets"), json={"name": "BY_HAND", "text": SECRET, "type": "secret_text"}
            )
        look(self, names)

    with monkeypatch.context() as patch:
        patch.setattr(NamespacedWorkers, "look", overtaken)
        fleet(run, "a", a={"secrets": None})
    assert secret_names(run, edge) == ["BY_HAND"]
    fleet(run, "a", a={"secrets": None})
    assert secret_names(run, edge) == []


def test_who_answers_for_a_host_name_stays_until_another_does(run: Runner, edge: Edge) -> None:
    fleet(run, "old", "b", old={"hostnames": ["shop.example.com"]})
    moved = {**declared("new", "b", new={"hostnames": ["shop.example.com"]}), "prune": True, "prune_limit": "50%"}
    edge.fault(method="PUT", path=".*/scripts/new", status=400, code=10021, message="no", times=1)
    edge.clear()
    result = run("namespaced_workers", **moved)
    assert result["failed"] and "old: It stays, since it still answers for shop.example.com" in result["msg"]
    assert edge.writes() == [f"PUT /accounts/{edge.account}/workers/dispatch/namespaces/tenants/scripts/new"]
    assert result["routing_kv"]["records"] == records(run) == {"shop.example.com": "old"}
    assert run.ok("namespaced_workers", **moved)["remaining"]["workers"] == 2
    assert records(run) == {"shop.example.com": "new"}
    assert not run.ok("namespaced_workers", **moved)["changed"]


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        (
            "PUT",
            ".*/bulk",
            {"workers": [{"name": "b", "hostnames": ["b2.example.com"]}], "prune": True, "prune_limit": "50%"},
        ),
        ("POST", ".*/bulk/delete", {"state": "absent"}),
    ],
)
def test_no_worker_goes_to_which_a_record_may_lead(
    run: Runner, edge: Edge, method: str, path: str, options: dict[str, t.Any]
) -> None:
    fleet(run, "a", "b", a={"hostnames": ["a.example.com"]}, b={"hostnames": ["b.example.com"]})
    edge.fault(method=method, path=path, status=400, code=10013, message="no", times=1)
    edge.clear()
    result = run("namespaced_workers", **{**FLEET, **options})
    assert result["failed"] and "Broken off, since routing_kv failed" in result["msg"]
    assert not any("/scripts" in write for write in edge.writes())
    assert result["routing_kv"]["records"] == records(run) == {"a.example.com": "a", "b.example.com": "b"}
    assert run.ok("namespaced_workers", **{**FLEET, **options})["changed"]
    assert not run.ok("namespaced_workers", **{**FLEET, **options})["changed"]


@pytest.mark.parametrize(
    ("fault", "left", "sent"),
    [
        ({"status": 502, "when": "after"}, 0, ["DELETE "]),
        ({"status": 502, "when": "before"}, 0, ["DELETE /a", "DELETE /b"]),
        ({"status": 400, "code": 10021}, 0, ["DELETE /a", "DELETE /b"]),
        ({"status": 403, "code": 10000}, 2, []),
    ],
)
def test_where_deletion_by_tag_fails_they_go_one_by_one(
    run: Runner, edge: Edge, fault: dict[str, t.Any], left: int, sent: list[str]
) -> None:
    fleet(run, "a", "b", a={"hostnames": ["a.example.com"]})
    edge.fault(method="DELETE", path=".*/scripts$", message="no", times=4, **fault)
    result = run("namespaced_workers", **FLEET, state="absent")
    records_first, *rest = result["operations"]
    assert "/storage/kv/" in records_first, "what was done is told, whatever came after it"
    assert (
        sorted(operation.replace(operation.split()[1].partition("/scripts")[0] + "/scripts", "") for operation in rest)
        == sent
    )
    edge.clear_faults()
    assert run.ok("namespaced_workers", **FLEET, state="absent")["summary"]["changed"] == left


@pytest.mark.parametrize("check", [True, False])
def test_a_prune_that_goes_too_far_does_nothing_else_either(run: Runner, edge: Edge, check: bool) -> None:
    fleet(run, *"abcdefghij")
    options = {**declared(*"abcdefg", "new", a={"vars": {"PLAN": "pro"}}), "prune": True}
    message = run.refused("namespaced_workers", check=check, **{**options, "prune_limit": "29%"})
    assert (
        "3 of the 10 Workers" in message
        and "(29%): h, i, j. Nothing was changed" in message
        and "set prune_limit: 30%" in message
    )
    assert run.ok("namespaced_workers", check=check, **{**options, "prune_limit": "30%"})["summary"] == {
        "total": 11,
        "changed": 5,
        "failed": 0,
    }


def test_who_is_whose_is_asked_of_nobody_where_the_ledger_tells(run: Runner, edge: Edge) -> None:
    fleet(run, *"abcdefghij")
    edge.behaviors.list_includes_tags = "etag"
    edge.clear()
    result = run.ok("namespaced_workers", **declared(*"abcdefghi"), prune=True)
    assert result["summary"]["changed"] == 1 and cost(edge) == ["GET ", "DELETE /j", "GET "]


@pytest.mark.parametrize("listed", [{}, {"workers": None}, {"workers": ""}, {"workers": {}}])
def test_a_file_that_was_not_read_does_not_mean_everyone(run: Runner, listed: dict[str, t.Any]) -> None:
    fleet(run, "a", "b")
    assert run.refused("namespaced_workers", **FLEET, workers_file="tenants.json", state="absent", **listed)


def test_what_is_no_option_of_a_tenant_is_called_so(run: Runner) -> None:
    result = run("namespaced_workers", **declared("a", "b", b={"wrong": 1, "limits": {"cpu": 5}}))
    assert "b: unsupported parameters: limits.cpu, wrong." in result["msg"]


@pytest.mark.slow
@pytest.mark.parametrize("vary_behaviors", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_what_is_remembered_ends_as_what_is_read(run: Runner, edge: Edge, seed: int, vary_behaviors: bool) -> None:
    for ends in play(run, edge, seed, vary_behaviors=vary_behaviors):
        assert ends["noted"] == ends["read"]
        assert ends["shown"] == ends["read"]
