# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many routes in one or several zones, with one list request per zone."""

from __future__ import annotations

import typing as t

from .._cloudflare.errors import CloudflareError, ConnectError
from .._engine.bulk import BulkResource, InvalidElement
from .._engine.resource import Resource
from .worker_route import WorkerRoute, normalize_pattern
from .zone import normalize_hostname

Route = t.Mapping[str, t.Any]  # the declared options of one route
ZONE_OPTIONS = ("zone_id", "zone")
COMMON_OPTIONS = {
    name: spec for name, spec in WorkerRoute.spec().items() if name not in WorkerRoute.identity
}  # apply to all routes
# No defaults: an option that a route omits may be set for all routes.
ROUTE = {
    name: {key: value for key, value in spec.items() if key != "default"} for name, spec in WorkerRoute.spec().items()
}


def in_different_zones(one: Route, other: Route) -> bool:
    """Return whether two routes of the same pattern name different zones, both by id or both by name."""
    return any(
        one.get(option)
        and other.get(option)
        and normalize_hostname(str(one[option])) != normalize_hostname(str(other[option]))
        for option in ZONE_OPTIONS
    )


class WorkerRoutes(BulkResource):
    """Routes, each identified by its pattern and zone."""

    name = "worker_routes"
    refuses_invalid = True
    list_option = "routes"
    behavior_options = {
        "routes": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": ROUTE,
            **WorkerRoute.argument_rules,
        },
        **COMMON_OPTIONS,
        **BulkResource.batch_options,
    }
    argument_rules = WorkerRoute.argument_rules

    def __init__(self, client: t.Any, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        self._routes = self._index_routes([self._with_defaults(route) for route in given["routes"]])

    def _with_defaults(self, route: Route) -> Route:
        """Merge the common options into a route. A route with its own zone or zone_id takes neither from them."""
        if isinstance(route, InvalidElement):
            return route
        excluded = ZONE_OPTIONS if any(option in route for option in ZONE_OPTIONS) else ()
        return {
            **{
                name: self.user_params[name]
                for name in COMMON_OPTIONS
                if name in self.user_params and name not in excluded
            },
            **route,
        }

    def _index_routes(self, routes: t.Sequence[Route]) -> dict[str, Route]:
        """Index the routes by pattern, and by pattern and zone if several share a pattern."""
        by_pattern: dict[str, list[Route]] = {}
        for position, route in enumerate(routes, 1):
            pattern = route.get("pattern")
            if not pattern:
                raise CloudflareError(f"routes: number {position} has no pattern: give each its own.")
            others = by_pattern.setdefault(normalize_pattern(str(pattern)), [])
            if duplicate := next((other for other in others if not in_different_zones(route, other)), None):
                raise CloudflareError(
                    f"routes: {duplicate['pattern']!r} and {pattern!r} are one route: remove one of them, or give"
                    " both the zone,"
                    " or both the zone_id, if they are in two zones."
                )
            others.append(route)
        shared = {pattern for pattern, same in by_pattern.items() if len(same) > 1}
        names = [(str(route["pattern"]), route) for route in routes]
        return {
            f"{pattern} in zone {_zone_label(route)}" if normalize_pattern(pattern) in shared else pattern: route
            for pattern, route in names
        }

    @property
    def label(self) -> str:
        return "Routes"

    def refresh(self, names: t.Collection[str] | None = None) -> None:
        """Read nothing: each route lists its own zone, and the client caches that listing for the others."""

    def names(self) -> t.Iterable[str]:
        return self._routes

    def concerns_all(self, error: CloudflareError) -> bool:
        """Whether all zones are concerned. A token without access to one zone can have access to others."""
        return isinstance(error, ConnectError)

    def build_resource(self, name: str, state: str) -> Resource:
        given = self._routes[name]
        if isinstance(given, InvalidElement):
            raise CloudflareError(given.error)
        for option in ZONE_OPTIONS:
            if option in given and not given[option]:
                raise CloudflareError(
                    f"{option} is {'null' if given[option] is None else 'empty'}: set a value, or omit it."
                )
        return WorkerRoute(self.client, given, {"take_over": self.options["take_over"], **given, "state": state})


def _zone_label(route: Route) -> str:
    return next(str(route[option]) for option in ZONE_OPTIONS if route.get(option))
