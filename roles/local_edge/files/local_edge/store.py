# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory of the control plane: one SQLite file, one connection, one writer.

Everything runs on the event loop's thread, so what happens between two awaits is atomic without a lock, and a
`write()` block is one transaction: acknowledged means committed and synced.
"""
from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

SCHEMA = """
create table if not exists namespaces (
  account text not null, name text not null, id text not null, trusted integer not null default 0,
  created_on text not null, modified_on text not null, primary key (account, name));

-- A Worker. `namespace` is '' for one of the account itself: both levels are one kind of thing.
create table if not exists scripts (
  id integer primary key, account text not null, namespace text not null, name text not null,
  tag text not null, etag text not null, main text not null, version integer not null, config text not null,
  created_on text not null, modified_on text not null, unique (account, namespace, name));
create index if not exists scripts_by_etag on scripts (etag);

-- Sources by their hash: tenants that share a source share its rows.
create table if not exists modules (
  etag text not null, position integer not null, name text not null, kind text not null, body blob not null,
  primary key (etag, position));

-- `target` is what a binding points to (a KV namespace's id, a Worker's name ...), `value` what is never shown.
create table if not exists bindings (
  script integer not null references scripts on delete cascade, position integer not null, name text not null,
  type text not null, spec text not null, target text, value text, primary key (script, name));
create index if not exists bindings_by_target on bindings (type, target);

create table if not exists tags (
  script integer not null references scripts on delete cascade, tag text not null, position integer not null,
  primary key (script, tag)) without rowid;

create table if not exists routes (
  id text primary key, zone text not null, pattern text not null, script text, created_on text not null,
  unique (zone, pattern));

create table if not exists kv_namespaces (
  id text primary key, account text not null, title text not null, unique (account, title));
create table if not exists kv (
  namespace text not null references kv_namespaces on delete cascade, key text not null, value blob not null,
  metadata text, expiration integer, unique (namespace, key));

-- One number for every change of a Worker, so that no two versions ever share one.
create table if not exists counter (version integer not null);
"""
TABLES = ("routes", "kv", "kv_namespaces", "tags", "bindings", "modules", "scripts", "namespaces")


class Store:
    """The database; `path` None keeps it in memory."""

    def __init__(self, path: str | None = None) -> None:
        if path:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            os.chmod(path, 0o600)
        self.db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, cached_statements=256)
        self.db.row_factory = sqlite3.Row
        for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on"):
            self.db.execute(f"pragma {pragma}")
        self.db.executescript(SCHEMA)
        if self.one("select 1 from counter") is None:
            self.db.execute("insert into counter values (0)")

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction; never across an await."""
        self.db.execute("begin immediate")
        try:
            yield self.db
        except BaseException:
            self.db.execute("rollback")
            raise
        self.db.execute("commit")

    def all(self, sql: str, *args: Any) -> list[sqlite3.Row]:
        return self.db.execute(sql, args).fetchall()

    def one(self, sql: str, *args: Any) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.db.execute(sql, args).fetchone()
        return row

    def count(self, sql: str, *args: Any) -> int:
        return int(self.db.execute(sql, args).fetchone()[0])

    def next_version(self) -> int:
        """The next number of a Worker's version; called inside `write()`."""
        return self.count("update counter set version = version + 1 returning version")

    def wipe(self) -> None:
        """Forget every object."""
        with self.write() as db:
            for table in TABLES:
                db.execute(f"delete from {table}")

    def close(self) -> None:
        self.db.close()


def now() -> str:
    """The time as the API writes it."""
    return datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
