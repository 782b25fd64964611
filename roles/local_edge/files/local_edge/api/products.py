# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of other products that a binding can refer to: created, listed, read and deleted in one table."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local_edge.api.request import ApiRequest, ApiResponse, Handler, paged
from local_edge.errors import ApiError, bad_body


@dataclass(frozen=True)
class Product:
    """A product: its path, the keys of name and id in its objects, and its errors.

    The name is the id if `ident` is None. `date_fields` are the keys of dates, `defaults` the default properties of an
    object. `page` is the default, the minimum and the maximum size of a page.
    """

    kind: str
    path: str
    name: str
    not_found: tuple[int, int, str]
    ident: str | None = None
    already_exists: tuple[int, int, str] = (409, 10004, "an object of this name already exists")
    date_fields: tuple[str, ...] = ("created_on", "modified_on")
    defaults: Mapping[str, Any] = field(default_factory=dict)
    page: tuple[int, int, int] = (100, 1, 1000)

    def to_api(self, request: ApiRequest, row: Any) -> dict[str, Any]:
        ident = {self.ident: row["id"]} if self.ident else {}
        return {
            **self.defaults,
            **json.loads(row["spec"]),
            **ident,
            self.name: row["name"],
            **dict.fromkeys(self.date_fields, row["created_on"]),
        }

    def find(self, request: ApiRequest) -> Any:
        row = request.store.one(
            "select * from products where account = ? and kind = ? and ? in (id, name)",
            request.account,
            self.kind,
            request.params["object"],
        )
        if row is None:
            raise ApiError(*self.not_found)
        return row

    def exists(self, request: ApiRequest, name: str) -> bool:
        """Whether an object of this name exists."""
        return bool(
            request.store.one(
                "select 1 from products where account = ? and kind = ? and name = ?", request.account, self.kind, name
            )
        )

    async def list_objects(self, request: ApiRequest) -> ApiResponse:
        rows = request.store.all(
            "select * from products where account = ? and kind = ? order by name", request.account, self.kind
        )
        found = [self.to_api(request, row) for row in rows if request.query.get("name", row["name"]) == row["name"]]
        return paged(request, found, *self.page)

    async def create_object(self, request: ApiRequest) -> ApiResponse:
        body = request.json_object()
        name = body.get(self.name)
        if not isinstance(name, str) or not name:
            raise bad_body(f"`{self.name}` must be a string")
        if self.exists(request, name):
            raise ApiError(*self.already_exists)
        ident = name if self.ident is None else str(uuid.uuid4())
        spec = {key: without_credentials(value) for key, value in body.items() if key not in (self.name, *CREDENTIALS)}
        with request.store.write() as db:
            db.execute(
                "insert into products values (?, ?, ?, ?, ?, ?)",
                (request.account, self.kind, ident, name, json.dumps(spec), request.now()),
            )
        request.params["object"] = ident
        return await self.get_object(request)

    async def get_object(self, request: ApiRequest) -> ApiResponse:
        return ApiResponse(self.to_api(request, self.find(request)))

    async def delete_object(self, request: ApiRequest) -> ApiResponse:
        row = self.find(request)
        with request.store.write() as db:
            db.execute(
                "delete from products where account = ? and kind = ? and id = ?",
                (request.account, self.kind, row["id"]),
            )
        return ApiResponse({})

    def routes(self, account: str) -> list[tuple[str, str, Handler]]:
        """Return the product's routes for `table`."""
        base = f"{account}/{self.path}"
        return [
            ("GET", base, self.list_objects),
            ("POST", base, self.create_object),
            ("GET", f"{base}/{{object}}", self.get_object),
            ("DELETE", f"{base}/{{object}}", self.delete_object),
        ]


#: Properties that are not stored, since the API never returns them and the local edge does not use them.
CREDENTIALS = ("password", "access_client_secret", "private_key")


def without_credentials(value: Any) -> Any:
    return {key: part for key, part in value.items() if key not in CREDENTIALS} if isinstance(value, dict) else value


PRODUCTS = (
    Product(
        "hyperdrive",
        "hyperdrive/configs",
        "name",
        (404, 2001, "The specified Hyperdrive config does not exist."),
        ident="id",
        defaults={"caching": {"disabled": False}},
    ),
    Product(
        "vectorize",
        "vectorize/v2/indexes",
        "name",
        (404, 3000, "vectorize.index.not_found"),
        already_exists=(409, 3002, "vectorize.index.duplicate_name"),
    ),
    Product(
        "secrets_store",
        "secrets_store/stores",
        "name",
        (404, 1001, "store_not_found"),
        ident="id",
        date_fields=("created", "modified"),
    ),
    Product(
        "mtls_certificate",
        "mtls_certificates",
        "name",
        (404, 1403, "The specified certificate does not exist."),
        ident="id",
        date_fields=("uploaded_on",),
        defaults={"type": "custom"},
    ),
)
