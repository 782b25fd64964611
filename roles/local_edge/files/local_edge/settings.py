# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the local edge, and the behaviors that model undocumented behavior of Cloudflare."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_edge.access import Access

#: Path prefix of the API.
PREFIX = "/client/v4"
#: Default account: "local edge", as far as hexadecimal can spell it.
ACCOUNT_ID = "10ca1ed9e00000000000000000000001"
DEFAULT_ZONES = ("platform.localhost", "example.com")
#: What a Worker reads from KV: the latest value, or what it read within `cacheTtl`, as on Cloudflare.
KV_READS = ("latest", "cached")


@dataclass(frozen=True)
class Account:
    """An account that the token can access."""

    id: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Account:
        """Read `ID` or `ID:NAME`."""
        ident, _separator, name = text.partition(":")
        if not re.fullmatch(r"[0-9a-f]{32}", ident):
            raise ValueError(f"--account {text}: an account id is 32 hexadecimal digits in lower case")
        return cls(ident, name or "Local Edge")


def encoded(host: str) -> str:
    """Return a host name in Punycode. Raise ValueError if that is not possible."""
    if host.isascii():
        return host
    import idna  # `stop` works without the packages of the edge

    return idna.encode(host, uts46=True).decode()


@dataclass(frozen=True)
class Zone:
    """A zone. Its name is in Punycode. Its id is derived from its name, so it is stable across data folders."""

    id: str
    name: str
    account: Account

    @classmethod
    def named(cls, name: str, account: Account) -> Zone:
        with contextlib.suppress(ValueError):
            name = encoded(name.strip().lower().rstrip("."))
        if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+", name):
            raise ValueError(f"--zone {name}: a zone is a host name of two labels or more, such as example.com")
        return cls(hashlib.sha256(f"zone:{name}".encode()).hexdigest()[:32], name, account)

    @property
    def display_name(self) -> str:
        """The name as the API shows it: in Unicode."""
        if "xn--" not in self.name:
            return self.name
        import idna

        return idna.decode(self.name)


def behavior(doc: str, default: str, *others: str) -> Any:
    """Declare a behavior by its description, its default and its other values."""
    metadata = {"choices": (default, *others), "doc": doc}
    return field(default=default, metadata=metadata)  # pylint: disable=invalid-field-call


#: YAML parses three unquoted values to other types, whose Python spelling arrives here.
YAML_SPELLINGS = {"True": "yes", "False": "no", "None": "null"}


@dataclass
class Behaviors:
    """Undocumented behavior of the real API. The first value of each is the default.

    `python -m local_edge probe` determines the values for a real account.
    """

    missing_script_response: str = behavior("Response to GET of a missing namespaced Worker", "10092", "null", "10007")
    upload_without_tags: str = behavior("Effect of an upload without `tags` on existing tags", "keep", "clear")
    upload_without_keep_bindings: str = behavior(
        "Effect of an upload without `keep_bindings` on existing secrets", "keep", "clear"
    )
    upload_without_code: str = behavior(
        "Effect of an upload without a code part on a Worker that has code", "refuse", "keep"
    )
    upload_without_assets_config: str = behavior(
        "Effect of an upload with `keep_assets` and without `assets.config` on the existing configuration",
        "clear",
        "keep",
    )
    inherit_with_keep_bindings: str = behavior(
        "Result of an upload with both `inherit` and `keep_bindings`", "accept", "refuse"
    )
    namespace_update_without_trusted: str = behavior(
        "Effect of a namespace PUT without `trusted_workers` on the current value", "keep", "reset"
    )
    trusted_workers_on_create: str = behavior(
        "Handling of `trusted_workers` when a namespace is created", "honor", "ignore"
    )
    namespace_patch: str = behavior("Result of PATCH of a namespace: an update, or status 405", "update", "405")
    namespace_optional_fields: str = behavior(
        "Presence of `script_count`, and of `trusted_workers` if it is false, in a namespace",
        "both",
        "trusted_workers",
        "script_count",
        "neither",
    )
    bindings_after_rename: str = behavior(
        "Effect of renaming a namespace on the bindings to it: they keep the old name or follow", "stay", "follow"
    )
    delete_nonempty_namespace: str = behavior(
        "Result of deleting a namespace that contains Workers", "cascade", "refuse"
    )
    route_create_response: str = behavior("Result returned when a route is created", "object", "id")
    list_includes_tags: str = behavior(
        "Presence of `tags` and `etag` in the Worker list of a namespace", "yes", "no", "tags", "etag"
    )
    list_item_form: str = behavior(
        "Form of a Worker in the list of a namespace: flat, or nested below `script`", "flat", "nested"
    )
    last_page_cursor: str = behavior(
        "Form of `cursor` on the last page of a namespace's Worker list", "empty", "absent", "null", "without_info"
    )
    modified_on_updated_by: str = behavior(
        "Writes that update `modified_on`", "all", "content", "all_but_tags", "all_but_secrets"
    )
    max_namespaced_tags: str = behavior("Maximum number of tags of a Worker in a namespace", "8", "10")
    max_tag_length: str = behavior("Maximum length of a tag in bytes, in a namespace", "1024", "256", "64")
    special_character_tags: str = behavior(
        "Handling of tags with a comma or ampersand, or also a space, in a namespace",
        "refuse",
        "refuse_spaces",
        "accept",
    )
    content_file_names: str = behavior(
        "Presence of `filename` in the parts of a Worker's code, beside `name`", "yes", "no"
    )
    single_module_content: str = behavior(
        "Form of the code of a Worker with one module: multipart, or the bare module", "multipart", "bare"
    )
    upload_only_settings_returned: str = behavior(
        "Presence of `containers`, `streaming_tail_consumers` and `package_dependencies` in settings", "no", "yes"
    )
    service_props_returned: str = behavior("Presence of `props` when a service binding is read", "yes", "no")
    delete_response: str = behavior("Response body after a Worker is deleted: null result or no body", "null", "empty")
    bulk_delete_response: str = behavior(
        "Response to deleting by tag: the counts alone or in the envelope, objects with `id`, names, null, or no body",
        "bare",
        "counts",
        "objects",
        "names",
        "null",
        "empty",
    )
    bulk_delete_limit: str = behavior(
        "Workers that one deletion by tag removes: up to `limit` of the request, one, or all", "request", "one", "all"
    )
    status_of_100120: str = behavior("HTTP status for a namespace name that already exists", "409", "400")
    status_of_10035: str = behavior("HTTP status for a write that conflicts with a concurrent write", "409", "400")
    status_of_10018: str = behavior(
        "HTTP status for an upload that fails If-Match or If-None-Match", "412", "400", "ignored"
    )
    asset_without_content_type: str = behavior(
        "Result of uploading an asset whose part has no Content-Type: it is served without one, or refused",
        "accept",
        "refuse",
    )
    untrusted_default_cache: str = behavior(
        "Effect of `caches.default` in a namespace without `trusted_workers`: its methods reject, or reading it throws",
        "reject",
        "throw",
    )
    code_of_429: str = behavior("Error code of a request above the rate limit", "971", "10429")

    def set(self, name: str, value: str) -> None:
        """Set one behavior. Raise ValueError, which lists the valid names or values."""
        value = YAML_SPELLINGS.get(value, value)
        known = {entry.name: entry.metadata["choices"] for entry in dataclasses.fields(self)}
        if name not in known:
            raise ValueError(f"unknown behavior {name!r}. Valid names: {', '.join(sorted(known))}.")
        if value not in known[name]:
            raise ValueError(f"behavior {name} must be one of {', '.join(known[name])}, not {value!r}")
        setattr(self, name, value)

    def load(self, path: str) -> None:
        """Set the behaviors in a JSON file, an object of values by behavior, at the top level or under `behaviors`.

        The probe writes the second form.
        """
        try:
            loaded = json.loads(Path(path).read_text())
            values = dict(loaded.get("behaviors", loaded))
        except OSError as error:
            raise ValueError(f"--behaviors {path}: {error.strerror}") from None
        except (ValueError, AttributeError, TypeError):
            raise ValueError(f"--behaviors {path}: it must be a JSON object of values by behavior") from None
        for name, value in values.items():
            self.set(name, str(value))


@dataclass(frozen=True)
class Quota:
    """A rate limit: `requests` per `window` seconds, then a block of `block` seconds. Zero requests disable it."""

    requests: int = 1200
    window: int = 300
    block: int = 300

    @classmethod
    def parse(cls, text: str) -> Quota:
        """Read `REQUESTS/SECONDS`, `REQUESTS/SECONDS/BLOCK` or `0`."""
        if not re.fullmatch(r"\d+(/[1-9]\d*){0,2}", text):
            raise ValueError(f"--rate-limit {text}: write REQUESTS/SECONDS, such as 1200/300, or 0 to disable it")
        requests, window, block, *_more = *(int(part) for part in text.split("/")), 0, 0
        return cls(requests, window or 300, block or window or 300)


@dataclass(frozen=True)
class Settings:
    """Options of `serve`. `data` None keeps the state in memory."""

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
    kv_reads: str = KV_READS[0]
    custom_hostname_seconds: float = 4
    sweep_seconds: float = 60
    workerd: str | None = None
    data: str | None = None
    behaviors: Behaviors = field(default_factory=Behaviors)
    access: Access = field(default_factory=Access)

    def account(self, ident: str) -> Account | None:
        return next((account for account in self.accounts if account.id == ident), None)

    def zone(self, ident: str) -> Zone | None:
        return next((zone for zone in self.zones if zone.id == ident), None)


def accounts_and_zones(accounts: list[str], zones: list[str]) -> tuple[tuple[Account, ...], tuple[Zone, ...]]:
    """Parse accounts and zones, with defaults for empty lists. Every zone belongs to the first account."""
    known = tuple(Account.parse(text) for text in accounts or [ACCOUNT_ID])
    return known, tuple(Zone.named(name, known[0]) for name in dict.fromkeys(zones or DEFAULT_ZONES))


def generated_token() -> str:
    """Generate a token in Cloudflare's format: 40 characters."""
    return hashlib.sha256(os.urandom(32)).hexdigest()[:40]
