# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Former names of options and role variables fail with the new name in the message."""

from __future__ import annotations

import importlib
import pathlib
import subprocess
import sys
import typing as t

import pytest
import yaml
from ansible_collections.tenantry.cloudflare_workers.plugins.filter.role_variable_errors import role_variable_errors
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils import _renamed
from harness import Runner
from tenant import WORKER

ROLES = pathlib.Path(__file__).parents[2] / "roles"
FACTS = ["local_edge_api_url", "local_edge_api_token", "local_edge_http_url"]
WORKERS: dict[str, t.Any] = {"dispatch_namespace": "tenants", "owner": "tenants"}
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - block:
        - ansible.builtin.include_role: {name: tenantry.cloudflare_workers.platform}
      rescue:
        - ansible.builtin.debug: {msg: "{{ ansible_failed_task.name }}: {{ ansible_failed_result.msg }}"}
    - block:
        - ansible.builtin.include_role: {name: tenantry.cloudflare_workers.local_edge}
      rescue:
        - ansible.builtin.debug: {msg: "{{ ansible_failed_task.name }}: {{ ansible_failed_result.msg }}"}
"""


def specs(role: str) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text()))


@pytest.mark.parametrize(
    ("module", "options", "hint"),
    [
        ("namespaced_worker", {**WORKER, "verify_level": "settings"}, "verify_level is now drift_detection."),
        ("worker", {"name": "a", "verify_level": "settings"}, "verify_level is now drift_detection."),
        ("namespaced_workers", {**WORKERS, "registry": {"title": "Records"}}, "registry is now routing_kv."),
        ("namespaced_workers", {**WORKERS, "purge": True}, "purge is now prune."),
        (
            "namespaced_workers",
            {**WORKERS, "defaults": {"verify_level": "content"}},
            "defaults.verify_level is now drift_detection.",
        ),
        ("kv_entries", {"title": "KV", "entries": [], "purge_limit": 5}, "purge_limit is now prune_limit."),
        ("kv_entries_info", {"title": "KV", "read": "keys"}, "read is now detail."),
        ("worker_info", {"read": "settings"}, "read is now detail."),
        ("dns_record", {"name": "www.example.com", "type": "A", "beside": True}, "beside is now multi_value."),
    ],
)
def test_module_former_option_names_new_option(run: Runner, module: str, options: dict[str, t.Any], hint: str) -> None:
    message = run.refused(module, **options)
    assert message.startswith(f"Unsupported parameters for ({module}) module: ") and message.endswith(f". {hint}")


def test_module_several_former_options_names_each(run: Runner) -> None:
    message = run.refused("namespaced_workers", **WORKERS, workers=[], purge=True, registry={"title": "Records"})
    assert message.endswith(" purge is now prune. registry is now routing_kv.")


def test_module_unsupported_option_without_new_name_gets_no_hint(run: Runner) -> None:
    assert " is now " not in run.refused("kv_namespace", title="KV", purge=True, verify_level="content")


def test_workers_former_option_of_element_names_new_option(run: Runner) -> None:
    run.ok("dispatch_namespace", name="tenants")
    element = {name: value for name, value in WORKER.items() if name != "dispatch_namespace"}
    result = run("namespaced_workers", **WORKERS, workers=[{**element, "verify_level": "content"}])
    message = result["namespaced_workers"][0]["msg"]
    assert message.startswith("unsupported parameters: verify_level. ")
    assert message.endswith(" verify_level is now drift_detection.")


@pytest.mark.parametrize(
    ("role", "name", "error"),
    [
        ("platform", "platform_metadata", "It is now platform_kv_namespace."),
        ("platform", "platform_verify_level", "It is now platform_drift_detection."),
        ("platform", "platform_purge", "It is now platform_prune."),
        ("platform", "platform_purge_limit", "It is now platform_prune_limit."),
        ("platform", "platform_tenant", "Did you mean platform_tenants?"),
        ("platform", "platform_x", "Did you mean platform_"),
        ("local_edge", "local_edge_switches", "It is now local_edge_behaviors."),
        ("local_edge", "local_edge_apiport", "Did you mean local_edge_api_port?"),
    ],
)
def test_role_variable_errors_unknown_name_is_reported(role: str, name: str, error: str) -> None:
    (message,) = role_variable_errors([name], specs(role), FACTS)
    assert message.startswith(f"{name}: unknown variable. {error}")


@pytest.mark.parametrize("role", ["platform", "local_edge"])
def test_role_variable_errors_known_names_pass(role: str) -> None:
    own = yaml.safe_load((ROLES / role / "defaults/main.yml").read_text())
    options = specs(role)["argument_specs"]["main"]["options"]
    facts = FACTS if role == "local_edge" else []
    assert role_variable_errors([*own, *options, *facts], specs(role), facts) == []


def test_renamed_new_names_exist() -> None:
    names = {name for role in ("platform", "local_edge") for name in specs(role)["argument_specs"]["main"]["options"]}
    assert set(_renamed.ROLE_VARIABLES.values()) <= names and not set(_renamed.ROLE_VARIABLES) & names
    package = "ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources"
    kinds = {"dns_record": "DNSRecord", "kv_entries_info": "KVEntriesInfo", "namespaced_workers": "NamespacedWorkers"}
    options = {
        name
        for module, kind in kinds.items()
        for name in getattr(importlib.import_module(f"{package}.{module.removesuffix('_info')}"), kind).spec()
    }
    assert set(_renamed.OPTIONS.values()) <= options and not set(_renamed.OPTIONS) & options


@pytest.mark.slow
def test_roles_unknown_variable_fails_in_first_task(tmp_path: pathlib.Path) -> None:
    (tmp_path / "play.yml").write_text(PLAY)
    variables = {"platform_namespace": "tenants", "platform_metadata": "Records", "platform_tenant": []}
    variables |= {"local_edge_switches": {}, "local_edge_api_url": "http://127.0.0.1:8788/client/v4"}
    (tmp_path / "variables.yml").write_text(yaml.safe_dump(variables))
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "play.yml", "-e", "@variables.yml"]
    output = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    first_task = '"msg": "Validate the names of the variables: '
    platform = "platform_metadata: unknown variable. It is now platform_kv_namespace."
    tenants = "platform_tenant: unknown variable. Did you mean platform_tenants?"
    behaviors = "local_edge_switches: unknown variable. It is now local_edge_behaviors."
    assert f'{first_task}{platform} {tenants}"' in output and f'{first_task}{behaviors}"' in output
