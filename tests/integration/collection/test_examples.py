# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples on the modules' pages run as they stand, and do nothing the second time but for what they remove."""

from __future__ import annotations

import ast
import typing as t

import pytest
import yaml
from plays import REPOSITORY, AnsibleProject

MODULES = sorted((REPOSITORY / "plugins" / "modules").glob("*.py"))


def examples(name: str) -> list[dict[str, t.Any]]:
    """Read the examples of a module."""
    tree = ast.parse((REPOSITORY / "plugins" / "modules" / f"{name}.py").read_text())
    texts = {node.targets[0].id: node.value.value for node in tree.body if isinstance(node, ast.Assign)}  # type: ignore[attr-defined]
    return t.cast("list[dict[str, t.Any]]", yaml.safe_load(texts["EXAMPLES"]))


def removes(task: dict[str, t.Any]) -> bool:
    return any(
        isinstance(options, dict) and (options.get("state") == "absent" or {"id", "new_name", "prune"} & set(options))
        for options in task.values()
    )


@pytest.mark.parametrize("module", [file.stem for file in MODULES])
def test_the_examples_of(project: AnsibleProject, module: str) -> None:
    tasks = examples(module)
    lasting = [task for task in tasks if not removes(task)]
    assert lasting and any(f"tenantry.cloudflare_workers.{module}" in task for task in lasting)
    project.play(tasks).ok()
    project.edge.wipe()
    project.play(lasting).ok()
    if module != "api":
        # One that holds a secret has its value compared by a key.
        assert project.play(lasting).ok().changed == 0
