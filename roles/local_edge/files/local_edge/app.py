# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application on the API's port: the Cloudflare API, the console and the /_edge endpoints."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from local_edge import auth, internal_api
from local_edge.api.application import CloudflareApi, encoded_path
from local_edge.asgi import error_response
from local_edge.console import views
from local_edge.errors import ApiError
from local_edge.settings import PREFIX
from local_edge.state import EdgeState


def create_app(state: EdgeState) -> ASGIApp:
    """Build the application."""
    api = CloudflareApi(state.settings, state.store, state.runtime, state.rate_limiter, state.request_log, state.faults)

    async def unknown_path(request: Request, _error: Exception) -> Response:
        try:
            auth.check(state.settings, request.headers)
        except ApiError as error:
            return error_response(error)
        return error_response(
            ApiError(404, 7003, f"Not found. The API is under {PREFIX}, the endpoints of the edge are under /_edge.")
        )

    internal = Starlette(
        routes=[*views.routes(state), *internal_api.routes(state)],
        exception_handlers={HTTPException: unknown_path, **ERROR_HANDLERS},
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # Starlette wraps `send`, which would hide the connection that an injected fault aborts.
        is_api = encoded_path(scope).startswith(PREFIX + "/")
        await (api if is_api else internal)(scope, receive, send)

    return app


async def api_error(_request: Request, error: Exception) -> Response:
    return error_response(error if isinstance(error, ApiError) else ApiError(400, 10026, str(error)))


async def disconnected(_request: Request, _error: Exception) -> Response:
    return Response()


ERROR_HANDLERS = {
    ApiError: api_error,
    ValueError: api_error,
    TypeError: api_error,
    KeyError: api_error,
    ClientDisconnect: disconnected,
}
