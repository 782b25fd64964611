# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The deletion of a KV namespace: never with a key of others, whatever an earlier or an odd listing contained."""

from __future__ import annotations

import typing as t

import pytest
from harness import Runner
from local_edge.testing import Edge
from odd_answers import OddAnswers, envelope
from tenant import CODE

OWNER = {"dispatch_namespace": "tenants", "owner": "mine", "routing_kv": {"title": "Metadata"}}
ABSENT: dict[str, t.Any] = {"title": "Metadata", "state": "absent"}
NOT_OURS = [
    pytest.param({"key": "config", "value": "x"}, id="key"),
    pytest.param({"key": "config", "value": "x", "metadata": {"tenantry": "mine"}}, id="metadata of another form"),
    pytest.param({"key": "tenantry/ledger/mine-too", "value": "{}"}, id="ledger of another owner"),
]


@pytest.fixture
def platform(run: Runner) -> None:
    """The routing records and the ledger of the owner ``mine``, and nothing else."""
    run.ok("dispatch_namespace", name="tenants")
    run.ok("kv_namespace", title="Metadata")
    workers = [{"name": name, "hostnames": [f"{name}.example.com"]} for name in ("a", "b")]
    run.ok(
        "namespaced_workers", **OWNER, defaults={"content": CODE, "compatibility_date": "2026-11-01"}, workers=workers
    )


def exists(run: Runner) -> bool:
    return bool(run.ok("kv_namespace_info", title="Metadata")["kv_namespaces"])


def test_kv_namespace_of_owner_is_deleted_without_force(run: Runner, platform: None) -> None:
    assert "still contains keys" in run.refused("kv_namespace", **ABSENT)
    assert "still contains keys" in run.refused("kv_namespace", **ABSENT, owner="other")
    assert run.ok("kv_namespace", **ABSENT, owner="mine", check=True)["changed"]
    assert run.ok("kv_namespace", **ABSENT, owner="mine")["changed"] and not exists(run)
    assert not run.ok("kv_namespace", **ABSENT, owner="mine")["changed"]


@pytest.mark.parametrize("entry", NOT_OURS)
def test_kv_namespace_with_key_of_others_is_kept(run: Runner, platform: None, entry: dict[str, t.Any]) -> None:
    run.ok("kv_entries", title="Metadata", entries=[entry])
    for check in (True, False):
        assert f"such as {entry['key']!r}" in run.refused("kv_namespace", **ABSENT, owner="mine", check=check)


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 301, "headers": {"Location": "https://login.example.com/"}},
        {"status": 204},
        {"body": b"[]"},
        {"body": envelope(result=None)},
        {"body": envelope(result={})},
        {"body": envelope(result=[], result_info={"count": 4, "cursor": ""})},
        {"body": envelope(result=[], result_info={"cursor": "x"})},
    ],
)
def test_kv_namespace_is_kept_after_odd_list_of_keys(
    run: Runner, edge: Edge, platform: None, monkeypatch: pytest.MonkeyPatch, answer: dict[str, t.Any]
) -> None:
    run.ok("kv_entries", title="Metadata", entries=[{"key": "config", "value": "x"}])
    odd = OddAnswers(monkeypatch)
    odd.add("GET", "/keys$", **answer, times=1000)
    run.refused("kv_namespace", **ABSENT, owner="mine")
    assert run("namespaced_workers", **OWNER, state="absent")["failed"]
    odd.clear()
    assert exists(run)
