# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface between the control plane and the Workers runtime, and a null implementation for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from local_edge.errors import ApiError
from local_edge.invalidation import Invalidation
from local_edge.model.bindings import Binding
from local_edge.model.scripts import Source


@dataclass(frozen=True)
class Exports:
    """The exports of a Worker: the events handled by its default export and by its named exports."""

    default: list[str] = field(default_factory=lambda: ["fetch"])
    named: list[dict[str, Any]] = field(default_factory=list)
    startup_ms: int = 1
    has_default: bool = True


class EdgeError(ApiError):
    """An error reported by the edge, with the edge's own message."""

    def __init__(self, message: str) -> None:
        super().__init__(400, 10021, message)


class Runtime(Protocol):
    """The operations the control plane needs."""

    async def validate(self, source: Source, config: Mapping[str, Any], bindings: Sequence[Binding]) -> Exports:
        """Compile and start a Worker outside the edge. Raise ApiError as Cloudflare would."""

    async def invalidate(self, invalidations: Sequence[Invalidation]) -> None:
        """Drop cached state of the edge. Return once the next request will see the change."""

    async def call_admin(self, path: str, body: Any) -> Any:
        """Call an action of `admin.js` and return its result. Raise EdgeError if it fails.

        The call is not retried: an action whose answer was lost may have run.
        """


class NoRuntime:
    """Accept every Worker and run none, for tests of the control plane."""

    async def validate(self, source: Source, config: Mapping[str, Any], bindings: Sequence[Binding]) -> Exports:
        return Exports()

    async def invalidate(self, invalidations: Sequence[Invalidation]) -> None:
        return None

    async def call_admin(self, path: str, body: Any) -> Any:
        raise ApiError(500, 10002, "No Workers runtime is available")
