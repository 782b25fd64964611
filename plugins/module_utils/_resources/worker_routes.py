# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many routes at once, in one zone or in several: each zone is listed once, whatever the number of its routes."""

from __future__ import annotations

import typing as t

from .._cloudflare.client import join
from .._cloudflare.errors import AmbiguousResult, ApiError, CloudflareError
from .._engine.fleet import Fleet, Unfit
from .._engine.resource import UNKNOWN, Resource
from .worker_route import WorkerRoute, normalize_pattern
from .zone import normalize_hostname

Route = t.Mapping[str, t.Any]  # the options of one route, as far as they are given
ZONE_OPTIONS = ("zone_id", "zone")
COMMON_OPTIONS = {
    name: spec for name, spec in WorkerRoute.spec().items() if name not in WorkerRoute.identity
}  # may be said once for all
# No defaults: what a route is silent about may be said for all of them.
ROUTE = {
    name: {key: value for key, value in spec.items() if key != "default"} for name, spec in WorkerRoute.spec().items()
}


def in_different_zones(one: Route, other: Route) -> bool:
    """Whether two routes of one pattern are seen to be in two zones: a name may be that of any id, and who names none may mean any."""
    return any(
        one.get(option)
        and other.get(option)
        and normalize_hostname(str(one[option])) != normalize_hostname(str(other[option]))
        for option in ZONE_OPTIONS
    )


class WorkerRoutes(Fleet):
    """Routes as one task wants them, each known by its pattern and its zone."""

    name = "worker_routes"
    many = "routes"
    controls = {
        "routes": {"type": "list", "elements": "dict", "required": True, "options": ROUTE, **WorkerRoute.rules},
        **COMMON_OPTIONS,
        **Fleet.pace,
    }
    rules = WorkerRoute.rules

    def __init__(self, client: t.Any, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        self._zone_errors: dict[str, str] = {}
        self._routes = self._index_routes([self._with_defaults(route) for route in given["routes"]])

    def _with_defaults(self, route: Route) -> Route:
        """Return a route with what is said for all. One that says where it is, in either way, is not where the others are."""
        if isinstance(route, Unfit):
            return route
        excluded = ZONE_OPTIONS if any(option in route for option in ZONE_OPTIONS) else ()
        return {
            **{name: self.given[name] for name in COMMON_OPTIONS if name in self.given and name not in excluded},
            **route,
        }

    def _index_routes(self, routes: t.Sequence[Route]) -> dict[str, Route]:
        """Return the routes by their patterns, and by their zones too where several have one pattern."""
        by_pattern: dict[str, list[Route]] = {}
        for position, route in enumerate(routes, 1):
            pattern = route.get("pattern")
            if not pattern:
                raise CloudflareError(f"routes: number {position} has no pattern: give each its own.")
            others = by_pattern.setdefault(normalize_pattern(str(pattern)), [])
            if duplicate := next((other for other in others if not in_different_zones(route, other)), None):
                raise CloudflareError(
                    f"routes: {duplicate['pattern']!r} and {pattern!r} are one route: remove one of them, or give both the zone,"
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

    def look(self, names: t.Collection[str] | None = None) -> None:
        """Leave it to the members: the zones are known only from them, and the client remembers the listing of each."""

    def names(self) -> t.Iterable[str]:
        return self._routes

    def member(self, name: str, state: str) -> Resource:
        given = self._routes[name]
        if isinstance(given, Unfit):
            raise CloudflareError(given.why)
        for option in ZONE_OPTIONS:
            if option in given and not given[option]:
                raise CloudflareError(
                    f"{option} is {'null' if given[option] is None else 'empty'}: give it a value, or leave it out."
                )
        route = WorkerRoute(self.client, given, {"take_over": self.options["take_over"], **given, "state": state})
        self._prefetch_zone(route)
        return route

    def _prefetch_zone(self, route: WorkerRoute) -> None:
        """Have the zone of a route listed. One that refuses is asked once, and fails only the routes that are in it."""
        zone = route.find_zone()
        if zone in (None, UNKNOWN):
            return
        if zone not in self._zone_errors:
            self._zone_errors[zone] = ""
            try:
                self.client.list_all(join("zones", zone, *WorkerRoute.collection))
            except (ApiError, AmbiguousResult) as error:
                self._zone_errors[zone] = str(error)
        if self._zone_errors[zone]:
            raise CloudflareError(self._zone_errors[zone])


def _zone_label(route: Route) -> str:
    return next(str(route[option]) for option in ZONE_OPTIONS if route.get(option))
