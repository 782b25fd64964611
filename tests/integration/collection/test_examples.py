# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of the module pages run unmodified, and are idempotent except for removals."""

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
def test_examples_of_module_run_and_are_idempotent(project: AnsibleProject, module: str) -> None:
    tasks = examples(module)
    idempotent = [task for task in tasks if not removes(task)]
    assert idempotent and any(f"tenantry.cloudflare_workers.{module}" in task for task in idempotent)
    project.play(tasks).ok()
    project.edge.wipe()
    project.play(idempotent).ok()
    if module != "api":
        # Examples with secrets set a fingerprint key, so that the values are compared.
        assert project.play(idempotent).ok().changed == 0
