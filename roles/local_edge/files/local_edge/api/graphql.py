# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only supported query of Cloudflare's GraphQL API: the size of an R2 bucket."""

from __future__ import annotations

import json
from typing import Any

from local_edge import auth
from local_edge.api.request import ApiRequest, ApiResponse
from local_edge.model import r2

FIELD = "r2StorageAdaptiveGroups"
SIZES = (
    "select count(*) as objectCount, sum(size) as payloadSize,"
    " sum(length(cast(key || http || custom as blob))) as metadataSize from r2_objects"
    " where bucket = (select id from r2_buckets where account = ? and jurisdiction = ? and name = ?)"
)


async def query(request: ApiRequest) -> ApiResponse:
    """Run a query. Return the response format of GraphQL."""
    body = request.json_object()
    variables = body.get("variables") or {}
    if FIELD not in str(body.get("query")):
        return graphql(
            None,
            f"The local edge supports only {FIELD} of the GraphQL API, with the variables accountTag and "
            "filter.bucketName",
        )
    account, name = str(variables.get("accountTag")), str((variables.get("filter") or {}).get("bucketName"))
    auth.check_owner(request.settings, {"account": account}, "/graphql")
    return graphql({"viewer": {"accounts": [{FIELD: groups(request, account, name)}]}})


def groups(request: ApiRequest, account: str, name: str) -> list[dict[str, Any]]:
    """Return the current size of a bucket. `name` is the bucket name, or jurisdiction, underscore and bucket name."""
    jurisdiction, _separator, bare = name.rpartition("_")
    row = request.store.one(SIZES, account, jurisdiction or r2.DEFAULT, bare)
    return [{"max": dict(row), "dimensions": {"datetime": request.now()}}] if row and row["objectCount"] else []


def graphql(data: Any, *errors: str) -> ApiResponse:
    text = json.dumps({"data": data, "errors": [{"message": error} for error in errors] or None})
    return ApiResponse(content=text.encode(), headers={"content-type": "application/json"})
