# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routes of a zone, which map URL patterns to Workers."""

from __future__ import annotations

import re
import typing as t

from .._cloudflare.errors import CloudflareError
from .._cloudflare.hostnames import to_ascii
from .._engine.fields import UNKNOWN, Attributes, Field
from .._engine.plan import Plan, Step, json_body
from .._engine.resource import Observation
from .references import WORKER, Reference, missing
from .zone import ZoneInfo, ZoneResource, both_forms

PATTERN = re.compile(r"^(?P<scheme>https?://)?(?P<host>\*|\*?[^*/?#\s]+)(?P<path>/[^*?#\s]*\*?)?$")


def normalize_pattern(pattern: str) -> str:
    """Normalize a pattern: host in lower case and Punycode, and a path of at least a slash."""
    parts = PATTERN.fullmatch(pattern)
    if not parts:
        return pattern
    return (parts["scheme"] or "") + to_ascii(parts["host"]) + (parts["path"] or "/")


def encoded_pattern(pattern: str) -> str:
    """Return a pattern with its host in Punycode, and otherwise as it is."""
    parts = PATTERN.fullmatch(pattern)
    if not parts or parts["host"].isascii():
        return pattern
    return (parts["scheme"] or "") + to_ascii(parts["host"]) + (parts["path"] or "")


def pattern_host(pattern: str) -> str:
    """Return the host of a pattern in Punycode, with its wildcard. Raise CloudflareError for an invalid pattern."""
    parts = PATTERN.fullmatch(pattern)
    if not parts:
        raise CloudflareError(
            f"pattern: {pattern!r} is no route: a host, which may begin with *, and a path, which may end with *;"
            " no other wildcard, no query string. For example *.example.com/*"
        )
    host = to_ascii(parts["host"])
    if not host.isascii():
        raise CloudflareError(f"pattern: the host of {pattern!r} is not a valid international name. Correct it.")
    return host


def pattern_forms(pattern: str) -> Attributes:
    """Return a pattern in both forms."""
    scheme, separator, rest = encoded_pattern(pattern).rpartition("://")
    forms = both_forms("pattern", rest)
    return {key: scheme + separator + value for key, value in forms.items()}


def covers(route_host: str, host: str) -> bool:
    """Whether the host of a pattern, which may begin with a wildcard, matches a host name. Both are in lower case."""
    return host.endswith(route_host[1:]) if route_host.startswith("*") else host == route_host


def from_api(route: Attributes, zone: str) -> Attributes:
    """Convert an API object, which omits C(script) for a route without a Worker, to a route."""
    return {
        "id": route["id"],
        **pattern_forms(route["pattern"]),
        "worker": route.get("script") or None,
        "zone_id": zone,
    }


class WorkerRoute(ZoneResource):
    """A route, identified by its pattern."""

    name = "worker_route"
    identity = {"pattern": {"type": "str", "required": True}}
    fields = (Field("worker", {"type": "str", "aliases": ["script"]}, lambda worker: worker or None),)
    behavior_options = {**ZoneResource.behavior_options, "take_over": {"type": "bool", "default": False}}
    collection = ("workers", "routes")
    computed = ("id",)

    def __init__(self, client: t.Any, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        pattern_host(options["pattern"])

    @property
    def label(self) -> str:
        return f"route {self.options['pattern']!r}"

    @property
    def lookup_host(self) -> str:
        return pattern_host(self.options["pattern"])

    def identity_values(self) -> Attributes:
        return pattern_forms(self.options["pattern"])

    def observe(self) -> Observation:
        missing = self._resolve_zone()
        routes = [] if self._zone == UNKNOWN else self.client.list_all(self._path())
        wanted = normalize_pattern(self.options["pattern"])
        found = next((route for route in routes if normalize_pattern(route["pattern"]) == wanted), None)
        return Observation(from_api(found, self._zone) if found else None, missing)

    def guard(self, before: Attributes | None, after: Attributes | None) -> None:
        if before is None:
            if after is not None and "worker" not in self.user_params:
                raise CloudflareError(
                    f"worker: {self.label} does not exist yet. Name its Worker, or set worker: null for a route"
                    " without a Worker."
                )
            return
        current_worker = before["worker"]
        declared = after or (self.user_params if "worker" in self.user_params else before)
        if current_worker and declared["worker"] != current_worker and not self.options["take_over"]:
            raise CloudflareError(
                f"worker: {self.label} belongs to Worker {current_worker!r}. Set take_over: true to reassign it."
            )

    def missing_references(self, plan: Plan) -> list[str]:
        worker = (plan.after or {}).get("worker")
        return missing(self.client, [Reference(WORKER, worker)]) if worker else []

    def create(self, after: Attributes) -> t.Iterable[Step]:
        return [Step("POST", self._path(), json_body(self._body(after)))]

    def update(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> t.Iterable[Step]:
        return [Step("PUT", self._path(before["id"]), json_body(self._body(after)))] if changed else []

    def delete(self, before: Attributes) -> t.Iterable[Step]:
        return [Step("DELETE", self._path(before["id"]))]

    def _body(self, after: Attributes) -> Attributes:
        return {"pattern": after["pattern"], **({"script": after["worker"]} if after["worker"] else {})}


class WorkerRouteInfo(ZoneInfo):
    """Information about the routes of a zone."""

    name, result_key = "worker_route_info", "worker_routes"
    fields = (Field("pattern", {"type": "str"}, normalize_pattern), *WorkerRoute.fields)
    argument_rules = {**ZoneInfo.argument_rules, "required_one_of": [("zone_id", "zone", "pattern")]}
    collection = WorkerRoute.collection
    from_api = staticmethod(from_api)

    @property
    def lookup_host(self) -> str:
        return pattern_host(self.options["pattern"])
