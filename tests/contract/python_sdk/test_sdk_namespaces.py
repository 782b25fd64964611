# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dispatch namespaces and their Workers with the official Python SDK."""

from __future__ import annotations

from typing import Any

import cloudflare
import pytest
import sdk_client
from cloudflare import Cloudflare
from local_edge.testing import Edge
from sdk_client import Place, asset, metadata, module, secret, text

WHERE = {"dispatch_namespace": "prod"}


@pytest.fixture(name="sdk")
def _sdk(edge: Edge, sdk: Cloudflare) -> Cloudflare:
    """Provide the SDK and an account with one namespace."""
    sdk.workers_for_platforms.dispatch.namespaces.create(account_id=edge.account, name="prod")
    return sdk


@pytest.fixture(name="at")
def _at(edge: Edge) -> Place:
    """Return the identifying arguments of the namespace."""
    return {"account_id": edge.account, **WHERE}


def upload(sdk: Cloudflare, at: Place, name: str = "shop", code: str = sdk_client.CODE, **more: Any) -> Any:
    return sdk.workers_for_platforms.dispatch.namespaces.scripts.update(
        name, **at, metadata=metadata(**more), files=[module(code=code)]
    )


def bindings(sdk: Cloudflare, at: Place, name: str = "shop") -> Any:
    return sdk_client.shown(sdk.workers_for_platforms.dispatch.namespaces.scripts.bindings.get(name, **at))


def test_dispatch_namespace_create_update_list_delete(edge: Edge, sdk: Cloudflare, at: Place) -> None:
    made = sdk.workers_for_platforms.dispatch.namespaces.create(account_id=edge.account, name="staging")
    found = sdk.workers_for_platforms.dispatch.namespaces.get("staging", account_id=edge.account)
    assert made and found
    assert made.namespace_id == found.namespace_id
    assert (found.namespace_name, found.script_count, found.trusted_workers) == ("staging", 0, False)
    upload(sdk, at)
    listed = sdk.workers_for_platforms.dispatch.namespaces.list(account_id=edge.account)
    assert {one.namespace_name: one.script_count for one in listed} == {"prod": 1, "staging": 0}
    with pytest.raises(cloudflare.ConflictError) as taken:
        sdk.workers_for_platforms.dispatch.namespaces.create(account_id=edge.account, name="staging")
    assert taken.value.errors[0].code == 100120
    assert sdk.workers_for_platforms.dispatch.namespaces.delete("staging", account_id=edge.account) is None
    with pytest.raises(cloudflare.NotFoundError) as missing:
        sdk.workers_for_platforms.dispatch.namespaces.get("staging", account_id=edge.account)
    assert missing.value.errors[0].code == 100119


def test_namespaced_worker_upload_get_delete(sdk: Cloudflare, at: Place) -> None:
    made = upload(
        sdk,
        at,
        tags=["customer-1", "pro"],
        compatibility_flags=["nodejs_compat"],
        limits={"cpu_ms": 50, "subrequests": 5},
        observability={"enabled": True, "logs": {"enabled": True, "invocation_logs": False}},
        placement={"mode": "smart"},
        logpush=True,
        usage_model="standard",
    )
    assert made.startup_time_ms >= 0
    found = sdk.workers_for_platforms.dispatch.namespaces.scripts.get("shop", **at)
    assert found.dispatch_namespace == "prod"
    assert found.script
    assert (found.script.id, found.script.etag, found.script.tag) == ("shop", made.etag, made.tag)
    assert found.script.tags == ["customer-1", "pro"]
    assert found.script.compatibility_flags == ["nodejs_compat"]
    assert found.script.logpush
    assert found.script.has_modules
    assert sdk.workers_for_platforms.dispatch.namespaces.scripts.delete("shop", **at, force=True) is None
    with pytest.raises(cloudflare.NotFoundError):
        sdk.workers_for_platforms.dispatch.namespaces.scripts.get("shop", **at)


@pytest.mark.parametrize(("shape", "code"), [("10007", 10007), ("10092", 10092), ("null", None)])
def test_namespaced_worker_missing_returns_configured_response(
    edge: Edge, sdk: Cloudflare, at: Place, shape: str, code: int | None
) -> None:
    edge.behaviors.set("missing_script_response", shape)
    if code is None:
        assert sdk.workers_for_platforms.dispatch.namespaces.scripts.get("nobody", **at).script is None
        return
    with pytest.raises(cloudflare.NotFoundError) as missing:
        sdk.workers_for_platforms.dispatch.namespaces.scripts.get("nobody", **at)
    assert missing.value.errors[0].code == code


def test_upload_modules_are_found_by_file_name(sdk: Cloudflare, at: Place) -> None:
    """The SDK calls every part `files`. Only the file name identifies a module."""
    sdk.workers_for_platforms.dispatch.namespaces.scripts.update(
        "shop",
        **at,
        metadata=metadata(main_module="src/app.js"),
        files=[
            module("lib/text.txt", "hello", "text/plain"),
            module("src/app.js", "import '../lib/text.txt'; export default {}"),
            module("lib/add.wasm", "\0asm", "application/wasm"),
        ],
    )
    content = sdk.workers_for_platforms.dispatch.namespaces.scripts.content.get("shop", **at)
    body = content.read()
    assert content.headers["content-type"].startswith("multipart/form-data")
    assert body.index(b'"src/app.js"') < body.index(b'"lib/text.txt"') < body.index(b'"lib/add.wasm"')
    assert b"hello" in body
    with pytest.raises(cloudflare.BadRequestError, match="not the file name of any uploaded part"):
        sdk.workers_for_platforms.dispatch.namespaces.scripts.update(
            "shop", **at, metadata=metadata(main_module="files"), files=[module()]
        )


def test_content_update_keeps_bindings_and_tags(sdk: Cloudflare, at: Place) -> None:
    before = upload(sdk, at, bindings=[text("A")], tags=["kept"])
    after = sdk.workers_for_platforms.dispatch.namespaces.scripts.content.update(
        "shop",
        **at,
        metadata={"main_module": "index.js"},
        files=[module(code="export default { fetch() { return new Response('new') } }")],
    )
    assert after.etag != before.etag
    assert b"'new'" in sdk.workers_for_platforms.dispatch.namespaces.scripts.content.get("shop", **at).read()
    assert list(bindings(sdk, at)) == ["A"]
    assert [*sdk.workers_for_platforms.dispatch.namespaces.scripts.tags.list("shop", **at)] == ["kept"]


def test_settings_edit_and_get(sdk: Cloudflare, at: Place) -> None:
    upload(sdk, at, bindings=[text("A", "1"), secret("S")], tags=["one"])
    desired: Any = {
        "bindings": [text("A", "2"), {"type": "inherit", "name": "S"}],
        "tags": ["one", "two"],
        "compatibility_date": "2026-10-01",
        "limits": {"cpu_ms": 20},
        "logpush": True,
        "observability": {"enabled": True},
    }
    changed = sdk.workers_for_platforms.dispatch.namespaces.scripts.settings.edit("shop", **at, settings=desired)
    found = sdk.workers_for_platforms.dispatch.namespaces.scripts.settings.get("shop", **at)
    assert changed and found
    assert changed.to_dict() == found.to_dict()
    assert found.bindings and found.limits and found.observability
    assert sdk_client.shown(found.bindings) == {"A": text("A", "2"), "S": {"name": "S", "type": "secret_text"}}
    assert (found.tags, found.compatibility_date, found.limits.cpu_ms, found.logpush) == (
        ["one", "two"],
        "2026-10-01",
        20,
        True,
    )
    assert found.observability.enabled


def test_upload_keep_bindings_keeps_secrets(sdk: Cloudflare, at: Place) -> None:
    upload(sdk, at, bindings=[text("A"), secret("S")])
    upload(sdk, at, bindings=[text("B")], keep_bindings=["secret_text"])
    assert sorted(bindings(sdk, at)) == ["B", "S"]
    upload(sdk, at, bindings=[{"type": "inherit", "name": "S"}], keep_bindings=[])
    assert sorted(bindings(sdk, at)) == ["S"]
    with pytest.raises(cloudflare.BadRequestError) as refused:
        sdk.workers_for_platforms.dispatch.namespaces.scripts.update(
            "shop",
            **at,
            bindings_inherit="strict",
            metadata=metadata(bindings=[{"type": "inherit", "name": "NONE"}]),
            files=[module()],
        )
    assert refused.value.errors[0].code == 10057


def test_upload_binding_to_missing_object_is_refused(sdk: Cloudflare, at: Place) -> None:
    with pytest.raises(cloudflare.BadRequestError, match=f"KV namespace '{'0' * 32}' not found") as missing:
        upload(sdk, at, bindings=[{"name": "KV", "type": "kv_namespace", "namespace_id": "0" * 32}])
    assert missing.value.errors[0].code == 10041


def test_secrets_update_list_delete(sdk: Cloudflare, at: Place) -> None:
    upload(sdk, at)
    put = sdk.workers_for_platforms.dispatch.namespaces.scripts.secrets.update(
        "shop", **at, name="ONE", text="never shown", type="secret_text"
    )
    assert put.to_dict() == {"name": "ONE", "type": "secret_text"}
    key = sdk.workers_for_platforms.dispatch.namespaces.scripts.secrets.update(
        "shop",
        **at,
        name="KEY",
        type="secret_key",
        algorithm={"name": "HMAC", "hash": "SHA-256"},
        format="raw",
        usages=["sign"],
        key_base64="bmV2ZXIgc2hvd24=",
    )
    assert "key_base64" not in key.to_dict()
    sdk.workers_for_platforms.dispatch.namespaces.scripts.secrets.bulk_update(
        "shop", **at, secrets={"ONE": None, "TWO": {"name": "TWO", "text": "never shown", "type": "secret_text"}}
    )
    listed = sdk.workers_for_platforms.dispatch.namespaces.scripts.secrets.list("shop", **at)
    assert sorted(one.name for one in listed) == ["KEY", "TWO"]
    found = sdk.workers_for_platforms.dispatch.namespaces.scripts.secrets.get("TWO", **at, script_name="shop")
    assert found.to_dict() == {"name": "TWO", "type": "secret_text"}
    assert sdk.workers_for_platforms.dispatch.namespaces.scripts.secrets.delete("TWO", **at, script_name="shop") is None
    with pytest.raises(cloudflare.NotFoundError) as missing:
        sdk.workers_for_platforms.dispatch.namespaces.scripts.secrets.get("TWO", **at, script_name="shop")
    assert missing.value.errors[0].code == 10056
    for answer in (
        sdk.workers_for_platforms.dispatch.namespaces.scripts.settings.with_raw_response.get("shop", **at),
        sdk.workers_for_platforms.dispatch.namespaces.scripts.bindings.with_raw_response.get("shop", **at),
        sdk.workers_for_platforms.dispatch.namespaces.scripts.with_raw_response.get("shop", **at),
    ):
        assert "never" not in answer.text()
        assert "bmV2ZXI" not in answer.text()


def test_tags_update_list_delete(sdk: Cloudflare, at: Place) -> None:
    upload(sdk, at, tags=["a"])
    assert [
        *sdk.workers_for_platforms.dispatch.namespaces.scripts.tags.update("shop", **at, body=["a", "b", "c=d"])
    ] == ["a", "b", "c=d"]
    assert sdk.workers_for_platforms.dispatch.namespaces.scripts.tags.delete("b", **at, script_name="shop") is None
    assert [*sdk.workers_for_platforms.dispatch.namespaces.scripts.tags.list("shop", **at)] == ["a", "c=d"]
    with pytest.raises(cloudflare.PermissionDeniedError):
        sdk.workers_for_platforms.dispatch.namespaces.scripts.tags.update(
            "shop", **at, body=[str(number) for number in range(9)]
        )
    sdk.workers_for_platforms.dispatch.namespaces.scripts.tags.update("shop", **at, body=None)
    with pytest.raises(
        cloudflare.APIResponseValidationError
    ):  # no tags are null (contract §3.8), for which the SDK declares a list
        sdk.workers_for_platforms.dispatch.namespaces.scripts.tags.list("shop", **at)
    found = sdk.workers_for_platforms.dispatch.namespaces.scripts.get("shop", **at).script
    assert found and found.tags == []


def test_assets_upload_session_deploys_worker(edge: Edge, sdk: Cloudflare, at: Place) -> None:
    """Upload missing files in a session and deploy a Worker with the completion token."""
    page, style = asset("<h1>shop</h1>"), asset("h1 { color: teal }")
    manifest: Any = {"/index.html": page.entry, "/style.css": style.entry}
    session = sdk.workers_for_platforms.dispatch.namespaces.scripts.asset_upload.create("shop", **at, manifest=manifest)
    assert session and session.jwt and session.buckets
    assert {ident for bucket in session.buckets for ident in bucket} == {page.hash, style.hash}
    with sdk_client.client(edge, token=session.jwt) as uploader:
        done = uploader.workers.assets.upload.create(
            account_id=edge.account, base64=True, body={page.hash: page.base64, style.hash: style.base64}
        )
    assert done and done.jwt
    assert upload(sdk, at, assets={"jwt": done.jwt, "config": {"html_handling": "auto-trailing-slash"}}).has_assets
    again = sdk.workers_for_platforms.dispatch.namespaces.scripts.asset_upload.create("other", **at, manifest=manifest)
    assert again and again.jwt
    assert not [ident for bucket in again.buckets or [] for ident in bucket], "the files are already stored"


def test_dispatch_namespace_delete_deletes_its_workers(edge: Edge, sdk: Cloudflare, at: Place) -> None:
    upload(sdk, at)
    sdk.workers_for_platforms.dispatch.namespaces.delete("prod", account_id=edge.account)
    with pytest.raises(cloudflare.NotFoundError) as missing:
        sdk.workers_for_platforms.dispatch.namespaces.scripts.get("shop", **at)
    assert missing.value.errors[0].code == 100119
