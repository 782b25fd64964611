# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routes of a zone, which map URL patterns to Workers."""

from __future__ import annotations

import re
import typing as t

from .._cloudflare.errors import CloudflareError
from .._engine.resource import UNKNOWN, Field, Object, Step, body
from .zone import ZoneInfo, ZoneResource

PATTERN = re.compile(r"^(?P<scheme>https?://)?(?P<host>\*|\*?[^*/?#\s]+)(?P<path>/[^*?#\s]*\*?)?$")


def normalize_pattern(pattern: str) -> str:
    """Normalize a pattern: lower-case host, and a path of at least a slash."""
    parts = PATTERN.fullmatch(pattern)
    if not parts:
        return pattern
    return (parts["scheme"] or "") + parts["host"].lower() + (parts["path"] or "/")


def pattern_host(pattern: str) -> str:
    """Return the host of a pattern, with its wildcard. Raise CloudflareError for an invalid pattern."""
    parts = PATTERN.fullmatch(pattern)
    if not parts:
        raise CloudflareError(
            f"pattern: {pattern!r} is no route: a host, which may begin with *, and a path, which may end with *;"
            " no other wildcard, no query string. For example *.example.com/*"
        )
    return parts["host"]


def from_api(route: Object, zone: str) -> Object:
    """Convert an API object, which omits C(script) for a route without a Worker, to a route."""
    return {"id": route["id"], "pattern": route["pattern"], "worker": route.get("script") or None, "zone_id": zone}


class WorkerRoute(ZoneResource):
    """A route, identified by its pattern."""

    name = "worker_route"
    identity = {"pattern": {"type": "str", "required": True}}
    fields = (Field("worker", {"type": "str", "aliases": ["script"]}, lambda worker: worker or None),)
    controls = {**ZoneResource.controls, "take_over": {"type": "bool", "default": False}}
    collection = ("workers", "routes")
    filled = ("id",)

    def __init__(self, client: t.Any, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        pattern_host(options["pattern"])

    @property
    def label(self) -> str:
        return f"route {self.options['pattern']!r}"

    @property
    def lookup_host(self) -> str:
        return pattern_host(self.options["pattern"])

    def observe(self) -> Object | None:
        self._resolve_zone()
        routes = [] if self._zone == UNKNOWN else self.client.list_all(self._path())
        wanted = normalize_pattern(self.options["pattern"])
        found = next((route for route in routes if normalize_pattern(route["pattern"]) == wanted), None)
        return from_api(found, self._zone) if found else None

    def guard(self, before: Object | None, after: Object | None) -> None:
        if before is None:
            if after is not None and "worker" not in self.given:
                raise CloudflareError(
                    f"worker: {self.label} does not exist yet. Name its Worker, or set worker: null for a route without a Worker."
                )
            return
        current_worker = before["worker"]
        declared = after or (self.given if "worker" in self.given else before)
        if current_worker and declared["worker"] != current_worker and not self.options["take_over"]:
            raise CloudflareError(
                f"worker: {self.label} belongs to Worker {current_worker!r}. Set take_over: true to reassign it."
            )

    def create(self, after: Object) -> t.Iterable[Step]:
        after["zone_id"] = self._zone
        return [Step("POST", self._path(), body(self._body(after)))]

    def update(self, before: Object, after: Object, changed: t.Collection[str]) -> t.Iterable[Step]:
        return [Step("PUT", self._path(before["id"]), body(self._body(after)))] if changed else []

    def delete(self, before: Object) -> t.Iterable[Step]:
        return [Step("DELETE", self._path(before["id"]))]

    def _body(self, after: Object) -> Object:
        return {"pattern": after["pattern"], **({"script": after["worker"]} if after["worker"] else {})}


class WorkerRouteInfo(ZoneInfo):
    """Information about the routes of a zone."""

    name, plural = "worker_route_info", "worker_routes"
    fields = (Field("pattern", {"type": "str"}, normalize_pattern), *WorkerRoute.fields)
    rules = {**ZoneInfo.rules, "required_one_of": [("zone_id", "zone", "pattern")]}
    collection = WorkerRoute.collection
    from_api = staticmethod(from_api)

    @property
    def lookup_host(self) -> str:
        return pattern_host(self.options["pattern"])
