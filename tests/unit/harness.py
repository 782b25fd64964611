# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules run in this process, as direct execution runs them."""

from __future__ import annotations

import typing as t
import unittest.mock

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import PASS_VARS
from ansible_collections.tenantry.cloudflare_workers.plugins.action import api as action
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare import client
from local_edge.testing import Edge

Result = dict[str, t.Any]


class Runner:
    """Runs modules. Between two runs nothing is remembered, as between two tasks."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge

    def __call__(self, module: str, /, check: bool = False, diff: bool = True, **options: t.Any) -> Result:
        client.close_clients()
        variables = {"check_mode": check, "diff": diff, "inject_invocation": True, "module_name": module}
        internal = {f"_ansible_{name}": value for name, value in variables.items() if name in PASS_VARS}
        warnings: list[str] = []
        # ansible-core 2.19 and later shows a module's warnings in the controller's process instead of returning them.
        with unittest.mock.patch.object(AnsibleModule, "warn", lambda module, text: warnings.append(text)):
            result = action._run_main(module, {**options, **internal})
        return {**result, "warnings": warnings}

    def ok(self, module: str, /, **options: t.Any) -> Result:
        """Run a module that must not fail."""
        result = self(module, **options)
        assert not result.get("failed"), result["msg"]
        return result

    def refused(self, module: str, /, **options: t.Any) -> str:
        """Run a module that must fail before it writes anything, and return its message."""
        self.edge.clear()
        result = self(module, **options)
        assert result.get("failed"), result
        assert "bug" not in result["msg"], result
        assert self.edge.writes() == []
        return str(result["msg"])


def count_requests(run: Runner, edge: Edge, module: str, **options: t.Any) -> tuple[int, int]:
    """Run a module, and count its reads and its writes."""
    edge.clear()
    run.ok(module, **options)
    writes = len(edge.writes())
    return len(edge.requests()) - writes, writes
