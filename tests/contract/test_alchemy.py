# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""alchemy: a platform of several tenants as one program, made, changed and taken down."""
from __future__ import annotations

from pathlib import Path

from edge_process import Edge
from foreign import Project

PLATFORM = Path(__file__).parent / "projects" / "alchemy"


def test_a_platform_is_made_changed_and_destroyed(project: Project, edge: Edge) -> None:
    project.take(PLATFORM)
    # The one client that does not ask the base URL for its accounts, but Cloudflare's own.
    project.environment["CLOUDFLARE_ACCOUNT_ID"] = edge.ready["accounts"][0]["id"]
    project.run("alchemy.run.js", PLAN="free", CUSTOMERS="customer-a customer-b")
    for name in ("customer-a", "customer-b"):
        assert edge.get(f"{name}.example.com").json() == {"customer": name, "plan": "free"}
    assert edge.get("nobody.example.com").status_code == 404
    (kv,) = edge.ask("GET", "/storage/kv/namespaces")
    bindings = edge.ask("GET", "/workers/scripts/platform-router/settings")["bindings"]
    assert {(binding["name"], binding["type"]) for binding in bindings} >= {("TENANTS", "dispatch_namespace"), ("DATA", "kv_namespace")}
    assert next(binding["namespace_id"] for binding in bindings if binding["name"] == "DATA") == kv["id"]

    project.run("alchemy.run.js", PLAN="pro", CUSTOMERS="customer-a")
    assert edge.get("customer-a.example.com").json() == {"customer": "customer-a", "plan": "pro"}
    assert edge.get("customer-b.example.com").status_code == 404
    assert [script["id"] for script in edge.ask("GET", "/workers/dispatch/namespaces/customers/scripts")] == ["customer-a"]

    project.run("alchemy.run.js", "--destroy")
    for listing in ("/workers/scripts", "/workers/dispatch/namespaces", "/storage/kv/namespaces", f"{edge.zone['example.com']}/workers/routes"):
        assert edge.ask("GET", listing) == []
