# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens, accounts and zones: who is asking, and about what."""
from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from local_edge.api.call import Answer, Call, paged
from local_edge.settings import Account, Zone

CREATED = "2024-01-01T00:00:00.000000Z"
OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "equal": str.__eq__, "not_equal": str.__ne__, "starts_with": str.startswith, "ends_with": str.endswith,
    "contains": str.__contains__,
}


async def verify_token(call: Call) -> Answer:
    """Reached only with a token that is right."""
    ident = hashlib.sha256(call.settings.token.encode()).hexdigest()[:32]
    return Answer({"id": ident, "status": "active"}, messages=[{"code": 10000, "message": "This API Token is valid and active"}])


def account_object(account: Account) -> dict[str, Any]:
    return {"id": account.id, "name": account.name, "type": "standard", "settings": {"enforce_twofactor": False}, "created_on": CREATED}


def zone_object(zone: Zone) -> dict[str, Any]:
    return {"id": zone.id, "name": zone.name, "status": "active", "paused": False, "type": "full", "development_mode": 0,
            "name_servers": ["a.ns.local-edge.test", "b.ns.local-edge.test"], "original_name_servers": [],
            "account": {"id": zone.account.id, "name": zone.account.name}, "created_on": CREATED, "modified_on": CREATED,
            "activated_on": CREATED, "meta": {"step": 2}, "owner": {"id": None, "type": "user", "email": None}, "permissions": [],
            "plan": {"id": "0feeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "name": "Free Website"}}


def matches(value: str, condition: str) -> bool:
    """Whether a name meets a query such as `example.com` or `ends_with:.com`."""
    operator, separator, wanted = condition.rpartition(":")
    if not separator:
        return value.lower() == condition.lower()
    return OPERATORS.get(operator, str.__eq__)(value.lower(), wanted.lower())


async def list_accounts(call: Call) -> Answer:
    name = call.query.get("name", "")
    return paged(call, [account_object(account) for account in call.settings.accounts if not name or matches(account.name, name)])


async def get_account(call: Call) -> Answer:
    account = call.settings.account(call.account)
    assert account, "the table's guard lets only known accounts through"
    return Answer(account_object(account))


async def list_zones(call: Call) -> Answer:
    query = call.query
    found = [zone_object(zone) for zone in call.settings.zones
             if (not query.get("name") or matches(zone.name, query["name"]))
             and (not query.get("account.id") or zone.account.id == query["account.id"])
             and (not query.get("account.name") or matches(zone.account.name, query["account.name"]))
             and query.get("status", "active") == "active"]
    return paged(call, found)


async def get_zone(call: Call) -> Answer:
    zone = call.settings.zone(call.params["zone"])
    assert zone, "the table's guard lets only known zones through"
    return Answer(zone_object(zone))
