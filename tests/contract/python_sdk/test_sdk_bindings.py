# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All types of bindings of the official Python SDK, uploaded and read back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import sdk_client
from cloudflare import Cloudflare
from cloudflare.types.workers_for_platforms.dispatch.namespaces import script_update_params
from local_edge.testing import Edge
from sdk_client import Place, metadata, module

#: Additional keys of a binding, by type.
FREE: dict[str, dict[str, Any]] = {
    "ai": {},
    "browser": {},
    "images": {},
    "media": {},
    "version_metadata": {},
    "ai_search": {"instance_name": "docs", "namespace": "default"},
    "ai_search_namespace": {"namespace": "default"},
    "messaging": {"namespace": "default"},
    "artifacts": {"namespace": "default"},
    "analytics_engine": {"dataset": "visits"},
    "dispatch_namespace": {
        "namespace": "prod",
        "outbound": {"worker": {"service": "egress", "environment": "production"}, "params": [{"name": "customer"}]},
    },
    "durable_object_namespace": {"class_name": "Room", "script_name": "egress"},
    "service": {"service": "egress", "entrypoint": "Admin"},
    "json": {"json": [1, {"deep": None}]},
    "plain_text": {"text": ""},
    "secret_text": {"text": "never shown"},
    "secret_key": {
        "algorithm": {"name": "HMAC", "hash": "SHA-256"},
        "format": "raw",
        "usages": ["sign", "verify"],
        "key_base64": "bmV2ZXI=",
    },
    "pipelines": {"pipeline": "clicks"},
    "k2": {"stream": "clicks"},
    "ratelimit": {"namespace_id": "1001", "simple": {"limit": 10, "period": 60}},
    "send_email": {"destination_address": "desk@example.com"},
    "flagship": {"app_id": "app"},
    "workflow": {"workflow_name": "orders"},
    "vpc_service": {"service_id": "service"},
    "vpc_network": {"network_id": "cf1:network"},
    "wasm_module": {"part": "index.js"},
    "text_blob": {"part": "index.js"},
    "data_blob": {"part": "index.js"},
}
#: Types whose targets a fixture creates.
BOUND = (
    "kv_namespace",
    "r2_bucket",
    "d1",
    "queue",
    "hyperdrive",
    "vectorize",
    "mtls_certificate",
    "secrets_store_secret",
)
#: `assets` needs static assets and `inherit` stands for another type. Both are tested with uploads.
ELSEWHERE = ("assets", "inherit")
#: Write-only keys.
UNREAD = ("key_base64",)


@pytest.fixture(name="sdk", scope="module")
def _sdk(edge: Edge) -> Iterator[Cloudflare]:
    """Provide the SDK and an account with a namespace and a Worker as binding targets."""
    with sdk_client.client(edge) as sdk:
        sdk.workers_for_platforms.dispatch.namespaces.create(account_id=edge.account, name="prod")
        rooms = {"new_tag": "v1", "new_sqlite_classes": ["Room"]}
        sdk.workers.scripts.update(
            "egress", account_id=edge.account, metadata=metadata(migrations=rooms), files=[module()]
        )
        yield sdk


@pytest.fixture(name="bindings", scope="module")
def _bindings(edge: Edge, sdk: Cloudflare) -> list[dict[str, Any]]:
    """Provide one binding of every type."""
    at: Place = {"account_id": edge.account}
    origin: Any = {
        "scheme": "postgres",
        "host": "db.example.com",
        "port": 5432,
        "database": "main",
        "user": "edge",
        "password": "never shown",
    }
    made: list[Any] = [
        sdk.kv.namespaces.create(**at, title="data"),
        sdk.r2.buckets.create(**at, name="files"),
        sdk.d1.database.create(**at, name="orders"),
        sdk.queues.create(**at, queue_name="mails"),
        sdk.hyperdrive.configs.create(**at, name="main", origin=origin),
        sdk.vectorize.indexes.create(**at, name="texts", config={"dimensions": 32, "metric": "cosine"}),
        sdk.mtls_certificates.create(**at, name="client", ca=False, certificates="-----BEGIN CERTIFICATE-----"),
        sdk.secrets_store.stores.create(**at, name="default"),
    ]
    keys = (
        "namespace_id",
        "bucket_name",
        "database_id",
        "queue_name",
        "id",
        "index_name",
        "certificate_id",
        "store_id",
    )
    idents = ("id", "name", "uuid", "queue_name", "id", "name", "id", "id")
    bound = {kind: {key: getattr(one, ident)} for kind, key, ident, one in zip(BOUND, keys, idents, made, strict=True)}
    bound["secrets_store_secret"]["secret_name"] = "any"
    (rooms,) = sdk.durable_objects.namespaces.list(**at)
    bound["durable_object_namespace"] = {**FREE["durable_object_namespace"], "namespace_id": rooms.id}
    return [{"name": f"B_{kind}", "type": kind, **rest} for kind, rest in {**FREE, **bound}.items()]


def readable(binding: dict[str, Any]) -> dict[str, Any]:
    """Return the readable part of a binding."""
    secret = ("text",) if binding["type"] == "secret_text" else UNREAD
    more = {"id": binding["database_id"]} if binding["type"] == "d1" else {}
    return {**{key: value for key, value in binding.items() if key not in secret}, **more}


def test_binding_table_covers_every_type_of_sdk() -> None:
    shapes = [
        shape
        for name, shape in vars(script_update_params).items()
        if name.startswith("MetadataBindingWorkersBindingKind")
    ]
    types = {
        match[1]
        for shape in shapes
        if (match := re.search(r"Literal\['(\w+)'\]", str(getattr(shape, "__annotations__", {}).get("type"))))
    }
    assert types == {*FREE, *BOUND, *ELSEWHERE}


def test_namespaced_worker_all_bindings_are_read_back(
    edge: Edge, sdk: Cloudflare, bindings: list[dict[str, Any]]
) -> None:
    at: Place = {"account_id": edge.account, "dispatch_namespace": "prod"}
    sdk.workers_for_platforms.dispatch.namespaces.scripts.update(
        "all", **at, metadata=metadata(bindings=bindings), files=[module()]
    )
    found = sdk.workers_for_platforms.dispatch.namespaces.scripts.bindings.get("all", **at)
    assert sdk_client.shown(found) == {one["name"]: readable(one) for one in bindings}
    settings = sdk.workers_for_platforms.dispatch.namespaces.scripts.settings.get("all", **at)
    assert settings and sdk_client.shown(settings.bindings) == sdk_client.shown(found)


def test_account_worker_all_bindings_are_read_back(edge: Edge, sdk: Cloudflare, bindings: list[dict[str, Any]]) -> None:
    sdk.workers.scripts.update("all", account_id=edge.account, metadata=metadata(bindings=bindings), files=[module()])
    settings = sdk.workers.scripts.script_and_version_settings.get("all", account_id=edge.account)
    assert sdk_client.shown(settings.bindings) == {one["name"]: readable(one) for one in bindings}
