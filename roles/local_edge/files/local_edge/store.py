# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database of the control plane: one SQLite file with one connection.

Everything runs on the thread of the event loop. Code between two awaits is therefore atomic without a lock. A `write()`
block is one transaction, which is committed and synced before the API acknowledges the write.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from local_edge.blobs import Blobs
from local_edge.clock import Clock

SCHEMA = """
create table if not exists namespaces (
  account text not null, name text not null, id text not null, trusted integer not null default 0,
  created_on text not null, modified_on text not null, primary key (account, name));

-- A Worker. `namespace` is '' for a Worker of the account itself.
create table if not exists scripts (
  id integer primary key, account text not null, namespace text not null, name text not null,
  tag text not null, etag text not null, main text not null, version integer not null, config text not null,
  extras text not null, created_on text not null, modified_on text not null, unique (account, namespace, name));
create index if not exists scripts_by_etag on scripts (etag);

-- Source code by hash. Workers with the same source share its rows.
create table if not exists modules (
  etag text not null, position integer not null, name text not null, kind text not null, body blob not null,
  primary key (etag, position));

-- Versions of an account's Worker (code, configuration, encrypted bindings) and their deployments.
create table if not exists versions (
  id text primary key, script integer not null references scripts on delete cascade, number integer not null,
  etag text not null, main text not null, config text not null, bindings text not null, annotations text not null,
  created_on text not null);
create index if not exists versions_by_script on versions (script, number);
create index if not exists versions_by_etag on versions (etag);
create table if not exists deployments (
  id text primary key, script integer not null references scripts on delete cascade, versions text not null,
  annotations text not null, created_on text not null);
create index if not exists deployments_by_script on deployments (script);

-- `target` is the object that a binding refers to (the id of a KV namespace, the name of a Worker ...), `value` the
-- encrypted part that the API never returns.
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
  id text primary key, account text not null, title text not null, jurisdiction text, unique (account, title));
create table if not exists kv (
  namespace text not null references kv_namespaces on delete cascade, key text not null, value blob not null,
  metadata text, expiration integer, unique (namespace, key));

-- R2. The contents of objects are in files, see blobs.py: one per object, or one per part of a multipart upload. A part
-- belongs to its upload until that is completed, and then to the object.
create table if not exists r2_buckets (
  id integer primary key, account text not null, jurisdiction text not null, name text not null, location text,
  storage_class text not null, created_on text not null, unique (account, jurisdiction, name));
create table if not exists r2_objects (
  id integer primary key, bucket integer not null references r2_buckets on delete cascade, key text not null,
  version text not null, size integer not null, etag text not null, checksums text not null, http text not null,
  custom text not null,
  storage_class text not null, uploaded integer not null, unique (bucket, key));
create table if not exists r2_uploads (
  id text primary key, bucket integer not null references r2_buckets on delete cascade, key text not null,
  http text not null, custom text not null, storage_class text, ended integer not null, created_on integer not null);
create index if not exists r2_uploads_by_bucket on r2_uploads (bucket);
create table if not exists r2_parts (
  blob text primary key, upload text references r2_uploads on delete cascade,
  object integer references r2_objects on delete cascade, number integer not null, size integer not null,
  md5 text not null, etag text not null, unique (upload, number));
create index if not exists r2_parts_by_object on r2_parts (object);

-- Files of static assets by hash, shared by the Workers of an account or namespace; manifests of upload sessions.
create table if not exists assets (
  account text not null, namespace text not null, hash text not null, content_type text, body blob not null,
  primary key (account, namespace, hash));
create table if not exists manifests (
  id text primary key, account text not null, namespace text not null, files text not null, created_on text not null);

-- Objects of other products that a binding can refer to.
create table if not exists products (
  account text not null, kind text not null, id text not null, name text not null, spec text not null,
  created_on text not null, primary key (account, kind, id), unique (account, kind, name));
create table if not exists subdomains (account text primary key, name text not null);

-- Messages of a queue. `available` is the time in milliseconds when a delay or a lease ends.
create table if not exists messages (
  id text primary key, queue text not null, source text not null, content_type text not null, body blob not null,
  delay integer, sent integer not null, available integer not null, attempts integer not null default 0);
create index if not exists messages_by_queue on messages (queue, available);

-- Durable Objects and D1 databases with storage, which the edge keeps in separate files.
create table if not exists objects (kind text not null, id text not null, primary key (kind, id)) without rowid;

-- Files of D1 imports and exports, which expire after an hour. `etag` is the MD5 of the (expected) content.
create table if not exists d1_files (
  name text primary key, database text not null, etag text not null, body blob, created_on text not null);

-- Custom domains. They are deleted with their Worker, and their DNS records with them. `extras` holds the properties
-- without a column.
create table if not exists worker_domains (
  id text primary key, zone text not null, hostname text not null unique, cert text not null,
  script integer not null references scripts on delete cascade);
create index if not exists worker_domains_by_script on worker_domains (script);
create table if not exists dns_records (
  id text primary key, zone text not null, type text not null, name text not null, content text not null,
  proxied integer not null, extras text not null, domain text references worker_domains on delete cascade,
  created_on text not null, modified_on text not null);
create index if not exists dns_records_by_name on dns_records (zone, name);
create index if not exists dns_records_by_domain on dns_records (domain);

-- Custom hostnames. Their state follows from the two times.
create table if not exists custom_hostnames (
  id text primary key, zone text not null, hostname text not null, spec text not null, created_at text not null,
  validated_since text not null, unique (zone, hostname));
create table if not exists fallback_origins (
  zone text primary key, origin text not null, created_at text not null, updated_at text not null);

-- A counter of all changes to Workers, which makes version numbers unique.
create table if not exists counter (version integer not null);
-- An encrypted value, which proves that the key matches the database.
create table if not exists seal (proof text not null);
"""
TABLES = (
    "routes",
    "kv",
    "kv_namespaces",
    "r2_parts",
    "r2_uploads",
    "r2_objects",
    "r2_buckets",
    "tags",
    "bindings",
    "modules",
    "scripts",
    "namespaces",
    "versions",
    "deployments",
    "assets",
    "manifests",
    "products",
    "subdomains",
    "messages",
    "objects",
    "d1_files",
    "dns_records",
    "worker_domains",
    "custom_hostnames",
    "fallback_origins",
)


#: Version of the schema. A database with another version is refused.
VERSION = 4


class IncompatibleStoreError(Exception):
    """A database or a key that this version cannot use. The message contains the reason and the remedy."""


class Store:
    """The database. `path` None keeps it in memory.

    The folder of the database also contains the file `key`, which encrypts its secrets, and the folder `r2` with the
    contents of R2 objects. `clock` dates the objects.
    """

    def __init__(self, path: str | None = None) -> None:
        self.clock = Clock()
        if path:
            ensure_private_file(Path(path))
        self.blobs = Blobs(Path(path).with_name("r2") if path else None)
        key = load_or_create_key(Path(path).with_name("key")) if path else Fernet.generate_key()
        self.cipher, self.signing_key = Fernet(key), hashlib.sha256(b"signing " + key).digest()
        self.db = sqlite3.connect(
            path or ":memory:", isolation_level=None, check_same_thread=False, cached_statements=256
        )
        self.db.row_factory = sqlite3.Row
        for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on"):
            self.db.execute(f"pragma {pragma}")
        if self.count("select count(*) from sqlite_master") and self.count("pragma user_version") != VERSION:
            raise IncompatibleStoreError(
                f"--data: {path} was written by another version of the local edge. Move its folder, or choose another."
            )
        self.db.executescript(f"{SCHEMA}; pragma user_version = {VERSION}")
        if self.one("select 1 from counter") is None:
            self.db.execute("insert into counter values (0)")
            self.db.execute("insert into seal values (?)", (self.seal("proof"),))
        try:
            self.unseal(str(self.db.execute("select proof from seal").fetchone()[0]))
        except InvalidToken:
            raise IncompatibleStoreError(
                f"--data: the secrets in {path} were encrypted with another key. Restore the file `key` in its "
                "folder, or choose another folder."
            ) from None

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction. The block must not contain an await."""
        self.db.execute("begin immediate")
        try:
            yield self.db
            self.db.execute("commit")
        except BaseException:
            if self.db.in_transaction:  # SQLite itself ends the transaction if the disk is full
                self.db.execute("rollback")
            raise

    def all(self, sql: str, *args: Any) -> list[sqlite3.Row]:
        return self.db.execute(sql, args).fetchall()

    def one(self, sql: str, *args: Any) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.db.execute(sql, args).fetchone()
        return row

    def count(self, sql: str, *args: Any) -> int:
        return int(self.db.execute(sql, args).fetchone()[0])

    def seal(self, text: str | None) -> str | None:
        """Encrypt a secret for the database."""
        return None if text is None else self.cipher.encrypt(text.encode()).decode()

    def unseal(self, text: str | None) -> str | None:
        return None if text is None else self.cipher.decrypt(text.encode()).decode()

    def next_version(self) -> int:
        """Return the next version number. Call it inside `write()`."""
        return self.count("update counter set version = version + 1 returning version")

    def reset(self) -> None:
        """Delete all rows and files."""
        with self.write() as db:
            for table in TABLES:
                db.execute(f"delete from {table}")
        self.blobs.collect_garbage(())

    def close(self) -> None:
        self.db.close()
        self.blobs.close()


def ensure_private_file(path: Path) -> None:
    """Create a file if it is missing, and restrict it to its owner."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    os.chmod(path, 0o600)


def load_or_create_key(path: Path) -> bytes:
    """Read the encryption key of a data folder. Generate it on the first start."""
    ensure_private_file(path)
    key = path.read_bytes()
    if not key:
        key = Fernet.generate_key()
        with path.open("wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
    return key
