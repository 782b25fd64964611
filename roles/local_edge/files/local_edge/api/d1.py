# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""D1 databases: made and deleted, asked by SQL, imported from files and exported to them. The edge holds what is in them."""

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

#: What a listing shows of a database; the rest is asked of it.
LISTED = ("uuid", "name", "version", "created_at", "jurisdiction")
#: What is asked of it: how many tables it has that are the user's.
TABLES = (
    "select count(*) from sqlite_schema where type = 'table' and name not glob 'sqlite_*' and name not glob '_cf_*'"
)
#: Where a database may have replicas.
MODES = ("auto", "disabled")


def malformed(name: str, why: str) -> ApiError:
    return ApiError(400, 7400, f"Invalid property: {name} => {why}")


class Databases(Product):
    """D1 as a product whose objects hold something."""

    async def list_objects(self, request: ApiRequest) -> ApiResponse:
        answer = await super().list_objects(request)
        info = {
            key: value for key, value in (answer.info or {}).items() if key != "total_pages"
        }  # which this one listing does not say
        return ApiResponse([{key: one[key] for key in LISTED} for one in answer.result], info=info)

    async def get_object(self, request: ApiRequest) -> ApiResponse:
        """A database; `fields` names what is wanted of it."""
        row = self.find(request)
        shown, wanted = self.to_api(request, row), request.query.get("fields", "")
        if wanted:
            return ApiResponse({key: shown[key] for key in wanted.split(",") if key in shown})
        return ApiResponse({**shown, **await size(request, row["id"])})

    async def delete_object(self, request: ApiRequest) -> ApiResponse:
        ident = self.find(request)["id"]
        answer = await super().delete_object(request)
        if objects.is_noted(request.store, self.kind, ident):
            await objects.wipe(request.store, request.runtime.call_admin, self.kind, ident)
        return answer

    async def update_object(self, request: ApiRequest) -> ApiResponse:
        """Where its replicas are to be. There is one place, and so none."""
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
        """The id in a path that takes no name."""
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
    """Have a database do something."""
    try:
        return await request.runtime.call_admin(path, body)
    except EdgeError as error:
        raise ApiError(400, 7500, error.message) from None


async def size(request: ApiRequest, ident: str) -> Mapping[str, Any]:
    """How large a database is. One that nobody used yet is not bothered: asking would make it."""
    if not objects.is_noted(request.store, objects.D1, ident):
        return {}
    (counted,) = await call_database(request, "/query", id=ident, queries=[{"sql": TABLES}])
    return {"num_tables": counted["rows"][0][0], "file_size": counted["meta"]["size_after"]}


def can_be_bound(value: Any) -> bool:
    """Whether something may be a parameter."""
    if isinstance(value, list):
        return all(isinstance(byte, int) and 0 <= byte < 256 for byte in value)
    return value is None or isinstance(value, (str, int, float))


def queries(request: ApiRequest) -> list[dict[str, Any]]:
    """The statements of a request: of one text, or of several in a batch. Parameters are those of a text's last statement."""
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
    """What each statement came to: `{columns, rows, meta}`. All of a request are one transaction."""
    found: list[dict[str, Any]] = await call_database(
        request, "/query", id=DATABASES.ident_of(request), queries=queries(request)
    )
    return found


async def query(request: ApiRequest) -> ApiResponse:
    """Rows as objects."""
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
    """Rows as lists under their columns."""
    return ApiResponse(
        [
            {"results": {"columns": one["columns"], "rows": one["rows"]}, "success": True, "meta": one["meta"]}
            for one in await results(request)
        ]
    )


def task_status(kind: str, error: str | None = None, **more: Any) -> ApiResponse:
    """How a long task stands. Here each is over when it is told of."""
    failed = {"status": "error", "error": error, "errors": [error]} if error else {"status": "complete", "errors": []}
    return ApiResponse({"success": error is None, "type": kind, "messages": [], **failed, **more})


def signed_url(request: ApiRequest, name: str, method: str) -> str:
    """Where a file is uploaded or downloaded, without a token, for an hour."""
    return f"http://{request.headers['host']}{PREFIX}/accounts/{request.account}/d1/files/{name}?pass={d1.pass_for(request.store, name, method)}"


def file_of(request: ApiRequest) -> d1.File:
    """The file of such an address."""
    return d1.passed(request.store, request.params["file"], request.method, request.query.get("pass", ""))


async def import_(request: ApiRequest) -> ApiResponse:
    """The steps of an import: `init` names where to upload, `ingest` runs what was uploaded, `poll` asks how that stands."""
    ident, body = DATABASES.ident_of(request), request.json_object()
    step = IMPORT_ACTIONS.get(str(body.get("action")))
    if step is None:
        raise malformed("action", f"must be one of {', '.join(IMPORT_ACTIONS)}")
    return await step(request, ident, body)


async def init(request: ApiRequest, ident: str, body: Mapping[str, Any]) -> ApiResponse:
    etag = body.get("etag")
    if not isinstance(etag, str) or not etag:
        raise malformed("etag", "Required")
    there = d1.uploaded(request.store, ident, etag)
    if there:
        return await run(request, ident, there.name)
    name = d1.open_file(request.store, ident, etag)
    return ApiResponse({"filename": name, "upload_url": signed_url(request, name, "PUT")})


async def ingest(request: ApiRequest, ident: str, body: Mapping[str, Any]) -> ApiResponse:
    there = d1.uploaded(request.store, ident, str(body.get("etag")))
    if there is None or there.name != body.get("filename"):
        return task_status(
            "import", f"The file {body.get('filename')} has not been uploaded with the etag {body.get('etag')}."
        )
    return await run(request, ident, there.name)


async def poll(_call: ApiRequest, _ident: str, _body: Mapping[str, Any]) -> ApiResponse:
    return task_status("import", "Not currently importing anything.")


#: What an import consists of, by the `action` that asks for it.
IMPORT_ACTIONS = {"init": init, "ingest": ingest, "poll": poll}


async def run(request: ApiRequest, ident: str, name: str) -> ApiResponse:
    """Run a file. If a statement fails none was run."""
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
    """Write a file, and say where it can be downloaded."""
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


def options(given: Any) -> dict[str, Any]:
    """What an export leaves out, as it was asked for."""
    if not isinstance(given, dict):
        raise malformed("dump_options", "must be an object")
    for name in ("no_schema", "no_data"):
        if not isinstance(given.get(name, False), bool):
            raise malformed(f"dump_options.{name}", "must be true or false")
    tables = given.get("tables", [])
    if not isinstance(tables, list) or not all(isinstance(one, str) for one in tables):
        raise malformed("dump_options.tables", "must be a list of names")
    return given


async def upload(request: ApiRequest) -> ApiResponse:
    """Take a file."""
    etag = d1.fill(request.store, file_of(request).name, request.body)
    return ApiResponse(content=b"", headers={"etag": f'"{etag}"'})


async def download(request: ApiRequest) -> ApiResponse:
    """Give a file."""
    found = file_of(request)
    return ApiResponse(
        content=found.body or b"", headers={"content-type": "application/sql", "etag": f'"{found.etag}"'}
    )
