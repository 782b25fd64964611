# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Custom hostnames: validation of names and certificate settings, and the states until they are active."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from local_edge.errors import ApiError
from local_edge.store import Store

#: The states that each passes through within `Settings.custom_hostname_seconds`.
HOSTNAME_STATES = ("pending", "active")
SSL_STATES = ("initializing", "pending_validation", "pending_issuance", "pending_deployment", "active")
ORIGIN_STATES = ("initializing", "pending_deployment", "active")

LABELS = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
#: Cloudflare also refuses `localhost`. It is allowed here, since browsers resolve it to this machine.
RESERVED = ("test", "example", "invalid")
PROHIBITED = ("example.com", "example.net", "example.org")
RETRY_HINT = "Check your input and try again."
ON_OR_OFF = ("on", "off")
#: The settings in `ssl.settings`: their values, and the error code for others.
SETTINGS: Mapping[str, tuple[tuple[str, ...], int]] = {
    "http2": (ON_OR_OFF, 1422),
    "tls_1_3": (ON_OR_OFF, 1424),
    "min_tls_version": (("1.0", "1.1", "1.2", "1.3"), 1425),
    "early_hints": (ON_OR_OFF, 1434),
}
#: The choices in `ssl`: their values, and the error code and message for others.
CHOICES: Mapping[str, tuple[tuple[str, ...], int, str]] = {
    "method": (
        ("http", "txt", "email"),
        1432,
        "The validation method is not supported. Only http, email, or txt are accepted.",
    ),
    "type": (("dv",), 1433, "The validation type is not supported. Only 'dv' is accepted."),
    "bundle_method": (
        ("ubiquitous", "optimal", "force"),
        1449,
        "The request input bundle_method must be one of: ubiquitous, optimal, force.",
    ),
    "certificate_authority": (("google", "lets_encrypt", "ssl_com", "digicert"), 1434, "The SSL attribute is invalid."),
}
DEFAULTS: Mapping[str, Any] = {
    "bundle_method": "ubiquitous",
    "certificate_authority": "google",
    "wildcard": False,
    "settings": {},
}
SSL_FIELDS = (*CHOICES, "wildcard", "settings", "cloudflare_branding", "custom_csr_id", "custom_certificate")
MAILBOXES = ("admin", "administrator", "hostmaster", "postmaster", "webmaster")


def refuse(code: int, problem: str) -> ApiError:
    return ApiError(400, code, f"{problem} {RETRY_HINT}")


def missing() -> ApiError:
    return ApiError(404, 1436, "The custom hostname was not found.")


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def check_name(value: object, kind: str = "custom hostname", first: int = 1407, reserved: bool = True) -> str:
    """Return the host name in lower case. Raise ApiError if it is not valid.

    `first` is the first error code: 1407 for custom hostnames, 1415 for custom origins.
    """
    if not isinstance(value, str) or not value:
        raise refuse(first, f"Invalid {kind}. It is required.")
    name = value.lower()
    if not name.isascii():
        raise refuse(first + 1, f"{kind.capitalize()}s with non-ASCII characters are not supported.")
    if len(name) > 255 or not LABELS.fullmatch(name) or is_address(name):
        raise refuse(
            first,
            f"Invalid {kind}. {kind.capitalize()}s have to be smaller than 256 characters in length, cannot be IP "
            "addresses, and cannot contain special characters.",
        )
    if reserved and name.rpartition(".")[2] in RESERVED:
        raise refuse(
            first + 2,
            f"Reserved top domain {kind}s, such as 'test', 'example', 'invalid' or 'localhost', is not supported.",
        )
    if "." not in name:
        raise refuse(first + 3, f"Unable to parse {kind} - publicsuffix: cannot derive eTLD+1 for domain {name}.")
    if reserved and f".{name}".endswith(tuple(f".{each}" for each in PROHIBITED)):
        raise refuse(
            first + 4,
            f"{kind.capitalize()}s ending in {', '.join(PROHIBITED[:-1])}, or {PROHIBITED[-1]} are prohibited.",
        )
    return name


def covers(store: Store, zone: str, host: str, wild: bool) -> bool:
    """Return whether custom hostnames of a zone cover a host, or with `wild` all names that end with it."""
    labels = host.split(".")
    names = [".".join(labels[position:]) for position in range(len(labels))]
    rows = store.all(
        "select hostname, json_extract(spec, '$.ssl.wildcard') as wildcard from custom_hostnames"
        " where zone = ? and hostname in (select value from json_each(?))",
        zone,
        json.dumps(names),
    )
    return any(row["wildcard"] or (row["hostname"] == host and not wild) for row in rows)


def check_ssl(value: object, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the validated `ssl` object, merged into the previous one. Private keys are dropped, as TLS is not used."""
    raw = value if isinstance(value, dict) else {}
    settings, wildcard = raw.get("settings"), raw.get("wildcard")
    if (
        not isinstance(value, dict)
        or not isinstance(settings, (dict, type(None)))
        or not isinstance(wildcard, (bool, type(None)))
    ):
        raise refuse(1434, "The SSL attribute is invalid. Refer to the API documentation.")
    for field, (values, code, problem) in CHOICES.items():
        if raw.get(field) is not None and raw[field] not in values:
            raise refuse(code, problem)
    for field, (values, code) in SETTINGS.items():
        if settings and settings.get(field) is not None and settings[field] not in values:
            raise refuse(code, f"Invalid {field} setting. Only {', '.join(map(repr, values))} is accepted.")
    validated = bool(raw.get("type")), bool(raw.get("method"))
    needed = not raw.get("custom_certificate") and (before is None or bool(raw.get("certificate_authority")))
    if validated not in ((True, True), (needed, needed)):
        raise refuse(1440, "Both validation type and validation method are required.")
    changes = {field: raw[field] for field in SSL_FIELDS if raw.get(field) is not None}
    return {**DEFAULTS, **(before or {}), **changes}


def check_metadata(metadata: object) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise refuse(1401, "Unable to encode the Custom Metadata as JSON.")
    return metadata


def parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def state(states: Sequence[str], since: str, seconds: float, time: float) -> str:
    """Return the state at `time` of those that are passed through in equal shares of `seconds`."""
    elapsed = time - parse_time(since).timestamp()
    return states[-1] if elapsed >= seconds else states[max(0, int(elapsed / seconds * (len(states) - 1)))]


def active_from(created_at: str, seconds: float) -> int:
    """Return the time at which a custom hostname becomes active, in milliseconds since the epoch."""
    return int((parse_time(created_at).timestamp() + seconds) * 1000)


def token(*parts: str) -> str:
    """Return the token of a certificate authority, which changes with each start of the validation."""
    return hashlib.sha256(":".join(parts).encode()).hexdigest()[:32]


def validation_records(method: str, hosts: Sequence[str], secret: str) -> list[dict[str, Any]]:
    """Return the validation records of a certificate, one for each host. A wildcard shares the place of its host."""
    records: Mapping[str, Callable[[str, str], dict[str, Any]]] = {
        "http": lambda host, value: {
            "http_url": f"http://{host}/.well-known/acme-challenge/{value}",
            "http_body": f"{value}.{secret}",
        },
        "txt": lambda host, value: {"txt_name": f"_acme-challenge.{host}", "txt_value": value},
        "email": lambda host, _value: {"emails": [f"{box}@{host}" for box in MAILBOXES]},
    }
    return [{"status": "pending", **records[method](host.removeprefix("*."), token(host, secret))} for host in hosts]


def ssl_to_api(
    ident: str, hostname: str, ssl: Mapping[str, Any], since: str, seconds: float, time: float
) -> dict[str, Any]:
    """Return a certificate: with validation records while they are pending, with an issuer once it is active."""
    status = "active" if ssl.get("custom_certificate") else state(SSL_STATES, since, seconds, time)
    hosts = [hostname, *([f"*.{hostname}"] if ssl["wildcard"] else [])]
    shown = {"id": ident, **ssl, "status": status, "hosts": hosts}
    if status == "active":
        issued = parse_time(since)
        return {
            **shown,
            "issuer": "Local Edge",
            "serial_number": str(int(token(ident, since), 16)),
            "signature": "ECDSAWithSHA256",
            "uploaded_on": issued.isoformat(),
            "expires_on": (issued + timedelta(days=90)).isoformat(),
        }
    if status == "pending_validation" and ssl.get("method"):
        shown["validation_records"] = validation_records(ssl["method"], hosts, token(ident, since))
    return shown


def ownership(ident: str, hostname: str) -> dict[str, Any]:
    """Return the records for the two ways to prove ownership of a hostname."""
    return {
        "ownership_verification": {"type": "txt", "name": f"_cf-custom-hostname.{hostname}", "value": ident},
        "ownership_verification_http": {
            "http_url": f"http://{hostname}/.well-known/cf-custom-hostname-challenge/{ident}",
            "http_body": ident,
        },
    }
