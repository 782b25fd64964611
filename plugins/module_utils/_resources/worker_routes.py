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
from .worker_route import WorkerRoute, normal
from .zone import host_name

Route = t.Mapping[str, t.Any]  # the options of one route, as far as they are given
PLACE = ("zone_id", "zone")
SHARED = {
    name: spec for name, spec in WorkerRoute.spec().items() if name not in WorkerRoute.identity
}  # may be said once for all
# No defaults: what a route is silent about may be said for all of them.
ROUTE = {
    name: {key: value for key, value in spec.items() if key != "default"} for name, spec in WorkerRoute.spec().items()
}


def apart(one: Route, other: Route) -> bool:
    """Whether two routes of one pattern are seen to be in two zones: a name may be that of any id, and who names none may mean any."""
    return any(
        one.get(way) and other.get(way) and host_name(str(one[way])) != host_name(str(other[way])) for way in PLACE
    )


class WorkerRoutes(Fleet):
    """Routes as one task wants them, each known by its pattern and its zone."""

    name = "worker_routes"
    many = "routes"
    controls = {
        "routes": {"type": "list", "elements": "dict", "required": True, "options": ROUTE, **WorkerRoute.rules},
        **SHARED,
        **Fleet.pace,
    }
    rules = WorkerRoute.rules

    def __init__(self, client: t.Any, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        self._refusals: dict[str, str] = {}
        self._routes = self._named([self._with_shared(route) for route in given["routes"]])

    def _with_shared(self, route: Route) -> Route:
        """Return a route with what is said for all. One that says where it is, in either way, is not where the others are."""
        if isinstance(route, Unfit):
            return route
        elsewhere = PLACE if any(way in route for way in PLACE) else ()
        return {**{name: self.given[name] for name in SHARED if name in self.given and name not in elsewhere}, **route}

    def _named(self, routes: t.Sequence[Route]) -> dict[str, Route]:
        """Return the routes by their patterns, and by their zones too where several have one pattern."""
        alike: dict[str, list[Route]] = {}
        for position, route in enumerate(routes, 1):
            pattern = route.get("pattern")
            if not pattern:
                raise CloudflareError(f"routes: number {position} has no pattern: give each its own.")
            others = alike.setdefault(normal(str(pattern)), [])
            if twin := next((other for other in others if not apart(route, other)), None):
                raise CloudflareError(
                    f"routes: {twin['pattern']!r} and {pattern!r} are one route: remove one of them, or give both the zone,"
                    " or both the zone_id, if they are in two zones."
                )
            others.append(route)
        shared = {pattern for pattern, those in alike.items() if len(those) > 1}
        names = [(str(route["pattern"]), route) for route in routes]
        return {
            f"{pattern} in zone {_place(route)}" if normal(pattern) in shared else pattern: route
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
        for way in PLACE:
            if way in given and not given[way]:
                raise CloudflareError(
                    f"{way} is {'null' if given[way] is None else 'empty'}: give it a value, or leave it out."
                )
        route = WorkerRoute(self.client, given, {"take_over": self.options["take_over"], **given, "state": state})
        self._have_listed(route)
        return route

    def _have_listed(self, route: WorkerRoute) -> None:
        """Have the zone of a route listed. One that refuses is asked once, and fails only the routes that are in it."""
        zone = route.find_zone()
        if zone in (None, UNKNOWN):
            return
        if zone not in self._refusals:
            self._refusals[zone] = ""
            try:
                self.client.list_all(join("zones", zone, *WorkerRoute.collection))
            except (ApiError, AmbiguousResult) as error:
                self._refusals[zone] = str(error)
        if self._refusals[zone]:
            raise CloudflareError(self._refusals[zone])


def _place(route: Route) -> str:
    return next(str(route[way]) for way in PLACE if route.get(way))
