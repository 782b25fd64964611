# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check mode warns of every object that a task refers to and that does not exist, and predicts the change anyway."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.references import (
    BINDING_REFERENCES,
)
from harness import Runner
from local_edge.testing import Edge
from tenant import CODE, NAMESPACE

ID = "0f2ac74b498b48028cb68387c421e279"
UUID = "0f2ac74b-498b-4802-8cb6-8387c421e279"
UNLESS = " A run fails without it, unless an earlier task creates it."
WORKER: dict[str, t.Any] = {"content": CODE, "compatibility_date": "2026-11-01"}
Case = tuple[dict[str, t.Any], str, str]
# Name of the case: the binding without its name, a part of the warning, and the listing below the account.
BINDINGS: dict[str, Case] = {
    "service": ({"type": "service", "service": "nobody"}, "There is no Worker 'nobody'", "workers/scripts"),
    "durable_object_namespace": (
        {"type": "durable_object_namespace", "class_name": "Room", "script_name": "nobody"},
        "There is no Worker 'nobody'",
        "workers/scripts",
    ),
    "workflow": (
        {"type": "workflow", "workflow_name": "w", "class_name": "W", "script_name": "nobody"},
        "There is no Worker 'nobody'",
        "workers/scripts",
    ),
    "dispatch_namespace": (
        {"type": "dispatch_namespace", "namespace": "nowhere"},
        "There is no dispatch namespace 'nowhere'",
        "workers/dispatch/namespaces",
    ),
    "outbound": (
        {"type": "dispatch_namespace", "namespace": "tenants", "outbound": {"worker": {"service": "nobody"}}},
        "There is no Worker 'nobody'",
        "workers/scripts",
    ),
    "kv_namespace": (
        {"type": "kv_namespace", "namespace_id": ID},
        f"There is no KV namespace with the id {ID}",
        "storage/kv/namespaces",
    ),
    "title": (
        {"type": "kv_namespace", "title": "Nothing"},
        "There is no KV namespace titled 'Nothing'",
        "storage/kv/namespaces",
    ),
    "d1": ({"type": "d1", "database_id": UUID}, f"There is no D1 database with the id '{UUID}'", "d1/database"),
    "database_name": (
        {"type": "d1", "database_name": "nothing"},
        "There is no D1 database named 'nothing'",
        "d1/database",
    ),
    "r2_bucket": ({"type": "r2_bucket", "bucket_name": "nothing"}, "There is no R2 bucket 'nothing'", "r2/buckets"),
    "jurisdiction": (
        {"type": "r2_bucket", "bucket_name": "nothing", "jurisdiction": "eu"},
        "There is no R2 bucket 'nothing'",
        "r2/buckets",
    ),
    "queue": ({"type": "queue", "queue_name": "nothing"}, "There is no queue 'nothing'", "queues"),
    "hyperdrive": (
        {"type": "hyperdrive", "id": ID},
        f"There is no Hyperdrive configuration with the id '{ID}'",
        "hyperdrive/configs",
    ),
    "vectorize": (
        {"type": "vectorize", "index_name": "nothing"},
        "There is no Vectorize index 'nothing'",
        "vectorize/v2/indexes",
    ),
    "secrets_store_secret": (
        {"type": "secrets_store_secret", "store_id": ID, "secret_name": "s"},
        f"There is no Secrets Store with the id '{ID}'",
        "secrets_store/stores",
    ),
    "mtls_certificate": (
        {"type": "mtls_certificate", "certificate_id": ID},
        f"There is no mTLS certificate with the id '{ID}'",
        "mtls_certificates",
    ),
}
# The edge does not check these references.
UNCHECKED = ("durable_object_namespace", "workflow")


@pytest.fixture(autouse=True)
def _platform(run: Runner) -> None:
    run.ok("dispatch_namespace", name="tenants")


def listings(edge: Edge) -> list[str]:
    """Return the listings that were requested, as paths below the account."""
    return [seen["path"].partition(f"{edge.account}/")[2] for seen in edge.requests() if not seen["write"]]


def test_references_of_all_binding_types_have_a_case() -> None:
    assert set(BINDING_REFERENCES) <= set(BINDINGS)


@pytest.mark.parametrize("case", BINDINGS)
def test_binding_to_missing_object_is_predicted_with_warning(run: Runner, edge: Edge, case: str) -> None:
    binding, message, listing = BINDINGS[case]
    task = {"name": "router", **WORKER, "bindings": [{"name": "THING", **binding}]}
    edge.clear()
    predicted = run.ok("worker", check=True, **task)
    assert predicted["changed"] and edge.writes() == []
    (warning,) = predicted["warnings"]
    assert warning.startswith(message) and warning.endswith(UNLESS)
    requested = listings(edge)
    assert requested.count(listing) == 1 and len(requested) == len(set(requested)) <= 2
    if case not in UNCHECKED:
        assert run("worker", **task)["failed"]


CREATED: dict[str, tuple[str, dict[str, t.Any], t.Callable[[t.Any], dict[str, t.Any]]]] = {
    "queue": ("queues", {"queue_name": "q"}, lambda made: {"type": "queue", "queue_name": "q"}),
    "r2_bucket": ("r2/buckets", {"name": "bucket"}, lambda made: {"type": "r2_bucket", "bucket_name": "bucket"}),
    "d1": ("d1/database", {"name": "d"}, lambda made: {"type": "d1", "database_id": made["uuid"]}),
    "kv_namespace": (
        "storage/kv/namespaces",
        {"title": "T"},
        lambda made: {"type": "kv_namespace", "namespace_id": made["id"]},
    ),
    "hyperdrive": ("hyperdrive/configs", {"name": "h"}, lambda made: {"type": "hyperdrive", "id": made["id"]}),
    "dispatch_namespace": (
        "workers/dispatch/namespaces",
        {"name": "n"},
        lambda made: {"type": "dispatch_namespace", "namespace": "n"},
    ),
}


@pytest.mark.parametrize("case", CREATED)
def test_binding_to_existing_object_is_predicted_without_warning(run: Runner, edge: Edge, case: str) -> None:
    path, body, binding = CREATED[case]
    made = run.ok("api", method="POST", path=f"/accounts/{edge.account}/{path}", body=body)["api"]
    task = {"name": "router", **WORKER, "bindings": [{"name": "THING", **binding(made)}]}
    assert run.ok("worker", check=True, **task)["warnings"] == []
    run.ok("worker", **task)
    edge.clear()
    again = run.ok("worker", check=True, **task)
    assert not again["changed"] and listings(edge) == ["workers/scripts"], "an unchanged Worker costs no lookup"


def test_binding_lookup_without_permission_warns_of_nothing(run: Runner, edge: Edge) -> None:
    edge.fault(method="GET", path=".*/queues.*", status=403, code=10000, message="no", times=9)
    task = {"name": "router", **WORKER, "bindings": [{"name": "Q", "type": "queue", "queue_name": "nothing"}]}
    predicted = run.ok("worker", check=True, **task)
    assert predicted["changed"] and predicted["warnings"] == []


def test_tail_consumer_that_is_missing_is_warned_of(run: Runner) -> None:
    tails = [{"service": "nobody"}, {"service": "tail", "namespace": "tenants"}]
    for option in ("tail_consumers", "streaming_tail_consumers"):
        (warning,) = run.ok("worker", check=True, name="router", **WORKER, **{option: tails})["warnings"]
        assert warning.startswith("There is no Worker 'nobody'")


def test_missing_references_of_many_workers_are_listed_once(run: Runner, edge: Edge) -> None:
    shared = [
        {"name": "A", "type": "queue", "queue_name": "nothing"},
        {"name": "B", "type": "service", "service": "r"},
    ]
    own = [{"name": "DATA", "type": "r2_bucket", "bucket_name": f"bucket-{number}"} for number in range(12)]
    fleet = [{"name": f"t{number}", **WORKER, "bindings": [*shared, one]} for number, one in enumerate(own)]
    edge.clear()
    predicted = run.ok("namespaced_workers", check=True, **NAMESPACE, workers=fleet)
    assert predicted["summary"]["changed"] == 12
    assert len([path for path in listings(edge) if "/scripts" not in path or path == "workers/scripts"]) == 3
    assert predicted["warnings"][0].startswith("There is no queue 'nothing'")
    assert len(predicted["warnings"]) == 11 and predicted["warnings"][-1] == "4 further objects do not exist."
    nowhere = {**NAMESPACE, "dispatch_namespace": "nowhere", "workers": [{"name": "a", **WORKER}]}
    (warning,) = run.ok("namespaced_workers", check=True, **nowhere)["warnings"]
    assert warning.startswith("There is no dispatch namespace 'nowhere': create it first") and warning.endswith(UNLESS)


MISSING_PARENTS: dict[str, tuple[dict[str, t.Any], str]] = {
    "worker_route": ({"pattern": "a.example.com/*", "worker": "nobody"}, "There is no Worker 'nobody'"),
    "worker_domain": ({"hostname": "a.example.com", "worker": "nobody"}, "There is no Worker 'nobody'"),
    "worker_schedule": ({"worker": "nobody", "crons": ["* * * * *"]}, "There is no Worker 'nobody'"),
    "worker_secrets": ({"name": "nobody", "secrets": {"KEY": "hush-hush"}}, "There is no Worker 'nobody'"),
    "dns_record": (
        {"name": "a.nowhere.org", "type": "A", "content": "192.0.2.1"},
        "zone: no zone fits A record 'a.nowhere.org'",
    ),
    "custom_hostname": (
        {"hostname": "a.example.org", "zone": "nowhere.org", "ssl": {"method": "http"}},
        "zone: there is no zone 'nowhere.org'",
    ),
    "kv_entries": (
        {"title": "Nothing", "entries": [{"key": "a", "value": "b"}]},
        "There is no KV namespace titled 'Nothing'",
    ),
    "namespaced_worker": (
        {"dispatch_namespace": "nowhere", "name": "a", **WORKER},
        "There is no dispatch namespace 'nowhere'",
    ),
}


@pytest.mark.parametrize("module", MISSING_PARENTS)
def test_object_with_missing_parent_is_predicted_with_warning(run: Runner, module: str) -> None:
    options, message = MISSING_PARENTS[module]
    predicted = run.ok(module, check=True, **options)
    (warning,) = [text for text in predicted["warnings"] if text.endswith(UNLESS)]
    assert predicted["changed"] and message in warning
    assert run(module, **options)["failed"]
    absent = run.ok(module, check=True, **options, state="absent")
    assert not absent["changed"] and UNLESS not in str(absent["warnings"])


def test_routes_to_missing_worker_and_zone_are_predicted_with_warnings(run: Runner, edge: Edge) -> None:
    routes = [{"pattern": f"{letter}.example.com/*"} for letter in "ab"] + [{"pattern": "a.nowhere.org/*"}]
    edge.clear()
    predicted = run.ok("worker_routes", check=True, worker="nobody", routes=routes)
    assert predicted["summary"]["changed"] == 3 and listings(edge).count("workers/scripts") == 1
    assert [warning.partition(":")[0] for warning in predicted["warnings"]] == ["There is no Worker 'nobody'", "zone"]
