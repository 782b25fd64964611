# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets: what each change costs, who harms whom when something is wrong, and what is removed."""

from __future__ import annotations

import dataclasses
import json
import threading
import typing as t

import pytest
import requests
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.client import Client
from harness import Runner
from local_edge.testing import Edge
from tenant import CODE, NAMESPACE, SECRET

DEFAULTS = {"content": CODE, "compatibility_date": "2026-11-01"}
FLEET: dict[str, t.Any] = {**NAMESPACE, "owner": "mine", "routing_kv": {"title": "Metadata"}, "defaults": DEFAULTS}
SCRIPTS = "/accounts/{}/workers/dispatch/namespaces/tenants/scripts"


@pytest.fixture(autouse=True)
def _platform(run: Runner) -> None:
    run.ok("dispatch_namespace", name="tenants")
    run.ok("kv_namespace", title="Metadata")


def tenants(count: int, **options: t.Any) -> list[dict[str, t.Any]]:
    """Declare tenants, all alike but for their names."""
    return [
        {"name": f"t{number:03}", "hostnames": [f"t{number:03}.example.com"], "vars": {"PLAN": "pro"}, **options}
        for number in range(count)
    ]


def script_names(run: Runner, edge: Edge) -> list[str]:
    return sorted(script["id"] for script in run.ok("api", path=SCRIPTS.format(edge.account))["api"])


def count_requests(run: Runner, edge: Edge, **options: t.Any) -> tuple[int, int]:
    """Run a fleet as without --diff, and return how many reads and writes it took."""
    edge.clear()
    run.ok("namespaced_workers", diff=False, **FLEET, **options)
    writes = len(edge.writes())
    return len(edge.requests()) - writes, writes


def test_fleet_each_change_sends_minimal_requests(run: Runner, edge: Edge) -> None:
    fleet = tenants(12)
    assert count_requests(run, edge, workers=fleet) == (5, 13), (
        "Workers, KV namespaces, records, Workers, the new records; and the records with the ledger in one write"
    )
    assert count_requests(run, edge, workers=fleet) == (4, 0), "Workers, KV namespaces, ledger, records"
    fleet[3]["vars"] = {"PLAN": "free"}
    assert count_requests(run, edge, workers=fleet) == (5, 2), (
        "one upload and the ledger; the Workers are listed once more"
    )
    fleet[3]["limits"] = {"cpu_ms": 50}
    assert count_requests(run, edge, workers=fleet) == (5, 2)
    fleet = [{**worker, "tags": ["x"]} for worker in fleet]
    assert count_requests(run, edge, workers=fleet) == (5, 13)
    assert count_requests(run, edge, workers=fleet[:-1], prune=True) == (5, 2), "the record, the Worker"
    removed = run.ok("namespaced_workers", **NAMESPACE, owner="mine", routing_kv={"title": "Metadata"}, state="absent")
    assert len(removed["operations"]) == 2, "the records, the Workers"


REMOVED = {**NAMESPACE, "owner": "mine", "state": "absent"}


@pytest.mark.parametrize("form", ["bare", "counts", "objects", "names", "null", "empty"])
@pytest.mark.parametrize("limit", ["request", "one", "all"])
def test_fleet_removal_repeats_deletion_while_workers_remain(run: Runner, edge: Edge, form: str, limit: str) -> None:
    edge.behaviors.bulk_delete_response, edge.behaviors.bulk_delete_limit = form, limit
    run.ok("namespaced_workers", **FLEET, workers=tenants(5))
    run.ok("namespaced_worker", **NAMESPACE, **DEFAULTS, name="theirs", owner="yours")
    edge.clear()
    removed = run.ok("namespaced_workers", **REMOVED)
    assert script_names(run, edge) == ["theirs"] and removed["summary"] == {"total": 5, "changed": 5, "failed": 0}
    by_tag = f"DELETE {SCRIPTS.format(edge.account)}"
    assert sorted(removed["operations"]) == sorted(edge.writes())
    if limit != "one":
        assert removed["operations"] == [by_tag]
    elif form in ("bare", "counts"):
        assert removed["operations"] == [by_tag] * 5
    else:
        assert removed["operations"][0] == by_tag and len(removed["operations"]) == 1 + 4
    queries = [request["query"] for request in edge.requests() if f"{request['method']} {request['path']}" == by_tag]
    assert set(queries) == {"tags=tenantry.owner.mine%3Ayes&limit=1000"}
    reads = len(edge.requests()) - len(edge.writes()) - 1  # that of script_names
    if limit != "one" or form in ("bare", "counts"):
        assert reads == 2, "one listing before, one after"
    elif form in ("objects", "names"):
        assert reads == 3, "one before, one after the deletion by tag, one after the others"


def test_fleet_removal_aborted_counts_workers_not_started_as_remaining(run: Runner, edge: Edge) -> None:
    run.ok("namespaced_workers", **FLEET, workers=tenants(4))
    edge.fault(method="DELETE", path=".*/scripts/.*", status=400, code=10021, message="no", times=1)
    task = {**REMOVED, "workers": tenants(4), "concurrency": 1, "max_failures": 0}
    result = run("namespaced_workers", **task)
    assert result["failed"] and result["aborted"]
    assert result["remaining"]["workers"] == len(script_names(run, edge)) == 4
    predicted = run("namespaced_workers", check=True, **task)
    assert predicted["remaining"]["workers"] == 0 and len(predicted["operations"]) == 4


def test_fleet_removal_without_tagged_workers_deletes_each_at_once(run: Runner, edge: Edge) -> None:
    run.ok("namespaced_workers", **FLEET, workers=tenants(5))
    edge.clear()
    edge.fault(method="DELETE", path=".*/scripts$", status=404, code=10007, message="nothing carries the tag")
    removed = run.ok("namespaced_workers", **REMOVED)
    assert len(removed["operations"]) == 5 and script_names(run, edge) == []
    assert [request["status"] for request in edge.requests() if request["path"].endswith("/scripts")].count(404) == 1
    assert len(edge.requests()) == 1 + 1 + 1 + 5 + 1 + 1, (
        "listing, deletion by tag, listing, each, listing, script_names"
    )


@pytest.mark.parametrize("count", [1, 0, None])
def test_fleet_removal_that_never_ends_is_bounded(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch, count: int | None
) -> None:
    run.ok("namespaced_workers", **FLEET, workers=tenants(3))
    send = Client.write

    def report_more(client: Client, method: str, path: str, **options: t.Any) -> t.Any:
        if method != "DELETE" or not path.endswith("/scripts"):
            return send(client, method, path, **options)
        return dataclasses.replace(client.call("GET", path), result={"deleted_count": count, "has_more": True})

    monkeypatch.setattr(Client, "write", report_more)  # it deletes nothing
    removed = run.ok("namespaced_workers", **REMOVED)
    assert script_names(run, edge) == []
    assert len(removed["operations"]) == (1 if count == 0 else 3) + 3


def test_fleet_nested_listing_is_read_like_a_flat_one(run: Runner, edge: Edge) -> None:
    run.ok("namespaced_workers", **FLEET, workers=tenants(3))
    edge.behaviors.list_item_form = "nested"
    assert count_requests(run, edge, workers=tenants(3)) == (4, 0)
    assert count_requests(run, edge, workers=tenants(3, tags=["x"])) == (5, 4)
    found = run.ok("namespaced_worker_info", **NAMESPACE)["namespaced_workers"]
    assert [(one["name"], one["owner"], one["tags"]) for one in found] == [
        (f"t{number:03}", "mine", ["x"]) for number in range(3)
    ]
    assert len(run.ok("namespaced_workers", **REMOVED)["operations"]) == 1


def test_fleet_drifted_worker_costs_three_requests(run: Runner, edge: Edge) -> None:
    fleet = tenants(12)
    run.ok("namespaced_workers", **FLEET, workers=fleet)
    for name in ("t003", "t007"):
        binding = {"name": "PLAN", "type": "plain_text", "text": "theirs"}
        settings = {"settings": (None, json.dumps({"bindings": [binding]}), "application/json")}
        path = f"{edge.api}{SCRIPTS.format(edge.account)}/{name}/settings"
        requests.patch(
            path, files=settings, headers={"Authorization": f"Bearer {edge.token}"}, timeout=10
        ).raise_for_status()
    assert count_requests(run, edge, workers=fleet) == (5 + 2 * 2, 2 + 1)
    assert count_requests(run, edge, workers=fleet) == (4, 0)


@pytest.mark.parametrize(
    ("change", "fields", "verb"),
    [
        ({"vars": {"PLAN": "free"}}, ["bindings"], "PUT "),
        ({"content": CODE + "//"}, ["modules"], "PUT "),
        ({"limits": {"cpu_ms": 50}}, ["limits"], "PATCH /settings"),
        ({"compatibility_date": "2026-11-02"}, ["compatibility_date"], "PATCH /settings"),
        ({"tags": ["x"]}, ["tags"], "PUT /tags"),
    ],
)
def test_fleet_change_is_detected_without_reads(
    run: Runner, edge: Edge, change: dict[str, t.Any], fields: list[str], verb: str
) -> None:
    run.ok("namespaced_workers", **FLEET, workers=tenants(2))
    results = []
    for check, diff in ((True, True), (True, False), (False, False)):
        edge.clear()
        result = run.ok(
            "namespaced_workers", check=check, diff=diff, **FLEET, workers=[tenants(2)[0], {**tenants(2)[1], **change}]
        )
        assert result["namespaced_workers"][1]["changed_fields"] == fields
        reads = [seen for seen in edge.requests() if "/t001" in seen["path"] and seen["method"] == "GET"]
        assert bool(reads) is (diff and change.keys() != {"tags"})
        results.append(result)
    (written, *_ledger) = results[0]["operations"]
    assert written == f"{verb.split()[0]} {SCRIPTS.format(edge.account)}/t001{verb.partition(' ')[2]}"
    assert len({tuple(result["operations"]) for result in results}) == 1


def test_fleet_omitted_settings_survive_upload(run: Runner, edge: Edge) -> None:
    rich = {"limits": {"cpu_ms": 50}, "observability": {"enabled": True, "head_sampling_rate": 0.5}, "logpush": True}
    run.ok("namespaced_workers", **FLEET, workers=tenants(1, **rich))
    run.ok("namespaced_workers", diff=False, **FLEET, workers=tenants(1, vars={"PLAN": "free"}))
    seen = run.ok("namespaced_worker_info", **NAMESPACE, name="t000", detail="settings")["namespaced_workers"][0]
    assert {name: seen[name] for name in rich} == rich and seen["bindings"][0]["text"] == "free"


def test_fleet_rotated_secret_is_sent_without_upload(run: Runner, edge: Edge) -> None:
    key = {"fingerprint_key": "fingerprint-key-1"}
    assert count_requests(run, edge, workers=tenants(5, secrets={"KEY": SECRET}), **key) == (5, 6)
    rotated = tenants(5, secrets={"KEY": SECRET})
    rotated[2]["secrets"] = {"KEY": SECRET + "2"}
    assert count_requests(run, edge, workers=rotated, **key) == (5, 3)
    assert count_requests(run, edge, workers=rotated, **key) == (4, 0)


INVALID = {
    "unknown option": ({"bindngs": []}, "bindngs"),
    "wrong type": ({"vars": 7}, "vars"),
    "wrong value": ({"compatibility_date": "tomorrow"}, "compatibility_date: 'tomorrow'"),
    "host name": ({"hostnames": ["*.example.com"]}, "'*.example.com' is not a valid host name"),
    "file": ({"content": None, "path": "/nowhere/at/all.js"}, "file /nowhere/at/all.js does not exist"),
    "refused": ({"content": CODE + "// refused"}, "code 10021"),
}


@pytest.mark.parametrize("kind", INVALID)
def test_fleet_invalid_worker_fails_alone(run: Runner, edge: Edge, kind: str) -> None:
    wrong, message = INVALID[kind]
    fleet = tenants(20)
    fleet[7] = {**fleet[7], **wrong}
    if kind == "refused":
        edge.fault(method="PUT", path=".*/scripts/t007$", status=400, code=10021, message="no", times=1)
    result = run("namespaced_workers", **FLEET, workers=fleet)
    assert (
        result["failed"]
        and "1 of 20 failed. t007: " in result["msg"]
        and message in result["msg"]
        and "bug" not in result["msg"]
    )
    assert result["summary"] == {"total": 20, "changed": 19, "failed": 1}
    (failed,) = (one for one in result["namespaced_workers"] if one["failed"])
    assert failed["name"] == "t007" and message in failed["msg"]
    assert len(result["routing_kv"]["records"]) == 19
    assert script_names(run, edge) == [f"t{number:03}" for number in range(20) if number != 7]
    repaired = run.ok("namespaced_workers", **FLEET, workers=tenants(20))
    assert [one["name"] for one in repaired["namespaced_workers"] if one["changed"]] == ["t007"]


def test_fleet_secret_of_failed_worker_is_hidden(run: Runner, edge: Edge) -> None:
    fleet = [
        *tenants(2),
        {"name": "bad", "secrets": SECRET},
        {"name": "worse", "secrets": {"KEY": SECRET}, "tags": [f"echo,{SECRET}"]},
    ]
    edge.fault(method="PUT", path=".*/scripts/t001$", status=400, code=10021, message=f"echo {SECRET} echo", times=9)
    fleet[1]["secrets"] = {"KEY": SECRET}
    result = run("namespaced_workers", **FLEET, workers=fleet)
    assert result["summary"]["failed"] == 3
    assert SECRET not in json.dumps(result)


def test_fleet_large_hides_secrets_only_in_failures(run: Runner, edge: Edge) -> None:
    fleet = tenants(101)
    fleet[7]["secrets"], fleet[8]["secrets"] = {"KEY": SECRET}, {"KEY": "scripts/t009"}
    edge.fault(method="PUT", path=".*/scripts/t007$", status=400, code=10021, message=f"echo {SECRET} echo", times=9)
    result = run("namespaced_workers", diff=False, **FLEET, workers=fleet)
    assert "echo ******** echo" in result["namespaced_workers"][7]["msg"] and "echo ******** echo" in result["msg"]
    assert SECRET not in json.dumps(result)
    assert f"PUT {SCRIPTS.format(edge.account)}/t009" in result["operations"], (
        "a part of it happens to be somebody's secret"
    )


def test_fleet_workers_are_written_concurrently(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    barrier = threading.Barrier(4, timeout=60)
    call = Client.call

    def call_together(client: Client, method: str, path: str, *arguments: t.Any, **options: t.Any) -> t.Any:
        if method == "PUT" and "/scripts/" in path:
            barrier.wait()
        return call(client, method, path, *arguments, **options)

    monkeypatch.setattr(Client, "call", call_together)
    assert run.ok("namespaced_workers", **FLEET, workers=tenants(8), concurrency=4)["summary"]["changed"] == 8


@pytest.mark.parametrize(("tolerated", "failed"), [(None, True), (0, True), (2, True), (3, False)])
def test_fleet_over_max_failures_aborts(run: Runner, edge: Edge, tolerated: int | None, failed: bool) -> None:
    fleet = tenants(40)
    edge.fault(method="PUT", path=".*/scripts/t00[0-2]$", status=400, code=10021, message="no", times=99)
    bound = {} if tolerated is None else {"max_failures": tolerated}
    result = run("namespaced_workers", **FLEET, workers=fleet, concurrency=2, **bound)
    assert bool(result.get("failed")) is failed
    if failed and tolerated is not None:
        assert (
            f"Aborted: more than max_failures ({tolerated}) failed" in result["msg"]
            and result["summary"]["changed"] < 37
        )
        assert "not started. Run again to continue." in result["msg"]
    else:
        assert result["summary"] == {"total": 40, "changed": 37, "failed": 3}
        assert "3 of 40 failed. t000: " in (result["msg"] if failed else str(result["warnings"]))
    edge.clear_faults()
    assert (
        run.ok("namespaced_workers", **FLEET, workers=fleet)["summary"]["changed"] == 40 - result["summary"]["changed"]
    )
    assert not run.ok("namespaced_workers", **FLEET, workers=fleet)["changed"]


def test_fleet_vanished_namespace_aborts(run: Runner, edge: Edge) -> None:
    edge.fault(
        method="PUT",
        path=".*/scripts/t0[1-9].*",
        status=404,
        code=100119,
        message="dispatch namespace not found",
        times=999,
    )
    result = run("namespaced_workers", **FLEET, workers=tenants(40), concurrency=2)
    assert (
        result["failed"]
        and "the others would fail with the same error" in result["msg"]
        and "Create the dispatch namespace first" in result["msg"]
    )
    assert len(edge.writes()) < 20
    assert result["operations"] and result["changed"], "what was done is told"
    edge.clear_faults()
    assert run.ok("namespaced_workers", **FLEET, workers=tenants(40))["summary"] == {
        "total": 40,
        "changed": 40 - result["summary"]["changed"],
        "failed": 0,
    }


def test_fleet_prune_removes_undeclared_workers_and_records(run: Runner, edge: Edge) -> None:
    run.ok("namespaced_workers", **FLEET, workers=tenants(20))
    run.ok("namespaced_worker", **NAMESPACE, **DEFAULTS, name="theirs", owner="yours")
    run.ok("api", method="PUT", path=f"{SCRIPTS.format(edge.account)}/t001/tags", body=[])
    fleet = tenants(20)[3:]
    error = run.refused("namespaced_workers", **FLEET, workers=fleet, prune=True)
    assert (
        "3 of the 20 Workers of owner 'mine' are not declared and would be removed, which is more than prune_limit"
        " (10%): t000, t002, t001. Of t001, only the routing records belong to this owner. Nothing was changed."
        in error
    )
    assert error == run.refused("namespaced_workers", check=True, **FLEET, workers=fleet, prune=True)
    assert "prune_limit: 15%" in error
    predicted = run.ok("namespaced_workers", check=True, **FLEET, workers=fleet, prune=True, prune_limit="15%")
    real = run.ok("namespaced_workers", **FLEET, workers=fleet, prune=True, prune_limit="15%")
    assert predicted["operations"] == real["operations"] and predicted["remaining"] == real["remaining"] == {
        "workers": 19,
        "kv_keys": 0,
    }
    assert real["operations"][0].endswith("/bulk/delete") and len(real["operations"]) == 3, (
        "first the records that lead there"
    )
    assert script_names(run, edge) == ["t001", *(worker["name"] for worker in fleet), "theirs"]
    assert sorted(real["routing_kv"]["records"]) == [worker["hostnames"][0] for worker in fleet]
    assert not run.ok("namespaced_workers", **FLEET, workers=fleet, prune=True)["changed"]


def test_fleet_prune_keeps_workers_of_other_owners(run: Runner, edge: Edge) -> None:
    for owner in ("mine", "yours"):
        workers = [{"name": f"{owner}{number}"} for number in range(3)]
        run.ok("namespaced_workers", **{**FLEET, "owner": owner}, workers=workers)
    run.ok("namespaced_workers", **FLEET, workers=[], prune=True, prune_limit="100%")
    assert script_names(run, edge) == ["yours0", "yours1", "yours2"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prune": True, "prune_limit": "101%"}, "prune_limit: '101%' is not a valid limit"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"max_failures": -1}, "max_failures is -1"),
        ({"workers_file": ""}, "workers_file is empty"),
        ({"workers": [{"name": "a"}, {}], "prune": True}, "number 2 has no valid name, and prune might remove"),
        ({"workers": [{"name": "a"}, "b=c"], "prune": True}, "number 2 has no valid name, and prune might remove"),
        ({"workers": [{"name": "a"}, {"name": "a"}]}, "'a' is declared twice"),
    ],
)
def test_fleet_invalid_options_send_no_requests(
    run: Runner, edge: Edge, options: dict[str, t.Any], message: str
) -> None:
    assert message in run.refused("namespaced_workers", **{**FLEET, "workers": [], **options})
    assert edge.requests() == []


def test_fleet_prune_without_owner_is_refused(run: Runner) -> None:
    fleet = {key: value for key, value in FLEET.items() if key != "owner"}
    assert "name the owner" in run.refused("namespaced_workers", **fleet, workers=[], prune=True)
    assert "Omit prune with state: absent" in run.refused(
        "namespaced_workers", **FLEET, workers=[], prune=True, state="absent"
    )


def test_fleet_listing_without_tags_uses_ledger(run: Runner, edge: Edge) -> None:
    edge.behaviors.list_includes_tags = "no"
    run.ok("namespaced_workers", **FLEET, workers=tenants(12, tags=["plan-pro"]))
    assert count_requests(run, edge, workers=tenants(12, tags=["plan-pro"])) == (4, 0)
    assert count_requests(run, edge, workers=tenants(12, tags=["plan-pro"])[1:], prune=True)[1] == 2


def test_fleet_large_result_contains_only_changes_and_failures(run: Runner, edge: Edge) -> None:
    fleet = tenants(101)
    first = run.ok("namespaced_workers", diff=False, **FLEET, workers=fleet)
    assert len(first["namespaced_workers"]) == 101 and first["invocation"]["module_args"]["workers"] == "(101 elements)"
    fleet[50]["vars"] = {"PLAN": "free"}
    second = run.ok("namespaced_workers", diff=False, **FLEET, workers=fleet)
    assert second["namespaced_workers"] == [
        {"name": "t050", "changed": True, "failed": False, "changed_fields": ["bindings"]}
    ]
    assert second["summary"] == {"total": 101, "changed": 1, "failed": 0}


def test_fleet_share_of_prune_limit_allows_one_departure(run: Runner, edge: Edge) -> None:
    run.ok("namespaced_workers", **FLEET, workers=tenants(3))
    assert "prune_limit (0%)" in run.refused(
        "namespaced_workers", **FLEET, workers=tenants(2), prune=True, prune_limit="0%"
    )
    assert "prune_limit (10%)" in run.refused("namespaced_workers", **FLEET, workers=tenants(1), prune=True)
    assert len(run.ok("namespaced_workers", **FLEET, workers=tenants(2), prune=True)["operations"]) == 2
    assert script_names(run, edge) == ["t000", "t001"]


def test_fleet_secrets_by_worker_are_merged_by_name(run: Runner, edge: Edge) -> None:
    workers = [*tenants(2, secrets={"OWN": SECRET, "BOTH": SECRET}), {"name": "bare", "hostnames": []}]
    task = {**FLEET, "fingerprint_key": "fingerprint-key-1", "workers": workers}
    task["defaults"] = {**DEFAULTS, "secrets": {"SHARED": SECRET}}
    secrets: dict[str, t.Any] = {"t001": {"KEY": f"{SECRET}-k", "BOTH": f"{SECRET}-b"}, "bare": {"KEY": f"{SECRET}-c"}}
    result = run.ok("namespaced_workers", **task, secrets_by_worker=secrets)

    def names(worker: str) -> list[str]:
        listed = run.ok("api", path=f"{SCRIPTS.format(edge.account)}/{worker}/secrets")["api"]
        return sorted(secret["name"] for secret in listed)

    assert names("t000") == ["BOTH", "OWN", "SHARED"]
    assert names("t001") == ["BOTH", "KEY", "OWN", "SHARED"] and names("bare") == ["KEY", "SHARED"]
    again = run.ok("namespaced_workers", **task, secrets_by_worker=secrets)
    assert not again["changed"]
    secrets["t001"]["BOTH"] = SECRET
    rotated = run.ok("namespaced_workers", **task, secrets_by_worker=secrets)
    assert [one["name"] for one in rotated["namespaced_workers"] if one["changed"]] == ["t001"]
    secrets["t001"] = {"KEY": None}
    removed = run.ok("namespaced_workers", **task, secrets_by_worker={**secrets, "nobody": {"KEY": SECRET}})
    assert names("t001") == ["BOTH", "OWN", "SHARED"]
    assert "secrets_by_worker: nobody is not declared" in str(removed["warnings"])
    for found in (result, again, rotated, removed):
        assert SECRET not in json.dumps(found)


@pytest.mark.parametrize("count", [2, 120])
def test_fleet_secrets_by_worker_are_hidden_in_failures(run: Runner, edge: Edge, count: int) -> None:
    secrets = {f"t{number:03}": {"KEY": SECRET if number else "e"} for number in range(count)}
    edge.fault(method="PUT", path=".*/scripts/t001$", status=400, code=10021, message=f"echo {SECRET} echo", times=9)
    result = run("namespaced_workers", **FLEET, workers=tenants(count), secrets_by_worker=secrets)
    assert "echo ******** echo" in result["msg"] and SECRET not in json.dumps(result)
    assert result["summary"] == {"total": count, "changed": count - 1, "failed": 1}, (
        "no text is mangled by a short secret"
    )
    assert result["invocation"]["module_args"]["secrets_by_worker"] == f"({count} elements)"
    assert not result["aborted"]


def test_fleet_secrets_by_worker_beside_null_secrets_are_refused(run: Runner, edge: Edge) -> None:
    task = {**FLEET, "workers": [*tenants(1, secrets=None), {"name": "other"}]}
    message = run.refused("namespaced_workers", **task, secrets_by_worker={"t000": {"KEY": SECRET}})
    assert "workers: t000 has secrets: null, and secrets_by_worker has secrets for it. Remove one of them." in message
    assert edge.requests() == []


def test_fleet_null_secrets_stay_null_beside_empty_secrets_by_worker(run: Runner, edge: Edge) -> None:
    run.ok("namespaced_workers", **FLEET, workers=tenants(1, secrets={"OLD": SECRET}))
    task = {**FLEET, "workers": tenants(1, secrets=None), "secrets_by_worker": {"t000": {}}}
    assert run.ok("namespaced_workers", **task)["changed"]
    assert run.ok("api", path=f"{SCRIPTS.format(edge.account)}/t000/secrets")["api"] == []
    assert not run.ok("namespaced_workers", **task)["changed"]


@pytest.mark.parametrize("secrets", [SECRET, [SECRET], None])
def test_fleet_secrets_by_worker_of_wrong_type_fail_their_worker(run: Runner, edge: Edge, secrets: t.Any) -> None:
    result = run("namespaced_workers", **FLEET, workers=tenants(2), secrets_by_worker={"t000": secrets})
    assert result["failed"] and script_names(run, edge) == ["t001"]
    assert "t000: secrets_by_worker: the value of 't000' is not a dictionary" in result["msg"]
    assert SECRET not in result["msg"]


def test_fleet_secrets_by_worker_that_are_a_text_are_refused(run: Runner, edge: Edge) -> None:
    message = run.refused("namespaced_workers", **FLEET, workers=tenants(1), secrets_by_worker=SECRET)
    assert "secrets_by_worker" in message and SECRET not in message
    assert edge.requests() == []


@pytest.mark.parametrize(
    ("patterns", "outside"),
    [
        (["*.Example.com/*"], []),
        (["*example.com"], []),
        (["*/*"], []),
        (["t000.example.com/api/*", "https://t001.example.com/*"], []),
        (["*.shop.example.com/*", "t000.example.com/*"], ["t001.example.com"]),
        (["example.com/*"], ["t000.example.com", "t001.example.com"]),
        (["t000.bücher.example/*"], ["t000.example.com", "t001.example.com"]),
        ([], []),
        (None, []),
    ],
)
def test_fleet_host_names_without_route_are_warned_of(
    run: Runner, patterns: list[str] | None, outside: list[str]
) -> None:
    options = {} if patterns is None else {"route_patterns": patterns}
    for check in (True, False):
        warnings = run.ok("namespaced_workers", check=check, **FLEET, workers=tenants(2), **options)["warnings"]
        assert ("covered by no route" in str(warnings)) == bool(outside)
        assert all(host in str(warnings) for host in outside)


def test_fleet_international_host_names_and_routes_are_compared_in_one_form(run: Runner) -> None:
    workers = [{"name": "a", "hostnames": ["a.Bücher.example", "a.xn--bcher-kva.example", "a.ä.example"]}]
    (warning,) = run.ok("namespaced_workers", **FLEET, workers=workers, route_patterns=["*.bücher.example/*"])[
        "warnings"
    ]
    assert warning.startswith("hostnames: a.ä.example is covered by no route")


def test_fleet_invalid_route_pattern_is_refused(run: Runner) -> None:
    message = run.refused("namespaced_workers", **FLEET, workers=tenants(1), route_patterns=["a.*.example.com/*"])
    assert "'a.*.example.com/*' is no route" in message
