# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Products that bindings refer to, with the official Python SDK, and Workers with such bindings."""

from __future__ import annotations

import base64

import cloudflare
import pytest
from cloudflare import Cloudflare
from sdk_client import Place, metadata, module


def bind(sdk: Cloudflare, at: Place, **binding: str) -> None:
    """Upload a Worker with a single binding."""
    sdk.workers.scripts.update("bound", **at, metadata=metadata(bindings=[{"name": "IT", **binding}]), files=[module()])


def upload_error_code(sdk: Cloudflare, at: Place, **binding: str) -> int | None:
    """Upload a Worker whose binding refers to a deleted object. Return the error code."""
    with pytest.raises(cloudflare.BadRequestError) as caught:
        bind(sdk, at, **binding)
    return caught.value.errors[0].code


def test_r2_bucket_create_list_get_delete(sdk: Cloudflare, at: Place) -> None:
    made = sdk.r2.buckets.create(**at, name="files", storage_class="InfrequentAccess", location_hint="weur")
    assert (made.name, made.storage_class, made.location) == ("files", "InfrequentAccess", "weur")
    assert sdk.r2.buckets.get("files", **at).to_dict() == made.to_dict()
    assert [one.name for one in sdk.r2.buckets.list(**at).buckets or []] == ["files"]
    with pytest.raises(cloudflare.ConflictError):
        sdk.r2.buckets.create(**at, name="files")
    assert sdk.r2.buckets.edit("files", **at, storage_class="Standard").storage_class == "Standard"
    bind(sdk, at, type="r2_bucket", bucket_name="files")
    sdk.r2.buckets.delete("files", **at)
    with pytest.raises(cloudflare.NotFoundError):
        sdk.r2.buckets.get("files", **at)
    assert upload_error_code(sdk, at, type="r2_bucket", bucket_name="files") == 10085


def test_d1_database_create_list_get_delete(sdk: Cloudflare, at: Place) -> None:
    made = sdk.d1.database.create(**at, name="orders")
    assert made.uuid
    assert sdk.d1.database.get(made.uuid, **at).to_dict() == made.to_dict()
    assert [one.uuid for one in sdk.d1.database.list(**at, name="orders")] == [made.uuid]
    bind(sdk, at, type="d1", database_id=made.uuid)
    sdk.d1.database.delete(made.uuid, **at)
    assert not list(sdk.d1.database.list(**at))
    assert upload_error_code(sdk, at, type="d1", database_id=made.uuid) == 10181


def test_queue_create_list_get_change_delete(sdk: Cloudflare, at: Place) -> None:
    made = sdk.queues.create(**at, queue_name="mails")
    assert made and made.queue_id
    found = sdk.queues.get(made.queue_id, **at)
    assert found and found.to_dict() == made.to_dict()
    assert [one.queue_name for one in sdk.queues.list(**at)] == ["mails"]
    paused = sdk.queues.edit(made.queue_id, **at, settings={"delivery_paused": True})
    assert paused and paused.settings and paused.settings.delivery_paused
    reset = sdk.queues.update(made.queue_id, **at, queue_name="mails", settings={"delivery_delay": 5})
    assert reset and reset.settings and (reset.settings.delivery_paused, reset.settings.delivery_delay) == (False, 5)
    bind(sdk, at, type="queue", queue_name="mails")
    bound = sdk.queues.get(made.queue_id, **at)
    assert bound and [producer.to_dict() for producer in bound.producers or []] == [
        {"script": "bound", "type": "worker"}
    ]
    sdk.queues.delete(made.queue_id, **at)
    assert not list(sdk.queues.list(**at))
    assert upload_error_code(sdk, at, type="queue", queue_name="mails") == 11000


def test_queue_messages_push_pull_ack(sdk: Cloudflare, at: Place) -> None:
    made = sdk.queues.create(**at, queue_name="orders")
    assert made and made.queue_id
    sdk.queues.messages.push(made.queue_id, **at, body="first", content_type="text")
    sdk.queues.messages.bulk_push(
        made.queue_id,
        **at,
        messages=[
            {"body": {"n": 2}, "content_type": "json"},
            {"body": "late", "content_type": "text", "delay_seconds": 60},
        ],
    )
    assert sdk.queues.get_metrics(made.queue_id, **at).backlog_count == 3
    pulled = sdk.queues.messages.pull(made.queue_id, **at, batch_size=10, visibility_timeout_ms=60_000)
    assert pulled and pulled.messages and pulled.message_backlog_count == 3
    first, second = pulled.messages
    assert (first.body, first.attempts, second.body) == ("first", 1, base64.b64encode(b'{"n":2}').decode())
    assert first.lease_id and second.lease_id
    done = sdk.queues.messages.ack(
        made.queue_id,
        **at,
        acks=[{"lease_id": first.lease_id}],
        retries=[{"lease_id": second.lease_id, "delay_seconds": 0}],
    )
    assert done and (done.ack_count, done.retry_count) == (1, 1)
    again = sdk.queues.messages.pull(made.queue_id, **at)
    assert again and [one.attempts for one in again.messages or []] == [2]
    assert not list(sdk.queues.consumers.list(made.queue_id, **at))
    with pytest.raises(cloudflare.BadRequestError, match="messages/pull"):
        sdk.queues.consumers.create(made.queue_id, **at, type="http_pull")
    sdk.queues.delete(made.queue_id, **at)


def test_hyperdrive_config_create_list_get_delete(sdk: Cloudflare, at: Place) -> None:
    made = sdk.hyperdrive.configs.create(
        **at,
        name="main",
        origin={
            "scheme": "postgres",
            "host": "db.example.com",
            "port": 5432,
            "database": "main",
            "user": "edge",
            "password": "never shown",
        },
    )
    found = sdk.hyperdrive.configs.get(made.id, **at)
    assert found.to_dict() == made.to_dict()
    assert (found.origin.database, found.caching.disabled) == ("main", False)
    assert "never" not in found.to_json()
    assert [one.name for one in sdk.hyperdrive.configs.list(**at)] == ["main"]
    bind(sdk, at, type="hyperdrive", id=made.id)
    sdk.hyperdrive.configs.delete(made.id, **at)
    assert not list(sdk.hyperdrive.configs.list(**at))
    assert upload_error_code(sdk, at, type="hyperdrive", id=made.id) == 10157


def test_vectorize_index_create_list_get_delete(sdk: Cloudflare, at: Place) -> None:
    made = sdk.vectorize.indexes.create(**at, name="texts", config={"dimensions": 32, "metric": "cosine"})
    found = sdk.vectorize.indexes.get("texts", **at)
    assert made and found and found.config
    assert found.to_dict() == made.to_dict()
    assert found.config.dimensions == 32
    assert [one.name for one in sdk.vectorize.indexes.list(**at)] == ["texts"]
    bind(sdk, at, type="vectorize", index_name="texts")
    sdk.vectorize.indexes.delete("texts", **at)
    assert not list(sdk.vectorize.indexes.list(**at))
    assert upload_error_code(sdk, at, type="vectorize", index_name="texts") == 10159


def test_secrets_store_create_list_get_delete(sdk: Cloudflare, at: Place) -> None:
    made = sdk.secrets_store.stores.create(**at, name="default")
    assert made
    found = sdk.secrets_store.stores.get(made.id, **at)
    assert found and found.to_dict() == made.to_dict()
    assert [one.name for one in sdk.secrets_store.stores.list(**at)] == ["default"]
    bind(sdk, at, type="secrets_store_secret", store_id=made.id, secret_name="any")
    sdk.secrets_store.stores.delete(made.id, **at)
    assert not list(sdk.secrets_store.stores.list(**at))
    assert upload_error_code(sdk, at, type="secrets_store_secret", store_id=made.id, secret_name="any") == 10182


def test_mtls_certificate_create_list_get_delete(sdk: Cloudflare, at: Place) -> None:
    made = sdk.mtls_certificates.create(
        **at, name="client", ca=False, certificates="-----BEGIN CERTIFICATE-----", private_key="never shown"
    )
    assert made and made.id
    found = sdk.mtls_certificates.get(made.id, **at)
    assert found and found.to_dict() == made.to_dict()
    assert "never" not in found.to_json()
    assert [one.name for one in sdk.mtls_certificates.list(**at)] == ["client"]
    bind(sdk, at, type="mtls_certificate", certificate_id=made.id)
    sdk.mtls_certificates.delete(made.id, **at)
    assert not list(sdk.mtls_certificates.list(**at))
    assert upload_error_code(sdk, at, type="mtls_certificate", certificate_id=made.id) == 100143
