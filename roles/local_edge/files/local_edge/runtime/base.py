# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the control plane asks of whatever runs Workers, and the stand-in for when nothing does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from local_edge.errors import ApiError
from local_edge.model.bindings import Binding
from local_edge.model.scripts import Source


@dataclass(frozen=True)
class Handlers:
    """What a Worker exports: the events its default export handles, and those of its named exports."""

    default: list[str] = field(default_factory=lambda: ["fetch"])
    named: list[dict[str, Any]] = field(default_factory=list)
    startup_ms: int = 1
    has_default: bool = True


class Refused(ApiError):
    """What the edge says that it could not do; the message is its own."""

    def __init__(self, message: str) -> None:
        super().__init__(400, 10021, message)


class Runtime(Protocol):
    """The things the control plane needs."""

    async def validate(self, source: Source, config: Mapping[str, Any], bindings: Sequence[Binding]) -> Handlers:
        """Compile and start a Worker aside; raise ApiError as Cloudflare would."""

    async def forget(self, keys: Sequence[str]) -> None:
        """Drop what is cached of these; return only when the next request will see the change."""

    async def act(self, path: str, body: Any) -> Any:
        """Have the edge do something, see `admin.js`; what it answers, or Refused. It is asked once: what is lost may have been done."""


class NoRuntime:
    """For tests of the control plane: every Worker is fine and none runs."""

    async def validate(self, source: Source, config: Mapping[str, Any], bindings: Sequence[Binding]) -> Handlers:
        return Handlers()

    async def forget(self, keys: Sequence[str]) -> None:
        return None

    async def act(self, path: str, body: Any) -> Any:
        raise ApiError(500, 10002, "Nothing runs Workers here")
