# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API as an ASGI application: from the HTTP request to a handler and back."""

from __future__ import annotations

import asyncio
import os
import sys
import time
import traceback
from collections.abc import Mapping
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from local_edge import auth
from local_edge.api import table
from local_edge.api.request import ApiRequest, ApiResponse, Handler
from local_edge.asgi import MAX_BODY, AbortedConnection, JsonResponse, content_response, error_response, read_body
from local_edge.errors import ApiError, method_not_allowed, route_not_found
from local_edge.inspection import Fault, FaultQueue, RecordedRequest, RequestLog
from local_edge.quota import RateLimiter
from local_edge.runtime.base import Runtime
from local_edge.settings import PREFIX, Behaviors, Settings
from local_edge.store import Store

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def envelope_response(response: ApiResponse) -> Response:
    """Wrap a result in Cloudflare's envelope. A response with `content` is sent without one."""
    if response.content is not None:
        return content_response(response.status, response.content, response.headers)
    value = {"success": True, "errors": [], "messages": response.messages, "result": response.result}
    if response.info is not None:
        value["result_info"] = response.info
    return JsonResponse(value, response.status, response.headers)


def fault_response(fault: Fault) -> Response:
    """Build the response of an injected fault."""
    if fault.status == 0:
        return AbortedConnection()
    if fault.status < 300:
        return JsonResponse(
            {"success": True, "errors": [], "messages": [], "result": None}, fault.status, fault.headers
        )
    return error_response(ApiError(fault.status, fault.code, fault.message, headers=fault.headers))


def apply_error_behaviors(error: ApiError, behaviors: Behaviors) -> ApiError:
    """Set the code and the status of an error according to the behaviors."""
    error.code = int(behaviors.code_of_429) if error.status == 429 else error.code
    error.status = int(getattr(behaviors, f"status_of_{error.code}", error.status))
    return error


class CloudflareApi:
    """The paths below PREFIX."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        runtime: Runtime,
        rate_limiter: RateLimiter,
        request_log: RequestLog,
        faults: FaultQueue,
    ) -> None:
        self.settings, self.store, self.runtime = settings, store, runtime
        self.rate_limiter, self.request_log, self.faults = rate_limiter, request_log, faults
        self.tree = table.tree()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            body = await read_body(request)
        except ClientDisconnect:
            return
        response = await self.respond(request, body)
        await response(scope, receive, send)

    async def respond(self, request: Request, body: bytes) -> Response:
        """Answer a request. Apply latency and faults, add rate limit headers, and record the request."""
        begin, received_at = time.perf_counter(), time.time()
        path = encoded_path(request.scope).removeprefix(PREFIX)
        if self.settings.latency_ms:
            await asyncio.sleep(self.settings.latency_ms / 1000)
        fault = self.faults.pop_match(request.method, path)
        response = None if fault and fault.when == "before" else await self.dispatch_safely(request, path, body)
        if fault or response is None:
            response = fault_response(fault or Fault(".*", ".*", 500))
        self.request_log.add(
            RecordedRequest(
                received_at,
                request.method,
                path,
                request.scope["query_string"].decode("latin-1"),
                response.status_code,
                round((time.perf_counter() - begin) * 1000, 2),
                response.status_code != 405 and self.is_write(request.method, path),
            )
        )
        own_headers = {"cf-ray": os.urandom(8).hex() + "-EDGE", "date": self.store.clock.date()}
        for name, value in {**self.rate_limiter.headers(), **own_headers}.items():
            response.headers.setdefault(name, value)
        return response

    async def dispatch_safely(self, request: Request, path: str, body: bytes) -> Response:
        """Answer a request, with every exception mapped to an error response."""
        try:
            return envelope_response(await self.dispatch(request, path, body))
        except ApiError as error:
            return error_response(apply_error_behaviors(error, self.settings.behaviors))
        except Exception as error:  # a bug: the client gets Cloudflare's internal error, the log gets the traceback
            frames = "".join(traceback.format_tb(error.__traceback__))
            # The error's message is left out, since it may quote the request with its secrets.
            print(f"local_edge: {request.method} {path}: {type(error).__name__}\n{frames}", file=sys.stderr, flush=True)
            return error_response(
                ApiError(
                    500, 10002, "Unexpected internal server error; see the log of the local edge for the traceback"
                )
            )

    async def dispatch(self, request: Request, path: str, body: bytes) -> ApiResponse:
        """Authorize a request, count it against the rate limit, and call its handler. Raise ApiError."""
        handlers, params = self.find(path)
        if handlers.get(request.method) not in table.SELF_AUTHENTICATING:
            auth.check(self.settings, request.headers)
        self.rate_limiter.count()
        if len(body) > MAX_BODY:
            raise ApiError(413, 413, "Request Entity Too Large")
        if not handlers:
            raise route_not_found(path)
        auth.check_owner(self.settings, params, path)
        handler = handlers.get(request.method)
        if handler is None:
            raise method_not_allowed(request.method)
        self.settings.access.check(path, self.is_write(request.method, path))
        api_request = ApiRequest(
            self.store,
            self.settings,
            self.runtime,
            request.method,
            params,
            dict(request.query_params),
            request.headers,
            body,
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

    def is_write(self, method: str, path: str) -> bool:
        handlers, _params = self.find(path)
        return method not in SAFE_METHODS and handlers.get(method) not in table.READ_ONLY_POSTS


def encoded_path(scope: Scope) -> str:
    """Return the path of a request, still percent-encoded."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    return path.decode("latin-1")
