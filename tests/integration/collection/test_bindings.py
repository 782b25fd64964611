# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tenant with all bindings that the local edge runs, deployed by one playbook and used in one request."""

from __future__ import annotations

import base64
import hashlib
import hmac
import typing as t

from edge_process import wait_until
from plays import AnsibleProject

PREFIX = "tenantry.cloudflare_workers."
DATE = {"compatibility_date": "2026-11-01"}
COUNTER = """
import { DurableObject } from "cloudflare:workers";
export class Counter extends DurableObject {
  async add(n) {
    const total = n + ((await this.ctx.storage.get("total")) ?? 0);
    await this.ctx.storage.put("total", total);
    return total;
  }
}
export default { fetch: () => new Response("objects") };
"""
BACKEND = """
import { WorkerEntrypoint } from "cloudflare:workers";
export class Greeter extends WorkerEntrypoint { greet(name) { return `${this.ctx.props.greeting} ${name}`; } }
export default { fetch: () => new Response("backend") };
"""
EGRESS = """
import { WorkerEntrypoint } from "cloudflare:workers";
export class Out extends WorkerEntrypoint { fetch() { return new Response(`for ${this.env.customer}`); } }
export default { fetch: () => new Response("not this one") };
"""
TENANT = """
const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
export default { async fetch(request, env) {
  await env.FILES.put("a", "in the bucket");
  await env.JOBS.send({ job: 1 });
  env.POINTS.writeDataPoint({ indexes: ["customer-a"], doubles: [1] });
  return Response.json({
    text: env.PLAN, json: env.CONFIG.seats, kv: await env.DATA.get("greeting"), r2: await (await env.FILES.get("a")).text(),
    d1: (await env.DB.prepare("select 40 + 2 as answer").first()).answer, object: await env.COUNTERS.getByName("a").add(5),
    service: await env.GREETER.greet("a"), limits: [(await env.LIMIT.limit({ key: "a" })).success, (await env.LIMIT.limit({ key: "a" })).success],
    version: typeof env.VERSION.id, signed: hex(await crypto.subtle.sign("HMAC", env.SIGNING, new TextEncoder().encode("text"))),
    out: await (await fetch("https://elsewhere.test/")).text(),
  });
} };
"""
ROUTER = """
export default { async fetch(request, env) {
  return env.TENANTS.get("customer-a", {}, { outbound: { customer: "customer-a" } }).fetch(request);
} };
"""
KEY = "{{ signing_key }}"

BOUND = [
    {"name": "CONFIG", "type": "json", "json": {"seats": 5}},
    {"name": "DATA", "type": "kv_namespace", "title": "Tenant Data"},
    {"name": "FILES", "type": "r2_bucket", "bucket_name": "tenant-files"},
    {"name": "DB", "type": "d1", "database_name": "tenant-a"},
    {"name": "JOBS", "type": "queue", "queue_name": "jobs", "delivery_delay": 0},
    {"name": "COUNTERS", "type": "durable_object_namespace", "class_name": "Counter", "script_name": "objects"},
    {
        "name": "GREETER",
        "type": "service",
        "service": "backend",
        "entrypoint": "Greeter",
        "props": {"greeting": "hello"},
    },
    {"name": "LIMIT", "type": "ratelimit", "namespace_id": 1001, "simple": {"limit": 1, "period": 60}},
    {"name": "POINTS", "type": "analytics_engine", "dataset": "tenant-points"},
    {"name": "VERSION", "type": "version_metadata"},
]


def task(module: str, **options: t.Any) -> dict[str, t.Any]:
    return {"name": module, PREFIX + module: options}


def create_product(product: str, **body: t.Any) -> dict[str, t.Any]:
    return task("api", method="POST", path=f"/accounts/{{account_id}}/{product}", body=body)


PRODUCTS = [
    create_product("r2/buckets", name="tenant-files"),
    create_product("d1/database", name="tenant-a"),
    create_product("queues", queue_name="jobs"),
]
IDEMPOTENT_TASKS = [
    task("dispatch_namespace", name="tenants"),
    task("kv_namespace", title="Tenant Data"),
    task("kv_entries", title="Tenant Data", entries=[{"key": "greeting", "value": "from KV"}]),
    task("worker", name="backend", content=BACKEND, **DATE),
    task("worker", name="egress", content=EGRESS, **DATE),
    task(
        "namespaced_worker",
        dispatch_namespace="tenants",
        name="customer-a",
        content=TENANT,
        bindings=BOUND,
        vars={"PLAN": "pro"},
        secrets={
            "SIGNING": {
                "algorithm": {"name": "HMAC", "hash": "SHA-256"},
                "format": "raw",
                "usages": ["sign"],
                "key_base64": KEY,
            }
        },
        fingerprint_key="fingerprint-key-1",
        **DATE,
    ),
    task(
        "worker",
        name="router",
        content=ROUTER,
        bindings=[
            {
                "name": "TENANTS",
                "type": "dispatch_namespace",
                "namespace": "tenants",
                "outbound": {"worker": {"service": "egress", "entrypoint": "Out"}, "params": [{"name": "customer"}]},
            }
        ],
        **DATE,
    ),
    task("worker_route", pattern="*.platform.localhost/*", worker="router"),
]


def test_tenant_all_bindings_are_usable_and_idempotent(project: AnsibleProject) -> None:
    edge, key = project.edge, b"hush-hush-signing-key"
    project.variable("signing_key", base64.b64encode(key).decode())
    edge.deploy("objects", COUNTER, migrations={"new_tag": "v1", "new_sqlite_classes": ["Counter"]})
    project.play([*PRODUCTS, *IDEMPOTENT_TASKS]).ok()
    result = edge.get("customer-a.platform.localhost").json()
    assert result == {
        "text": "pro",
        "json": 5,
        "kv": "from KV",
        "r2": "in the bucket",
        "d1": 42,
        "object": 5,
        "service": "hello a",
        "limits": [True, False],
        "version": "string",
        "signed": hmac.new(key, b"text", hashlib.sha256).hexdigest(),
        "out": "for customer-a",
    }
    queue = next(one["queue_id"] for one in edge.call("GET", "/queues"))
    wait_until(
        lambda: len(edge.call("POST", f"/queues/{queue}/messages/pull", json={"batch_size": 10})["messages"]) == 1
    )
    points = edge.api.replace("/client/v4", "/_edge/analytics?dataset=tenant-points")
    wait_until(lambda: [one["worker"] for one in edge.session.get(points).json()["points"]] == ["tenants/customer-a"])
    again = project.play(IDEMPOTENT_TASKS, "-vvv --diff").ok()
    assert again.changed == 0
    assert key.decode() not in again.stdout and base64.b64encode(key).decode() not in again.stdout
