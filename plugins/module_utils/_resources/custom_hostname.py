# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Custom hostnames: customers' own hostnames that Cloudflare serves from the platform's zone, with certificates."""

from __future__ import annotations

import typing as t

from .._cloudflare.client import Client
from .._cloudflare.errors import CloudflareError
from .._engine.fields import UNKNOWN, Attributes, Field, OptionSpec
from .._engine.plan import Step, json_body
from .._engine.resource import Observation
from .zone import HOSTNAME, ZoneInfo, ZoneResource, both_forms, encoded_forms, normalize_hostname

ON_OFF: OptionSpec = {"type": "str", "choices": ["on", "off"]}
SETTINGS: dict[str, OptionSpec] = {
    "http2": ON_OFF,
    "tls_1_3": ON_OFF,
    "early_hints": ON_OFF,
    "min_tls_version": {"type": "str", "choices": ["1.0", "1.1", "1.2", "1.3"]},
    "ciphers": {"type": "list", "elements": "str"},
}
SSL: dict[str, OptionSpec] = {
    "method": {"type": "str", "choices": ["http", "txt", "email"]},
    "type": {"type": "str", "choices": ["dv"]},
    "certificate_authority": {"type": "str"},
    "bundle_method": {"type": "str", "choices": ["ubiquitous", "optimal", "force"]},
    "wildcard": {"type": "bool"},
    "settings": {"type": "dict", "options": SETTINGS},
}
DELETING_STATUSES = ("pending_deletion", "deleted")  # deletion is asynchronous
# The choices of wait_for, with the condition that ends the wait.
WAIT_CONDITIONS: t.Mapping[str, t.Callable[[Attributes], bool]] = {
    "validation_records": lambda item: item["ssl_status"] != "initializing",
    "active": lambda item: item["status"] == "active" and item["ssl_status"] in (None, "active"),
}


def normalize_ssl(ssl: t.Mapping[str, t.Any] | None) -> Attributes | None:
    """Normalize the API's C(ssl) object to the managed keys. Return None without a certificate."""
    if not ssl:
        return None
    return {
        **{name: ssl.get(name) for name in SSL},
        "wildcard": bool(ssl.get("wildcard")),
        "settings": ssl.get("settings") or {},
    }


def strip_unknown(value: t.Any) -> t.Any:
    """Remove null and unknown values from nested dictionaries."""
    if not isinstance(value, dict):
        return value
    return {key: strip_unknown(item) for key, item in value.items() if item not in (None, UNKNOWN)}


def required_dns_records(
    found: t.Mapping[str, t.Any], validation_records: t.Iterable[t.Mapping[str, t.Any]]
) -> list[Attributes]:
    """Return the DNS records that the customer must create to validate the hostname and its certificate."""
    owner = found.get("ownership_verification") or {}
    own = (
        [{"name": owner["name"], "type": str(owner.get("type") or "txt").upper(), "content": owner["value"]}]
        if owner.get("name") and owner.get("value")
        else []
    )
    return [
        *own,
        *(
            {"name": record["txt_name"], "type": "TXT", "content": record["txt_value"]}
            for record in validation_records
            if record.get("txt_name") and record.get("txt_value")
        ),
    ]


def from_api(found: Attributes, zone: str) -> Attributes:
    """Convert an API object to a custom hostname."""
    ssl = found.get("ssl") or {}
    validation_records = ssl.get("validation_records") or []
    return {
        **both_forms("hostname", found["hostname"]),
        "zone_id": zone,
        **{field.name: found.get(field.name) for field in CustomHostname.fields},
        "ssl": normalize_ssl(ssl),
        "custom_metadata": found.get("custom_metadata") or {},
        **{
            key: found.get(key)
            for key in (*CustomHostname.computed, "status", "ownership_verification", "ownership_verification_http")
        },
        "verification_errors": found.get("verification_errors") or [],
        "ssl_status": ssl.get("status"),
        "validation_records": validation_records,
        "validation_errors": [
            error["message"] for error in ssl.get("validation_errors") or [] if isinstance(error.get("message"), str)
        ],
        "dns_records": required_dns_records(found, validation_records),
    }


def _is_renewed_by_http(current: Attributes, ssl: Attributes) -> bool:
    """Whether the certificate differs from the desired one only because Cloudflare renewed it by HTTP.

    Cloudflare renews an active certificate by HTTP even if it was validated by TXT, but not one for a wildcard.
    """
    return (
        current["ssl_status"] == "active"
        and not ssl["wildcard"]
        and ssl == {**current["ssl"], "method": "txt"}
        and current["ssl"]["method"] == "http"
    )


class CustomHostname(ZoneResource):
    """A custom hostname. Every write of C(ssl), even an unchanged one, restarts the validation of the certificate."""

    name = "custom_hostname"
    identity = {"hostname": {"type": "str", "required": True}}
    fields = (
        Field("ssl", {"type": "dict", "options": SSL}),
        Field("custom_metadata", {"type": "dict"}, lambda metadata: metadata or {}, initial={}, removed={}),
        Field(
            "custom_origin_server",
            {"type": "str"},
            lambda origin: normalize_hostname(origin or "") or None,
            initial=None,
        ),
        Field("custom_origin_sni", {"type": "str"}, lambda sni: sni or None, initial=None),
    )
    behavior_options = {
        **ZoneResource.behavior_options,
        "wait_for": {"type": "str", "choices": list(WAIT_CONDITIONS)},
        "wait_timeout": {"type": "int", "default": 300},
    }
    argument_rules = {**ZoneResource.argument_rules, "required_one_of": [("zone", "zone_id")]}
    collection = ("custom_hostnames",)
    computed = ("id", "created_at")
    computed_on_write = (
        *("status", "ssl_status", "dns_records", "ownership_verification", "ownership_verification_http"),
        *("validation_records", "validation_errors", "verification_errors"),
    )

    def __init__(self, client: Client, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        if not HOSTNAME.fullmatch(self.lookup_host):
            raise CloudflareError(
                f"hostname: {options['hostname']!r} is not a valid hostname. Omit wildcards (see ssl) and paths."
            )
        ssl = given.get("ssl", {})
        for name, value in {"ssl": ssl, **(ssl or {}), **((ssl or {}).get("settings") or {})}.items():
            if value is None:
                raise CloudflareError(
                    f"ssl: {name} is null, and Cloudflare cannot remove a certificate setting. Set a value, or omit it."
                )

    @property
    def lookup_host(self) -> str:
        return normalize_hostname(self.options["hostname"])

    def identity_values(self) -> Attributes:
        return encoded_forms("hostname", self.options["hostname"])

    @property
    def label(self) -> str:
        return f"custom hostname {self.options['hostname']!r}"

    def observe(self) -> Observation:
        missing = self._resolve_zone()
        listed = (
            [] if self._zone == UNKNOWN else self.client.list_all(self._path(), hostname=self.lookup_host, per_page=50)
        )
        found = next(
            (
                item
                for item in listed
                if normalize_hostname(item["hostname"]) == self.lookup_host
                and item.get("status") not in DELETING_STATUSES
            ),
            None,
        )
        return Observation(from_api(found, self._zone) if found else None, missing)

    def desired(self, before: Attributes | None) -> Attributes:
        wanted = super().desired(before)
        if "ssl" in wanted:
            current_ssl = (before or {}).get("ssl") or {**dict.fromkeys(SSL, UNKNOWN), "type": "dv"}
            settings = wanted["ssl"].get("settings", {})
            current_settings = current_ssl["settings"] if isinstance(current_ssl["settings"], dict) else {}
            wanted["ssl"] = {
                **current_ssl,
                **wanted["ssl"],
                "settings": {**current_settings, **settings} if settings else current_ssl["settings"],
            }
            if before and _is_renewed_by_http(before, wanted["ssl"]):
                wanted["ssl"] = before["ssl"]
        return wanted

    def guard(self, before: Attributes | None, after: Attributes | None) -> None:
        ssl = (after or {}).get("ssl")
        if isinstance(ssl, dict) and ssl["method"] == UNKNOWN:
            raise CloudflareError(
                f"ssl: the certificate of {self.label} needs a validation method. Set method to http, txt or email."
            )

    def pending_reason(self, thing: Attributes) -> str:
        condition = self.options.get("wait_for")
        if not condition or WAIT_CONDITIONS[condition](thing):
            return ""
        errors = [*thing["verification_errors"], *thing["validation_errors"]]
        records = [f"{record['type']} {record['name']} {record['content']}" for record in thing["dns_records"]]
        details = [
            f" {what}: {'; '.join(found)}"
            for what, found in (("Cloudflare found", errors), ("The customer's DNS needs", records))
            if found
        ]
        return f"it is {thing['status']}, its certificate {thing['ssl_status'] or 'none'}" + ".".join(["", *details])

    def create(self, after: Attributes) -> t.Iterable[Step]:
        own = strip_unknown({field.name: after[field.name] for field in self.fields if after[field.name]})
        return [Step("POST", self._path(), json_body({"hostname": self.lookup_host, **own}))]

    def update(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> t.Iterable[Step]:
        patch = {name: strip_unknown(after[name]) for name in changed}
        return [Step("PATCH", self._path(before["id"]), json_body(patch))] if changed else []

    def delete(self, before: Attributes) -> t.Iterable[Step]:
        return [Step("DELETE", self._path(before["id"]))]


class CustomHostnameInfo(ZoneInfo):
    """Information about the custom hostnames of a zone, except those under deletion."""

    name, result_key = "custom_hostname_info", "custom_hostnames"
    fields = (
        Field("hostname", {"type": "str"}, normalize_hostname),
        Field("status", {"type": "str"}),
        Field("ssl_status", {"type": "str"}),
    )
    argument_rules = CustomHostname.argument_rules
    collection = CustomHostname.collection
    from_api = staticmethod(from_api)

    @property
    def lookup_host(self) -> str:
        return "*"  # no zone of the account contains a customer's hostname

    @property
    def list_params(self) -> dict[str, t.Any]:
        return {"hostname": normalize_hostname(self.options["hostname"] or "") or None, "per_page": 50}

    def list_objects(self) -> t.Iterable[Attributes]:
        return [item for item in super().list_objects() if item["status"] not in DELETING_STATUSES]
