# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All types of bindings, and in detail: analytics, rate limits and version metadata."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
from edge_process import ECHO, Edge, Platform, wait_until
from local_edge.model.binding_types import SCHEMAS
from local_edge.runtime.definition import BLOB_BINDINGS, SUPPORTED_BINDINGS

pytestmark = pytest.mark.integration

#: Values of required keys that are not plain text and refer to no object.
VALUES: dict[str, dict[str, Any]] = {
    "json": {"json": [1]},
    "ratelimit": {"simple": {"limit": 1, "period": 10}},
    "pipelines": {"pipeline": "p"},
    "vpc_network": {"tunnel_id": "t"},
    "secret_key": {
        "algorithm": {"name": "HMAC", "hash": "SHA-256"},
        "format": "raw",
        "usages": ["sign"],
        "key_base64": "c2VjcmV0",
    },
}
#: How to create the object that a binding refers to: path, key of the name, key of the reference.
PRODUCTS = {
    "kv_namespace": ("/storage/kv/namespaces", "title", "id"),
    "dispatch_namespace": ("/workers/dispatch/namespaces", "name", "namespace_name"),
    "r2_bucket": ("/r2/buckets", "name", "name"),
    "d1": ("/d1/database", "name", "uuid"),
    "queue": ("/queues", "queue_name", "queue_name"),
    "hyperdrive": ("/hyperdrive/configs", "name", "id"),
    "vectorize": ("/vectorize/v2/indexes", "name", "name"),
    "secrets_store_secret": ("/secrets_store/stores", "name", "id"),
    "mtls_certificate": ("/mtls_certificates", "name", "id"),
}
#: Bindings with tests of their own: service Worker scripts, Durable Objects, static assets.
ELSEWHERE = {*BLOB_BINDINGS, "durable_object_namespace", "assets"}


def example_binding(edge: Edge, label: str) -> dict[str, Any]:
    """Return a binding of a type, and create the object it refers to."""
    kind, values = SCHEMAS[label], dict(VALUES.get(label, {}))
    if label == "service":
        edge.deploy("target", ECHO)
        values["service"] = "target"
    elif label in PRODUCTS and kind.reference:
        path, key, shown = PRODUCTS[label]
        values[kind.reference.key] = edge.call("POST", path, json={key: f"thing-{uuid.uuid4().hex}"})[shown]
    return {"name": "B", "type": label, **{key: "x" for key in kind.required if key not in values}, **values}


@pytest.mark.parametrize("label", sorted(set(SCHEMAS) - ELSEWHERE))
def test_upload_each_binding_type_runs_or_is_refused(edge: Edge, label: str) -> None:
    answer = edge.upload(
        "w",
        "export default { fetch: (request, env) => new Response(typeof env.B) };",
        bindings=[example_binding(edge, label)],
    )
    if label in SUPPORTED_BINDINGS:
        assert answer.ok, answer.text
        edge.route("example.com/*", "w")
        assert edge.get("example.com").text in ("string", "object")
    else:
        error = answer.json()["errors"][0]
        assert error["code"] == 10021
        assert error["message"].startswith(
            f"binding B: the local edge does not support bindings of type {label}. It supports "
        )
        assert all(one in error["message"] for one in SUPPORTED_BINDINGS)


@pytest.mark.parametrize(
    ("kind", "content_type"), [("python", "text/x-python"), ("requirement", "text/x-python-requirement")]
)
def test_upload_unsupported_module_type_is_refused(edge: Edge, kind: str, content_type: str) -> None:
    error = edge.upload("w", ECHO, files={"worker.py": (content_type, "import js")}).json()["errors"][0]
    assert error["code"] == 10021
    assert error["message"].startswith(
        f"module 'worker.py': the local edge does not support {kind} modules. It supports JavaScript, "
    )


def data_points(edge: Edge, dataset: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = edge.session.get(
        edge.api.replace("/client/v4", f"/_edge/analytics?dataset={dataset}")
    ).json()["points"]
    return found


def dataset() -> str:
    """Provide a unique name of a dataset."""
    return uuid.uuid4().hex


def run_with_dataset(edge: Edge, name: str, code: str) -> Any:
    """Run code in a Worker with the dataset `a`."""
    return edge.evaluate(f"((a) => {code})(env.A)", {"name": "A", "type": "analytics_engine", "dataset": name})


def test_data_points_are_stored_with_time_and_worker(platform: Platform) -> None:
    name, edge = dataset(), platform.edge
    code = """export default { fetch: (request, env) => {
      env.A.writeDataPoint({ indexes: ["customer"], blobs: ["grüße", null, new TextEncoder().encode("bytes").buffer, 5], doubles: [1.5, "2", true] });
      env.A.writeDataPoint(); return new Response("written"); } };"""
    platform.deploy_tenant("a", code, bindings=[{"name": "A", "type": "analytics_engine", "dataset": name}])
    before = time.time()
    platform.get("a")
    wait_until(lambda: len(data_points(edge, name)) == 2)
    first, second = data_points(edge, name)
    assert first.pop("time") >= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(before))
    assert first == {
        "worker": "tenants/a",
        "indexes": ["customer"],
        "blobs": ["grüße", "", "bytes", "5"],
        "doubles": [1.5, 2, 1],
    }
    assert (second["indexes"], second["blobs"], second["doubles"]) == ([], [], [])
    assert data_points(edge, dataset()) == []
    response = edge.session.get(edge.api.replace("/client/v4", "/_edge/analytics"))
    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, 10004)


POINTS = {
    "a.writeDataPoint({ blobs: Array(21).fill('') })": "writeDataPoint(): Maximum of 20 blobs supported.",
    "a.writeDataPoint({ doubles: Array(21).fill(0) })": "writeDataPoint(): Maximum of 20 doubles supported.",
    "a.writeDataPoint({ indexes: ['a', 'b'] })": "writeDataPoint(): Maximum of 1 indexes supported.",
    "a.writeDataPoint({ indexes: ['ü'.repeat(49)] })": "writeDataPoint(): Size of indexes[0] exceeds 96 bytes).",
    "a.writeDataPoint({ blobs: Array(20).fill('x'.repeat(801)) })": "writeDataPoint(): Cumulative size of blobs exceeds 16000 bytes).",
    "a.writeDataPoint({ blobs: 'text' })": "Incorrect type for the 'blobs' field on 'AnalyticsEngineEvent': the provided value is not of type 'Array'.",
}


@pytest.mark.parametrize("code", POINTS)
def test_data_points_over_limit_are_refused(edge: Edge, code: str) -> None:
    name = dataset()
    assert run_with_dataset(edge, name, code) == ["TypeError", POINTS[code]]
    assert data_points(edge, name) == []


def test_data_points_at_limit_are_accepted_and_latest_1000_kept(edge: Edge) -> None:
    name = dataset()
    full = "{ indexes: ['ü'.repeat(48)], blobs: Array(20).fill('x'.repeat(800)), doubles: Array(20).fill(1e300) }"
    assert run_with_dataset(edge, name, f"typeof a.writeDataPoint({full})") == "undefined"
    wait_until(lambda: len(data_points(edge, name)) == 1)
    run_with_dataset(edge, name, "{ for (let n = 1; n <= 1200; n += 1) a.writeDataPoint({ doubles: [n] }); }")
    wait_until(lambda: data_points(edge, name)[-1]["doubles"] == [1200])
    assert [one["doubles"] for one in data_points(edge, name)] == [[n] for n in range(201, 1201)]


def run_with_rate_limit(edge: Edge, code: str, namespace: str, limit: int = 2, period: int = 60) -> Any:
    """Run code in a Worker with the rate limit `r`."""
    binding = {
        "name": "R",
        "type": "ratelimit",
        "namespace_id": namespace,
        "simple": {"limit": limit, "period": period},
    }
    return edge.evaluate(f"(async (r) => {code})(env.R)", binding)


def wait_for_window(period: int, needed: float) -> None:
    """Wait for the next window unless enough of the current one remains."""
    remaining = period - time.time() % period
    if remaining < needed:
        time.sleep(remaining + 0.05)


def test_rate_limit_counts_by_key_and_namespace(edge: Edge) -> None:
    one, other = dataset(), dataset()
    three = "[(await r.limit({ key: 'a' })).success, (await r.limit({ key: 'a' })).success, (await r.limit({ key: 'a' })).success]"
    wait_for_window(60, 20)
    assert run_with_rate_limit(edge, three, one) == [True, True, False]
    assert run_with_rate_limit(edge, three, other) == [True, True, False]
    assert run_with_rate_limit(edge, "r.limit({ key: 'b' })", one) == {"success": True}
    assert run_with_rate_limit(edge, "r.limit({ key: 'a' })", one, limit=3) == {"success": True}, (
        "of another binding, with another limit: one count"
    )
    assert run_with_rate_limit(edge, "r.limit({ key: 'a' })", one, limit=3) == {"success": False}


def test_rate_limit_new_window_resets_count(edge: Edge) -> None:
    namespace = dataset()
    wait_for_window(10, 6)
    assert [run_with_rate_limit(edge, "r.limit({ key: 'a' })", namespace, 1, 10)["success"] for _time in range(2)] == [
        True,
        False,
    ]
    time.sleep(10 - time.time() % 10 + 0.05)
    assert edge.get("evaluating.example.com").json() == {"success": True}


RATES = {
    "r.limit()": "invalid rate limit options",
    "r.limit({ key: 'a', keys: 1 })": "bad rate limit options: [keys]",
    "r.limit({ key: 5 })": "invalid key: 5",
    "r.limit({ key: 'a', period: 30 })": "unsupported period: 30",
}


@pytest.mark.parametrize("code", RATES)
def test_rate_limit_invalid_argument_raises(edge: Edge, code: str) -> None:
    assert run_with_rate_limit(edge, code, dataset()) == ["Error", RATES[code]]


def test_version_metadata_contains_version_and_tag(edge: Edge) -> None:
    code = "export default { fetch: (request, env) => Response.json(env.V) };"
    binding = [{"name": "V", "type": "version_metadata"}]
    first = edge.deploy("w", code, bindings=binding, annotations={"workers/tag": "v1", "workers/message": "first"})
    edge.route("example.com/*", "w")
    shown = edge.call("GET", "/workers/scripts/w/versions")["items"][0]
    assert edge.get("example.com").json() == {
        "id": shown["id"],
        "tag": "v1",
        "timestamp": shown["metadata"]["created_on"],
    }
    assert uuid.UUID(shown["id"]).hex == first["deployment_id"]
    edge.deploy("w", code + " // changed", bindings=binding)
    second = edge.get("example.com").json()
    assert (second["id"] != shown["id"], second["tag"]) == (True, "")
    edge.call(
        "POST",
        "/workers/scripts/w/deployments",
        json={"strategy": "percentage", "versions": [{"version_id": shown["id"], "percentage": 100}]},
    )
    assert edge.get("example.com").json()["id"] == shown["id"]
    edge.call("PUT", "/workers/scripts/w/tags", json=["plan-pro"])
    assert edge.get("example.com").json()["id"] == shown["id"], "changing tags creates no version"


def test_version_metadata_of_tenant_contains_deployment(platform: Platform) -> None:
    code = "import { env } from 'cloudflare:workers'; const { tag } = env.V; export default { fetch: (request, env) => Response.json({ ...env.V, tag }) };"
    binding = [{"name": "V", "type": "version_metadata"}]
    versions = []
    for _upload in range(2):
        deployed = platform.deploy_tenant("a", code, bindings=binding)
        platform.edge.call(
            "PUT", f"/workers/dispatch/namespaces/{platform.namespace}/scripts/a/tags", json=["plan-pro"]
        )
        versions.append(platform.get("a").json())
        assert (uuid.UUID(versions[-1]["id"]).hex, versions[-1]["timestamp"]) == (
            deployed["deployment_id"],
            deployed["modified_on"],
        )
        assert versions[-1]["tag"] == ""
    assert versions[0]["id"] != versions[1]["id"]
