# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers of an account with the official Python SDK."""

from __future__ import annotations

import inspect
import re
from typing import Any

import cloudflare
import pytest
import sdk_client
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker import module_types
from cloudflare import Cloudflare
from cloudflare.types.workers import script_update_params
from local_edge.testing import Edge
from sdk_client import Place, asset, bare, metadata, module, secret, text

NEW = "export default { fetch() { return new Response('new') } }"


@pytest.fixture(name="sdk")
def _sdk(edge: Edge, sdk: Cloudflare) -> Cloudflare:
    """Provide the SDK and an account with one Worker."""
    upload(sdk, {"account_id": edge.account}, bindings=[text("A"), secret("S", "never shown")])
    return sdk


def upload(sdk: Cloudflare, at: Place, name: str = "router", code: str = sdk_client.CODE, **more: Any) -> Any:
    return sdk.workers.scripts.update(name, **at, metadata=metadata(**more), files=[module(code=code)])


def settings(sdk: Cloudflare, at: Place) -> Any:
    return sdk.workers.scripts.script_and_version_settings.get("router", **at)


@pytest.fixture(name="documented_types")
def _documented_types() -> list[str]:
    """The content types of modules that the SDK documents."""
    text = inspect.getsource(script_update_params).partition("Content-Type(s) are:")[2].partition('"""')[0]
    return re.findall("`([^`]+)`", text)


def test_worker_module_of_each_documented_type_is_accepted(
    sdk: Cloudflare, at: Place, documented_types: list[str]
) -> None:
    files = [module(), *(module(f"part{number}", kind=kind) for number, kind in enumerate(documented_types))]
    sdk.workers.scripts.update("router", **at, metadata=metadata(), files=files)
    with pytest.raises(cloudflare.BadRequestError, match="10162"):
        sdk.workers.scripts.update(
            "router", **at, metadata=metadata(), files=[module(), module("a.json", "{}", "application/json")]
        )


def test_module_types_of_collection_are_documented(documented_types: list[str]) -> None:
    assert len(documented_types) == 10
    sent = {*module_types.MODULE_TYPES.values(), *module_types.PYTHON_MODULE_TYPES.values(), module_types.DATA}
    assert sent <= set(documented_types)


def test_worker_upload_list_delete(edge: Edge, sdk: Cloudflare, at: Place) -> None:
    made = upload(sdk, at, "egress", tags=["team-a"], compatibility_flags=["nodejs_compat"], logpush=True)
    assert (made.id, made.tags, made.logpush, made.compatibility_flags) == (
        "egress",
        ["team-a"],
        True,
        ["nodejs_compat"],
    )
    route = sdk.workers.routes.create(zone_id=edge.zones["example.com"], pattern="example.com/*", script="egress")
    listed = {str(one.id): one for one in sdk.workers.scripts.list(**at)}
    assert sorted(listed) == ["egress", "router"]
    assert listed["egress"].etag == made.etag
    assert [(one.id, one.pattern, one.script) for one in listed["egress"].routes or []] == [
        (route.id, "example.com/*", "egress")
    ]
    assert listed["router"].routes is None
    assert [one.id for one in sdk.workers.scripts.list(**at, tags="team-a:yes")] == ["egress"]
    assert sdk.workers.scripts.delete("egress", **at) is None
    assert [one.id for one in sdk.workers.scripts.list(**at)] == ["router"]
    with pytest.raises(cloudflare.NotFoundError) as missing:
        sdk.workers.scripts.delete("egress", **at)
    assert missing.value.errors[0].code == 10007


def test_search_returns_matching_workers(sdk: Cloudflare, at: Place) -> None:
    for name in ("router-test", "egress"):
        upload(sdk, at, name)
    found = sdk.workers.scripts.search(**at, name="router")
    assert sorted(one.script_name for one in found) == ["router", "router-test"]
    assert [one.script_name for one in sdk.workers.scripts.search(**at, id=found[0].id)] == [found[0].script_name]


def test_worker_in_use_cannot_be_deleted(sdk: Cloudflare, at: Place) -> None:
    upload(sdk, at, "egress")
    upload(sdk, at, bindings=[{"name": "OUT", "type": "service", "service": "egress"}])
    with pytest.raises(cloudflare.BadRequestError, match="router"):
        sdk.workers.scripts.delete("egress", **at)
    sdk.workers.scripts.delete("egress", **at, force=True)
    assert list(sdk_client.shown(settings(sdk, at).bindings)) == ["S"]


def test_content_update_and_get(sdk: Cloudflare, at: Place) -> None:
    content = sdk.workers.scripts.content.get("router", **at)
    assert content.headers["content-type"].startswith("multipart/form-data")
    assert sdk_client.CODE.encode() in content.read()
    assert sdk_client.CODE in sdk.workers.scripts.with_raw_response.get("router", **at).text()
    replaced = sdk.workers.scripts.content.update(
        "router", **at, metadata={"main_module": "index.js"}, files=[module(code=NEW)]
    )
    assert replaced.id == "router"
    assert NEW.encode() in sdk.workers.scripts.content.get("router", **at).read()
    assert sorted(sdk_client.shown(settings(sdk, at).bindings)) == ["A", "S"]


def test_settings_edit_creates_version_or_not(sdk: Cloudflare, at: Place) -> None:
    desired: Any = {
        "bindings": [text("A", "2"), {"type": "inherit", "name": "S"}],
        "compatibility_date": "2026-10-01",
        "placement": {"mode": "smart"},
        "limits": {"cpu_ms": 30},
    }
    changed: Any = sdk.workers.scripts.script_and_version_settings.edit("router", **at, settings=desired)
    assert changed.to_dict() == settings(sdk, at).to_dict()
    assert sdk_client.shown(changed.bindings) == {"A": text("A", "2"), "S": {"name": "S", "type": "secret_text"}}
    assert (changed.compatibility_date, changed.placement.mode, changed.limits.cpu_ms) == ("2026-10-01", "smart", 30)
    edited = sdk.workers.scripts.settings.edit(
        "router",
        **at,
        logpush=True,
        tags=["a", "b"],
        observability={"enabled": True},
        tail_consumers=[{"service": "router"}],
    )
    found = sdk.workers.scripts.settings.get("router", **at)
    assert edited.to_dict() == found.to_dict()
    assert found.observability and found.tail_consumers
    assert (found.logpush, found.tags, found.observability.enabled, found.tail_consumers[0].service) == (
        True,
        ["a", "b"],
        True,
        "router",
    )
    assert sdk_client.shown(settings(sdk, at).bindings)["A"] == text("A", "2")


def test_secrets_update_list_delete(sdk: Cloudflare, at: Place) -> None:
    put = sdk.workers.scripts.secrets.update("router", **at, name="ONE", text="never shown", type="secret_text")
    assert put and put.to_dict() == {"name": "ONE", "type": "secret_text"}
    sdk.workers.scripts.secrets.bulk_update(
        "router", **at, secrets={"ONE": None, "TWO": {"name": "TWO", "text": "never shown", "type": "secret_text"}}
    )
    assert sorted(one.name for one in sdk.workers.scripts.secrets.list("router", **at)) == ["S", "TWO"]
    found = sdk.workers.scripts.secrets.get("TWO", **at, script_name="router")
    assert found and found.to_dict() == {"name": "TWO", "type": "secret_text"}
    assert sdk.workers.scripts.secrets.delete("TWO", **at, script_name="router") is None
    with pytest.raises(cloudflare.NotFoundError) as missing:
        sdk.workers.scripts.secrets.delete("TWO", **at, script_name="router")
    assert missing.value.errors[0].code == 10056
    answer = sdk.workers.scripts.script_and_version_settings.with_raw_response.get("router", **at)
    assert "never" not in answer.text()


def test_schedules_update_and_get(sdk: Cloudflare, at: Place) -> None:
    assert sdk.workers.scripts.schedules.get("router", **at).schedules == []
    sdk.workers.scripts.schedules.update("router", **at, body=[{"cron": "*/30 * * * *"}, {"cron": "0 0 * * SUN"}])
    found = sdk.workers.scripts.schedules.get("router", **at).schedules
    assert [one.cron for one in found] == ["*/30 * * * *", "0 0 * * SUN"]
    assert all(one.created_on and one.modified_on for one in found)
    with pytest.raises(cloudflare.BadRequestError):
        sdk.workers.scripts.schedules.update("router", **at, body=[{"cron": "now and then"}])
    assert sdk.workers.scripts.schedules.update("router", **at, body=[]).schedules == []


def test_workers_dev_subdomain_create_get_delete(sdk: Cloudflare, at: Place) -> None:
    assert sdk.workers.subdomains.update(**at, subdomain="company").subdomain == "company"
    assert sdk.workers.subdomains.get(**at).subdomain == "company"
    on = sdk.workers.scripts.subdomain.create("router", **at, enabled=True, previews_enabled=True)
    assert (on.enabled, on.previews_enabled) == (True, True)
    assert sdk.workers.scripts.subdomain.get("router", **at).to_dict() == on.to_dict()
    off = sdk.workers.scripts.subdomain.delete("router", **at)
    assert (off.enabled, off.previews_enabled) == (False, False)
    assert not sdk.workers.scripts.subdomain.get("router", **at).enabled
    sdk.workers.subdomains.delete(**at)
    with pytest.raises(cloudflare.NotFoundError) as missing:
        sdk.workers.subdomains.get(**at)
    assert missing.value.errors[0].code == 10007


def test_versions_create_and_deploy(sdk: Cloudflare, at: Place) -> None:
    """A version takes effect when it is deployed. An older version can be deployed again.

    Answers with a version's bindings are read bare: the SDK declares those as a class that pydantic cannot validate at all.
    """
    (first,) = sdk.workers.scripts.versions.list("router", **at, per_page=10)
    made = bare(
        sdk.workers.scripts.versions.with_raw_response.create(
            "router",
            **at,
            files=[module(code=NEW)],
            metadata={
                "main_module": "index.js",
                "bindings": [text("A", "2")],
                "keep_bindings": ["secret_text"],
                "annotations": {"workers_message": "second", "workers_tag": "v2"},
            },
        )
    )
    assert (made["number"], first.number) == (2, 1)
    assert made["annotations"]["workers/message"] == "second"
    assert sdk_client.shown(settings(sdk, at).bindings)["A"] == text("A")
    found = bare(sdk.workers.scripts.versions.with_raw_response.get(made["id"], **at, script_name="router"))
    assert found["resources"]["bindings"] == [text("A", "2"), {"name": "S", "type": "secret_text"}]
    deployed = sdk.workers.scripts.deployments.create(
        "router",
        **at,
        strategy="percentage",
        versions=[{"version_id": made["id"], "percentage": 100}],
        annotations={"workers_message": "go"},
    )
    assert [(one.version_id, one.percentage) for one in deployed.versions] == [(made["id"], 100)]
    assert sdk_client.shown(settings(sdk, at).bindings) == {
        "A": text("A", "2"),
        "S": {"name": "S", "type": "secret_text"},
    }
    assert NEW.encode() in sdk.workers.scripts.content.get("router", **at).read()
    same = sdk.workers.scripts.deployments.get(deployed.id, **at, script_name="router")
    assert same.to_dict() == deployed.to_dict()
    assert same.annotations and same.annotations.workers_message == "go"
    sdk.workers.scripts.deployments.create(
        "router", **at, strategy="percentage", versions=[{"version_id": str(first.id), "percentage": 100}]
    )
    assert sdk_client.shown(settings(sdk, at).bindings)["A"] == text("A")
    for wrong in ("00000000-0000-4000-8000-000000000000", "nonsense"):
        with pytest.raises(cloudflare.NotFoundError) as missing:
            sdk.workers.scripts.versions.get(wrong, **at, script_name="router")
        assert missing.value.errors[0].code == 100146


def test_versions_list_several_pages(sdk: Cloudflare, at: Place) -> None:
    for number in range(6):
        upload(sdk, at, bindings=[text("A", str(number))])
    assert [one.number for one in sdk.workers.scripts.versions.list("router", **at, per_page=3)] == [
        7,
        6,
        5,
        4,
        3,
        2,
        1,
    ]


def test_deployments_list_returns_all(sdk: Cloudflare, at: Place) -> None:
    upload(sdk, at, code=NEW)
    latest = bare(sdk.workers.scripts.deployments.with_raw_response.list("router", **at))["deployments"]
    assert len(latest) == 2
    assert latest[0]["created_on"] > latest[1]["created_on"]


def test_assets_upload_session_deploys_worker(sdk: Cloudflare, edge: Edge, at: Place) -> None:
    page = asset("<h1>docs</h1>")
    session = sdk.workers.scripts.assets.upload.create("docs", **at, manifest={"/index.html": page.entry})  # type: ignore[dict-item]
    assert session and session.jwt
    assert session.buckets == [[page.hash]]
    with sdk_client.client(edge, token=session.jwt) as uploader:
        done = uploader.workers.assets.upload.create(
            account_id=edge.account, base64=True, body={page.hash: page.base64}
        )
    assert done and done.jwt
    made = upload(sdk, at, "docs", assets={"jwt": done.jwt}, bindings=[{"name": "ASSETS", "type": "assets"}])
    assert made.has_assets
    assert upload(sdk, at, "docs", keep_assets=True, bindings=[{"name": "ASSETS", "type": "assets"}]).has_assets
    with pytest.raises(cloudflare.APIStatusError):
        upload(sdk, at, "docs", assets={"jwt": "never issued"})


def test_beta_worker_get_returns_worker(sdk: Cloudflare, at: Place) -> None:
    """Of the beta API, clients use only this and the newest version."""
    found = sdk.workers.beta.workers.get("router", **at)
    assert found.name == "router"
    version = sdk.workers.beta.workers.versions.get("latest", worker_id="router", **at)
    assert (version.number, version.assets) == (1, None)
