# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API client: safe retries, threads, paging, zones."""

from __future__ import annotations

import email.utils
import os
import threading
import time
import typing as t

import pytest
import requests
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.client import (
    Client,
    close_clients,
    get_client,
    join,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.credentials import Credentials
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import (
    NOT_AN_API_RESPONSE,
    AmbiguousResult,
    ApiError,
    CloudflareError,
    parse_errors,
    product_of,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.rate_limiter import RateLimiter
from concurrency import Clock, run_in_threads
from harness import Runner
from local_edge.testing import Edge, running


@pytest.fixture
def client(edge: Edge, clock: Clock) -> Client:
    credentials = Credentials.resolve(edge.token, None, None, {})
    return Client(
        credentials, url=edge.api, account_id=edge.account, rate_limiter=RateLimiter({}, clock=clock, sleep=clock.sleep)
    )


def test_client_rate_limited_write_waits_for_retry_after(client: Client, edge: Edge, clock: Clock) -> None:
    edge.fault(
        method="POST", path=".*", status=429, code=971, message="slow down", headers={"Retry-After": "7"}, times=2
    )
    client.write("POST", client.account("storage", "kv", "namespaces"), json={"title": "x"})
    assert clock.slept == [7.0, 7.0]
    assert len(client.list_all(client.account("storage", "kv", "namespaces"))) == 1


def test_client_long_retry_after_raises_without_sleep(client: Client, edge: Edge, clock: Clock) -> None:
    edge.fault(
        method="GET", path=".*", status=429, code=971, message="slow down", headers={"Retry-After": "7200"}, times=1
    )
    with pytest.raises(ApiError, match="Retry after 7200 s"):
        client.list_all("/accounts")
    assert not clock.slept


def test_client_conflict_is_retried(client: Client, edge: Edge) -> None:
    edge.fault(
        method="POST", path=".*", status=409, code=10035, message="Multiple attempts to modify a resource", times=1
    )
    client.write("POST", client.account("storage", "kv", "namespaces"), json={"title": "x"})


def test_client_invalid_token_is_not_retried(edge: Edge, clock: Clock) -> None:
    wrong = Client(
        Credentials.resolve("wrong-token-wrong-token", None, None, {}),
        url=edge.api,
        rate_limiter=RateLimiter({}, clock=clock, sleep=clock.sleep),
    )
    with pytest.raises(ApiError, match="Check api_token"):
        wrong.list_all("/accounts")
    assert len(edge.requests()) == 1 and not clock.slept


def test_client_read_after_lost_connection_or_server_error_is_retried(client: Client, edge: Edge, clock: Clock) -> None:
    edge.fault(method="GET", path=".*", status=0, times=1)
    edge.fault(method="GET", path=".*", status=503, times=1)
    assert client.list_all("/accounts")
    assert len(clock.slept) == 2
    edge.fault(method="GET", path=".*", status=503, times=9)
    client.invalidate()
    with pytest.raises(AmbiguousResult, match=r"answered 503.*Run again"):
        client.list_all("/accounts")


def test_client_values_are_collected_once_per_listing(client: Client, edge: Edge) -> None:
    kv = client.account("storage", "kv", "namespaces")
    assert client.values_if_allowed("title", kv) == frozenset()
    client.write("POST", kv, json={"title": "x"})
    values = client.values_if_allowed("title", kv)
    assert values == {"x"} and client.values_if_allowed("title", kv) is values
    edge.fault(method="GET", path=".*", status=403, code=10000, message="Authentication error", times=1)
    client.invalidate()
    assert client.values_if_allowed("title", kv) is None


def test_client_list_all_follows_every_paging_style(client: Client, edge: Edge) -> None:
    kv = client.account("storage", "kv", "namespaces")
    for number in range(13):
        client.write("POST", kv, json={"title": f"n{number}"})
    assert len(client.list_all(kv, per_page=5)) == 13
    d1 = client.account("d1", "database")
    for number in range(20):
        client.write("POST", d1, json={"name": f"n{number}"})
    edge.clear()
    assert len(client.list_all(d1, per_page=10)) == 20 and len(edge.requests()) == 2
    client.write("POST", client.account("workers", "dispatch", "namespaces"), json={"name": "x"})
    namespace = client.list_all(kv, per_page=5)[0]["id"]
    client.write("PUT", f"{kv}/{namespace}/bulk", json=[{"key": f"k{number:02}", "value": "v"} for number in range(25)])
    assert [key["name"] for key in client.list_all(f"{kv}/{namespace}/keys", limit=10)] == [
        f"k{number:02}" for number in range(25)
    ]


def test_client_listing_is_cached_until_write(client: Client, edge: Edge) -> None:
    kv = client.account("storage", "kv", "namespaces")
    client.list_all(kv)
    client.list_all(kv)
    assert len(edge.requests()) == 1
    client.write("POST", kv, json={"title": "x"})
    assert len(client.list_all(kv)) == 1


def test_client_listing_is_shared_between_threads(edge: Edge) -> None:
    client = get_client({})
    kv = client.account("storage", "kv", "namespaces")
    run_in_threads(8, lambda number: client.write("POST", kv, json={"title": f"n{number}"}))
    edge.clear()
    assert [len(found) for found in run_in_threads(8, lambda _number: client.list_all(kv))] == [8] * 8
    assert len(edge.requests()) == 1


def test_client_listing_overtaken_by_write_is_not_cached(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    kv = client.account("storage", "kv", "namespaces")
    read = client._read_pages

    def read_then_write(*arguments: t.Any) -> list[t.Any]:
        found = read(*arguments)
        monkeypatch.undo()
        client.write("POST", kv, json={"title": "x"})
        return found

    monkeypatch.setattr(client, "_read_pages", read_then_write)
    assert client.list_all(kv) == []
    assert len(client.list_all(kv)) == 1


def test_client_concurrent_requests_use_separate_pooled_sessions(edge: Edge) -> None:
    def sockets() -> list[str]:
        return [
            link
            for name in os.listdir("/proc/self/fd")
            if (link := target(f"/proc/self/fd/{name}")).startswith("socket:")
        ]

    def target(link: str) -> str:
        try:
            return os.readlink(link)
        except OSError:
            return ""

    def open_session(_number: int) -> str:
        with client._connections.session() as session:
            barrier.wait(60)
            return hex(id(session))

    client, before = get_client({}), sockets()
    barrier = threading.Barrier(8)
    assert len(set(run_in_threads(8, open_session))) == 8
    for _round in range(5):
        run_in_threads(8, lambda _number: client.call("GET", "/accounts"))
    assert len(client._connections._idle) == 8
    client.close()
    deadline = time.monotonic() + 60
    while len(sockets()) > len(before) and time.monotonic() < deadline:  # the edge closes its ends later
        time.sleep(0.01)
    assert len(sockets()) <= len(before)


def test_client_after_fork_opens_own_connections(edge: Edge) -> None:
    options: dict[str, t.Any] = {"api_token": edge.token, "api_url": edge.api}
    parent_client = get_client(options, {})
    assert parent_client.call("GET", "/accounts").result
    child = os.fork()
    if not child:
        os._exit(
            0
            if get_client(options, {}) is not parent_client and get_client(options, {}).call("GET", "/accounts").result
            else 1
        )
    assert os.waitpid(child, 0)[1] == 0
    assert get_client(options, {}) is parent_client
    close_clients()
    assert get_client(options, {}) is not parent_client


def test_zone_id_for_host_prefers_longest_zone(client: Client, edge: Edge) -> None:
    assert client.zone_id_for_host("*.a.shop.example.com") == edge.zones["shop.example.com"]
    assert client.zone_id_for_host("a.example.com") == edge.zones["example.com"]
    assert client.zone_id_for_host("notexample.com") is None


def test_credentials_options_override_environment() -> None:
    environ = {"CLOUDFLARE_API_TOKEN": "from-environment", "CLOUDFLARE_API_KEY": "k", "CLOUDFLARE_EMAIL": "e"}
    assert Credentials.resolve(None, None, None, environ).headers == {"Authorization": "Bearer from-environment"}
    assert Credentials.resolve("given", None, None, environ).headers == {"Authorization": "Bearer given"}
    assert Credentials.resolve(None, "given", None, environ).headers == {"X-Auth-Key": "given", "X-Auth-Email": "e"}
    with pytest.raises(CloudflareError, match="no credentials are set"):
        Credentials.resolve(None, None, None, {})
    assert "given" not in repr(Credentials.resolve("given", None, None, {}))


def test_credentials_api_key_authenticates(run: Runner) -> None:
    with running(key="0123456789abcdef0123456789abcdef01234", email="ops@example.com") as edge:
        options = {
            "api_url": edge.api,
            "account_id": edge.account,
            "api_key": "0123456789abcdef0123456789abcdef01234",
            "email": "ops@example.com",
        }
        assert run.ok("kv_namespace", title="x", **options)["changed"]


def test_get_client_with_same_credentials_returns_same_client(edge: Edge) -> None:
    options: dict[str, t.Any] = {"api_token": "a", "api_url": edge.api}
    assert get_client(options, {}) is get_client(options, {})
    assert get_client(options, {}) is not get_client({**options, "api_token": "b"}, {})
    assert get_client(options, {}) is not get_client({**options, "account_id": "c"}, {})


def test_api_error_code_is_interpreted_by_product() -> None:
    assert (
        join("accounts", "a", "storage", "kv", "namespaces", "n", "values", "a/b c")
        == "/accounts/a/storage/kv/namespaces/n/values/a%2Fb%20c"
    )
    script = "/accounts/a/workers/dispatch/namespaces/n/scripts/s"
    assert product_of(script) == "script" and product_of("/zones/z/workers/routes") == "route"
    assert ApiError("GET", script, 400, 10007, "").is_not_found
    assert not ApiError("GET", "/accounts/a/storage/kv/namespaces", 400, 10007, "").is_not_found
    assert not ApiError("GET", script, 404, NOT_AN_API_RESPONSE, "").is_not_found, "nor is a response of another server"
    assert not ApiError("GET", script, 404, 7003, "").is_not_found, "a wrong account is not an absent Worker"


def test_client_response_without_envelope_is_reported(edge: Edge, run: Runner) -> None:
    site = edge.api.removesuffix("/client/v4")
    assert "check that api_url ends in /client/v4" in run.refused("dispatch_namespace", name="x", api_url=site)


def odd_dates(ahead: int) -> list[tuple[str, int]]:
    """Return headers that change nothing: without a date, or with one that cannot be."""
    dates = (
        "",
        "Wed, 31 Feb 99999 25:61:61 GMT",
        "Mon, 01 Jan 9999999999999999999 00:00:00 GMT",
        "Wed, 01 Jan 2026 99999999999:00:00 GMT",
        "Wed, 01 Jan 2026 10:00:00 +9999999999",
        "Mon, 01 Jan 1900 00:00:00 GMT",
        "Mon, 01 Jan 2125 00:00:00 GMT",
    )
    return [(date, ahead) for date in dates]


def test_client_server_time_follows_date_header(monkeypatch: pytest.MonkeyPatch) -> None:
    response = requests.Response()
    response.status_code, response._content = 200, b'{"success": true, "result": 1}'
    monkeypatch.setattr(requests.Session, "request", lambda *_arguments, **_options: response)
    client = Client(Credentials.resolve("token", None, None, {}))
    for date_header, ahead in (("soon", 0), (email.utils.formatdate(time.time() + 3600), 3600), *odd_dates(3600)):
        response.headers.update({"Content-Type": "application/json", "Date": date_header})
        assert client.call("GET", "/x").result == 1
        assert abs(client.server_time() - time.time() - ahead) < 2


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        (None, (0, "no reason given")),
        ("text", (0, "text")),
        ({"code": 10021, "message": "one"}, (10021, "one")),
        ([["a"], 7, True], (0, "['a']; 7; True")),
        ([{"code": "E_X", "message": "refused"}], (0, "refused (E_X)")),
        ([{"code": "E_X"}], (0, "(E_X)")),
        ([{"code": "9" * 5000}], (0, f"({'9' * 3999}... (5002 characters)")),
        ([{"code": 1.5, "message": "\x1b[31mred\nline", "error_chain": "why"}], (0, "\ufffd[31mred\nline: why")),
        ([None, {}, []], (0, "no reason given")),
        ([{"code": None, "message": None, "error_chain": None}], (0, "no reason given")),
        ([{"code": "x", "message": 7}], (0, "7 (x)")),
        ([{"message": "first"}, {"code": "10021", "message": "second"}], (10021, "first; second")),
        ([{"code": 6003, "message": "a", "error_chain": [None, {}, {"message": "b"}]}], (6003, "a: b")),
    ],
)
def test_parse_errors_thin_envelope_has_no_exception(errors: t.Any, expected: tuple[int, str]) -> None:
    assert parse_errors({"success": False, "errors": errors}) == expected
    assert parse_errors({}) == (0, "no reason given")
    assert parse_errors({"error": "denied"}) == (0, "denied")


def test_list_unshaped_response_without_list_is_refused(run: Runner, edge: Edge) -> None:
    run.ok("dispatch_namespace", name="tenants")
    path = f"/accounts/{edge.account}/workers/dispatch/namespaces/tenants"
    result = run("api", path=path, paginate=True)
    assert result["failed"] and "the response is not a list" in result["msg"]


def test_api_module_returns_responses_unchanged(run: Runner, edge: Edge) -> None:
    run.ok("dispatch_namespace", name="tenants")
    edge.behaviors.namespace_optional_fields, edge.behaviors.list_item_form = "neither", "nested"
    path = f"/accounts/{edge.account}/workers/dispatch/namespaces/tenants"
    assert "trusted_workers" not in run.ok("api", path=path)["api"]
    code = {"content": "export default { fetch() {} };", "compatibility_date": "2026-11-01"}
    run.ok("namespaced_worker", dispatch_namespace="tenants", name="a", **code)
    for paginate in (False, True):
        (listed,) = run.ok("api", path=f"{path}/scripts", paginate=paginate)["api"]
        assert listed["script"]["id"] == "a" and "id" not in listed
