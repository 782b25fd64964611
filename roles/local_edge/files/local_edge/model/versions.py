# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions and deployments of the Workers of an account. Workers of a namespace have neither."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local_edge.errors import ApiError
from local_edge.model.bindings import Binding
from local_edge.store import Store

#: Versions and deployments stored for each Worker.
MAX_VERSIONS = 100


@dataclass(frozen=True)
class Content:
    """The content of a version: the code as its hash, the configuration and the bindings."""

    etag: str
    main: str
    config: Mapping[str, Any]
    bindings: Sequence[Binding]


@dataclass(frozen=True)
class Version:
    """A stored version; `number` counts from 1 for each Worker."""

    id: str
    number: int
    created_on: str
    content: Content
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Deployment:
    """A deployment. `versions` are the API's `{"version_id", "percentage"}`."""

    id: str
    created_on: str
    versions: Sequence[Mapping[str, Any]]
    annotations: Mapping[str, str]


def missing() -> ApiError:
    return ApiError(404, 100146, "Version not found.")


def insert(store: Store, script: int, content: Content, annotations: Mapping[str, str]) -> str:
    """Insert a version and return its id. Call inside `write()`."""
    ident = str(uuid.uuid4())
    number = store.count("select coalesce(max(number), 0) + 1 from versions where script = ?", script)
    bindings = json.dumps([vars(one) for one in content.bindings])
    store.db.execute(
        "insert into versions values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            ident,
            script,
            number,
            content.etag,
            content.main,
            json.dumps(dict(content.config)),
            store.seal(bindings),
            json.dumps(dict(annotations)),
            store.clock.now(),
        ),
    )
    return ident


def prune(store: Store, script: int) -> list[str]:
    """Delete the oldest versions without a deployment and return the hashes of their code. Call inside `write()`."""
    rows = store.all(
        "select id, etag from (select id, etag from versions where script = ?1 order by number desc limit -1 offset ?2)"
        " where id not in"
        " (select json_extract(value, '$.version_id') from deployments, json_each(versions) where script = ?1)",
        script,
        MAX_VERSIONS,
    )
    store.db.executemany("delete from versions where id = ?", [(row["id"],) for row in rows])
    return [row["etag"] for row in rows]


def deploy(store: Store, script: int, versions: Sequence[Mapping[str, Any]], annotations: Mapping[str, str]) -> str:
    """Insert a deployment of these versions and return its id. Call inside `write()`."""
    ident = str(uuid.uuid4())
    store.db.execute(
        "insert into deployments values (?, ?, ?, ?, ?)",
        (ident, script, json.dumps([dict(one) for one in versions]), json.dumps(dict(annotations)), store.clock.now()),
    )
    store.db.execute(
        "delete from deployments where script = ?1 and rowid not in"
        " (select rowid from deployments where script = ?1 order by rowid desc limit ?2)",
        (script, MAX_VERSIONS),
    )
    return ident


def set_traffic(store: Store, script: int, shares: Sequence[Mapping[str, Any]]) -> None:
    """Replace the traffic split of the latest deployment."""
    with store.write() as db:
        db.execute(
            "update deployments set versions = ? where rowid = (select max(rowid) from deployments where script = ?)",
            (json.dumps([dict(one) for one in shares]), script),
        )


def from_row(store: Store, row: Any) -> Version:
    bindings = [Binding(**one) for one in json.loads(store.unseal(row["bindings"]) or "[]")]
    content = Content(row["etag"], row["main"], json.loads(row["config"]), bindings)
    return Version(row["id"], row["number"], row["created_on"], content, json.loads(row["annotations"]))


def listing(store: Store, script: int) -> list[Version]:
    """Return the versions, newest first."""
    return [
        from_row(store, row)
        for row in store.all("select * from versions where script = ? order by number desc", script)
    ]


def get(store: Store, script: int, ident: str) -> Version:
    row = store.one("select * from versions where script = ? and id = ?", script, ident)
    if row is None:
        raise missing()
    return from_row(store, row)


def latest(store: Store, script: int) -> Version | None:
    row = store.one("select * from versions where script = ? order by number desc limit 1", script)
    return from_row(store, row) if row else None


def newest(store: Store, script: int) -> Version:
    """Return the latest version. Raise ApiError if there is none."""
    found = latest(store, script)
    if found is None:
        raise missing()
    return found


def active(store: Store, script: int) -> Version:
    """Return the deployed version, the one with the largest share if there are several."""
    shares = deployments(store, script)[0].versions
    return get(store, script, max(shares, key=lambda one: float(one["percentage"]))["version_id"])


def is_latest_deployed(store: Store, script: int) -> bool:
    """Return whether the latest version is deployed. It always is for a Worker without versions."""
    latest_row = store.one("select id from versions where script = ? order by number desc limit 1", script)
    active = store.one("select versions from deployments where script = ? order by rowid desc limit 1", script)
    return (
        not latest_row
        or not active
        or latest_row["id"] in [one["version_id"] for one in json.loads(active["versions"])]
    )


def deployments(store: Store, script: int) -> list[Deployment]:
    """Return the deployments, the active one first."""
    rows = store.all("select * from deployments where script = ? order by rowid desc", script)
    return [
        Deployment(row["id"], row["created_on"], json.loads(row["versions"]), json.loads(row["annotations"]))
        for row in rows
    ]
