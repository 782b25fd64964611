# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routing table: routes, custom domains, custom hostnames and, if required, DNS records."""

from __future__ import annotations

import json
from typing import Any

from local_edge.model import custom_hostnames, dns, subdomains
from local_edge.settings import Settings
from local_edge.store import Store


def table(settings: Settings, store: Store) -> dict[str, Any]:
    """Return the routing table, which the edge reads after each change.

    `names` of a zone is null if no DNS records are required.
    """
    names = {zone.id: dns.names(store, zone) if settings.require_dns else None for zone in settings.zones}
    return {
        "routes": [*routes(settings, store), *own_hosts(settings, store)],
        "domains": domains(store),
        "hostnames": hostnames(settings, store),
        "own_domains": subdomains.DOMAINS,
        "zones": [{"id": zone.id, "name": zone.name, "names": names[zone.id]} for zone in settings.zones],
    }


def routes(settings: Settings, store: Store) -> list[dict[str, Any]]:
    accounts = {zone.id: zone.account.id for zone in settings.zones}
    return [
        {"pattern": row["pattern"], "script": row["script"], "zone": row["zone"], "account": accounts[row["zone"]]}
        for row in store.all("select * from routes")
        if row["zone"] in accounts
    ]


def own_hosts(settings: Settings, store: Store) -> list[dict[str, Any]]:
    """Return the workers.dev hosts of Workers, and their local equivalents, as routes without a zone."""
    rows = store.all(
        "select name, account from scripts where namespace = '' and json_extract(extras, '$.subdomain.enabled')"
    )
    labels = {account.id: subdomains.of(store, account.id) for account in settings.accounts}
    # Two accounts may have Workers of one name: the account that is listed first has the short host name.
    known = sorted(
        (row for row in rows if labels.get(row["account"])), key=lambda row: list(labels).index(row["account"])
    )
    hosts: dict[str, Any] = {}
    for row in known:
        for host in subdomains.hosts(row["name"], labels[row["account"]]):
            hosts.setdefault(host, row)
    return [{"pattern": f"{host}/*", "script": row["name"], "account": row["account"]} for host, row in hosts.items()]


def domains(store: Store) -> list[dict[str, Any]]:
    rows = store.all("select hostname, name, account from worker_domains join scripts on scripts.id = script")
    return [{"pattern": row["hostname"], "script": row["name"], "account": row["account"]} for row in rows]


def hostnames(settings: Settings, store: Store) -> list[dict[str, Any]]:
    """Return custom hostnames with the time of their activation, so that no notification is needed then.

    It is a time of the machine's clock, since the edge compares it with that.
    """
    offset = int(store.clock.offset * 1000)
    rows = [(row, json.loads(row["spec"])) for row in store.all("select * from custom_hostnames order by created_at")]
    return [
        {
            "hostname": row["hostname"],
            "zone": row["zone"],
            "wildcard": bool((spec["ssl"] or {}).get("wildcard")),
            "from": custom_hostnames.active_from(row["created_at"], settings.custom_hostname_seconds) - offset,
            "metadata": spec.get("custom_metadata"),
        }
        for row, spec in rows
    ]
