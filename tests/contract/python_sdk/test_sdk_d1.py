# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""D1 with the official Python SDK: queries, imports and exports, on an edge with workerd."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import cloudflare
import pytest
import requests
import sdk_client
from cloudflare import Cloudflare
from edge_process import TOKEN, Edge
from sdk_client import Place

ITEMS = "create table items (id integer primary key, name text); insert into items (name) values ('a'), ('b');"


@pytest.fixture(name="edge")
def _edge(session_edge: Edge) -> Edge:
    session_edge.wipe()
    return session_edge


@pytest.fixture(name="sdk")
def _sdk(edge: Edge) -> Iterator[Cloudflare]:
    with sdk_client.client(edge, TOKEN) as sdk:
        yield sdk


def database(edge: Edge, sdk: Cloudflare, name: str) -> Place:
    account = edge.ready["accounts"][0]["id"]
    return {"account_id": account, "database_id": sdk.d1.database.create(account_id=account, name=name).uuid}


@pytest.fixture(name="shop")
def _database(edge: Edge, sdk: Cloudflare) -> Place:
    """Provide a database with two rows."""
    shop = database(edge, sdk, "shop")
    assert all(one.success for one in sdk.d1.database.query(**shop, sql=ITEMS))
    return shop


def test_d1_query_and_raw_return_objects_and_lists(sdk: Cloudflare, shop: Place) -> None:
    query = "select id, name from items where name = ?"
    (found,) = sdk.d1.database.query(**shop, sql=query, params=["b"])
    assert found.results == [{"id": 2, "name": "b"}] and found.meta and found.meta.rows_read
    (raw,) = sdk.d1.database.raw(**shop, sql=query, params=["a"])
    assert raw.results and (raw.results.columns, raw.results.rows) == (["id", "name"], [[1, "a"]])


def test_d1_batch_is_one_transaction(sdk: Cloudflare, shop: Place) -> None:
    adding = {"sql": "insert into items (name) values (?)", "params": ["c"]}
    with pytest.raises(cloudflare.BadRequestError, match="no such table: none") as refused:
        sdk.d1.database.query(**shop, batch=[adding, {"sql": "select 1 from none"}])
    assert refused.value.errors[0].code == 7500
    done = list(sdk.d1.database.query(**shop, batch=[adding, {"sql": "select count(*) as n from items"}]))
    assert done[1].results == [{"n": 3}]


def test_d1_update_read_replication(sdk: Cloudflare, shop: Place) -> None:
    updated = sdk.d1.database.update(**shop, read_replication={"mode": "auto"})
    assert updated.read_replication and updated.read_replication.mode == "auto"
    edited = sdk.d1.database.edit(**shop, read_replication={"mode": "disabled"})
    shown = sdk.d1.database.get(**shop)
    assert (
        edited.read_replication
        and shown.read_replication
        and (edited.read_replication.mode, shown.read_replication.mode) == ("disabled", "disabled")
    )


def test_d1_export_is_imported(edge: Edge, sdk: Cloudflare, shop: Place) -> None:
    made = sdk.d1.database.export(**shop, output_format="polling")
    assert made.status == "complete" and made.result and made.result.signed_url
    text = requests.get(made.result.signed_url, timeout=10).content
    etag = hashlib.md5(text).hexdigest()
    copy = database(edge, sdk, "copy")
    upload = sdk.d1.database.import_(**copy, action="init", etag=etag)
    assert upload.upload_url and upload.filename
    requests.put(upload.upload_url, data=text, timeout=10).raise_for_status()
    done = sdk.d1.database.import_(**copy, action="ingest", etag=etag, filename=upload.filename)
    assert (done.status, done.error) == ("complete", None)
    (found,) = sdk.d1.database.query(**copy, sql="select name from items order by id")
    assert found.results == [{"name": "a"}, {"name": "b"}]
