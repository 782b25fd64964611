# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""D1 databases: made and deleted, asked by SQL, imported from files and exported to them. The edge holds what is in them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from local_edge.api.call import Answer, Call, Handler
from local_edge.api.products import Product
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

    async def list_objects(self, call: Call) -> Answer:
        answer = await super().list_objects(call)
        info = {
            key: value for key, value in (answer.info or {}).items() if key != "total_pages"
        }  # which this one listing does not say
        return Answer([{key: one[key] for key in LISTED} for one in answer.result], info=info)

    async def get_object(self, call: Call) -> Answer:
        """A database; `fields` names what is wanted of it."""
        row = self.find(call)
        shown, wanted = self.shown(call, row), call.query.get("fields", "")
        if wanted:
            return Answer({key: shown[key] for key in wanted.split(",") if key in shown})
        return Answer({**shown, **await size(call, row["id"])})

    async def delete_object(self, call: Call) -> Answer:
        ident = self.find(call)["id"]
        answer = await super().delete_object(call)
        if objects.is_noted(call.store, self.kind, ident):
            await objects.wipe(call.store, call.runtime.call_admin, self.kind, ident)
        return answer

    async def update_object(self, call: Call) -> Answer:
        """Where its replicas are to be. There is one place, and so none."""
        row, body = self.find(call), call.json_object()
        if "read_replication" in body or call.method == "PUT":
            replication = body.get("read_replication")
            if not isinstance(replication, dict) or replication.get("mode") not in MODES:
                raise malformed("read_replication.mode", f"must be one of {', '.join(MODES)}")
            spec = json.dumps({**json.loads(row["spec"]), "read_replication": {"mode": replication["mode"]}})
            with call.store.write() as db:
                db.execute(
                    "update products set spec = ? where account = ? and kind = ? and id = ?",
                    (spec, call.account, self.kind, row["id"]),
                )
        return await self.get_object(call)

    def ident_of(self, call: Call) -> str:
        """The id in a path that takes no name."""
        try:
            uuid.UUID(call.params["object"])
        except ValueError:
            raise malformed("databaseId", "Invalid uuid") from None
        return str(self.find(call)["id"])

    def entries(self, account: str) -> list[tuple[str, str, Handler]]:
        one = f"{account}/{self.path}/{{object}}"
        return [
            *super().entries(account),
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
    dated=("created_at",),
    defaults={
        "version": "production",
        "num_tables": 0,
        "file_size": 0,
        "jurisdiction": None,
        "read_replication": {"mode": "disabled"},
    },
    taken=(400, 7502, "A database with that name already exists"),
    page=(100, 10, 10_000),
)


async def ask(call: Call, path: str, **body: Any) -> Any:
    """Have a database do something."""
    try:
        return await call.runtime.call_admin(path, body)
    except EdgeError as error:
        raise ApiError(400, 7500, error.message) from None


async def size(call: Call, ident: str) -> Mapping[str, Any]:
    """How large a database is. One that nobody used yet is not bothered: asking would make it."""
    if not objects.is_noted(call.store, objects.D1, ident):
        return {}
    (counted,) = await ask(call, "/query", id=ident, queries=[{"sql": TABLES}])
    return {"num_tables": counted["rows"][0][0], "file_size": counted["meta"]["size_after"]}


def can_be_bound(value: Any) -> bool:
    """Whether something may be a parameter."""
    if isinstance(value, list):
        return all(isinstance(byte, int) and 0 <= byte < 256 for byte in value)
    return value is None or isinstance(value, (str, int, float))


def queries(call: Call) -> list[dict[str, Any]]:
    """The statements of a request: of one text, or of several in a batch. Parameters are those of a text's last statement."""
    body = call.json()
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


async def results(call: Call) -> list[dict[str, Any]]:
    """What each statement came to: `{columns, rows, meta}`. All of a request are one transaction."""
    found: list[dict[str, Any]] = await ask(call, "/query", id=DATABASES.ident_of(call), queries=queries(call))
    return found


async def query(call: Call) -> Answer:
    """Rows as objects."""
    return Answer(
        [
            {
                "results": [dict(zip(one["columns"], row, strict=True)) for row in one["rows"]],
                "success": True,
                "meta": one["meta"],
            }
            for one in await results(call)
        ]
    )


async def raw(call: Call) -> Answer:
    """Rows as lists under their columns."""
    return Answer(
        [
            {"results": {"columns": one["columns"], "rows": one["rows"]}, "success": True, "meta": one["meta"]}
            for one in await results(call)
        ]
    )


def task(kind: str, error: str | None = None, **more: Any) -> Answer:
    """How a long task stands. Here each is over when it is told of."""
    failed = {"status": "error", "error": error, "errors": [error]} if error else {"status": "complete", "errors": []}
    return Answer({"success": error is None, "type": kind, "messages": [], **failed, **more})


def address(call: Call, name: str, method: str) -> str:
    """Where a file is uploaded or downloaded, without a token, for an hour."""
    return f"http://{call.headers['host']}{PREFIX}/accounts/{call.account}/d1/files/{name}?pass={d1.pass_for(call.store, name, method)}"


def file_of(call: Call) -> d1.File:
    """The file of such an address."""
    return d1.passed(call.store, call.params["file"], call.method, call.query.get("pass", ""))


async def import_(call: Call) -> Answer:
    """The steps of an import: `init` names where to upload, `ingest` runs what was uploaded, `poll` asks how that stands."""
    ident, body = DATABASES.ident_of(call), call.json_object()
    step = STEPS.get(str(body.get("action")))
    if step is None:
        raise malformed("action", f"must be one of {', '.join(STEPS)}")
    return await step(call, ident, body)


async def init(call: Call, ident: str, body: Mapping[str, Any]) -> Answer:
    etag = body.get("etag")
    if not isinstance(etag, str) or not etag:
        raise malformed("etag", "Required")
    there = d1.uploaded(call.store, ident, etag)
    if there:
        return await run(call, ident, there.name)
    name = d1.open_file(call.store, ident, etag)
    return Answer({"filename": name, "upload_url": address(call, name, "PUT")})


async def ingest(call: Call, ident: str, body: Mapping[str, Any]) -> Answer:
    there = d1.uploaded(call.store, ident, str(body.get("etag")))
    if there is None or there.name != body.get("filename"):
        return task(
            "import", f"The file {body.get('filename')} has not been uploaded with the etag {body.get('etag')}."
        )
    return await run(call, ident, there.name)


async def poll(_call: Call, _ident: str, _body: Mapping[str, Any]) -> Answer:
    return task("import", "Not currently importing anything.")


#: What an import consists of, by the `action` that asks for it.
STEPS = {"init": init, "ingest": ingest, "poll": poll}


async def run(call: Call, ident: str, name: str) -> Answer:
    """Run a file. If a statement fails none was run."""
    try:
        done = await call.runtime.call_admin("/import", {"id": ident, "file": name})
    except EdgeError as error:
        return task("import", error.message)
    return task(
        "import",
        at_bookmark=done["final_bookmark"],
        messages=[f"Processed {done['num_queries']} queries."],
        result=done,
    )


async def export(call: Call) -> Answer:
    """Write a file, and say where it can be downloaded."""
    ident, body = DATABASES.ident_of(call), call.json_object()
    if body.get("output_format") != "polling":
        raise malformed("output_format", "must be polling")
    name = d1.open_file(call.store, ident)
    try:
        bookmark = await call.runtime.call_admin(
            "/export", {"id": ident, "file": name, "options": options(body.get("dump_options", {}))}
        )
    except EdgeError as error:
        return task("export", error.message)
    return task("export", at_bookmark=bookmark, result={"filename": name, "signed_url": address(call, name, "GET")})


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


async def upload(call: Call) -> Answer:
    """Take a file."""
    etag = d1.fill(call.store, file_of(call).name, call.body)
    return Answer(content=b"", headers={"etag": f'"{etag}"'})


async def download(call: Call) -> Answer:
    """Give a file."""
    found = file_of(call)
    return Answer(content=found.body or b"", headers={"content-type": "application/sql", "etag": f'"{found.etag}"'})
