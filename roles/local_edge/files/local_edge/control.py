# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`/_edge`: the edge's own endpoints, beside Cloudflare's."""
from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from local_edge import __version__
from local_edge.inspection import Fault
from local_edge.strict_json import decoded

if TYPE_CHECKING:
    from local_edge.app import ControlPlane

Reply = tuple[int, Any]


def health(plane: ControlPlane, body: bytes) -> Reply:
    """Who answers here; `stop` and the role read it."""
    return 200, {"pid": plane.pid, "version": __version__, "data": plane.settings.data, **plane.addresses}


def show_requests(plane: ControlPlane, body: bytes) -> Reply:
    return 200, plane.journal.shown()


def clear_requests(plane: ControlPlane, body: bytes) -> Reply:
    plane.journal.clear()
    return 200, {}


def add_fault(plane: ControlPlane, body: bytes) -> Reply:
    plane.faults.waiting.append(Fault.read(decoded(body)))
    return 200, {"waiting": len(plane.faults.waiting)}


def clear_faults(plane: ControlPlane, body: bytes) -> Reply:
    plane.faults.waiting.clear()
    return 200, {}


def show_switches(plane: ControlPlane, body: bytes) -> Reply:
    switches = plane.settings.switches
    return 200, {entry.name: {"value": getattr(switches, entry.name), "choices": entry.metadata["choices"],
                              "doc": entry.metadata["doc"]} for entry in dataclasses.fields(switches)}


def set_switches(plane: ControlPlane, body: bytes) -> Reply:
    wanted = decoded(body)
    if not isinstance(wanted, dict):
        raise ValueError("switches are an object of values by name")
    for name, value in wanted.items():
        plane.settings.switches.set(name, str(value))
    return show_switches(plane, body)


Endpoint = Callable[["ControlPlane", bytes], Reply]
ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", "/_edge/requests"): show_requests,
    ("DELETE", "/_edge/requests"): clear_requests,
    ("POST", "/_edge/faults"): add_fault,
    ("DELETE", "/_edge/faults"): clear_faults,
    ("GET", "/_edge/switches"): show_switches,
    ("POST", "/_edge/switches"): set_switches,
}
#: The one that needs no token.
OPEN: dict[tuple[str, str], Endpoint] = {("GET", "/_edge/health"): health}
