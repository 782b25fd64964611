# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""D1: the statements of a text, and the files that databases are imported from and exported to. The databases themselves are the edge's."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import time
import uuid
from dataclasses import dataclass

import jwt

from local_edge.errors import ApiError
from local_edge.store import Store, now

#: Where a statement may end: a semicolon that is in no literal, name or comment.
ENDS = re.compile(r"""'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/|;""", re.DOTALL)
#: Seconds that a file is kept, and its addresses are valid.
LIFETIME = 3600
ALGORITHM = "HS256"


def statements(text: str) -> list[str]:
    """The statements of a text as SQLite tells them apart, each with its semicolon: those of a trigger's body do not end it."""
    found, begin = [], 0
    for end in (match.end() for match in ENDS.finditer(text) if match[0] == ";"):
        if sqlite3.complete_statement(text[begin:end]):
            found.append(text[begin:end])
            begin = end
    rest = text[begin:]
    # What makes a complete statement out of nothing is nothing, or a comment.
    return found if sqlite3.complete_statement(";" + rest) else [*found, rest]


@dataclass(frozen=True)
class File:
    """A text of statements; `body` None until it is uploaded or written."""

    name: str
    etag: str
    body: bytes | None


def open_file(store: Store, database: str, etag: str = "") -> str:
    """The name of a new file of a database, still without content."""
    name = f"{database}-{uuid.uuid4().hex[:16]}.sql"
    with store.write() as db:
        db.execute("insert into d1_files values (?, ?, ?, null, ?)", (name, database, etag, now()))
    return name


def file(store: Store, name: str) -> File | None:
    row = store.one("select name, etag, body from d1_files where name = ?", name)
    return File(*row) if row else None


def uploaded(store: Store, database: str, etag: str) -> File | None:
    """A file of a database that has this content."""
    row = store.one(
        "select name, etag, body from d1_files where database = ? and etag = ? and body is not null", database, etag
    )
    return File(*row) if row else None


def fill(store: Store, name: str, body: bytes) -> str:
    """Write a file; its etag."""
    etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
    with store.write() as db:
        db.execute("update d1_files set etag = ?, body = ? where name = ?", (etag, body, name))
    return etag


def pass_for(store: Store, name: str, method: str) -> str:
    """What in an address says that it may be used: a file and a method."""
    return jwt.encode(
        {"file": name, "method": method, "exp": int(time.time()) + LIFETIME}, store.signing_key, ALGORITHM
    )


def passed(store: Store, name: str, method: str, text: str) -> File:
    """The file of an address, once that may be used."""
    try:
        claims = jwt.decode(text, store.signing_key, [ALGORITHM], options={"require": ["exp", "file", "method"]})
    except jwt.InvalidTokenError as error:
        raise ApiError(403, 10000, f"Authentication error: this address is not valid ({error})") from None
    found = file(store, name) if (claims["file"], claims["method"]) == (name, method) else None
    if found is None:
        raise ApiError(403, 10000, "Authentication error: this address leads to no file, or not with this method")
    return found


def collect_garbage(store: Store) -> None:
    """Forget files that no address leads to any more, and those of databases that are gone."""
    with store.write() as db:
        db.execute(
            "delete from d1_files where julianday('now') - julianday(created_on) > ? or database not in (select id from products)",
            (LIFETIME / 86400,),
        )
