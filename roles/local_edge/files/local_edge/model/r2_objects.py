# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of R2 buckets: rows with their metadata, and files with their bytes (see blobs.py)."""

from __future__ import annotations

import base64
import binascii
import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from local_edge.blobs import BlobWriter, Content, Extent
from local_edge.errors import ApiError
from local_edge.model.r2 import STORAGE_CLASSES, Bucket, no_such_key, one_of
from local_edge.model.r2_requests import NO_CONDITIONS, Conditions
from local_edge.store import Store

MAX_KEY, MAX_CUSTOM, MAX_KEYS = 1024, 8192, 1000
#: Bytes of an object or a part in one request.
MAX_SIZE = 5 * 1024**3 - 5 * 1024**2
#: Characters of custom metadata on one page of a listing.
MAX_LISTED = 256 * 1024
#: Sorts after all UTF-8 text.
TOP = b"\xff"
#: The names of the digests in messages.
NAMES: Mapping[str, str] = {
    "md5": "MD5",
    "sha1": "SHA-1",
    "sha256": "SHA-256",
    "sha384": "SHA-384",
    "sha512": "SHA-512",
}


@dataclass(frozen=True)
class Description:
    """The metadata of an object to write. Its bytes must match the `checksums`, which are hexadecimal."""

    http: Mapping[str, Any] = field(default_factory=dict)
    custom: Mapping[str, str] = field(default_factory=dict)
    storage_class: str | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        if self.storage_class is not None:
            one_of(self.storage_class, STORAGE_CLASSES, "storage class")
        if sum(metadata_size(name) + metadata_size(value) for name, value in self.custom.items()) > MAX_CUSTOM:
            raise ApiError(400, 10012, "Your metadata headers exceed the maximum allowed metadata size.")


@dataclass(frozen=True)
class Object:
    """An object. `uploaded` is in milliseconds since the epoch."""

    id: int
    key: str
    version: str
    size: int
    etag: str
    checksums: Mapping[str, str]
    http: Mapping[str, Any]
    custom: Mapping[str, str]
    storage_class: str
    uploaded: int

    @classmethod
    def of(cls, row: Any) -> Object:
        return cls(
            row["id"],
            row["key"],
            row["version"],
            row["size"],
            row["etag"],
            json.loads(row["checksums"]),
            json.loads(row["http"]),
            json.loads(row["custom"]),
            row["storage_class"],
            row["uploaded"],
        )


@dataclass(frozen=True)
class Page:
    """A page of a listing. `cursor` is the start of the next page, '' on the last one."""

    objects: list[Object]
    prefixes: list[str]
    cursor: str


def metadata_size(text: str) -> int:
    """Return the size that R2 counts: the bytes in Latin-1 if possible, else in UTF-16."""
    try:
        return len(text.encode("latin-1"))
    except UnicodeEncodeError:
        return len(text.encode("utf-16-le"))


def check_key(key: Any) -> str:
    if not isinstance(key, str) or len(key.encode()) > MAX_KEY:
        raise ApiError(400, 10020, "The specified object name is not valid.")
    return key


def check_size(size: int) -> None:
    if size > MAX_SIZE:
        raise ApiError(400, 100100, "Your proposed upload exceeds the maximum allowed object size.")


def check_digests(expected: Mapping[str, str], actual: Mapping[str, str]) -> None:
    for name, digest in expected.items():
        if digest.lower() != actual[name]:
            label = NAMES[name]
            raise ApiError(
                400,
                10037,
                f"The {label} checksum you specified did not match what we received.\n"
                f"You provided a {label} checksum with value: {digest.lower()}\nActual {label} was: {actual[name]}",
            )


def head(store: Store, bucket: Bucket, key: str) -> Object:
    """Return an object. Raise ApiError if it does not exist."""
    found = find(store, bucket, check_key(key))
    if found is None:
        raise no_such_key()
    return found


def find(store: Store, bucket: Bucket, key: str) -> Object | None:
    row = store.one("select * from r2_objects where bucket = ? and key = ?", bucket.id, key)
    return Object.of(row) if row else None


def content(store: Store, found: Object, start: int, length: int) -> Content:
    """Return a range of an object's bytes."""
    extents, position, end = [], 0, start + length
    for row in store.all("select blob, size from r2_parts where object = ? order by number", found.id):
        first, last = max(start, position), min(end, position + row["size"])
        if first < last:
            extents.append(Extent(row["blob"], first - position, last - first))
        position += row["size"]
    return store.blobs.content(extents)


def put(
    store: Store,
    bucket: Bucket,
    key: str,
    writer: BlobWriter,
    description: Description,
    conditions: Conditions = NO_CONDITIONS,
) -> Object:
    """Write an object with the bytes of a draft, and replace an existing one."""
    check_key(key)
    description.check()
    check_size(writer.size)
    digests = writer.digests
    check_digests(description.checksums, digests)
    with store.write() as db:
        before = find(store, bucket, key)
        conditions.check((before.etag, before.uploaded) if before else None)
        ident, freed = replace(
            store,
            bucket,
            key,
            writer.size,
            digests["md5"],
            {name: digests[name] for name in ("md5", *description.checksums)},
            description,
        )
        db.execute(
            "insert into r2_parts values (?, null, ?, 1, ?, ?, '')", (writer.ident, ident, writer.size, digests["md5"])
        )
    store.blobs.remove(freed)
    return head(store, bucket, key)


def replace(
    store: Store, bucket: Bucket, key: str, size: int, etag: str, checksums: Mapping[str, str], description: Description
) -> tuple[int, list[str]]:
    """Insert the row of an object and delete that of an existing one. Call inside `write()`.

    Return its id, and the files to remove after the commit.
    """
    freed = delete_row(store, bucket, key)
    values = (
        bucket.id,
        key,
        uuid.uuid4().hex,
        size,
        etag,
        json.dumps(dict(checksums)),
        json.dumps(dict(description.http)),
        json.dumps(dict(description.custom)),
        description.storage_class or bucket.storage_class,
        time.time_ns() // 1_000_000,
    )
    ident = store.db.execute(
        "insert into r2_objects (bucket, key, version, size, etag, checksums, http, custom, storage_class, uploaded)"
        " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    ).lastrowid
    assert ident
    return ident, freed


def delete_row(store: Store, bucket: Bucket, key: str) -> list[str]:
    """Delete the row of an object if it exists. Return the files to remove after the commit. Call inside `write()`."""
    found = store.one("select id from r2_objects where bucket = ? and key = ?", bucket.id, key)
    if found is None:
        return []
    freed = [row["blob"] for row in store.all("select blob from r2_parts where object = ?", found["id"])]
    store.db.execute("delete from r2_objects where id = ?", (found["id"],))
    return freed


def delete(store: Store, bucket: Bucket, keys: Sequence[str]) -> None:
    """Delete objects. Missing ones are ignored."""
    if not 1 <= len(keys) <= MAX_KEYS:
        raise ApiError(400, 10027, f"The number of keys in the request must be between 1 and {MAX_KEYS} inclusive.")
    for key in keys:
        check_key(key)
    with store.write():
        freed = [blob for key in keys for blob in delete_row(store, bucket, key)]
    store.blobs.remove(freed)


def page(
    store: Store,
    bucket: Bucket,
    prefix: str = "",
    delimiter: str = "",
    start_after: str | None = None,
    cursor: str = "",
    limit: int = MAX_KEYS,
    described: bool = True,
) -> Page:
    """Return a page of objects in the order of their keys.

    Keys with the delimiter after the prefix are grouped: the entry of a group is their common part with the delimiter.
    A page of `described` objects, whose metadata is returned, may be shorter than its limit.
    """
    if not 1 <= limit <= MAX_KEYS:
        raise ApiError(400, 10022, f"MaxKeys params must be positive integer <= {MAX_KEYS}.")
    low = max(decoded(cursor), b"" if start_after is None else start_after.encode() + b"\0")
    found: list[tuple[bytes, Object | str]] = []
    remaining = MAX_LISTED
    for entry in islice(walk(store, bucket, prefix, delimiter, low), limit + 1):
        if len(found) == limit or remaining < 0:
            return shown(found, cursor=encoded(found[-1][0]))
        found.append(entry)
        remaining -= custom_size(entry[1]) if described else 0
    return shown(found, cursor="")


def shown(found: list[tuple[bytes, Object | str]], cursor: str) -> Page:
    entries = [entry for _position, entry in found]
    return Page(
        [one for one in entries if isinstance(one, Object)], [one for one in entries if isinstance(one, str)], cursor
    )


def custom_size(entry: Object | str) -> int:
    return 0 if isinstance(entry, str) else sum(len(name) + len(value) for name, value in entry.custom.items())


def walk(store: Store, bucket: Bucket, prefix: str, delimiter: str, low: bytes) -> Iterator[tuple[bytes, Object | str]]:
    """Yield objects and groups from a position on, each with the position after it. Read one key of each group."""
    low, high = max(low, prefix.encode()), prefix.encode() + TOP
    ended = False
    while not ended:
        ended = True
        # Positions are bytes, since the end of a group is not valid UTF-8.
        for row in store.db.execute(
            "select * from r2_objects where bucket = ? and key >= cast(? as text) and key < cast(? as text)"
            " order by key",
            (bucket.id, low, high),
        ):
            end = row["key"].find(delimiter, len(prefix)) if delimiter else -1
            if end >= 0:
                group = row["key"][:end] + delimiter
                low, ended = group.encode() + TOP, False
                yield low, group
                break
            yield row["key"].encode() + b"\0", Object.of(row)


def encoded(position: bytes) -> str:
    return base64.urlsafe_b64encode(position).decode()


def decoded(cursor: str) -> bytes:
    try:
        return base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ApiError(400, 10029, "The cursor was not issued for this listing.") from None
