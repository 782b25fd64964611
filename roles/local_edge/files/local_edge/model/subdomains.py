# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The workers.dev subdomains of accounts."""

from __future__ import annotations

from local_edge.store import Store

#: Cloudflare's domain, and its local equivalent, which browsers resolve to this machine.
DOMAIN, LOCAL_DOMAIN = "workers.dev", "workers.localhost"
DOMAINS = (DOMAIN, LOCAL_DOMAIN)
#: The initial label of an account.
DEFAULT_LABEL = "local-edge"


def of(store: Store, account: str) -> str:
    """Return the label of an account, '' after it was deleted."""
    row = store.one("select name from subdomains where account = ?", account)
    return str(row["name"]) if row else DEFAULT_LABEL


def local_host(worker: str) -> str:
    """Return the local host name of a Worker whose workers.dev host is enabled."""
    return f"{worker}.{LOCAL_DOMAIN}"


def hosts(worker: str, label: str) -> list[str]:
    """Return the host names of a Worker in an account with this label."""
    return [*(f"{worker}.{label}.{domain}" for domain in DOMAINS), local_host(worker)]


def save(store: Store, account: str, name: str) -> None:
    with store.write() as db:
        db.execute(
            "insert into subdomains values (?, ?) on conflict (account) do update set name = excluded.name",
            (account, name),
        )
