# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Envelope, credentials, paths, rate limit and faults of the control plane, and the edge's interface for tests."""

from __future__ import annotations

import re
import time
from datetime import datetime
from email.utils import parsedate_to_datetime

import pytest
import requests
from control_plane import Client
from local_edge.testing import running


def test_response_any_status_is_envelope_with_ray_id(client: Client) -> None:
    success, failure = client.send("GET", "/accounts"), client.send("GET", "/nowhere")
    assert set(success.json()) == {"success", "errors", "messages", "result", "result_info"}
    assert set(failure.json()) == {"success", "errors", "messages", "result"}
    for response in (success, failure):
        assert re.fullmatch(r"[0-9a-f]{16}-\w+", response.headers["cf-ray"])


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, (400, 9106)),
        ({"X-Auth-Key": "k"}, (400, 9106)),
        ({"Authorization": "Basic x"}, (400, 6003)),
        ({"Authorization": "Bearer"}, (400, 6003)),
        ({"Authorization": "Bearer wrong"}, (403, 9109)),
        ({"X-Auth-Key": "k", "X-Auth-Email": "e@example.com"}, (403, 9103)),
    ],
)
def test_request_invalid_credentials_is_refused(
    client: Client, headers: dict[str, str], expected: tuple[int, int]
) -> None:
    response = requests.get(f"{client.edge.api}/accounts", headers=headers, timeout=5)
    assert (response.status_code, response.json()["errors"][0]["code"]) == expected


def test_request_malformed_authorization_header_returns_error_chain(client: Client) -> None:
    error = requests.get(f"{client.edge.api}/accounts", headers={"Authorization": "x"}, timeout=5).json()["errors"][0]
    assert error["error_chain"] == [{"code": 6111, "message": "Invalid format for Authorization header"}]


def test_request_global_api_key_is_accepted() -> None:
    with running(key="k3y", email="me@example.com") as edge:
        headers = {"X-Auth-Key": "k3y", "X-Auth-Email": "me@example.com"}
        assert requests.get(f"{edge.api}/accounts", headers=headers, timeout=5).ok


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/nowhere", (404, 7003)),
        ("GET", "/accounts/short/workers/scripts", (404, 7003)),
        ("GET", f"/accounts/{'a' * 32}/workers/scripts", (403, 9109)),
        ("GET", f"/zones/{'a' * 32}/workers/routes", (403, 9109)),
        ("PATCH", "/workers/scripts", (405, 10405)),
        ("DELETE", "/workers/scripts", (405, 10405)),
    ],
)
def test_request_unknown_path_or_method_is_refused(
    client: Client, method: str, path: str, expected: tuple[int, int]
) -> None:
    assert client.error(method, path) == expected


def test_account_endpoints_valid_token_return_tokens_accounts_and_zones(client: Client) -> None:
    for path in ("/user/tokens/verify", "/tokens/verify"):
        assert client.call("GET", path)["status"] == "active"
    assert [one["id"] for one in client.call("GET", "/accounts")] == [client.edge.account]
    assert client.call("GET", "")["name"] == "Local Edge"
    assert [one["name"] for one in client.call("GET", "/zones")] == ["platform.localhost", "example.com"]
    assert [one["name"] for one in client.call("GET", "/zones?name=example.com")] == ["example.com"]
    assert client.call("GET", "/zones?name=contains:nothing") == []
    assert client.call("GET", f"/zones?account.id={'b' * 32}") == []
    zone = client.edge.zones["example.com"]
    assert client.call("GET", f"/zones/{zone}")["account"]["id"] == client.edge.account


def test_listing_page_parameters_returns_requested_page() -> None:
    with running(zones=[f"z{number:02}.example" for number in range(12)]) as edge:
        client = Client.__new__(Client)
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {edge.token}"
        client.session = session
        body = session.get(f"{edge.api}/zones?per_page=5&page=3").json()
        assert [one["name"] for one in body["result"]] == ["z10.example", "z11.example"]
        assert body["result_info"] == {"page": 3, "per_page": 5, "count": 2, "total_count": 12, "total_pages": 3}
        assert session.get(f"{edge.api}/zones?per_page=4").json()["errors"][0]["code"] == 10004


def test_rate_limit_exceeded_returns_429_until_reset() -> None:
    with running(rate_limit="3/60/120") as edge:
        headers = {"Authorization": f"Bearer {edge.token}"}
        responses = [requests.get(f"{edge.api}/accounts", headers=headers, timeout=5) for _try in range(5)]
        assert [response.status_code for response in responses] == [200, 200, 200, 429, 429]
        assert responses[0].headers["Ratelimit-Policy"] == '"default";q=3;w=60'
        assert re.fullmatch(r'"default";r=2;t=(59|60)', responses[0].headers["Ratelimit"])
        assert responses[3].json()["errors"] == [
            {"code": 971, "message": "Please wait and consider throttling your request speed"}
        ]
        assert responses[3].headers["Retry-After"] == "120"
        assert responses[4].headers["Ratelimit"].startswith('"default";r=0;t=1')
        edge.reset()
        assert requests.get(f"{edge.api}/accounts", headers=headers, timeout=5).ok


def test_request_log_several_requests_lists_reads_and_writes(client: Client) -> None:
    before = time.time()
    client.call("GET", "/accounts")
    client.namespace("n")
    kv = client.kv()
    client.call("POST", f"/storage/kv/namespaces/{kv}/bulk/get", json={"keys": ["a"]})
    client.call("PUT", f"/storage/kv/namespaces/{kv}/values/a%2Fb", data=b"x")
    account = client.account
    assert client.edge.writes() == [
        f"POST {account}/workers/dispatch/namespaces",
        f"POST {account}/storage/kv/namespaces",
        f"PUT {account}/storage/kv/namespaces/{kv}/values/a%2Fb",
    ]
    first = client.edge.requests()[0]
    assert (first["method"], first["path"], first["status"], first["write"]) == ("GET", "/accounts", 200, False)
    timestamps = [before, *(one["at"] for one in client.edge.requests()), time.time()]
    assert timestamps == sorted(timestamps)
    log = client.session.get(client.edge.api.replace("/client/v4", "/_edge/requests")).json()
    assert (log["reads"], log["writes"]) == (2, 3)
    client.session.delete(client.edge.api.replace("/client/v4", "/_edge/requests"))
    assert client.edge.requests() == []


def test_fault_before_or_after_handler_decides_whether_write_is_applied(client: Client) -> None:
    client.edge.fault(method="POST", path="/namespaces$", status=502, code=10002, message="lost")
    assert client.error("POST", "/workers/dispatch/namespaces", json={"name": "n"}) == (502, 10002)
    assert client.call("GET", "/workers/dispatch/namespaces") == []
    client.edge.fault(method="POST", path="/namespaces$", status=502, when="after")
    assert client.error("POST", "/workers/dispatch/namespaces", json={"name": "n"})[0] == 502
    assert [one["namespace_name"] for one in client.call("GET", "/workers/dispatch/namespaces")] == ["n"]


def test_fault_status_0_drops_connection(client: Client) -> None:
    client.edge.fault(path="/accounts$", status=0, times=2)
    for _attempt in range(2):
        with pytest.raises(requests.ConnectionError):
            client.send("GET", "/accounts")
    assert client.send("GET", "/accounts").ok


def test_faults_endpoint_valid_and_invalid_faults_sets_headers_or_refuses(client: Client) -> None:
    url = client.edge.api.replace("/client/v4", "/_edge/faults")
    assert client.session.post(
        url, json={"path": "/accounts", "status": 429, "code": 971, "headers": {"Retry-After": "7"}}
    ).ok
    assert client.send("GET", "/accounts").headers["Retry-After"] == "7"
    assert client.session.post(url, json={"path": "(", "status": 500}).status_code == 400
    assert (
        client.session.post(url, json={"when": "later", "status": 500}).json()["errors"][0]["message"]
        == "`when` must be before or after"
    )
    for invalid_fault in (
        {"status": 200, "times": "x"},
        {"status": 500, "headers": 5},
        {"status": 500, "message": 5},
        {"status": True},
        {"code": 5},
    ):
        assert client.session.post(url, json=invalid_fault).status_code == 400
    client.session.delete(url)


def test_behaviors_endpoint_valid_and_invalid_values_sets_or_refuses(client: Client) -> None:
    url = client.edge.api.replace("/client/v4", "/_edge/behaviors")
    assert client.session.get(url).json()["missing_script_response"]["choices"] == ["10092", "null", "10007"]
    assert (
        client.session.post(url, json={"missing_script_response": "null"}).json()["missing_script_response"]["value"]
        == "null"
    )
    assert (
        "one of 10092" in client.session.post(url, json={"missing_script_response": "x"}).json()["errors"][0]["message"]
    )


def test_handler_raises_returns_500_and_logs_no_secret(
    client: Client, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("".join(["with s3", "cret inside"]))

    monkeypatch.setattr("local_edge.model.kv.create_namespace", fail)
    assert client.error("POST", "/storage/kv/namespaces", json={"title": "t"}) == (500, 10002)
    logged = capfd.readouterr().err
    assert "RuntimeError" in logged
    assert "s3cret" not in logged


def test_clock_ahead_dates_responses_and_objects_and_expires_keys(client: Client) -> None:
    """A day is far above what a slow machine could take."""
    namespace = client.kv()
    client.call("PUT", f"/storage/kv/namespaces/{namespace}/values/k?expiration_ttl=60", data="v")
    url = f"{client.edge.api.removesuffix('/client/v4')}/_edge/clock"
    begin = parsedate_to_datetime(client.send("GET", "/workers/dispatch/namespaces").headers["date"])
    assert client.session.post(url, json={"offset": 86400}).json()["offset"] == 86400
    response = client.send("GET", f"/storage/kv/namespaces/{namespace}/keys")
    assert response.json()["result"] == []
    assert (parsedate_to_datetime(response.headers["date"]) - begin).total_seconds() >= 86400
    client.namespace("late")
    created = client.call("GET", "/workers/dispatch/namespaces/late")["created_on"]
    assert (datetime.fromisoformat(created.replace("Z", "+00:00")) - begin).total_seconds() >= 86400


@pytest.mark.parametrize("offset", ["1", None, True, [1]])
def test_clock_offset_that_is_no_number_is_refused(client: Client, offset: object) -> None:
    url = f"{client.edge.api.removesuffix('/client/v4')}/_edge/clock"
    assert client.session.post(url, json={"offset": offset}).status_code == 400
    assert client.edge.clock.offset == 0
