# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an upload may bring beside its code: every type of binding, static assets, migrations; and what is kept of it on disk."""

from __future__ import annotations

import base64
import json
import random
import sqlite3
from pathlib import Path
from typing import Any

import jwt
import pytest
from control_plane import CODE, Client, form, secret, settings
from local_edge import store
from local_edge.model import assets
from local_edge.model.bindings import KINDS
from local_edge.testing import running

HASH = "0123456789abcdef0123456789abcde"
FILES = {"/index.html": {"hash": HASH + "0", "size": 2}, "/a.css": {"hash": HASH + "1", "size": 3}}


@pytest.fixture(params=["account", "namespace"])
def base(client: Client, request: pytest.FixtureRequest) -> str:
    return client.namespace() if request.param == "namespace" else "/workers/scripts"


def named(client: Client, path: str, key: str, name: str, shown: str) -> str:
    """An object of another product; what a binding calls it."""
    found: str = client.call("POST", path, json={key: name})[shown]
    return found


PRODUCTS = {
    "r2_bucket": ("/r2/buckets", "name", "name"),
    "d1": ("/d1/database", "name", "uuid"),
    "queue": ("/queues", "queue_name", "queue_name"),
    "hyperdrive": ("/hyperdrive/configs", "name", "id"),
    "vectorize": ("/vectorize/v2/indexes", "name", "name"),
    "secrets_store_secret": ("/secrets_store/stores", "name", "id"),
    "mtls_certificate": ("/mtls_certificates", "name", "id"),
}
#: The keys of each type that are not plain text, and those that must name something that is there.
VALUES: dict[str, dict[str, Any]] = {
    "json": {"json": {"a": [1, None]}},
    "secret_key": {"algorithm": {"name": "HMAC"}, "format": "raw", "usages": ["sign"], "key_base64": "c2VjcmV0"},
    "ratelimit": {"namespace_id": "1", "simple": {"limit": 10, "period": 60}},
    "queue": {"delivery_delay": 5},
    "pipelines": {"pipeline": "p"},
    "vpc_network": {"tunnel_id": "t"},
}


def example(client: Client, label: str) -> dict[str, Any]:
    """A binding of a type, with what it points to."""
    kind, given = KINDS[label], dict(VALUES.get(label, {}))
    if label == "kv_namespace":
        given["namespace_id"] = client.kv()
    elif label == "dispatch_namespace":
        given["namespace"] = client.call("POST", "/workers/dispatch/namespaces", json={"name": "other"})[
            "namespace_name"
        ]
    elif label == "service":
        client.upload("/workers/scripts/other")
        given.update(service="other", entrypoint="Named", props={"a": 1})
    elif label in PRODUCTS and kind.target:
        path, key, shown = PRODUCTS[label]
        given[kind.target.key] = named(client, path, key, "thing", shown)
    return {"name": "B", "type": label, **{key: "x" for key in kind.required if key not in given}, **given}


@pytest.mark.parametrize("label", sorted(set(KINDS) - {"assets", "durable_object_namespace"}))
def test_a_binding_is_read_back_as_it_was_given_but_for_its_secrets(client: Client, base: str, label: str) -> None:
    given = example(client, label)
    client.upload(f"{base}/a", bindings=[given])
    shown = {key: value for key, value in given.items() if key not in KINDS[label].hidden}
    renamed = {"database_id": given["id"]} if label == "d1" else {}
    assert client.call("GET", f"{base}/a/bindings") == [{**shown, **renamed}]
    client.call("PATCH", f"{base}/a/settings", files=settings({"bindings": [{"name": "B", "type": "inherit"}]}))
    assert client.call("GET", f"{base}/a/settings")["bindings"] == [{**shown, **renamed}]


def test_a_secret_key_stays_through_a_patch_that_only_names_it(client: Client, base: str) -> None:
    client.upload(f"{base}/a", bindings=[example(client, "secret_key")])
    client.call("PATCH", f"{base}/a/settings", files=settings({"bindings": [{"name": "B", "type": "secret_key"}]}))
    assert client.names(f"{base}/a") == ["B"]


def session(client: Client, base: str, files: Any = None) -> dict[str, Any]:
    found: dict[str, Any] = client.call(
        "POST", f"{base}/a/assets-upload-session", json={"manifest": FILES if files is None else files}
    )
    return found


def send(client: Client, token: str, hashes: list[str]) -> Any:
    parts = [(one, (one, base64.b64encode(b"body " + one.encode()), "text/css")) for one in hashes]
    return client.session.post(
        f"{client.edge.api}{client.account}/workers/assets/upload?base64=true",
        files=parts,
        headers={"Authorization": f"Bearer {token}"},
    )


def test_assets_from_session_to_worker(client: Client, base: str) -> None:
    begun = session(client, base)
    assert sorted(one for bucket in begun["buckets"] for one in bucket) == sorted(one["hash"] for one in FILES.values())
    first = send(client, begun["jwt"], [HASH + "0"])
    assert (first.status_code, first.json()["result"]) == (202, {})
    assert client.error("PUT", f"{base}/a", files=form(assets={"jwt": begun["jwt"]})) == (400, 10021), (
        "the upload is not complete"
    )
    done = send(client, begun["jwt"], [HASH + "1"])
    assert done.status_code == 201
    uploaded = client.upload(
        f"{base}/a", assets={"jwt": done.json()["result"]["jwt"]}, bindings=[{"name": "ASSETS", "type": "assets"}]
    )
    assert uploaded["has_assets"] is True
    again = session(client, base)
    assert again["buckets"] == [], "what is there is not asked for again"
    client.upload(f"{base}/b", assets={"jwt": again["jwt"]})
    client.upload(f"{base}/a", keep_assets=True)
    assert {one["id"]: one["has_assets"] for one in client.call("GET", base)} == {"a": True, "b": True}
    client.upload(f"{base}/a")
    assert {one["id"]: one["has_assets"] for one in client.call("GET", base)} == {"a": False, "b": True}


def test_a_worker_of_assets_alone(client: Client, base: str) -> None:
    token = send(client, session(client, base)["jwt"], [HASH + "0", HASH + "1"]).json()["result"]["jwt"]
    client.call(
        "PUT",
        f"{base}/a",
        files={"metadata": (None, json.dumps({"assets": {"jwt": token}, "compatibility_date": "2026-11-01"}))},
    )
    assert (client.call("GET", base)[0]["has_assets"], client.call("GET", base)[0]["has_modules"]) == (True, False)
    assert client.send("GET", f"{base}/a/content").status_code == 204


def test_assets_follow_the_name_of_their_namespace_and_go_with_it(client: Client) -> None:
    base = client.namespace("old")
    token = send(client, session(client, base)["jwt"], [HASH + "0", HASH + "1"]).json()["result"]["jwt"]
    client.call("PUT", "/workers/dispatch/namespaces/old", json={"name": "new"})
    renamed = "/workers/dispatch/namespaces/new"
    client.upload(f"{renamed}/scripts/a", assets={"jwt": token})
    assert session(client, f"{renamed}/scripts")["buckets"] == []
    client.call("DELETE", renamed)
    assert (
        client.edge._plane.store.count("select count(*) from assets")
        + client.edge._plane.store.count("select count(*) from manifests")
        == 0
    )


def test_what_no_worker_serves_is_swept_once_its_session_is_over(client: Client) -> None:
    base, store = client.namespace(), client.edge._plane.store
    token = send(client, session(client, base)["jwt"], [HASH + "0", HASH + "1"]).json()["result"]["jwt"]
    client.upload(f"{base}/a", assets={"jwt": token})
    session(client, base, {"/other.css": {"hash": HASH + "2", "size": 1}})
    assets.collect_garbage(store)
    assert store.count("select count(*) from manifests") == 2, "a session that goes on"
    store.db.execute("update manifests set created_on = '2024-01-01T00:00:00Z'")
    assets.collect_garbage(store)
    assert (store.count("select count(*) from manifests"), store.count("select count(*) from assets")) == (1, 2)
    client.call("DELETE", f"{base}/a")
    assets.collect_garbage(store)
    assert (store.count("select count(*) from manifests"), store.count("select count(*) from assets")) == (0, 0)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([], (400, 10026)),
        ({"index.html": FILES["/a.css"]}, (400, 10026)),
        ({"/a": {"hash": "short", "size": 1}}, (400, 10026)),
        ({"/a": {"hash": HASH + "0", "size": 26 * 1024 * 1024}}, (413, 10304)),
        ({"/a": {"hash": HASH + "0", "size": -1}}, (400, 10026)),
        ({"/a": {"hash": HASH + "0", "size": True}}, (400, 10026)),
    ],
)
def test_manifests_that_are_refused(client: Client, base: str, files: Any, expected: tuple[int, int]) -> None:
    assert client.error("POST", f"{base}/a/assets-upload-session", json={"manifest": files}) == expected


def test_a_file_that_is_larger_than_its_manifest_says(client: Client) -> None:
    begun = session(client, "/workers/scripts")
    body = base64.b64encode(bytes(26 * 1024 * 1024))
    answer = client.session.post(
        f"{client.edge.api}{client.account}/workers/assets/upload?base64=true",
        headers={"Authorization": f"Bearer {begun['jwt']}"},
        files=[(HASH + "0", (HASH + "0", body, "text/plain"))],
    )
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (413, 10304)


@pytest.mark.parametrize(
    "config",
    [
        {"html_handling": "x"},
        {"_headers": 5},
        {"_redirects": ["x"]},
        {"run_worker_first": [5]},
        {"run_worker_first": "x"},
        [],
    ],
)
def test_configurations_of_assets_that_are_refused(client: Client, base: str, config: Any) -> None:
    token = send(client, session(client, base)["jwt"], [HASH + "0", HASH + "1"]).json()["result"]["jwt"]
    assert client.error("PUT", f"{base}/a", files=form(assets={"jwt": token, "config": config})) == (400, 10021)


def test_rules_of_assets_that_are_refused_wherever_they_are_given(client: Client) -> None:
    token = send(client, session(client, "/workers/scripts")["jwt"], [HASH + "0", HASH + "1"]).json()["result"]["jwt"]
    client.upload("/workers/scripts/a", assets={"jwt": token})
    for given in (
        {"assets": {"jwt": token, "config": {"_redirects": "/a"}}},
        {"assets": {"config": {"_headers": "X-A: 1"}}, "keep_assets": True},
    ):
        assert client.error("PUT", "/workers/scripts/a", files=form(**given)) == (400, 100324)
        assert client.error("POST", "/workers/scripts/a/versions", files=form(**given)) == (400, 100324)


def test_a_hash_keeps_its_first_file(client: Client) -> None:
    token = send(client, session(client, "/workers/scripts")["jwt"], [HASH + "0", HASH + "1"]).json()["result"]["jwt"]
    kept = client.edge._plane.store.all("select * from assets")
    again = client.session.post(
        f"{client.edge.api}{client.account}/workers/assets/upload",
        files=[(HASH + "0", (HASH + "0", b"other", "text/plain"))],
        headers={"Authorization": f"Bearer {token}"},
    )
    assert again.status_code == 201
    assert [tuple(row) for row in client.edge._plane.store.all("select * from assets")] == [tuple(row) for row in kept]


def test_a_binding_needs_assets_wherever_it_is_made(client: Client) -> None:
    client.upload("/workers/scripts/a")
    binding = {"name": "ASSETS", "type": "assets"}
    assert client.error("POST", "/workers/scripts/a/versions", files=form(bindings=[binding])) == (400, 10021)
    assert client.error("PATCH", "/workers/scripts/a/settings", files=settings({"bindings": [binding]})) == (400, 10021)


def test_asset_tokens_that_are_refused(client: Client) -> None:
    begun = session(client, "/workers/scripts")
    assert jwt.decode(begun["jwt"], options={"verify_signature": False})["exp"]
    forged = jwt.encode(
        {"session": "x", "state": "session", "exp": 2**31}, "another key of sufficient length!", "HS256"
    )
    for token in ("nonsense", forged, client.edge.token):
        assert send(client, token, [HASH + "0"]).status_code == 401
    assert send(client, begun["jwt"], [HASH + "f"]).status_code == 400, "not in the manifest"
    namespace = client.namespace()
    token = send(client, begun["jwt"], [HASH + "0", HASH + "1"]).json()["result"]["jwt"]
    assert client.error("PUT", f"{namespace}/a", files=form(assets={"jwt": token})) == (400, 10021), "of another place"
    assert client.error("PUT", f"{namespace}/a", files=form(assets={"jwt": token[:-3]})) == (400, 10021)
    assert client.error(
        "PUT", "/workers/scripts/a", files=form(assets={"jwt": token, "config": {"html_handling": "x"}})
    ) == (400, 10021)


DURABLE = {"name": "ROOMS", "type": "durable_object_namespace", "class_name": "Room"}


def test_migrations(client: Client, base: str) -> None:
    client.upload(f"{base}/a", bindings=[DURABLE], migrations={"new_tag": "v1", "new_sqlite_classes": ["Room"]})
    first = client.call("GET", f"{base}/a/bindings")[0]["namespace_id"]
    assert client.call("GET", base)[0]["migration_tag"] == "v1"
    client.upload(
        f"{base}/a",
        bindings=[{**DURABLE, "class_name": "Hall"}],
        migrations={"old_tag": "v1", "new_tag": "v2", "renamed_classes": [{"from": "Room", "to": "Hall"}]},
    )
    assert client.call("GET", f"{base}/a/bindings")[0]["namespace_id"] == first, "a renamed class keeps its storage"
    assert client.error("PUT", f"{base}/a", files=form(migrations={"old_tag": "v1", "new_tag": "v3"})) == (412, 10079)
    assert client.error("PUT", f"{base}/a", files=form(migrations={"new_tag": "v3", "new_classes": ["Hall"]})) == (
        400,
        10074,
    )
    assert client.error("PUT", f"{base}/a", files=form(migrations={"new_tag": "v3", "deleted_classes": ["Room"]})) == (
        400,
        10072,
    )
    client.upload(
        f"{base}/a",
        migrations={"old_tag": "v2", "new_tag": "v3", "steps": [{"deleted_classes": ["Hall"]}, {"new_classes": ["X"]}]},
    )
    assert client.call("GET", base)[0]["migration_tag"] == "v3"


def test_products(client: Client) -> None:
    made = client.call("POST", "/d1/database", json={"name": "tenants"})
    assert client.error("POST", "/d1/database", json={"name": "tenants"}) == (400, 7502)
    assert client.call("GET", "/d1/database?name=tenants")[0]["uuid"] == made["uuid"]
    assert client.call("GET", "/r2/buckets") == {"buckets": []}
    client.call("DELETE", f"/d1/database/{made['uuid']}")
    assert client.error("GET", f"/d1/database/{made['uuid']}") == (404, 7404)


@pytest.mark.slow
def test_a_large_worker(client: Client, base: str) -> None:
    noise = random.Random(1)
    module = ("data.bin", noise.randbytes(11 * 1024 * 1024), "application/octet-stream")
    assert client.error("PUT", f"{base}/a", files={**form(CODE), "data.bin": module}) == (413, 10027)
    client.call(
        "PUT",
        f"{base}/a",
        files={**form(CODE), "data.bin": ("data.bin", bytes(11 * 1024 * 1024), "application/octet-stream")},
    )


def test_secrets_are_sealed_on_disk_under_a_key_of_the_owner(tmp_path: Path) -> None:
    with running(data=str(tmp_path)) as edge:
        client = Client(edge)
        client.upload(
            "/workers/scripts/a", bindings=[secret("S", "a very hidden value"), example(client, "secret_key")]
        )
        client.call("PUT", "/workers/scripts/a/secrets", json=secret("T", "a very hidden value"))
    assert {
        path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir() if path.name in ("key", "edge.db")
    } == {"key": 0o600, "edge.db": 0o600}
    for path in tmp_path.iterdir():
        assert b"very hidden" not in path.read_bytes(), path
        assert b"c2VjcmV0" not in path.read_bytes(), path
    with running(data=str(tmp_path)) as edge:
        assert (
            edge._plane.store.unseal(edge._plane.store.one("select value from bindings where name = 'S'")[0])
            == "a very hidden value"
        )


def test_a_folder_of_another_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "edge.db"
    with sqlite3.connect(path) as database:
        database.execute("create table scripts (name)")
    with pytest.raises(store.IncompatibleStoreError, match="another version of the local edge"):
        store.Store(str(path))


def test_a_lost_key_is_told_at_the_start(tmp_path: Path) -> None:
    store.Store(str(tmp_path / "edge.db")).close()
    (tmp_path / "key").unlink()
    with pytest.raises(store.IncompatibleStoreError, match="not the one its secrets were sealed with"):
        store.Store(str(tmp_path / "edge.db"))


def test_a_full_disk_is_an_answer_and_not_the_end(tmp_path: Path) -> None:
    with running(data=str(tmp_path)) as edge:
        client = Client(edge)
        client.upload("/workers/scripts/before")
        database = edge._plane.store.db
        pages = database.execute("pragma page_count").fetchone()[0]
        database.execute(f"pragma max_page_count = {pages + 10}")
        large = form("export default { fetch() {} }; //" + "x" * 100_000)
        assert client.error("PUT", "/workers/scripts/large", files=large) == (500, 10002)
        assert client.error("PUT", "/workers/scripts/large", files=large) == (500, 10002)
        assert [one["id"] for one in client.call("GET", "/workers/scripts")] == ["before"]
        database.execute("pragma max_page_count = 1000000")
        client.call("PUT", "/workers/scripts/large", files=large)
        assert [one["id"] for one in client.call("GET", "/workers/scripts")] == ["before", "large"]
