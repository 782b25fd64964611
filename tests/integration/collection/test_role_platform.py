# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role platform with failed tenants, tenants in a file, departures and host names without a route."""

from __future__ import annotations

import json
import re
import typing as t

import pytest
import yaml
from plays import AnsibleProject, Play

CODE = "export default { fetch: (request, env) => new Response(String(env.PLAN ?? env.API_KEY)) };"
SECRET = "hush-hush-do-not-tell-9"
KEY = "fingerprint-key-of-the-test"


def tenant(name: str, **options: t.Any) -> dict[str, t.Any]:
    return {"name": name, "hostnames": [f"{name}.platform.localhost"], **options}


BAD = tenant("bad", compatibility_date="tomorrow")


def play(project: AnsibleProject, *tenants: dict[str, t.Any], options: str = "", **variables: t.Any) -> Play:
    """Run the role with these tenants and variables."""
    role = {
        "role": "tenantry.cloudflare_workers.platform",
        "platform_namespace": "tenants",
        "platform_kv_namespace": "Tenants",
        "platform_routes": [{"pattern": "*.platform.localhost/*"}],
        "platform_tenant_defaults": {"content": CODE, "compatibility_date": "2026-11-01"},
        "platform_tenants": list(tenants),
        **variables,
    }
    header = {"name": "A platform", "hosts": "localhost", "gather_facts": False}
    (project.folder / "project" / "role.yml").write_text(yaml.safe_dump([{**header, "roles": [role]}]))
    return project.play("role.yml", options=options)


def write_file(project: AnsibleProject, *tenants: dict[str, t.Any]) -> str:
    """Write a file of tenants and return its name."""
    (project.folder / "project" / "tenants.json").write_text(json.dumps(tenants))
    return "tenants.json"


def output(found: Play) -> str:
    """Return the output as one line, without its line breaks and indentation."""
    return re.sub(r"\s+", " ", found.stdout)


def test_role_failed_tenant_does_not_keep_others_unreachable(project: AnsibleProject) -> None:
    predicted = play(project, tenant("good", vars={"PLAN": "pro"}), BAD, options="--check")
    assert predicted.code != 0 and project.writes() == []
    failed = play(project, tenant("good", vars={"PLAN": "pro"}), BAD)
    assert failed.code != 0 and failed.stats["failures"] == {"localhost": 1}
    assert len(predicted.operations) == len(failed.operations) == len(project.writes())
    message = output(failed)
    assert "1 of 2 failed. bad: compatibility_date: 'tomorrow' is not a valid date" in message
    assert "Correct these tenants and run again, or set platform_max_failures: 1" in message
    assert project.edge.get("good.platform.localhost").text == "pro"
    assert project.edge.get("bad.platform.localhost").status_code == 404

    tolerated = play(project, tenant("good", vars={"PLAN": "pro"}), BAD, platform_max_failures=1).ok()
    assert tolerated.changed == 0 and "1 of 2 failed. bad: " in output(tolerated)
    assert play(project, tenant("good", vars={"PLAN": "pro"}), tenant("bad", vars={"PLAN": "free"})).ok().changed == 1
    assert project.edge.get("bad.platform.localhost").text == "free"


def test_role_failures_of_tenants_and_router_are_all_reported(project: AnsibleProject) -> None:
    bad = [{**BAD, "name": f"bad{number:02}", "hostnames": []} for number in range(12)]
    found = play(project, *bad, platform_router={"name": "router", "path": "src/nowhere.js"})
    assert found.code != 0
    message = output(found)
    assert "platform_router.path: file" in message and "src/nowhere.js does not exist. Correct the path" in message
    assert "12 of 12 failed. bad00: compatibility_date: " in message and "Also failed: bad10, bad11." in message


def test_role_aborted_run_stops_before_router(project: AnsibleProject) -> None:
    found = play(project, BAD, tenant("good"), platform_max_failures=0)
    assert found.code != 0 and "more than platform_max_failures (0) failed; " in output(found)
    assert project.edge.call("GET", "/workers/scripts") == []


@pytest.mark.parametrize("variables", [{"platform_zone": "platform.localhost"}, {}])
def test_role_invalid_option_stops_at_once_and_names_variable(
    project: AnsibleProject, variables: dict[str, t.Any]
) -> None:
    found = play(project, tenant("good"), platform_prune=True, platform_prune_limit="many", **variables)
    assert found.code != 0 and "platform_prune_limit: 'many' is not a valid limit" in output(found)
    assert project.edge.call("GET", "/workers/scripts") == []


def test_role_prune_limit_allows_one_departure(project: AnsibleProject) -> None:
    tenants = [tenant(f"t{number}") for number in range(4)]
    play(project, *tenants).ok()
    refused = play(project, *tenants[:2], platform_prune=True)
    assert refused.code != 0
    assert "platform_prune: 2 of the 4 Workers" in output(refused)
    assert "more than platform_prune_limit (10%): t2, t3" in output(refused)
    assert "or set platform_prune_limit: 50% to delete all of them" in output(refused)
    pruned = play(project, *tenants[:3], platform_prune=True).ok()
    assert pruned.changed == 1 and project.edge.get("t3.platform.localhost").status_code == 404
    none = play(project, *tenants[:2], platform_prune=True, platform_prune_limit="0%")
    assert none.code != 0 and "more than platform_prune_limit (0%): t2" in output(none)


def test_role_host_name_without_route_is_warned_of(project: AnsibleProject) -> None:
    routes = [
        {"pattern": "*.platform.localhost/*"},
        {"pattern": "exact.example.com/*"},
        {"pattern": "other.example.com/*", "worker": None},
    ]
    hosts = ["A.Platform.localhost", "exact.example.com", "other.example.com", "www.exact.example.com"]
    for options in ("--check", ""):
        found = play(project, {"name": "a", "hostnames": hosts}, platform_routes=routes, options=options).ok()
        assert "hostnames: 2 (other.example.com, www.exact.example.com) are covered by no route" in output(found)
    everywhere = [*routes, {"pattern": "*/*", "zone": "example.com"}]
    for declared in (everywhere, []):
        found = play(project, {"name": "a", "hostnames": hosts}, platform_routes=declared).ok()
        assert "covered by no route" not in output(found)


def test_role_template_in_file_is_refused_for_secrets_and_warned_of_otherwise(project: AnsibleProject) -> None:
    name = write_file(project, tenant("a", secrets={"API_KEY": "{{ vault_a }}"}), tenant("b", vars={"PLAN": "{% b %}"}))
    refused = play(project, platform_tenants_file=name)
    assert refused.code != 0 and project.edge.call("GET", "/workers/dispatch/namespaces/tenants/scripts") == []
    message = output(refused)
    assert "platform_tenants_file: 1 secret with a template: secrets.API_KEY of 'a'." in message
    assert "Declare such secrets in platform_tenant_secrets, or set platform_allow_braces: true." in message
    allowed = play(project, platform_tenants_file=name, platform_allow_braces=True).ok()
    assert "with a template" not in output(allowed)
    assert project.edge.get("a.platform.localhost").text == "{{ vault_a }}"
    write_file(project, tenant("b", vars={"PLAN": "{% b %}"}))
    for options in ("--check", ""):
        warned = play(project, platform_tenants_file=name, options=options).ok()
        assert warned.changed == 0
        assert "platform_tenants_file: 1 string with a template: vars.PLAN of 'b'." in output(warned)


def test_role_secrets_come_from_vault_and_tenants_from_file(project: AnsibleProject) -> None:
    project.variable("vault", {"acme": {"API_KEY": SECRET}, "nobody": {"API_KEY": SECRET}})
    project.variable("key", KEY)
    name = write_file(project, tenant("acme"), tenant("other", vars={"PLAN": "pro"}))
    variables: dict[str, t.Any] = {
        "platform_tenants_file": name,
        "platform_tenant_secrets": "{{ vault }}",
        "platform_fingerprint_key": "{{ key }}",
    }
    plays = [play(project, options=options, **variables).ok() for options in ("--check --diff", "--diff -vvv")]
    assert project.edge.get("acme.platform.localhost").text == SECRET
    assert "platform_tenant_secrets: nobody is not declared" in output(plays[1])
    plays.append(play(project, options="-vvv", **variables).ok())
    assert plays[-1].changed == 0
    project.variable("vault", {"acme": {"API_KEY": SECRET + "-rotated"}})
    plays.append(play(project, options="--diff -vvv", **variables).ok())
    assert plays[-1].changed == 1 and project.edge.get("acme.platform.localhost").text == SECRET + "-rotated"
    for found in plays:
        assert SECRET not in found.stdout and SECRET not in str(found.tasks)
        assert not [file for file in found.folder.rglob("*.json") if SECRET in file.read_text()]
