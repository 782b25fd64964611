# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role passes on whatever its modules take."""

from __future__ import annotations

import pathlib

import yaml
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.namespaced_workers import (
    COMMON_OPTIONS,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker import Worker
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker_routes import ROUTE

ROLE = pathlib.Path(__file__).parents[2] / "roles/platform"
#: Said once for the whole platform, but for what the router may do otherwise.
PLATFORM_WIDE_OPTIONS = {*COMMON_OPTIONS} - {"update_secrets", "take_over", "allow_replace"}


def test_platform_routes_accept_all_route_options() -> None:
    declared = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"][
        "platform_routes"
    ]["options"]
    assert set(declared) == {*ROUTE, *ROUTE["worker"]["aliases"]}


def test_platform_router_accepts_all_worker_options() -> None:
    declared = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"][
        "platform_router"
    ]["options"]
    tasks = yaml.safe_load((ROLE / "tasks/present.yml").read_text())
    passed = next(task["tenantry.cloudflare_workers.worker"] for task in tasks if task["name"] == "Deploy the router")
    options = set(Worker.spec())
    assert set(declared) == options - PLATFORM_WIDE_OPTIONS
    assert set(passed) & options == options
