# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Custom hostnames: which names may be one, what may be said of their certificates, and how they come to be active."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from local_edge.errors import ApiError

#: What each goes through in the time that the edge was told.
HOSTNAME_STATES = ("pending", "active")
SSL_STATES = ("initializing", "pending_validation", "pending_issuance", "pending_deployment", "active")
ORIGIN_STATES = ("initializing", "pending_deployment", "active")

LABELS = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
#: Cloudflare refuses `localhost` as well; here it is the only name that a browser on this machine finds.
RESERVED = ("test", "example", "invalid")
PROHIBITED = ("example.com", "example.net", "example.org")
AGAIN = "Check your input and try again."
ON_OR_OFF = ("on", "off")
#: What `ssl.settings` may hold: values, and the code where it is another.
SETTINGS: Mapping[str, tuple[tuple[str, ...], int]] = {
    "http2": (ON_OR_OFF, 1422),
    "tls_1_3": (ON_OR_OFF, 1424),
    "min_tls_version": (("1.0", "1.1", "1.2", "1.3"), 1425),
    "early_hints": (ON_OR_OFF, 1434),
}
#: What `ssl` may hold beside flags and certificates, as above.
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


def refuse(code: int, why: str) -> ApiError:
    return ApiError(400, code, f"{why} {AGAIN}")


def missing() -> ApiError:
    return ApiError(404, 1436, "The custom hostname was not found.")


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def check_name(given: object, kind: str = "custom hostname", first: int = 1407, reserved: bool = True) -> str:
    """A host name in lower case; the refusals of custom origins are those of custom hostnames, eight codes further."""
    if not isinstance(given, str) or not given:
        raise refuse(first, f"Invalid {kind}. It is required.")
    name = given.lower()
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


def check_ssl(given: object, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is kept of `ssl`; a change names only what it changes. Private keys are not kept: nothing here uses TLS."""
    told = given if isinstance(given, dict) else {}
    settings, wildcard = told.get("settings"), told.get("wildcard")
    if (
        not isinstance(given, dict)
        or not isinstance(settings, (dict, type(None)))
        or not isinstance(wildcard, (bool, type(None)))
    ):
        raise refuse(1434, "The SSL attribute is invalid. Refer to the API documentation.")
    for field, (values, code, why) in CHOICES.items():
        if given.get(field) is not None and given[field] not in values:
            raise refuse(code, why)
    for field, (values, code) in SETTINGS.items():
        if settings and settings.get(field) is not None and settings[field] not in values:
            raise refuse(
                code, f"Invalid {field} setting. Only {', '.join(repr(value) for value in values)} is accepted."
            )
    validated = bool(given.get("type")), bool(given.get("method"))
    needed = not given.get("custom_certificate") and (before is None or bool(given.get("certificate_authority")))
    if validated not in ((True, True), (needed, needed)):
        raise refuse(1440, "Both validation type and validation method are required.")
    kept = {field: given[field] for field in SSL_FIELDS if given.get(field) is not None}
    return {**DEFAULTS, **(before or {}), **kept}


def check_metadata(given: object) -> dict[str, str]:
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise refuse(1401, "Unable to encode the Custom Metadata as JSON.")
    return given


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def state(states: Sequence[str], since: str, seconds: float) -> str:
    """The state that something is in, of those it goes through in so many seconds."""
    elapsed = (datetime.now(tz=moment(since).tzinfo) - moment(since)).total_seconds()
    return states[-1] if elapsed >= seconds else states[max(0, int(elapsed / seconds * (len(states) - 1)))]


def active_from(created_at: str, seconds: float) -> int:
    """The time from which a custom hostname has visitors, in milliseconds as JavaScript counts them."""
    return int((moment(created_at).timestamp() + seconds) * 1000)


def token(*parts: str) -> str:
    """What a certificate authority asks for: another one whenever validation begins anew."""
    return hashlib.sha256(":".join(parts).encode()).hexdigest()[:32]


def validation_records(method: str, hosts: Sequence[str], secret: str) -> list[dict[str, Any]]:
    """What must be placed for a certificate, one record for each name of it; names and wildcards of them are proven at one place."""
    records: Mapping[str, Callable[[str, str], dict[str, Any]]] = {
        "http": lambda host, value: {
            "http_url": f"http://{host}/.well-known/acme-challenge/{value}",
            "http_body": f"{value}.{secret}",
        },
        "txt": lambda host, value: {"txt_name": f"_acme-challenge.{host}", "txt_value": value},
        "email": lambda host, _value: {"emails": [f"{box}@{host}" for box in MAILBOXES]},
    }
    return [{"status": "pending", **records[method](host.removeprefix("*."), token(host, secret))} for host in hosts]


def ssl_to_api(ident: str, hostname: str, ssl: Mapping[str, Any], since: str, seconds: float) -> dict[str, Any]:
    """A certificate as far as it is: records while it waits for validation, an issuer once it is active."""
    status = "active" if ssl.get("custom_certificate") else state(SSL_STATES, since, seconds)
    hosts = [hostname, *([f"*.{hostname}"] if ssl["wildcard"] else [])]
    shown = {"id": ident, **ssl, "status": status, "hosts": hosts}
    if status == "active":
        issued = moment(since)
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
    """The two ways to prove that a hostname is its customer's."""
    return {
        "ownership_verification": {"type": "txt", "name": f"_cf-custom-hostname.{hostname}", "value": ident},
        "ownership_verification_http": {
            "http_url": f"http://{hostname}/.well-known/cf-custom-hostname-challenge/{ident}",
            "http_body": ident,
        },
    }
