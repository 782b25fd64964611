# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets on bad days: ledgers that are wrong, others who meddle, tenants of which nothing is right."""

from __future__ import annotations

import json
import typing as t

import pytest
from harness import Runner
from local_edge.testing import Edge
from tenant import CODE

FLEET: dict[str, t.Any] = {
    "dispatch_namespace": "tenants",
    "owner": "mine",
    "registry": {"title": "Metadata"},
    "defaults": {"content": CODE, "compatibility_date": "2026-11-01"},
}
LEDGER = "tenantry/ledger/mine"


@pytest.fixture(autouse=True)
def _platform(run: Runner) -> None:
    run.ok("dispatch_namespace", name="tenants")
    run.ok("kv_namespace", title="Metadata")


def fleet(run: Runner, *names: str, **options: t.Any) -> dict[str, t.Any]:
    """Declare these Workers, with options of their own where a name is given as one of C(options)."""
    return run.ok("namespaced_workers", diff=False, **FLEET, workers=[{"name": name, **options.get(name, {})} for name in names])


def cost(edge: Edge) -> list[str]:
    """Return what was sent for Workers since the edge was last cleared, shortened."""
    return [f"{seen['method']} {seen['path'].partition('/tenants/scripts')[2]}" for seen in edge.requests() if "/tenants/scripts" in seen["path"]]


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
