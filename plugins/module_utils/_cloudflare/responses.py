# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Responses of the API: the envelope, the shape of the endpoint, and the parameters of the next page."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field, replace

from . import network_errors, shapes
from .errors import NOT_AN_API_RESPONSE, AmbiguousResult, ApiError, MalformedResponse, parse_errors
from .items import ShapeError
from .rate_limit_state import retry_after

if t.TYPE_CHECKING:
    import requests


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
    is_bare: bool = False
    """Whether the result is JSON without an envelope."""


def read_response(method: str, path: str, response: requests.Response, url: str) -> ApiResponse:
    """Read a response of the API at ``url``, with or without an envelope.

    Raise ApiError or AmbiguousResult if it is not a success.
    """
    content_type, ray_id = response.headers.get("Content-Type", ""), response.headers.get("CF-Ray", "")
    envelope = parse_json(response.content) if "json" in content_type else None
    if isinstance(envelope, dict) and "success" in envelope:
        if envelope["success"] and response.ok:
            info = envelope.get("result_info")
            return ApiResponse(
                envelope.get("result"),
                info if isinstance(info, dict) else {},
                response.content,
                content_type,
                ray_id=ray_id,
            )
        code, message = parse_errors(envelope)
    elif response.ok and "text/html" not in content_type:
        entrypoint = response.headers.get("cf-entrypoint", "")
        return ApiResponse(
            envelope,
            {},
            response.content,
            content_type,
            entrypoint=entrypoint,
            ray_id=ray_id,
            is_bare=envelope is not None,
        )
    else:
        code = NOT_AN_API_RESPONSE
        message = f"{response.reason or 'unknown error'} ({network_errors.not_an_api_response(url)})"
    if response.status_code >= 500:
        raise AmbiguousResult(
            f"Cloudflare answered {response.status_code}: {message}. Run again."
            f" [{method} {path}, ray {ray_id or 'none'}]"
        )
    raise ApiError(method, path, response.status_code, code, message, ray_id, retry_after=retry_after(response.headers))


def parse_json(content: bytes) -> t.Any:
    """Parse JSON. Return None if the content is not valid."""
    try:
        return json.loads(content)
    except ValueError:
        return None


def apply_shape(method: str, path: str, response: ApiResponse) -> ApiResponse:
    """Return a response in the shape of its endpoint. Other endpoints' responses are returned unchanged."""
    shape = shapes.find(method, path)
    if shape is None or response.not_found_code:
        return response
    try:
        return replace(response, result=shape.apply(response.result, response.is_bare))
    except ShapeError as error:
        message = (
            f"{method} {path}: the response {error}. Run again. If that does not help, check that api_url is the"
            f" Cloudflare API. [ray {response.ray_id or 'none'}]"
        )
        if method == "GET" or shape.is_read:
            raise MalformedResponse(message) from error
        raise AmbiguousResult(message) from error


def items_of_page(method: str, path: str, response: ApiResponse) -> list[t.Any]:
    """Return the items of a page, which R2 returns below a key. Raise MalformedResponse if there is no list."""
    items = response.result
    if isinstance(items, dict):
        items = next((value for value in items.values() if isinstance(value, list)), items)
    if not isinstance(items, (list, type(None))):
        raise MalformedResponse(f"{method} {path}: the response is not a list. Read it without pages.")
    return items or []


def next_page(response: ApiResponse, page: int) -> dict[str, t.Any] | None:
    """Return the parameters of the next page, or None after the last one. ``page`` is the number of requests so far."""
    info = response.info
    if info.get("cursor"):
        return {"cursor": info["cursor"]}
    total, size = _number(info.get("total_count")), _number(info.get("per_page"))
    pages = _number(info.get("total_pages")) or (-(-total // size) if size else 1)  # D1 returns no total_pages
    page = _number(info.get("page")) or page
    return {"page": page + 1} if response.result and page < pages else None


def _number(value: t.Any) -> int:
    return value if isinstance(value, int) else 0
