# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routing records: external changes, records without a Worker, and two owners of one host name."""

from __future__ import annotations

import json
import typing as t

import pytest
import requests
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.client import Client
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources import routing_records
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.namespaced_workers import (
    NamespacedWorkers,
)
from harness import Runner
from local_edge.testing import Edge
from tenant import CODE, NAMESPACE

FLEET: dict[str, t.Any] = {
    **NAMESPACE,
    "owner": "mine",
    "routing_kv": {"title": "Metadata"},
    "defaults": {"content": CODE, "compatibility_date": "2026-11-01"},
}
ACME, BOLT = "acme.example.com", "bolt.example.com"
WORKERS = [{"name": "acme", "hostnames": [ACME]}, {"name": "bolt", "hostnames": [BOLT]}]
TO_BOLT = '{"state":"active","worker":"bolt"}'
SLOW = pytest.mark.slow
DEPTHS = ("fingerprint", "settings", "content")


@pytest.fixture(autouse=True)
def _platform(run: Runner) -> None:
    run.ok("dispatch_namespace", name="tenants")
    run.ok("kv_namespace", title="Metadata")


@pytest.fixture
def _fleet(_platform: None, run: Runner) -> None:
    run.ok("namespaced_workers", **FLEET, workers=WORKERS)


def keys(edge: Edge) -> dict[str, dict[str, t.Any]]:
    """Return the stored keys, except ledgers: value, metadata and expiration."""
    rows = edge.store.all("select key, value, metadata, expiration from kv")
    return {
        row["key"]: {
            "value": bytes(row["value"]).decode(),
            "metadata": json.loads(row["metadata"] or "null"),
            "expiration": row["expiration"],
        }
        for row in rows
        if not row["key"].startswith("tenantry/")
    }


def workers_by_host(edge: Edge) -> dict[str, str]:
    return {host: json.loads(key["value"])["worker"] for host, key in keys(edge).items()}


def overwrite(edge: Edge, key: str, **pair: t.Any) -> None:
    """Write a key as another client does."""
    headers = {"Authorization": f"Bearer {edge.token}"}
    root = f"{edge.api}/accounts/{edge.account}/storage/kv/namespaces"
    namespace = requests.get(root, headers=headers, timeout=10).json()["result"][0]["id"]
    body = [{"key": key, "value": TO_BOLT, **pair}]
    requests.put(f"{root}/{namespace}/bulk", json=body, headers=headers, timeout=10).raise_for_status()


def delete_worker(run: Runner, edge: Edge, name: str) -> None:
    path = f"/accounts/{edge.account}/workers/dispatch/namespaces/tenants/scripts/{name}"
    run.ok("api", method="DELETE", path=path)


def converge(run: Runner, edge: Edge, **options: t.Any) -> dict[str, t.Any]:
    """Run a fleet in check mode, for real, and again. The prediction is right, and the second run changes nothing."""
    predicted = run.ok("namespaced_workers", check=True, **FLEET, **options)
    edge.clear()
    real = run.ok("namespaced_workers", **FLEET, **options)
    assert predicted["operations"] == real["operations"] == edge.writes()
    assert predicted["diff"] == real["diff"]
    assert predicted["routing_kv"] == real["routing_kv"]
    again = run.ok("namespaced_workers", **FLEET, **options)
    assert not again["changed"], again["operations"]
    return real


# -- records that others have changed ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("_fleet")
@pytest.mark.parametrize("depth", DEPTHS)
def test_record_overwritten_with_kv_entries_is_repaired(run: Runner, edge: Edge, depth: str) -> None:
    before = keys(edge)
    entry = {"key": ACME, "value": {"state": "active", "worker": "bolt"}}
    for check in (True, False):
        (warning,) = run.ok("kv_entries", check=check, title="Metadata", entries=[entry])["warnings"]
        assert "this writes the keys of routing records" in warning and f": {ACME}. Declare" in warning
    again = run.ok("kv_entries", title="Metadata", entries=[entry])
    assert not again["changed"] and not again["warnings"]
    assert keys(edge)[ACME] == {"value": TO_BOLT, "metadata": None, "expiration": None}
    converge(run, edge, workers=WORKERS, drift_detection=depth)
    assert keys(edge) == before


@pytest.mark.usefixtures("_fleet")
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (TO_BOLT, "bolt"),
        ('{"state":"paused","worker":"acme"}', "(unknown)"),
        *(pytest.param(value, "(unknown)", marks=SLOW) for value in ('{"worker":["acme"]}', "null", "", "\u00e4")),
    ],
)
def test_record_with_value_of_another_digest_is_repaired(run: Runner, edge: Edge, value: str, shown: str) -> None:
    before = keys(edge)
    overwrite(edge, ACME, value=value, metadata=before[ACME]["metadata"])
    assert not run.ok("namespaced_workers", **FLEET, workers=WORKERS)["changed"], "only the value shows it"
    repaired = converge(run, edge, workers=WORKERS, drift_detection="settings")
    assert [operation.rsplit("/", 1)[1] for operation in repaired["operations"]] == ["bulk"]
    assert keys(edge) == before
    (diff,) = repaired["diff"]
    assert diff["before"]["records"] == {ACME: shown, BOLT: "bolt"}
    assert diff["after"]["records"] == repaired["routing_kv"]["records"] == {ACME: "acme", BOLT: "bolt"}


@pytest.mark.usefixtures("_fleet")
def test_record_with_binary_value_is_repaired(run: Runner, edge: Edge) -> None:
    before = keys(edge)
    overwrite(edge, ACME, value="//4A", base64=True, metadata=before[ACME]["metadata"])
    converge(run, edge, workers=WORKERS, drift_detection="content")
    assert keys(edge) == before


MARK = {"owner": "mine", "worker": "acme"}


@pytest.mark.usefixtures("_fleet")
@pytest.mark.parametrize(
    "change",
    [
        lambda mark: {},
        lambda mark: {"metadata": {"tenantry": {**mark, "worker": "bolt"}}},
        pytest.param(lambda mark: {"metadata": {"tenantry": {**mark, "digest": None}}}, marks=SLOW),
        lambda mark: {"metadata": {"tenantry": {**mark, "worker": ["acme"]}}},
        pytest.param(lambda mark: {"metadata": {"tenantry": {"owner": "mine"}}}, marks=SLOW),
        pytest.param(lambda mark: {"metadata": {"tenantry": "mine"}}, marks=SLOW),
        pytest.param(lambda mark: {"metadata": [1]}, marks=SLOW),
        lambda mark: {"metadata": {"tenantry": mark}, "expiration_ttl": 600},
    ],
)
def test_record_with_other_metadata_is_repaired(
    run: Runner, edge: Edge, change: t.Callable[[dict[str, t.Any]], dict[str, t.Any]]
) -> None:
    before = keys(edge)
    overwrite(edge, ACME, **change(before[ACME]["metadata"]["tenantry"]))
    converge(run, edge, workers=WORKERS)
    assert keys(edge) == before


@pytest.mark.usefixtures("_fleet")
def test_record_of_undeclared_tenant_stays_with_any_metadata(run: Runner, edge: Edge) -> None:
    overwrite(edge, "odd.example.com", metadata={"tenantry": {"owner": "mine", "worker": {"name": "odd"}}})
    overwrite(edge, "text.example.com", metadata={"tenantry": {"owner": ["mine"]}})
    result = converge(run, edge, workers=WORKERS, drift_detection="content")
    assert result["routing_kv"]["records"] == {ACME: "acme", BOLT: "bolt", "odd.example.com": "(unknown)"}
    assert sorted(keys(edge)) == [ACME, BOLT, "odd.example.com", "text.example.com"]
    converge(run, edge, workers=WORKERS, prune=True, prune_limit="50%")
    assert sorted(keys(edge)) == [ACME, BOLT, "text.example.com"]


@pytest.mark.parametrize(("count", "requests_each"), [pytest.param(1, 1, marks=SLOW), (100, 1), (101, 2)])
def test_record_values_are_compared_by_hundreds(run: Runner, edge: Edge, count: int, requests_each: int) -> None:
    workers = [{"name": "acme", "hostnames": [f"h{number}.example.com" for number in range(count)]}]
    run.ok("namespaced_workers", **FLEET, workers=workers)
    costs = {}
    for depth in DEPTHS:
        edge.clear()
        assert not run.ok("namespaced_workers", diff=False, **FLEET, workers=workers, drift_detection=depth)["changed"]
        costs[depth] = sum("/storage/kv/" in seen["path"] for seen in edge.requests())
    assert costs == {"fingerprint": 3, "settings": 3 + requests_each, "content": 3 + requests_each}


# -- entries with the mark of a record ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("_fleet")
def test_entry_equal_to_record_keeps_its_mark(run: Runner, edge: Edge) -> None:
    before = keys(edge)
    entry = {"key": ACME, "value": {"state": "active", "worker": "acme"}}
    assert not run.ok("kv_entries", title="Metadata", entries=[entry])["changed"]
    assert not run.ok("kv_entries", title="Metadata", entries=[{**entry, "metadata": before[ACME]["metadata"]}])[
        "changed"
    ]
    assert keys(edge) == before


def test_entry_written_keeps_metadata_without_mark(run: Runner, edge: Edge) -> None:
    overwrite(edge, "key", metadata={"tenantry": MARK, "note": "x"})
    entry = {"key": "key", "value": "text"}
    assert run.ok("kv_entries", title="Metadata", entries=[entry])["changed"]
    assert keys(edge)["key"]["metadata"] == {"note": "x"}
    overwrite(edge, "key", metadata={"tenantry": MARK, "note": "x"})
    assert run.ok("kv_entries", title="Metadata", entries=[{"key": "key", "value": TO_BOLT, "expiration_ttl": 600}])[
        "changed"
    ]
    assert keys(edge)["key"]["metadata"] == {"note": "x"}


@pytest.mark.usefixtures("_fleet")
def test_entry_with_digest_of_another_value_is_refused(run: Runner, edge: Edge) -> None:
    found = {key["key"]: key for key in run.ok("kv_entries_info", title="Metadata")["kv_entries"]}
    stored = {name: found[ACME][name] for name in ("key", "value", "metadata")}
    message = run.refused("kv_entries", title="Metadata", entries=[{**stored, "value": TO_BOLT}])
    assert message.startswith(f"entries: metadata of '{ACME}' has a digest of another value in 'tenantry'")
    assert edge.requests() == []
    run.ok("kv_entries", title="Metadata", entries=[{"key": ACME}], state="absent")
    before = run.ok("kv_entries", title="Metadata", entries=[stored])
    assert before["changed"], "a backup is restored"
    assert not run.ok("namespaced_workers", **FLEET, workers=WORKERS, drift_detection="settings")["changed"]


# -- KV is eventually consistent ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("prune", [False, True])
def test_run_with_an_older_listing_changes_nothing_for_visitors(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch, prune: bool
) -> None:
    """Records of the second run are not listed yet, and removed ones still are."""
    listings: list[t.Any] = []
    list_or_none = Client.list_or_none

    def keep(client: Client, path: str, /, **params: t.Any) -> t.Any:
        found = list_or_none(client, path, **params)
        if path.endswith("/keys"):
            listings.append(found)
        return found

    def recall(client: Client, path: str, /, **params: t.Any) -> t.Any:
        return listings[0] if path.endswith("/keys") else list_or_none(client, path, **params)

    run.ok("namespaced_workers", **FLEET, workers=WORKERS)
    task = {**FLEET, "workers": [{**WORKERS[1], "hostnames": [BOLT, "new.example.com"]}], "prune": prune}
    task["prune_limit"] = "50%"
    with monkeypatch.context() as patched:
        patched.setattr(Client, "list_or_none", keep)
        run.ok("namespaced_workers", **task)
    before = keys(edge)
    with monkeypatch.context() as patched:
        patched.setattr(Client, "list_or_none", recall)
        run.ok("namespaced_workers", **task)
    assert keys(edge) == before
    assert not run.ok("namespaced_workers", **task)["changed"]


# -- records that lead to nothing declared -----------------------------------------------------------------------------


@pytest.mark.usefixtures("_fleet")
@pytest.mark.parametrize("by", ["hand", "module"])
def test_record_of_deleted_worker_is_pruned(run: Runner, edge: Edge, by: str) -> None:
    if by == "hand":
        delete_worker(run, edge, "acme")
    else:
        run.ok("namespaced_worker", **NAMESPACE, name="acme", owner="mine", state="absent")
    assert not converge(run, edge, workers=WORKERS[1:])["changed"]
    assert sorted(keys(edge)) == [ACME, BOLT]
    pruned = converge(run, edge, workers=WORKERS[1:], prune=True)
    assert [operation.rsplit("/", 1)[1] for operation in pruned["operations"]] == ["delete"]
    assert list(keys(edge)) == [BOLT] and pruned["routing_kv"]["records"] == {BOLT: "bolt"}


@pytest.mark.usefixtures("_fleet")
def test_record_of_invalid_worker_is_not_pruned(run: Runner, edge: Edge) -> None:
    delete_worker(run, edge, "acme")
    invalid = [{"name": "acme", "vars": 7}, WORKERS[1]]
    result = run("namespaced_workers", **FLEET, workers=invalid, prune=True, prune_limit="100%")
    assert result["summary"]["failed"] == 1 and sorted(keys(edge)) == [ACME, BOLT]


def test_prune_limit_counts_tenants_with_records_only(run: Runner, edge: Edge) -> None:
    workers = [
        {"name": f"t{number}", "hostnames": [f"a{number}.example.com", f"b{number}.example.com"]}
        for number in range(10)
    ]
    run.ok("namespaced_workers", **FLEET, workers=workers)
    delete_worker(run, edge, "t0")
    declared = {"workers": workers[2:], "prune": True}
    for check in (True, False):
        message = run.refused("namespaced_workers", check=check, **FLEET, **declared)
        assert "2 of the 10 Workers of owner 'mine' are not declared" in message
        assert "(10%): t1, t0. Of t0, only the routing records belong to this owner. Nothing was changed." in message
        assert "set prune_limit: 20%" in message
    assert len(keys(edge)) == 20
    converge(run, edge, **declared, prune_limit="2")
    assert sorted(workers_by_host(edge).values()) == sorted([f"t{number}" for number in range(2, 10)] * 2)


@pytest.mark.usefixtures("_fleet")
def test_prune_limit_counts_all_records_of_an_empty_listing(run: Runner, edge: Edge) -> None:
    for name in ("acme", "bolt"):
        delete_worker(run, edge, name)
    assert "2 of the 2 Workers" in run.refused("namespaced_workers", **FLEET, workers=[], prune=True)


@pytest.mark.parametrize("workers", [WORKERS[:1], [{"name": "acme"}]])
def test_prune_of_the_only_worker_needs_the_whole_share(
    run: Runner, edge: Edge, workers: list[dict[str, t.Any]]
) -> None:
    run.ok("namespaced_workers", **FLEET, workers=workers)
    message = run.refused("namespaced_workers", **FLEET, workers=[], prune=True)
    assert "1 of the 1 Workers" in message and "set prune_limit: 100%" in message
    converge(run, edge, workers=[], prune=True, prune_limit="100%")
    assert keys(edge) == {}


@pytest.mark.usefixtures("_fleet")
def test_prune_removes_records_before_another_owner_takes_them(run: Runner, edge: Edge) -> None:
    theirs = {**FLEET, "owner": "theirs", "workers": WORKERS[:1], "take_over": True}
    result = run("namespaced_workers", **theirs)
    assert f"acme: hostnames: {ACME} belongs to owner 'mine' in routing_kv. Remove it there first." in result["msg"]
    converge(run, edge, workers=WORKERS[1:], prune=True, prune_limit="50%")
    assert run.ok("namespaced_workers", **theirs)["changed"]
    assert keys(edge)[ACME]["metadata"]["tenantry"]["owner"] == "theirs"
    assert not run.ok("namespaced_workers", **FLEET, workers=WORKERS[1:], prune=True, prune_limit="50%")["changed"]


# -- two owners of one host name ---------------------------------------------------------------------------------------

THEIR_MARK = {"tenantry": {"owner": "theirs", "worker": "bolt", "digest": "0"}}


@pytest.mark.parametrize("check", [True, False])
def test_host_name_of_another_owner_fails_its_worker_alone(run: Runner, edge: Edge, check: bool) -> None:
    overwrite(edge, ACME, metadata=THEIR_MARK)
    result = run("namespaced_workers", check=check, **FLEET, workers=WORKERS)
    assert result["failed"] and result["summary"] == {"total": 2, "changed": 1, "failed": 1}
    assert f"acme: hostnames: {ACME} belongs to owner 'theirs' in routing_kv. Remove it there first." in result["msg"]
    assert result["routing_kv"]["records"] == {BOLT: "bolt"}
    assert keys(edge)[ACME] == {"value": TO_BOLT, "metadata": THEIR_MARK, "expiration": None}
    assert (BOLT in keys(edge)) is not check


@pytest.fixture(params=["by page", "one by one"])
def _reads_before_writes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, edge: Edge) -> None:
    """Records are looked at again in both ways: as a list, and by name if there are many pages of others."""
    if request.param == "by page":
        return
    monkeypatch.setattr(routing_records, "PAGE_SIZE", 10)
    for number in range(11):
        overwrite(edge, f"other{number}.example.com", metadata={"tenantry": {"owner": "others"}})


@pytest.mark.usefixtures("_reads_before_writes")
@pytest.mark.parametrize("prune", [False, True])
def test_host_name_claimed_during_the_run_is_not_taken(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch, prune: bool
) -> None:
    run.ok("namespaced_workers", **FLEET, workers=[{"name": "old", "hostnames": ["old.example.com"]}, WORKERS[1]])
    refresh = NamespacedWorkers.refresh

    def claim_then_refresh(self: NamespacedWorkers, names: t.Collection[str] | None = None) -> None:
        if names is not None:  # the Workers are uploaded, and the records are next
            overwrite(edge, ACME, metadata=THEIR_MARK)
        refresh(self, names)

    task = {**FLEET, "workers": WORKERS, "prune": prune, "prune_limit": "50%"}
    with monkeypatch.context() as patched:
        patched.setattr(NamespacedWorkers, "refresh", claim_then_refresh)
        result = run("namespaced_workers", **task)
    assert result["failed"] and f"hostnames: {ACME} belongs to owner 'theirs'" in result["msg"]
    assert keys(edge)[ACME] == {"value": TO_BOLT, "metadata": THEIR_MARK, "expiration": None}
    assert "old.example.com" in keys(edge), "the record of a Worker that stays"
    result = run("namespaced_workers", **task)
    assert result["summary"]["failed"] == 1 and f"acme: hostnames: {ACME} belongs to owner 'theirs'" in result["msg"]
    assert ("old.example.com" in keys(edge)) is not prune


@pytest.mark.usefixtures("_reads_before_writes")
def test_records_and_ledger_are_removed_after_another_look(run: Runner, edge: Edge) -> None:
    run.ok("namespaced_workers", **FLEET, workers=WORKERS)
    assert converge(run, edge, workers=WORKERS[:1], prune=True, prune_limit="50%")["changed"]
    assert (ACME in keys(edge), BOLT in keys(edge)) == (True, False)
    removed = run.ok("namespaced_workers", **NAMESPACE, owner="mine", routing_kv={"title": "Metadata"}, state="absent")
    assert removed["changed"] and not edge.store.all("select key from kv where key like 'tenantry/%'")
    assert not any(key["metadata"]["tenantry"]["owner"] == "mine" for key in keys(edge).values())


@pytest.mark.usefixtures("_reads_before_writes")
@pytest.mark.parametrize("metadata", [THEIR_MARK, None])
def test_record_taken_during_the_run_is_not_deleted(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch, metadata: t.Any
) -> None:
    run.ok("namespaced_workers", **FLEET, workers=WORKERS)
    refresh = NamespacedWorkers.refresh

    def claim_then_refresh(self: NamespacedWorkers, names: t.Collection[str] | None = None) -> None:
        if names == ["bolt"]:
            overwrite(edge, ACME, metadata=metadata)
        refresh(self, names)

    task = {**FLEET, "workers": [{**WORKERS[1], "tags": ["x"]}], "prune": True, "prune_limit": "50%"}
    with monkeypatch.context() as patched:
        patched.setattr(NamespacedWorkers, "refresh", claim_then_refresh)
        result = run("namespaced_workers", **task)
    assert result["failed"] and f"another client has written the record of {ACME} since the run began" in result["msg"]
    assert run.ok("namespaced_workers", **task)["changed"], "the Worker"
    assert keys(edge)[ACME] == {"value": TO_BOLT, "metadata": metadata, "expiration": None}
    assert not run.ok("namespaced_workers", **task)["changed"]


# -- writes that were not stored ---------------------------------------------------------------------------------------


def test_records_that_were_not_stored_fail_the_run(run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Client.write

    def store_one(client: Client, method: str, path: str, **request: t.Any) -> t.Any:
        pairs = {"json": request["json"][:1]} if path.endswith("/bulk") else {}
        return write(client, method, path, **{**request, **pairs})

    with monkeypatch.context() as patched:
        patched.setattr(Client, "write", store_one)
        result = run("namespaced_workers", **FLEET, workers=WORKERS)
    assert result["failed"] and "Cloudflare wrote 1 of 3 keys. Run again." in result["msg"]
    assert run.ok("namespaced_workers", **FLEET, workers=WORKERS)["changed"]
    assert workers_by_host(edge) == {ACME: "acme", BOLT: "bolt"}


def test_records_that_cannot_be_written_are_not_tolerated(run: Runner, edge: Edge) -> None:
    edge.fault(method="PUT", path=".*/bulk", status=400, code=10013, message="no", times=1)
    result = run("namespaced_workers", **FLEET, workers=WORKERS, max_failures=5)
    assert result.get("failed") and "routing_kv: " in result["msg"]
    assert run.ok("namespaced_workers", **FLEET, workers=WORKERS)["changed"]
    assert workers_by_host(edge) == {ACME: "acme", BOLT: "bolt"}


def test_records_that_cannot_be_listed_again_keep_the_report(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge.fault(method="PUT", path=".*/scripts/bolt$", status=400, code=10021, message="no", times=1)
    refresh = NamespacedWorkers.refresh

    def refresh_then_fail(self: NamespacedWorkers, names: t.Collection[str] | None = None) -> None:
        refresh(self, names)
        if names is not None:  # acme is uploaded, bolt failed, and the records are planned again
            edge.fault(method="GET", path=".*/keys$", status=403, code=10000, message="no", times=9)

    with monkeypatch.context() as patched:
        patched.setattr(NamespacedWorkers, "refresh", refresh_then_fail)
        result = run("namespaced_workers", **FLEET, workers=WORKERS, max_failures=5)
    edge.clear_faults()
    assert result["failed"] and "routing_kv: " in result["msg"]
    assert [operation.rsplit("/", 1)[1] for operation in result["operations"]] == ["acme"]
    assert result["summary"] == {"total": 2, "changed": 1, "failed": 1}
    assert run.ok("namespaced_workers", **FLEET, workers=WORKERS)["changed"]
    assert workers_by_host(edge) == {ACME: "acme", BOLT: "bolt"}


@pytest.mark.usefixtures("_fleet")
@pytest.mark.parametrize("tags", [pytest.param([], marks=SLOW), ["x"]])
@pytest.mark.parametrize(("when", "fails"), [("after", False), ("before", True)])
def test_record_deletion_without_response_is_verified(
    run: Runner, edge: Edge, tags: list[str], when: str, fails: bool
) -> None:
    task = {**FLEET, "workers": [WORKERS[0], {"name": "bolt", "tags": tags}]}
    edge.fault(method="POST", path=".*/bulk/delete", status=502, when=when, times=1)
    edge.clear()
    result = run("namespaced_workers", **task)
    assert bool(result.get("failed")) is fails and (BOLT in keys(edge)) is fails
    if not fails:
        assert result["operations"] == edge.writes()
    assert bool(run.ok("namespaced_workers", **task)["changed"]) is fails
    assert list(keys(edge)) == [ACME]


def test_ledger_without_response_fails_without_a_wait(run: Runner, edge: Edge) -> None:
    workers = [{"name": "acme"}]
    edge.fault(method="PUT", path=".*/bulk", status=502, times=4)
    assert "routing_kv: " in run("namespaced_workers", **FLEET, workers=workers)["msg"]
    run.ok("namespaced_workers", **FLEET, workers=workers)
    assert not run.ok("namespaced_workers", **FLEET, workers=workers)["changed"]


def test_records_without_response_are_verified(run: Runner, edge: Edge) -> None:
    edge.fault(method="PUT", path=".*/bulk", status=502, when="after", times=4)
    result = run.ok("namespaced_workers", **FLEET, workers=WORKERS)
    assert result["changed"] and workers_by_host(edge) == {ACME: "acme", BOLT: "bolt"}
    assert not run.ok("namespaced_workers", **FLEET, workers=WORKERS)["changed"]
