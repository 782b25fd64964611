# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Custom hostnames."""

from __future__ import annotations

import contextlib
import threading
import typing as t

import pytest
from custom_hostname_age import set_age
from harness import Runner, count_requests
from local_edge.testing import Edge, running

SHOP: dict[str, t.Any] = {"hostname": "shop.customer.net", "zone": "platform.localhost", "ssl": {"method": "txt"}}


@contextlib.contextmanager
def active_after(edge: Edge, seconds: float) -> t.Iterator[dict[str, t.Any]]:
    """Options for an edge on which a custom hostname is active after so many seconds."""
    with running(accounts=[edge.account], zones=["platform.localhost"], custom_hostname_seconds=seconds) as other:
        yield {"api_url": other.api, "api_token": other.token}


def test_custom_hostname_each_change_sends_minimal_requests(run: Runner, edge: Edge) -> None:
    known = {"hostname": "shop.customer.net", "zone_id": edge.zones["platform.localhost"], "ssl": {"method": "txt"}}
    assert count_requests(run, edge, "custom_hostname", **known) == (2, 1)
    assert count_requests(run, edge, "custom_hostname", **known, custom_metadata={"customer": "a"}) == (2, 1)
    assert count_requests(run, edge, "custom_hostname", **known) == (1, 0)
    assert count_requests(run, edge, "custom_hostname", **known, state="absent") == (2, 1)


def test_custom_hostname_certificate_is_reissued_only_on_change(run: Runner, edge: Edge) -> None:
    with active_after(edge, 0) as to:
        run.ok("custom_hostname", **SHOP, **to)
        listed = {"path": f"/zones/{edge.zones['platform.localhost']}/custom_hostnames", **to}
        issued = run.ok("api", **listed)["api"][0]["ssl"]["uploaded_on"]
        run.ok("custom_hostname", **SHOP, **to, custom_metadata={"a": "b"})
        run.ok(
            "custom_hostname",
            **{**SHOP, "ssl": {"method": "txt", "wildcard": False, "type": "dv", "settings": {}}},
            **to,
        )
        assert run.ok("api", **listed)["api"][0]["ssl"]["uploaded_on"] == issued
        run.ok("custom_hostname", **{**SHOP, "ssl": {"wildcard": True}}, **to)
        after = run.ok("api", **listed)["api"][0]["ssl"]
        assert after["uploaded_on"] != issued and after["method"] == "txt" and after["wildcard"]


def patch_ssl(run: Runner, edge: Edge, to: dict[str, t.Any], **ssl: t.Any) -> None:
    """Change the certificate as another client, or Cloudflare itself."""
    path = f"/zones/{edge.zones['platform.localhost']}/custom_hostnames"
    ident = run.ok("api", path=path, **to)["api"][0]["id"]
    run.ok("api", method="PATCH", path=f"{path}/{ident}", body={"ssl": {"type": "dv", **ssl}}, **to)


@pytest.mark.parametrize("mode", ["check", "run"])
def test_custom_hostname_renewed_by_http_is_unchanged(run: Runner, edge: Edge, mode: str) -> None:
    with active_after(edge, 0) as to:
        run.ok("custom_hostname", **SHOP, **to)
        patch_ssl(run, edge, to, method="http")
        again = run.ok("custom_hostname", **SHOP, **to, check=mode == "check")
        assert (again["changed"], again["operations"]) == (False, [])
        assert again["custom_hostname"]["ssl"]["method"] == "http"
        other = run.ok("custom_hostname", **SHOP, **to, custom_metadata={"a": "b"}, check=mode == "check")
        assert (other["changed"], other["custom_hostname"]["ssl"]["method"]) == (True, "http")


@pytest.mark.parametrize(
    ("seconds", "live", "declared"),
    [
        (9999, {"method": "http"}, {"method": "txt"}),  # not active
        (0, {"method": "http", "wildcard": True}, {"method": "txt"}),
        (0, {"method": "http"}, {"method": "txt", "wildcard": True}),
        (0, {"method": "http"}, {"method": "txt", "settings": {"min_tls_version": "1.2"}}),
        (0, {"method": "http"}, {"method": "email"}),
        (0, {"method": "txt"}, {"method": "http"}),
    ],
)
def test_custom_hostname_other_certificate_is_changed(
    run: Runner, edge: Edge, seconds: float, live: dict[str, t.Any], declared: dict[str, t.Any]
) -> None:
    with active_after(edge, seconds) as to:
        run.ok("custom_hostname", **SHOP, **to)
        patch_ssl(run, edge, to, **live)
        done = run.ok("custom_hostname", **{**SHOP, "ssl": declared}, **to)
        assert done["changed"] and done["custom_hostname"]["ssl"]["method"] == declared["method"]
        assert not run.ok("custom_hostname", **{**SHOP, "ssl": declared}, **to)["changed"]


@pytest.mark.slow
def test_custom_hostname_wait_for_validation_records_returns_them(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine import converge

    monkeypatch.setattr(converge, "POLL_MAX_INTERVAL", 0.1)
    with running(accounts=[edge.account], zones=["platform.localhost"], custom_hostname_seconds=4000) as other:
        to = {"api_url": other.api, "api_token": other.token}
        first = run.ok("custom_hostname", **SHOP, **to)["custom_hostname"]
        assert (first["status"], first["ssl_status"]) == ("pending", "initializing")
        assert [record["name"] for record in first["dns_records"]] == ["_cf-custom-hostname.shop.customer.net"]
        threading.Timer(0.5, set_age, [other, 1500]).start()
        later = run.ok("custom_hostname", **SHOP, **to, wait_for="validation_records", wait_timeout=60)
    assert not later["changed"]
    dns_records = later["custom_hostname"]["dns_records"]
    assert [(record["name"], record["type"]) for record in dns_records] == [
        ("_cf-custom-hostname.shop.customer.net", "TXT"),
        ("_acme-challenge.shop.customer.net", "TXT"),
    ]
    assert dns_records[0]["content"] == later["custom_hostname"]["id"] and dns_records[1]["content"]


@pytest.mark.slow
def test_custom_hostname_wait_for_active_returns_active(run: Runner, edge: Edge) -> None:
    with active_after(edge, 1) as to:
        predicted = run.ok("custom_hostname", **SHOP, **to, wait_for="active", check=True)["custom_hostname"]
        assert predicted["status"] == "(known after apply)", "check mode waits for nothing"
        done = run.ok("custom_hostname", **SHOP, **to, wait_for="active")
    assert done["changed"] and (done["custom_hostname"]["status"], done["custom_hostname"]["ssl_status"]) == (
        "active",
        "active",
    )
    assert done["custom_hostname"]["dns_records"] == []


def test_custom_hostname_wait_timeout_reports_required_records(run: Runner) -> None:
    result = run("custom_hostname", **SHOP, wait_for="active", wait_timeout=0)
    assert (
        result["failed"]
        and "after 0 s it is pending, its certificate initializing. The customer's DNS needs: TXT _cf-custom-hostname"
        in result["msg"]
    )
    assert not run.ok("custom_hostname", **SHOP)["changed"], "what was written stays"
