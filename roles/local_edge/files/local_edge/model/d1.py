# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""D1: SQL statements of a text, and the files of imports and exports. The edge stores the databases themselves."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import time
import uuid
from dataclasses import dataclass

import jwt

from local_edge.errors import ApiError
from local_edge.store import Store

#: Literals, names and comments, which may contain semicolons, and the semicolons between statements.
SQL_TOKENS = re.compile(r"""'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/|;""", re.DOTALL)
#: Seconds that a file is stored and its signed URLs are valid.
LIFETIME = 3600
ALGORITHM = "HS256"


def statements(text: str) -> list[str]:
    """Split a text into statements, each with its semicolon. A trigger is one statement."""
    found, begin = [], 0
    for end in (match.end() for match in SQL_TOKENS.finditer(text) if match[0] == ";"):
        if sqlite3.complete_statement(text[begin:end]):
            found.append(text[begin:end])
            begin = end
    rest = text[begin:]
    # A rest that is blank or a comment makes an empty statement complete, so it is dropped.
    return found if sqlite3.complete_statement(";" + rest) else [*found, rest]


@dataclass(frozen=True)
class File:
    """An SQL file. `body` is None until it is uploaded or written."""

    name: str
    etag: str
    body: bytes | None


def open_file(store: Store, database: str, etag: str = "") -> str:
    """Create a file of a database without content and return its name."""
    name = f"{database}-{uuid.uuid4().hex[:16]}.sql"
    with store.write() as db:
        db.execute("insert into d1_files values (?, ?, ?, null, ?)", (name, database, etag, store.clock.now()))
    return name


def file(store: Store, name: str) -> File | None:
    row = store.one("select name, etag, body from d1_files where name = ?", name)
    return File(*row) if row else None


def uploaded(store: Store, database: str, etag: str) -> File | None:
    """Return the file of a database with this content, None if it is not stored."""
    row = store.one(
        "select name, etag, body from d1_files where database = ? and etag = ? and body is not null", database, etag
    )
    return File(*row) if row else None


def fill(store: Store, name: str, body: bytes) -> str:
    """Write the content of a file and return its etag."""
    etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
    with store.write() as db:
        db.execute("update d1_files set etag = ?, body = ? where name = ?", (etag, body, name))
    return etag


def sign_url(store: Store, name: str, method: str) -> str:
    """Return the token of a URL that permits one method on one file."""
    return jwt.encode(
        {"file": name, "method": method, "exp": int(time.time()) + LIFETIME}, store.signing_key, ALGORITHM
    )


def verify_url(store: Store, name: str, method: str, token: str) -> File:
    """Return the file of a signed URL. Raise ApiError if the token does not permit it."""
    try:
        claims = jwt.decode(token, store.signing_key, [ALGORITHM], options={"require": ["exp", "file", "method"]})
    except jwt.InvalidTokenError as error:
        raise ApiError(403, 10000, f"Authentication error: this address is not valid ({error})") from None
    found = file(store, name) if (claims["file"], claims["method"]) == (name, method) else None
    if found is None:
        raise ApiError(403, 10000, "Authentication error: this address leads to no file, or not with this method")
    return found


def collect_garbage(store: Store) -> None:
    """Delete files whose URLs have expired, and files of deleted databases."""
    with store.write() as db:
        db.execute(
            "delete from d1_files where julianday('now') - julianday(created_on) > ?"
            " or database not in (select id from products)",
            (LIFETIME / 86400,),
        )
