# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""R2 buckets and the errors of R2. Each jurisdiction has its own bucket names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from local_edge.errors import ApiError
from local_edge.store import Store

NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
DEFAULT = "default"
JURISDICTIONS = (DEFAULT, "eu", "us", "fedramp", "fedramp-high")
LOCATIONS = ("apac", "eeur", "enam", "weur", "wnam", "oc")
STANDARD = "Standard"
STORAGE_CLASSES = (STANDARD, "InfrequentAccess")


@dataclass(frozen=True)
class Bucket:
    """A bucket. `id` is internal."""

    id: int
    account: str
    jurisdiction: str
    name: str
    location: str | None
    storage_class: str
    created_on: str


def no_such_bucket() -> ApiError:
    return ApiError(404, 10006, "The specified bucket does not exist.")


def no_such_key() -> ApiError:
    return ApiError(404, 10007, "The specified key does not exist.")


def precondition_failed() -> ApiError:
    return ApiError(412, 10031, "At least one of the pre-conditions you specified did not hold.")


def invalid_argument(message: str) -> ApiError:
    return ApiError(400, 10029, message)


def one_of(value: Any, choices: Sequence[str], label: str) -> str:
    """Return the value. Raise ApiError if it is not one of the choices."""
    if value not in choices:
        raise invalid_argument(f"The {label} {value!r} is not valid: it is one of {', '.join(choices)}.")
    return str(value)


def check_name(name: Any) -> str:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ApiError(400, 10005, "The specified bucket name is not valid.")
    return name


def find(store: Store, account: str, jurisdiction: str, name: str) -> Bucket:
    """Return a bucket. Raise ApiError if it does not exist."""
    row = store.one(
        "select * from r2_buckets where account = ? and jurisdiction = ? and name = ?", account, jurisdiction, name
    )
    if row is None:
        raise no_such_bucket()
    return Bucket(**row)


def create(store: Store, account: str, jurisdiction: str, name: str, location: str | None, storage_class: str) -> None:
    if store.one(
        "select 1 from r2_buckets where account = ? and jurisdiction = ? and name = ?", account, jurisdiction, name
    ):
        raise ApiError(409, 10004, "The bucket you tried to create already exists, and you own it.")
    with store.write() as db:
        db.execute(
            "insert into r2_buckets (account, jurisdiction, name, location, storage_class, created_on)"
            " values (?, ?, ?, ?, ?, ?)",
            (account, jurisdiction, name, location, storage_class, store.clock.now()),
        )


def change_storage_class(store: Store, bucket: Bucket, storage_class: str) -> None:
    """Set the default storage class of new objects."""
    with store.write() as db:
        db.execute("update r2_buckets set storage_class = ? where id = ?", (storage_class, bucket.id))


def buckets(store: Store, account: str, jurisdiction: str) -> list[Bucket]:
    """Return the buckets in the order of their names."""
    return [
        Bucket(**row)
        for row in store.all(
            "select * from r2_buckets where account = ? and jurisdiction = ? order by name", account, jurisdiction
        )
    ]


def delete(store: Store, bucket: Bucket) -> None:
    """Delete an empty bucket and its incomplete uploads. Raise ApiError if it contains objects."""
    if store.one("select 1 from r2_objects where bucket = ?", bucket.id):
        raise ApiError(
            409, 10008, f"The bucket you tried to delete ({bucket.name}) is not empty (account {bucket.account})."
        )
    blobs = [
        row["blob"]
        for row in store.all(
            "select blob from r2_parts where upload in (select id from r2_uploads where bucket = ?)", bucket.id
        )
    ]
    with store.write() as db:
        db.execute("delete from r2_buckets where id = ?", (bucket.id,))
    store.blobs.remove(blobs)
