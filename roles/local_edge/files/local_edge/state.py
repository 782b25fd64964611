# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the control plane that live as long as its process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from local_edge.inspection import FaultQueue, Logs, RequestLog
from local_edge.quota import RateLimiter
from local_edge.runtime.base import NoRuntime, Runtime
from local_edge.settings import Settings
from local_edge.store import Store


@dataclass(frozen=True)
class EdgeState:
    """The parts of the control plane. `app.py` passes to each module those that it uses."""

    settings: Settings
    store: Store
    rate_limiter: RateLimiter
    runtime: Runtime = field(default_factory=NoRuntime)
    request_log: RequestLog = field(default_factory=RequestLog)
    faults: FaultQueue = field(default_factory=FaultQueue)
    logs: Logs = field(default_factory=Logs)
    #: The public addresses: `api`, `http` and, with a TLS port, `https`.
    addresses: Mapping[str, str] = field(default_factory=dict)
    #: The process that the `stop` command terminates.
    pid: int = field(default_factory=os.getpid)
