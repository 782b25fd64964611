# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which failed requests the client repeats, how often, and how long it waits before."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare import client as client_module
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.client import Client
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.credentials import Credentials
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import (
    AmbiguousResult,
    ApiError,
    CloudflareError,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.rate_limiter import RateLimiter
from concurrency import Clock
from local_edge.testing import Edge


@pytest.fixture
def client(edge: Edge, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(client_module, "BACKOFF", 1.0)
    limiter = RateLimiter({}, clock=clock, sleep=clock.sleep)
    return Client(
        Credentials.resolve(edge.token, None, None, {}), url=edge.api, account_id=edge.account, rate_limiter=limiter
    )


def attempts(client: Client, edge: Edge, method: str, fault: dict[str, t.Any], **options: t.Any) -> int:
    """Send a request whose first nine answers are faults, and return how often it was sent."""
    edge.fault(method=method, path=".*", times=9, **fault)
    edge.clear()
    with pytest.raises(CloudflareError):
        client.call(method, client.account("storage", "kv", "namespaces", "x"), **options)
    edge.clear_faults()
    return len(edge.requests())


@pytest.mark.parametrize(
    ("method", "options", "is_repeated"),
    [
        *(("GET", {}, True), ("PUT", {}, True), ("DELETE", {}, True), ("POST", {}, False), ("PATCH", {}, False)),
        *(("POST", {"idempotent": True}, True), ("PUT", {"idempotent": False}, False)),
    ],
)
@pytest.mark.parametrize("status", [0, 500, 503])
def test_client_repeats_requests_that_may_have_had_an_effect_only_if_idempotent(
    client: Client, edge: Edge, clock: Clock, method: str, options: dict[str, t.Any], is_repeated: bool, status: int
) -> None:
    count = attempts(client, edge, method, {"status": status}, **options)
    assert count == (client_module.MAX_ATTEMPTS if is_repeated else 1)
    assert len(clock.slept) == count - 1


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("fault", "is_repeated"),
    [
        *(({"status": 429}, True), ({"status": 403, "code": 971}, True), ({"status": 409, "code": 10035}, True)),
        *(({"status": 429, "headers": {"Retry-After": "3"}}, True), ({"status": 400, "code": 10021}, False)),
        *(({"status": 404, "code": 10013}, False), ({"status": 409, "code": 10036}, False)),
        *(({"status": 429, "headers": {"Retry-After": "601"}}, False), ({"status": 401, "code": 10000}, False)),
    ],
)
def test_client_repeats_refused_requests_only_if_they_had_no_effect(
    client: Client, edge: Edge, clock: Clock, method: str, fault: dict[str, t.Any], is_repeated: bool
) -> None:
    count = attempts(client, edge, method, fault)
    assert (count == 1) is not is_repeated and count in (1, client_module.MAX_ATTEMPTS)
    if "headers" in fault and is_repeated:
        assert all(slept >= 3 for slept in clock.slept)


def test_client_waits_twice_as_long_before_each_attempt(client: Client, edge: Edge, clock: Clock) -> None:
    attempts(client, edge, "GET", {"status": 503})
    assert len(clock.slept) == client_module.MAX_ATTEMPTS - 1
    assert all(2**number <= slept <= 1.2 * 2**number for number, slept in enumerate(clock.slept))


def test_client_records_writes_alone(client: Client, edge: Edge) -> None:
    kv = client.account("storage", "kv", "namespaces")
    created = client.write("POST", kv, json={"title": "x"}).result
    client.list_all(kv)
    values = (*(kv.strip("/").split("/")), created["id"], "bulk", "get")
    client.call("POST", "/" + "/".join(values), idempotent=True, json={"keys": ["a"]})
    edge.fault(method="PATCH", path=".*", status=502, times=1)
    with pytest.raises(AmbiguousResult):
        client.write("PATCH", kv)
    assert client.interruption.acknowledged == [f"POST {kv}"] and client.interruption.ambiguous == [f"PATCH {kv}"]


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [(404, 10013, "not found"), (400, 10021, "refused"), (413, 10021, "refused"), (403, 10000, "error")],
)
def test_client_distinguishes_missing_refused_and_failed(
    client: Client, edge: Edge, status: int, code: int, outcome: str
) -> None:
    path = client.account("storage", "kv", "namespaces", "x")
    edge.fault(method=".*", path=".*", status=status, code=code, times=9)
    if outcome == "error":
        for read in (client.get_or_not_found, client.get_or_refused, client.get_or_none, client.list_or_none):
            with pytest.raises(ApiError):
                read(path)  # type: ignore[operator]
        return
    if outcome == "refused":
        assert client.get_or_refused(path) is None
        with pytest.raises(ApiError):
            client.get_or_none(path)
        return
    found = client.get_or_refused(path)
    assert found and found.not_found_code == code
    assert client.get_or_none(path) is None and client.list_or_none(path) is None
    assert client.write("DELETE", path).not_found_code == code
    with pytest.raises(ApiError):
        client.write("PUT", path)


def test_client_remembers_methods_that_the_api_lacks(client: Client, edge: Edge) -> None:
    path = client.account("storage", "kv", "namespaces", "x")
    assert client.supports("PUT", path)
    for status in (400, 405):
        edge.fault(method="PUT", path=".*", status=status, times=1)
        with pytest.raises(ApiError):
            client.write("PUT", path)
        assert client.supports("PUT", path) is (status == 400) and client.supports("DELETE", path)


def test_client_repeats_post_that_only_reads(client: Client, edge: Edge) -> None:
    kv = client.account("storage", "kv", "namespaces")
    created = client.write("POST", kv, json={"title": "x"}).result
    edge.fault(method="POST", path=".*", status=503, times=1)
    assert client.get_or_not_found(f"{kv}/{created['id']}/bulk/get", method="POST", json={"keys": ["a"]}).result
