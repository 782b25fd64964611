# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which responses are successes, errors or ambiguous, by status, content type and body."""

from __future__ import annotations

import json
import typing as t

import pytest
import requests
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import (
    AmbiguousResult,
    ApiError,
    MalformedResponse,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.responses import (
    ApiResponse,
    apply_shape,
    parse_json,
    read_response,
)

JSON = "application/json"
UNKNOWN_PATH = "/accounts/a/no/such/endpoint"
QUEUES = "/accounts/a/queues"
URL = "https://api.example.com/client/v4"


def response(
    status: int, body: t.Any = b"", content_type: str = "application/json", **headers: str
) -> requests.Response:
    made = requests.Response()
    made.status_code, made.reason = status, "Reason"
    made._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    length = str(len(made.content))
    made.headers.update({"Content-Type": content_type, "Content-Length": length, "CF-Ray": "8c1", **headers})
    return made


def read(status: int, *args: t.Any, method: str = "PUT", path: str = UNKNOWN_PATH, **headers: str) -> ApiResponse:
    return read_response(method, path, response(status, *args, **headers), URL)


SUCCESS = {"success": True, "result": {"id": "x"}, "result_info": {"page": 1}}
FAILURE = {"success": False, "errors": [{"code": 10021, "message": "no"}]}


@pytest.mark.parametrize("status", [200, 201, 202, 299])
def test_envelope_of_success_is_read(status: int) -> None:
    found = read(status, SUCCESS, **{"cf-entrypoint": "main.js"})
    assert (found.result, found.info, found.ray_id, found.entrypoint) == ({"id": "x"}, {"page": 1}, "8c1", "main.js")
    assert json.loads(found.content) == SUCCESS and found.not_found_code == 0
    assert read(status, {"success": True, "result_info": None}).info == {}


@pytest.mark.parametrize("status", [200, 302, 400, 407, 409, 429, 499])
def test_envelope_of_failure_is_an_error(status: int) -> None:
    with pytest.raises(ApiError) as raised:
        read(status, FAILURE, **{"Retry-After": "7"})
    error = raised.value
    assert (error.status, error.code, error.message, error.ray_id, error.retry_after) == (status, 10021, "no", "8c1", 7)


@pytest.mark.parametrize("status", [408, 500, 502, 599])
@pytest.mark.parametrize("body", [FAILURE, SUCCESS, b"<html>"])
def test_status_of_server_error_is_ambiguous(status: int, body: t.Any) -> None:
    with pytest.raises(AmbiguousResult, match=rf"{status}.*ray 8c1"):
        read(status, body)


@pytest.mark.parametrize("status", [300, 301, 304, 307, 399])
def test_redirect_is_an_error_that_names_its_target(status: int) -> None:
    with pytest.raises(ApiError, match=r"redirect to 'https://login.example.com/'"):
        read(status, b"", Location="https://login.example.com/")
    with pytest.raises(ApiError) as raised:
        read(status, SUCCESS)
    assert "redirect to" not in str(raised.value) and raised.value.code == -1


@pytest.mark.parametrize("status", [199, 404, 403])
def test_error_without_envelope_is_not_the_api_s(status: int) -> None:
    if status < 300:
        with pytest.raises(AmbiguousResult):
            read(status, b"<html>", "text/html")
        return
    with pytest.raises(ApiError) as raised:
        read(status, b"<html>", "text/html")
    assert raised.value.code == -1 and not raised.value.is_not_found
    assert "redirect" not in str(raised.value)


FORMS = {
    "envelope": (SUCCESS, "application/json"),
    "json": ({"a": 1}, "application/json"),
    "bytes": (b"content", "application/octet-stream"),
    "empty": (b"", "text/plain"),
    "broken": (b'{"success": true', "application/json"),
    "html": (b"<html>", "text/html; charset=utf-8"),
    "null": (b"null", "application/json"),
}


@pytest.mark.parametrize(
    ("method", "path", "accepted"),
    [
        ("PUT", UNKNOWN_PATH, {"envelope", "json", "bytes", "empty"}),
        ("POST", QUEUES, {"envelope"}),
        ("GET", QUEUES, {"envelope"}),
        ("GET", "/accounts/a/storage/kv/namespaces/n/values/k", {"json", "bytes", "empty", "broken", "html", "null"}),
    ],
)
def test_success_is_believed_in_the_forms_of_its_endpoint(method: str, path: str, accepted: set[str]) -> None:
    believed = set()
    for form, (body, content_type) in FORMS.items():
        try:
            found = read_response(method, path, response(200, body, content_type), URL)
        except AmbiguousResult as error:
            problem = str(error)
            assert "not one of this endpoint" in problem
        else:
            believed.add(form)
            assert found.content_type == content_type
    assert believed - {"envelope"} <= accepted - {"envelope"}
    assert accepted - {"broken", "html", "null"} <= believed


def test_json_of_unknown_endpoint_without_envelope_is_its_result() -> None:
    assert read(200, {"a": 1}).result == {"a": 1} and read(200, [1], method="GET").result == [1]
    assert read(200, b"text", "text/plain").content == b"text"
    assert read(200, {"success": "yes", "result": 1}).result == {"success": "yes", "result": 1}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        *((b'{"a": [1, null]}', {"a": [1, None]}), (b"", None), (b"{", None), (b"\xff", None)),
        *((b"NaN", None), (b"[Infinity]", None), (b"[" * 100_000, None)),
        (
            rb'{"\ud800a": ["\udfff", {"b": "\ud83d\ude00"}], "c": 1}',
            {"\ufffda": ["\ufffd", {"b": "\U0001f600"}], "c": 1},
        ),
        ('"ü"'.encode(), "ü"),
    ],
)
def test_parse_json_never_fails(content: bytes, expected: t.Any) -> None:
    assert parse_json(content) == expected


@pytest.mark.parametrize(("method", "error"), [("GET", MalformedResponse), ("POST", AmbiguousResult)])
def test_response_without_required_key_is_refused(method: str, error: type[Exception]) -> None:
    result: t.Any = [{}] if method == "GET" else {}
    path = "/zones/z/dns_records"
    with pytest.raises(error, match="ray none"):
        apply_shape(method, path, ApiResponse(result))
    with pytest.raises(error, match="ray 8c1"):
        apply_shape(method, path, ApiResponse(result, ray_id="8c1"))


def test_response_of_unknown_endpoint_or_missing_object_has_no_shape() -> None:
    for path, found in ((UNKNOWN_PATH, ApiResponse({})), (QUEUES, ApiResponse(None, not_found_code=404))):
        assert apply_shape("GET", path, found) is found
