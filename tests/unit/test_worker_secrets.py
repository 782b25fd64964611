# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Secrets of Workers that another client uploads. Their values cannot be read back."""

from __future__ import annotations

import json
import time
import typing as t

import pytest
import requests
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.client import Client
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.script import (
    mapping as script_mapping,
)
from harness import Runner
from local_edge.testing import Edge
from tenant import CODE, SECRET, WORKER, call, get, secret_names, verbs

SECRETS = {"dispatch_namespace": "tenants", "name": "a"}
KEY = {"fingerprint_key": "fingerprint-key-1"}


@pytest.fixture(autouse=True)
def _worker(run: Runner) -> None:
    run.ok("dispatch_namespace", name="tenants")
    run.ok("namespaced_worker", **WORKER, secrets={"THEIRS": SECRET})


def test_worker_secrets_changes_are_sent_in_bulk(run: Runner, edge: Edge) -> None:
    first = run.ok("worker_secrets", **SECRETS, secrets={"A": SECRET, "B": SECRET}, **KEY)
    assert verbs(first) == ["PATCH /secrets-bulk", "PUT /tags"] and SECRET not in json.dumps(first)
    assert not run.ok("worker_secrets", **SECRETS, secrets={"A": SECRET, "B": SECRET}, **KEY)["changed"]
    changed = run.ok("worker_secrets", **SECRETS, secrets={"A": SECRET + "2", "B": None}, **KEY)
    assert changed["diff"]["before"]["secrets"] == {
        "A": "(sensitive, possibly changed)",
        "B": "(sensitive, possibly changed)",
        "THEIRS": "(sensitive)",
    }
    assert secret_names(run, edge) == ["A", "THEIRS"]
    assert (
        verbs(run.ok("worker_secrets", **SECRETS, secrets=None)) == ["PATCH /secrets-bulk", "PUT /tags"]
        and secret_names(run, edge) == []
    )


@pytest.mark.parametrize(
    ("secrets", "update_secrets", "placeholder"),
    [
        ({"A": SECRET + "2"}, "on_change", "(sensitive, changed)"),
        ({"A": SECRET + "2", "B": SECRET}, "on_change", "(sensitive, possibly changed)"),
        ({"A": SECRET, "B": SECRET}, "always", "(sensitive, changed)"),
    ],
    ids=["one secret", "several secrets", "always"],
)
@pytest.mark.parametrize("module", ["worker_secrets", "namespaced_worker"])
def test_secrets_diff_marks_secrets_to_send(
    run: Runner, module: str, secrets: dict[str, str], update_secrets: str, placeholder: str
) -> None:
    options = {"worker_secrets": SECRETS, "namespaced_worker": WORKER}[module] | KEY
    run.ok(module, **options, secrets=dict.fromkeys(secrets, SECRET))
    changed = run.ok(module, **options, secrets=secrets, update_secrets=update_secrets)
    assert changed["diff"]["before"]["secrets"] == {"THEIRS": "(sensitive)", **dict.fromkeys(secrets, placeholder)}
    assert set(changed["diff"]["after"]["secrets"].values()) == {"(sensitive)"}


def test_worker_secrets_without_key_compare_names_only(run: Runner) -> None:
    assert verbs(run.ok("worker_secrets", **SECRETS, secrets={"A": SECRET})) == ["PATCH /secrets-bulk", "PUT /tags"]
    again = run.ok("worker_secrets", **SECRETS, secrets={"A": SECRET + "2"})
    assert not again["changed"] and "could not be compared" in again["warnings"][0]
    assert verbs(run.ok("worker_secrets", **SECRETS, secrets={"A": SECRET + "2"}, update_secrets="always")) == [
        "PATCH /secrets-bulk",
        "PUT /tags",
    ]


def test_worker_secrets_change_leaves_worker_unchanged_for_owner(run: Runner, edge: Edge) -> None:
    run.ok("worker_secrets", **SECRETS, secrets={"A": SECRET}, **KEY)
    assert not run.ok("namespaced_worker", **WORKER)["changed"], "whoever says nothing of secrets finds nothing changed"
    run.ok("namespaced_worker", **{**WORKER, "content": CODE + "//"})
    assert secret_names(run, edge) == ["A", "THEIRS"]
    assert not run.ok("worker_secrets", **SECRETS, secrets={"A": SECRET}, **KEY)["changed"]


@pytest.mark.parametrize("key", [{}, KEY], ids=["without a key", "with a key"])
def test_worker_secrets_change_is_not_drift(run: Runner, monkeypatch: pytest.MonkeyPatch, key: dict[str, str]) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Client, "server_time", lambda client: time.time() - 20)
        run.ok("namespaced_worker", **{**WORKER, "content": CODE + "//"})
    for options in ({"secrets": {"A": SECRET}}, {"secrets": {"A": SECRET}, "state": "absent"}):
        assert run.ok("worker_secrets", **SECRETS, **options, **key)["changed"]
        with monkeypatch.context() as patched:
            patched.setattr(script_mapping, "UPLOAD_TOLERANCE", 10.0)
            assert not run.ok("namespaced_worker", **{**WORKER, "content": CODE + "//"})["changed"]


@pytest.mark.parametrize("key", [{}, KEY], ids=["without a key", "with a key"])
def test_worker_secrets_change_keeps_external_drift_visible(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch, key: dict[str, str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Client, "server_time", lambda client: time.time() - 3600)
        run.ok("namespaced_worker", **WORKER, logpush=True)
    path = f"{edge.api}/accounts/{edge.account}/workers/dispatch/namespaces/tenants/scripts/a/settings"
    files = {"settings": (None, json.dumps({"logpush": False}), "application/json")}
    requests.patch(path, files=files, headers={"Authorization": f"Bearer {edge.token}"}, timeout=10).raise_for_status()
    run.ok("worker_secrets", **SECRETS, secrets={"A": SECRET}, **key)
    assert verbs(run.ok("namespaced_worker", **WORKER, logpush=True)) == ["PATCH /settings"]


def test_worker_secrets_without_fingerprint_tag_write_no_tags(run: Runner, edge: Edge) -> None:
    call(run, edge, "PUT", "/tags", body=["theirs"])
    assert verbs(run.ok("worker_secrets", **SECRETS, secrets={"A": SECRET})) == ["PATCH /secrets-bulk"]
    assert get(run, edge, "/tags") == ["theirs"]


def test_worker_secrets_each_change_sends_minimal_requests(run: Runner, edge: Edge) -> None:
    edge.clear()
    run.ok("worker_secrets", **SECRETS, secrets={"A": SECRET}, **KEY)
    assert len(edge.requests()) == 6
    edge.clear()
    run.ok("worker_secrets", **SECRETS, secrets={"A": SECRET}, **KEY)
    assert len(edge.requests()) == 2


def test_worker_secrets_of_account_worker_are_managed(run: Runner, edge: Edge) -> None:
    assert "There is no Worker 'router': upload it first" in run.refused(
        "worker_secrets", name="router", secrets={"A": SECRET}
    )
    run.ok("worker", name="router", content=CODE, compatibility_date="2026-11-01")
    run.ok("worker_secrets", name="router", secrets={"A": SECRET}, **KEY)
    assert not run.ok("worker_secrets", name="router", secrets={"A": SECRET}, **KEY)["changed"]
    assert run.ok("worker_secrets", name="router", secrets={"A": None}, state="absent")["worker_secrets"] is None


def test_worker_secrets_of_missing_worker_are_refused(run: Runner) -> None:
    assert "There is no Worker 'b' in dispatch namespace 'tenants'" in run.refused(
        "worker_secrets", **{**SECRETS, "name": "b"}, secrets={"A": SECRET}
    )
    assert "There is no dispatch namespace 'none'" in run.refused(
        "worker_secrets", dispatch_namespace="none", name="b", secrets={"A": SECRET}
    )


def test_worker_secrets_named_like_variable_are_refused(run: Runner, edge: Edge) -> None:
    run.ok("namespaced_worker", **WORKER, vars={"PLAN": "pro"}, secrets={"THEIRS": SECRET})
    assert "PLAN" in run("worker_secrets", **SECRETS, secrets={"PLAN": SECRET})["msg"]
    assert {one["name"]: one["type"] for one in get(run, edge, "/bindings")}["PLAN"] == "plain_text"


ALWAYS: dict[str, t.Any] = {"secrets": {"THEIRS": SECRET + "2"}, "update_secrets": "always"}
NAMED = {"dispatch_namespace": "tenants", "name": "a"}
RESENDING: dict[str, tuple[str, dict[str, t.Any]]] = {
    "worker_secrets": ("worker_secrets", {**NAMED, **ALWAYS}),
    "without code": ("namespaced_worker", {**NAMED, **ALWAYS}),
    "with code": ("namespaced_worker", {**WORKER, **ALWAYS}),
    "settings": ("namespaced_worker", {**NAMED, **ALWAYS, "limits": {"cpu_ms": 50}}),
    "upload": ("namespaced_worker", {**WORKER, **ALWAYS, "content": CODE + "//"}),
    "bulk": (
        "namespaced_workers",
        {
            "dispatch_namespace": "tenants",
            "update_secrets": "always",
            "workers": [{"name": "a", "secrets": ALWAYS["secrets"]}],
        },
    ),
}


@pytest.mark.parametrize("case", RESENDING)
def test_secrets_sent_again_without_response_are_no_success(run: Runner, edge: Edge, case: str) -> None:
    """No read shows if a value was replaced."""
    module, options = RESENDING[case]
    edge.fault(method="P[A-Z]+", path=".*/(secrets-bulk|settings|scripts/a)", status=502, times=99, when="before")
    result = run(module, **options)
    assert result["failed"] and "502" in result["msg"] and "Run again." in result["msg"]
    edge.clear_faults()
    assert run.ok(module, **options)["changed"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("case", RESENDING)
def test_secrets_sent_again_are_retried_after_lost_response(run: Runner, edge: Edge, case: str, when: str) -> None:
    module, options = RESENDING[case]
    path = {"settings": "/scripts/a/settings", "upload": "/scripts/a"}.get(case, "/secrets-bulk")
    edge.clear()
    edge.fault(method="P[A-Z]+", path=f".*{path}", status=502, times=1, when=when)
    assert run.ok(module, **options)["changed"]
    answers = [one["status"] for one in edge.requests() if one["write"] and one["path"].endswith(path)]
    assert answers == [502, 200]
    assert not run.ok(module, **{**options, "update_secrets": "on_create"})["changed"]


def test_secrets_sent_again_verify_lost_response_to_tags(run: Runner, edge: Edge) -> None:
    run.ok("worker", name="router", content=CODE, compatibility_date="2026-11-01", secrets={"A": SECRET})
    task = {"name": "router", "secrets": {"A": SECRET, "B": SECRET}, "update_secrets": "always"}
    edge.fault(method="PATCH", path=".*/script-settings", status=502, times=1, when="after")
    assert len(run.ok("worker", **task)["operations"]) == 2
