# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``module_defaults`` of a play reach every task of the role, past arguments that the role omits."""

from __future__ import annotations

import typing as t

import pytest
from edge_process import TOKEN
from plays import AnsibleProject

PREFIX = "tenantry.cloudflare_workers."
GROUP = f"group/{PREFIX}all"
CODE = "export default { fetch: () => new Response('ok') };"
PLATFORM = {
    "platform_namespace": "tenants",
    "platform_routes": [{"pattern": "*.platform.localhost/*"}],
    "platform_tenant_defaults": {"content": CODE, "compatibility_date": "2026-11-01"},
    "platform_tenants": [{"name": "a"}, {"name": "b"}],
}
ROLE = {"ansible.builtin.include_role": {"name": f"{PREFIX}platform"}}
WRONG_TOKEN = "a-token-without-any-account"


def with_defaults(defaults: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    return [{"module_defaults": defaults, "block": [ROLE]}]


@pytest.mark.parametrize("in_process", [True, False])
def test_module_defaults_of_group_reach_every_task_of_the_role(project: AnsibleProject, in_process: bool) -> None:
    project.variables["CLOUDFLARE_API_TOKEN"] = WRONG_TOKEN
    account = project.variables.pop("CLOUDFLARE_ACCOUNT_ID")
    block = with_defaults({GROUP: {"api_token": "{{ right }}", "account_id": "{{ account | default(omit) }}"}})
    variables = {**PLATFORM, "right": TOKEN, "account": account, "tenantry_in_process": in_process}
    assert project.play(block, **variables).ok().changed == 5
    assert project.play(block, **variables).ok().changed == 0
    assert project.play(block, **variables, platform_state="absent").ok().changed == 5
    assert project.edge.call("GET", "/workers/dispatch/namespaces") == []


def test_module_defaults_of_module_fill_omitted_option(project: AnsibleProject) -> None:
    refused = {**PLATFORM, "platform_tenants": [{"name": "a"}, {"name": "NOT VALID"}]}
    assert project.play([ROLE], **refused).code != 0
    block = with_defaults({f"{PREFIX}namespaced_workers": {"max_failures": 1}})
    assert "NOT VALID" in project.play(block, **refused).ok().stdout
    assert project.play(block, **refused, platform_max_failures=0).code != 0, "the role's variable precedes a default"


def test_module_defaults_omitted_themselves_have_no_effect(project: AnsibleProject) -> None:
    omitted = {"api_token": "{{ none_given | default(omit) }}"}
    nested = {"limits": {"cpu_ms": 50, "subrequests": "{{ none_given | default(omit) }}"}}
    block = with_defaults({GROUP: omitted, f"{PREFIX}worker": nested})
    project.play(block, **PLATFORM).ok()
    settings = project.edge.call("GET", "/workers/scripts/platform-router/settings")
    assert settings["limits"] == {"cpu_ms": 50}
