# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role passes on whatever its modules take."""

from __future__ import annotations

import pathlib
import re
import subprocess
import typing as t

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.namespaced_workers import (
    COMMON_OPTIONS,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker import Worker
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker_routes import ROUTE

try:  # ansible-core 2.19 and later evaluates only trusted templates
    from ansible.template import trust_as_template as trust
except ImportError:

    def trust(text: str) -> str:
        return text


PREFIX = "tenantry.cloudflare_workers."
ROLE = pathlib.Path(__file__).parents[2] / "roles/platform"
#: Said once for the whole platform, but for what the router may do otherwise.
PLATFORM_WIDE_OPTIONS = {*COMMON_OPTIONS} - {"update_secrets", "take_over", "allow_replace"}


def module_tasks(file: str = "present") -> t.Iterator[tuple[str, dict[str, str], str]]:
    """Yield module, arguments and names of variables of each task, in blocks too."""
    tasks = yaml.safe_load((ROLE / f"tasks/{file}.yml").read_text())
    for task in [inner for outer in tasks for inner in outer.get("block", [outer])]:
        (module,) = [key for key in task if key.startswith(PREFIX)]
        yield module.removeprefix(PREFIX), task[module], task["vars"]["tenantry_option_names"]


@pytest.mark.parametrize("file", ["present", "absent"])
def test_platform_messages_name_the_variable_of_each_option(file: str) -> None:
    names = yaml.safe_load((ROLE / "vars/main.yml").read_text())["__platform_option_names"]
    unnamed = {"name", "title", "dispatch_namespace"}  # what a message names by its value
    used = {}
    for _module, arguments, _names in module_tasks(file):
        for option, value in arguments.items():
            variable = re.fullmatch(r"\{\{ (platform_\w+)( \| default\(omit\))? \}\}", str(value))
            if variable and option not in unnamed:
                used[option] = variable[1]
    assert used.items() <= names.items()
    assert file == "absent" or set(names) == set(used)


def test_platform_routes_accept_all_route_options() -> None:
    declared = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"][
        "platform_routes"
    ]["options"]
    assert set(declared) == {*ROUTE, *ROUTE["worker"]["aliases"]}


def test_platform_router_accepts_all_worker_options() -> None:
    declared = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"][
        "platform_router"
    ]["options"]
    passed = next(arguments for module, arguments, _names in module_tasks() if module == "worker")
    options = set(Worker.spec())
    assert set(declared) == options - PLATFORM_WIDE_OPTIONS
    assert set(passed) & options == options


def test_local_edge_environment_file_adds_esbuild_to_path(tmp_path: pathlib.Path) -> None:
    tasks = yaml.safe_load((ROLE.parent / "local_edge/tasks/started.yml").read_text())
    content = next(task["ansible.builtin.copy"]["content"] for task in tasks if "environment file" in task["name"])
    install = tmp_path / "it's here"
    (install / "bin").mkdir(parents=True)
    program = install / "bin/esbuild"
    program.write_text("#!/bin/sh")
    program.chmod(0o700)
    names = re.findall(r"\b(?:__)?local_edge_\w+", content)
    variables = {**dict.fromkeys(names, "x"), "__local_edge_install": str(install)}
    (tmp_path / "env").write_text(Templar(DataLoader(), variables=variables).template(trust(content)))
    script = f'. "{tmp_path}/env"; command -v esbuild; echo $CLOUDFLARE_ACCOUNT_ID'
    command = ["/bin/sh", "-c", script]
    found = subprocess.run(command, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == [str(program), "x"]
