# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wrangler: D1 databases, SQL commands and files, migrations, exports, and a Worker with a D1 binding."""

from __future__ import annotations

import json
from typing import Any

import pytest
from foreign_clients import Project

WORKER = """
export default { async fetch(request, { DB }) { return Response.json(await DB.prepare("select name from items order by id").raw()); } };
"""


@pytest.fixture
def database(project: Project) -> str:
    """Create a database, add it to the configuration and return its id."""
    ident = str(project.edge.call("POST", "/d1/database", json={"name": "shop"})["uuid"])
    project.configure(
        name="worker", main="index.js", d1_databases=[{"binding": "DB", "database_name": "shop", "database_id": ident}]
    )
    project.write("index.js", WORKER)
    return ident


def execute(project: Project, *arguments: str) -> Any:
    return project.read("d1", "execute", "shop", "--remote", "--json", *arguments)


def test_d1_create_list_info_delete(project: Project) -> None:
    assert "Successfully created DB 'shop'" in project.wrangler("d1", "create", "shop", "--location", "weur")
    assert "A database with that name already exists" in project.wrangler("d1", "create", "shop", fails=True)
    (listed,) = project.read("d1", "list", "--json")
    assert (listed["name"], listed["version"]) == ("shop", "production")
    execute(project, "--command", "create table a (x); create table b (x)")
    shown = project.read("d1", "info", "shop", "--json")
    assert (shown["uuid"], shown["num_tables"]) == (listed["uuid"], 2) and shown["database_size"] > 0
    assert "Deleted 'shop' successfully" in project.wrangler("d1", "delete", "shop", "--skip-confirmation")
    assert project.read("d1", "list", "--json") == []
    assert "Couldn't find a D1 DB" in project.wrangler("d1", "info", "shop", fails=True)


def test_d1_execute_command_is_visible_to_worker(project: Project, database: str) -> None:
    results = execute(
        project,
        "--command",
        "create table items (id integer primary key, name text); insert into items (name) values ('a;b'), ('c');"
        "select * from items where id > 1",
    )
    assert [one["results"] for one in results] == [[], [], [{"id": 2, "name": "c"}]]
    assert [one["success"] for one in results] == [True] * 3
    output = project.wrangler("d1", "execute", "shop", "--remote", "--command", "select * from missing", fails=True)
    assert "no such table: missing: SQLITE_ERROR" in output and "7500" in output
    project.wrangler("deploy")
    project.edge.route("shop.example.com/*", "worker")
    assert project.edge.get("shop.example.com").json() == [["a;b"], ["c"]]


def test_d1_execute_file_one_statement_fails_applies_none(project: Project, database: str) -> None:
    rows = "".join(f"insert into items (name) values ('row {number}; of many');\n" for number in range(2000))
    project.write("whole.sql", f"create table items (id integer primary key, name text);\n{rows}")
    output = project.wrangler("d1", "execute", "shop", "--remote", "--json", "--file", "whole.sql")
    (summary,) = json.loads(output[output.index("[") :])
    assert summary["results"][0]["Total queries executed"] == 2001 and summary["meta"]["changes"] == 2000
    project.write("broken.sql", "delete from items;\ninsertz;\n")
    assert 'near "insertz": syntax error' in project.wrangler(
        "d1", "execute", "shop", "--remote", "--file", "broken.sql", fails=True
    )
    assert execute(project, "--command", "select count(*) as n from items")[0]["results"] == [{"n": 2000}]
    project.write("more.sql", "insert into items (name) values ('more')")
    assert "Uploading complete" in project.wrangler("d1", "execute", "shop", "--remote", "--file", "more.sql")
    assert "already uploaded" in project.wrangler("d1", "execute", "shop", "--remote", "--file", "more.sql")
    assert execute(project, "--command", "select count(*) as n from items")[0]["results"] == [{"n": 2002}]


def test_d1_migrations_apply_runs_each_once(project: Project, database: str) -> None:
    project.write(
        "migrations/0001_items.sql", "-- the first\ncreate table items (id integer primary key, name text);\n"
    )
    project.write(
        "migrations/0002_log.sql",
        "create table log (name text);\n"
        "create trigger logged after insert on items begin insert into log values (new.name); delete from log where name = ''; end;\n",
    )
    listed = project.wrangler("d1", "migrations", "list", "shop", "--remote")
    assert "0001_items.sql" in listed and "0002_log.sql" in listed
    applied = project.wrangler("d1", "migrations", "apply", "shop", "--remote")
    assert applied.count("✅") >= 2
    assert "No migrations to apply" in project.wrangler("d1", "migrations", "apply", "shop", "--remote")
    assert "No migrations to apply" in project.wrangler("d1", "migrations", "list", "shop", "--remote")
    project.write(
        "migrations/0003_broken.sql", "insert into items (name) values ('lost');\ncreate table log (name text);\n"
    )
    assert "table log already exists" in project.wrangler("d1", "migrations", "apply", "shop", "--remote", fails=True)
    names = execute(project, "--command", "select name from d1_migrations order by id")[0]["results"]
    assert [one["name"] for one in names] == ["0001_items.sql", "0002_log.sql"]
    assert execute(project, "--command", "select * from items; select * from log")[0]["results"] == []


def test_d1_export_can_be_imported(project: Project, database: str) -> None:
    execute(
        project,
        "--command",
        "create table items (id integer primary key, name text); insert into items values (1, 'it''s'), (2, null)",
    )
    project.wrangler("d1", "export", "shop", "--remote", "--output", "whole.sql", "--skip-confirmation")
    whole = (project.folder / "whole.sql").read_text()
    assert whole.split("\n") == [
        "PRAGMA defer_foreign_keys=TRUE;",
        "CREATE TABLE items (id integer primary key, name text);",
        """INSERT INTO "items" ("id","name") VALUES(1,'it''s');""",
        'INSERT INTO "items" ("id","name") VALUES(2,NULL);',
    ]
    project.wrangler("d1", "export", "shop", "--remote", "--output", "schema.sql", "--no-data", "--skip-confirmation")
    assert "INSERT" not in (project.folder / "schema.sql").read_text()
    project.edge.call("POST", "/d1/database", json={"name": "copy"})
    project.wrangler("d1", "execute", "copy", "--remote", "--file", "whole.sql")
    copied = project.read("d1", "execute", "copy", "--remote", "--json", "--command", "select * from items")
    assert copied[0]["results"] == [{"id": 1, "name": "it's"}, {"id": 2, "name": None}]
