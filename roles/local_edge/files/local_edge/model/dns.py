# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DNS records of a zone: what may be one, which exclude each other, and which names are proxied."""

from __future__ import annotations

import ipaddress
import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from local_edge.errors import ApiError
from local_edge.settings import Zone
from local_edge.store import Store, now

NAME = re.compile(r"(?=.{1,253}$)(\*|[a-z0-9_-]{1,63})(\.(\*|[a-z0-9_-]{1,63}))*")
AUTOMATIC = 1
#: Types that lead a visitor to an address; a proxied one of them leads to the edge.
ADDRESSES = ("A", "AAAA", "CNAME")


def refuse(why: str, code: int = 1004) -> ApiError:
    """A validation error; 1004 is the family's own code, for what has none."""
    return ApiError(400, code, f"DNS Validation Error: {why}" if code == 1004 else why)


def missing() -> ApiError:
    return ApiError(404, 81044, "Record does not exist.")


#: Why a record cannot be beside those of its name.
TAKEN: Mapping[int, str] = {
    81053: "An A, AAAA, or CNAME record with that host already exists.",
    81054: "A CNAME record with that host already exists.",
    81058: "An identical record already exists.",
    81062: "A DNS record managed by Workers already exists on that host.",
}


def taken(code: int) -> ApiError:
    return ApiError(400, code, TAKEN[code])


def ipv4(text: str) -> str:
    return str(ipaddress.IPv4Address(text))


def ipv6(text: str) -> str:
    return str(ipaddress.IPv6Address(text))


def host(text: str) -> str:
    name = text.strip().lower().rstrip(".")
    if not NAME.fullmatch(name) or "*" in name or name.replace(".", "").isdigit():
        raise ValueError
    return name


@dataclass(frozen=True)
class Kind:
    """What a type's content is: text that `read` accepts, or the form in which the fields of `data` make up that text."""

    read: Callable[[str], str] = str
    refusal: tuple[int, str] = (1004, "is invalid")
    form: str = ""
    priority: bool = False

    def content(self, name: str, body: Mapping[str, Any]) -> str:
        if self.form:
            return self.form.format(**parts(re.findall(r"{(\w+)}", self.form), body.get("data")))
        content = body.get("content")
        if not isinstance(content, str) or not content:
            raise refuse("content is a required field.", 9101)
        try:
            return self.read(content)
        except ValueError:
            code, why = self.refusal
            raise refuse(f"Content for {name} record {why}.", code) from None


KINDS: Mapping[str, Kind] = {
    "A": Kind(ipv4, (9005, "must be a valid IPv4 address")),
    "AAAA": Kind(ipv6, (9006, "must be a valid IPv6 address")),
    "CNAME": Kind(host, (9007, "is invalid")),
    "MX": Kind(host, priority=True),
    "NS": Kind(host),
    "PTR": Kind(host),
    "TXT": Kind(),
    "OPENPGPKEY": Kind(),
    "CAA": Kind(form='{flags} {tag} "{value}"'),
    "CERT": Kind(form="{type} {key_tag} {algorithm} {certificate}"),
    "DNSKEY": Kind(form="{flags} {protocol} {algorithm} {public_key}"),
    "DS": Kind(form="{key_tag} {algorithm} {digest_type} {digest}"),
    "HTTPS": Kind(form="{priority} {target} {value}"),
    "SMIMEA": Kind(form="{usage} {selector} {matching_type} {certificate}"),
    "SRV": Kind(form="{priority} {weight} {port} {target}"),
    "SSHFP": Kind(form="{algorithm} {type} {fingerprint}"),
    "SVCB": Kind(form="{priority} {target} {value}"),
    "TLSA": Kind(form="{usage} {selector} {matching_type} {certificate}"),
    "URI": Kind(form='{weight} "{target}"', priority=True),
}


def is_whole(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def parts(fields: Sequence[str], data: Any) -> Mapping[str, Any]:
    """The parts of a record that is not given as one text, once none is lacking."""
    given = data if isinstance(data, dict) else {}
    lacking = [field for field in fields if not isinstance(given.get(field), str) and not is_whole(given.get(field))]
    if lacking:
        raise refuse(f"{lacking[0]} is a required data field.", 9101)
    return given


def completed(name: object, zone: Zone) -> str:
    """The full name of a record: `@`, `www` and `www.example.com` are all ways to say one."""
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
    """A DNS record; with `domain`, the id of a Worker's custom domain, it belongs to that and is read-only."""

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


#: A zone's records, each with the tag of the Worker whose custom domain it belongs to.
SELECT = (
    "select * from (select dns_records.*, scripts.tag as worker from dns_records"
    " left join worker_domains on worker_domains.id = domain left join scripts on scripts.id = worker_domains.script) where zone = ?"
)


def listing(store: Store, zone: str) -> list[Record]:
    return [of_row(row) for row in store.all(f"{SELECT} order by created_on, id", zone)]


def at(store: Store, zone: str, name: str) -> list[Record]:
    """The records of one name."""
    return [of_row(row) for row in store.all(f"{SELECT} and name = ? order by created_on, id", zone, name)]


def find(store: Store, zone: str, ident: object) -> Record:
    row = store.one(f"{SELECT} and id = ?", zone, ident) if isinstance(ident, str) else None
    if row is None:
        raise missing()
    return of_row(row)


def read(body: Mapping[str, Any], zone: Zone, before: Record | None = None) -> Record:
    """The record that a body describes, in the place of `before` if it replaces one."""
    name, time = body.get("type"), now()
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None or not isinstance(name, str):
        raise refuse(f"type must be one of {', '.join(KINDS)}.")
    proxied = False if body.get("proxied") is None else body["proxied"]
    if not isinstance(proxied, bool):
        raise refuse("Invalid 'proxied' value, must be a boolean", 9003)
    if proxied and name not in ADDRESSES:
        raise refuse("This record type cannot be proxied.", 9004)
    return Record(
        before.id if before else uuid.uuid4().hex,
        zone.id,
        name,
        completed(body.get("name"), zone),
        kind.content(name, body),
        proxied,
        {**options(body, proxied), **stamps(body, before, time), **priority(kind, body)},
        before.created_on if before else time,
        time,
    )


def options(body: Mapping[str, Any], proxied: bool) -> dict[str, Any]:
    """What every type may have. The time to live of a proxied record is not for its owner to choose."""
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


def stamps(body: Mapping[str, Any], before: Record | None, time: str) -> dict[str, Any]:
    """When comment and tags were last changed; nothing where there are none."""
    known = before.extras if before else {}
    return {
        f"{key}_modified_on": known[f"{key}_modified_on"] if before and known.get(key) == body[key] else time
        for key in ("comment", "tags")
        if body.get(key)
    }


def priority(kind: Kind, body: Mapping[str, Any]) -> dict[str, Any]:
    given = {"data": body["data"]} if kind.form else {}
    if not kind.priority:
        return given
    if not is_whole(body.get("priority")):
        raise refuse("priority is a required field.", 9101)
    return {**given, "priority": body["priority"]}


def check_neighbours(store: Store, record: Record) -> None:
    """Pass if a record may be beside those of its name."""
    others = [other for other in at(store, record.zone, record.name) if other.id != record.id]
    if any((other.type, other.content) == (record.type, record.content) for other in others):
        raise taken(81058)
    if record.type in ADDRESSES and any(other.domain for other in others):
        raise taken(81062)
    types = {other.type for other in others}
    if record.type == "CNAME" and types & set(ADDRESSES):
        raise taken(81053)
    if record.type in ADDRESSES and "CNAME" in types:
        raise taken(81054)


def check_writable(record: Record) -> None:
    if record.domain:
        raise refuse(f"{record.name} is read-only: it belongs to a custom domain of a Worker. Delete that instead.")


# These run inside `store.write()`, so that a batch is one transaction.


def create(store: Store, record: Record) -> Record:
    check_neighbours(store, record)
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
    """Replace a record by what a body describes."""
    before = find(store, zone.id, ident)
    check_writable(before)
    record = read(body, zone, before)
    check_neighbours(store, record)
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
    """Change what a body names."""
    return overwrite(store, zone, ident, {**find(store, zone.id, ident).to_api(), **body})


def delete(store: Store, zone: str, ident: object) -> Record:
    record = find(store, zone, ident)
    check_writable(record)
    store.db.execute("delete from dns_records where id = ?", (record.id,))
    return record


def conflicts(store: Store, zone: str, name: str) -> list[Record]:
    """The address records of a name that somebody made: a custom domain does not take their place unasked."""
    return [record for record in at(store, zone, name) if record.type in ADDRESSES and not record.domain]


def claim(store: Store, zone: Zone, name: str, domain: str) -> None:
    """The proxied record of a custom domain, as Cloudflare makes it: a prefix that discards whatever is sent there."""
    record = read({"type": "AAAA", "name": name, "content": "100::", "proxied": True}, zone)
    create(store, replace(record, domain=domain))


def names(store: Store, zone: Zone) -> dict[str, bool]:
    """Every name of a zone, with whether it is proxied. The zone's own exists, and so does one that has only others below it."""
    found = {zone.name: False}
    for row in store.all("select name, max(proxied) as proxied from dns_records where zone = ? group by name", zone.id):
        found[row["name"]] = bool(row["proxied"])
    for labels in [name.removesuffix(f".{zone.name}").split(".") for name in found if name != zone.name]:
        for position in range(1, len(labels)):
            found.setdefault(".".join([*labels[position:], zone.name]), False)
    return found


def addressed(store: Store, zone: str, name: str, proxied: bool) -> bool:
    """Whether a zone has an address record of this name; `proxied`: one that leads to the edge."""
    return any(record.type in ADDRESSES and record.proxied >= proxied for record in at(store, zone, name))
