# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The /_edge endpoints of the local edge."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local_edge import __version__, auth
from local_edge.access import Access
from local_edge.asgi import JsonResponse, read_body
from local_edge.clock import Clock
from local_edge.errors import ApiError, bad_body, bad_parameter
from local_edge.inspection import Fault, FaultQueue, Logs, RequestLog
from local_edge.invalidation import Invalidation
from local_edge.model import scripts
from local_edge.model.objects import AdminCall
from local_edge.model.script_scope import ScriptScope
from local_edge.settings import Account, Behaviors
from local_edge.state import EdgeState
from local_edge.store import Store
from local_edge.strict_json import loads_strict

#: Maximum number of seconds that a request waits for log entries.
MAX_WAIT = 60.0

#: Returns a JSON value.
Endpoint = Callable[[Request], Awaitable[Any]]


def routes(state: EdgeState) -> list[Route]:
    """Return the routes of the endpoints. Each endpoint gets the parts of the state that it uses."""
    settings, behaviors, call_admin = state.settings, state.settings.behaviors, state.runtime.call_admin
    default_account = settings.accounts[0]

    def route(method: str, path: str, endpoint: Endpoint) -> Route:
        async def respond(request: Request) -> Response:
            auth.check(settings, request.headers)
            return JsonResponse(await endpoint(request))

        return Route(path, respond, methods=[method])

    async def health(_request: Request) -> Response:
        """Return process id, version, data folder and addresses. The `stop` command and the role read them."""
        return JsonResponse({"pid": state.pid, "version": __version__, "data": settings.data, **state.addresses})

    return [
        Route("/_edge/health", health),
        route("GET", "/_edge/requests", partial(show_requests, state.request_log)),
        route("DELETE", "/_edge/requests", partial(clear_requests, state.request_log)),
        route("POST", "/_edge/faults", partial(add_fault, state.faults)),
        route("DELETE", "/_edge/faults", partial(clear_faults, state.faults)),
        route("GET", "/_edge/behaviors", partial(show_behaviors, behaviors)),
        route("POST", "/_edge/behaviors", partial(set_behaviors, state)),
        route("GET", "/_edge/access", partial(show_access, settings.access)),
        route("POST", "/_edge/access", partial(set_access, settings.access)),
        route("GET", "/_edge/clock", partial(show_clock, state.store.clock)),
        route("POST", "/_edge/clock", partial(set_clock, state)),
        route("GET", "/_edge/logs", partial(show_logs, state.logs)),
        route("POST", "/_edge/scheduled", partial(trigger_scheduled, state.store, call_admin, default_account)),
        route("GET", "/_edge/analytics", partial(list_data_points, call_admin, default_account)),
    ]


async def json_object(request: Request) -> dict[str, Any]:
    value = loads_strict(await read_body(request))
    if not isinstance(value, dict):
        raise bad_body("it must be a JSON object")
    return value


async def show_requests(request_log: RequestLog, _request: Request) -> Any:
    return request_log.as_dict()


async def clear_requests(request_log: RequestLog, _request: Request) -> Any:
    request_log.clear()
    return {}


async def add_fault(faults: FaultQueue, request: Request) -> Any:
    faults.waiting.append(Fault.read(loads_strict(await read_body(request))))
    return {"waiting": len(faults.waiting)}


async def clear_faults(faults: FaultQueue, _request: Request) -> Any:
    faults.waiting.clear()
    return {}


async def show_behaviors(behaviors: Behaviors, _request: Request) -> Any:
    return {
        entry.name: {
            "value": getattr(behaviors, entry.name),
            "choices": entry.metadata["choices"],
            "doc": entry.metadata["doc"],
        }
        for entry in dataclasses.fields(behaviors)
    }


async def set_behaviors(state: EdgeState, request: Request) -> Any:
    """Set behaviors. Some of them concern running Workers, which the edge loads again."""
    behaviors = state.settings.behaviors
    for name, value in (await json_object(request)).items():
        behaviors.set(name, str(value))
    await state.runtime.invalidate([Invalidation.account(account.id) for account in state.settings.accounts])
    return await show_behaviors(behaviors, request)


async def show_access(access: Access, _request: Request) -> Any:
    return {"granted": access.granted(), "missing": sorted(access.missing)}


async def set_access(access: Access, request: Request) -> Any:
    """Withdraw permissions of the token and products of the account: `{"missing": ["DNS Write"]}`. Grant all others."""
    missing = (await json_object(request)).get("missing")
    if not isinstance(missing, list) or not all(isinstance(name, str) for name in missing):
        raise bad_body("`missing` must be a list of names")
    access.set_missing(missing)
    return await show_access(access, request)


async def show_clock(clock: Clock, _request: Request) -> Any:
    return {"time": clock.now(), "offset": clock.offset}


async def set_clock(state: EdgeState, request: Request) -> Any:
    """Set the clock of the API ahead of the machine's: `{"offset": 86400}`, in seconds."""
    offset = (await json_object(request)).get("offset")
    if isinstance(offset, bool) or not isinstance(offset, (int, float)):
        raise bad_body("`offset` must be a number of seconds")
    state.store.clock.offset = float(offset)
    # The edge compares its copies of the custom hostnames' activation with the machine's clock.
    await state.runtime.invalidate([Invalidation.routes()])
    return await show_clock(state.store.clock, request)


async def show_logs(logs: Logs, request: Request) -> Any:
    """Return the log entries after a number, as soon as one exists or after `wait` seconds.

    `worker` selects one Worker by its name or by `namespace/name`.
    """
    after, wait = (float(request.query_params.get(name) or 0) for name in ("after", "wait"))
    found = await logs.wait(int(after), request.query_params.get("worker", ""), min(wait, MAX_WAIT))
    return {
        "last": logs.number,
        "entries": [{"number": number, **entry.to_api()} for number, entry in found],
    }


async def trigger_scheduled(store: Store, call_admin: AdminCall, default_account: Account, request: Request) -> Any:
    """Run a cron trigger: `{"worker": "router", "cron": "*/5 * * * *"}`.

    The default of `cron` is the first trigger of the Worker, and that of `time` (milliseconds) is now.
    """
    payload = await json_object(request)
    namespace, _slash, name = str(payload.get("worker", "")).rpartition("/")
    script = scripts.get(store, ScriptScope(str(payload.get("account") or default_account.id), namespace), name)
    if "scheduled" not in script.config.get("handlers", ()):
        raise ApiError(400, 10069, f"The Worker {name!r} has no `scheduled` handler")
    declared = [one["cron"] for one in script.extras.get("schedules", [])]
    cron = payload.get("cron") or next(iter(declared), None)
    if not isinstance(cron, str):
        raise bad_body(f"the Worker {name!r} has no cron trigger: give `cron`")
    return await call_admin(
        "/scheduled", {"key": script.key, "cron": cron, "time": int(payload.get("time") or time.time() * 1000)}
    )


async def list_data_points(call_admin: AdminCall, default_account: Account, request: Request) -> Any:
    """Return the latest data points that Workers wrote to a `dataset` of Analytics Engine, oldest first."""
    dataset = request.query_params.get("dataset")
    if not dataset:
        raise bad_parameter("dataset", "it is required")
    account = request.query_params.get("account") or default_account.id
    return {"points": await call_admin("/points", {"account": account, "dataset": dataset})}
