# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of the Cloudflare API, with messages that name the cause and the remedy.

Cloudflare's codes collide across products: 10013 is a missing KV namespace, and also a server error of Workers. All
lookups here use the product of the endpoint together with the code.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .remedies import find_remedy

PRODUCTS = (
    ("kv", re.compile(r"/storage/kv/")),
    ("assets", re.compile(r"/workers/assets/")),
    ("route", re.compile(r"/workers/routes")),
    ("domain", re.compile(r"/workers/domains")),
    ("script", re.compile(r"/workers/(dispatch/namespaces/[^/]+/)?scripts")),
    ("namespace", re.compile(r"/workers/dispatch/namespaces")),
    ("queue", re.compile(r"^/accounts/[^/]+/queues")),
    ("hostname", re.compile(r"/custom_hostnames")),
    ("dns", re.compile(r"/dns_records")),
    ("zone", re.compile(r"^/zones")),
    ("account", re.compile(r"^/accounts")),
)

NOT_AN_API_RESPONSE = -1  # in place of a code, for responses without the API's envelope

CODE = re.compile("[0-9]{1,9}")
MAX_TEXT = 4000  # characters of a message of the server

# The codes of a product that mean "not found", in addition to HTTP 404.
NOT_FOUND_CODES = {
    "kv": {10009, 10013},
    "route": {10007, 10009},
    "script": {10007, 10090, 10092, 100119},
    "namespace": {100119},
}


def product_of(path: str) -> str:
    """Return the product that a path of the API belongs to, such as ``kv``. Return ``other`` for unknown paths."""
    return next((name for name, pattern in PRODUCTS if pattern.search(path)), "other")


class CloudflareError(Exception):
    """An error that the user can correct. Its text is the complete message."""


class AmbiguousResult(CloudflareError):
    """The response was lost or the server failed, so the request may or may not have been carried out."""


class MalformedResponse(CloudflareError):
    """The response to a read lacks what it must contain."""


class ConnectError(CloudflareError):
    """No connection was made, so the request was not sent."""


class SettingsError(ConnectError):
    """No connection can be made with these settings of the machine, so a retry would fail too."""


@dataclass
class ApiError(CloudflareError):
    """An error response. ``code`` is Cloudflare's, 0 without one. Cloudflare's support can look up ``ray_id``."""

    method: str
    path: str
    status: int
    code: int
    message: str
    ray_id: str = ""
    retry_after: float = 0.0

    def __str__(self) -> str:
        hint = find_remedy(product_of(self.path), self.code, self.message)
        code = f", code {self.code}" if self.code > 0 else ""
        # An ellipsis stays: it may have cut a secret, which is found by it.
        text = self.message if self.message.endswith("...") else f"{self.message.rstrip('.')}."
        problem = f"Cloudflare answered {self.status}{code}: {text}"
        if self.retry_after:
            problem += f" Retry after {self.retry_after:.0f} s."
        request = f"[{self.method} {self.path}" + (f", ray {self.ray_id}]" if self.ray_id else "]")
        return " ".join(part for part in (problem, hint, request) if part)

    @property
    def is_not_found(self) -> bool:
        """Whether the object does not exist. False for 7003, since then the account or the zone does not exist."""
        return self.code in NOT_FOUND_CODES.get(product_of(self.path), ()) or (
            self.status == 404 and self.code not in (NOT_AN_API_RESPONSE, 7003)
        )

    @property
    def is_method_not_allowed(self) -> bool:
        """Whether the path exists without this method."""
        return self.status == 405 or self.code in (7001, 10405) or "method not allowed for" in self.message

    @property
    def is_account_wide(self) -> bool:
        """Whether every other request would fail with the same error."""
        return self.status in (401, 429) or self.code in (10000, 9103, 9106, 9109, 6003, 1001, 10121, 100119)


def parse_errors(envelope: t.Mapping[str, t.Any]) -> tuple[int, str]:
    """Return the code and the message of an error envelope, including the causes in ``error_chain``.

    Return code 0 if the envelope contains none. Any part of it may be missing, null or of another type.
    """
    errors = _errors(envelope.get("errors")) or _errors(envelope.get("error"))
    codes = (str(error.get("code")) for error in errors)
    code = next((int(text) for text in codes if CODE.fullmatch(text)), 0)
    texts = [text for text in map(_text, errors) if text]
    return code, printable("; ".join(texts)) or "no reason given"


def _errors(value: t.Any) -> list[t.Mapping[str, t.Any]]:
    """Return errors as objects: one of them, a list of them, or texts instead."""
    values = value if isinstance(value, list) else [value]
    return [item if isinstance(item, dict) else {"message": item} for item in values if item]


def _text(error: t.Mapping[str, t.Any]) -> str:
    """Return the message of an error with those of its causes, and a code that is not a number."""
    chain = [link.get("message") for link in _errors(error.get("error_chain"))]
    text = ": ".join(str(part) for part in (error.get("message"), *chain) if part)
    code = error.get("code")
    return f"{text} ({code})".lstrip() if isinstance(code, str) and code and not CODE.fullmatch(code) else text


def printable(text: str, limit: int = MAX_TEXT) -> str:
    """Return the beginning of a text of the server, without control characters."""
    shown = "".join(one if one.isprintable() or one in "\n\t" else "\ufffd" for one in text[:limit])
    return shown if len(text) <= limit else f"{shown}... ({len(text)} characters)"
