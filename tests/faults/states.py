# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stored state of an account as a value, and what must hold of it at every moment of a run."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from local_edge.testing import Edge

FINGERPRINT_TAG = re.compile(r"tenantry\.1\.(?P<fingerprint>.*)\.[0-9a-z]+$")
LEDGER = "tenantry/ledger/"
OWNER_TAG = "tenantry.owner."
Parts = dict[str, t.Any]


@dataclass(frozen=True)
class Worker:
    """A stored Worker. ``parts`` are code, settings and bindings with the values of secrets, each by a name.

    ``promise`` is the part of the fingerprint tag that the parts must match, without its time. It is empty if it covers
    an id, which differs between two accounts.
    """

    owner: str
    promise: str
    parts: Parts
    listed: tuple[str, str, str]
    """Fingerprint tag, etag and modification date, which a ledger stores."""

    @property
    def content(self) -> tuple[str, str, Parts]:
        return self.owner, self.promise, self.parts


@dataclass(frozen=True)
class Account:
    """All objects of an account. Workers are identified by (namespace, name), with an empty one for the account."""

    workers: dict[tuple[str, str], Worker]
    entries: dict[tuple[str, str], tuple[str, str]]
    """(Title of the KV namespace, key) -> (value, metadata). Ledgers are in ``ledgers``."""
    ledgers: dict[str, str]
    others: list[tuple[str, ...]]
    """Namespaces and routes."""

    def records(self) -> dict[str, tuple[str, str]]:
        """Return owner and Worker of each host name that leads to a Worker."""
        found = {}
        for (_title, key), (value, metadata) in self.entries.items():
            mark = (json.loads(metadata or "null") or {}).get("tenantry")
            if mark:
                found[key] = mark["owner"], json.loads(value)["worker"]
        return found


def read_account(edge: Edge) -> Account:
    store = edge.store
    titles = {row["id"]: row["title"] for row in store.all("select * from kv_namespaces")}
    rows = store.all("select * from kv")
    stored = {(titles[row["namespace"]], row["key"]): (_text(row["value"]), row["metadata"] or "") for row in rows}
    others = [
        *(("namespace", row["name"]) for row in store.all("select * from namespaces")),
        *(("kv namespace", title) for title in titles.values()),
        *(("route", row["pattern"], row["script"] or "") for row in store.all("select * from routes")),
    ]
    return Account(
        {(row["namespace"], row["name"]): _read_worker(edge, row) for row in store.all("select * from scripts")},
        {place: entry for place, entry in stored.items() if not place[1].startswith(LEDGER)},
        {key: value for (_title, key), (value, _metadata) in stored.items() if key.startswith(LEDGER)},
        sorted(others),
    )


def _text(value: t.Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _read_worker(edge: Edge, row: t.Any) -> Worker:
    tags = [one["tag"] for one in edge.store.all("select tag from tags where script = ? order by tag", row["id"])]
    marks = [tag for tag in tags if FINGERPRINT_TAG.match(tag)]
    titles = {one["id"]: one["title"] for one in edge.store.all("select * from kv_namespaces")}
    parts: Parts = {"code": row["etag"], "settings": json.loads(row["config"])}
    parts["tags"] = [tag for tag in tags if tag not in marks and not tag.startswith(OWNER_TAG)]
    has_ids = False
    for one in edge.store.all("select * from bindings where script = ?", row["id"]):
        raw = json.loads(one["spec"])
        spec = {key: titles.get(value, value) if isinstance(value, str) else value for key, value in raw.items()}
        has_ids = has_ids or spec != raw
        parts[f"binding {one['name']}"] = [one["type"], spec, edge.store.unseal(one["value"])]
    return Worker(
        owner="".join(tag.removeprefix(OWNER_TAG) for tag in tags if tag.startswith(OWNER_TAG)),
        promise="" if has_ids else "".join(FINGERPRINT_TAG.sub(r"\g<fingerprint>", tag) for tag in marks),
        parts=parts,
        listed=("".join(marks), row["etag"], row["modified_on"]),
    )


def differences(now: Account, expected: Account) -> list[str]:
    """Return what differs between the objects of two accounts, without times, ids and ledgers."""
    pairs: list[tuple[str, t.Any, t.Any]] = [("entry", now.entries, expected.entries)]
    contents = ({name: worker.content for name, worker in state.workers.items()} for state in (now, expected))
    pairs.append(("Worker", *contents))
    found = [
        f"{kind} {name}: {one.get(name)} instead of {other.get(name)}"
        for kind, one, other in pairs
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name)
    ]
    return [*found, *([f"{now.others} instead of {expected.others}"] if now.others != expected.others else [])]


# -- invariants --------------------------------------------------------------------------------------------------------


def violations(now: Account, *states: Account, owner: str = "mine") -> list[str]:
    """Return what does not hold of an account between some states, of which the first is the one before.

    Each part of each Worker is as in one of the states. A new fingerprint tag promises what is stored. A record leads
    to the Worker of one of the states. The objects of all other owners are as before.
    """
    return [
        *_lost_parts(now, states),
        *_broken_promises(now, states[1:]),
        *_wrong_records(now, states),
        *_changed_neighbors(now, states[0], owner),
    ]


def dangling_records(now: Account) -> list[str]:
    """Return the host names that lead to a Worker that does not exist."""
    names = {name for _namespace, name in now.workers}
    return [host for host, (_owner, worker) in now.records().items() if worker not in names]


def _lost_parts(now: Account, states: t.Sequence[Account]) -> t.Iterator[str]:
    for name in {name for state in (now, *states) for name in state.workers}:
        known = [state.workers[name].parts if name in state.workers else None for state in states]
        if name not in now.workers:
            if None not in known:
                yield f"lost: Worker {name}"
            continue
        current, allowed = now.workers[name].parts, [parts for parts in known if parts is not None]
        if not allowed:
            yield f"doubled: Worker {name} is in no state"
        for part in {part for parts in (current, *allowed) for part in parts} if allowed else ():
            if current.get(part) not in [parts.get(part) for parts in allowed]:
                yield f"lost: {part} of Worker {name} is {current.get(part)}"


def _broken_promises(now: Account, states: t.Sequence[Account]) -> t.Iterator[str]:
    promises = {
        (name, worker.promise): worker.parts
        for state in states
        for name, worker in state.workers.items()
        if worker.promise
    }
    for name, worker in now.workers.items():
        if promises.get((name, worker.promise), worker.parts) != worker.parts:
            yield f"lost: Worker {name} has a fingerprint tag of other parts"


def _wrong_records(now: Account, states: t.Sequence[Account]) -> t.Iterator[str]:
    current, known = now.records(), [state.records() for state in states]
    for host, (owner, worker) in current.items():
        if (owner, worker) not in [records.get(host) for records in known]:
            yield f"doubled: {host} leads to {worker}"
    for host in set.intersection(*map(set, known)) - current.keys():
        yield f"lost: the record of {host}"


def _changed_neighbors(now: Account, before: Account, owner: str) -> t.Iterator[str]:
    for name, worker in before.workers.items():
        if worker.owner != owner and now.workers.get(name) != worker:
            yield f"lost: Worker {name} of owner {worker.owner!r}"
    mine = {host for host, (whose, _worker) in before.records().items() if whose == owner}
    for place, entry in before.entries.items():
        if place[1] not in mine and now.entries.get(place) != entry:
            yield f"lost: the key {place}"
