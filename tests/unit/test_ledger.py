# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ledger: it stores what the API returned for this run's own writes, and comes back after it was lost."""

from __future__ import annotations

import copy
import datetime
import json
import typing as t

import pytest
import requests
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.client import Client
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.rate_limiter import RateLimiter
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources import ledger as ledgers
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.namespaced_workers import (
    NamespacedWorkers,
)
from concurrency import Clock
from harness import Runner
from local_edge.testing import Edge
from tenant import CODE, SCRIPT, SECRET, call, secret_names

LEDGER = "tenantry/ledger/mine"
OTHER_CODE = CODE.replace("one", "other")
FLEET: dict[str, t.Any] = {
    "diff": False,
    "dispatch_namespace": "tenants",
    "owner": "mine",
    "routing_kv": {"title": "Metadata"},
    "defaults": {"content": CODE, "compatibility_date": "2026-11-01"},
}
SEVERAL = [{"name": name, "hostnames": [f"{name}.example.com"]} for name in "abcdefgh"]


@pytest.fixture(autouse=True)
def _platform(run: Runner) -> None:
    for name in ("tenants", "staging"):
        run.ok("dispatch_namespace", name=name)
    run.ok("kv_namespace", title="Metadata")


def deploy(run: Runner, *workers: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
    return run.ok("namespaced_workers", **{**FLEET, "workers": list(workers), **options})


def documents(run: Runner) -> dict[str, t.Any]:
    """Return the parts of the ledger by key."""
    entries = run.ok("kv_entries_info", title="Metadata", prefix=LEDGER)["kv_entries"]
    return {entry["key"]: json.loads(entry["value"]) for entry in entries}


def stored(run: Runner) -> dict[str, t.Any]:
    """Return the entries of all parts."""
    return {name: entry for document in documents(run).values() for name, entry in document["workers"].items()}


def store(run: Runner, document: t.Any) -> None:
    """Replace the ledger."""
    run.ok("kv_entries", title="Metadata", entries=[{"key": LEDGER, "value": json.dumps(document)}])


def code(edge: Edge, name: str = "a") -> str:
    row = edge.store.one(
        "select modules.body from scripts join modules on modules.etag = scripts.etag where scripts.name = ?", name
    )
    return str(row["body"].decode())


def meanwhile(monkeypatch: pytest.MonkeyPatch, method: str, action: t.Callable[[], object]) -> None:
    """Call an action once, before a method of the bulk run is called for the next time after its first listing."""
    original, done = getattr(NamespacedWorkers, method), list[bool]()

    def act_first(self: NamespacedWorkers, *arguments: t.Any) -> t.Any:
        if not done and (arguments and arguments[0] is not None):
            done.append(True)
            action()
        return original(self, *arguments)

    monkeypatch.setattr(NamespacedWorkers, method, act_first)


def replace_content(run: Runner, edge: Edge) -> None:
    """Replace the code of a, as a client does that keeps tags and settings."""
    url = f"{edge.api}{SCRIPT.format(account=edge.account)}/content"
    metadata = (None, json.dumps({"main_module": "worker.js"}), "application/json")
    files = {"metadata": metadata, "worker.js": ("worker.js", OTHER_CODE, "application/javascript+module")}
    requests.put(url, files=files, headers={"Authorization": f"Bearer {edge.token}"}, timeout=10).raise_for_status()


def set_secret(run: Runner, edge: Edge) -> None:
    """Set a secret of a by hand, some seconds after the upload."""
    call(run, edge, "PUT", "/secrets", body={"name": "BY_HAND", "text": SECRET, "type": "secret_text"})
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=5)
    with edge.store.write() as database:
        database.execute("update scripts set modified_on = ?", (later.isoformat().replace("+00:00", "Z"),))


# -- other clients -----------------------------------------------------------------------------------------------------


def test_ledger_worker_overwritten_before_verification_is_uploaded_again(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = {"name": "a", "vars": {"PLAN": "pro"}}
    with monkeypatch.context() as patched:
        meanwhile(patched, "refresh", lambda: deploy(run, {**worker, "content": OTHER_CODE}))
        result = deploy(run, worker)
    assert "its listing does not show all of them" in str(result["warnings"])
    assert code(edge) == OTHER_CODE and "a" not in stored(run)
    assert [operation.rpartition("/")[2] for operation in deploy(run, worker)["operations"]] == ["a", "bulk"]
    assert code(edge) == CODE
    assert not deploy(run, worker)["changed"]


def test_ledger_tags_written_over_code_of_other_checkout_is_repaired(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(run, {"name": "a"})
    worker = {"name": "a", "tags": ["x"]}
    with monkeypatch.context() as patched:
        meanwhile(patched, "linked_resource", lambda: deploy(run, {"name": "a", "content": OTHER_CODE}))
        deploy(run, worker)
    assert code(edge) == OTHER_CODE, "with the fingerprint tag of the first"
    assert deploy(run, worker)["changed"] and code(edge) == CODE
    assert not deploy(run, worker)["changed"]


@pytest.mark.parametrize("change", [replace_content, set_secret])
def test_ledger_change_by_hand_between_upload_and_verification_is_repaired(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch, change: t.Callable[[Runner, Edge], None]
) -> None:
    worker = {"name": "a", "secrets": None}
    with monkeypatch.context() as patched:
        meanwhile(patched, "refresh", lambda: change(run, edge))
        deploy(run, worker)
    assert code(edge) == OTHER_CODE or secret_names(run, edge) == ["BY_HAND"]
    assert deploy(run, worker)["changed"]
    assert code(edge) == CODE and secret_names(run, edge) == []
    assert not deploy(run, worker)["changed"]


def test_ledger_secret_set_by_hand_at_once_after_the_upload_is_repaired(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other uploads show that the dates of responses and lists are equal, so any other date is another write."""
    secret = {"name": "BY_HAND", "text": SECRET, "type": "secret_text"}
    workers = [{"name": "a", "secrets": None}, {"name": "b"}]
    with monkeypatch.context() as patched:
        meanwhile(patched, "refresh", lambda: call(run, edge, "PUT", "/secrets", body=secret))
        deploy(run, *workers)
    assert secret_names(run, edge) == ["BY_HAND"]
    assert deploy(run, *workers)["changed"] and secret_names(run, edge) == []
    assert not deploy(run, *workers)["changed"]


def test_fleet_secret_set_by_hand_before_the_upload_is_replaced(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fingerprint tag of the upload attests the declared value."""
    workers = [{"name": "a", "secrets": {"KEY": SECRET}}]
    options = {"fingerprint_key": "fingerprint-key-1"}
    deploy(run, *workers, **options)
    by_hand = {"name": "KEY", "text": "by-hand-1", "type": "secret_text"}
    with monkeypatch.context() as patched:
        meanwhile(patched, "linked_resource", lambda: call(run, edge, "PUT", "/secrets", body=by_hand))
        deploy(run, {**workers[0], "vars": {"PLAN": "pro"}}, **options)
    row = edge.store.one("select value from bindings where name = 'KEY'")
    assert edge.store.unseal(row["value"]) == SECRET


def test_ledger_unchanged_worker_is_remembered_as_it_was_planned(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(run, {"name": "a"})
    run.ok("kv_entries", title="Metadata", state="absent", entries=[{"key": LEDGER}])
    with monkeypatch.context() as patched:
        meanwhile(patched, "linked_resource", lambda: replace_content(run, edge))
        deploy(run, {"name": "a"}, {"name": "b"})
    assert deploy(run, {"name": "a"}, {"name": "b"})["changed"] and code(edge) == CODE
    assert not deploy(run, {"name": "a"}, {"name": "b"})["changed"]


# -- two owners --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("take_over", [False, True])
@pytest.mark.parametrize("exists", [False, True])
def test_fleet_worker_taken_by_other_owner_fails(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch, exists: bool, take_over: bool
) -> None:
    if exists:
        deploy(run, {"name": "a"}, {"name": "b"})
    mine = [{"name": name, "hostnames": [f"{name}.example.com"], "vars": {"PLAN": "pro"}} for name in ("a", "b")]
    theirs = {"owner": "yours", "take_over": True, "routing_kv": {"title": "Metadata"}}
    with monkeypatch.context() as patched:
        meanwhile(patched, "refresh", lambda: deploy(run, {"name": "a", "content": OTHER_CODE}, **theirs))
        result = run("namespaced_workers", **{**FLEET, "workers": mine, "take_over": take_over})
    assert result["failed"] and result["summary"] == {"total": 2, "changed": 2, "failed": 1}
    assert "a: Owner 'yours' has taken the Worker since this run wrote it." in result["msg"]
    assert list(result["routing_kv"]["records"]) == ["b.example.com"] and code(edge) == OTHER_CODE
    assert "b" in stored(run) and stored(run).get("a", {}).get("tag") not in call(run, edge, "GET", "/tags")
    again = run("namespaced_workers", **{**FLEET, "workers": mine})
    assert "belongs to owner 'yours'" in again["msg"] and not again["changed"]
    assert deploy(run, *mine, take_over=True)["changed"] and code(edge) == CODE
    assert not deploy(run, *mine)["changed"]


@pytest.mark.parametrize("routing_kv", [{"title": "Metadata"}, None])
def test_fleet_prune_keeps_worker_taken_by_other_owner(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch, routing_kv: dict[str, str] | None
) -> None:
    deploy(run, {"name": "a"}, {"name": "b"}, routing_kv=routing_kv)
    theirs = {"owner": "yours", "take_over": True}
    task = {**FLEET, "workers": [{"name": "b", "vars": {"PLAN": "pro"}}], "prune": True, "prune_limit": 1}
    task["routing_kv"] = routing_kv
    with monkeypatch.context() as patched:
        meanwhile(patched, "refresh", lambda: deploy(run, {"name": "a", "content": OTHER_CODE}, **theirs))
        result = run("namespaced_workers", **task)
    assert result["failed"] and "a: It stays, since owner 'yours' has taken it" in result["msg"]
    assert code(edge) == OTHER_CODE
    assert not run.ok("namespaced_workers", **task)["changed"]


def test_fleet_worker_taken_over_beside_stale_listing_is_only_late(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(run, {"name": "a", "content": OTHER_CODE}, owner="yours")
    with monkeypatch.context() as patched:
        listing = run.ok("api", path=SCRIPT.format(account=edge.account).rpartition("/")[0])["api"]
        patched.setattr(Client, "list_or_none", lambda client, path, **params: copy.deepcopy(listing))
        result = deploy(run, {"name": "a"}, take_over=True, routing_kv=None)
    assert "does not show all of them yet: 1," in str(result["warnings"]) and "Another client" not in str(result)
    assert code(edge) == CODE


def test_fleet_unreadable_verification_keeps_the_result(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(run, {"name": "a"})
    changed = {"name": "a", "vars": {"PLAN": "pro"}}
    with monkeypatch.context() as patched:
        fault = {"method": "GET", "path": ".*/tenants/scripts.*", "status": 502, "message": "no", "times": 99}
        meanwhile(patched, "refresh", lambda: edge.fault(**fault))
        result = deploy(run, changed)
    edge.clear_faults()
    assert result["changed"] and "It could not be read: " in str(result["warnings"]) and "a" not in stored(run)
    again = deploy(run, changed)
    assert again["summary"]["changed"] == 0 and again["operations"] and "a" in stored(run), "only the ledger"
    assert not deploy(run, changed)["changed"]


# -- a lost ledger -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"vars": {"PLAN": "free"}}, {"tags": ["x"]}, {"secrets": {"KEY": SECRET}}, None])
def test_ledger_lost_in_failed_write_is_written_by_next_run(
    run: Runner, edge: Edge, change: dict[str, t.Any] | None
) -> None:
    if change is not None:
        deploy(run, {"name": "a"}, {"name": "b"}, fingerprint_key="fingerprint-key-1")
    worker = {"name": "a", **(change or {})}
    edge.fault(method="PUT", path=".*/bulk", status=400, code=10012, message="no", times=1)
    task = {**FLEET, "workers": [worker, {"name": "b"}], "fingerprint_key": "fingerprint-key-1"}
    assert run("namespaced_workers", **task)["failed"]
    predicted = run.ok("namespaced_workers", check=True, **task)
    edge.clear()
    result = run.ok("namespaced_workers", **task)
    assert predicted["operations"] == result["operations"] == edge.writes() and len(edge.writes()) == 1
    listed = {
        one["id"]: one for one in run.ok("api", path=SCRIPT.format(account=edge.account).rpartition("/")[0])["api"]
    }
    assert set(stored(run)) == {"a", "b"}
    for name, entry in stored(run).items():
        assert entry["tag"] in listed[name]["tags"]
        assert (entry["etag"], entry["modified_on"]) == (listed[name]["etag"], listed[name]["modified_on"])
    edge.clear()
    assert not run.ok("namespaced_workers", **task)["changed"] and len(edge.requests()) == 4


def test_ledger_deleted_comes_back_once(run: Runner) -> None:
    deploy(run, *SEVERAL)
    run.ok("kv_entries", title="Metadata", state="absent", entries=[{"key": LEDGER}])
    assert deploy(run, *SEVERAL)["summary"]["changed"] == 0 and len(stored(run)) == len(SEVERAL)
    assert not deploy(run, *SEVERAL)["changed"]


def test_ledger_of_two_dispatch_namespaces_is_not_written_forever(run: Runner) -> None:
    for namespace in ("tenants", "staging", "tenants"):
        deploy(run, {"name": "a"}, {"name": "b"}, dispatch_namespace=namespace)
    for namespace in ("tenants", "staging"):
        assert not deploy(run, {"name": "a"}, {"name": "b"}, dispatch_namespace=namespace)["changed"]
    changed = {"name": "a", "vars": {"PLAN": "pro"}}
    assert deploy(run, changed, {"name": "b"}, dispatch_namespace="staging")["changed"]
    (document,) = documents(run).values()
    assert document["dispatch_namespace"] == "staging" and set(document["workers"]) == {"a", "b"}


# -- versions and parts ------------------------------------------------------------------------------------------------


def test_ledger_unknown_keys_are_kept(run: Runner) -> None:
    deploy(run, {"name": "a"}, {"name": "b"})
    (document,) = documents(run).values()
    assert (document["version"], document["parts"]) == (2, 1)
    document["waves"] = {"first": ["a"]}
    for entry in document["workers"].values():
        entry["release"] = "stable"
    store(run, document)
    assert not deploy(run, {"name": "a"}, {"name": "b"})["changed"]
    deploy(run, {"name": "a", "vars": {"PLAN": "pro"}}, {"name": "b"})
    (after,) = documents(run).values()
    assert after["waves"] == {"first": ["a"]}
    assert {name: entry["release"] for name, entry in after["workers"].items()} == {"a": "stable", "b": "stable"}
    assert after["workers"]["a"]["tag"] != document["workers"]["a"]["tag"]
    assert after["workers"]["b"] == document["workers"]["b"]


def test_ledger_of_later_version_is_left_alone(run: Runner, edge: Edge) -> None:
    deploy(run, {"name": "a"})
    (document,) = documents(run).values()
    later = {**document, "version": 3}
    store(run, later)
    worker = {"name": "a", "vars": {"PLAN": "pro"}}
    edge.clear()
    assert deploy(run, worker)["changed"]
    assert any(one["path"].endswith("/a/settings") for one in edge.requests()), "its memo is not believed"
    assert not deploy(run, worker)["changed"]
    assert list(documents(run).values()) == [later]


def test_ledger_of_version_1_is_replaced_at_next_change(run: Runner, edge: Edge) -> None:
    deploy(run, {"name": "a"}, {"name": "b"})
    entries = stored(run)
    store(run, {name: list(entry.values()) for name, entry in entries.items()})
    edge.clear()
    assert not deploy(run, {"name": "a"}, {"name": "b"})["changed"] and len(edge.requests()) == 4
    edge.clear()
    deploy(run, {"name": "a", "vars": {"PLAN": "pro"}}, {"name": "b"})
    assert not [one for one in edge.requests() if one["method"] == "GET" and "/scripts/" in one["path"]], "the memo"
    (document,) = documents(run).values()
    assert document["version"] == 2 and document["workers"]["b"] == entries["b"]


def test_ledger_large_is_divided_into_parts(run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(run, *SEVERAL)
    monkeypatch.setattr(ledgers, "MAX_PART_BYTES", 2000)
    changed = [{**SEVERAL[0], "vars": {"PLAN": "pro"}}, *SEVERAL[1:]]
    deploy(run, *changed)
    parts = documents(run)
    count = len(parts)
    assert count in (2, 4, 8) and sorted(parts) == [LEDGER, *(f"{LEDGER}/{number}" for number in range(1, count))]
    assert all(len(json.dumps(document)) < 2000 and document["parts"] == count for document in parts.values())
    assert set(stored(run)) == set("abcdefgh")
    edge.clear()
    assert not deploy(run, *changed)["changed"] and len(edge.requests()) == 3 + count
    deploy(run, SEVERAL[0], *changed[1:])
    assert [key for key, document in documents(run).items() if document != parts[key]] == [
        ledgers.part_key("mine", ledgers.part_of("a", count))
    ]
    removed = run.ok("namespaced_workers", **{**FLEET, "defaults": {}, "state": "absent"})
    assert removed["remaining"] == {"workers": 0, "kv_keys": 0} and not documents(run)


def test_ledger_without_space_for_memos_keeps_the_rest(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledgers, "MAX_PART_BYTES", 1800)
    monkeypatch.setattr(ledgers, "ENTRY_BYTES", 1)
    deploy(run, *SEVERAL)
    assert set(stored(run)) == set("abcdefgh") and not any("memo" in entry for entry in stored(run).values())
    edge.clear()
    assert not deploy(run, *SEVERAL)["changed"] and len(edge.requests()) == 4


def test_ledger_is_written_at_most_once_a_second(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(ledgers, "WRITE_INTERVAL", 1.0)
    monkeypatch.setattr(ledgers, "clock", clock)
    monkeypatch.setattr(RateLimiter, "sleep", lambda limiter, seconds: clock.sleep(seconds))
    deploy(run, {"name": "a"})
    assert not deploy(run, {"name": "a"})["changed"] and clock.slept == []
    clock.now += 0.25
    deploy(run, {"name": "a", "vars": {"PLAN": "pro"}})
    assert clock.slept == [0.75]
    clock.now += 1.0
    deploy(run, {"name": "a", "vars": {"PLAN": "free"}})
    assert clock.slept == [0.75]
