# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The quickstart as people and AWX run it: predicted, done, done again, changed, torn down; with traffic through workerd."""

from __future__ import annotations

from plays import World
from predictions import alike

CONFIG = {
    "customer-a": {"customerId": "customer-a", "features": ["feature1", "feature2"], "path": "/"},
    "customer-b": {"customerId": "customer-b", "features": ["feature1", "feature3"], "path": "/"},
}


def test_the_whole_life_of_a_platform(world: World) -> None:
    predicted = world.play(options="--check --diff").ok()
    assert world.writes() == []
    assert len(predicted.operations) == 7

    done = world.play(options="--diff").ok()
    assert sorted(world.writes()) == sorted(done.operations), "tenants are written side by side"
    assert alike(predicted.operations, done.operations)
    assert alike(predicted.diffs, done.diffs)
    for customer, config in CONFIG.items():
        assert world.edge.get(f"{customer}.platform.localhost").json() == config
    nobody = world.edge.get("nobody.platform.localhost")
    assert (nobody.status_code, nobody.text) == (404, "There is no customer at nobody.platform.localhost.\n")

    again = world.play().ok()
    assert again.changed == 0 and again.operations == [] and world.writes() == []

    site = world.folder / "project" / "site.yml"
    site.write_text(site.read_text().replace("feature3", "feature9"))
    changed = world.play(options="--diff").ok()
    assert changed.changed == 1 and [operation.rsplit("/", 1)[1] for operation in changed.operations] == [
        "customer-b-worker",
        "bulk",
    ]
    assert world.writes() == changed.operations
    assert changed.operations[0].startswith("PUT ") and "feature9" in str(changed.diffs)
    assert world.edge.get("customer-b.platform.localhost").json()["features"] == ["feature1", "feature9"]
    assert world.edge.get("customer-a.platform.localhost").json() == CONFIG["customer-a"]

    predicted = world.play(options="--check", platform_state="absent").ok()
    assert world.writes() == []
    gone = world.play(platform_state="absent").ok()
    assert world.writes() == gone.operations
    assert predicted.operations == gone.operations
    assert (
        world.edge.ask("GET", "/workers/dispatch/namespaces") == world.edge.ask("GET", "/storage/kv/namespaces") == []
    )
    silent = world.play(platform_state="absent").ok()
    assert silent.changed == 0 and world.writes() == []


def test_an_unchanged_platform_costs_a_constant(world: World) -> None:
    world.play().ok()
    world.requests()
    world.play().ok()
    assert len(world.requests()) <= 14


def test_what_was_only_adopted_stays(world: World) -> None:
    world.edge.ask("POST", "/workers/dispatch/namespaces", json={"name": "customer-workers"})
    world.edge.deploy("theirs", "export default { fetch: () => new Response('theirs') }", namespace="customer-workers")
    kv = world.edge.ask("POST", "/storage/kv/namespaces", json={"title": "Tenant Configuration"})["id"]
    world.edge.session.put(
        f"{world.edge.account}/storage/kv/namespaces/{kv}/values/theirs", data="theirs"
    ).raise_for_status()
    world.play().ok()
    world.play(platform_state="absent").ok()
    assert [
        script["id"] for script in world.edge.ask("GET", "/workers/dispatch/namespaces/customer-workers/scripts")
    ] == ["theirs"]
    assert [key["name"] for key in world.edge.ask("GET", f"/storage/kv/namespaces/{kv}/keys")] == ["theirs"]
    assert world.edge.ask("GET", "/workers/scripts") == []


def test_the_router_that_ships_with_the_role(world: World) -> None:
    site = world.folder / "project" / "site.yml"
    site.write_text(site.read_text().replace("        entrypoint: src/main-router.ts\n", ""))
    world.play().ok()
    assert world.edge.get("Customer-A.platform.localhost", "/x").json() == {**CONFIG["customer-a"], "path": "/x"}
    nobody = world.edge.get("nobody.platform.localhost")
    assert (nobody.status_code, nobody.text) == (404, "No tenant answers for nobody.platform.localhost.\n")
    world.edge.ask("DELETE", "/workers/dispatch/namespaces/customer-workers/scripts/customer-a-worker")
    gone = world.edge.get("customer-a.platform.localhost")
    assert (gone.status_code, gone.text) == (404, "The Worker of customer-a.platform.localhost is gone.\n")
    assert world.play().ok().changed == 1
    assert world.edge.get("customer-a.platform.localhost").json() == CONFIG["customer-a"]


def test_a_run_that_broke_is_finished_by_the_next(world: World) -> None:
    site = world.folder / "project" / "site.yml"
    good = site.read_text()
    site.write_text(good.replace("src/main-router.ts", "src/nowhere.ts"))
    broken = world.play()
    assert broken.code != 0 and "entrypoint: there is no file" in broken.stdout and "src/nowhere.ts" in broken.stdout
    assert "Traceback" not in broken.stdout
    site.write_text(good)
    finished = world.play().ok()
    assert finished.changed == 2, "the router and its route: the tenants were done"
    assert world.edge.get("customer-a.platform.localhost").json() == CONFIG["customer-a"]
