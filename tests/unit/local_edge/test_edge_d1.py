# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""D1 in the control plane: statements, files, invalid requests and garbage collection of storage."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from typing import Any

import pytest
import requests
from control_plane import Client, form
from local_edge.errors import ApiError
from local_edge.model import d1, objects
from local_edge.store import Store

TRIGGER = "create trigger t after insert on a begin delete from b; update c set d = 'end;'; end;"
STATEMENTS: dict[str, list[str]] = {
    "": [],
    " \n": [],
    "-- nothing; at all": [],
    "/* nothing; */ ": [],
    "select 1": ["select 1"],
    "select 1; select 2;": ["select 1;", " select 2;"],
    "select 1; -- end;\n": ["select 1;"],
    "select ';', \";\", `;`, [;] /* ; */ -- ;\n; select 'it''s;'": [
        "select ';', \";\", `;`, [;] /* ; */ -- ;\n;",
        " select 'it''s;'",
    ],
    f"{TRIGGER} select 1": [TRIGGER, " select 1"],
    TRIGGER.upper().removesuffix(" END;"): [TRIGGER.upper().removesuffix(" END;")],
    "select case when 1 then 2 end; select 3": ["select case when 1 then 2 end;", " select 3"],
    "select 'open; select 2": ["select 'open; select 2"],
}


@pytest.mark.parametrize("text", STATEMENTS)
def test_statements_any_text_is_split_as_sqlite_does(text: str) -> None:
    assert d1.statements(text) == STATEMENTS[text]


@pytest.fixture
def database(client: Client) -> str:
    """Create a database and return its path."""
    return f"/d1/database/{client.call('POST', '/d1/database', json={'name': 'shop'})['uuid']}"


def test_get_database_returns_details_or_selected_fields(client: Client, database: str) -> None:
    ident = database.rpartition("/")[2]
    details = client.call("GET", "/d1/database/shop")
    assert (details["uuid"], details["num_tables"], details["file_size"], details["read_replication"]) == (
        ident,
        0,
        0,
        {"mode": "disabled"},
    )
    (listed,) = client.call("GET", "/d1/database")
    assert set(listed) == {"uuid", "name", "version", "created_at", "jurisdiction"}
    assert client.call("GET", "/d1/database/shop?fields=uuid,name") == {"uuid": ident, "name": "shop"}


def test_list_databases_returns_total_count_without_pages(client: Client, database: str) -> None:
    body = client.send("GET", "/d1/database?per_page=10000").json()
    assert body["result_info"] == {"page": 1, "per_page": 10000, "count": 1, "total_count": 1}
    assert [client.error("GET", f"/d1/database?per_page={size}")[0] for size in (9, 10001)] == [400, 400]


def test_update_database_read_replication_is_stored(client: Client, database: str) -> None:
    auto = {"read_replication": {"mode": "auto"}}
    assert client.call("PUT", database, json=auto)["read_replication"] == {"mode": "auto"}
    assert client.call("PATCH", database, json={})["read_replication"] == {"mode": "auto"}
    assert client.call("PATCH", database, json={"read_replication": {"mode": "disabled"}})["read_replication"] == {
        "mode": "disabled"
    }
    for method, body in (
        ("PUT", {}),
        ("PUT", {"read_replication": {"mode": "x"}}),
        ("PATCH", {"read_replication": "auto"}),
    ):
        assert client.error(method, database, json=body) == (400, 7400)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"batch": []},
        {"batch": "x"},
        {"batch": ["x"]},
        {"sql": 1},
        {"sql": "select ?", "params": "x"},
        {"sql": "select ?", "params": [{}]},
        {"sql": "select ?", "params": [[256]]},
        1,
    ],
)
def test_query_invalid_body_is_refused(client: Client, database: str, body: Any) -> None:
    assert client.error("POST", f"{database}/query", json=body) == (400, 7400)
    assert client.error("POST", f"{database}/raw", json=body) == (400, 7400)


def test_query_unknown_database_or_no_runtime_is_refused(client: Client, database: str) -> None:
    query = {"sql": "select 1"}
    assert client.error("POST", f"/d1/database/{uuid.uuid4()}/query", json=query) == (404, 7404)
    assert client.error("POST", "/d1/database/shop/query", json=query) == (400, 7400)
    error = client.send("POST", f"{database}/query", json=query).json()["errors"][0]
    assert (error["code"], error["message"]) == (10002, "No Workers runtime is available")


@pytest.mark.parametrize(
    ("call", "body"),
    [
        *(
            ("import", body)
            for body in ({}, {"action": "other"}, {"action": []}, {"action": "init"}, {"action": "init", "etag": 1})
        ),
        *(
            ("export", {"output_format": "polling", "dump_options": options})
            for options in ([], {"tables": [1]}, {"no_data": "yes"})
        ),
        ("export", {}),
    ],
)
def test_import_or_export_invalid_body_is_refused(
    client: Client, database: str, call: str, body: dict[str, Any]
) -> None:
    assert client.error("POST", f"{database}/{call}", json=body) == (400, 7400)


def test_import_upload_url_needs_no_token(client: Client, database: str) -> None:
    data = b"select 1"
    etag = hashlib.md5(data).hexdigest()
    upload = client.call("POST", f"{database}/import", json={"action": "init", "etag": etag})
    early = client.call(
        "POST", f"{database}/import", json={"action": "ingest", "etag": etag, "filename": upload["filename"]}
    )
    assert (early["success"], early["status"]) == (False, "error") and upload["filename"] in early["error"]
    uploaded = requests.put(upload["upload_url"], data=data)
    assert (uploaded.status_code, uploaded.headers["etag"], uploaded.content) == (200, f'"{etag}"', b"")
    for url, method in ((upload["upload_url"], "GET"), (upload["upload_url"][:-2] + "xx", "PUT")):
        assert requests.request(method, url).status_code == 403
    client.call("DELETE", database)
    assert client.error("POST", f"{database}/import", json={"action": "poll"}) == (404, 7404)


class FakeEdge:
    """Record the calls. Fail if `down` is set."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.down = False

    async def call_admin(self, path: str, body: Any) -> None:
        if self.down:
            raise ApiError(500, 10002, "down")
        self.calls.append((path, body))


def test_collect_garbage_storage_without_owner_is_wiped(client: Client, database: str) -> None:
    store: Store = client.edge.store
    ident, edge = database.rpartition("/")[2], FakeEdge()
    path = client.namespace()
    client.call("PUT", f"{path}/a", files=form(migrations={"new_tag": "v1", "new_sqlite_classes": ["Room"]}))
    room = store.one("select json_extract(extras, '$.migrations.classes.Room.id') as id from scripts")["id"]
    assert (
        objects.register_storage(store, objects.D1, ident)
        and objects.register_storage(store, room, "1")
        and objects.register_storage(store, room, "1")
    )
    assert objects.register_storage(store, objects.D1, "of nothing") is False
    assert objects.orphans(store) == [(objects.D1, "of nothing")]
    asyncio.run(objects.collect_garbage(store, edge.call_admin))
    assert edge.calls == [("/wipe", {"kind": objects.D1, "id": "of nothing"})] and objects.orphans(store) == []
    client.call("DELETE", f"{path}/a")
    client.call("DELETE", database)
    assert sorted(objects.orphans(store)) == sorted([(room, "1"), (objects.D1, ident)])
    edge.down = True
    asyncio.run(objects.collect_garbage(store, edge.call_admin))
    assert len(objects.orphans(store)) == 2, "storage that could not be wiped is still listed"
    edge.down = False
    asyncio.run(objects.collect_garbage(store, edge.call_admin))
    assert (len(edge.calls), objects.orphans(store)) == (3, [])


def test_collect_garbage_expired_files_or_deleted_database_removes_files(client: Client, database: str) -> None:
    store: Store = client.edge.store
    ident = database.rpartition("/")[2]
    names = [d1.open_file(store, ident) for _time in range(3)]
    with store.write() as db:
        db.execute("update d1_files set created_on = '2020-01-01T00:00:00Z' where name = ?", (names[0],))
    d1.collect_garbage(store)
    assert [d1.file(store, name) is not None for name in names] == [False, True, True]
    client.call("DELETE", database)
    d1.collect_garbage(store)
    assert [d1.file(store, name) for name in names] == [None] * 3
