# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Platforms of many tenants as lists of tasks, in the order of the role C(platform), and neighbors of another owner."""

from __future__ import annotations

import typing as t

from runs import Options, Task

NAMESPACE, METADATA, ZONE = "tenants", "Metadata", "example.com"
DATE = {"compatibility_date": "2026-11-01"}
KEY = {"fingerprint_key": "key-of-the-fingerprints-1"}
FOREIGN_KEYS = ["operator.example.com", "notes"]


def code(text: str) -> str:
    return f"export default {{ fetch: () => new Response('{text}') }};"


def tenant(number: int, version: int, prefix: str = "t") -> Options:
    """Return a tenant. Each fifth changes its code, vars, secret, host names or nothing from one version to the next.

    Tenants that change their host names exchange them in pairs.
    """
    kind, name = number % 5, f"{prefix}{number:03}"
    partner = number + 5 if number // 5 % 2 == 0 else number - 5
    host = f"{prefix}{partner if kind == 3 and version % 2 == 0 else number:03}"
    return {
        "name": name,
        "content": code(f"{name} {version if kind == 0 else 1}"),
        "vars": {"PLAN": f"plan-{version if kind == 1 else 1}"},
        "secrets": {"KEY": f"secret-of-{name}-{version if kind == 2 else 1}"},
        "hostnames": [f"{host}.{ZONE}", *([f"www.{name}.{ZONE}"] if number % 7 == 0 else [])],
    }


def fleet(tenants: t.Sequence[Options], owner: str = "mine", **options: t.Any) -> Task:
    return Task(
        "namespaced_workers",
        {
            "dispatch_namespace": NAMESPACE,
            "owner": owner,
            "defaults": DATE,
            "routing_kv": {"title": METADATA},
            "workers": tenants,
            **KEY,
            **options,
        },
    )


def foundation() -> list[Task]:
    return [Task("dispatch_namespace", {"name": NAMESPACE}), Task("kv_namespace", {"title": METADATA})]


def present(count: int, version: int, owner: str = "mine") -> list[Task]:
    """Return the tasks of a platform of tenants t000, t001 ..., with pruning."""
    return [
        *foundation(),
        fleet([tenant(number, version) for number in range(count)], owner, prune=True, prune_limit="100%"),
        Task(
            "worker",
            {
                "name": "router",
                "owner": owner,
                "content": code(f"router {version}"),
                "bindings": [
                    {"name": "TENANTS", "type": "dispatch_namespace", "namespace": NAMESPACE},
                    {"name": "METADATA", "type": "kv_namespace", "title": METADATA},
                ],
                **DATE,
            },
        ),
        Task("worker_routes", {"routes": [{"pattern": f"*.{ZONE}/*"}], "worker": "router", "zone": ZONE}),
    ]


def absent(owner: str = "mine") -> list[Task]:
    """Return the tasks that remove a platform, and both namespaces if nobody else uses them."""
    gone = {"dispatch_namespace": NAMESPACE, "owner": owner, "routing_kv": {"title": METADATA}, "state": "absent"}
    return [
        Task(
            "worker_routes",
            {"routes": [{"pattern": f"*.{ZONE}/*"}], "worker": "router", "zone": ZONE, "state": "absent"},
        ),
        Task("worker", {"name": "router", "owner": owner, "state": "absent"}),
        Task("namespaced_workers", gone),
        Task("kv_namespace", {"title": METADATA, "state": "absent", "force": True}, when="remaining.kv_keys"),
        Task("dispatch_namespace", {"name": NAMESPACE, "state": "absent"}, when="remaining.workers"),
    ]


def neighbors() -> list[Task]:
    """Return the tasks of another owner, and of an operator, in the same namespaces."""
    return [
        *foundation(),
        fleet([tenant(number, 1, prefix="n") for number in range(3)], owner="theirs"),
        Task("kv_entries", {"title": METADATA, "entries": [{"key": key, "value": "theirs"} for key in FOREIGN_KEYS]}),
        Task("worker", {"name": "shop", "content": code("shop"), **DATE}),
        Task("worker_route", {"pattern": f"shop.{ZONE}/*", "worker": "shop", "zone": ZONE}),
    ]
