# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""alchemy: the multi-tenant example as a TypeScript program, deployed, changed and destroyed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge_process import Edge
from foreign_clients import ROOT, Project

PROGRAM = "alchemy.run.ts"
BOTH = {"customer-a": ["feature1", "feature2"], "customer-b": ["feature1", "feature3"]}


def visit(edge: Edge, customer: str) -> Any:
    """Visit a customer. Return the JSON of the response, or its status if it is an error."""
    answer = edge.get(f"{customer}.platform.example.com", "/x")
    return answer.json() if answer.ok else answer.status_code


def test_alchemy_platform_is_created_changed_and_destroyed(project: Project, edge: Edge) -> None:
    project.copy_from(Path(__file__).parent / "projects" / "alchemy")
    project.copy_from(ROOT / "examples" / "quickstart")
    # alchemy looks up accounts at Cloudflare's own URL instead of the base URL.
    project.environment["CLOUDFLARE_ACCOUNT_ID"] = edge.ready["accounts"][0]["id"]
    project.run(PROGRAM, FEATURES=json.dumps(BOTH))
    (kv,) = edge.call("GET", "/storage/kv/namespaces")
    records = [
        {"key": f"{customer}.platform.example.com", "value": json.dumps({"worker": f"{customer}-worker"})}
        for customer in BOTH
    ]
    edge.call("PUT", f"/storage/kv/namespaces/{kv['id']}/bulk", json=records)
    for customer, features in BOTH.items():
        assert visit(edge, customer) == {"customerId": customer, "features": features, "path": "/x"}
    assert visit(edge, "nobody") == 404
    bindings = {one["name"]: one for one in edge.call("GET", "/workers/scripts/platform-router/settings")["bindings"]}
    assert (bindings["TENANT_NAMESPACE"]["namespace"], bindings["TENANT_DATA"]["namespace_id"]) == (
        "customer-workers",
        kv["id"],
    )

    project.run(PROGRAM, FEATURES=json.dumps({"customer-a": ["feature4"]}))
    assert visit(edge, "customer-a")["features"] == ["feature4"]
    assert visit(edge, "customer-b") == 404
    assert [script["id"] for script in edge.call("GET", "/workers/dispatch/namespaces/customer-workers/scripts")] == [
        "customer-a-worker"
    ]

    project.run(PROGRAM, "--destroy")
    for listing in (
        "/workers/scripts",
        "/workers/dispatch/namespaces",
        "/storage/kv/namespaces",
        f"{edge.zone['example.com']}/workers/routes",
    ):
        assert edge.call("GET", listing) == []
