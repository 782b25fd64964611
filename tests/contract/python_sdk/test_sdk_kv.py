# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers KV with the official Python SDK."""

from __future__ import annotations

import base64
import time
from typing import Any

import cloudflare
import pytest
from cloudflare import Cloudflare
from local_edge.testing import Edge
from sdk_client import Place, bare, metadata, module


@pytest.fixture(name="at")
def _at(edge: Edge, sdk: Cloudflare) -> Place:
    """Create a namespace and return its identifying arguments."""
    made = sdk.kv.namespaces.create(account_id=edge.account, title="data")
    assert made
    return {"account_id": edge.account, "namespace_id": made.id}


def stored(sdk: Cloudflare, at: Place) -> dict[str, bytes]:
    """Return all values by key."""
    return {key.name: sdk.kv.namespaces.values.get(key.name, **at).read() for key in sdk.kv.namespaces.keys.list(**at)}


def test_kv_namespace_create_update_list_delete(edge: Edge, sdk: Cloudflare, at: Place) -> None:
    assert sdk.kv.namespaces.update(**at, title="renamed").title == "renamed"
    found = sdk.kv.namespaces.get(**at)
    assert found
    assert (found.id, found.title, found.supports_url_encoding) == (at["namespace_id"], "renamed", True)
    with pytest.raises(cloudflare.BadRequestError) as taken:
        sdk.kv.namespaces.create(account_id=edge.account, title="renamed")
    assert taken.value.errors[0].code == 10014
    sdk.kv.namespaces.delete(**at)
    with pytest.raises(cloudflare.NotFoundError) as missing:
        sdk.kv.namespaces.get(**at)
    assert missing.value.errors[0].code == 10013


def test_kv_namespaces_list_several_pages(edge: Edge, sdk: Cloudflare) -> None:
    titles = [f"n{number:02}" for number in range(25)]
    for title in titles:
        sdk.kv.namespaces.create(account_id=edge.account, title=title)
    edge.clear()
    assert [one.title for one in sdk.kv.namespaces.list(account_id=edge.account, order="title", per_page=10)] == titles
    assert [
        one.title for one in sdk.kv.namespaces.list(account_id=edge.account, order="title", direction="desc")
    ] == titles[::-1]
    assert len(edge.requests()) == 7, "each listing ends with the empty page that tells the SDK to stop"


def test_kv_namespace_in_use_cannot_be_deleted(edge: Edge, sdk: Cloudflare, at: Place) -> None:
    sdk.workers.scripts.update(
        "router",
        account_id=edge.account,
        files=[module()],
        metadata=metadata(bindings=[{"name": "KV", "type": "kv_namespace", "namespace_id": at["namespace_id"]}]),
    )
    with pytest.raises(cloudflare.BadRequestError, match="namespace has associated scripts: router") as refused:
        sdk.kv.namespaces.delete(**at)
    assert refused.value.errors[0].code == 10052


@pytest.mark.parametrize("key", ["plain", "with/slash", "with space & ? # %", "ümläut/日本", "a=b:c"])
def test_kv_value_put_get_delete(sdk: Cloudflare, at: Place, key: str) -> None:
    until = int(time.time()) + 3600
    sdk.kv.namespaces.values.update(key, **at, value=b"\x00\xffbytes", metadata={"hash": "h"}, expiration=until)
    answer = sdk.kv.namespaces.values.get(key, **at)
    assert answer.read() == b"\x00\xffbytes"
    assert answer.headers["expiration"] == str(until)
    assert sdk.kv.namespaces.metadata.get(key, **at) == {"hash": "h"}
    (listed,) = sdk.kv.namespaces.keys.list(**at)
    assert (listed.name, listed.metadata, listed.expiration) == (key, {"hash": "h"}, until)
    sdk.kv.namespaces.values.delete(key, **at)
    with pytest.raises(cloudflare.NotFoundError) as missing:
        sdk.kv.namespaces.values.get(key, **at)
    assert missing.value.errors[0].code == 10009


def test_kv_value_put_again_replaces_metadata_and_expiration(sdk: Cloudflare, at: Place) -> None:
    sdk.kv.namespaces.values.update("k", **at, value=b"one", metadata={"a": 1}, expiration_ttl=3600)
    sdk.kv.namespaces.values.update("k", **at, value=b"two")
    (listed,) = sdk.kv.namespaces.keys.list(**at)
    assert listed.to_dict() == {"name": "k"}
    assert sdk.kv.namespaces.metadata.get("k", **at) is None
    assert stored(sdk, at) == {"k": b"two"}


def test_kv_keys_list_several_pages(edge: Edge, sdk: Cloudflare, at: Place) -> None:
    names = [f"{letter}/{number:03}" for letter in "ab" for number in range(60)]
    sdk.kv.namespaces.bulk_update(**at, body=[{"key": name, "value": name} for name in reversed(names)])
    edge.clear()
    assert [key.name for key in sdk.kv.namespaces.keys.list(**at, limit=50)] == names
    assert len(edge.requests()) == 3
    assert [key.name for key in sdk.kv.namespaces.keys.list(**at, limit=50, prefix="b/")] == names[60:]
    with pytest.raises(cloudflare.BadRequestError):
        sdk.kv.namespaces.keys.list(**at, cursor="never issued")


def test_kv_bulk_update_get_delete(sdk: Cloudflare, at: Place) -> None:
    pairs: Any = [
        {"key": "text", "value": "v", "metadata": {"a": 1}, "expiration_ttl": 600},
        {"key": "json", "value": '{"b": [2]}'},
        {"key": "bytes", "value": base64.b64encode(b"\x00\xff").decode(), "base64": True},
    ]
    written = sdk.kv.namespaces.bulk_update(**at, body=pairs)
    assert written
    assert (written.successful_key_count, written.unsuccessful_keys) == (3, [])
    assert stored(sdk, at) == {"bytes": b"\x00\xff", "json": b'{"b": [2]}', "text": b"v"}
    plain = sdk.kv.namespaces.bulk_get(**at, keys=["text", "json"])
    assert plain and plain.to_dict() == {"values": {"text": "v", "json": '{"b": [2]}'}}
    parsed = sdk.kv.namespaces.bulk_get(**at, keys=["json"], type="json")
    assert parsed and parsed.to_dict() == {"values": {"json": {"b": [2]}}}
    answer = sdk.kv.namespaces.bulk_get(**at, keys=["text", "none"], with_metadata=True)
    full: Any = answer and answer.to_dict()["values"]
    assert (full["text"]["value"], full["text"]["metadata"], full["none"]) == ("v", {"a": 1}, None)
    assert full["text"]["expiration"] > time.time()
    gone = sdk.kv.namespaces.bulk_delete(**at, body=["text", "bytes", "never there"])
    assert gone and gone.successful_key_count == 3
    assert list(stored(sdk, at)) == ["json"]


def test_kv_bulk_get_missing_key_returns_null(sdk: Cloudflare, at: Place) -> None:
    """A missing key is null (contract §6). The SDK declares this only for values with metadata."""
    sdk.kv.namespaces.values.update("k", **at, value=b"v")
    with pytest.raises(cloudflare.APIResponseValidationError):
        sdk.kv.namespaces.bulk_get(**at, keys=["k", "none"])
    assert bare(sdk.kv.namespaces.with_raw_response.bulk_get(**at, keys=["k", "none"])) == {
        "values": {"k": "v", "none": None}
    }


def test_kv_bulk_deprecated_methods_work(sdk: Cloudflare, at: Place) -> None:
    """The deprecated methods of the SDK use the same endpoints."""
    with pytest.deprecated_call():
        sdk.kv.namespaces.keys.bulk_update(**at, body=[{"key": "k", "value": "v"}])
    with pytest.deprecated_call():
        found = sdk.kv.namespaces.keys.bulk_get(**at, keys=["k"])
    assert found and found.to_dict() == {"values": {"k": "v"}}
    with pytest.deprecated_call():
        sdk.kv.namespaces.keys.bulk_delete(**at, body=["k"])
    assert not stored(sdk, at)


@pytest.mark.parametrize(
    ("invalid", "code"),
    [
        ({"key_name": "k", "value": b"v", "expiration_ttl": 5}, 10034),
        ({"key_name": "k", "value": b"v", "metadata": {"x": "x" * 2000}}, 10031),
        ({"key_name": "k" * 513, "value": b"v"}, 10030),
    ],
)
def test_kv_bulk_invalid_value_is_refused(sdk: Cloudflare, at: Place, invalid: dict[str, Any], code: int) -> None:
    with pytest.raises(cloudflare.APIStatusError) as refused:
        sdk.kv.namespaces.values.update(**at, **invalid)
    assert refused.value.errors[0].code == code
    assert not stored(sdk, at)
