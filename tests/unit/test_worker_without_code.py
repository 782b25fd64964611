# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks without code: they change settings, bindings, secrets and tags of a Worker that another task uploads."""

from __future__ import annotations

import typing as t

import pytest
from harness import Runner, count_requests
from local_edge.testing import Edge
from tenant import CODE, NAMESPACE, SECRET, WORKER, call, get, secret_names, verbs

NAMED = {**NAMESPACE, "name": "a"}
KEYED = {"fingerprint_key": "fingerprint-key-1"}
CHANGES: dict[str, tuple[dict[str, t.Any], list[str]]] = {
    "tail_consumers": ({"tail_consumers": [{"service": "tail"}]}, ["PATCH /settings"]),
    "limits": ({"limits": {"cpu_ms": 50}}, ["PATCH /settings"]),
    "compatibility_date": ({"compatibility_date": "2026-10-01"}, ["PATCH /settings"]),
    "vars": ({"vars": {"PLAN": "pro"}}, ["PATCH /settings"]),
    "bindings": ({"bindings": [{"name": "AI", "type": "ai"}]}, ["PATCH /settings"]),
    "secrets": ({"secrets": {"NEW": SECRET}}, ["PATCH /secrets-bulk", "PUT /tags"]),
    "keyed_secrets": ({"secrets": {"NEW": SECRET}, **KEYED}, ["PATCH /secrets-bulk", "PUT /tags"]),
    "tags": ({"tags": ["pro"]}, ["PUT /tags"]),
}


@pytest.fixture(autouse=True)
def _worker(run: Runner) -> None:
    run.ok("dispatch_namespace", name="tenants")
    run.ok("worker", name="tail", content="export default { tail() {} };", compatibility_date="2026-11-01")
    run.ok("namespaced_worker", **WORKER, vars={"PLAN": "free", "STAYS": "1"}, secrets={"OLD": SECRET})


@pytest.mark.parametrize("name", CHANGES)
def test_worker_without_code_is_changed_in_place(run: Runner, edge: Edge, name: str) -> None:
    change, expected = CHANGES[name]
    content = get(run, edge, "")["script"]["etag"]
    predicted, real = (run.ok("namespaced_worker", **NAMED, **change, check=check) for check in (True, False))
    assert verbs(real) == expected == verbs(predicted) and predicted["diff"] == real["diff"]
    assert not run.ok("namespaced_worker", **NAMED, **change)["changed"]
    assert get(run, edge, "")["script"]["etag"] == content, "the code stays"
    assert "OLD" in secret_names(run, edge)
    assert get(run, edge, "/settings")["compatibility_date"] == change.get("compatibility_date", "2026-11-01")


def test_worker_without_code_costs_two_reads(run: Runner, edge: Edge) -> None:
    assert count_requests(run, edge, "namespaced_worker", **NAMED, logpush=False) == (2, 0)


@pytest.mark.parametrize("name", CHANGES)
def test_worker_of_a_task_with_and_one_without_code_settles(run: Runner, edge: Edge, name: str) -> None:
    """Each changes what the other does not declare."""
    change, _expected = CHANGES[name]
    code = {**WORKER, "content": CODE + "//"}
    for _run in range(2):
        results = [run.ok("namespaced_worker", **code), run.ok("namespaced_worker", **NAMED, **change)]
    assert [result["changed"] for result in results] == [False, False]


def test_worker_without_code_keeps_owner(run: Runner, edge: Edge) -> None:
    call(run, edge, "PUT", "/tags", body=["theirs"])
    assert not run.ok("namespaced_worker", **NAMED, logpush=False)["changed"], "it is not adopted"
    run.ok("namespaced_worker", **NAMED, tags=["pro"])
    assert get(run, edge, "/tags") == ["pro"]
    run.ok("namespaced_worker", **NAMED, owner="mine")
    assert get(run, edge, "/tags") == ["pro", "tenantry.owner.mine"]
    assert "belongs to owner 'mine'" in run.refused("namespaced_worker", **NAMED, logpush=True)


@pytest.mark.parametrize("module", ["namespaced_worker", "worker"])
def test_worker_without_code_that_does_not_exist_is_refused(run: Runner, module: str) -> None:
    options = {"name": "new", "logpush": True, **(NAMESPACE if module == "namespaced_worker" else {})}
    assert "and a new Worker needs code. Set one of these options" in run.refused(module, **options)
    predicted = run.ok(module, **options, check=True)
    assert predicted["changed"] and "a new Worker needs code" in predicted["warnings"][0]


def test_account_worker_without_code_is_changed(run: Runner) -> None:
    changed = run.ok("worker", name="tail", workers_dev=True, logpush=True)
    assert [operation.rpartition("/")[2] for operation in changed["operations"]] == ["settings", "subdomain"]
    assert not run.ok("worker", name="tail", workers_dev=True, logpush=True)["changed"]


def test_workers_without_code_are_changed_in_bulk(run: Runner, edge: Edge) -> None:
    run.ok("kv_namespace", title="Metadata")
    bulk = {**NAMESPACE, "owner": "default", "routing_kv": {"title": "Metadata"}}
    workers = [{"name": "a", "vars": {"PLAN": "pro"}}, {"name": "new", "vars": {"PLAN": "pro"}}]
    failed = run("namespaced_workers", **bulk, workers=workers)
    assert failed["failed"] and "a new Worker needs code" in str(failed)
    assert {one["name"]: one.get("text") for one in get(run, edge, "/bindings")}["PLAN"] == "pro"
    assert not run.ok("namespaced_workers", **bulk, workers=workers[:1])["changed"]


@pytest.mark.parametrize("option", ["upload_metadata", "containers", "minify", "main_module"])
def test_option_of_an_upload_without_code_is_refused(run: Runner, option: str) -> None:
    value: t.Any = {
        "upload_metadata": {"annotations": {}},
        "containers": [{"name": "x"}],
        "minify": True,
        "main_module": "x.js",
    }
    assert f"{option}: it is a part of the upload of code" in run.refused(
        "namespaced_worker", **NAMED, **{option: value[option]}
    )
