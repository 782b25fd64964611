# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A DNS record of a zone, such as the proxied one without which no request reaches a route."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import typing as t

from .._cloudflare.client import ApiResponse, Client
from .._cloudflare.errors import CloudflareError
from .._engine.resource import UNKNOWN, Field, Object, Step, body, identical, same, unordered
from .zone import InZone, InZoneInfo, host_name

NAME = re.compile(r"(\*|[a-z0-9_-]{1,63})(\.(\*|[a-z0-9_-]{1,63}))+")
TYPES = (
    "A", "AAAA", "CAA", "CERT", "CNAME", "DNSKEY", "DS", "HTTPS", "LOC", "MX", "NAPTR", "NS",
    "OPENPGPKEY", "PTR", "SMIMEA", "SRV", "SSHFP", "SVCB", "TLSA", "TXT", "URI",
)  # fmt: skip
SINGLE_VALUE_TYPES = (
    "A",
    "AAAA",
    "CNAME",
)  # types of which a name mostly has one record; of the others it has several by nature
RANKED = ("MX", "URI")  # types that have a priority beside their data
AUTOMATIC = 1  # the ttl that Cloudflare chooses, and the only one of a proxied record
TELLING = ("content", "data")  # by which records of one name and type are told apart


def address(text: str) -> str:
    """Return the one spelling of an IP address; what is none as it is, for Cloudflare to refuse."""
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(text))
    return text


def unquoted(text: str) -> str:
    """Return the text of a TXT record without the quotes that Cloudflare may have put around it or its parts."""
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text)) if re.fullmatch(r'("(?:[^"\\]|\\.)*"\s*)+', text) else text


FORMS: t.Mapping[str, t.Callable[[str], str]] = {
    **dict.fromkeys(("A", "AAAA"), address),
    **dict.fromkeys(("CNAME", "MX", "NS", "PTR"), host_name),
    "TXT": unquoted,
}


def told(record: Object, zone: str) -> Object:
    """Return a DNS record from what the API tells of it."""
    owned = {field.name: record.get(field.name) for field in DNSRecord.fields}
    kept = {key: record.get(key) for key in ("id", "name", "type", "created_on", "modified_on")}
    return {**kept, **owned, "data": record.get("data") or None, "tags": record.get("tags") or [], "zone_id": zone}


class DNSRecord(InZone):
    """A DNS record as one task wants it, known by name and type, and by its content where it stands beside others of these."""

    name = "dns_record"
    identity = {
        "name": {"type": "str", "required": True},
        "type": {"type": "str", "required": True, "choices": list(TYPES)},
    }
    fields = (
        Field("content", {"type": "str"}),
        Field("data", {"type": "dict"}, initial=None),
        Field("proxied", {"type": "bool"}, initial=False, removed=False),
        Field("ttl", {"type": "int"}, initial=AUTOMATIC, removed=AUTOMATIC),
        Field("priority", {"type": "int"}, initial=None),
        Field("comment", {"type": "str"}, lambda comment: comment or None, initial=None),
        Field("tags", {"type": "list", "elements": "str"}, unordered, initial=[], removed=[]),
    )
    controls = {**InZone.controls, "multi_value": {"type": "bool"}}
    collection = ("dns_records",)
    filled, touched = ("id", "created_on"), ("modified_on",)

    def __init__(self, client: Client, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        zone, ttl = host_name(options.get("zone") or ""), options.get("ttl") or AUTOMATIC
        if not NAME.fullmatch(self.host):
            raise CloudflareError(
                f"name: {options['name']!r} is no whole name: write it with its zone, such as www.example.com, and in Punycode."
            )
        if zone and not f".{self.host}".endswith(f".{zone}"):
            raise CloudflareError(
                f"name: {options['name']!r} is not in zone {zone!r}: write the whole name, such as {self.host}.{zone}, or correct zone."
            )
        for name in TELLING:
            if name in given and not given[name]:
                raise CloudflareError(
                    f"{name} is empty: give the {name} of the record, or remove it with state: absent."
                )
        if given.get("priority") is not None and options["type"] not in RANKED:
            raise CloudflareError(
                f"priority: {options['type']} records have none beside their data, only {' and '.join(RANKED)}: leave it out here."
            )
        if ttl != AUTOMATIC and not 30 <= ttl <= 86400:
            raise CloudflareError(
                f"ttl: {ttl} is none: give 30 to 86400 seconds, or {AUTOMATIC} for Cloudflare's choice."
            )

    @property
    def host(self) -> str:
        return host_name(self.options["name"])

    @property
    def label(self) -> str:
        return f"{self.options['type']} record {self.options['name']!r}"

    @property
    def _is_multi_value(self) -> bool:
        multi_value = self.options.get("multi_value")
        return self.options["type"] not in SINGLE_VALUE_TYPES if multi_value is None else bool(multi_value)

    @property
    def _form(self) -> t.Callable[[str], str]:
        return FORMS.get(self.options["type"], same)

    def observe(self) -> Object | None:
        self._look_up()
        listed = (
            []
            if self._zone == UNKNOWN
            else self.client.list_all(self._path(), name=self.host, type=self.options["type"])
        )
        return self._meant(
            [
                told(record, self._zone)
                for record in listed
                if (host_name(record["name"]), record["type"]) == (self.host, self.options["type"])
            ]
        )

    def _meant(self, records: t.Sequence[Object]) -> Object | None:
        """Return that of the records of one name and type which the task means."""
        fitting = [
            record
            for record in records
            if all(identical(value, record[name]) for name, value in self._told(record).items())
        ]
        meant = fitting or ([] if self._is_multi_value or self.options["state"] == "absent" else records)
        if len(meant) > 1:
            contents = ", ".join(repr(record["content"]) for record in meant)
            raise CloudflareError(
                f"content: there are {len(meant)} of {self.label}: {contents}. Give the content, or all data, of the one that is meant."
            )
        return meant[0] if meant else None

    def _told(self, record: Object) -> Object:
        """Return what is given of content and data, where that is the same as in C(record) in the record's own spelling."""
        told = {name: self.given[name] for name in TELLING if name in self.given}
        if (
            "content" in told
            and record["content"] is not None
            and self._form(told["content"]) == self._form(record["content"])
        ):
            told["content"] = record["content"]
        if "data" in told:
            told["data"] = {**(record["data"] or {}), **told["data"]}
        return told

    def wanted(self, before: Object | None) -> Object:
        wanted = {**super().wanted(before), **(self._told(before) if before else {})}
        if wanted.get("proxied", (before or {}).get("proxied")):
            wanted.setdefault("ttl", AUTOMATIC)
        return wanted

    def guard(self, before: Object | None, after: Object | None) -> None:
        if after is None:
            return
        if before is None and not any(name in self.given for name in TELLING):
            raise CloudflareError(
                f"content: {self.label} does not exist yet: give its content, or its data where the type has several parts."
            )
        if after["proxied"] and after["ttl"] != AUTOMATIC:
            raise CloudflareError(
                f"ttl: {self.label} is proxied, and then Cloudflare chooses its ttl: leave ttl out, or set proxied: false."
            )

    def create(self, after: Object) -> t.Iterable[Step]:
        after["zone_id"] = self._zone
        own = {
            key: after[key]
            for key in ("name", "type", *(field.name for field in self.fields))
            if after[key] not in (None, UNKNOWN)
        }
        return [Step("POST", self._path(), body({**own, "name": self.host}), self._made)]

    def _made(self, answer: ApiResponse) -> None:
        name = answer.result["name"]
        if host_name(name) != self.host:  # of a zone given by its id, only Cloudflare knows what names end in
            raise CloudflareError(
                f"name: {self.options['name']!r} is not in zone {self._zone}, and was made as {name!r}: remove that, give the whole name."
            )

    def update(self, before: Object, after: Object, changed: t.Collection[str]) -> t.Iterable[Step]:
        if "data" in changed:
            after["content"] = UNKNOWN
        return (
            [Step("PATCH", self._path(before["id"]), body({name: after[name] for name in changed}))] if changed else []
        )

    def delete(self, before: Object) -> t.Iterable[Step]:
        return [Step("DELETE", self._path(before["id"]))]


class DNSRecordInfo(InZoneInfo):
    """The DNS records of a zone that one task asks for."""

    name, plural = "dns_record_info", "dns_records"
    fields = (
        Field("name", {"type": "str"}, host_name),
        Field("type", {"type": "str", "choices": list(TYPES)}),
        Field("content", {"type": "str"}),
    )
    rules = {**InZoneInfo.rules, "required_one_of": [("zone_id", "zone", "name")]}
    collection = DNSRecord.collection
    tell = staticmethod(told)

    @property
    def host(self) -> str:
        return host_name(self.options["name"])

    @property
    def narrowing(self) -> dict[str, t.Any]:
        return {"name": self.options["name"] and self.host, "type": self.options["type"], "per_page": 1000}
