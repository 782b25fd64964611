# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries of a KV namespace."""

from __future__ import annotations

import base64
import time
import typing as t

import pytest
from harness import Runner, count_requests
from local_edge.testing import Edge
from tenant import CODE

KV: dict[str, t.Any] = {"title": "Plans"}


BYTES = base64.b64encode(b"\x00\xff\xfe").decode()


@pytest.fixture
def _plans(run: Runner) -> None:
    run.ok("kv_namespace", **KV)


def write_entries(run: Runner, *some: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
    """Declare entries, and return the result."""
    return run.ok("kv_entries", **KV, entries=list(some), **options)


def list_keys(run: Runner, edge: Edge) -> dict[str, t.Any]:
    """Return all keys of the KV namespace, with their expiration and metadata."""
    root = f"/accounts/{edge.account}/storage/kv/namespaces"
    namespace = run.ok("api", path=root)["api"][0]["id"]
    return {key.pop("name"): key for key in run.ok("api", path=f"{root}/{namespace}/keys", paginate=True)["api"]}


@pytest.mark.usefixtures("_plans")
def test_kv_entries_written_with_ttl_keep_expiration(run: Runner, edge: Edge) -> None:
    offer = {"key": "offer", "value": "20%"}
    now = time.time()
    assert write_entries(run, {**offer, "expiration_ttl": 600})["changed"]
    ends = list_keys(run, edge)["offer"]["expiration"]
    assert now + 599 <= ends <= time.time() + 601
    for lasting in ({"expiration_ttl": 600}, {"expiration_ttl": 9000}, {"expiration": ends}, {}):
        assert not write_entries(run, {**offer, **lasting})["changed"], lasting
    assert (
        write_entries(run, {**offer, "value": "30%"})["changed"] and list_keys(run, edge)["offer"]["expiration"] == ends
    ), "its end travels with a write"
    assert (
        write_entries(run, {**offer, "value": "30%", "expiration_ttl": 120})["changed"]
        and list_keys(run, edge)["offer"]["expiration"] < ends
    )
    assert (
        write_entries(run, {**offer, "value": "30%", "expiration_ttl": None})["changed"]
        and "expiration" not in list_keys(run, edge)["offer"]
    )
    assert (
        write_entries(run, {**offer, "value": "30%", "expiration": ends})["changed"]
        and list_keys(run, edge)["offer"]["expiration"] == ends
    )
    assert (
        write_entries(run, {**offer, "value": "30%", "expiration": None})["changed"]
        and "expiration" not in list_keys(run, edge)["offer"]
    )
    assert "expires at 1700000000" in run.refused("kv_entries", **KV, entries=[{**offer, "expiration": 1700000000}])


@pytest.mark.usefixtures("_plans")
def test_kv_entries_metadata_change_is_written(run: Runner, edge: Edge) -> None:
    write_entries(run, {"key": "a", "value": "b", "metadata": {"x": 1}})
    assert not write_entries(run, {"key": "a", "value": "b"})["changed"]
    assert write_entries(run, {"key": "a", "value": "b", "metadata": {"x": 2}})["changed"] and list_keys(run, edge)[
        "a"
    ]["metadata"] == {"x": 2}
    assert (
        write_entries(run, {"key": "a", "value": "b", "metadata": None})["changed"] and list_keys(run, edge)["a"] == {}
    )


@pytest.mark.usefixtures("_plans")
def test_kv_entries_base64_values_are_idempotent(run: Runner, edge: Edge) -> None:
    picture = {"key": "a/picture", "value": BYTES, "base64": True}
    assert write_entries(run, picture, {"key": "a", "value": "x"})["changed"]
    again = write_entries(run, picture, {"key": "a", "value": "x"})
    assert not again["changed"] and again["kv_entries"]["entries"]["a/picture"] == {
        "value": BYTES,
        "base64": True,
        "metadata": None,
    }
    text = {"key": "b", "value": base64.b64encode("später".encode()).decode(), "base64": True}
    assert write_entries(run, text)["kv_entries"]["entries"]["b"]["value"] == "später"
    assert not write_entries(run, {"key": "b", "value": "später"})["changed"]
    assert count_requests(run, edge, "kv_entries", **KV, entries=[picture]) == (3, 0), (
        "the title, what is said of the key, its bytes"
    )
    assert write_entries(run, {**picture, "metadata": {"x": 1}})["changed"] and list_keys(run, edge)["a/picture"][
        "metadata"
    ] == {"x": 1}
    assert write_entries(run, {"key": "a/picture", "base64": True}, state="absent")[
        "changed"
    ] and "a/picture" not in list_keys(run, edge)
    assert not write_entries(run, {"key": "a/picture", "base64": True}, state="absent")["changed"]


@pytest.mark.usefixtures("_plans")
def test_kv_entries_text_replaces_binary_value(run: Runner, edge: Edge) -> None:
    write_entries(run, {"key": "a", "value": BYTES, "base64": True, "metadata": {"x": 1}}, {"key": "b", "value": "x"})
    declared = [{"key": "a", "value": "now a text"}, {"key": "b", "value": "x"}]
    changed = write_entries(run, *declared)
    assert len(changed["operations"]) == 1 and changed["diff"]["before"]["a"]["value"] == BYTES
    assert list_keys(run, edge)["a"]["metadata"] == {"x": 1}
    assert not write_entries(run, *declared)["changed"]


@pytest.mark.usefixtures("_plans")
def test_kv_entries_prune_deletes_undeclared_keys_in_prefix(run: Runner, edge: Edge) -> None:
    write_entries(run, *({"key": f"{place}/{number}", "value": "x"} for place in ("in", "out") for number in range(4)))
    declared = [{"key": "in/1", "value": "x"}, {"key": "in/9", "value": "y"}]
    predicted = run.ok("kv_entries", **KV, prefix="in/", prune=True, entries=declared, check=True)
    done = write_entries(run, *declared, prefix="in/", prune=True)
    assert predicted["operations"] == done["operations"] and predicted["diff"] == done["diff"]
    assert [operation.rsplit("/", 1)[1] for operation in done["operations"]] == ["bulk", "delete"]
    assert list(done["diff"]["before"]) == ["in/1", "in/0", "in/2", "in/3"] and list(done["diff"]["after"]) == [
        "in/1",
        "in/9",
    ]
    assert list(list_keys(run, edge)) == ["in/1", "in/9", *(f"out/{number}" for number in range(4))]
    assert not write_entries(run, *declared, prefix="in/", prune=True)["changed"]
    error = run.refused("kv_entries", **KV, prefix="", prune=True, prune_limit=3, entries=declared)
    assert "prune: 4 keys are not declared, such as 'out/0', and prune_limit is 3. Set prune_limit: 4 " in error
    assert write_entries(run, prefix="", prune=True)["changed"] and list_keys(run, edge) == {}


def test_kv_entries_prune_keeps_routing_records(run: Runner, edge: Edge) -> None:
    run.ok("dispatch_namespace", name="tenants")
    run.ok("kv_namespace", **KV)
    fleet = {
        "dispatch_namespace": "tenants",
        "workers": [{"name": "a", "hostnames": ["a.example.com"]}],
        "routing_kv": KV,
    }
    run.ok("namespaced_workers", **fleet, defaults={"content": CODE, "compatibility_date": "2026-11-01"})
    write_entries(run, {"key": "mine", "value": "x", "metadata": {"x": 1}})
    root = f"/accounts/{edge.account}/storage/kv/namespaces"
    namespace = run.ok("api", path=root)["api"][0]["id"]
    run.ok(
        "api",
        method="PUT",
        path=f"{root}/{namespace}/bulk",
        body=[{"key": "odd", "value": "x", "metadata": ["tenantry"]}],
    )
    assert write_entries(run, prefix="", prune=True)["changed"] and list(list_keys(run, edge)) == [
        "a.example.com",
        "tenantry/ledger/default",
    ]


@pytest.mark.usefixtures("_plans")
def test_kv_entries_each_change_sends_minimal_requests(run: Runner, edge: Edge) -> None:
    some = {"title": "Plans", "entries": [{"key": f"k{number}", "value": "x"} for number in range(250)]}
    assert count_requests(run, edge, "kv_entries", **some) == (4, 1)
    assert count_requests(run, edge, "kv_entries", **some) == (4, 0)
    assert count_requests(run, edge, "kv_entries", **some, prefix="k", prune=True) == (5, 0)
    assert count_requests(
        run, edge, "kv_entries", **{**some, "entries": some["entries"][:200]}, prefix="k", prune=True
    ) == (4, 1)


@pytest.mark.usefixtures("_plans")
def test_kv_entries_large_write_is_split(run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources import kv_values

    def bulk_writes(*some: dict[str, t.Any]) -> list[int]:
        edge.clear()
        write_entries(run, *some)
        return [operation.count("/bulk") for operation in edge.writes()]

    monkeypatch.setattr(kv_values, "MAX_BULK_WRITE", 3)
    assert bulk_writes(*({"key": f"k{number}", "value": "x"} for number in range(7))) == [1, 1, 1]
    monkeypatch.setattr(kv_values, "MAX_BULK_BYTES", 1000)
    assert bulk_writes(*({"key": f"k{number}", "value": "ä" * 100} for number in range(2))) == [1, 1], (
        "as JSON each takes six hundred bytes"
    )
    assert len(list_keys(run, edge)) == 7
