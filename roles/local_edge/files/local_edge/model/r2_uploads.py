# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Multipart uploads of R2 objects. The files of the parts become the files of the object, without a copy."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

from local_edge.blobs import BlobWriter
from local_edge.errors import ApiError
from local_edge.model import r2_objects
from local_edge.model.r2 import Bucket, invalid_argument
from local_edge.model.r2_objects import Description, Object
from local_edge.store import Store

#: The minimum size of a part, except the last one, in bytes.
MIN_PART = 5 * 1024 * 1024
MAX_NUMBER = 10_000
#: Seconds after which an upload is deleted.
LIFETIME = 7 * 24 * 3600


def no_such_upload() -> ApiError:
    return ApiError(404, 10024, "The specified multipart upload does not exist.")


def create(store: Store, bucket: Bucket, key: str, description: Description) -> str:
    """Create an upload and return its id."""
    r2_objects.check_key(key)
    description.check()
    ident = secrets.token_urlsafe(96)
    with store.write() as db:
        db.execute(
            "insert into r2_uploads values (?, ?, ?, ?, ?, ?, 0, ?)",
            (
                ident,
                bucket.id,
                key,
                json.dumps(dict(description.http)),
                json.dumps(dict(description.custom)),
                description.storage_class,
                int(time.time()),
            ),
        )
    return ident


def find(store: Store, bucket: Bucket, key: str, ident: str) -> Any:
    """Return the row of an upload, in progress or ended. Raise ApiError if it does not exist."""
    row = store.one(
        "select * from r2_uploads where id = ? and bucket = ? and key = ?", ident, bucket.id, r2_objects.check_key(key)
    )
    if row is None:
        raise no_such_upload()
    return row


def in_progress(store: Store, bucket: Bucket, key: str, ident: str) -> Any:
    row = find(store, bucket, key, ident)
    if row["ended"]:
        raise no_such_upload()
    return row


def put_part(store: Store, bucket: Bucket, key: str, ident: str, number: int, writer: BlobWriter) -> str:
    """Store a part with the bytes of a draft, replace an existing one, and return its etag."""
    in_progress(store, bucket, key, ident)
    if not 1 <= number <= MAX_NUMBER:
        raise invalid_argument(
            f"Part number must be between 1 and {MAX_NUMBER} (inclusive). Actual value was: {number}"
        )
    r2_objects.check_size(writer.size)
    etag = secrets.token_urlsafe(96)
    with store.write() as db:
        freed = [
            row["blob"]
            for row in store.all("delete from r2_parts where upload = ? and number = ? returning blob", ident, number)
        ]
        db.execute(
            "insert into r2_parts values (?, ?, null, ?, ?, ?, ?)",
            (writer.ident, ident, number, writer.size, writer.digests["md5"], etag),
        )
    store.blobs.remove(freed)
    return etag


def complete(store: Store, bucket: Bucket, key: str, ident: str, chosen: Sequence[Mapping[str, Any]]) -> Object:
    """Create an object of the chosen parts, each `{part, etag}`, in the order of their numbers."""
    upload = in_progress(store, bucket, key, ident)
    uploaded = {row["number"]: row for row in store.all("select * from r2_parts where upload = ?", ident)}
    parts = check_parts(uploaded, chosen)
    description = Description(json.loads(upload["http"]), json.loads(upload["custom"]), upload["storage_class"])
    with store.write() as db:
        made, freed = r2_objects.replace(
            store, bucket, key, sum(part["size"] for part in parts), etag_of(parts), {}, description
        )
        db.executemany(
            "update r2_parts set upload = null, object = ? where blob = ?", [(made, part["blob"]) for part in parts]
        )
        freed += end(store, ident)
    store.blobs.remove(freed)
    return r2_objects.head(store, bucket, key)


def check_parts(uploaded: Mapping[int, Any], chosen: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return the rows of the chosen parts in the order of their numbers.

    All parts must have the same size, except a smaller last one. As in R2, the minimum size is checked in the order of
    the request, the equal size in the order of the numbers.
    """
    if len({one["part"] for one in chosen}) < len(chosen):
        raise ApiError(500, 10001, "We encountered an internal error. Please try again.")
    if any(one["part"] not in uploaded or uploaded[one["part"]]["etag"] != one["etag"] for one in chosen):
        raise ApiError(400, 10025, "One or more of the specified parts could not be found.")
    rows = [uploaded[one["part"]] for one in chosen]
    if any(part["size"] < MIN_PART for part in rows[:-1]):
        raise ApiError(400, 10011, "Your proposed upload is smaller than the minimum allowed object size.")
    parts = sorted(rows, key=lambda part: int(part["number"]))
    sizes = [int(part["size"]) for part in parts]
    if len(sizes) > 1 and (len(set(sizes[:-1])) > 1 or sizes[0] < MIN_PART or sizes[-1] > sizes[0]):
        raise ApiError(400, 10048, "There was a problem with the multipart upload.")
    return parts


def etag_of(parts: Sequence[Any]) -> str:
    """Return the etag of an object of parts: the digest of their digests, and their number."""
    digest = hashlib.md5(b"".join(bytes.fromhex(part["md5"]) for part in parts), usedforsecurity=False)
    return f"{digest.hexdigest()}-{len(parts)}"


def abort(store: Store, bucket: Bucket, key: str, ident: str) -> None:
    """End an upload if it is in progress."""
    find(store, bucket, key, ident)
    with store.write():
        freed = end(store, ident)
    store.blobs.remove(freed)


def end(store: Store, ident: str) -> list[str]:
    """Mark an upload as ended. Return its unused files, to remove after the commit. Call inside `write()`."""
    store.db.execute("update r2_uploads set ended = 1 where id = ?", (ident,))
    return [row["blob"] for row in store.all("delete from r2_parts where upload = ? returning blob", ident)]


def collect_garbage(store: Store) -> None:
    """Delete uploads that took too long, and files without a row."""
    with store.write() as db:
        db.execute("delete from r2_uploads where created_on <= ?", (int(time.time()) - LIFETIME,))
    store.blobs.collect_garbage({row["blob"] for row in store.all("select blob from r2_parts")})
