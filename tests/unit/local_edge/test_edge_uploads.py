# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Uploads: bindings of every type, static assets, migrations, and storage on disk."""

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
from local_edge.model.binding_types import SCHEMAS
from local_edge.testing import running

HASH = "0123456789abcdef0123456789abcde"
FILES = {"/index.html": {"hash": HASH + "0", "size": 2}, "/a.css": {"hash": HASH + "1", "size": 3}}


@pytest.fixture(params=["account", "namespace"])
def base(client: Client, request: pytest.FixtureRequest) -> str:
    return client.namespace() if request.param == "namespace" else "/workers/scripts"


def create_object(client: Client, path: str, key: str, name: str, reference: str) -> str:
    """Create an object of another product and return the value that a binding refers to it by."""
    found: str = client.call("POST", path, json={key: name})[reference]
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
#: Values of the keys that are not plain text, or that must refer to an existing object.
VALUES: dict[str, dict[str, Any]] = {
    "json": {"json": {"a": [1, None]}},
    "secret_key": {"algorithm": {"name": "HMAC"}, "format": "raw", "usages": ["sign"], "key_base64": "c2VjcmV0"},
    "ratelimit": {"namespace_id": "1", "simple": {"limit": 10, "period": 60}},
    "queue": {"delivery_delay": 5},
    "pipelines": {"pipeline": "p"},
    "vpc_network": {"tunnel_id": "t"},
}


def example_binding(client: Client, label: str) -> dict[str, Any]:
    """Return a binding of a type, and create the object it refers to."""
    kind, values = SCHEMAS[label], dict(VALUES.get(label, {}))
    if label == "kv_namespace":
        values["namespace_id"] = client.kv()
    elif label == "dispatch_namespace":
        values["namespace"] = client.call("POST", "/workers/dispatch/namespaces", json={"name": "other"})[
            "namespace_name"
        ]
    elif label == "service":
        client.upload("/workers/scripts/other")
        values.update(service="other", entrypoint="Named", props={"a": 1})
    elif label in PRODUCTS and kind.reference:
        path, key, reference = PRODUCTS[label]
        values[kind.reference.key] = create_object(client, path, key, "thing", reference)
    return {"name": "B", "type": label, **{key: "x" for key in kind.required if key not in values}, **values}


@pytest.mark.parametrize("label", sorted(set(SCHEMAS) - {"assets", "durable_object_namespace"}))
def test_upload_each_binding_type_is_read_back_without_secrets(client: Client, base: str, label: str) -> None:
    binding = example_binding(client, label)
    client.upload(f"{base}/a", bindings=[binding])
    expected = {key: value for key, value in binding.items() if key not in SCHEMAS[label].hidden}
    renamed = {"database_id": binding["id"]} if label == "d1" else {}
    assert client.call("GET", f"{base}/a/bindings") == [{**expected, **renamed}]
    client.call("PATCH", f"{base}/a/settings", files=settings({"bindings": [{"name": "B", "type": "inherit"}]}))
    assert client.call("GET", f"{base}/a/settings")["bindings"] == [{**expected, **renamed}]


def test_patch_settings_secret_key_by_name_is_kept(client: Client, base: str) -> None:
    client.upload(f"{base}/a", bindings=[example_binding(client, "secret_key")])
    client.call("PATCH", f"{base}/a/settings", files=settings({"bindings": [{"name": "B", "type": "secret_key"}]}))
    assert client.names(f"{base}/a") == ["B"]


def start_upload_session(client: Client, base: str, files: Any = None) -> dict[str, Any]:
    found: dict[str, Any] = client.call(
        "POST", f"{base}/a/assets-upload-session", json={"manifest": FILES if files is None else files}
    )
    return found


def upload_files(client: Client, token: str, hashes: list[str], content_type: str | None = "text/css") -> Any:
    parts = [(one, (one, base64.b64encode(b"body " + one.encode()), content_type)) for one in hashes]
    return client.session.post(
        f"{client.edge.api}{client.account}/workers/assets/upload?base64=true",
        files=parts,
        headers={"Authorization": f"Bearer {token}"},
    )


def test_upload_asset_without_content_type_is_a_behavior(client: Client, base: str) -> None:
    token = start_upload_session(client, base)["jwt"]
    client.edge.behaviors.set("asset_without_content_type", "refuse")
    refused = upload_files(client, token, [HASH + "0"], None)
    assert refused.status_code == 400
    assert "has no Content-Type; send application/null for none" in refused.text
    assert client.edge.store.count("select count(*) from assets") == 0
    assert upload_files(client, token, [HASH + "0"], "application/null").status_code == 202
    client.edge.behaviors.set("asset_without_content_type", "accept")
    assert upload_files(client, token, [HASH + "1"], None).status_code == 201
    assert client.edge.store.all("select content_type from assets where content_type is not null") == []


def test_upload_assets_session_files_and_worker_are_stored(client: Client, base: str) -> None:
    session = start_upload_session(client, base)
    assert sorted(one for bucket in session["buckets"] for one in bucket) == sorted(
        one["hash"] for one in FILES.values()
    )
    first = upload_files(client, session["jwt"], [HASH + "0"])
    assert (first.status_code, first.json()["result"]) == (202, {})
    assert client.error("PUT", f"{base}/a", files=form(assets={"jwt": session["jwt"]})) == (400, 10021), (
        "the upload is not complete"
    )
    done = upload_files(client, session["jwt"], [HASH + "1"])
    assert done.status_code == 201
    uploaded = client.upload(
        f"{base}/a", assets={"jwt": done.json()["result"]["jwt"]}, bindings=[{"name": "ASSETS", "type": "assets"}]
    )
    assert uploaded["has_assets"] is True
    again = start_upload_session(client, base)
    assert again["buckets"] == [], "what is there is not asked for again"
    client.upload(f"{base}/b", assets={"jwt": again["jwt"]})
    client.upload(f"{base}/a", keep_assets=True)
    assert {one["id"]: one["has_assets"] for one in client.call("GET", base)} == {"a": True, "b": True}
    client.upload(f"{base}/a")
    assert {one["id"]: one["has_assets"] for one in client.call("GET", base)} == {"a": False, "b": True}


def test_upload_assets_without_code_is_accepted(client: Client, base: str) -> None:
    token = upload_files(client, start_upload_session(client, base)["jwt"], [HASH + "0", HASH + "1"]).json()["result"][
        "jwt"
    ]
    client.call(
        "PUT",
        f"{base}/a",
        files={"metadata": (None, json.dumps({"assets": {"jwt": token}, "compatibility_date": "2026-11-01"}))},
    )
    assert (client.call("GET", base)[0]["has_assets"], client.call("GET", base)[0]["has_modules"]) == (True, False)
    assert client.send("GET", f"{base}/a/content").status_code == 204


def test_assets_namespace_renamed_or_deleted_follow_it(client: Client) -> None:
    base = client.namespace("old")
    token = upload_files(client, start_upload_session(client, base)["jwt"], [HASH + "0", HASH + "1"]).json()["result"][
        "jwt"
    ]
    client.call("PUT", "/workers/dispatch/namespaces/old", json={"name": "new"})
    renamed = "/workers/dispatch/namespaces/new"
    client.upload(f"{renamed}/scripts/a", assets={"jwt": token})
    assert start_upload_session(client, f"{renamed}/scripts")["buckets"] == []
    client.call("DELETE", renamed)
    assert (
        client.edge.store.count("select count(*) from assets")
        + client.edge.store.count("select count(*) from manifests")
        == 0
    )


def test_collect_garbage_unused_assets_are_deleted_after_session(client: Client) -> None:
    base, store = client.namespace(), client.edge.store
    token = upload_files(client, start_upload_session(client, base)["jwt"], [HASH + "0", HASH + "1"]).json()["result"][
        "jwt"
    ]
    client.upload(f"{base}/a", assets={"jwt": token})
    start_upload_session(client, base, {"/other.css": {"hash": HASH + "2", "size": 1}})
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
        *(({path: {"hash": HASH + "0", "size": 1}}, (400, 10304)) for path in ("/100%.html", "/%zz", "/%ff", "/%C3é")),
        ({"/a": {"hash": HASH + "0", "size": -1}}, (400, 10026)),
        ({"/a": {"hash": HASH + "0", "size": True}}, (400, 10026)),
    ],
)
def test_upload_session_invalid_manifest_is_refused(
    client: Client, base: str, files: Any, expected: tuple[int, int]
) -> None:
    assert client.error("POST", f"{base}/a/assets-upload-session", json={"manifest": files}) == expected


def test_upload_file_larger_than_limit_is_refused(client: Client) -> None:
    session = start_upload_session(client, "/workers/scripts")
    body = base64.b64encode(bytes(26 * 1024 * 1024))
    response = client.session.post(
        f"{client.edge.api}{client.account}/workers/assets/upload?base64=true",
        headers={"Authorization": f"Bearer {session['jwt']}"},
        files=[(HASH + "0", (HASH + "0", body, "text/plain"))],
    )
    assert (response.status_code, response.json()["errors"][0]["code"]) == (413, 10304)


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
def test_upload_invalid_assets_config_is_refused(client: Client, base: str, config: Any) -> None:
    token = upload_files(client, start_upload_session(client, base)["jwt"], [HASH + "0", HASH + "1"]).json()["result"][
        "jwt"
    ]
    assert client.error("PUT", f"{base}/a", files=form(assets={"jwt": token, "config": config})) == (400, 10021)


def test_invalid_asset_rules_in_any_request_are_refused(client: Client) -> None:
    token = upload_files(
        client, start_upload_session(client, "/workers/scripts")["jwt"], [HASH + "0", HASH + "1"]
    ).json()["result"]["jwt"]
    client.upload("/workers/scripts/a", assets={"jwt": token})
    for given in (
        {"assets": {"jwt": token, "config": {"_redirects": "/a"}}},
        {"assets": {"config": {"_headers": "X-A: 1"}}, "keep_assets": True},
    ):
        assert client.error("PUT", "/workers/scripts/a", files=form(**given)) == (400, 100324)
        assert client.error("POST", "/workers/scripts/a/versions", files=form(**given)) == (400, 100324)


def test_upload_file_same_hash_keeps_first_file(client: Client) -> None:
    token = upload_files(
        client, start_upload_session(client, "/workers/scripts")["jwt"], [HASH + "0", HASH + "1"]
    ).json()["result"]["jwt"]
    kept = client.edge.store.all("select * from assets")
    again = client.session.post(
        f"{client.edge.api}{client.account}/workers/assets/upload",
        files=[(HASH + "0", (HASH + "0", b"other", "text/plain"))],
        headers={"Authorization": f"Bearer {token}"},
    )
    assert again.status_code == 201
    assert [tuple(row) for row in client.edge.store.all("select * from assets")] == [tuple(row) for row in kept]


def test_assets_binding_without_assets_is_refused(client: Client) -> None:
    client.upload("/workers/scripts/a")
    binding = {"name": "ASSETS", "type": "assets"}
    assert client.error("POST", "/workers/scripts/a/versions", files=form(bindings=[binding])) == (400, 10021)
    assert client.error("PATCH", "/workers/scripts/a/settings", files=settings({"bindings": [binding]})) == (400, 10021)


def test_upload_invalid_assets_token_is_refused(client: Client) -> None:
    session = start_upload_session(client, "/workers/scripts")
    assert jwt.decode(session["jwt"], options={"verify_signature": False})["exp"]
    forged = jwt.encode(
        {"session": "x", "state": "session", "exp": 2**31}, "another key of sufficient length!", "HS256"
    )
    for token in ("nonsense", forged, client.edge.token):
        assert upload_files(client, token, [HASH + "0"]).status_code == 401
    assert upload_files(client, session["jwt"], [HASH + "f"]).status_code == 400, "not in the manifest"
    namespace = client.namespace()
    token = upload_files(client, session["jwt"], [HASH + "0", HASH + "1"]).json()["result"]["jwt"]
    assert client.error("PUT", f"{namespace}/a", files=form(assets={"jwt": token})) == (400, 10021), "of another place"
    assert client.error("PUT", f"{namespace}/a", files=form(assets={"jwt": token[:-3]})) == (400, 10021)
    assert client.error(
        "PUT", "/workers/scripts/a", files=form(assets={"jwt": token, "config": {"html_handling": "x"}})
    ) == (400, 10021)


DURABLE = {"name": "ROOMS", "type": "durable_object_namespace", "class_name": "Room"}


def test_upload_migrations_change_durable_object_classes(client: Client, base: str) -> None:
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
    assert client.error("PUT", f"{base}/a", files=form(migrations={"new_tag": "v3", "new_classes": ["X"]})) == (
        412,
        10079,
    )
    v3 = {"old_tag": "v2", "new_tag": "v3"}
    assert client.error("PUT", f"{base}/a", files=form(migrations={**v3, "new_classes": ["Hall"]})) == (400, 10074)
    assert client.error("PUT", f"{base}/a", files=form(migrations={**v3, "deleted_classes": ["Room"]})) == (400, 10072)
    client.upload(
        f"{base}/a",
        migrations={"old_tag": "v2", "new_tag": "v3", "steps": [{"deleted_classes": ["Hall"]}, {"new_classes": ["X"]}]},
    )
    assert client.call("GET", base)[0]["migration_tag"] == "v3"


def test_product_endpoints_create_list_delete(client: Client) -> None:
    created = client.call("POST", "/d1/database", json={"name": "tenants"})
    assert client.error("POST", "/d1/database", json={"name": "tenants"}) == (400, 7502)
    assert client.call("GET", "/d1/database?name=tenants")[0]["uuid"] == created["uuid"]
    assert client.call("GET", "/r2/buckets") == {"buckets": []}
    client.call("DELETE", f"/d1/database/{created['uuid']}")
    assert client.error("GET", f"/d1/database/{created['uuid']}") == (404, 7404)


@pytest.mark.slow
def test_upload_over_size_limit_is_refused(client: Client, base: str) -> None:
    """The limit does not depend on how well the modules compress."""
    limit, kind = 64 * 1024 * 1024, "application/octet-stream"
    module = ("data.bin", random.Random(1).randbytes(limit - len(CODE)), kind)
    client.call("PUT", f"{base}/a", files={**form(CODE), "data.bin": module})
    module = ("data.bin", bytes(limit - len(CODE) + 1), kind)
    assert client.error("PUT", f"{base}/a", files={**form(CODE), "data.bin": module}) == (413, 10027)


def test_store_on_disk_encrypts_secrets(tmp_path: Path) -> None:
    with running(data=str(tmp_path)) as edge:
        client = Client(edge)
        client.upload(
            "/workers/scripts/a", bindings=[secret("S", "a very hidden value"), example_binding(client, "secret_key")]
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
            edge.store.unseal(edge.store.one("select value from bindings where name = 'S'")[0]) == "a very hidden value"
        )


def test_store_other_schema_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "edge.db"
    with sqlite3.connect(path) as database:
        database.execute("create table scripts (name)")
    with pytest.raises(store.IncompatibleStoreError, match="another version of the local edge"):
        store.Store(str(path))


def test_store_lost_key_is_refused(tmp_path: Path) -> None:
    store.Store(str(tmp_path / "edge.db")).close()
    (tmp_path / "key").unlink()
    with pytest.raises(store.IncompatibleStoreError, match="were encrypted with another key"):
        store.Store(str(tmp_path / "edge.db"))


def test_upload_disk_full_returns_error_and_edge_continues(tmp_path: Path) -> None:
    with running(data=str(tmp_path)) as edge:
        client = Client(edge)
        client.upload("/workers/scripts/before")
        database = edge.store.db
        pages = database.execute("pragma page_count").fetchone()[0]
        database.execute(f"pragma max_page_count = {pages + 10}")
        large = form("export default { fetch() {} }; //" + "x" * 100_000)
        assert client.error("PUT", "/workers/scripts/large", files=large) == (500, 10002)
        assert client.error("PUT", "/workers/scripts/large", files=large) == (500, 10002)
        assert [one["id"] for one in client.call("GET", "/workers/scripts")] == ["before"]
        database.execute("pragma max_page_count = 1000000")
        client.call("PUT", "/workers/scripts/large", files=large)
        assert [one["id"] for one in client.call("GET", "/workers/scripts")] == ["before", "large"]
