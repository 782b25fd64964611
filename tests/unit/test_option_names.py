# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of modules name the variables of the role that runs them."""

from __future__ import annotations

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._option_names import (
    OPTION_NAMES,
    rename_options,
)
from harness import Runner

NAMES = {
    "prune": "platform_prune",
    "prune_limit": "platform_prune_limit",
    "zone": "platform_zone",
    "path": "platform_router.path",
    "owner": "platform_owner",
    "account_id": "platform_account_id",
}


@pytest.mark.parametrize(
    ("message", "renamed"),
    [
        ("prune: more than prune_limit (10%).", "platform_prune: more than platform_prune_limit (10%)."),
        ("Set prune_limit: 50%.", "Set platform_prune_limit: 50%."),
        (
            "1 of 2 failed. a: zone: there is no zone 'x': add it.",
            "1 of 2 failed. a: platform_zone: there is no zone 'x': add it.",
        ),
        (
            "path: file a.js does not exist. Correct the path: b.",
            "platform_router.path: file a.js does not exist. Correct the path: b.",
        ),
        (
            "[GET /accounts/account_id/x, zone_id, my_account_id]",
            "[GET /accounts/account_id/x, zone_id, my_account_id]",
        ),
        ("the owner is 'prune_limit'", "the owner is 'prune_limit'"),
    ],
)
def test_rename_options_replaces_only_names_of_options(message: str, renamed: str) -> None:
    assert rename_options(message, NAMES) == renamed
    assert rename_options(message, {}) == message


def test_module_of_role_names_variables_in_failures_and_warnings(run: Runner) -> None:
    names = {"max_failures": "platform_max_failures", "route_patterns": "platform_routes", "hostnames": "hosts"}
    run.ok("dispatch_namespace", name="tenants")
    workers = [
        {
            "name": "a",
            "hostnames": ["a.example.com"],
            "compatibility_date": "2026-11-01",
            "content": "export default {}",
        },
        {"name": "b", "compatibility_date": "tomorrow"},
    ]
    task = {"dispatch_namespace": "tenants", "workers": workers, "route_patterns": ["b.example.com/*"]}
    aborted = run("namespaced_workers", **task, max_failures=0, **{OPTION_NAMES: names})
    assert "more than platform_max_failures (0) failed" in aborted["msg"] and aborted["aborted"]
    assert OPTION_NAMES not in str(aborted)
    assert "hosts: a.example.com is covered by no route" in str(aborted["warnings"])
    refused = run.refused("namespaced_workers", **task, max_failures=-1, **{OPTION_NAMES: names})
    assert refused.startswith("platform_max_failures is -1")
