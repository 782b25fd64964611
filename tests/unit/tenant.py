# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A user Worker for tests that change it: its options, the operations on it, and its state in the API."""

from __future__ import annotations

import typing as t

from harness import Runner
from local_edge.testing import Edge

CODE = "export default { fetch: () => new Response('one') };"
SECRET = "hush-hush-do-not-tell-1"
NAMESPACE: dict[str, t.Any] = {"dispatch_namespace": "tenants"}
WORKER: dict[str, t.Any] = {**NAMESPACE, "name": "a", "content": CODE, "compatibility_date": "2026-11-01"}
SCRIPT = "/accounts/{account}/workers/dispatch/namespaces/tenants/scripts/a"


def verbs(result: dict[str, t.Any]) -> list[str]:
    """Shorten operations to the method and the path below the Worker."""
    return [operation.split()[0] + " " + operation.rsplit("scripts/a", 1)[1] for operation in result["operations"]]


def get(run: Runner, edge: Edge, suffix: str = "") -> t.Any:
    return run.ok("api", path=SCRIPT.format(account=edge.account) + suffix)["api"]


def call(run: Runner, edge: Edge, method: str, suffix: str, **options: t.Any) -> t.Any:
    return run.ok("api", method=method, path=SCRIPT.format(account=edge.account) + suffix, **options)["api"]


def secret_names(run: Runner, edge: Edge) -> list[str]:
    return sorted(secret["name"] for secret in get(run, edge, "/secrets"))
