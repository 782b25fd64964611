# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Responses of the API: the envelope, and the shape of the endpoint. No other response is believed."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field, replace

from . import network_errors, shapes
from .errors import NOT_AN_API_RESPONSE, AmbiguousResult, ApiError, MalformedResponse, parse_errors, printable
from .items import ShapeError
from .rate_limit_state import retry_after

if t.TYPE_CHECKING:
    import requests

PROBLEMS: t.Mapping[shapes.Form, str] = {
    "json": "it is JSON without the API's envelope",
    "bytes": "it is not JSON",
    "empty": "it is empty",
    "endless": "it has no length, so that its end is unknown",
    "envelope": "it contains an envelope instead of a file",
    "unknown": "it is neither JSON that can be parsed nor a file",
}
LENGTH_HEADERS = ("Content-Length", "Transfer-Encoding")
REQUEST_TIMEOUT = 408  # a status after which the request may still be carried out
MAX_LOCATION = 200  # characters of the target of a redirect in messages
SURROGATES = re.compile(rb"(?i)\\ud[89a-f]|\xed[\xa0-\xbf]")  # encoded in JSON; possibly valid pairs
LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class ApiResponse:
    """A successful response: ``result`` and ``info`` of the envelope, and the body.

    ``not_found_code`` is the code or status of a "not found" response, else 0. ``entrypoint`` names the main module of
    the code of a Worker.
    """

    result: t.Any = None
    info: t.Mapping[str, t.Any] = field(default_factory=dict)
    content: bytes = b""
    content_type: str = ""
    not_found_code: int = 0
    entrypoint: str = ""
    ray_id: str = ""


def read_response(method: str, path: str, response: requests.Response, url: str) -> ApiResponse:
    """Read a response of the API at ``url``.

    Raise ApiError for an error response and for a redirect. Raise AmbiguousResult if the response is neither an error
    nor a success in a form of the endpoint: the request may have been carried out.
    """
    content_type, ray_id = response.headers.get("Content-Type", ""), response.headers.get("CF-Ray", "")
    status, body = response.status_code, _parse_body(response, content_type)
    code, message = NOT_AN_API_RESPONSE, printable(response.reason or "unknown error")
    if _has_envelope(body) and not body["success"]:
        code, message = parse_errors(body)
    elif 200 <= status < 300:
        form = _form_of(response, content_type, body)
        if is_believed(method, path, form, status, body):
            return _success(response, content_type, ray_id, body)
        message = f"{message}. The response is not one of this endpoint: {PROBLEMS[form]}"
    elif 300 <= status < 400:
        location = printable(response.headers.get("Location", ""), MAX_LOCATION)
        message = f"{message}, a redirect to {location!r}" if location else message
    if code == NOT_AN_API_RESPONSE:
        message = f"{message} ({network_errors.not_an_api_response(url)})"
    if status >= 500 or status == REQUEST_TIMEOUT or (code == NOT_AN_API_RESPONSE and status < 300):
        raise AmbiguousResult(
            f"Cloudflare answered {status}: {message}. Run again. [{method} {path}, ray {ray_id or 'none'}]"
        )
    raise ApiError(method, path, status, code, message, ray_id, retry_after=retry_after(response.headers))


def is_believed(method: str, path: str, form: shapes.Form, status: int, body: t.Any) -> bool:
    """Return whether a successful response has a form of its endpoint. Other endpoints have any form of the API."""
    shape = shapes.find(method, path)
    return form != "unknown" if shape is None else shape.accepts(form, status, body)


def _parse_body(response: requests.Response, content_type: str) -> t.Any:
    return parse_json(response.content) if "json" in content_type else None


def _has_envelope(body: t.Any) -> bool:
    return isinstance(body, dict) and isinstance(body.get("success"), bool)


def _form_of(response: requests.Response, content_type: str, body: t.Any) -> shapes.Form:
    if _has_envelope(body):
        return "envelope"
    if "json" in content_type and response.content:
        return "unknown" if body is None else "json"
    if not _has_end(response):
        return "endless"
    if not response.content:
        return "empty"
    return "unknown" if "text/html" in content_type else "bytes"


def _has_end(response: requests.Response) -> bool:
    """Whether the response is known to be whole. It may be cut in its headers, too, which is no error of HTTP."""
    return response.status_code == 204 or any(name in response.headers for name in LENGTH_HEADERS)


def _success(response: requests.Response, content_type: str, ray_id: str, body: t.Any) -> ApiResponse:
    envelope = body if _has_envelope(body) else {"result": body}
    info = envelope.get("result_info")
    return ApiResponse(
        envelope.get("result"),
        info if isinstance(info, dict) else {},
        response.content,
        content_type,
        entrypoint=response.headers.get("cf-entrypoint", ""),
        ray_id=ray_id,
    )


def parse_json(content: bytes) -> t.Any:
    """Parse JSON, with U+FFFD for lone surrogates. Return None if the content is not valid, or is too deep."""
    try:
        value = json.loads(content, parse_constant=_refuse_constant)
        return _without_surrogates(value) if SURROGATES.search(content) else value
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> t.NoReturn:
    raise ValueError(f"{name} is not JSON")


def _without_surrogates(value: t.Any) -> t.Any:
    if isinstance(value, str):
        return LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(each) for each in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(each) for key, each in value.items()}
    return value


def apply_shape(method: str, path: str, response: ApiResponse) -> ApiResponse:
    """Return a response in the shape of its endpoint. Other endpoints' responses are returned unchanged."""
    shape = shapes.find(method, path)
    if shape is None or response.not_found_code:
        return response
    try:
        return replace(response, result=shape.apply(response.result))
    except ShapeError as error:
        message = (
            f"{method} {path}: the response {error}. Run again. If that does not help, check that api_url is the"
            f" Cloudflare API. [ray {response.ray_id or 'none'}]"
        )
        if method == "GET" or shape.is_read:
            raise MalformedResponse(message) from error
        raise AmbiguousResult(message) from error
