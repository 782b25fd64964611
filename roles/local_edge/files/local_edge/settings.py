# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the edge was told at its start, and the switches for what nobody knows about Cloudflare."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Where the API is, below its address.
PREFIX = "/client/v4"
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


#: What YAML makes of three positions that are written without quotes.
SPELLED = {"True": "yes", "False": "no", "None": "null"}


@dataclass
class Switches:
    """Behaviour of the real API that no published source settles. The first position is the default.

    `python -m local_edge probe` asks a real account where each of them stands.
    """

    absent_script: str = choice("What GET of a namespaced Worker that is not there answers", "10092", "null", "10007")
    put_without_tags: str = choice("What an upload without `tags` does to the tags it had", "keep", "clear")
    put_without_keep_bindings: str = choice("Whether an upload without `keep_bindings` keeps secrets", "keep", "clear")
    put_without_code: str = choice(
        "What an upload without a code part does to a Worker that has code", "refuse", "keep"
    )
    inherit_with_keep_bindings: str = choice(
        "Whether one upload may have both `inherit` and `keep_bindings`", "accept", "refuse"
    )
    put_namespace_without_trusted: str = choice(
        "What a namespace PUT without `trusted_workers` does to it", "keep", "reset"
    )
    create_namespace_trusted: str = choice("Whether creating a namespace heeds `trusted_workers`", "heed", "ignore")
    namespace_carries: str = choice(
        "Which of `script_count` and `trusted_workers` a namespace shows",
        "both",
        "trusted_workers",
        "script_count",
        "neither",
    )
    rename_in_bindings: str = choice("Whether a binding to a namespace follows when that is renamed", "stay", "follow")
    delete_full_namespace: str = choice("What deleting a namespace does that holds Workers", "cascade", "refuse")
    route_create_answer: str = choice("What creating a route returns", "object", "id")
    list_carries_tags: str = choice(
        "Whether the listing of a namespace carries `tags` and `etag`, or which of them", "yes", "no", "tags", "etag"
    )
    list_end: str = choice(
        "How `cursor` looks on the last page of a namespace's listing", "empty", "absent", "null", "without_info"
    )
    modified_on_moved_by: str = choice(
        "Which writes move `modified_on`", "all", "content", "all_but_tags", "all_but_secrets"
    )
    longest_tag: str = choice("How many characters a tag may have", "256", "64", "1024")
    odd_tags: str = choice("Whether a tag may have a comma, an ampersand or a space", "refuse", "accept")
    service_props_shown: str = choice("Whether a service binding is read back with its `props`", "yes", "no")
    delete_answer: str = choice(
        "The body that deleting a Worker answers with: `result` null, or none at all", "null", "empty"
    )
    bulk_delete_answer: str = choice(
        "What deleting by tag answers: objects with `id`, names, null, or no body", "objects", "names", "null", "empty"
    )
    status_of_100120: str = choice("The HTTP status of a namespace name that is taken", "409", "400")
    status_of_10035: str = choice("The HTTP status of a write that another one overtook", "409", "400")
    status_of_10018: str = choice(
        "The HTTP status of an upload whose If-Match or If-None-Match fails", "412", "400", "ignored"
    )
    code_of_429: str = choice("The code of a request beyond the budget", "971", "10429")

    def set(self, name: str, value: str) -> None:
        """Turn one switch; the refusal names what there is."""
        value = SPELLED.get(value, value)
        known = {entry.name: entry.metadata["choices"] for entry in dataclasses.fields(self)}
        if name not in known:
            raise ValueError(f"there is no switch {name!r}; there are {', '.join(sorted(known))}")
        if value not in known[name]:
            raise ValueError(f"switch {name} is one of {', '.join(known[name])}, not {value!r}")
        setattr(self, name, value)

    def load(self, path: str) -> None:
        """Turn what a JSON file names: positions by switch, by themselves or, as the probe writes them, under `switches`."""
        try:
            told = json.loads(Path(path).read_text())
            named = dict(told.get("switches", told))
        except OSError as error:
            raise ValueError(f"--switches {path}: {error.strerror}") from None
        except (ValueError, AttributeError, TypeError):
            raise ValueError(f"--switches {path}: it must be a JSON object of positions by switch") from None
        for name, value in named.items():
            self.set(name, str(value))


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
    max_memory_mb: int = 4096
    require_dns: bool = False
    custom_hostname_seconds: float = 4
    sweep_seconds: float = 60
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
