# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ASGI application of the control plane: from the HTTP request to a handler and back."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.datastructures import Headers

from local_edge import auth, internal_api
from local_edge.api import table
from local_edge.api.request import ApiRequest, ApiResponse, Handler
from local_edge.asgi import ClientDisconnected, Receive, Scope, Send, chunks, respond
from local_edge.blobs import Content
from local_edge.console import views
from local_edge.errors import ApiError, method_not_allowed, route_not_found
from local_edge.inspection import Fault, FaultQueue, Logs, RecordedRequest, RequestLog
from local_edge.quota import RateLimiter
from local_edge.runtime.base import NoRuntime, Runtime
from local_edge.settings import PREFIX, Behaviors, Settings
from local_edge.store import Store

MAX_BODY = 100 * 1024 * 1024
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Request:
    """An HTTP request. `path` is still percent-encoded; for the API it lacks the prefix /client/v4."""

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes | Content


def as_json(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass")
    return Response(status, {"content-type": "application/json", **(headers or {})}, body)


def envelope_response(response: ApiResponse) -> Response:
    """Wrap a result in Cloudflare's envelope. A response with `content` is sent without one."""
    if response.content is not None:
        return Response(response.status, response.headers, response.content)
    value = {"success": True, "errors": [], "messages": response.messages, "result": response.result}
    if response.info is not None:
        value["result_info"] = response.info
    return as_json(response.status, value, response.headers)


def error_response(error: ApiError) -> Response:
    return as_json(
        error.status, {"success": False, "errors": [error.entry()], "messages": [], "result": None}, error.headers
    )


def apply_error_behaviors(error: ApiError, behaviors: Behaviors) -> ApiError:
    """Set the code and the status of an error according to the behaviors."""
    error.code = int(behaviors.code_of_429) if error.status == 429 else error.code
    error.status = int(getattr(behaviors, f"status_of_{error.code}", error.status))
    return error


class ControlPlane:
    """The application on the API's port: the Cloudflare API, the console and the /_edge endpoints."""

    def __init__(self, settings: Settings, store: Store, runtime: Runtime | None = None) -> None:
        self.settings, self.store = settings, store
        self.runtime: Runtime = runtime or NoRuntime()
        self.request_log, self.faults, self.rate_limiter = RequestLog(), FaultQueue(), RateLimiter(settings.quota)
        self.tree = table.tree()
        self.logs = Logs()
        self.addresses: dict[str, str] = {}
        #: The process that the `stop` command terminates.
        self.pid = os.getpid()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        try:
            body = await read_body(receive)
        except ClientDisconnected:
            return
        request = Request(
            scope["method"], path, scope["query_string"].decode("latin-1"), Headers(raw=scope["headers"]), body
        )
        if path.startswith(PREFIX + "/"):
            response = await self.handle_api(
                Request(request.method, path[len(PREFIX) :], request.query, request.headers, request.body)
            )
        else:
            response = await self.handle_internal(request)
        if response.status == 0:
            await abort_connection(send)
            return
        await respond(receive, send, response.status, response.headers, response.body)

    async def handle_internal(self, request: Request) -> Response:
        """Answer a request for the console or an /_edge endpoint."""
        address = (request.method, request.path.rstrip("/"))
        try:
            page = views.answer(self, request)
            if page:
                return Response(*page)
            if address not in internal_api.PUBLIC_ENDPOINTS:
                auth.check(self.settings, request.headers)
            endpoint = internal_api.PUBLIC_ENDPOINTS.get(address) or internal_api.ENDPOINTS.get(address)
            if endpoint is None:
                raise ApiError(
                    404, 7003, f"Not found. The API is under {PREFIX}, the endpoints of the edge are under /_edge."
                )
            query = dict(parse_qsl(request.query, keep_blank_values=True))
            return as_json(200, await endpoint(internal_api.InternalRequest(self, query, request.body)))
        except ApiError as error:
            return error_response(error)
        except (ValueError, TypeError, KeyError) as error:
            return error_response(ApiError(400, 10026, str(error)))

    async def handle_api(self, request: Request) -> Response:
        """Answer an API request. Apply latency and faults, add rate limit headers, and record the request."""
        begin, received_at = time.perf_counter(), time.time()
        if self.settings.latency_ms:
            await asyncio.sleep(self.settings.latency_ms / 1000)
        fault = self.faults.pop_match(request.method, request.path)
        response = None if fault and fault.when == "before" else await self.dispatch_safely(request)
        if fault or response is None:
            response = fault_response(fault or Fault(".*", ".*", 500))
        duration_ms = round((time.perf_counter() - begin) * 1000, 2)
        self.request_log.add(
            RecordedRequest(
                received_at,
                request.method,
                request.path,
                request.query,
                response.status,
                duration_ms,
                self.is_write(request),
            )
        )
        ray = {"cf-ray": os.urandom(8).hex() + "-EDGE"}
        return Response(response.status, {**self.rate_limiter.headers(), **ray, **response.headers}, response.body)

    async def dispatch_safely(self, request: Request) -> Response:
        """Answer an API request, with every exception mapped to an error response."""
        try:
            return envelope_response(await self.dispatch(request))
        except ApiError as error:
            return error_response(apply_error_behaviors(error, self.settings.behaviors))
        except Exception as error:  # a bug: the client gets Cloudflare's internal error, the log gets the traceback
            frames = "".join(traceback.format_tb(error.__traceback__))
            # The error's message is left out, since it may quote the request with its secrets.
            print(
                f"local_edge: {request.method} {request.path}: {type(error).__name__}\n{frames}",
                file=sys.stderr,
                flush=True,
            )
            return error_response(
                ApiError(
                    500, 10002, "Unexpected internal server error; see the log of the local edge for the traceback"
                )
            )

    async def dispatch(self, request: Request) -> ApiResponse:
        """Authorize an API request, count it against the rate limit, and call its handler. Raise ApiError."""
        handlers, params = self.find(request.path)
        if handlers.get(request.method) not in table.SELF_AUTHENTICATING:
            auth.check(self.settings, request.headers)
        self.rate_limiter.count()
        if len(request.body) > MAX_BODY:
            raise ApiError(413, 413, "Request Entity Too Large")
        if not handlers:
            raise route_not_found(request.path)
        auth.check_owner(self.settings, params, request.path)
        handler = handlers.get(request.method)
        if handler is None:
            raise method_not_allowed(request.method)
        query = dict(parse_qsl(request.query, keep_blank_values=True))
        api_request = ApiRequest(
            self.store, self.settings, self.runtime, request.method, params, query, request.headers, request.body
        )
        response = await handler(api_request)
        if api_request.invalidations:
            await self.runtime.invalidate(list(dict.fromkeys(api_request.invalidations)))
        return response

    def find(self, path: str) -> tuple[Mapping[str, Handler], dict[str, str]]:
        """Return the handlers by method and the parameters of a path. Both are empty for an unknown path."""
        try:
            # Split before decoding, since a key may contain an encoded slash.
            return self.tree.find([unquote(segment, errors="strict") for segment in path.lstrip("/").split("/")])
        except UnicodeDecodeError:
            return {}, {}

    def is_write(self, request: Request) -> bool:
        handlers, _params = self.find(request.path)
        return request.method not in SAFE_METHODS and handlers.get(request.method) not in table.READ_ONLY_POSTS


def fault_response(fault: Fault) -> Response:
    """Build the response of an injected fault."""
    if fault.status < 300:
        return as_json(fault.status, {"success": True, "errors": [], "messages": [], "result": None}, fault.headers)
    return error_response(ApiError(fault.status, fault.code, fault.message, headers=fault.headers))


async def read_body(receive: Receive) -> bytes:
    """Read a request body. Return more than MAX_BODY bytes if it is too large.

    A body above the limit is read to its end and dropped, since a client that is cut off never reads the error.
    """
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks(receive):
        size += len(chunk)
        if size <= MAX_BODY:
            parts.append(chunk)
    return b"".join(parts) if size <= MAX_BODY else b" " * (MAX_BODY + 1)


async def abort_connection(send: Send) -> None:
    """Close the connection without a response.

    ASGI has no event for this, so the transport comes from the object that uvicorn's `send` is bound to.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionAbortedError
    transport.abort()
    await asyncio.sleep(0.001)
