# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Static assets: manifests, upload sessions and their signed tokens, stored files."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

import jwt

from local_edge.errors import ApiError, bad_body, invalid
from local_edge.model import asset_rules
from local_edge.model.config import ASSETS, checked
from local_edge.model.script_scope import ScriptScope
from local_edge.store import Store

#: Files of a manifest, bytes of a file, and seconds that a token is valid.
MAX_FILES, MAX_SIZE, LIFETIME = 100_000, 25 * 1024 * 1024, 3600
#: Bytes and files of a bucket, which a client uploads in one request.
MAX_BUCKET, MAX_BUCKET_FILES = 50 * 1024 * 1024, 1000
ALGORITHM = "HS256"
LONE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


def check_manifest(raw: Any) -> dict[str, dict[str, Any]]:
    """Return the manifest: `{"/index.html": {"hash": "<32 hexadecimal digits>", "size": 12}}`, sizes in bytes."""
    if not isinstance(raw, dict):
        raise bad_body("`manifest` must be an object of files by path")
    if len(raw) > MAX_FILES:
        raise ApiError(413, 10304, f"a manifest has at most {MAX_FILES} files, not {len(raw)}")
    if not all(is_uri_encoded(path) for path in raw):
        # Cloudflare does not name the path either.
        raise ApiError(400, 10304, "Invalid manifest: Manifest path must be URI encoded.")
    for path, entry in raw.items():
        if (
            not path.startswith("/")
            or not isinstance(entry, dict)
            or not is_hash(entry.get("hash"))
            or not is_size(entry.get("size"))
        ):
            raise bad_body(
                f"manifest entry {path!r}: a path begins with /, and has a `hash` of 32 hexadecimal digits and a `size`"
            )
        check_size(path, entry["size"])
    return raw


def is_uri_encoded(path: str) -> bool:
    """Return whether each percent sign begins an encoded byte, and these bytes are UTF-8."""
    try:
        unquote(path, errors="strict")
    except UnicodeDecodeError:
        return False
    return LONE_PERCENT.search(path) is None


def is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def check_size(name: str, size: int) -> None:
    if size > MAX_SIZE:
        raise ApiError(413, 10304, f"asset {name!r} is larger than {MAX_SIZE} bytes")


def is_hash(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 32 and set(value) <= set("0123456789abcdef")


def begin(store: Store, scope: ScriptScope, manifest: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Create an upload session. Return its token and the missing files in buckets.

    If all files are stored already, the token is the completion token.
    """
    session = uuid.uuid4().hex
    with store.write() as db:
        db.execute(
            "insert into manifests values (?, ?, ?, ?, ?)",
            (
                session,
                scope.account,
                scope.namespace,
                json.dumps({path: one["hash"] for path, one in manifest.items()}),
                store.clock.now(),
            ),
        )
    sizes = {one["hash"]: one["size"] for one in manifest.values()}
    needed = missing(store, scope, sizes)
    return {
        "jwt": sign_token(store, session, "session" if needed else "complete"),
        "buckets": buckets({one: sizes[one] for one in needed}),
    }


def missing(store: Store, scope: ScriptScope, hashes: Iterable[str]) -> list[str]:
    """Return the hashes of the files that are not stored yet."""
    return [
        one
        for one in hashes
        if not store.one(
            "select 1 from assets where account = ? and namespace = ? and hash = ?", scope.account, scope.namespace, one
        )
    ]


def buckets(sizes: Mapping[str, int]) -> list[list[str]]:
    found: list[list[str]] = []
    remaining = 0
    for each, size in sizes.items():
        if not found or size > remaining or len(found[-1]) >= MAX_BUCKET_FILES:
            found.append([])
            remaining = MAX_BUCKET
        found[-1].append(each)
        remaining -= size
    return found


def sign_token(store: Store, session: str, state: str) -> str:
    claims = {"session": session, "state": state, "iat": int(time.time()), "exp": int(time.time()) + LIFETIME}
    return jwt.encode(claims, store.signing_key, ALGORITHM)


def session_of(store: Store, token: Any) -> tuple[str, str]:
    """Return the session of a token and its state. Raise jwt.InvalidTokenError if it is foreign or has expired."""
    claims = jwt.decode(str(token), store.signing_key, [ALGORITHM], options={"require": ["exp", "session", "state"]})
    return str(claims["session"]), str(claims["state"])


def authorized(store: Store, token: str) -> str:
    """Return the session of an upload token. Raise ApiError if the token is not valid."""
    try:
        return session_of(store, token)[0]
    except jwt.InvalidTokenError as error:
        raise ApiError(
            401, 10000, f"Authentication error: the token of this asset upload is not valid ({error})"
        ) from None


def put(store: Store, session: str, files: Mapping[str, tuple[bytes, str | None]]) -> str | None:
    """Store files, given as hash -> (bytes, content type). Return the completion token if none is missing any more."""
    row = store.one("select * from manifests where id = ?", session)
    if row is None:
        raise ApiError(401, 10000, "Authentication error: this asset upload session no longer exists")
    scope, hashes = ScriptScope(row["account"], row["namespace"]), set(json.loads(row["files"]).values())
    foreign = [name for name in files if name not in hashes]
    if foreign:
        raise bad_body(f"asset {foreign[0]!r} is not in the manifest of this session")
    for name, (body, _content_type) in files.items():
        check_size(name, len(body))
    with store.write() as db:
        db.executemany(
            "insert or ignore into assets values (?, ?, ?, ?, ?)",
            [
                (scope.account, scope.namespace, name, content_type, body)
                for name, (body, content_type) in files.items()
            ],
        )
    return None if missing(store, scope, hashes) else sign_token(store, session, "complete")


def completed(store: Store, scope: ScriptScope, token: Any) -> str:
    """Return the manifest id of a completed session of this scope. Raise ApiError if the token is not one."""
    try:
        session, state = session_of(store, token)
    except jwt.InvalidTokenError as error:
        raise invalid(f"the `jwt` of assets is not valid: {error}") from None
    if state != "complete":
        raise invalid("the `jwt` of assets is that of a session whose upload is not complete")
    if not store.one(
        "select 1 from manifests where id = ? and account = ? and namespace = ?",
        session,
        scope.account,
        scope.namespace,
    ):
        raise invalid("the `jwt` of assets belongs to another account or dispatch namespace")
    return session


def site(store: Store, scope: ScriptScope, assets: Mapping[str, Any]) -> dict[str, Any]:
    """Return the assets of a Worker for the edge.

    `files` are by path, each with its `hash` and its `type`. The other keys configure how they are served.
    """
    config = assets["config"]
    return {
        "files": files(store, scope, assets["manifest"]),
        "html_handling": config.get("html_handling", "auto-trailing-slash"),
        "not_found_handling": config.get("not_found_handling", "none"),
        **asset_rules.compile_rules(config),
    }


def files(store: Store, scope: ScriptScope, manifest: str) -> dict[str, dict[str, str | None]]:
    row = store.one("select files from manifests where id = ?", manifest)
    hashes = row["files"] if row else "{}"
    types = {
        one["hash"]: one["content_type"]
        for one in store.all(
            "select hash, content_type from assets where account = ? and namespace = ?"
            " and hash in (select value from json_each(?))",
            scope.account,
            scope.namespace,
            hashes,
        )
    }
    return {
        path: {"hash": digest, "type": types[digest]} for path, digest in json.loads(hashes).items() if digest in types
    }


def get(store: Store, scope: ScriptScope, digest: str) -> bytes | None:
    """Return the bytes of a file, None if it is not stored."""
    row = store.one(
        "select body from assets where account = ? and namespace = ? and hash = ?",
        scope.account,
        scope.namespace,
        digest,
    )
    return row["body"] if row else None


def check_config(raw: Any) -> dict[str, Any]:
    """Return the validated `assets.config` of an upload."""
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise invalid("assets.config must be an object")
    config = checked(raw, ASSETS, "assets.config.")
    asset_rules.check(config)
    return config


def move(store: Store, account: str, old: str, new: str) -> None:
    """Move the files of a namespace to its new name. Call inside `write()`."""
    for table in ("assets", "manifests"):
        store.db.execute(f"update {table} set namespace = ? where account = ? and namespace = ?", (new, account, old))


def drop(store: Store, scope: ScriptScope) -> None:
    """Delete the files of a namespace. Call inside `write()`."""
    for table in ("assets", "manifests"):
        store.db.execute(f"delete from {table} where account = ? and namespace = ?", (scope.account, scope.namespace))


USED = "select json_extract(config, '$.assets.manifest') from {} where json_extract(config, '$.assets') is not null"
EXPIRED = (
    f"julianday('now') - julianday(created_on) > ? and id not in ({USED.format('scripts')})"
    f" and id not in ({USED.format('versions')})"
)


def collect_garbage(store: Store) -> None:
    """Delete manifests of expired sessions that no Worker uses, and files without a manifest."""
    with store.write() as db:
        swept = db.execute(f"delete from manifests where {EXPIRED}", (2 * LIFETIME / 86400,))
        if swept.rowcount:
            db.execute("delete from assets where hash not in (select value from manifests, json_each(files))")
