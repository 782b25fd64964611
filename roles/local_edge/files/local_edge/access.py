# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the token may do, by Cloudflare's permission groups, and the products that the account has."""

from __future__ import annotations

import re
from collections.abc import Iterable

from local_edge.errors import ApiError

#: The permission groups of each path, without the final "Read" or "Write". The first match applies.
FAMILIES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"/accounts/[^/]+/tokens/", "Account API Tokens"),
        (r"/user/tokens/", "API Tokens"),
        (r"/accounts/[^/]+/storage/kv/", "Workers KV Storage"),
        (r"/accounts/[^/]+/d1/", "D1"),
        (r"/accounts/[^/]+/r2/", "Workers R2 Storage"),
        (r"/accounts/[^/]+/queues", "Queues"),
        (r"/accounts/[^/]+/hyperdrive/", "Hyperdrive"),
        (r"/accounts/[^/]+/vectorize/", "Vectorize"),
        (r"/accounts/[^/]+/secrets_store/", "Secrets Store"),
        (r"/accounts/[^/]+/mtls_certificates", "Account: SSL and Certificates"),
        (r"/accounts/[^/]+/(workers|workflows)", "Workers Scripts"),
        (r"/zones/[^/]+/workers/routes", "Workers Routes"),
        (r"/zones/[^/]+/dns_records", "DNS"),
        (r"/zones/[^/]+/custom_hostnames", "SSL and Certificates"),
        (r"/graphql", "Account Analytics"),
        (r"/accounts", "Account Settings"),
        (r"/zones", "Zone"),
    )
)
PERMISSIONS = tuple(f"{name} {verb}" for _pattern, name in FAMILIES for verb in ("Read", "Write"))
WORKERS_FOR_PLATFORMS = "Workers for Platforms"
PRODUCTS = (WORKERS_FOR_PLATFORMS,)
DISPATCH = re.compile(r"/accounts/[^/]+/workers/dispatch/")
#: Every token may ask for its own status.
ALWAYS_ALLOWED = re.compile(r"/(user|accounts/[^/]+)/tokens/verify|/user|/memberships")
#: Lists that leave out what the token has no access to, instead of refusing.
FILTERED_LISTS = ("/accounts", "/zones")


class Access:
    """The permissions and products that are `missing`. By default none is."""

    def __init__(self) -> None:
        self.missing: set[str] = set()

    def set_missing(self, names: Iterable[str]) -> None:
        """Withdraw these permissions and products, and grant all others. Raise ValueError for an unknown name."""
        unknown = sorted(set(names) - {*PERMISSIONS, *PRODUCTS})
        if unknown:
            raise ValueError(f"unknown: {', '.join(unknown)}. Known: {', '.join((*PERMISSIONS, *PRODUCTS))}.")
        self.missing = set(names)

    def granted(self) -> list[str]:
        """Return the permissions of the token."""
        return [name for name in PERMISSIONS if name not in self.missing]

    def check(self, path: str, is_write: bool) -> None:
        """Raise ApiError if a request is not permitted. To write includes to read."""
        if WORKERS_FOR_PLATFORMS in self.missing and DISPATCH.match(path):
            raise ApiError(
                403,
                10121,
                "You do not have access to dispatch namespaces. You can purchase Workers for Platforms here:"
                " https://dash.cloudflare.com/workers-for-platforms",
            )
        if path not in FILTERED_LISTS and not self.permits(path, is_write):
            raise ApiError(403, 10000, "Authentication error")

    def permits(self, path: str, is_write: bool) -> bool:
        """Whether the token has the permission for a path."""
        family = next((name for pattern, name in FAMILIES if pattern.match(path)), None)
        if family is None or ALWAYS_ALLOWED.fullmatch(path):
            return True
        verbs = ("Write",) if is_write else ("Read", "Write")
        return any(f"{family} {verb}" not in self.missing for verb in verbs)
