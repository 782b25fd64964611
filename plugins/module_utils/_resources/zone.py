# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What lives in a zone: a given one, or the one that a host name belongs to."""

from __future__ import annotations

import re
import typing as t
from abc import abstractmethod

from .._cloudflare.client import Client, join
from .._cloudflare.errors import CloudflareError
from .._engine.info import Info
from .._engine.resource import UNKNOWN, Kind, Object, Resource

HOSTNAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+")


def normalize_hostname(text: str) -> str:
    """Return the one spelling of a host name."""
    return text.lower().rstrip(".")


class ZoneMixin(Kind):
    """What lives in a zone, which C(zone_id) or C(zone) names, else it is the zone with the longest name that C(host) ends in."""

    controls = {"zone_id": {"type": "str"}, "zone": {"type": "str"}}
    rules = {"mutually_exclusive": [("zone_id", "zone")]}
    collection: t.ClassVar[tuple[str, ...]]
    """Where in the zone objects of this kind are."""

    @property
    @abstractmethod
    def lookup_host(self) -> str:
        """Return the host name that says which zone is meant where none is given; a C(*) fits every zone."""

    def find_zone(self) -> str | None:
        """Return the id of the zone; None where these credentials see none."""
        if self.options.get("zone_id"):
            return str(self.options["zone_id"])
        if self.options.get("zone"):
            return self.client.zone_id(self.options["zone"])
        if self.lookup_host == "*":
            raise CloudflareError("zone: '*' fits every zone: give zone or zone_id.")
        return self.client.zone_id_for_host(self.lookup_host.lower())


class ZoneResource(ZoneMixin, Resource):
    """An object of a zone."""

    def __init__(self, client: Client, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        self._zone = UNKNOWN

    def _path(self, *parts: str) -> str:
        below = join(*self.collection, *parts)
        return f"/zones/{UNKNOWN}{below}" if self._zone == UNKNOWN else join("zones", self._zone) + below

    def _resolve_zone(self) -> None:
        """Find the zone, or what is missing where there is none. Found once, it is not looked for again."""
        if self._zone != UNKNOWN:
            return
        self.missing.clear()
        zone_id, name = self.find_zone(), self.options.get("zone")
        if zone_id is None:
            what = f"zone: there is no zone {name!r}" if name else f"zone: no zone fits {self.label}"
            self.missing.append(
                f"{what} that these credentials can see: add it to the account, give zone_id, or allow the token Zone:Read."
            )
        self._zone = zone_id or UNKNOWN


class ZoneInfo(ZoneMixin, Info):
    """The objects of a zone that one task asks for."""

    @staticmethod
    @abstractmethod
    def from_api(item: Object, zone: str, /) -> Object:
        """Return an object from what the API tells of it and from the id of its zone."""

    @property
    def list_params(self) -> dict[str, t.Any]:
        """What has the API list no more than is asked for, and many at once."""
        return {}

    def listed(self) -> t.Iterable[Object]:
        zone = self.find_zone()
        items = self.client.list_all(join("zones", zone, *self.collection), **self.list_params) if zone else []
        return [self.from_api(item, str(zone)) for item in items]
