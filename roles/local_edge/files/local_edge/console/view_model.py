# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page shows. Every list is cut, and every cut says what there is in all: thousands of Workers cost what a hundred do."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from local_edge import __version__
from local_edge.console.query import ACCOUNT, Query
from local_edge.inspection import Logs, RecordedRequest
from local_edge.quota import RateLimiter
from local_edge.runtime.log import LogEntry
from local_edge.settings import Account, Zone
from local_edge.store import Store

if TYPE_CHECKING:
    from local_edge.app import ControlPlane

#: How many are shown: namespaces; Workers of each where all are shown, and of one that is query for; routes of a zone; requests.
NAMESPACES, PREVIEW_SIZE, PAGE, ROUTES, REQUESTS = 50, 10, 100, 100, 30
#: How many entries of the log are shown, and how much of each.
MAX_LOG_LINES, TEXT = 50, 4000

FROM_NAMESPACES = "from namespaces where account = ?"
#: Workers of ?1 in ?2 whose names begin with ?3 and, if ?4 is not empty, that have this tag.
MATCHING = (
    "from scripts where account = ?1 and namespace = ?2 and name >= ?3 and name < ?3 || char(1114111)"
    " and (?4 = '' or exists (select 1 from tags where script = scripts.id and tag = ?4))"
)


@dataclass(frozen=True)
class Namespace:
    name: str
    scripts: int
    trusted: bool
    created: datetime


@dataclass(frozen=True)
class Worker:
    """A Worker; of its bindings name and type, never what they hold."""

    id: int
    name: str
    modified: datetime
    tags: Sequence[str]
    bindings: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class WorkerList:
    """The account (as `ACCOUNT`) or a namespace, with the Workers of it that are shown: from the `first` on, of `total` that match."""

    namespace: str
    workers: Sequence[Worker]
    first: int
    total: int

    @property
    def last(self) -> int:
        return self.first + len(self.workers) - 1


@dataclass(frozen=True)
class Routes:
    """Routes of a zone as pattern and Worker, those that are shown."""

    zone: Zone
    routes: Sequence[tuple[str, str | None]]
    total: int


@dataclass(frozen=True)
class LogLine:
    """An entry of the log: where its Worker is, and what it said."""

    namespace: str
    name: str
    level: str
    text: str
    moment: datetime


@dataclass(frozen=True)
class Budget:
    """What is left of the API's requests. `limit` 0: there is no limit."""

    limit: int
    window: int
    left: int
    blocked_until: datetime | None

    @classmethod
    def of(cls, limiter: RateLimiter) -> Budget:
        moment = time.monotonic()
        limiter.expire(moment)
        blocked_for = limiter.blocked_until - moment
        until = datetime.fromtimestamp(round(time.time() + blocked_for)) if blocked_for > 0 else None
        return cls(
            limiter.quota.requests, limiter.quota.window, 0 if until else limiter.quota.requests - limiter.used, until
        )


@dataclass(frozen=True)
class ConsolePage:
    """All of the page."""

    version: str
    moment: datetime
    addresses: Mapping[str, str]
    accounts: Sequence[Account]
    account: Account
    budget: Budget
    namespaces: Sequence[Namespace]
    namespaces_total: int
    places: Sequence[WorkerList]
    zones: Sequence[Routes]
    requests: Sequence[RecordedRequest]
    reads: int
    writes: int
    said: Sequence[LogLine]


def parse_local(text: str) -> datetime:
    """A stored time as the clock of this machine shows it, where the browser is too."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone()


def namespaces(store: Store, account: str) -> list[Namespace]:
    rows = store.all(
        "select name, trusted, created_on, (select count(*) from scripts where scripts.account = namespaces.account and"
        " scripts.namespace = namespaces.name) as scripts from namespaces where account = ? order by name limit ?",
        account,
        NAMESPACES,
    )
    return [
        Namespace(row["name"], row["scripts"], bool(row["trusted"]), parse_local(row["created_on"])) for row in rows
    ]


def listed(store: Store, sql: str, scripts: Sequence[int]) -> Mapping[int, list[Any]]:
    """What many Workers have, in one query."""
    found = defaultdict(list)
    for row in store.all(sql, json.dumps(scripts)):
        found[row["script"]].append(tuple(row)[1:])
    return found


def places(store: Store, query: Query, names: Sequence[str]) -> list[WorkerList]:
    """The Workers of each place: a few of every one, or a page of the one that is query for."""
    limit, after = (PAGE, query.after) if query.namespace else (PREVIEW_SIZE, "")
    found = []
    for name in names:
        which = (query.account, "" if name == ACCOUNT else name, query.q, query.tag)
        rows = store.all(
            f"select id, name, modified_on {MATCHING} and name > ?5 order by name limit ?6", *which, after, limit
        )
        before = store.count(f"select count(*) {MATCHING} and name <= ?5", *which, after) if after else 0
        found.append((name, rows, before + 1, store.count(f"select count(*) {MATCHING}", *which)))
    ids = [row["id"] for _name, rows, _first, _total in found for row in rows]
    chosen = "where script in (select value from json_each(?)) order by script, position"
    tags = listed(store, f"select script, tag from tags {chosen}", ids)
    bindings = listed(store, f"select script, name, type from bindings {chosen}", ids)
    return [
        WorkerList(
            name,
            [
                Worker(
                    row["id"],
                    row["name"],
                    parse_local(row["modified_on"]),
                    [tag for (tag,) in tags.get(row["id"], ())],
                    bindings.get(row["id"], ()),
                )
                for row in rows
            ],
            first,
            total,
        )
        for name, rows, first, total in found
    ]


def routes(store: Store, zones: Sequence[Zone]) -> list[Routes]:
    """The routes of every zone, by pattern."""
    rows = store.all(
        "select * from (select zone, pattern, script, count(*) over (partition by zone) as total,"
        " row_number() over (partition by zone order by pattern) as place from routes"
        " where zone in (select value from json_each(?))) where place <= ? order by place",
        json.dumps([zone.id for zone in zones]),
        ROUTES,
    )
    found = {zone.id: [row for row in rows if row["zone"] == zone.id] for zone in zones}
    return [
        Routes(
            zone,
            [(row["pattern"], row["script"]) for row in found[zone.id]],
            found[zone.id][0]["total"] if found[zone.id] else 0,
        )
        for zone in zones
    ]


def said(logs: Logs, query: Query) -> list[LogLine]:
    """The latest entries of the Workers that are looked at, newest first."""

    def fits(entry: LogEntry) -> bool:
        account, namespace, name = entry.key.split("/", 2)
        return account == query.account and query.namespace in ("", namespace or ACCOUNT) and name.startswith(query.q)

    fitting = (entry for _number, entry in reversed(logs.entries) if fits(entry))
    return [
        LogLine(
            entry.key.split("/")[1] or ACCOUNT,
            entry.key.rpartition("/")[2],
            entry.level,
            entry.text[:TEXT],
            datetime.fromtimestamp(entry.time),
        )
        for entry in islice(fitting, MAX_LOG_LINES)
    ]


def build_page(plane: ControlPlane, query: Query) -> ConsolePage:
    """Everything the page needs, at one moment: nothing here waits."""
    settings, store, request_log = plane.settings, plane.store, plane.request_log
    account = settings.account(query.account) or settings.accounts[0]
    known = namespaces(store, account.id)
    names = [query.namespace] if query.namespace else [ACCOUNT, *(one.name for one in known)]
    if query.namespace not in ("", ACCOUNT) and not store.one(
        f"select 1 {FROM_NAMESPACES} and name = ?", account.id, query.namespace
    ):
        names = []
    return ConsolePage(
        version=__version__,
        moment=datetime.now().astimezone(),
        addresses=plane.addresses,
        accounts=settings.accounts,
        account=account,
        budget=Budget.of(plane.rate_limiter),
        namespaces=known,
        namespaces_total=store.count(f"select count(*) {FROM_NAMESPACES}", account.id),
        places=places(store, replace(query, account=account.id), names),
        zones=routes(store, [zone for zone in settings.zones if zone.account.id == account.id]),
        requests=list(islice(reversed(request_log.requests), REQUESTS)),
        reads=request_log.reads,
        writes=request_log.writes,
        said=said(plane.logs, replace(query, account=account.id)),
    )
