# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets in unusual conditions: invalid ledgers, external changes, records that cannot be written."""

from __future__ import annotations

import json
import time
import typing as t

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.namespaced_workers import (
    NamespacedWorkers,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.script import (
    mapping as script_mapping,
)
from fleets_at_random import INVALID_LEDGERS, LEDGER, play
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


def deploy(run: Runner, *names: str, **options: t.Any) -> dict[str, t.Any]:
    return run.ok("namespaced_workers", **declared(*names, **options))


def routing_records(run: Runner) -> dict[str, str]:
    entries = run.ok("kv_entries_info", title="Metadata")["kv_entries"]
    return {entry["key"]: json.loads(entry["value"])["worker"] for entry in entries if entry["key"] != LEDGER}


def script_requests(edge: Edge) -> list[str]:
    """Return what was sent for Workers since the edge was last cleared, shortened."""
    return [
        f"{seen['method']} {seen['path'].partition('/tenants/scripts')[2]}"
        for seen in edge.requests()
        if "/tenants/scripts" in seen["path"]
    ]


def ledger(run: Runner) -> dict[str, t.Any]:
    entries = run.ok("kv_entries_info", title="Metadata", prefix=LEDGER)["kv_entries"]
    return t.cast("dict[str, t.Any]", json.loads(entries[0]["value"])["workers"])


def test_ledger_after_tags_change_keeps_entries(run: Runner, edge: Edge) -> None:
    deploy(run, "a", "b", a={"vars": {"PLAN": "pro"}, "secrets": {"KEY": "secret-value-1"}})
    before = ledger(run)
    for tags in (["x"], ["y"], []):
        edge.clear()
        deploy(run, "a", "b", a={"vars": {"PLAN": "pro"}, "secrets": {"KEY": "secret-value-1"}, "tags": tags})
        assert script_requests(edge) == ["GET ", "PUT /a/tags", "GET "]
    edge.clear()
    deploy(run, "a", "b", a={"vars": {"PLAN": "free"}, "secrets": {"KEY": "secret-value-1"}})
    assert script_requests(edge) == ["GET ", "PUT /a", "GET "], "nothing was forgotten, so nothing is read"
    after = ledger(run)
    assert after["b"] == before["b"] and after["a"]["memo"]["secrets"] == before["a"]["memo"]["secrets"] == ["KEY"]


@pytest.mark.parametrize("modified_on", ["all", "content", "all_but_tags"])
@pytest.mark.parametrize("listed_tags", ["no", "etag"])
def test_fleet_listing_without_tags_reads_written_workers(
    run: Runner, edge: Edge, listed_tags: str, modified_on: str
) -> None:
    edge.behaviors.list_includes_tags, edge.behaviors.modified_on_updated_by = listed_tags, modified_on
    deploy(run, "a", "b")
    for tags in (["x"], ["y"]):
        assert deploy(run, "a", "b", a={"tags": tags})["changed"]
        assert not deploy(run, "a", "b", a={"tags": tags})["changed"]
        assert set(tags) < set(get(run, edge, "/tags"))


def test_fleet_unmanaged_secret_without_visible_change_is_kept(run: Runner, edge: Edge) -> None:
    edge.behaviors.modified_on_updated_by = "content"
    worker = {"vars": {"PLAN": "pro"}, "unmanaged_bindings": "keep"}
    deploy(run, "a", a=worker)
    call(run, edge, "PUT", "/secrets", body={"name": "BY_HAND", "text": SECRET, "type": "secret_text"})
    deploy(run, "a", a={**worker, "vars": {"SEATS": 5}})
    assert secret_names(run, edge) == ["BY_HAND"]
    assert {binding["name"] for binding in get(run, edge, "/bindings")} == {"PLAN", "SEATS", "BY_HAND"}


@pytest.mark.parametrize(
    "invalid",
    [
        *INVALID_LEDGERS,
        '{"a": [STAMP, 1, 2, 3]}',
        '{"a": [STAMP, "1", "2", {"secrets": ["GONE"]}]}',
        '{"version": 2, "parts": 3, "workers": []}',
        '{"version": 2, "parts": "x", "written_at": "now", "workers": {"a": {"tag": STAMP, "memo": {"bindings": 5}}}}',
        '{"version": 2, "workers": {"a": {"tag": STAMP, "etag": ETAG, "modified_on": DATE, "memo": {"bindings": 5}}}}',
        '{"version": 2, "workers": {"a": {"tag": STAMP, "etag": ETAG, "modified_on": DATE, "memo": {"tags": [5]}}}}',
    ],
)
def test_ledger_invalid_is_rebuilt(run: Runner, invalid: str) -> None:
    deploy(run, "a", "b", a={"vars": {"PLAN": "pro"}})
    valid = ledger(run)
    for word, key in {"STAMP": "tag", "ETAG": "etag", "DATE": "modified_on"}.items():
        invalid = invalid.replace(word, json.dumps(valid["a"][key]))
    run.ok("kv_entries", title="Metadata", entries=[{"key": LEDGER, "value": invalid}])
    deploy(run, "a", "b", a={"vars": {"PLAN": "pro"}})
    assert deploy(run, "a", "b", a={"vars": {"PLAN": "free"}})["changed"]
    assert {name: sorted(entry) for name, entry in ledger(run).items()} == {
        "a": ["etag", "memo", "modified_on", "tag"],
        "b": ["etag", "modified_on", "tag"],
    }
    assert not deploy(run, "a", "b", a={"vars": {"PLAN": "free"}})["changed"]


@pytest.mark.slow
def test_fleet_external_change_during_run_is_repaired_by_next_run(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger is written last: what it notes then must not be what others have made of it."""
    monkeypatch.setattr(script_mapping, "UPLOAD_TOLERANCE", 0.0)
    look = NamespacedWorkers.refresh

    def change_then_poll(self: NamespacedWorkers, names: t.Collection[str] | None = None) -> None:
        if names is not None:
            time.sleep(2.1)
            self.client.call(
                "PUT", self._path("a", "secrets"), json={"name": "BY_HAND", "text": SECRET, "type": "secret_text"}
            )
        look(self, names)

    with monkeypatch.context() as patch:
        patch.setattr(NamespacedWorkers, "refresh", change_then_poll)
        deploy(run, "a", a={"secrets": None})
    assert secret_names(run, edge) == ["BY_HAND"]
    deploy(run, "a", a={"secrets": None})
    assert secret_names(run, edge) == []


def test_fleet_prune_keeps_worker_until_hostname_moves(run: Runner, edge: Edge) -> None:
    deploy(run, "old", "b", old={"hostnames": ["shop.example.com"]})
    moved_options = {
        **declared("new", "b", new={"hostnames": ["shop.example.com"]}),
        "prune": True,
        "prune_limit": "50%",
    }
    edge.fault(method="PUT", path=".*/scripts/new", status=400, code=10021, message="no", times=1)
    edge.clear()
    result = run("namespaced_workers", **moved_options)
    assert result["failed"] and "old: It stays, since it still answers for shop.example.com" in result["msg"]
    assert edge.writes() == [f"PUT /accounts/{edge.account}/workers/dispatch/namespaces/tenants/scripts/new"]
    assert result["routing_kv"]["records"] == routing_records(run) == {"shop.example.com": "old"}
    assert run.ok("namespaced_workers", **moved_options)["remaining"]["workers"] == 2
    assert routing_records(run) == {"shop.example.com": "new"}
    assert not run.ok("namespaced_workers", **moved_options)["changed"]


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
def test_fleet_failed_record_write_keeps_workers(
    run: Runner, edge: Edge, method: str, path: str, options: dict[str, t.Any]
) -> None:
    deploy(run, "a", "b", a={"hostnames": ["a.example.com"]}, b={"hostnames": ["b.example.com"]})
    edge.fault(method=method, path=path, status=400, code=10013, message="no", times=1)
    edge.clear()
    result = run("namespaced_workers", **{**FLEET, **options})
    assert result["failed"] and "Aborted: routing_kv failed" in result["msg"]
    assert not any("/scripts" in write for write in edge.writes())
    assert result["routing_kv"]["records"] == routing_records(run) == {"a.example.com": "a", "b.example.com": "b"}
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
def test_fleet_failed_deletion_by_tag_deletes_individually(
    run: Runner, edge: Edge, fault: dict[str, t.Any], left: int, sent: list[str]
) -> None:
    deploy(run, "a", "b", a={"hostnames": ["a.example.com"]})
    edge.fault(method="DELETE", path=".*/scripts$", message="no", times=4, **fault)
    result = run("namespaced_workers", **FLEET, state="absent")
    records_first, *worker_operations = result["operations"]
    assert "/storage/kv/" in records_first, "what was done is told, whatever came after it"
    assert (
        sorted(
            operation.replace(operation.split()[1].partition("/scripts")[0] + "/scripts", "")
            for operation in worker_operations
        )
        == sent
    )
    edge.clear_faults()
    assert run.ok("namespaced_workers", **FLEET, state="absent")["summary"]["changed"] == left


@pytest.mark.parametrize("check", [True, False])
def test_fleet_prune_over_limit_changes_nothing(run: Runner, edge: Edge, check: bool) -> None:
    deploy(run, *"abcdefghij")
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


def test_fleet_owner_in_ledger_needs_no_reads(run: Runner, edge: Edge) -> None:
    deploy(run, *"abcdefghij")
    edge.behaviors.list_includes_tags = "etag"
    edge.clear()
    result = run.ok("namespaced_workers", **declared(*"abcdefghi"), prune=True)
    assert result["summary"]["changed"] == 1 and script_requests(edge) == ["GET ", "DELETE /j", "GET "]


@pytest.mark.parametrize("listed", [{}, {"workers": None}, {"workers": ""}, {"workers": {}}])
def test_fleet_unread_workers_file_is_refused(run: Runner, listed: dict[str, t.Any]) -> None:
    deploy(run, "a", "b")
    assert run.refused("namespaced_workers", **FLEET, workers_file="tenants.json", state="absent", **listed)


def test_fleet_unknown_worker_options_are_reported(run: Runner) -> None:
    result = run("namespaced_workers", **declared("a", "b", b={"wrong": 1, "limits": {"cpu": 5}}))
    assert "b: unsupported parameters: limits.cpu, wrong." in result["msg"]


@pytest.mark.slow
@pytest.mark.parametrize("vary_behaviors", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_ledger_and_reads_end_in_same_state(run: Runner, edge: Edge, seed: int, vary_behaviors: bool) -> None:
    for state in play(run, edge, seed, vary_behaviors=vary_behaviors):
        assert state["noted"] == state["read"]
        assert state["shown"] == state["read"]
