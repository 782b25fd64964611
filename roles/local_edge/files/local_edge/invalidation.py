# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invalidation of the edge's caches. `runtime/js/invalidation.js` reads the wire format."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from local_edge.model.script_scope import ScriptScope


class Target(Enum):
    """The kinds of cached state, by their names on the wire."""

    WORKER = "worker"
    SCOPE = "scope"
    ROUTES = "routes"
    KV_NAMESPACE = "kv_namespace"
    EVERYTHING = "everything"


@dataclass(frozen=True)
class Invalidation:
    """Cached state that is out of date. `key` is '' for a target that exists once."""

    target: Target
    key: str = ""

    @classmethod
    def worker(cls, key: str) -> Invalidation:
        """A Worker, by its key: its code, its bindings and its running Durable Objects."""
        return cls(Target.WORKER, key)

    @classmethod
    def scope(cls, scope: ScriptScope) -> Invalidation:
        """All Workers and assets of a scope."""
        return cls(Target.SCOPE, scope.key(""))

    @classmethod
    def account(cls, ident: str) -> Invalidation:
        """All Workers and assets of an account, in all scopes."""
        return cls(Target.SCOPE, f"{ident}/")

    @classmethod
    def kv_namespace(cls, ident: str) -> Invalidation:
        """All pairs of a KV namespace."""
        return cls(Target.KV_NAMESPACE, ident)

    @classmethod
    def routes(cls) -> Invalidation:
        """The routing table: routes, domains, hostnames and DNS records."""
        return cls(Target.ROUTES)

    @classmethod
    def everything(cls) -> Invalidation:
        return cls(Target.EVERYTHING)

    def to_wire(self) -> dict[str, str]:
        return {"target": self.target.value, "key": self.key}
