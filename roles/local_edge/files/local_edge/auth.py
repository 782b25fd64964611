# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Authorization by API token or legacy global key, with the errors of the real API."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping

from local_edge.errors import ApiError
from local_edge.settings import Settings

SCHEME = re.compile(r"Bearer +([A-Za-z0-9._~+/=-]+)", re.IGNORECASE)


def same(one: str, other: str | None) -> bool:
    return other is not None and hmac.compare_digest(one.encode(), other.encode())


def check(settings: Settings, headers: Mapping[str, str]) -> None:
    """Check the credentials of a request. Raise Cloudflare's ApiError if they are missing or wrong."""
    authorization = headers.get("authorization")
    key, email = headers.get("x-auth-key"), headers.get("x-auth-email")
    if authorization is not None:
        match = SCHEME.fullmatch(authorization.strip())
        if not match:
            raise ApiError(
                400, 6003, "Invalid request headers", chain=[(6111, "Invalid format for Authorization header")]
            )
        if not same(match[1], settings.token):
            raise ApiError(403, 9109, "Invalid access token")
    elif key is not None and email is not None:
        if not (same(key, settings.key) and same(email, settings.email)):
            raise ApiError(403, 9103, "Unknown X-Auth-Key or X-Auth-Email")
    else:
        raise ApiError(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")


def check_owner(settings: Settings, params: Mapping[str, str], path: str) -> None:
    """Check that the account or zone of a path exists. Raise ApiError if not."""
    for kind, known in (("account", settings.account), ("zone", settings.zone)):
        ident = params.get(kind)
        if ident is None or known(ident):
            continue
        if not re.fullmatch(r"[0-9a-f]{32}", ident):
            raise ApiError(
                404,
                7003,
                f"Could not route to {path}, perhaps your object identifier is invalid?",
                chain=[(7000, "No route for that URI")],
            )
        raise ApiError(403, 9109, f"Unauthorized to access requested resource: this token has no {kind} {ident}")
