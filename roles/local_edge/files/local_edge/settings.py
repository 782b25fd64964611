# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the edge was told at its start, and the switches for what nobody knows about Cloudflare."""
from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from dataclasses import dataclass, field
from typing import Any

#: The account of an edge that was not told another: "local edge", as far as hexadecimal can spell it.
ACCOUNT_ID = "10ca1ed9e00000000000000000000001"
DEFAULT_ZONES = ("platform.localhost", "example.com")


@dataclass(frozen=True)
class Account:
    """An account that the token sees."""

    id: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Account:
        """Read `ID` or `ID:NAME`."""
        ident, _separator, name = text.partition(":")
        if not re.fullmatch(r"[0-9a-f]{32}", ident):
            raise ValueError(f"--account {text}: an account id is 32 hexadecimal digits in lower case")
        return cls(ident, name or "Local Edge")


@dataclass(frozen=True)
class Zone:
    """A zone; its id follows from its name, so that it survives everything."""

    id: str
    name: str
    account: Account

    @classmethod
    def named(cls, name: str, account: Account) -> Zone:
        name = name.strip().lower().rstrip(".")
        if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+", name):
            raise ValueError(f"--zone {name}: a zone is a host name of two labels or more, such as example.com")
        return cls(hashlib.sha256(f"zone:{name}".encode()).hexdigest()[:32], name, account)


def choice(doc: str, first: str, *others: str) -> Any:
    """A switch: its default, the other positions, and what it decides."""
    return field(default=first, metadata={"choices": (first, *others), "doc": doc})  # pylint: disable=invalid-field-call


@dataclass
class Switches:
    """Behaviour of the real API that no published source settles. The first position is the default."""

    absent_script: str = choice("What GET of a namespaced Worker that is not there answers", "10092", "null", "10007")
    put_without_tags: str = choice("What an upload without `tags` does to the tags it had", "keep", "clear")
    put_without_keep_bindings: str = choice("Whether an upload without `keep_bindings` keeps secrets", "keep", "clear")
    put_namespace_without_trusted: str = choice("What a namespace PUT without `trusted_workers` does to it", "keep", "reset")
    create_namespace_trusted: str = choice("Whether creating a namespace heeds `trusted_workers`", "heed", "ignore")
    route_create_answer: str = choice("What creating a route returns", "object", "id")
    list_carries_tags: str = choice("Whether the listing of a namespace carries `tags` and `etag`", "yes", "no")
    modified_on_moved_by: str = choice("Which writes move `modified_on`", "all", "content")

    def set(self, name: str, value: str) -> None:
        """Turn one switch; the refusal names what there is."""
        known = {entry.name: entry.metadata["choices"] for entry in dataclasses.fields(self)}
        if name not in known:
            raise ValueError(f"there is no switch {name!r}; there are {', '.join(sorted(known))}")
        if value not in known[name]:
            raise ValueError(f"switch {name} is one of {', '.join(known[name])}, not {value!r}")
        setattr(self, name, value)


@dataclass(frozen=True)
class Quota:
    """So many requests in so many seconds, and then none for `block` seconds. Zero requests: no limit."""

    requests: int = 1200
    window: int = 300
    block: int = 300

    @classmethod
    def parse(cls, text: str) -> Quota:
        """Read `REQUESTS/SECONDS`, `REQUESTS/SECONDS/BLOCK` or `0`."""
        if not re.fullmatch(r"\d+(/[1-9]\d*){0,2}", text):
            raise ValueError(f"--rate-limit {text}: write REQUESTS/SECONDS, such as 1200/300, or 0 for none")
        requests, window, block, *_more = *(int(part) for part in text.split("/")), 0, 0
        return cls(requests, window or 300, block or window or 300)


@dataclass(frozen=True)
class Settings:
    """Everything `serve` was given. Without `data` nothing outlives the process; without `workerd` nothing runs Workers."""

    token: str
    accounts: tuple[Account, ...]
    zones: tuple[Zone, ...]
    key: str | None = None
    email: str | None = None
    quota: Quota = Quota()
    latency_ms: int = 0
    egress: str = "none"
    max_isolates: int = 400
    workerd: str | None = None
    data: str | None = None
    switches: Switches = field(default_factory=Switches)

    def account(self, ident: str) -> Account | None:
        return next((account for account in self.accounts if account.id == ident), None)

    def zone(self, ident: str) -> Zone | None:
        return next((zone for zone in self.zones if zone.id == ident), None)


def accounts_and_zones(accounts: list[str], zones: list[str]) -> tuple[tuple[Account, ...], tuple[Zone, ...]]:
    """Read what the command line or a test names; every zone belongs to the first account."""
    known = tuple(Account.parse(text) for text in accounts or [ACCOUNT_ID])
    return known, tuple(Zone.named(name, known[0]) for name in dict.fromkeys(zones or DEFAULT_ZONES))


def generated_token() -> str:
    """A token in the shape of Cloudflare's: 40 characters."""
    return hashlib.sha256(os.urandom(32)).hexdigest()[:40]
