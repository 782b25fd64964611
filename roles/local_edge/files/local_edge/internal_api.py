# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The /_edge endpoints of the local edge."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_edge import __version__
from local_edge.errors import ApiError, bad_body, bad_parameter
from local_edge.inspection import Fault
from local_edge.model import scripts
from local_edge.model.script_scope import ScriptScope
from local_edge.strict_json import loads_strict

if TYPE_CHECKING:
    from local_edge.app import ControlPlane

#: Maximum number of seconds that a request waits for log entries.
MAX_WAIT = 60.0


@dataclass(frozen=True)
class InternalRequest:
    """A request to an /_edge endpoint."""

    plane: ControlPlane
    query: Mapping[str, str]
    body: bytes

    def json_object(self) -> dict[str, Any]:
        value = loads_strict(self.body)
        if not isinstance(value, dict):
            raise bad_body("it must be a JSON object")
        return value


async def health(request: InternalRequest) -> Any:
    """Return process id, version, data folder and addresses. The `stop` command and the role read them."""
    plane = request.plane
    return {"pid": plane.pid, "version": __version__, "data": plane.settings.data, **plane.addresses}


async def show_requests(request: InternalRequest) -> Any:
    return request.plane.request_log.as_dict()


async def clear_requests(request: InternalRequest) -> Any:
    request.plane.request_log.clear()
    return {}


async def add_fault(request: InternalRequest) -> Any:
    waiting = request.plane.faults.waiting
    waiting.append(Fault.read(loads_strict(request.body)))
    return {"waiting": len(waiting)}


async def clear_faults(request: InternalRequest) -> Any:
    request.plane.faults.waiting.clear()
    return {}


async def show_behaviors(request: InternalRequest) -> Any:
    behaviors = request.plane.settings.behaviors
    return {
        entry.name: {
            "value": getattr(behaviors, entry.name),
            "choices": entry.metadata["choices"],
            "doc": entry.metadata["doc"],
        }
        for entry in dataclasses.fields(behaviors)
    }


async def set_behaviors(request: InternalRequest) -> Any:
    for name, value in request.json_object().items():
        request.plane.settings.behaviors.set(name, str(value))
    return await show_behaviors(request)


async def show_logs(request: InternalRequest) -> Any:
    """Return the log entries after a number, as soon as one exists or after `wait` seconds.

    `worker` selects one Worker by its name or by `namespace/name`.
    """
    after, wait = (float(request.query.get(name) or 0) for name in ("after", "wait"))
    found = await request.plane.logs.wait(int(after), request.query.get("worker", ""), min(wait, MAX_WAIT))
    return {
        "last": request.plane.logs.number,
        "entries": [{"number": number, **entry.to_api()} for number, entry in found],
    }


async def trigger_scheduled(request: InternalRequest) -> Any:
    """Run a cron trigger: `{"worker": "router", "cron": "*/5 * * * *"}`.

    The default of `cron` is the first trigger of the Worker, and that of `time` (milliseconds) is now.
    """
    plane, payload = request.plane, request.json_object()
    namespace, _slash, name = str(payload.get("worker", "")).rpartition("/")
    script = scripts.get(
        plane.store, ScriptScope(str(payload.get("account") or plane.settings.accounts[0].id), namespace), name
    )
    if "scheduled" not in script.config.get("handlers", ()):
        raise ApiError(400, 10069, f"The Worker {name!r} has no `scheduled` handler")
    declared = [one["cron"] for one in script.extras.get("schedules", [])]
    cron = payload.get("cron") or next(iter(declared), None)
    if not isinstance(cron, str):
        raise bad_body(f"the Worker {name!r} has no cron trigger: give `cron`")
    return await plane.runtime.call_admin(
        "/scheduled", {"key": script.key, "cron": cron, "time": int(payload.get("time") or time.time() * 1000)}
    )


async def list_data_points(request: InternalRequest) -> Any:
    """Return the latest data points that Workers wrote to a `dataset` of Analytics Engine, oldest first."""
    plane, dataset = request.plane, request.query.get("dataset")
    if not dataset:
        raise bad_parameter("dataset", "it is required")
    account = request.query.get("account") or plane.settings.accounts[0].id
    return {"points": await plane.runtime.call_admin("/points", {"account": account, "dataset": dataset})}


Endpoint = Callable[[InternalRequest], Awaitable[Any]]
ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", "/_edge/requests"): show_requests,
    ("DELETE", "/_edge/requests"): clear_requests,
    ("POST", "/_edge/faults"): add_fault,
    ("DELETE", "/_edge/faults"): clear_faults,
    ("GET", "/_edge/behaviors"): show_behaviors,
    ("POST", "/_edge/behaviors"): set_behaviors,
    ("GET", "/_edge/logs"): show_logs,
    ("POST", "/_edge/scheduled"): trigger_scheduled,
    ("GET", "/_edge/analytics"): list_data_points,
}
#: Endpoints that require no token.
PUBLIC_ENDPOINTS: dict[tuple[str, str], Endpoint] = {("GET", "/_edge/health"): health}
