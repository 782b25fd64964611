# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Base classes for objects in a zone, which is given or inferred from a hostname."""

from __future__ import annotations

import re
import typing as t
from abc import abstractmethod

from .._cloudflare.client import Client, join
from .._cloudflare.errors import CloudflareError
from .._cloudflare.hostnames import to_ascii, to_unicode
from .._engine.fields import UNKNOWN, Attributes
from .._engine.info import Info
from .._engine.resource import Convergible, Resource

HOSTNAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+")


def normalize_hostname(text: str) -> str:
    """Normalize a hostname to lower case and Punycode, without a trailing dot."""
    return to_ascii(text.rstrip("."))


def both_forms(option: str, value: str) -> Attributes:
    """Return a hostname or pattern in both forms: as the API has it, and in Unicode."""
    return {option: value, f"{option}_unicode": to_unicode(value)}


def encoded_forms(option: str, text: str) -> Attributes:
    """Return a declared hostname in both forms. An ASCII name is kept as it was written."""
    return both_forms(option, text if text.isascii() else normalize_hostname(text))


class ZoneMixin(Convergible):
    """A zone given by C(zone_id) or C(zone), or the one with the longest matching suffix of C(lookup_host)."""

    behavior_options = {"zone_id": {"type": "str"}, "zone": {"type": "str"}}
    argument_rules = {"mutually_exclusive": [("zone_id", "zone")]}
    collection: t.ClassVar[tuple[str, ...]]
    """The path of the objects below the zone."""

    def __init__(self, client: Client, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        if not options.get("zone_id") and not options.get("zone") and self.lookup_host == "*":
            raise CloudflareError("zone: '*' matches every zone. Set zone or zone_id.")

    @property
    @abstractmethod
    def lookup_host(self) -> str:
        """Return the hostname from which the zone is inferred. C(*) matches every zone."""

    def find_zone(self) -> str | None:
        """Return the id of the zone, or None if the credentials have no access to it."""
        if self.options.get("zone_id"):
            return str(self.options["zone_id"])
        if self.options.get("zone"):
            return self.client.zone_id(self.options["zone"])
        return self.client.zone_id_for_host(self.lookup_host.lower())


class ZoneResource(ZoneMixin, Resource):
    """An object in a zone."""

    def __init__(self, client: Client, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        self._zone: str = UNKNOWN

    def _path(self, *parts: str) -> str:
        below = join(*self.collection, *parts)
        return f"/zones/{UNKNOWN}{below}" if self._zone == UNKNOWN else join("zones", self._zone) + below

    def _resolve_zone(self) -> tuple[str, ...]:
        """Resolve the zone once. Return it as a missing prerequisite if there is none."""
        if self._zone != UNKNOWN:
            return ()
        zone_id, name = self.find_zone(), self.options.get("zone")
        if zone_id is None:
            problem = f"zone: there is no zone {name!r}" if name else f"zone: no zone fits {self.label}"
            remedy = "add it to the account, give zone_id, or allow the token Zone:Read."
            return (f"{problem} that these credentials can see: {remedy}",)
        self._zone = zone_id
        return ()

    def desired(self, before: Attributes | None) -> Attributes:
        return {**super().desired(before), **({"zone_id": self._zone} if before is None else {})}


class ZoneInfo(ZoneMixin, Info):
    """Information about the objects of a zone."""

    @staticmethod
    @abstractmethod
    def from_api(item: Attributes, zone: str, /) -> Attributes:
        """Convert an API object in the zone with this id."""

    @property
    def list_params(self) -> dict[str, t.Any]:
        """Return query parameters that filter the listing and set its page size."""
        return {}

    def list_objects(self) -> t.Iterable[Attributes]:
        zone = self.find_zone()
        items = self.client.list_all(join("zones", zone, *self.collection), **self.list_params) if zone else []
        return [self.from_api(item, str(zone)) for item in items]
