# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""D1 databases, used by Workers and by the API: results, errors, transactions, imports, exports and recovery."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
import requests
from edge_process import Edge, Platform, wait_until

pytestmark = pytest.mark.integration

#: Runs the call in the request body on its database.
CALLER = """
const prepared = (db, [sql, ...params]) => (params.length ? db.prepare(sql).bind(...params) : db.prepare(sql));
const CALLS = {
  run: (db, statement) => prepared(db, statement).run(),
  all: (db, statement) => prepared(db, statement).all(),
  first: (db, statement, column) => prepared(db, statement).first(...(column ? [column] : [])),
  raw: (db, statement, options) => prepared(db, statement).raw(options),
  batch: (db, statements) => db.batch(statements.map((one) => prepared(db, one))),
  exec: (db, [sql]) => db.exec(sql),
  query: (db, queries, bookmark) => db.query({ queries, bookmark }),
  dump: (db) => db.dump(),
  session: async (db, statements, from) => {
    const session = db.withSession(from);
    const marks = [session.getBookmark()];
    for (const one of statements) {
      await prepared(session, one).run();
      marks.push(session.getBookmark());
    }
    return marks;
  },
};
export default { async fetch(request, env) {
  const [call, ...args] = await request.json();
  try { return Response.json(await CALLS[call](env.DB, ...args)); }
  catch (error) { return Response.json([error.message, error.cause?.message ?? null], { status: 500 }); }
} };
"""
PROTOCOLS = ([], ["d1_binding_jsrpc"])


def create_database(edge: Edge, name: str = "shop") -> str:
    """Create a database and return its id."""
    return str(edge.call("POST", "/d1/database", json={"name": name})["uuid"])


def database_binding(ident: str) -> list[dict[str, str]]:
    return [{"name": "DB", "type": "d1", "id": ident}]


def call_tenant(platform: Platform, *call: Any, tenant: str = "a") -> Any:
    """Run a call in the tenant. Return its result, or the messages of the error and its cause."""
    return platform.get(tenant, method="POST", json=call).json()


def stored_ids(edge: Edge, kind: str) -> set[str]:
    """Return the ids of stored objects of a kind, from the names of their files."""
    return {path.name.partition(".")[0] for path in (edge.data / "objects" / kind).iterdir()} - {"metadata"}


@pytest.fixture(params=PROTOCOLS, ids=["http", "rpc"])
def shop_platform(request: pytest.FixtureRequest, platform: Platform) -> Platform:
    """Provide a tenant with a database, once per binding protocol."""
    platform.deploy_tenant(
        "a", CALLER, bindings=database_binding(create_database(platform.edge)), compatibility_flags=request.param
    )
    call_tenant(
        platform,
        "exec",
        ["create table items (id integer primary key, name text)\ninsert into items values (1, 'one'), (2, 'two')"],
    )
    return platform


def test_d1_query_methods_return_results_in_their_form(shop_platform: Platform) -> None:
    one, two = {"id": 1, "name": "one"}, {"id": 2, "name": "two"}
    for call in ("all", "run"):
        response = call_tenant(shop_platform, call, ["select * from items where id >= ?1 order by id", 1])
        assert (response["success"], response["results"]) == (True, [one, two])
    assert call_tenant(shop_platform, "first", ["select * from items order by id"]) == one
    assert call_tenant(shop_platform, "first", ["select * from items order by id"], "name") == "one"
    assert call_tenant(shop_platform, "first", ["select * from items where id = 9"]) is None
    assert call_tenant(shop_platform, "raw", ["select id, name from items order by id"]) == [[1, "one"], [2, "two"]]
    assert call_tenant(shop_platform, "raw", ["select 1 as a, 2 as a"], {"columnNames": True}) == [["a", "a"], [1, 2]]
    assert call_tenant(shop_platform, "raw", ["select * from items where id = 9"], {"columnNames": True}) == [
        ["id", "name"]
    ]
    assert [
        part["results"]
        for part in call_tenant(shop_platform, "batch", [["select name from items where id = ?", 2], ["select 3 as n"]])
    ] == [[{"name": "two"}], [{"n": 3}]]


def test_d1_run_returns_metadata_of_statement(shop_platform: Platform) -> None:
    written = call_tenant(shop_platform, "run", ["insert into items (name) values ('three'), ('four') returning id"])
    assert written["results"] == [{"id": 3}, {"id": 4}]
    meta = written["meta"]
    assert (
        meta["changes"],
        meta["last_row_id"],
        meta["rows_written"],
        meta["changed_db"],
        meta["served_by_primary"],
    ) == (2, 4, 2, True, True)
    assert meta["size_after"] > 0 <= meta["duration"] == meta["timings"]["sql_duration_ms"]
    read = call_tenant(shop_platform, "all", ["select * from items"])["meta"]
    assert (read["changes"], read["rows_read"], read["rows_written"], read["changed_db"]) == (0, 4, 0, False)


def test_d1_batch_one_statement_fails_applies_none(shop_platform: Platform) -> None:
    error = call_tenant(
        shop_platform, "batch", [["insert into items values (7, 'seven')"], ["insert into items values (1, 'again')"]]
    )
    assert error[0].startswith("D1_ERROR: UNIQUE constraint failed: items.id: SQLITE_CONSTRAINT")
    assert call_tenant(shop_platform, "first", ["select count(*) as n from items"], "n") == 2
    assert (
        len(
            call_tenant(
                shop_platform,
                "batch",
                [["insert into items values (7, 'seven')"], ["insert into items values (8, 'eight')"]],
            )
        )
        == 2
    )
    assert call_tenant(shop_platform, "first", ["select count(*) as n from items"], "n") == 4


def test_d1_exec_several_lines_are_one_transaction(shop_platform: Platform) -> None:
    assert (
        call_tenant(
            shop_platform,
            "exec",
            ["insert into items values (3, 'three')\n\n-- a comment\ninsert into items values (4, 'four');\n"],
        )["count"]
        == 2
    )
    message = call_tenant(shop_platform, "exec", ["insert into items values (5, 'five')\ninsertz"])[0]
    assert message.startswith("D1_EXEC_ERROR: ") and message.endswith(
        'near "insertz": syntax error at offset 0: SQLITE_ERROR'
    )
    assert call_tenant(shop_platform, "first", ["select max(id) as n from items"], "n") == 4


ERRORS = {
    "select * from missing": "no such table: missing: SQLITE_ERROR",
    "select missing from items": "no such column: missing at offset 7: SQLITE_ERROR",
    "selectz": 'near "selectz": syntax error at offset 0: SQLITE_ERROR',
    "insert into items values (1, 'x')": "UNIQUE constraint failed: items.id: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_PRIMARYKEY)",
    "select ?": "Wrong number of parameter bindings for SQL query.",
    "-- nothing": "No SQL statements detected.",
    "attach ':memory:' as other": "not authorized: SQLITE_AUTH",
    "pragma journal_mode = delete": "not authorized: SQLITE_AUTH",
    "select * from _cf_KV": "access to _cf_KV.key is prohibited: SQLITE_AUTH",
    "begin": "To execute a transaction, please use the state.storage.transaction()",
    "savepoint s": "To execute a transaction, please use the state.storage.transaction()",
    "vacuum": "cannot VACUUM from within a transaction: SQLITE_ERROR",
    "select '" + "x" * 100_000 + "'": "statement too long: SQLITE_TOOBIG",
    "select " + ",".join("?" * 101): "too many SQL variables",
}


def test_d1_invalid_statement_returns_sqlite_message(shop_platform: Platform) -> None:
    for sql, message in ERRORS.items():
        text, cause = call_tenant(shop_platform, "all", [sql])
        assert text.startswith(f"D1_ERROR: {message}") and text.endswith(str(cause)), sql
    assert (
        call_tenant(shop_platform, "all", ["select ?", 1, 2])[0]
        == "D1_ERROR: Wrong number of parameter bindings for SQL query."
    )
    assert call_tenant(shop_platform, "first", ["select 1 as a"], "b")[0] == "D1_COLUMN_NOTFOUND: Column not found (b)"
    assert call_tenant(shop_platform, "dump")[0] == "D1_DUMP_ERROR: Status + 400"


def test_d1_values_and_parameters_over_limit_are_refused(shop_platform: Platform) -> None:
    assert call_tenant(shop_platform, "first", ["select length(?) as n", "é" * 1_000_000], "n") == 1_000_000
    assert (
        call_tenant(shop_platform, "first", ["select length(?)", "é" * 1_000_000 + "x"])[0]
        == "D1_ERROR: string or blob too big: SQLITE_TOOBIG"
    )
    assert call_tenant(shop_platform, "raw", ["select " + ",".join("?" * 100), *range(100)]) == [list(range(100))]


VALUES = """
const outcome = (go) => { try { return go(); } catch (error) { return error.message; } };
export default { async fetch(request, { DB }) {
  const bytes = new Uint8Array([0, 1, 255]);
  const values = [null, 1, 1.5, "täxt", true, false, bytes, bytes.buffer, [2, 3]];
  const columns = values.map((_, index) => `?${index + 1}, typeof(?${index + 1})`);
  const [row] = await DB.prepare(`select ${columns}`).bind(...values).raw();
  const refused = [undefined, 1n, {}].map((value) => outcome(() => DB.prepare("select ?").bind(value)));
  const big = await DB.prepare("select 9007199254740993 as big").first("big");
  return Response.json({ values: row, refused, big, name: DB.constructor.name });
} };
"""


@pytest.mark.parametrize("flags", PROTOCOLS)
def test_d1_bind_each_type_is_converted(platform: Platform, flags: list[str]) -> None:
    platform.deploy_tenant(
        "a", VALUES, bindings=database_binding(create_database(platform.edge)), compatibility_flags=flags
    )
    result = platform.get("a").json()
    # Numbers are bound as floats, as on Cloudflare. An integer column converts them.
    assert result["values"] == [
        None,
        "null",
        1,
        "real",
        1.5,
        "real",
        "täxt",
        "text",
        1,
        "real",
        0,
        "real",
        [0, 1, 255],
        "blob",
        [0, 1, 255],
        "blob",
        [2, 3],
        "blob",
    ]
    assert [message.partition(" not supported")[0] for message in result["refused"]] == [
        f"D1_TYPE_ERROR: Type '{kind}'" for kind in ("undefined", "bigint", "object")
    ]
    assert (result["big"], result["name"]) == (9007199254740992, "D1Database")


def test_d1_session_bookmarks_increase(shop_platform: Platform) -> None:
    first, second, third = call_tenant(
        shop_platform, "session", [["select 1"], ["insert into items values (3, 'three')"]], "first-primary"
    )
    assert first is None and second < third
    assert len(third.split("-")) == 4
    assert call_tenant(shop_platform, "session", [["select 1"]], third)[-1] > third


def test_d1_pragma_applies_to_one_transaction(shop_platform: Platform) -> None:
    like = ["select 'a' like 'A' as same"]
    inside = call_tenant(shop_platform, "batch", [["pragma case_sensitive_like = on"], like])
    assert inside[1]["results"] == [{"same": 0}]
    assert call_tenant(shop_platform, "first", like, "same") == 1
    assert [row["name"] for row in call_tenant(shop_platform, "all", ["pragma table_info('items')"])["results"]] == [
        "id",
        "name",
    ]


def test_d1_foreign_keys_are_checked_immediately_or_deferred(shop_platform: Platform) -> None:
    call_tenant(shop_platform, "exec", ["create table parts (item integer references items(id))"])
    orphan, parent = ["insert into parts values (9)"], ["insert into items values (9, 'nine')"]
    failed = "D1_ERROR: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)"
    assert call_tenant(shop_platform, "batch", [orphan, parent])[0] == failed
    assert call_tenant(shop_platform, "batch", [["pragma defer_foreign_keys = on"], orphan])[0] == failed
    assert call_tenant(shop_platform, "first", ["select count(*) as n from parts"], "n") == 0
    assert len(call_tenant(shop_platform, "batch", [["pragma defer_foreign_keys = on"], orphan, parent])) == 3


def test_d1_query_method_requires_jsrpc_flag(platform: Platform) -> None:
    ident = create_database(platform.edge)
    platform.deploy_tenant("a", CALLER, bindings=database_binding(ident), compatibility_flags=["d1_binding_jsrpc"])
    platform.deploy_tenant("b", CALLER, bindings=database_binding(ident))
    response = call_tenant(platform, "query", [{"sql": "select ? as a, 2 as a", "params": [[1, 2]]}], "first-primary")
    assert response["bookmark"]
    (result,) = response["results"]
    assert (
        result["data"] == {"kind": "raw", "columns": ["a", "a"], "rows": [[[1, 2], 2]]}
        and result["meta"]["rows_written"] == 0
    )
    (last,) = call_tenant(platform, "query", [{"sql": "select 1; select 2"}])["results"]
    assert last["data"]["rows"] == [[2]]
    assert "bookmark" not in call_tenant(platform, "query", [{"sql": "select 1"}])
    assert (
        call_tenant(platform, "query", [{"sql": "selectz"}])[0]
        == 'near "selectz": syntax error at offset 0: SQLITE_ERROR'
    )
    assert "requires the d1_binding_jsrpc compatibility flag" in call_tenant(platform, "query", [], tenant="b")[0]


KEEPER = """
import { DurableObject } from "cloudflare:workers";
export class Keeper extends DurableObject { count() { return this.env.DB.prepare("select count(*) as n from items").first("n"); } }
export default { async fetch(request, env) { return Response.json(await env.KEEPERS.getByName("x").count()); } };
"""


def test_d1_same_database_is_shared_and_others_are_separate(platform: Platform) -> None:
    ident = create_database(platform.edge)
    for tenant, database in (("a", ident), ("b", ident), ("c", create_database(platform.edge, "other"))):
        platform.deploy_tenant(tenant, CALLER, bindings=database_binding(database))
    call_tenant(platform, "exec", ["create table items (a)\ninsert into items values (1)"])
    assert call_tenant(platform, "first", ["select a from items"], "a", tenant="b") == 1
    assert (
        call_tenant(platform, "first", ["select a from items"], tenant="c")[0]
        == "D1_ERROR: no such table: items: SQLITE_ERROR"
    )
    keepers = {"name": "KEEPERS", "type": "durable_object_namespace", "class_name": "Keeper"}
    platform.deploy_tenant(
        "d",
        KEEPER,
        bindings=[*database_binding(ident), keepers],
        migrations={"new_tag": "v1", "new_sqlite_classes": ["Keeper"]},
    )
    assert platform.get("d").json() == 1


def test_d1_process_killed_keeps_acknowledged_writes(start: Callable[..., Edge]) -> None:
    edge = start()
    platform = Platform(edge)
    platform.deploy_tenant("a", CALLER, bindings=database_binding(create_database(edge)))
    call_tenant(platform, "exec", ["create table items (a)"])
    for number in range(3):
        assert call_tenant(platform, "run", ["insert into items values (?)", number])["success"]
        os.kill(edge.children()["edge"], signal.SIGKILL)
        assert call_tenant(platform, "first", ["select count(*) as n from items"], "n") == number + 1
    assert call_tenant(platform, "run", ["insert into items values (3)"])["success"]
    edge.process.kill()
    edge.process.wait()
    edge.start()
    assert call_tenant(platform, "first", ["select count(*) as n from items"], "n") == 4
    edge.stop()
    edge.start()
    assert call_tenant(platform, "first", ["select count(*) as n from items"], "n") == 4


def test_d1_deleted_database_is_unavailable_and_removed_from_disk(start: Callable[..., Edge]) -> None:
    edge = start("--sweep-seconds", "1")
    platform, ident = Platform(edge), create_database(edge)
    platform.deploy_tenant("a", CALLER, bindings=database_binding(ident))
    platform.deploy_tenant("b", CALLER, bindings=database_binding(create_database(edge, "other")))
    for tenant in "ab":
        call_tenant(platform, "exec", ["create table items (a)"], tenant=tenant)
    (remaining,) = stored_ids(edge, "databases") - delete_database(edge, ident)
    for _attempt in range(2):
        assert call_tenant(platform, "all", ["select * from items"])[0] == "D1_ERROR: The database could not be found"
        wait_until(lambda: stored_ids(edge, "databases") == {remaining})
    error = edge.upload("a", CALLER, namespace=platform.namespace, bindings=database_binding(ident)).json()["errors"][0]
    assert error["code"] == 10181 and ident in error["message"]
    assert call_tenant(platform, "all", ["select * from items"], tenant="b")["results"] == []


def delete_database(edge: Edge, ident: str) -> set[str]:
    """Delete a database and return the ids of the removed files."""
    before = stored_ids(edge, "databases")
    edge.call("DELETE", f"/d1/database/{ident}")
    return before - stored_ids(edge, "databases")


COUNTER = """
import { DurableObject } from "cloudflare:workers";
export class Counter extends DurableObject {
  async fetch() { const n = ((await this.ctx.storage.get("n")) ?? 0) + 1; await this.ctx.storage.put("n", n); return new Response(String(n)); }
}
export default { fetch(request, env) { return env.COUNTERS.getByName(new URL(request.url).pathname).fetch(request); } };
"""


def test_durable_objects_deleted_worker_removes_their_files(start: Callable[..., Edge]) -> None:
    platform = Platform(start("--sweep-seconds", "1"))
    edge, counters = platform.edge, [{"name": "COUNTERS", "type": "durable_object_namespace", "class_name": "Counter"}]
    for tenant in "ab":
        platform.deploy_tenant(
            tenant, COUNTER, bindings=counters, migrations={"new_tag": "v1", "new_sqlite_classes": ["Counter"]}
        )
    assert platform.get("b", "/z").text == "1"
    remaining = stored_ids(edge, "objects")
    assert [platform.get("a", path).text for path in ("/x", "/x", "/y")] == ["1", "2", "1"]
    assert len(stored_ids(edge, "objects")) == 3
    edge.call("DELETE", f"/workers/dispatch/namespaces/{platform.namespace}/scripts/a")
    wait_until(lambda: stored_ids(edge, "objects") == remaining)
    assert platform.get("b", "/z").text == "2"


class ApiDatabase:
    """A database, used by the API."""

    def __init__(self, edge: Edge, name: str = "shop") -> None:
        self.edge, self.ident = edge, create_database(edge, name)
        self.path = f"/d1/database/{self.ident}"

    def results(self, body: Any, form: str = "query") -> list[Any]:
        return [one["results"] for one in self.edge.call("POST", f"{self.path}/{form}", json=body)]

    def error(self, body: Any) -> tuple[int, int, str]:
        response = self.edge.session.post(f"{self.edge.account}{self.path}/query", json=body)
        error = response.json()["errors"][0]
        return response.status_code, error["code"], error["message"]

    def import_sql(self, sql: str) -> Any:
        """Import SQL and return the result."""
        data = sql.encode()
        etag = hashlib.md5(data).hexdigest()
        upload = self.edge.call("POST", f"{self.path}/import", json={"action": "init", "etag": etag})
        if "upload_url" not in upload:
            return upload
        assert requests.put(upload["upload_url"], data=data).headers["etag"] == f'"{etag}"'
        return self.edge.call(
            "POST", f"{self.path}/import", json={"action": "ingest", "etag": etag, "filename": upload["filename"]}
        )

    def dump(self, **options: Any) -> str:
        export = self.edge.call(
            "POST", f"{self.path}/export", json={"output_format": "polling", "dump_options": options}
        )
        assert (export["status"], export["type"], export["success"]) == ("complete", "export", True)
        return requests.get(export["result"]["signed_url"]).text


def test_d1_api_several_statements_are_one_transaction(edge: Edge) -> None:
    api = ApiDatabase(edge)
    assert api.results({"sql": "create table t (a, b); insert into t values (1, 'x;y'); select * from t; -- end"}) == [
        [],
        [],
        [{"a": 1, "b": "x;y"}],
    ]
    assert api.results({"sql": "select a from t where b = ?", "params": ["x;y"]}, "raw") == [
        {"columns": ["a"], "rows": [[1]]}
    ]
    batch = {
        "batch": [{"sql": "insert into t values (?, ?)", "params": [2, None]}, {"sql": "select count(*) as n from t"}]
    }
    assert api.results(batch) == [[], [{"n": 2}]]
    assert api.error({"sql": "insert into t values (3, 3); select * from missing"}) == (
        400,
        7500,
        "no such table: missing: SQLITE_ERROR",
    )
    assert api.results({"sql": "select count(*) as n from t"}) == [[{"n": 2}]]
    assert api.error({"sql": "select ?"}) == (400, 7500, "Wrong number of parameter bindings for SQL query.")
    assert api.error({"sql": " -- nothing"}) == (400, 7500, "No SQL statements detected.")
    trigger = (
        "create trigger g after insert on t begin delete from t where a = 1; update t set b = 'z'; end; "
        "insert into t values (4, 4)"
    )
    assert len(api.results({"sql": trigger})) == 2


def test_d1_api_details_return_size_and_number_of_tables(edge: Edge) -> None:
    api = ApiDatabase(edge)
    unused = edge.call("GET", api.path)
    assert (unused["num_tables"], unused["file_size"], unused["version"]) == (0, 0, "production")
    assert stored_ids(edge, "databases") == set(), "reading the details creates no files"
    api.results({"sql": "create table a (x); create table b (x); create index i on a (x)"})
    used = edge.call("GET", api.path)
    assert used["num_tables"] == 2 and used["file_size"] > 0
    assert edge.call("GET", "/d1/database/shop?fields=uuid,name") == {"uuid": api.ident, "name": "shop"}


SCHEMA_AND_DATA = """
create table "two words" (id integer primary key autoincrement, "a ""quoted"" one" text default 'x', data blob, number);
create table strict_one (a int not null) strict;
create table generated (a, b as (a * 2));
create index by_data on "two words" (data);
create view everything as select * from strict_one;
create trigger watched after insert on strict_one begin insert into generated values (new.a); insert into generated values (0); end;
insert into "two words" values (7, 'it''s; ä😀' || char(10) || 'two', x'00ff', 9223372036854775807), (9, null, null, 1.5);
insert into "two words" values (10, 'nul' || char(0) || 'l', '', 1e400);
insert into strict_one values (1)
"""


def dump_of(sql: str) -> list[str]:
    """Run the statements on an empty database and dump it."""
    database = sqlite3.connect(":memory:")
    database.executescript(sql)
    return list(database.iterdump())


def test_d1_export_imported_creates_same_database(edge: Edge) -> None:
    api, copy = ApiDatabase(edge), ApiDatabase(edge, "copy")
    done = api.import_sql(SCHEMA_AND_DATA)
    assert (done["status"], done["result"]["num_queries"], done["messages"]) == (
        "complete",
        9,
        ["Processed 9 queries."],
    )
    assert done["result"]["meta"]["changes"] == 6 and done["result"]["meta"]["rows_written"] > 0
    dump = api.dump()
    assert dump.startswith("PRAGMA defer_foreign_keys=TRUE;\n")
    assert dump_of(dump) == dump_of(SCHEMA_AND_DATA)
    assert copy.import_sql(dump)["status"] == "complete"
    assert copy.dump() == dump


def test_d1_export_options_omit_schema_data_or_tables(edge: Edge) -> None:
    api = ApiDatabase(edge)
    api.import_sql(
        "create table a (x); create table b (x); create index i on a (x); "
        "insert into a values (1); insert into b values (2);"
    )
    head = "PRAGMA defer_foreign_keys=TRUE;"
    assert api.dump(no_data=True).split("\n") == [
        head,
        "CREATE TABLE a (x);",
        "CREATE TABLE b (x);",
        "CREATE INDEX i on a (x);",
    ]
    assert api.dump(no_schema=True).split("\n") == [
        head,
        'INSERT INTO "a" ("x") VALUES(1);',
        'INSERT INTO "b" ("x") VALUES(2);',
    ]
    assert api.dump(tables=["b"]).split("\n") == [head, "CREATE TABLE b (x);", 'INSERT INTO "b" ("x") VALUES(2);']
    api.import_sql("create virtual table v using fts5 (x)")
    export = edge.call("POST", f"{api.path}/export", json={"output_format": "polling"})
    assert (export["success"], export["status"]) == (False, "error") and "Virtual Tables" in export["error"]


def test_d1_import_one_statement_fails_applies_none(edge: Edge) -> None:
    api, long = (
        ApiDatabase(edge),
        "".join(f"insert into t values ({number}, '{'ä;😀' * 20}');\n" for number in range(3000)),
    )
    assert api.import_sql(f"create table t (a, b);\n{long}")["result"]["num_queries"] == 3001
    assert api.results({"sql": "select count(*) as n, min(b) = max(b) as same, max(length(b)) as length from t"}) == [
        [{"n": 3000, "same": 1, "length": 60}]
    ]
    failed = api.import_sql(f"{long}insertz;")
    assert (failed["success"], failed["status"]) == (False, "error") and failed["error"].startswith(
        'near "insertz": syntax error'
    )
    orphan = (
        "pragma defer_foreign_keys = on; create table p (id primary key); "
        "create table c (p references p (id)); insert into c values (1);"
    )
    assert api.import_sql(orphan)["error"].startswith("FOREIGN KEY constraint failed")
    assert api.import_sql("insert into t values (1, 'open")["error"].startswith("unrecognized token")
    assert (
        api.import_sql(f"insert into t values (1, '{';' * 200_000}');")["error"] == "statement too long: SQLITE_TOOBIG"
    )
    assert api.results({"sql": "select count(*) as n from t"}) == [[{"n": 3000}]]
    assert api.import_sql("pragma case_sensitive_like = on; select 1")["status"] == "complete"
    assert api.results({"sql": "select 'a' like 'A' as same"}) == [[{"same": 1}]]
    again = api.import_sql(f"create table u (a);\n{long}")
    assert again["status"] == "complete"
    assert api.import_sql(f"create table u (a);\n{long}")["error"].startswith("table u already exists"), (
        "an uploaded file is imported again without another upload"
    )


def test_d1_query_over_time_limit_is_ended_and_not_retried(edge: Edge) -> None:
    api = ApiDatabase(edge)
    api.results({"sql": "create table t (a)"})
    endless = (
        "with recursive n (a) as (select 1 union all select a + 1 from n) insert into t select a from n where a < 0"
    )
    status, code, message = api.error({"sql": endless})
    assert (status, code) == (500, 10002) and "is unknown" in message
    assert api.results({"sql": "select count(*) as n from t"}) == [[{"n": 0}]]


def test_d1_import_upload_url_is_the_only_credential(edge: Edge) -> None:
    api = ApiDatabase(edge)
    upload = edge.call("POST", f"{api.path}/import", json={"action": "init", "etag": "0" * 32})
    assert requests.get(upload["upload_url"]).status_code == 403
    assert requests.put(upload["upload_url"] + "x", data=b"select 1").status_code == 403
    assert requests.put(upload["upload_url"], data=b"select 1").ok
    ingest = edge.call(
        "POST", f"{api.path}/import", json={"action": "ingest", "etag": "0" * 32, "filename": upload["filename"]}
    )
    assert ingest["success"] is False and upload["filename"] in ingest["error"]
    idle = edge.call("POST", f"{api.path}/import", json={"action": "poll", "current_bookmark": ""})
    assert (idle["success"], idle["error"]) == (False, "Not currently importing anything.")
