# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DNS records of a zone, such as the proxied record that every route needs."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import typing as t

from .._cloudflare.client import Client
from .._cloudflare.errors import CloudflareError
from .._cloudflare.responses import ApiResponse
from .._engine.fields import UNKNOWN, Attributes, Field, as_set, json_equal, unchanged
from .._engine.plan import Step, json_body
from .._engine.resource import Observation
from .zone import ZoneInfo, ZoneResource, both_forms, encoded_forms, normalize_hostname

NAME = re.compile(r"(\*|[a-z0-9_-]{1,63})(\.(\*|[a-z0-9_-]{1,63}))+")
TYPES = (
    "A", "AAAA", "CAA", "CERT", "CNAME", "DNSKEY", "DS", "HTTPS", "LOC", "MX", "NAPTR", "NS",
    "OPENPGPKEY", "PTR", "SMIMEA", "SRV", "SSHFP", "SVCB", "TLSA", "TXT", "URI",
)  # fmt: skip
SINGLE_VALUE_TYPES = (
    "A",
    "AAAA",
    "CNAME",
)  # multi_value is false by default
TYPES_WITH_PRIORITY = ("MX", "URI")  # types with a separate priority
TTL_AUTO = 1  # Cloudflare chooses the TTL; proxied records accept no other
MATCH_FIELDS = ("content", "data")  # these distinguish records of the same name and type


def normalize_ip(text: str) -> str:
    """Normalize an IP address. Return other text unchanged, for the API to reject."""
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(text))
    return text


def unquote_txt(text: str) -> str:
    """Remove the quotes that Cloudflare may add around a TXT record or its parts."""
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text)) if re.fullmatch(r'("(?:[^"\\]|\\.)*"\s*)+', text) else text


TYPES_OF_HOSTNAMES = ("CNAME", "MX", "NS", "PTR")
NORMALIZERS: t.Mapping[str, t.Callable[[str], str]] = {
    **dict.fromkeys(("A", "AAAA"), normalize_ip),
    **dict.fromkeys(TYPES_OF_HOSTNAMES, normalize_hostname),
    "TXT": unquote_txt,
}


def from_api(record: Attributes, zone: str) -> Attributes:
    """Convert an API object to a DNS record."""
    owned = {field.name: record.get(field.name) for field in DNSRecord.fields}
    kept = {key: record.get(key) for key in ("id", "type", "created_on", "modified_on")}
    return {
        **kept,
        **both_forms("name", record["name"]),
        **owned,
        "data": record.get("data") or None,
        "tags": record.get("tags") or [],
        "zone_id": zone,
    }


class DNSRecord(ZoneResource):
    """A DNS record, identified by name and type, and by its content among several of the same name and type."""

    name = "dns_record"
    identity = {
        "name": {"type": "str", "required": True},
        "type": {"type": "str", "required": True, "choices": list(TYPES)},
    }
    fields = (
        Field("content", {"type": "str"}),
        Field("data", {"type": "dict"}, initial=None),
        Field("proxied", {"type": "bool"}, initial=False, removed=False),
        Field("ttl", {"type": "int"}, initial=TTL_AUTO, removed=TTL_AUTO),
        Field("priority", {"type": "int"}, initial=None),
        Field("comment", {"type": "str"}, lambda comment: comment or None, initial=None),
        Field("tags", {"type": "list", "elements": "str"}, as_set, initial=[], removed=[]),
    )
    behavior_options = {**ZoneResource.behavior_options, "multi_value": {"type": "bool"}}
    collection = ("dns_records",)
    computed, computed_on_write = ("id", "created_on"), ("modified_on",)

    def __init__(self, client: Client, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        zone, ttl = normalize_hostname(options.get("zone") or ""), options.get("ttl") or TTL_AUTO
        if not NAME.fullmatch(self.lookup_host):
            raise CloudflareError(
                f"name: {options['name']!r} is not a fully qualified name. Include the zone, such as www.example.com."
            )
        if zone and not f".{self.lookup_host}".endswith(f".{zone}"):
            raise CloudflareError(
                f"name: {options['name']!r} is not in zone {zone!r}: Write the fully qualified name, such as"
                f" {self.lookup_host}.{zone}, or correct zone."
            )
        for name in MATCH_FIELDS:
            if name in given and not given[name]:
                raise CloudflareError(
                    f"{name} is empty: give the {name} of the record, or remove it with state: absent."
                )
        if given.get("priority") is not None and options["type"] not in TYPES_WITH_PRIORITY:
            raise CloudflareError(
                f"priority: {options['type']} records have none beside their data, only"
                f" {' and '.join(TYPES_WITH_PRIORITY)}: leave it out here."
            )
        if ttl != TTL_AUTO and not 30 <= ttl <= 86400:
            raise CloudflareError(
                f"ttl: {ttl} is not a valid TTL. Set 30 to 86400 seconds, or {TTL_AUTO} for Cloudflare's choice."
            )

    @property
    def lookup_host(self) -> str:
        return normalize_hostname(self.options["name"])

    def identity_values(self) -> Attributes:
        return {**super().identity_values(), **encoded_forms("name", self.options["name"])}

    @property
    def label(self) -> str:
        return f"{self.options['type']} record {self.options['name']!r}"

    @property
    def _is_multi_value(self) -> bool:
        multi_value = self.options.get("multi_value")
        return self.options["type"] not in SINGLE_VALUE_TYPES if multi_value is None else bool(multi_value)

    @property
    def _normalize(self) -> t.Callable[[str], str]:
        return NORMALIZERS.get(self.options["type"], unchanged)

    def observe(self) -> Observation:
        missing = self._resolve_zone()
        listed = (
            []
            if self._zone == UNKNOWN
            else self.client.list_all(self._path(), name=self.lookup_host, type=self.options["type"])
        )
        found = self._match_record(
            [
                from_api(record, self._zone)
                for record in listed
                if (normalize_hostname(record["name"]), record["type"]) == (self.lookup_host, self.options["type"])
            ]
        )
        return Observation(found, missing)

    def _match_record(self, records: t.Sequence[Attributes]) -> Attributes | None:
        """Select the record to manage among those of the same name and type."""
        matches = [
            record
            for record in records
            if all(json_equal(value, record[name]) for name, value in self._desired_content(record).items())
        ]
        candidates = matches or ([] if self._is_multi_value or self.state == "absent" else records)
        if len(candidates) > 1:
            contents = ", ".join(repr(record["content"]) for record in candidates)
            raise CloudflareError(
                f"content: there are {len(candidates)} of {self.label}: {contents}. Give the content, or all data, of"
                " the one that is meant."
            )
        return candidates[0] if candidates else None

    def _desired_content(self, record: Attributes) -> Attributes:
        """Return the declared content and data, with equivalent spellings replaced by those of C(record)."""
        desired = {name: self.user_params[name] for name in MATCH_FIELDS if name in self.user_params}
        if (
            "content" in desired
            and record["content"] is not None
            and self._normalize(desired["content"]) == self._normalize(record["content"])
        ):
            desired["content"] = record["content"]
        if "data" in desired:
            desired["data"] = {**(record["data"] or {}), **desired["data"]}
        return desired

    def desired(self, before: Attributes | None) -> Attributes:
        wanted = {**super().desired(before), **(self._desired_content(before) if before else {})}
        content = wanted.get("content")
        if self.options["type"] in TYPES_OF_HOSTNAMES and content and not content.isascii():
            wanted["content"] = normalize_hostname(content)
        if wanted.get("proxied", (before or {}).get("proxied")):
            wanted.setdefault("ttl", TTL_AUTO)
        return wanted

    def guard(self, before: Attributes | None, after: Attributes | None) -> None:
        if after is None:
            return
        if before is None and not any(name in self.user_params for name in MATCH_FIELDS):
            raise CloudflareError(
                f"content: {self.label} does not exist yet: give its content, or its data where the type has several"
                " parts."
            )
        if after["proxied"] and after["ttl"] != TTL_AUTO:
            raise CloudflareError(
                f"ttl: {self.label} is proxied, and then Cloudflare chooses its ttl: leave ttl out, or set proxied:"
                " false."
            )

    def create(self, after: Attributes) -> t.Iterable[Step]:
        own = {
            key: after[key]
            for key in ("name", "type", *(field.name for field in self.fields))
            if after[key] not in (None, UNKNOWN)
        }
        return [Step("POST", self._path(), json_body({**own, "name": self.lookup_host}), self._check_created_name)]

    def _check_created_name(self, answer: ApiResponse) -> None:
        name = answer.result["name"]
        # For a zone given by id, the zone's name is unknown until Cloudflare has completed the record's name.
        if normalize_hostname(name) != self.lookup_host:
            raise CloudflareError(
                f"name: {self.options['name']!r} is not in zone {self._zone}, and was made as {name!r}: remove that,"
                " give the whole name."
            )

    def computed_after(self, changed: t.Collection[str]) -> tuple[str, ...]:
        # Cloudflare composes the content of a record from its data.
        return (*self.computed_on_write, *(("content",) if "data" in changed else ()))

    def update(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> t.Iterable[Step]:
        return (
            [Step("PATCH", self._path(before["id"]), json_body({name: after[name] for name in changed}))]
            if changed
            else []
        )

    def delete(self, before: Attributes) -> t.Iterable[Step]:
        return [Step("DELETE", self._path(before["id"]))]


class DNSRecordInfo(ZoneInfo):
    """Information about the DNS records of a zone."""

    name, result_key = "dns_record_info", "dns_records"
    fields = (
        Field("name", {"type": "str"}, normalize_hostname),
        Field("type", {"type": "str", "choices": list(TYPES)}),
        Field("content", {"type": "str"}),
    )
    argument_rules = {**ZoneInfo.argument_rules, "required_one_of": [("zone_id", "zone", "name")]}
    collection = DNSRecord.collection
    from_api = staticmethod(from_api)

    @property
    def lookup_host(self) -> str:
        return normalize_hostname(self.options["name"])

    @property
    def list_params(self) -> dict[str, t.Any]:
        return {"name": self.options["name"] and self.lookup_host, "type": self.options["type"], "per_page": 1000}
