# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Uploads of R2 objects in parts. The files of the parts become those of the object: nothing is copied."""

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

#: What every part but the last has at least.
MIN_PART = 5 * 1024 * 1024
MAX_NUMBER = 10_000
#: Seconds that an upload may take, and that one is remembered.
LIFETIME = 7 * 24 * 3600


def no_such_upload() -> ApiError:
    return ApiError(404, 10024, "The specified multipart upload does not exist.")


def create(store: Store, bucket: Bucket, key: str, told: Description) -> str:
    """Begin an upload; its id."""
    r2_objects.check_key(key)
    told.check()
    ident = secrets.token_urlsafe(96)
    with store.write() as db:
        db.execute(
            "insert into r2_uploads values (?, ?, ?, ?, ?, ?, 0, ?)",
            (
                ident,
                bucket.id,
                key,
                json.dumps(dict(told.http)),
                json.dumps(dict(told.custom)),
                told.storage_class,
                int(time.time()),
            ),
        )
    return ident


def find(store: Store, bucket: Bucket, key: str, ident: str) -> Any:
    """The row of an upload, be it under way or over."""
    row = store.one(
        "select * from r2_uploads where id = ? and bucket = ? and key = ?", ident, bucket.id, r2_objects.check_key(key)
    )
    if row is None:
        raise no_such_upload()
    return row


def under_way(store: Store, bucket: Bucket, key: str, ident: str) -> Any:
    row = find(store, bucket, key, ident)
    if row["ended"]:
        raise no_such_upload()
    return row


def put_part(store: Store, bucket: Bucket, key: str, ident: str, number: int, writer: BlobWriter) -> str:
    """Take a part whose bytes are in a draft, in the place of that before; the tag it is completed by."""
    under_way(store, bucket, key, ident)
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
    """Make an object of the chosen parts, each `{part, etag}`, in the order of their numbers."""
    upload = under_way(store, bucket, key, ident)
    there = {row["number"]: row for row in store.all("select * from r2_parts where upload = ?", ident)}
    parts = check_parts(there, chosen)
    told = Description(json.loads(upload["http"]), json.loads(upload["custom"]), upload["storage_class"])
    with store.write() as db:
        made, freed = r2_objects.replace(
            store, bucket, key, sum(part["size"] for part in parts), etag_of(parts), {}, told
        )
        db.executemany(
            "update r2_parts set upload = null, object = ? where blob = ?", [(made, part["blob"]) for part in parts]
        )
        freed += end(store, ident)
    store.blobs.remove(freed)
    return r2_objects.head(store, bucket, key)


def check_parts(there: Mapping[int, Any], chosen: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The rows of the chosen parts by their numbers. All have one size, but the last may be smaller; which is last, is judged first in the
    order in which they were given."""
    if len({one["part"] for one in chosen}) < len(chosen):
        raise ApiError(500, 10001, "We encountered an internal error. Please try again.")
    if any(one["part"] not in there or there[one["part"]]["etag"] != one["etag"] for one in chosen):
        raise ApiError(400, 10025, "One or more of the specified parts could not be found.")
    given = [there[one["part"]] for one in chosen]
    if any(part["size"] < MIN_PART for part in given[:-1]):
        raise ApiError(400, 10011, "Your proposed upload is smaller than the minimum allowed object size.")
    parts = sorted(given, key=lambda part: int(part["number"]))
    sizes = [int(part["size"]) for part in parts]
    if len(sizes) > 1 and (len(set(sizes[:-1])) > 1 or sizes[0] < MIN_PART or sizes[-1] > sizes[0]):
        raise ApiError(400, 10048, "There was a problem with the multipart upload.")
    return parts


def etag_of(parts: Sequence[Any]) -> str:
    """The digest of the parts' digests, and how many they are."""
    digest = hashlib.md5(b"".join(bytes.fromhex(part["md5"]) for part in parts), usedforsecurity=False)
    return f"{digest.hexdigest()}-{len(parts)}"


def abort(store: Store, bucket: Bucket, key: str, ident: str) -> None:
    """End an upload, unless it has ended already."""
    find(store, bucket, key, ident)
    with store.write():
        freed = end(store, ident)
    store.blobs.remove(freed)


def end(store: Store, ident: str) -> list[str]:
    """Let an upload be over, inside `write()`: the files of what parts it still has, free once this is committed."""
    store.db.execute("update r2_uploads set ended = 1 where id = ?", (ident,))
    return [row["blob"] for row in store.all("delete from r2_parts where upload = ? returning blob", ident)]


def collect_garbage(store: Store) -> None:
    """Forget uploads that took too long, and remove the files that nothing names."""
    with store.write() as db:
        db.execute("delete from r2_uploads where created_on <= ?", (int(time.time()) - LIFETIME,))
    store.blobs.collect_garbage({row["blob"] for row in store.all("select blob from r2_parts")})
