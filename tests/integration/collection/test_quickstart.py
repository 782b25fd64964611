# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The quickstart as users and AWX run it: check mode, deployment, second run, change and teardown, with traffic."""

from __future__ import annotations

from plays import AnsibleProject
from predictions import matches_prediction

CONFIG = {
    "customer-a": {"customerId": "customer-a", "features": ["feature1", "feature2"], "path": "/"},
    "customer-b": {"customerId": "customer-b", "features": ["feature1", "feature3"], "path": "/"},
}


def test_quickstart_deployed_changed_and_removed(project: AnsibleProject) -> None:
    predicted = project.play(options="--check --diff").ok()
    assert project.writes() == []
    assert len(predicted.operations) == 7

    applied = project.play(options="--diff").ok()
    assert sorted(project.writes()) == sorted(applied.operations), "tenants are written in parallel"
    assert matches_prediction(predicted.operations, applied.operations)
    assert matches_prediction(predicted.diffs, applied.diffs)
    for customer, config in CONFIG.items():
        assert project.edge.get(f"{customer}.platform.localhost").json() == config
    unknown = project.edge.get("nobody.platform.localhost")
    assert (unknown.status_code, unknown.text) == (404, "There is no customer at nobody.platform.localhost.\n")

    again = project.play().ok()
    assert again.changed == 0 and again.operations == [] and project.writes() == []

    site = project.folder / "project" / "site.yml"
    site.write_text(site.read_text().replace("feature3", "feature9"))
    changed = project.play(options="--diff").ok()
    assert changed.changed == 1 and [operation.rsplit("/", 1)[1] for operation in changed.operations] == [
        "customer-b-worker",
        "bulk",
    ]
    assert project.writes() == changed.operations
    assert changed.operations[0].startswith("PUT ") and "feature9" in str(changed.diffs)
    assert project.edge.get("customer-b.platform.localhost").json()["features"] == ["feature1", "feature9"]
    assert project.edge.get("customer-a.platform.localhost").json() == CONFIG["customer-a"]

    predicted = project.play(options="--check", platform_state="absent").ok()
    assert project.writes() == []
    gone = project.play(platform_state="absent").ok()
    assert project.writes() == gone.operations
    assert predicted.operations == gone.operations
    assert (
        project.edge.call("GET", "/workers/dispatch/namespaces")
        == project.edge.call("GET", "/storage/kv/namespaces")
        == []
    )
    silent = project.play(platform_state="absent").ok()
    assert silent.changed == 0 and project.writes() == []


def test_quickstart_unchanged_run_sends_at_most_14_requests(project: AnsibleProject) -> None:
    project.play().ok()
    project.requests()
    project.play().ok()
    assert len(project.requests()) <= 14


def test_quickstart_absent_keeps_adopted_objects(project: AnsibleProject) -> None:
    project.edge.call("POST", "/workers/dispatch/namespaces", json={"name": "customer-workers"})
    project.edge.deploy(
        "theirs", "export default { fetch: () => new Response('theirs') }", namespace="customer-workers"
    )
    kv = project.edge.call("POST", "/storage/kv/namespaces", json={"title": "Tenant Configuration"})["id"]
    project.edge.session.put(
        f"{project.edge.account}/storage/kv/namespaces/{kv}/values/theirs", data="theirs"
    ).raise_for_status()
    project.play().ok()
    project.play(platform_state="absent").ok()
    assert [
        script["id"] for script in project.edge.call("GET", "/workers/dispatch/namespaces/customer-workers/scripts")
    ] == ["theirs"]
    assert [key["name"] for key in project.edge.call("GET", f"/storage/kv/namespaces/{kv}/keys")] == ["theirs"]
    assert project.edge.call("GET", "/workers/scripts") == []


def test_quickstart_without_entrypoint_uses_router_of_role(project: AnsibleProject) -> None:
    site = project.folder / "project" / "site.yml"
    site.write_text(site.read_text().replace("        entrypoint: src/main-router.ts\n", ""))
    project.play().ok()
    assert project.edge.get("Customer-A.platform.localhost", "/x").json() == {**CONFIG["customer-a"], "path": "/x"}
    unknown = project.edge.get("nobody.platform.localhost")
    assert (unknown.status_code, unknown.text) == (404, "No tenant answers for nobody.platform.localhost.\n")
    project.edge.call("DELETE", "/workers/dispatch/namespaces/customer-workers/scripts/customer-a-worker")
    gone = project.edge.get("customer-a.platform.localhost")
    assert (gone.status_code, gone.text) == (404, "The Worker of customer-a.platform.localhost is gone.\n")
    assert project.play().ok().changed == 1
    assert project.edge.get("customer-a.platform.localhost").json() == CONFIG["customer-a"]


def test_quickstart_failed_run_is_completed_by_next_run(project: AnsibleProject) -> None:
    site = project.folder / "project" / "site.yml"
    good = site.read_text()
    site.write_text(good.replace("src/main-router.ts", "src/nowhere.ts"))
    broken = project.play()
    assert broken.code != 0 and "entrypoint: file" in broken.stdout and "src/nowhere.ts does not exist" in broken.stdout
    assert "Traceback" not in broken.stdout
    site.write_text(good)
    finished = project.play().ok()
    assert finished.changed == 2, "the router and its route; the tenants were already deployed"
    assert project.edge.get("customer-a.platform.localhost").json() == CONFIG["customer-a"]
