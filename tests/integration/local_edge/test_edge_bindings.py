# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A law over all types of bindings, and the smaller ones of them: data points, rate limits, what a Worker knows of its version."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
from edge_process import ECHO, Edge, Platform, wait_until
from local_edge.model.binding_types import SCHEMAS
from local_edge.runtime.definition import BLOB_BINDINGS, SUPPORTED_BINDINGS

pytestmark = pytest.mark.integration

#: What a binding has beside text in each of the keys that it must have, where what it points to need not be there.
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
#: Where what else a binding points to is made: path, the key of its name, and what the binding calls it.
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
#: Bindings that belong to more than an upload, and have tests of their own: scripts, Durable Objects, static assets.
ELSEWHERE = {*BLOB_BINDINGS, "durable_object_namespace", "assets"}


def example(edge: Edge, label: str) -> dict[str, Any]:
    """A binding of a type, with what it points to."""
    kind, given = SCHEMAS[label], dict(VALUES.get(label, {}))
    if label == "service":
        edge.deploy("target", ECHO)
        given["service"] = "target"
    elif label in PRODUCTS and kind.reference:
        path, key, shown = PRODUCTS[label]
        given[kind.reference.key] = edge.call("POST", path, json={key: f"thing-{uuid.uuid4().hex}"})[shown]
    return {"name": "B", "type": label, **{key: "x" for key in kind.required if key not in given}, **given}


@pytest.mark.parametrize("label", sorted(set(SCHEMAS) - ELSEWHERE))
def test_every_type_of_binding_is_run_or_refused_and_none_is_ignored(edge: Edge, label: str) -> None:
    answer = edge.upload(
        "w", "export default { fetch: (request, env) => new Response(typeof env.B) };", bindings=[example(edge, label)]
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
def test_modules_that_it_does_not_run_are_refused(edge: Edge, kind: str, content_type: str) -> None:
    error = edge.upload("w", ECHO, files={"worker.py": (content_type, "import js")}).json()["errors"][0]
    assert error["code"] == 10021
    assert error["message"].startswith(
        f"module 'worker.py': the local edge does not support {kind} modules. It supports JavaScript, "
    )


def points(edge: Edge, dataset: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = edge.session.get(
        edge.api.replace("/client/v4", f"/_edge/analytics?dataset={dataset}")
    ).json()["points"]
    return found


def dataset() -> str:
    """The name of a dataset of this test's own."""
    return uuid.uuid4().hex


def written(edge: Edge, name: str, code: str) -> Any:
    """What comes of this, `a` being a dataset."""
    return edge.evaluate(f"((a) => {code})(env.A)", {"name": "A", "type": "analytics_engine", "dataset": name})


def test_data_points_are_kept_with_their_time_and_worker(platform: Platform) -> None:
    name, edge = dataset(), platform.edge
    code = """export default { fetch: (request, env) => {
      env.A.writeDataPoint({ indexes: ["customer"], blobs: ["grüße", null, new TextEncoder().encode("bytes").buffer, 5], doubles: [1.5, "2", true] });
      env.A.writeDataPoint(); return new Response("written"); } };"""
    platform.deploy_tenant("a", code, bindings=[{"name": "A", "type": "analytics_engine", "dataset": name}])
    before = time.time()
    platform.get("a")
    wait_until(lambda: len(points(edge, name)) == 2)
    first, second = points(edge, name)
    assert first.pop("time") >= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(before))
    assert first == {
        "worker": "tenants/a",
        "indexes": ["customer"],
        "blobs": ["grüße", "", "bytes", "5"],
        "doubles": [1.5, 2, 1],
    }
    assert (second["indexes"], second["blobs"], second["doubles"]) == ([], [], [])
    assert points(edge, dataset()) == []
    asked = edge.session.get(edge.api.replace("/client/v4", "/_edge/analytics"))
    assert (asked.status_code, asked.json()["errors"][0]["code"]) == (400, 10004)


POINTS = {
    "a.writeDataPoint({ blobs: Array(21).fill('') })": "writeDataPoint(): Maximum of 20 blobs supported.",
    "a.writeDataPoint({ doubles: Array(21).fill(0) })": "writeDataPoint(): Maximum of 20 doubles supported.",
    "a.writeDataPoint({ indexes: ['a', 'b'] })": "writeDataPoint(): Maximum of 1 indexes supported.",
    "a.writeDataPoint({ indexes: ['ü'.repeat(49)] })": "writeDataPoint(): Size of indexes[0] exceeds 96 bytes).",
    "a.writeDataPoint({ blobs: Array(20).fill('x'.repeat(801)) })": "writeDataPoint(): Cumulative size of blobs exceeds 16000 bytes).",
    "a.writeDataPoint({ blobs: 'text' })": "Incorrect type for the 'blobs' field on 'AnalyticsEngineEvent': the provided value is not of type 'Array'.",
}


@pytest.mark.parametrize("code", POINTS)
def test_data_points_beyond_the_limits_are_refused(edge: Edge, code: str) -> None:
    name = dataset()
    assert written(edge, name, code) == ["TypeError", POINTS[code]]
    assert points(edge, name) == []


def test_data_points_at_the_limits_are_taken_and_the_latest_thousand_kept(edge: Edge) -> None:
    name = dataset()
    full = "{ indexes: ['ü'.repeat(48)], blobs: Array(20).fill('x'.repeat(800)), doubles: Array(20).fill(1e300) }"
    assert written(edge, name, f"typeof a.writeDataPoint({full})") == "undefined"
    wait_until(lambda: len(points(edge, name)) == 1)
    written(edge, name, "{ for (let n = 1; n <= 1200; n += 1) a.writeDataPoint({ doubles: [n] }); }")
    wait_until(lambda: points(edge, name)[-1]["doubles"] == [1200])
    assert [one["doubles"] for one in points(edge, name)] == [[n] for n in range(201, 1201)]


def limited(edge: Edge, code: str, namespace: str, limit: int = 2, period: int = 60) -> Any:
    """What comes of this, `r` being a rate limit."""
    binding = {
        "name": "R",
        "type": "ratelimit",
        "namespace_id": namespace,
        "simple": {"limit": limit, "period": period},
    }
    return edge.evaluate(f"(async (r) => {code})(env.R)", binding)


def whole(period: int, needed: float) -> None:
    """Wait, if less is left of the window that is now."""
    left = period - time.time() % period
    if left < needed:
        time.sleep(left + 0.05)


def test_a_rate_limit_counts_by_key_and_namespace(edge: Edge) -> None:
    one, other = dataset(), dataset()
    three = "[(await r.limit({ key: 'a' })).success, (await r.limit({ key: 'a' })).success, (await r.limit({ key: 'a' })).success]"
    whole(60, 5)
    assert limited(edge, three, one) == [True, True, False]
    assert limited(edge, three, other) == [True, True, False]
    assert limited(edge, "r.limit({ key: 'b' })", one) == {"success": True}
    assert limited(edge, "r.limit({ key: 'a' })", one, limit=3) == {"success": True}, (
        "of another binding, with another limit: one count"
    )
    assert limited(edge, "r.limit({ key: 'a' })", one, limit=3) == {"success": False}


def test_a_rate_limit_begins_anew_with_each_window(edge: Edge) -> None:
    namespace = dataset()
    whole(10, 2)
    assert [limited(edge, "r.limit({ key: 'a' })", namespace, 1, 10)["success"] for _time in range(2)] == [True, False]
    time.sleep(10 - time.time() % 10 + 0.05)
    assert edge.get("evaluating.example.com").json() == {"success": True}


RATES = {
    "r.limit()": "invalid rate limit options",
    "r.limit({ key: 'a', keys: 1 })": "bad rate limit options: [keys]",
    "r.limit({ key: 5 })": "invalid key: 5",
    "r.limit({ key: 'a', period: 30 })": "unsupported period: 30",
}


@pytest.mark.parametrize("code", RATES)
def test_what_no_rate_limit_takes(edge: Edge, code: str) -> None:
    assert limited(edge, code, dataset()) == ["Error", RATES[code]]


def test_a_worker_knows_its_version_and_its_tag(edge: Edge) -> None:
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
    assert edge.get("example.com").json()["id"] == shown["id"], "tags make no version"


def test_a_tenant_knows_the_deployment_that_its_upload_was(platform: Platform) -> None:
    code = "import { env } from 'cloudflare:workers'; const { tag } = env.V; export default { fetch: (request, env) => Response.json({ ...env.V, tag }) };"
    binding = [{"name": "V", "type": "version_metadata"}]
    seen = []
    for _upload in range(2):
        deployed = platform.deploy_tenant("a", code, bindings=binding)
        platform.edge.call(
            "PUT", f"/workers/dispatch/namespaces/{platform.namespace}/scripts/a/tags", json=["plan-pro"]
        )
        seen.append(platform.get("a").json())
        assert (uuid.UUID(seen[-1]["id"]).hex, seen[-1]["timestamp"]) == (
            deployed["deployment_id"],
            deployed["modified_on"],
        )
        assert seen[-1]["tag"] == ""
    assert seen[0]["id"] != seen[1]["id"]
