# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of DNS records and the validation of their content."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_edge.errors import ApiError

NAME = re.compile(r"(?=.{1,253}$)(\*|[a-z0-9_-]{1,63})(\.(\*|[a-z0-9_-]{1,63}))*")


def refuse(problem: str, code: int = 1004) -> ApiError:
    """Return a validation error. 1004 is the generic code."""
    return ApiError(400, code, f"DNS Validation Error: {problem}" if code == 1004 else problem)


def ipv4(text: str) -> str:
    return str(ipaddress.IPv4Address(text))


def ipv6(text: str) -> str:
    return str(ipaddress.IPv6Address(text))


def host(text: str) -> str:
    name = text.strip().lower().rstrip(".")
    if not NAME.fullmatch(name) or "*" in name or name.replace(".", "").isdigit():
        raise ValueError
    return name


@dataclass(frozen=True)
class RecordType:
    """The content of a type of records.

    `read` normalizes the content and raises ValueError, or `form` formats it from the fields of `data`. `refusal` is
    the code and the message of the error.
    """

    read: Callable[[str], str] = str
    refusal: tuple[int, str] = (1004, "is invalid")
    form: str = ""
    priority: bool = False

    def content(self, name: str, body: Mapping[str, Any]) -> str:
        if self.form:
            return self.form.format(**parts(re.findall(r"{(\w+)}", self.form), body.get("data")))
        content = body.get("content")
        if not isinstance(content, str) or not content:
            raise refuse("content is a required field.", 9101)
        try:
            return self.read(content)
        except ValueError:
            code, problem = self.refusal
            raise refuse(f"Content for {name} record {problem}.", code) from None


RECORD_TYPES: Mapping[str, RecordType] = {
    "A": RecordType(ipv4, (9005, "must be a valid IPv4 address")),
    "AAAA": RecordType(ipv6, (9006, "must be a valid IPv6 address")),
    "CNAME": RecordType(host, (9007, "is invalid")),
    "MX": RecordType(host, priority=True),
    "NS": RecordType(host),
    "PTR": RecordType(host),
    "TXT": RecordType(),
    "OPENPGPKEY": RecordType(),
    "CAA": RecordType(form='{flags} {tag} "{value}"'),
    "CERT": RecordType(form="{type} {key_tag} {algorithm} {certificate}"),
    "DNSKEY": RecordType(form="{flags} {protocol} {algorithm} {public_key}"),
    "DS": RecordType(form="{key_tag} {algorithm} {digest_type} {digest}"),
    "HTTPS": RecordType(form="{priority} {target} {value}"),
    "SMIMEA": RecordType(form="{usage} {selector} {matching_type} {certificate}"),
    "SRV": RecordType(form="{priority} {weight} {port} {target}"),
    "SSHFP": RecordType(form="{algorithm} {type} {fingerprint}"),
    "SVCB": RecordType(form="{priority} {target} {value}"),
    "TLSA": RecordType(form="{usage} {selector} {matching_type} {certificate}"),
    "URI": RecordType(form='{weight} "{target}"', priority=True),
}


def is_whole(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def parts(fields: Sequence[str], data: Any) -> Mapping[str, Any]:
    """Return the `data` of a record. Raise ApiError if one of the fields is absent."""
    values = data if isinstance(data, dict) else {}
    absent = [field for field in fields if not isinstance(values.get(field), str) and not is_whole(values.get(field))]
    if absent:
        raise refuse(f"{absent[0]} is a required data field.", 9101)
    return values
