# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes, custom domains, DNS records and custom hostnames with the official Python SDK."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cloudflare
import pytest
from cloudflare import Cloudflare
from local_edge.testing import Edge, running
from sdk_client import metadata, module


@pytest.fixture(name="edge", scope="module")
def _edge() -> Iterator[Edge]:
    with running(zones=["platform.test", "other.test"]) as edge:
        yield edge


@pytest.fixture(name="sdk")
def _sdk(edge: Edge, sdk: Cloudflare) -> Cloudflare:
    """Provide the SDK and an account with a router."""
    sdk.workers.scripts.update("router", account_id=edge.account, metadata=metadata(), files=[module()])
    return sdk


@pytest.fixture(name="zone")
def _zone(edge: Edge) -> str:
    return edge.zones["platform.test"]


def create_record(sdk: Cloudflare, zone: str, name: str, **more: Any) -> Any:
    return sdk.dns.records.create(
        zone_id=zone, **{"name": name, "type": "A", "content": "192.0.2.1", "ttl": 1, "proxied": True, **more}
    )


def test_route_create_update_list_delete(edge: Edge, sdk: Cloudflare, zone: str) -> None:
    made = sdk.workers.routes.create(zone_id=zone, pattern="*.platform.test/*", script="router")
    assert sdk.workers.routes.get(made.id, zone_id=zone).to_dict() == {
        "id": made.id,
        "pattern": "*.platform.test/*",
        "script": "router",
    }
    changed = sdk.workers.routes.update(made.id, zone_id=zone, pattern="app.platform.test/*")
    assert (changed.id, changed.pattern, changed.script or None) == (made.id, "app.platform.test/*", None)
    assert [(one.id, one.pattern, one.script or None) for one in sdk.workers.routes.list(zone_id=zone)] == [
        (made.id, "app.platform.test/*", None)
    ]
    assert not list(sdk.workers.routes.list(zone_id=edge.zones["other.test"]))
    with pytest.raises(cloudflare.ConflictError) as taken:
        sdk.workers.routes.create(zone_id=zone, pattern="app.platform.test/*")
    assert taken.value.errors[0].code == 10020
    refusals: list[tuple[dict[str, Any], int]] = [
        ({"pattern": "x.platform.test/*", "script": "nobody"}, 10019),
        ({"pattern": "x.*.platform.test/"}, 10022),
    ]
    for wrong, code in refusals:
        with pytest.raises(cloudflare.APIStatusError) as refused:
            sdk.workers.routes.create(zone_id=zone, **wrong)
        assert refused.value.errors[0].code == code
    sdk.workers.routes.delete(made.id, zone_id=zone)
    with pytest.raises(cloudflare.NotFoundError):
        sdk.workers.routes.get(made.id, zone_id=zone)


def test_route_create_response_with_id_only_creates_route(edge: Edge, sdk: Cloudflare, zone: str) -> None:
    """Older responses contain only `id` (contract §5). The SDK rejects them, but the route is created."""
    edge.behaviors.set("route_create_response", "id")
    with pytest.raises(cloudflare.APIResponseValidationError):
        sdk.workers.routes.create(zone_id=zone, pattern="platform.test/*", script="router")
    assert [one.pattern for one in sdk.workers.routes.list(zone_id=zone)] == ["platform.test/*"]


def test_custom_domain_update_list_delete(edge: Edge, sdk: Cloudflare, zone: str) -> None:
    made = sdk.workers.domains.update(
        account_id=edge.account, hostname="app.platform.test", service="router", zone_id=zone
    )
    assert (made.hostname, made.service, made.zone_id, made.zone_name) == (
        "app.platform.test",
        "router",
        zone,
        "platform.test",
    )
    assert sdk.workers.domains.get(made.id, account_id=edge.account).to_dict() == made.to_dict()
    again = sdk.workers.domains.update(
        account_id=edge.account, hostname="app.platform.test", service="router", zone_name="platform.test"
    )
    assert again.id == made.id
    other = sdk.workers.domains.update(
        account_id=edge.account, hostname="other.test", service="router", zone_id=edge.zones["other.test"]
    )
    assert [one.id for one in sdk.workers.domains.list(account_id=edge.account, zone_name="other.test")] == [other.id]
    assert [one.id for one in sdk.workers.domains.list(account_id=edge.account, hostname="app.platform.test")] == [
        made.id
    ]
    assert len(list(sdk.workers.domains.list(account_id=edge.account, service="router"))) == 2
    with pytest.raises(cloudflare.APIStatusError) as refused:
        sdk.workers.domains.update(account_id=edge.account, hostname="x.platform.test", service="nobody", zone_id=zone)
    assert refused.value.errors[0].code == 10007
    assert sdk.workers.domains.delete(made.id, account_id=edge.account).success
    with pytest.raises(cloudflare.NotFoundError) as missing:
        sdk.workers.domains.get(made.id, account_id=edge.account)
    assert missing.value.errors[0].code == 100114


def test_custom_domain_with_existing_records_is_refused(edge: Edge, sdk: Cloudflare, zone: str) -> None:
    create_record(sdk, zone, "app.platform.test")
    with pytest.raises(cloudflare.APIStatusError) as refused:
        sdk.workers.domains.update(
            account_id=edge.account, hostname="app.platform.test", service="router", zone_id=zone
        )
    assert refused.value.errors[0].code == 100117


def test_dns_record_create_update_edit_delete(sdk: Cloudflare, zone: str) -> None:
    made = create_record(sdk, zone, "app.platform.test", comment="by a test")
    found = sdk.dns.records.get(made.id, zone_id=zone)
    assert found and found.to_dict() == made.to_dict()
    assert (found.name, found.type, found.content, found.proxied, found.ttl) == (
        "app.platform.test",
        "A",
        "192.0.2.1",
        True,
        1,
    )
    sdk.dns.records.update(
        made.id,
        zone_id=zone,
        name="app.platform.test",
        type="CNAME",
        content="origin.platform.test",
        ttl=300,
        proxied=False,
    )
    edited = sdk.dns.records.edit(made.id, zone_id=zone, name="app.platform.test", type="CNAME", ttl=300, proxied=True)
    assert edited
    assert (edited.type, edited.content, edited.proxied) == ("CNAME", "origin.platform.test", True)
    deleted = sdk.dns.records.delete(made.id, zone_id=zone)
    assert deleted and deleted.id == made.id
    with pytest.raises(cloudflare.NotFoundError):
        sdk.dns.records.get(made.id, zone_id=zone)


def test_dns_records_list_pages_and_filters(edge: Edge, sdk: Cloudflare, zone: str) -> None:
    names = [f"host{number}.platform.test" for number in range(8)]
    for name in names:
        create_record(sdk, zone, name, type="TXT" if name == names[0] else "A", proxied=name == names[1])
    edge.clear()
    assert sorted(one.name for one in sdk.dns.records.list(zone_id=zone, per_page=5)) == names
    assert len(edge.requests()) == 3
    assert [one.name for one in sdk.dns.records.list(zone_id=zone, name={"exact": names[3]})] == [names[3]]
    assert [one.name for one in sdk.dns.records.list(zone_id=zone, type="TXT")] == [names[0]]
    assert [one.name for one in sdk.dns.records.list(zone_id=zone, proxied=True)] == [names[1]]
    assert not list(sdk.dns.records.list(zone_id=edge.zones["other.test"]))


def test_dns_records_batch_applies_all(sdk: Cloudflare, zone: str) -> None:
    old, kept = create_record(sdk, zone, "old.platform.test"), create_record(sdk, zone, "kept.platform.test")
    done = sdk.dns.records.batch(
        zone_id=zone,
        deletes=[{"id": old.id}],
        patches=[{"id": kept.id, "name": "kept.platform.test", "type": "A", "ttl": 1, "content": "192.0.2.2"}],
        posts=[{"name": "new.platform.test", "type": "A", "content": "192.0.2.3", "ttl": 1}],
    )
    assert done and done.deletes and done.patches and done.posts
    assert {one.name: one.content for one in sdk.dns.records.list(zone_id=zone)} == {
        "kept.platform.test": "192.0.2.2",
        "new.platform.test": "192.0.2.3",
    }


def test_custom_hostname_create_edit_list_delete(edge: Edge, sdk: Cloudflare, zone: str) -> None:
    made = sdk.custom_hostnames.create(
        zone_id=zone,
        hostname="shop.customer.net",
        custom_metadata={"customer": "1"},
        ssl={"method": "http", "type": "dv", "settings": {"min_tls_version": "1.2", "http2": "on"}},
    )
    assert made and made.ssl
    assert (made.hostname, made.status, made.ssl.method, made.custom_metadata) == (
        "shop.customer.net",
        "pending",
        "http",
        {"customer": "1"},
    )
    found = sdk.custom_hostnames.get(made.id, zone_id=zone)
    assert found and found.ssl and found.ssl.settings
    assert (found.id, found.hostname, found.ssl.settings.min_tls_version) == (made.id, "shop.customer.net", "1.2")
    edited = sdk.custom_hostnames.edit(
        made.id, zone_id=zone, custom_metadata={"customer": "2"}, ssl={"method": "txt", "type": "dv"}
    )
    assert edited and edited.ssl
    assert (edited.custom_metadata, edited.ssl.method) == ({"customer": "2"}, "txt")
    with pytest.raises(cloudflare.ConflictError) as taken:
        sdk.custom_hostnames.create(zone_id=zone, hostname="shop.customer.net")
    assert taken.value.errors[0].code == 1406
    assert sdk.custom_hostnames.delete(made.id, zone_id=zone).id == made.id
    with pytest.raises(cloudflare.NotFoundError) as missing:
        sdk.custom_hostnames.get("00000000-0000-4000-8000-000000000000", zone_id=zone)
    assert missing.value.errors[0].code == 1436


def test_custom_hostnames_list_pages_and_filters(edge: Edge, sdk: Cloudflare, zone: str) -> None:
    names = [f"shop{number}.customer.net" for number in range(7)]
    for name in names:
        sdk.custom_hostnames.create(zone_id=zone, hostname=name)
    edge.clear()
    assert sorted(one.hostname for one in sdk.custom_hostnames.list(zone_id=zone, per_page=5)) == names
    assert len(edge.requests()) == 3
    assert [one.hostname for one in sdk.custom_hostnames.list(zone_id=zone, hostname={"exact": names[2]})] == [names[2]]
    assert [one.hostname for one in sdk.custom_hostnames.list(zone_id=zone, hostname={"contain": "p3.cust"})] == [
        names[3]
    ]
    assert [one.hostname for one in sdk.custom_hostnames.list(zone_id=zone, hostname={"starts_with": "shop4"})] == [
        names[4]
    ]
    assert [one.hostname for one in sdk.custom_hostnames.list(zone_id=zone, extra_query={"hostname": names[5]})] == [
        names[5]
    ]


def test_custom_hostname_quota_returns_usage(sdk: Cloudflare, zone: str) -> None:
    before = sdk.custom_hostnames.quota.get(zone_id=zone)
    sdk.custom_hostnames.create(zone_id=zone, hostname="shop.customer.net")
    after = sdk.custom_hostnames.quota.get(zone_id=zone)
    assert before and after
    assert (before.used, after.used, after.exceeded) == (0, 1, False)


def test_fallback_origin_update_get_delete(sdk: Cloudflare, zone: str) -> None:
    with pytest.raises(cloudflare.NotFoundError) as missing:
        sdk.custom_hostnames.fallback_origin.get(zone_id=zone)
    assert missing.value.errors[0].code == 1551
    create_record(sdk, zone, "fallback.platform.test")
    sdk.custom_hostnames.fallback_origin.update(zone_id=zone, origin="fallback.platform.test")
    found = sdk.custom_hostnames.fallback_origin.get(zone_id=zone)
    assert found and found.origin == "fallback.platform.test"
    sdk.custom_hostnames.fallback_origin.delete(zone_id=zone)
    with pytest.raises(cloudflare.NotFoundError):
        sdk.custom_hostnames.fallback_origin.get(zone_id=zone)
