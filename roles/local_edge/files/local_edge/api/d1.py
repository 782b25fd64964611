# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""D1 databases: management, queries, imports and exports. The edge stores their contents."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from local_edge.api.products import Product
from local_edge.api.request import ApiRequest, ApiResponse, Handler
from local_edge.errors import ApiError
from local_edge.model import d1, objects
from local_edge.runtime.base import EdgeError
from local_edge.settings import PREFIX

#: Properties in the list of databases. The others require a query of the database.
LISTED = ("uuid", "name", "version", "created_at", "jurisdiction")
#: Count the tables of the user.
TABLES = (
    "select count(*) from sqlite_schema where type = 'table' and name not glob 'sqlite_*' and name not glob '_cf_*'"
)
#: Modes of read replication.
MODES = ("auto", "disabled")


def malformed(name: str, why: str) -> ApiError:
    return ApiError(400, 7400, f"Invalid property: {name} => {why}")


class Databases(Product):
    """The product D1, with queries, imports and exports of its databases."""

    async def list_objects(self, request: ApiRequest) -> ApiResponse:
        response = await super().list_objects(request)
        # Cloudflare's list of databases is the only one without `total_pages`.
        info = {key: value for key, value in (response.info or {}).items() if key != "total_pages"}
        return ApiResponse([{key: one[key] for key in LISTED} for one in response.result], info=info)

    async def get_object(self, request: ApiRequest) -> ApiResponse:
        """Return a database. The parameter `fields` selects properties."""
        row = self.find(request)
        database, fields = self.to_api(request, row), request.query.get("fields", "")
        if fields:
            return ApiResponse({key: database[key] for key in fields.split(",") if key in database})
        return ApiResponse({**database, **await size(request, row["id"])})

    async def delete_object(self, request: ApiRequest) -> ApiResponse:
        ident = self.find(request)["id"]
        answer = await super().delete_object(request)
        if objects.is_registered(request.store, self.kind, ident):
            await objects.delete_storage(request.store, request.runtime.call_admin, self.kind, ident)
        return answer

    async def update_object(self, request: ApiRequest) -> ApiResponse:
        """Store the mode of read replication, which has no effect on a single machine."""
        row, body = self.find(request), request.json_object()
        if "read_replication" in body or request.method == "PUT":
            replication = body.get("read_replication")
            if not isinstance(replication, dict) or replication.get("mode") not in MODES:
                raise malformed("read_replication.mode", f"must be one of {', '.join(MODES)}")
            spec = json.dumps({**json.loads(row["spec"]), "read_replication": {"mode": replication["mode"]}})
            with request.store.write() as db:
                db.execute(
                    "update products set spec = ? where account = ? and kind = ? and id = ?",
                    (spec, request.account, self.kind, row["id"]),
                )
        return await self.get_object(request)

    def ident_of(self, request: ApiRequest) -> str:
        """Return the id in a path that does not accept a name. Raise ApiError if it is malformed."""
        try:
            uuid.UUID(request.params["object"])
        except ValueError:
            raise malformed("databaseId", "Invalid uuid") from None
        return str(self.find(request)["id"])

    def routes(self, account: str) -> list[tuple[str, str, Handler]]:
        one = f"{account}/{self.path}/{{object}}"
        return [
            *super().routes(account),
            ("PUT", one, self.update_object),
            ("PATCH", one, self.update_object),
            ("POST", f"{one}/query", query),
            ("POST", f"{one}/raw", raw),
            ("POST", f"{one}/import", import_),
            ("POST", f"{one}/export", export),
            ("PUT", f"{account}/d1/files/{{file}}", upload),
            ("GET", f"{account}/d1/files/{{file}}", download),
        ]


DATABASES = Databases(
    "d1",
    "d1/database",
    "name",
    (404, 7404, "The database could not be found"),
    ident="uuid",
    date_fields=("created_at",),
    defaults={
        "version": "production",
        "num_tables": 0,
        "file_size": 0,
        "jurisdiction": None,
        "read_replication": {"mode": "disabled"},
    },
    already_exists=(400, 7502, "A database with that name already exists"),
    page=(100, 10, 10_000),
)


async def call_database(request: ApiRequest, path: str, **body: Any) -> Any:
    """Send an action to the database in the edge. Raise ApiError if it fails."""
    try:
        return await request.runtime.call_admin(path, body)
    except EdgeError as error:
        raise ApiError(400, 7500, error.message) from None


async def size(request: ApiRequest, ident: str) -> Mapping[str, Any]:
    """Return number of tables and size of a database. {} for an unused one, since a query would create its storage."""
    if not objects.is_registered(request.store, objects.D1, ident):
        return {}
    (counted,) = await call_database(request, "/query", id=ident, queries=[{"sql": TABLES}])
    return {"num_tables": counted["rows"][0][0], "file_size": counted["meta"]["size_after"]}


def can_be_bound(value: Any) -> bool:
    """Whether a value is valid as a query parameter."""
    if isinstance(value, list):
        return all(isinstance(byte, int) and 0 <= byte < 256 for byte in value)
    return value is None or isinstance(value, (str, int, float))


def queries(request: ApiRequest) -> list[dict[str, Any]]:
    """Return the statements `{sql, params}` of a request or of its batch.

    Parameters apply to the last statement of an `sql` text.
    """
    body = request.json()
    batch = body.get("batch", [body]) if isinstance(body, dict) else body
    if not isinstance(batch, list) or not batch:
        raise malformed("batch", "must be a list of queries")
    found = []
    for one in batch:
        sql, params = (one.get("sql"), one.get("params") or []) if isinstance(one, dict) else (None, [])
        if not isinstance(sql, str):
            raise malformed("sql", "Required")
        if not isinstance(params, list) or not all(map(can_be_bound, params)):
            raise malformed("params", "must be a list of strings, numbers, booleans, nulls and lists of bytes")
        *first, last = d1.statements(sql) or [sql]
        found += [{"sql": part, "params": []} for part in first] + [{"sql": last, "params": params}]
    return found


async def results(request: ApiRequest) -> list[dict[str, Any]]:
    """Run the statements of a request in one transaction. Return `{columns, rows, meta}` of each."""
    found: list[dict[str, Any]] = await call_database(
        request, "/query", id=DATABASES.ident_of(request), queries=queries(request)
    )
    return found


async def query(request: ApiRequest) -> ApiResponse:
    """Run statements and return rows as objects."""
    return ApiResponse(
        [
            {
                "results": [dict(zip(one["columns"], row, strict=True)) for row in one["rows"]],
                "success": True,
                "meta": one["meta"],
            }
            for one in await results(request)
        ]
    )


async def raw(request: ApiRequest) -> ApiResponse:
    """Run statements and return rows as arrays, beside the names of the columns."""
    return ApiResponse(
        [
            {"results": {"columns": one["columns"], "rows": one["rows"]}, "success": True, "meta": one["meta"]}
            for one in await results(request)
        ]
    )


def task_status(kind: str, error: str | None = None, **more: Any) -> ApiResponse:
    """Return the status of an import or export. Each one has ended before the API responds."""
    failed = {"status": "error", "error": error, "errors": [error]} if error else {"status": "complete", "errors": []}
    return ApiResponse({"success": error is None, "type": kind, "messages": [], **failed, **more})


def signed_url(request: ApiRequest, name: str, method: str) -> str:
    """Return a URL to upload or download a file without a token, valid for an hour."""
    base = f"http://{request.headers['host']}{PREFIX}/accounts/{request.account}"
    return f"{base}/d1/files/{name}?pass={d1.sign_url(request.store, name, method)}"


def file_of(request: ApiRequest) -> d1.File:
    """Return the file of a signed URL. Raise ApiError if the URL is invalid or expired."""
    return d1.verify_url(request.store, request.params["file"], request.method, request.query.get("pass", ""))


async def import_(request: ApiRequest) -> ApiResponse:
    """Run a step of an import: `init` returns an upload URL, `ingest` runs the file, `poll` returns the status."""
    ident, body = DATABASES.ident_of(request), request.json_object()
    step = IMPORT_ACTIONS.get(str(body.get("action")))
    if step is None:
        raise malformed("action", f"must be one of {', '.join(IMPORT_ACTIONS)}")
    return await step(request, ident, body)


async def init(request: ApiRequest, ident: str, body: Mapping[str, Any]) -> ApiResponse:
    etag = body.get("etag")
    if not isinstance(etag, str) or not etag:
        raise malformed("etag", "Required")
    file = d1.uploaded(request.store, ident, etag)
    if file:
        return await run(request, ident, file.name)
    name = d1.open_file(request.store, ident, etag)
    return ApiResponse({"filename": name, "upload_url": signed_url(request, name, "PUT")})


async def ingest(request: ApiRequest, ident: str, body: Mapping[str, Any]) -> ApiResponse:
    file = d1.uploaded(request.store, ident, str(body.get("etag")))
    if file is None or file.name != body.get("filename"):
        return task_status(
            "import", f"The file {body.get('filename')} has not been uploaded with the etag {body.get('etag')}."
        )
    return await run(request, ident, file.name)


async def poll(_call: ApiRequest, _ident: str, _body: Mapping[str, Any]) -> ApiResponse:
    return task_status("import", "Not currently importing anything.")


#: Steps of an import by `action`.
IMPORT_ACTIONS = {"init": init, "ingest": ingest, "poll": poll}


async def run(request: ApiRequest, ident: str, name: str) -> ApiResponse:
    """Run an uploaded file in one transaction."""
    try:
        done = await request.runtime.call_admin("/import", {"id": ident, "file": name})
    except EdgeError as error:
        return task_status("import", error.message)
    return task_status(
        "import",
        at_bookmark=done["final_bookmark"],
        messages=[f"Processed {done['num_queries']} queries."],
        result=done,
    )


async def export(request: ApiRequest) -> ApiResponse:
    """Export a database to a file, and return its download URL."""
    ident, body = DATABASES.ident_of(request), request.json_object()
    if body.get("output_format") != "polling":
        raise malformed("output_format", "must be polling")
    name = d1.open_file(request.store, ident)
    try:
        bookmark = await request.runtime.call_admin(
            "/export", {"id": ident, "file": name, "options": options(body.get("dump_options", {}))}
        )
    except EdgeError as error:
        return task_status("export", error.message)
    return task_status(
        "export", at_bookmark=bookmark, result={"filename": name, "signed_url": signed_url(request, name, "GET")}
    )


def options(value: Any) -> dict[str, Any]:
    """Check the options of an export."""
    if not isinstance(value, dict):
        raise malformed("dump_options", "must be an object")
    for name in ("no_schema", "no_data"):
        if not isinstance(value.get(name, False), bool):
            raise malformed(f"dump_options.{name}", "must be true or false")
    tables = value.get("tables", [])
    if not isinstance(tables, list) or not all(isinstance(one, str) for one in tables):
        raise malformed("dump_options.tables", "must be a list of names")
    return value


async def upload(request: ApiRequest) -> ApiResponse:
    """Store the file of an import."""
    etag = d1.fill(request.store, file_of(request).name, request.body)
    return ApiResponse(content=b"", headers={"etag": f'"{etag}"'})


async def download(request: ApiRequest) -> ApiResponse:
    """Return the file of an export."""
    found = file_of(request)
    return ApiResponse(
        content=found.body or b"", headers={"content-type": "application/sql", "etag": f'"{found.etag}"'}
    )
