# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the API is spoken to: retries by safety, threads, paging, zones."""

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
    product_of,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.rate_limiter import RateLimiter
from concurrency import Clock, at_once
from harness import Runner
from local_edge.testing import Edge, running


@pytest.fixture
def client(edge: Edge, clock: Clock) -> Client:
    credentials = Credentials.resolve(edge.token, None, None, {})
    return Client(
        credentials, url=edge.api, account_id=edge.account, rate_limiter=RateLimiter({}, clock=clock, sleep=clock.sleep)
    )


def test_a_refusal_is_waited_out_for_as_long_as_it_says(client: Client, edge: Edge, clock: Clock) -> None:
    edge.fault(
        method="POST", path=".*", status=429, code=971, message="slow down", headers={"Retry-After": "7"}, times=2
    )
    client.write("POST", client.account("storage", "kv", "namespaces"), json={"title": "x"})
    assert clock.slept == [7.0, 7.0]
    assert len(client.list_all(client.account("storage", "kv", "namespaces"))) == 1


def test_a_wait_of_hours_is_told_and_not_slept(client: Client, edge: Edge, clock: Clock) -> None:
    edge.fault(
        method="GET", path=".*", status=429, code=971, message="slow down", headers={"Retry-After": "7200"}, times=1
    )
    with pytest.raises(ApiError, match="asks to wait 7200 s"):
        client.list_all("/accounts")
    assert not clock.slept


def test_concurrent_changes_are_tried_again(client: Client, edge: Edge) -> None:
    edge.fault(
        method="POST", path=".*", status=409, code=10035, message="Multiple attempts to modify a resource", times=1
    )
    client.write("POST", client.account("storage", "kv", "namespaces"), json={"title": "x"})


def test_a_bad_token_is_not_tried_again(edge: Edge, clock: Clock) -> None:
    wrong = Client(
        Credentials.resolve("wrong-token-wrong-token", None, None, {}),
        url=edge.api,
        rate_limiter=RateLimiter({}, clock=clock, sleep=clock.sleep),
    )
    with pytest.raises(ApiError, match="Check api_token"):
        wrong.list_all("/accounts")
    assert len(edge.requests()) == 1 and not clock.slept


def test_reads_survive_lost_connections_and_bad_gateways(client: Client, edge: Edge, clock: Clock) -> None:
    edge.fault(method="GET", path=".*", status=0, times=1)
    edge.fault(method="GET", path=".*", status=503, times=1)
    assert client.list_all("/accounts")
    assert len(clock.slept) == 2
    edge.fault(method="GET", path=".*", status=503, times=9)
    client.invalidate()
    with pytest.raises(AmbiguousResult, match=r"answered 503.*Run again"):
        client.list_all("/accounts")


def test_every_style_of_paging_is_followed(client: Client, edge: Edge) -> None:
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


def test_a_listing_is_remembered_until_a_write(client: Client, edge: Edge) -> None:
    kv = client.account("storage", "kv", "namespaces")
    client.list_all(kv)
    client.list_all(kv)
    assert len(edge.requests()) == 1
    client.write("POST", kv, json={"title": "x"})
    assert len(client.list_all(kv)) == 1


def test_threads_share_what_one_of_them_listed(edge: Edge) -> None:
    client = get_client({})
    kv = client.account("storage", "kv", "namespaces")
    at_once(8, lambda number: client.write("POST", kv, json={"title": f"n{number}"}))
    edge.clear()
    assert [len(found) for found in at_once(8, lambda _number: client.list_all(kv))] == [8] * 8
    assert len(edge.requests()) == 1


def test_a_listing_that_a_write_overtakes_is_not_remembered(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    kv = client.account("storage", "kv", "namespaces")
    read = client._pages

    def overtaken(*arguments: t.Any) -> list[t.Any]:
        found = read(*arguments)
        monkeypatch.undo()
        client.write("POST", kv, json={"title": "x"})
        return found

    monkeypatch.setattr(client, "_pages", overtaken)
    assert client.list_all(kv) == []
    assert len(client.list_all(kv)) == 1


def test_a_request_in_flight_has_a_connection_to_itself_and_leaves_it_to_the_next(edge: Edge) -> None:
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

    def ask(_number: int) -> str:
        with client._session() as session:
            everybody.wait(10)
            return hex(id(session))

    client, before = get_client({}), sockets()
    everybody = threading.Barrier(8)
    assert len(set(at_once(8, ask))) == 8
    for _round in range(5):
        at_once(8, lambda _number: client.call("GET", "/accounts"))
    assert len(client._session_pool) == 8
    client.close()
    deadline = time.monotonic() + 5
    while len(sockets()) > len(before) and time.monotonic() < deadline:  # the edge closes its ends in its own time
        time.sleep(0.01)
    assert len(sockets()) <= len(before)


def test_a_fork_has_connections_of_its_own(edge: Edge) -> None:
    options: dict[str, t.Any] = {"api_token": edge.token, "api_url": edge.api}
    ours = get_client(options, {})
    assert ours.call("GET", "/accounts").result
    child = os.fork()
    if not child:
        os._exit(
            0 if get_client(options, {}) is not ours and get_client(options, {}).call("GET", "/accounts").result else 1
        )
    assert os.waitpid(child, 0)[1] == 0
    assert get_client(options, {}) is ours
    close_clients()
    assert get_client(options, {}) is not ours


def test_the_longest_zone_wins(client: Client, edge: Edge) -> None:
    assert client.zone_id_for_host("*.a.shop.example.com") == edge.zones["shop.example.com"]
    assert client.zone_id_for_host("a.example.com") == edge.zones["example.com"]
    assert client.zone_id_for_host("notexample.com") is None


def test_options_beat_the_environment() -> None:
    environ = {"CLOUDFLARE_API_TOKEN": "from-environment", "CLOUDFLARE_API_KEY": "k", "CLOUDFLARE_EMAIL": "e"}
    assert Credentials.resolve(None, None, None, environ).headers == {"Authorization": "Bearer from-environment"}
    assert Credentials.resolve("given", None, None, environ).headers == {"Authorization": "Bearer given"}
    assert Credentials.resolve(None, "given", None, environ).headers == {"X-Auth-Key": "given", "X-Auth-Email": "e"}
    with pytest.raises(CloudflareError, match="No credentials"):
        Credentials.resolve(None, None, None, {})
    assert "given" not in repr(Credentials.resolve("given", None, None, {}))


def test_a_key_works_as_a_token_does(run: Runner) -> None:
    with running(key="0123456789abcdef0123456789abcdef01234", email="ops@example.com") as edge:
        options = {
            "api_url": edge.api,
            "account_id": edge.account,
            "api_key": "0123456789abcdef0123456789abcdef01234",
            "email": "ops@example.com",
        }
        assert run.ok("kv_namespace", title="x", **options)["changed"]


def test_one_client_for_one_set_of_credentials(edge: Edge) -> None:
    options: dict[str, t.Any] = {"api_token": "a", "api_url": edge.api}
    assert get_client(options, {}) is get_client(options, {})
    assert get_client(options, {}) is not get_client({**options, "api_token": "b"}, {})
    assert get_client(options, {}) is not get_client({**options, "account_id": "c"}, {})


def test_codes_are_read_by_family() -> None:
    assert (
        join("accounts", "a", "storage", "kv", "namespaces", "n", "values", "a/b c")
        == "/accounts/a/storage/kv/namespaces/n/values/a%2Fb%20c"
    )
    script = "/accounts/a/workers/dispatch/namespaces/n/scripts/s"
    assert product_of(script) == "script" and product_of("/zones/z/workers/routes") == "route"
    assert ApiError("GET", script, 400, 10007, "").is_not_found
    assert not ApiError("GET", "/accounts/a/storage/kv/namespaces", 400, 10007, "").is_not_found
    assert not ApiError("GET", script, 404, NOT_AN_API_RESPONSE, "").is_not_found, "nor is what another server has not"
    assert not ApiError("GET", script, 404, 7003, "").is_not_found, "a wrong account is not an absent Worker"


def test_other_answers_than_the_envelope_are_told(edge: Edge, run: Runner) -> None:
    site = edge.api.removesuffix("/client/v4")
    assert "check that api_url ends in /client/v4" in run.refused("dispatch_namespace", name="x", api_url=site)


def test_the_clock_of_the_api_counts_where_it_tells_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = requests.Response()
    answer.status_code, answer._content = 200, b'{"success": true, "result": 1}'
    monkeypatch.setattr(requests.Session, "request", lambda *_arguments, **_options: answer)
    client = Client(Credentials.resolve("token", None, None, {}))
    for told, ahead in (("soon", 0), (email.utils.formatdate(time.time() + 3600), 3600), ("", 3600)):
        answer.headers.update({"Content-Type": "application/json", "Date": told})
        assert client.call("GET", "/x").result == 1
        assert abs(client.server_time() - time.time() - ahead) < 2
