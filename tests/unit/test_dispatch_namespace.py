# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dispatch namespaces: renaming, trusted mode, and an API without PATCH."""

from __future__ import annotations

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare import shapes
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.client import get_client
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.converge import RunOptions
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.dispatch_namespace import (
    DispatchNamespace,
)
from harness import Runner
from local_edge.testing import Edge
from tenant import CODE
from test_thin_answers import Mutation, Transport

TENANT = {"name": "a", "content": CODE, "compatibility_date": "2026-11-01"}


def test_dispatch_namespace_renamed_keeps_workers(run: Runner, edge: Edge) -> None:
    run.ok("dispatch_namespace", name="old", trusted_workers=True)
    run.ok("namespaced_worker", dispatch_namespace="old", **TENANT)
    renamed = run.ok("dispatch_namespace", name="old", new_name="new")
    assert renamed["operations"] == [f"PATCH /accounts/{edge.account}/workers/dispatch/namespaces/old"]
    assert renamed["dispatch_namespace"]["name"] == "new" and renamed["dispatch_namespace"]["trusted_workers"] is True
    assert not run.ok("dispatch_namespace", name="old", new_name="new")["changed"]
    assert not run.ok("namespaced_worker", dispatch_namespace="new", **TENANT)["changed"]


def test_dispatch_namespace_without_trusted_workers_is_untrusted(run: Runner, edge: Edge) -> None:
    edge.behaviors.namespace_optional_fields = "neither"
    run.ok("dispatch_namespace", name="tenants", trusted_workers=True)
    run.ok("dispatch_namespace", name="other")
    (untrusted, trusted) = sorted(
        run.ok("dispatch_namespace_info")["dispatch_namespaces"], key=lambda found: str(found["name"])
    )
    assert (untrusted["trusted_workers"], trusted["trusted_workers"]) == (False, True)
    assert not run.ok("dispatch_namespace", name="other", trusted_workers=False)["changed"]
    set_again = run.ok("dispatch_namespace", name="other", trusted_workers=True)
    assert set_again["changed"] and set_again["warnings"] == []
    assert not run.ok("dispatch_namespace", name="other", trusted_workers=True)["changed"]


def test_dispatch_namespace_change_sends_only_changed_keys(run: Runner, edge: Edge) -> None:
    edge.behaviors.namespace_update_without_trusted = "reset"
    run.ok("dispatch_namespace", name="old", trusted_workers=True)
    renamed = run.ok("dispatch_namespace", name="old", new_name="new")["dispatch_namespace"]
    assert (renamed["name"], renamed["trusted_workers"]) == ("new", True)


def test_dispatch_namespace_without_patch_is_put_from_then_on(run: Runner, edge: Edge) -> None:
    edge.behaviors.namespace_patch, edge.behaviors.namespace_update_without_trusted = "405", "reset"
    path = f"/accounts/{edge.account}/workers/dispatch/namespaces"
    created = run.ok("dispatch_namespace", name="a", trusted_workers=True)
    assert created["operations"] == edge.writes() == [f"POST {path}", f"PUT {path}/a"]
    renamed = run.ok("dispatch_namespace", name="a", new_name="b")
    assert renamed["operations"] == [f"PUT {path}/a"] and renamed["dispatch_namespace"]["trusted_workers"] is True
    edge.clear()
    options = {"name": "b", "new_name": "c"}  # the client of the latest run is used again, as in a loop
    DispatchNamespace(get_client({}), options, {**options, "state": "present", "force": False}).converge(RunOptions())
    assert [request["method"] for request in edge.requests() if request["method"] != "GET"] == ["PUT"]


def test_dispatch_namespace_with_worker_that_count_omits_is_kept(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.ok("dispatch_namespace", name="tenants")
    run.ok("namespaced_worker", dispatch_namespace="tenants", **TENANT)
    transport = Transport(monkeypatch)
    transport.mutation = Mutation(f"GET {shapes.NAMESPACES}/{{namespace}}", ("result", "script_count"), "empty")
    assert "still contains 1 Workers" in run.refused("dispatch_namespace", name="tenants", state="absent")


def test_dispatch_namespace_put_sends_no_trust_that_was_not_read(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.ok("dispatch_namespace", name="old", trusted_workers=True)
    edge.behaviors.namespace_patch = "405"
    transport = Transport(monkeypatch)
    transport.hide(("result", "trusted_workers"))
    run.ok("dispatch_namespace", name="old", new_name="new")
    transport.hide()
    assert run.ok("dispatch_namespace", name="new")["dispatch_namespace"]["trusted_workers"] is True
    transport.hide(("result", "trusted_workers"))
    run.ok("dispatch_namespace", name="new", new_name="newer", trusted_workers=False)
    transport.hide()
    assert run.ok("dispatch_namespace", name="newer")["dispatch_namespace"]["trusted_workers"] is False
