# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DNS records of a zone: parsing, conflicts, storage, and the names that are proxied."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from local_edge.errors import ApiError
from local_edge.model.dns_types import NAME, RECORD_TYPES, RecordType, is_whole, refuse
from local_edge.settings import Zone
from local_edge.store import Store

AUTOMATIC = 1
#: Types that resolve to an address. They can be proxied.
ADDRESSES = ("A", "AAAA", "CNAME")


def missing() -> ApiError:
    return ApiError(404, 81044, "Record does not exist.")


#: Conflicts with another record of the same name, by code.
CONFLICTS: Mapping[int, str] = {
    81053: "An A, AAAA, or CNAME record with that host already exists.",
    81054: "A CNAME record with that host already exists.",
    81058: "An identical record already exists.",
    81062: "A DNS record managed by Workers already exists on that host.",
}


def conflict_error(code: int) -> ApiError:
    return ApiError(400, code, CONFLICTS[code])


def full_name(name: object, zone: Zone) -> str:
    """Return the fully qualified name of `@`, `www` or `www.example.com`, in lower case."""
    if not isinstance(name, str) or not name.strip():
        raise refuse("DNS name is invalid.", 9000)
    text = name.strip().rstrip(".").lower()
    try:
        text = text if text.isascii() else text.encode("idna").decode()
    except UnicodeError:
        raise refuse("DNS name is invalid.", 9000) from None
    full = (
        zone.name
        if text == "@"
        else text
        if text == zone.name or text.endswith(f".{zone.name}")
        else f"{text}.{zone.name}"
    )
    if not NAME.fullmatch(full):
        raise refuse("DNS name is invalid.", 9000)
    return full


@dataclass(frozen=True)
class Record:
    """A DNS record. With `domain`, the id of a Worker's custom domain, it belongs to that domain and is read-only."""

    id: str
    zone: str
    type: str
    name: str
    content: str
    proxied: bool
    extras: Mapping[str, Any]
    created_on: str
    modified_on: str
    domain: str | None = None
    worker: str | None = None

    def to_api(self) -> dict[str, Any]:
        meta = {"origin_worker_id": self.worker, "read_only": True} if self.domain else {}
        return {
            "id": self.id,
            "name": self.name,
            "type": self.type,
            "content": self.content,
            "proxiable": self.type in ADDRESSES,
            "proxied": self.proxied,
            "meta": meta,
            "created_on": self.created_on,
            "modified_on": self.modified_on,
            **self.extras,
        }


def of_row(row: Any) -> Record:
    return Record(
        row["id"],
        row["zone"],
        row["type"],
        row["name"],
        row["content"],
        bool(row["proxied"]),
        json.loads(row["extras"]),
        row["created_on"],
        row["modified_on"],
        row["domain"],
        row["worker"],
    )


#: The records of a zone, with the tag of the Worker if they belong to a custom domain.
SELECT = (
    "select * from (select dns_records.*, scripts.tag as worker from dns_records"
    " left join worker_domains on worker_domains.id = domain"
    " left join scripts on scripts.id = worker_domains.script) where zone = ?"
)


def listing(store: Store, zone: str) -> list[Record]:
    return [of_row(row) for row in store.all(f"{SELECT} order by created_on, id", zone)]


def at(store: Store, zone: str, name: str) -> list[Record]:
    """Return the records with this name."""
    return [of_row(row) for row in store.all(f"{SELECT} and name = ? order by created_on, id", zone, name)]


def find(store: Store, zone: str, ident: object) -> Record:
    row = store.one(f"{SELECT} and id = ?", zone, ident) if isinstance(ident, str) else None
    if row is None:
        raise missing()
    return of_row(row)


def read(body: Mapping[str, Any], zone: Zone, time: str, before: Record | None = None) -> Record:
    """Return the record described by a request body at `time`. It replaces `before` if given."""
    name = body.get("type")
    record_type = RECORD_TYPES.get(name) if isinstance(name, str) else None
    if record_type is None or not isinstance(name, str):
        raise refuse(f"type must be one of {', '.join(RECORD_TYPES)}.")
    proxied = False if body.get("proxied") is None else body["proxied"]
    if not isinstance(proxied, bool):
        raise refuse("Invalid 'proxied' value, must be a boolean", 9003)
    if proxied and name not in ADDRESSES:
        raise refuse("This record type cannot be proxied.", 9004)
    return Record(
        before.id if before else uuid.uuid4().hex,
        zone.id,
        name,
        full_name(body.get("name"), zone),
        record_type.content(name, body),
        proxied,
        {**options(body, proxied), **modification_dates(body, before, time), **priority(record_type, body)},
        before.created_on if before else time,
        time,
    )


def options(body: Mapping[str, Any], proxied: bool) -> dict[str, Any]:
    """Return the fields that all types have. The TTL of a proxied record is always automatic."""
    ttl, comment, tags = (
        AUTOMATIC if body.get("ttl") is None else body["ttl"],
        body.get("comment"),
        body.get("tags") or [],
    )
    if not isinstance(ttl, (int, float)) or isinstance(ttl, bool) or not (ttl == AUTOMATIC or 60 <= ttl <= 86400):
        raise refuse("Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic.", 9021)
    if comment is not None and not isinstance(comment, str):
        raise refuse("comment must be a string.")
    if not isinstance(body.get("settings") or {}, dict):
        raise refuse("settings must be an object.")
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise refuse("tags must be a list of strings such as owner:dns-team.")
    return {
        "ttl": AUTOMATIC if proxied else int(ttl),
        "settings": body.get("settings") or {},
        "comment": comment or None,
        "tags": tags,
    }


def modification_dates(body: Mapping[str, Any], before: Record | None, time: str) -> dict[str, Any]:
    """Return the modification dates of the comment and the tags, if set."""
    previous = before.extras if before else {}
    return {
        f"{key}_modified_on": previous[f"{key}_modified_on"] if before and previous.get(key) == body[key] else time
        for key in ("comment", "tags")
        if body.get(key)
    }


def priority(record_type: RecordType, body: Mapping[str, Any]) -> dict[str, Any]:
    data = {"data": body["data"]} if record_type.form else {}
    if not record_type.priority:
        return data
    if not is_whole(body.get("priority")):
        raise refuse("priority is a required field.", 9101)
    return {**data, "priority": body["priority"]}


def check_conflicts(store: Store, record: Record) -> None:
    """Raise ApiError if a record conflicts with others of the same name."""
    others = [other for other in at(store, record.zone, record.name) if other.id != record.id]
    if any((other.type, other.content) == (record.type, record.content) for other in others):
        raise conflict_error(81058)
    if record.type in ADDRESSES and any(other.domain for other in others):
        raise conflict_error(81062)
    types = {other.type for other in others}
    if record.type == "CNAME" and types & set(ADDRESSES):
        raise conflict_error(81053)
    if record.type in ADDRESSES and "CNAME" in types:
        raise conflict_error(81054)


def check_writable(record: Record) -> None:
    if record.domain:
        raise refuse(
            f"{record.name} is read-only: it belongs to a custom domain of a Worker. Delete the domain instead."
        )


# The following run inside `store.write()`, so that a batch is one transaction.


def create(store: Store, record: Record) -> Record:
    check_conflicts(store, record)
    store.db.execute(
        "insert into dns_records values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            record.id,
            record.zone,
            record.type,
            record.name,
            record.content,
            record.proxied,
            json.dumps(record.extras),
            record.domain,
            record.created_on,
            record.modified_on,
        ),
    )
    return record


def overwrite(store: Store, zone: Zone, ident: object, body: Mapping[str, Any]) -> Record:
    """Replace a record with the one described by a request body."""
    before = find(store, zone.id, ident)
    check_writable(before)
    record = read(body, zone, store.clock.now(), before)
    check_conflicts(store, record)
    store.db.execute(
        "update dns_records set type = ?, name = ?, content = ?, proxied = ?, extras = ?, modified_on = ? where id = ?",
        (
            record.type,
            record.name,
            record.content,
            record.proxied,
            json.dumps(record.extras),
            record.modified_on,
            record.id,
        ),
    )
    return record


def merge(store: Store, zone: Zone, ident: object, body: Mapping[str, Any]) -> Record:
    """Change the fields in a request body."""
    return overwrite(store, zone, ident, {**find(store, zone.id, ident).to_api(), **body})


def delete(store: Store, zone: str, ident: object) -> Record:
    record = find(store, zone, ident)
    check_writable(record)
    store.db.execute("delete from dns_records where id = ?", (record.id,))
    return record


def conflicts(store: Store, zone: str, name: str) -> list[Record]:
    """Return the address records that prevent a custom domain with this name."""
    return [record for record in at(store, zone, name) if record.type in ADDRESSES and not record.domain]


def create_domain_record(store: Store, zone: Zone, name: str, domain: str) -> None:
    """Create the proxied record of a custom domain, with the discard prefix that Cloudflare uses."""
    record = read({"type": "AAAA", "name": name, "content": "100::", "proxied": True}, zone, store.clock.now())
    create(store, replace(record, domain=domain))


def names(store: Store, zone: Zone) -> dict[str, bool]:
    """Return all names of a zone, and whether each is proxied.

    They include the zone's own name, and names without records that have subdomains.
    """
    found = {zone.name: False}
    for row in store.all("select name, max(proxied) as proxied from dns_records where zone = ? group by name", zone.id):
        found[row["name"]] = bool(row["proxied"])
    for labels in [name.removesuffix(f".{zone.name}").split(".") for name in found if name != zone.name]:
        for position in range(1, len(labels)):
            found.setdefault(".".join([*labels[position:], zone.name]), False)
    return found


def has_address_record(store: Store, zone: str, name: str, proxied: bool) -> bool:
    """Return whether a name has an address record: a proxied one if `proxied`."""
    return any(record.type in ADDRESSES and record.proxied >= proxied for record in at(store, zone, name))
