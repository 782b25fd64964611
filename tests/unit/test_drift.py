# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drift: what others have changed is found as deep as one looks, named so that a person understands it, and mended."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

import pytest
import requests
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.client import Client
from harness import Runner
from local_edge.testing import Edge
from tenant import CODE, NAMESPACE, SECRET, WORKER, call, get, secret_names, verbs

SCRIPT = (*NAMESPACE, "name")
DRIFTED = {**WORKER, "vars": {"PLAN": "pro"}, "secrets": {"KEY": SECRET}}
EXTERNAL_CHANGE = {
    "bindings": [{"name": "PLAN", "type": "plain_text", "text": "free"}, {"name": "KEY", "type": "inherit"}]
}


@pytest.fixture(autouse=True)
def _uploaded_worker(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Worker that was uploaded an hour ago, as its stamp has it."""
    run.ok("dispatch_namespace", name="tenants")
    with monkeypatch.context() as patched:
        patched.setattr(Client, "server_time", lambda client: time.time() - 3600)
        run.ok("namespaced_worker", **DRIFTED)


def renew_fingerprint_tag(run: Runner) -> None:
    """Let what is looked at not have been changed since it was uploaded."""
    run.ok("namespaced_worker", **DRIFTED)


def change_externally(run: Runner, edge: Edge) -> None:
    """Change a variable, as a user does in the dashboard."""
    path = f"{edge.api}/accounts/{edge.account}/workers/dispatch/namespaces/tenants/scripts/a/settings"
    files = {"settings": (None, json.dumps(EXTERNAL_CHANGE), "application/json")}
    requests.patch(path, files=files, headers={"Authorization": f"Bearer {edge.token}"}, timeout=10).raise_for_status()


def count_requests(run: Runner, edge: Edge, **options: t.Any) -> int:
    edge.clear()
    run.ok("namespaced_worker", **options)
    return len(edge.requests())


def test_drift_external_change_is_repaired(run: Runner, edge: Edge) -> None:
    change_externally(run, edge)
    repaired = run.ok("namespaced_worker", **DRIFTED)
    assert verbs(repaired) == ["PATCH /settings"]
    (before,), (after,) = ([one["text"] for one in repaired["diff"][side]["bindings"]] for side in ("before", "after"))
    assert (before, after) == ("free", "pro")
    assert count_requests(run, edge, **DRIFTED) == 1, "the new stamp is believed"


def test_drift_without_difference_renews_fingerprint_tag_once(run: Runner, edge: Edge) -> None:
    again = run.ok("namespaced_worker", **DRIFTED)
    assert verbs(again) == ["PUT /tags"] and "Only the fingerprint differs" not in str(again["warnings"])
    whole, tag = again["diff"]
    assert whole["before"] == whole["after"]
    assert tag["before"]["fingerprint"] == f"{tag['after']['fingerprint']} (older than the last change of the Worker)"
    assert count_requests(run, edge, **DRIFTED) == 1


def test_drift_lost_renewal_of_fingerprint_tag_is_no_change(run: Runner, edge: Edge) -> None:
    """The listing shows a tag that attests the same, but not the one that was sent."""
    tags = get(run, edge, "/tags")
    worker = {key: value for key, value in DRIFTED.items() if key not in NAMESPACE}
    edge.fault(method="PUT", path=".*/tags", status=502, message="no", when="before", times=8)
    assert run("namespaced_worker", **DRIFTED)["failed"]
    result = run("namespaced_workers", **NAMESPACE, workers=[worker])
    assert result["failed"] and not result["changed"] and not result["operations"]
    assert get(run, edge, "/tags") == tags
    assert verbs(run.ok("namespaced_worker", **DRIFTED)) == ["PUT /tags"]


def test_drift_detection_level_determines_requests(run: Runner, edge: Edge) -> None:
    renew_fingerprint_tag(run)
    costs = {
        level: count_requests(run, edge, **DRIFTED, drift_detection=level)
        for level in ("fingerprint", "settings", "content")
    }
    assert costs == {"fingerprint": 1, "settings": 2, "content": 3}
    change_externally(run, edge)
    assert not run.ok("namespaced_worker", **DRIFTED)["changed"], "seconds after an upload its stamp is believed"
    assert verbs(run.ok("namespaced_worker", **DRIFTED, drift_detection="settings")) == ["PATCH /settings"]


def test_drift_deleted_secret_is_sent_again(run: Runner, edge: Edge) -> None:
    renew_fingerprint_tag(run)
    call(run, edge, "DELETE", "/secrets/KEY")
    assert verbs(run.ok("namespaced_worker", **DRIFTED, drift_detection="settings")) == [
        "PATCH /secrets-bulk",
        "PUT /tags",
    ]
    assert secret_names(run, edge) == ["KEY"]


def test_drift_secret_with_other_value_is_sent_again(run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    with_key = {**DRIFTED, "fingerprint_key": "key-of-the-fingerprints-1"}
    with monkeypatch.context() as patched:
        patched.setattr(Client, "server_time", lambda client: time.time() - 3600)
        run.ok("namespaced_worker", **with_key)
    by_hand = {"name": "KEY", "text": "secret-by-hand-1", "type": "secret_text"}
    call(run, edge, "PUT", "/secrets", body=by_hand)
    assert verbs(run.ok("namespaced_worker", **with_key)) == ["PATCH /secrets-bulk", "PUT /tags"]
    (stored,) = edge.store.all("select value from bindings where name = 'KEY'")
    assert edge.store.unseal(stored["value"]) == SECRET
    assert not run.ok("namespaced_worker", **with_key)["changed"]


def test_drift_changed_code_is_shown_as_diff(run: Runner, edge: Edge) -> None:
    changed_code = CODE.replace("one", "theirs")
    run.ok("namespaced_worker", **{**DRIFTED, "content": changed_code}, drift_detection="content")
    result = run.ok("namespaced_worker", **DRIFTED, drift_detection="content")
    assert verbs(result) == ["PUT "]
    whole, module = result["diff"]
    assert [one["name"] for one in whole["before"]["modules"]] == ["worker.js"]
    assert (module["before"], module["after"]) == (changed_code, CODE)
    assert module["before_header"] == "Worker 'a' in dispatch namespace 'tenants': worker.js"


def test_drift_in_fleet_is_repaired(run: Runner, edge: Edge) -> None:
    worker = {key: value for key, value in DRIFTED.items() if key not in NAMESPACE}
    change_externally(run, edge)
    result = run.ok("namespaced_workers", **NAMESPACE, workers=[worker])
    assert verbs(result) == ["PUT "] and result["diff"][0]["after"]["bindings"][0]["text"] == "pro"
    assert {"name": "PLAN", "type": "plain_text", "text": "pro"} in get(run, edge, "/bindings")


def test_drift_with_ledger_repairs_only_changed_worker(run: Runner, edge: Edge) -> None:
    run.ok("kv_namespace", title="Metadata")
    names = ("b", "c")
    fleet = {
        **NAMESPACE,
        "owner": "mine",
        "routing_kv": {"title": "Metadata"},
        "defaults": {key: DRIFTED[key] for key in DRIFTED if key not in SCRIPT},
    }
    workers = [{"name": "a", "hostnames": ["a.example.com"]}, *({"name": name} for name in names)]
    run.ok("namespaced_workers", **fleet, workers=workers, take_over=True)
    edge.clear()
    assert not run.ok("namespaced_workers", **fleet, workers=workers)["changed"]
    assert len(edge.requests()) == 4, "Workers, KV namespaces, ledger, records"
    change_externally(run, edge)
    repaired = run.ok("namespaced_workers", **fleet, workers=workers)
    assert [one["name"] for one in repaired["namespaced_workers"] if one["changed"]] == ["a"]
    assert [operation.rsplit("/", 2)[-1] for operation in repaired["operations"]] == ["a", "bulk"]
    assert not run.ok("namespaced_workers", **fleet, workers=workers)["changed"]


@pytest.mark.parametrize("key", [{}, {"fingerprint_key": "fingerprint-key-1"}], ids=["without a key", "with a key"])
def test_ledger_after_worker_secrets_reports_no_drift(run: Runner, edge: Edge, key: dict[str, str]) -> None:
    run.ok("kv_namespace", title="Metadata")
    worker = {name: WORKER[name] for name in WORKER if name not in NAMESPACE}
    fleet = {
        **NAMESPACE,
        "owner": "mine",
        "routing_kv": {"title": "Metadata"},
        "workers": [{**worker, "hostnames": ["a.example.com"]}],
    }
    run.ok("namespaced_workers", **fleet, take_over=True)
    assert run.ok("worker_secrets", **NAMESPACE, name="a", secrets={"OTHER": SECRET}, **key)["changed"]
    assert not run.ok("namespaced_workers", **fleet)["changed"]
    assert not run.ok("worker_secrets", **NAMESPACE, name="a", secrets={"OTHER": SECRET}, **key)["changed"]


def test_ledger_of_absent_owner_is_deleted(run: Runner, edge: Edge) -> None:
    run.ok("kv_namespace", title="Metadata")
    fleet = {**NAMESPACE, "owner": "mine", "routing_kv": {"title": "Metadata"}}
    run.ok(
        "namespaced_workers",
        **fleet,
        workers=[{key: DRIFTED[key] for key in DRIFTED if key not in NAMESPACE}],
        take_over=True,
    )
    ident = run.ok("kv_namespace", title="Metadata")["kv_namespace"]["id"]
    path = f"/accounts/{edge.account}/storage/kv/namespaces/{ident}/keys"
    assert [key["name"] for key in run.ok("api", path=path)["api"]] == ["tenantry/ledger/mine"]
    run.ok("namespaced_workers", **fleet, state="absent")
    assert run.ok("api", path=path)["api"] == []


@pytest.mark.parametrize("file_names", ["yes", "no"])
@pytest.mark.parametrize("single_module", ["multipart", "bare"])
@pytest.mark.parametrize("files", [{"index.js": CODE}, {"index.js": CODE, "lib/text.txt": "one"}])
def test_drift_code_in_every_form_is_recognized(
    run: Runner, edge: Edge, tmp_path: Path, file_names: str, single_module: str, files: dict[str, str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    worker = {**WORKER, "name": "b", "content": None, "path": str(tmp_path), "drift_detection": "content"}
    edge.behaviors.content_file_names, edge.behaviors.single_module_content = file_names, single_module
    run.ok("namespaced_worker", **worker)
    assert not run.ok("namespaced_worker", **worker)["changed"]
    (found,) = run.ok("namespaced_worker_info", **NAMESPACE, name="b", detail="content")["namespaced_workers"]
    assert [module["name"] for module in found["modules"]] == sorted(files)
