# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints of Workers outside namespaces: versions, deployments, schedules, hosts and references."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import CODE, Client, form, secret, settings, text
from local_edge.errors import ApiError
from local_edge.model.bindings import Binding
from local_edge.model.scripts import Source
from local_edge.model.versions import MAX_VERSIONS
from local_edge.runtime.definition import check

W = "/workers/scripts"
OTHER = "export default { fetch() { return new Response('other'); } };"


def versions(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.call("GET", f"{W}/a/versions")["items"]
    return found


def deployed_version(client: Client) -> str:
    """Return the id of the deployed version."""
    ident: str = client.call("GET", f"{W}/a/deployments")["deployments"][0]["versions"][0]["version_id"]
    return ident


def content(client: Client) -> str:
    return client.send("GET", f"{W}/a/content/v2").text


def test_upload_creates_and_deploys_version(client: Client) -> None:
    first = client.upload(f"{W}/a")
    second = client.upload(f"{W}/a", OTHER)
    assert [one["number"] for one in versions(client)] == [2, 1]
    assert [one["id"].replace("-", "") for one in versions(client)] == [second["deployment_id"], first["deployment_id"]]
    assert deployed_version(client) == versions(client)[0]["id"]


def test_deployment_of_version_replaces_code_and_can_be_rolled_back(client: Client) -> None:
    client.upload(f"{W}/a", bindings=[text("A", "one"), secret("S")])
    first = deployed_version(client)
    created = client.call(
        "POST", f"{W}/a/versions", files=form(OTHER, bindings=[text("A", "two")], keep_bindings=["secret_text"])
    )
    assert deployed_version(client) == first
    assert "other" not in content(client)
    assert {one["name"] for one in created["resources"]["bindings"]} == {"A", "S"}
    client.call(
        "POST",
        f"{W}/a/deployments",
        json={"strategy": "percentage", "versions": [{"version_id": created["id"], "percentage": 100}]},
    )
    assert deployed_version(client) == created["id"]
    assert "other" in content(client)
    assert client.call("GET", f"{W}/a/bindings")[0]["text"] == "two"
    client.call(
        "POST",
        f"{W}/a/deployments",
        json={"strategy": "percentage", "versions": [{"version_id": first, "percentage": 100}]},
    )
    assert "other" not in content(client)
    assert client.names(f"{W}/a") == ["A", "S"]
    assert len(versions(client)) == 2, "a deployment creates no version"


def test_deployment_two_versions_serves_larger_percentage(client: Client) -> None:
    client.upload(f"{W}/a")
    client.upload(f"{W}/a", OTHER)
    new, old = (one["id"] for one in versions(client))
    shares = [{"version_id": old, "percentage": 90}, {"version_id": new, "percentage": 10}]
    client.call("POST", f"{W}/a/deployments", json={"strategy": "percentage", "versions": shares})
    assert client.call("GET", f"{W}/a/deployments")["deployments"][0]["versions"] == shares
    assert "other" not in content(client)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"strategy": "percentage", "versions": []}, (400, 10026)),
        ({"strategy": "random", "versions": [{"version_id": "x", "percentage": 100}]}, (400, 10026)),
        ({"versions": [{"version_id": "x", "percentage": 50}]}, (400, 10026)),
        ({"versions": [{"version_id": "x", "percentage": -1}, {"version_id": "y", "percentage": 101}]}, (400, 10021)),
        ({"versions": [{"version_id": "x", "percentage": True}, {"version_id": "y", "percentage": 99}]}, (400, 10021)),
        ({"versions": [{"version_id": "x", "percentage": 50}, {"version_id": "x", "percentage": 50}]}, (400, 10026)),
        ({"versions": [{"version_id": "x", "percentage": 100}]}, (404, 100146)),
    ],
)
def test_create_deployment_invalid_body_is_refused(
    client: Client, body: dict[str, Any], expected: tuple[int, int]
) -> None:
    client.upload(f"{W}/a")
    assert client.error("POST", f"{W}/a/deployments", json=body) == expected
    assert client.error("POST", f"{W}/none/deployments", json=body) == (404, 10007)


def test_versions_deployed_version_is_kept_beyond_limit(client: Client) -> None:
    client.upload(f"{W}/a")
    first = versions(client)[0]["id"]
    for _version in range(MAX_VERSIONS + 1):
        client.call("POST", f"{W}/a/versions", files=form())
    client.upload(f"{W}/a", OTHER)
    assert client.call("GET", f"{W}/a/deployments")["deployments"][1]["versions"][0]["version_id"] == first
    client.call("POST", f"{W}/a/deployments", json={"versions": [{"version_id": first, "percentage": 100}]})
    assert "other" not in content(client)
    assert client.edge.store.count("select count(*) from versions") == MAX_VERSIONS + 1


def test_create_version_worker_settings_are_refused(client: Client) -> None:
    client.upload(f"{W}/a")
    assert client.error("POST", f"{W}/a/versions", files=form(tags=["x"])) == (400, 10021)
    client.call("PATCH", f"{W}/a/script-settings", json={"logpush": True, "tags": ["x"]})
    assert len(versions(client)) == 1
    client.upload(f"{W}/a", OTHER, logpush=True)
    client.call(
        "POST", f"{W}/a/deployments", json={"versions": [{"version_id": versions(client)[1]["id"], "percentage": 100}]}
    )
    assert client.call("GET", f"{W}/a/settings")["logpush"] is True


def test_secret_or_settings_change_creates_version(client: Client) -> None:
    client.upload(f"{W}/a")
    client.call("PUT", f"{W}/a/secrets", json=secret("S"))
    client.call("PATCH", f"{W}/a/settings", files=settings({"compatibility_flags": ["nodejs_compat"]}))
    triggers = [
        one["annotations"]["workers/triggered_by"] for one in client.call("GET", f"{W}/a/deployments")["deployments"]
    ]
    assert triggers == ["upload", "secret", "upload"]


def test_patch_latest_version_secret_is_applied_on_deployment(client: Client) -> None:
    client.upload(f"{W}/a", bindings=[text("A", "one"), secret("OLD")])
    first, latest = deployed_version(client), "/workers/workers/a/versions/latest"
    created = client.call(
        "PATCH",
        latest,
        json={
            "env": {"NEW": {"type": "secret_text", "text": "hidden"}, "OLD": None},
            "annotations": {"workers/message": "rotation"},
        },
    )
    assert deployed_version(client) == first and client.names(f"{W}/a") == ["A", "OLD"]
    assert created["id"] == versions(client)[0]["id"] and created["annotations"]["workers/message"] == "rotation"
    assert [one["name"] for one in versions(client)[0]["resources"]["bindings"]] == ["A", "NEW"]
    assert "hidden" not in str(created) + str(versions(client))
    assert client.error("PUT", f"{W}/a/secrets", json={"name": "B", "text": "x", "type": "secret_text"}) == (400, 10215)
    client.call(
        "POST",
        f"{W}/a/deployments",
        json={"strategy": "percentage", "versions": [{"version_id": created["id"], "percentage": 100}]},
    )
    assert client.names(f"{W}/a") == ["A", "NEW"]
    client.call("PUT", f"{W}/a/secrets", json={"name": "B", "text": "x", "type": "secret_text"})
    assert client.error("PATCH", latest, json={"env": ["NEW"]}) == (400, 10026)


def test_delete_worker_deletes_code_of_all_versions(client: Client) -> None:
    client.upload(f"{W}/a")
    client.upload(f"{W}/a", OTHER)
    store = client.edge.store
    assert store.count("select count(distinct etag) from modules") == 2
    client.call("DELETE", f"{W}/a")
    assert store.count("select count(*) from modules") + store.count("select count(*) from versions") == 0


def test_put_schedules_existing_schedule_keeps_dates(client: Client) -> None:
    client.upload(f"{W}/a")
    first = client.call("PUT", f"{W}/a/schedules", json=[{"cron": "*/30 * * * *"}])["schedules"]
    both = client.call("PUT", f"{W}/a/schedules", json=[{"cron": "0 0 * * MON"}, {"cron": "*/30 * * * *"}])["schedules"]
    assert both[1] == first[0]
    client.upload(f"{W}/a", OTHER)
    assert client.call("GET", f"{W}/a/schedules")["schedules"] == both
    assert client.call("PUT", f"{W}/a/schedules", json=[]) == {"schedules": []}


@pytest.mark.parametrize(
    "cron", ["* * * * *", "*/5 0-6,20 1 JAN-mar MON#1", "59 23 L * *", "0 0 LW,15W 12 6L", "1/2 3 4 5 0"]
)
def test_put_schedules_valid_cron_is_accepted(client: Client, cron: str) -> None:
    client.upload(f"{W}/a")
    assert client.call("PUT", f"{W}/a/schedules", json=[{"cron": cron}])["schedules"][0]["cron"] == cron


@pytest.mark.parametrize(
    "crons",
    [
        ["often"],
        ["60 * * * *"],
        ["* 24 * * *"],
        ["* * 0 * *"],
        ["* * * 13 *"],
        ["* * * * 8"],
        ["* * * *"],
        ["*/0 * * * *"],
        ["* * * * *", "* * * * *"],
        [f"{minute} {hour} * * *" for minute in range(60) for hour in range(5)],
    ],
)
def test_put_schedules_invalid_cron_is_refused(client: Client, crons: list[str]) -> None:
    client.upload(f"{W}/a")
    assert client.error("PUT", f"{W}/a/schedules", json=[{"cron": cron} for cron in crons]) == (400, 10100)


def test_workers_dev_subdomain_is_read_and_set(client: Client) -> None:
    client.upload(f"{W}/a")
    assert client.call("GET", f"{W}/a/subdomain") == {"enabled": False, "previews_enabled": False}
    client.call("POST", f"{W}/a/subdomain", json={"enabled": True})
    assert client.call("GET", "/workers/workers/a")["subdomain"]["enabled"] is True
    client.call("DELETE", "/workers/subdomain")
    assert client.error("GET", "/workers/subdomain") == (404, 10007)
    assert client.error("POST", f"{W}/a/subdomain", json={"enabled": True}) == (400, 10063)
    assert client.call("PUT", "/workers/subdomain", json={"subdomain": "tenantry"}) == {"subdomain": "tenantry"}
    assert client.error("PUT", "/workers/subdomain", json={"subdomain": "Not A Label"}) == (400, 10031)


def test_services_endpoint_returns_worker(client: Client) -> None:
    assert client.error("GET", "/workers/services/a") == (404, 10090)
    client.upload(f"{W}/a", bindings=[text("A")])
    found = client.call("GET", "/workers/services/a")["default_environment"]
    assert (found["environment"], found["script"]["id"], found["script"]["last_deployed_from"]) == (
        "production",
        "a",
        "api",
    )
    assert client.call("GET", "/workers/services/a/environments/production/bindings")[0]["name"] == "A"
    assert client.error("GET", "/workers/services/a/environments/staging") == (404, 10092)
    client.send("PUT", f"{W}/a", files=form(), headers={"User-Agent": "wrangler/4.0.0"})
    assert (
        client.call("GET", "/workers/services/a")["default_environment"]["script"]["last_deployed_from"] == "wrangler"
    )


def test_references_endpoint_lists_dependent_workers(client: Client) -> None:
    tenants = client.namespace("prod")
    client.upload(f"{W}/egress")
    client.upload(f"{tenants}/tenant", bindings=[{"name": "E", "type": "service", "service": "egress"}])
    client.upload(f"{W}/caller", bindings=[{"name": "E", "type": "service", "service": "egress"}])
    outbound = {"worker": {"service": "egress"}, "params": [{"name": "customer"}]}
    client.upload(
        f"{W}/router", bindings=[{"name": "T", "type": "dispatch_namespace", "namespace": "prod", "outbound": outbound}]
    )
    found = client.call("GET", f"{W}/egress/references")
    assert [one["name"] for one in found["services"]["incoming"]] == ["caller", "tenant"]
    assert [(one["name"], one["namespace"]) for one in found["dispatch_outbounds"]] == [("router", "prod")]
    assert client.call("GET", f"{W}/router/bindings")[0]["outbound"] == outbound
    assert client.error("DELETE", f"{W}/egress") == (400, 10064)
    client.call("DELETE", "/workers/services/egress?force=true")
    assert [client.names(worker) for worker in (f"{W}/caller", f"{W}/router", f"{tenants}/tenant")] == [[], [], []]


@pytest.mark.parametrize(
    "outbound", [{}, {"worker": "egress"}, {"worker": {"service": "egress"}, "params": ["customer"]}]
)
def test_upload_invalid_outbound_worker_is_refused(client: Client, outbound: dict[str, Any]) -> None:
    client.namespace("prod")
    client.upload(f"{W}/egress")
    binding = {"name": "T", "type": "dispatch_namespace", "namespace": "prod", "outbound": outbound}
    assert client.error("PUT", f"{W}/router", files=form(bindings=[binding])) == (400, 10021)


def test_upload_absent_outbound_worker_is_refused(client: Client) -> None:
    client.namespace("prod")
    binding = {
        "name": "T",
        "type": "dispatch_namespace",
        "namespace": "prod",
        "outbound": {"worker": {"service": "none"}},
    }
    assert client.error("PUT", f"{W}/router", files=form(bindings=[binding])) == (400, 10144)


def test_search_name_returns_matching_workers(client: Client) -> None:
    for name in ("router", "router-staging", "egress"):
        client.upload(f"{W}/{name}")
    assert [one["script_name"] for one in client.call("GET", "/workers/scripts-search?name=router")] == [
        "router",
        "router-staging",
    ]


def test_put_worker_routes_replaces_all_routes(client: Client) -> None:
    client.upload(f"{W}/a")
    client.upload(f"{W}/b")
    zone = client.edge.zones["example.com"]
    client.call(
        "PUT",
        f"{W}/a/routes",
        json=[{"pattern": "one.example.com/*"}, {"pattern": "two.example.com/*", "zone_name": "example.com"}],
    )
    one = client.call("GET", client.routes)[0]
    client.call(
        "PUT",
        f"{W}/a/routes",
        json=[{"pattern": "one.example.com/*", "zone_id": zone}, {"pattern": "three.example.com/*"}],
    )
    assert sorted(each["pattern"] for each in client.call("GET", client.routes)) == [
        "one.example.com/*",
        "three.example.com/*",
    ]
    assert one in client.call("GET", client.routes), "a route that stays keeps its id"
    assert client.error("PUT", f"{W}/b/routes", json=[{"pattern": "one.example.com/*"}]) == (409, 10020)
    assert client.error("PUT", f"{W}/b/routes", json=[{"pattern": "elsewhere.test/*"}]) == (400, 10082)
    assert client.call("PUT", f"{W}/a/routes", json=[]) == []


def test_upload_service_worker_syntax_is_read_back(client: Client) -> None:
    body = "addEventListener('fetch', (event) => event.respondWith(new Response('ok')));"
    client.call("PUT", f"{W}/a", data=body, headers={"Content-Type": "application/javascript"})
    assert client.call("GET", W)[0]["has_modules"] is False
    assert content(client) == body
    client.upload(f"{W}/a", CODE)
    assert client.call("GET", W)[0]["has_modules"] is True


def test_workflows_get_returns_the_error_of_an_upload(client: Client) -> None:
    assert client.call("GET", "/workflows") == []
    for method, path in (
        ("GET", "/workflows/payroll"),
        ("PUT", "/workflows/payroll"),
        ("GET", "/workflows/payroll/instances"),
    ):
        response = client.send(method, path, **({"json": {}} if method == "PUT" else {}))
        assert response.status_code == 400
        error = response.json()["errors"][0]
        assert error["code"] == 10021
        assert "does not support bindings of type workflow" in error["message"]
    with pytest.raises(ApiError) as refused:
        check(Source("index.js", []), [Binding("FLOW", "workflow", {})])
    assert refused.value.message.replace("binding FLOW", "workflow payroll") == error["message"]
