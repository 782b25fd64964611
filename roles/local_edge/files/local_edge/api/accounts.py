# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens, users, memberships, accounts and zones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from local_edge.api.request import ApiRequest, ApiResponse, paged
from local_edge.errors import ApiError
from local_edge.settings import Account, Settings, Zone

CREATED = "2024-01-01T00:00:00.000000Z"
OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "equal": str.__eq__,
    "not_equal": str.__ne__,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "contains": str.__contains__,
}
CASE_SENSITIVE = "_case_sensitive"
#: Query parameters of each list, with the dotted path of the property that they filter by.
ACCOUNT_FIELDS = {"name": "name"}
MEMBERSHIP_FIELDS = {"account.name": "account.name", "name": "account.name", "status": "status"}
ZONE_FIELDS = {name: name for name in ("name", "account.id", "account.name", "status", "type")}
#: The only role of the token's owner.
ROLE = "Super Administrator - All Privileges"
PERMISSIONS = (
    "analytics",
    "billing",
    "cache_purge",
    "dns",
    "dns_records",
    "lb",
    "logs",
    "organization",
    "ssl",
    "waf",
    "zone_settings",
    "zones",
)


def derived_id(kind: str, text: str) -> str:
    """Derive a stable id from the kind and the name of an object."""
    return hashlib.sha256(f"{kind}:{text}".encode()).hexdigest()[:32]


async def verify_token(request: ApiRequest) -> ApiResponse:
    """Return the status of the token. It never expires, so `not_before` and `expires_on` are absent."""
    message = {"code": 10000, "message": "This API Token is valid and active", "type": None}
    return ApiResponse({"id": token_id(request.settings), "status": "active"}, messages=[message])


async def get_token(request: ApiRequest) -> ApiResponse:
    """Return the token with its permissions, in one policy for all accounts and zones."""
    if request.params["token"] != token_id(request.settings):
        raise ApiError(404, 1001, "Invalid API Token")
    resources = {f"com.cloudflare.api.account.{account.id}": "*" for account in request.settings.accounts}
    policy = {
        "id": derived_id("policy", request.settings.token),
        "effect": "allow",
        "resources": {**resources, "com.cloudflare.api.account.zone.*": "*"},
        "permission_groups": [
            {"id": derived_id("permission", name), "name": name} for name in request.settings.access.granted()
        ],
    }
    return ApiResponse(
        {
            "id": token_id(request.settings),
            "name": "local edge",
            "status": "active",
            "issued_on": CREATED,
            "modified_on": CREATED,
            "policies": [policy],
        }
    )


def token_id(settings: Settings) -> str:
    return derived_id("token", settings.token)


def user_id(settings: Settings) -> str:
    return derived_id("user", settings.accounts[0].id)


def account_object(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "name": account.name,
        "type": "standard",
        "settings": {"enforce_twofactor": False},
        "created_on": CREATED,
    }


def membership_object(account: Account, user: str) -> dict[str, Any]:
    return {
        "id": derived_id("membership", f"{user}:{account.id}"),
        "code": "",
        "status": "accepted",
        "api_access_enabled": None,
        "account": account_object(account),
        "roles": [ROLE],
        "permissions": {name: {"read": True, "write": True} for name in PERMISSIONS},
    }


def zone_object(zone: Zone) -> dict[str, Any]:
    return {
        "id": zone.id,
        "name": zone.display_name,
        "status": "active",
        "paused": False,
        "type": "full",
        "development_mode": 0,
        "name_servers": ["a.ns.local-edge.test", "b.ns.local-edge.test"],
        "original_name_servers": [],
        "account": {"id": zone.account.id, "name": zone.account.name},
        "created_on": CREATED,
        "modified_on": CREATED,
        "activated_on": CREATED,
        "meta": {"step": 2},
        "owner": {"id": None, "type": "user", "email": None},
        "permissions": [],
        "plan": {"id": "0feeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "name": "Free Website"},
    }


def matches(value: str, condition: str) -> bool:
    """Whether a text meets a condition: `example.com`, `ends_with:.com` or `contains_case_sensitive:Local`."""
    operator, separator, expected = condition.partition(":")
    name = operator.removesuffix(CASE_SENSITIVE)
    if not separator or name not in OPERATORS:
        name, expected = "equal", condition
    if not operator.endswith(CASE_SENSITIVE):
        value, expected = value.lower(), expected.lower()
    return OPERATORS[name](value, expected)


def get_path(item: Mapping[str, Any], path: str) -> str:
    """Return the value at a dotted path such as `account.name`."""
    value: Any = item
    for key in path.split("."):
        value = value[key]
    return str(value)


def listed(request: ApiRequest, fields: Mapping[str, str], items: Iterable[dict[str, Any]]) -> ApiResponse:
    """Return a page of items, filtered by the parameters in `fields` and sorted by `order` and `direction`."""
    conditions = {path: request.query[name] for name, path in fields.items() if request.query.get(name)}
    enough = any if request.query.get("match") == "any" and conditions else all
    found = [
        item
        for item in items
        if enough(matches(get_path(item, path), condition) for path, condition in conditions.items())
    ]
    order = request.query.get("order", "name")
    if order in fields and ("order" in request.query or "direction" in request.query):
        found.sort(key=lambda item: get_path(item, fields[order]), reverse=request.query.get("direction") == "desc")
    return paged(request, found)


async def get_user(request: ApiRequest) -> ApiResponse:
    """Return the owner of the token, who is a member of every account."""
    accounts = [
        {"id": account.id, "name": account.name, "status": "member", "roles": [ROLE], "permissions": []}
        for account in request.settings.accounts
    ]
    return ApiResponse(
        {
            "id": user_id(request.settings),
            "email": request.settings.email or "user@local-edge.test",
            "first_name": None,
            "last_name": None,
            "telephone": None,
            "country": None,
            "zipcode": None,
            "suspended": False,
            "two_factor_authentication_enabled": False,
            "two_factor_authentication_locked": False,
            "has_pro_zones": False,
            "has_business_zones": False,
            "has_enterprise_zones": False,
            "betas": [],
            "organizations": accounts,
            "created_on": CREATED,
            "modified_on": CREATED,
        }
    )


async def list_memberships(request: ApiRequest) -> ApiResponse:
    user = user_id(request.settings)
    return listed(
        request, MEMBERSHIP_FIELDS, (membership_object(account, user) for account in request.settings.accounts)
    )


async def list_accounts(request: ApiRequest) -> ApiResponse:
    readable = request.settings.accounts if request.settings.access.permits("/accounts", is_write=False) else ()
    return listed(request, ACCOUNT_FIELDS, map(account_object, readable))


async def get_account(request: ApiRequest) -> ApiResponse:
    account = request.settings.account(request.account)
    assert account, "the table's guard lets only known accounts through"
    return ApiResponse(account_object(account))


async def list_zones(request: ApiRequest) -> ApiResponse:
    readable = request.settings.zones if request.settings.access.permits("/zones", is_write=False) else ()
    return listed(request, ZONE_FIELDS, map(zone_object, readable))


async def get_zone(request: ApiRequest) -> ApiResponse:
    zone = request.settings.zone(request.params["zone"])
    assert zone, "the table's guard lets only known zones through"
    return ApiResponse(zone_object(zone))
