# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data of the page. All lists are limited and have a total, so that the page stays fast with many Workers."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Protocol
from urllib.parse import urlsplit

from local_edge import __version__
from local_edge.console.query import ACCOUNT, Query
from local_edge.inspection import Logs, RecordedRequest, RequestLog
from local_edge.model import subdomains
from local_edge.quota import RateLimiter
from local_edge.runtime.log import LogEntry
from local_edge.settings import Account, Settings, Zone
from local_edge.store import Store

#: Workers of each namespace on the overview, and on the page of a namespace.
PREVIEW_SIZE, PAGE_SIZE = 10, 100
MAX_NAMESPACES, MAX_ROUTES, MAX_REQUESTS = 50, 100, 30
#: Entries of the log, and characters of each.
MAX_LOG_LINES, MAX_TEXT = 50, 4000

#: Whether the workers.dev host of a Worker is enabled.
HAS_HOST = "json_extract(extras, '$.subdomain.enabled')"
FROM_NAMESPACES = "from namespaces where account = ?"
#: Workers of the account ?1 and the namespace ?2 with the prefix ?3 and, if not empty, the tag ?4.
MATCHING = (
    "from scripts where account = ?1 and namespace = ?2 and name >= ?3 and name < ?3 || char(1114111)"
    " and (?4 = '' or exists (select 1 from tags where script = scripts.id and tag = ?4))"
)


class ConsoleState(Protocol):
    """The parts of the control plane that the page shows."""

    @property
    def settings(self) -> Settings: ...
    @property
    def store(self) -> Store: ...
    @property
    def rate_limiter(self) -> RateLimiter: ...
    @property
    def request_log(self) -> RequestLog: ...
    @property
    def logs(self) -> Logs: ...
    @property
    def addresses(self) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class Namespace:
    name: str
    scripts: int
    trusted: bool
    created: datetime


@dataclass(frozen=True)
class Worker:
    """A Worker, with the names and types of its bindings. `url` is its local address, '' if it has none of its own."""

    id: int
    name: str
    url: str
    modified: datetime
    tags: Sequence[str]
    bindings: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class WorkerList:
    """Workers of a namespace, or of the account as `ACCOUNT`: those from number `first` on, of `total` matches."""

    namespace: str
    workers: Sequence[Worker]
    first: int
    total: int

    @property
    def last(self) -> int:
        return self.first + len(self.workers) - 1


@dataclass(frozen=True)
class Routes:
    """The first routes of a zone, as pattern and Worker, and their total."""

    zone: Zone
    routes: Sequence[tuple[str, str | None]]
    total: int


@dataclass(frozen=True)
class LogLine:
    """An entry of the log, with the namespace and the name of its Worker."""

    namespace: str
    name: str
    level: str
    text: str
    time: datetime


@dataclass(frozen=True)
class RateLimit:
    """The state of the API's rate limit. `limit` is 0 for none, `window` is in seconds."""

    limit: int
    window: int
    remaining: int
    blocked_until: datetime | None

    @classmethod
    def of(cls, limiter: RateLimiter) -> RateLimit:
        now = time.monotonic()
        limiter.expire(now)
        blocked_for = limiter.blocked_until - now
        until = datetime.fromtimestamp(round(time.time() + blocked_for)) if blocked_for > 0 else None
        return cls(
            limiter.quota.requests, limiter.quota.window, 0 if until else limiter.quota.requests - limiter.used, until
        )


@dataclass(frozen=True)
class ConsolePage:
    """The data of the whole page."""

    version: str
    rendered_at: datetime
    addresses: Mapping[str, str]
    accounts: Sequence[Account]
    account: Account
    rate_limit: RateLimit
    namespaces: Sequence[Namespace]
    namespaces_total: int
    worker_lists: Sequence[WorkerList]
    zones: Sequence[Routes]
    requests: Sequence[RecordedRequest]
    reads: int
    writes: int
    log_lines: Sequence[LogLine]


def parse_local(text: str) -> datetime:
    """Return a stored time in the time zone of this machine, which is also that of the browser."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone()


def namespaces(store: Store, account: str) -> list[Namespace]:
    rows = store.all(
        "select name, trusted, created_on, (select count(*) from scripts where scripts.account = namespaces.account and"
        " scripts.namespace = namespaces.name) as scripts from namespaces where account = ? order by name limit ?",
        account,
        MAX_NAMESPACES,
    )
    return [
        Namespace(row["name"], row["scripts"], bool(row["trusted"]), parse_local(row["created_on"])) for row in rows
    ]


def rows_by_script(store: Store, sql: str, scripts: Sequence[int]) -> Mapping[int, list[Any]]:
    """Return the rows of many Workers by their id, with one query."""
    found = defaultdict(list)
    for row in store.all(sql, json.dumps(scripts)):
        found[row["script"]].append(tuple(row)[1:])
    return found


def local_urls(state: ConsoleState, account: Account) -> Callable[[str], str]:
    """Return a function that returns the local address of a Worker with an enabled workers.dev host."""
    base = urlsplit(state.addresses.get("http", "http://localhost"))
    label = subdomains.of(state.store, account.id)
    # Only the first account is sure to have the short host names.
    suffix = "" if account == state.settings.accounts[0] else f".{label}"
    return lambda name: f"{base.scheme}://{subdomains.local_host(name + suffix)}:{base.port or 80}/" if label else ""


def worker_lists(store: Store, query: Query, names: Sequence[str], url_of: Callable[[str], str]) -> list[WorkerList]:
    """Return the Workers of each namespace: the first ones, or a page of the selected namespace."""
    limit, after = (PAGE_SIZE, query.after) if query.namespace else (PREVIEW_SIZE, "")
    found = []
    for name in names:
        filters = (query.account, "" if name == ACCOUNT else name, query.q, query.tag)
        rows = store.all(
            f"select id, name, modified_on, {HAS_HOST} as has_host {MATCHING} and name > ?5 order by name limit ?6",
            *filters,
            after,
            limit,
        )
        before = store.count(f"select count(*) {MATCHING} and name <= ?5", *filters, after) if after else 0
        found.append((name, rows, before + 1, store.count(f"select count(*) {MATCHING}", *filters)))
    ids = [row["id"] for _name, rows, _first, _total in found for row in rows]
    chosen = "where script in (select value from json_each(?)) order by script, position"
    tags = rows_by_script(store, f"select script, tag from tags {chosen}", ids)
    bindings = rows_by_script(store, f"select script, name, type from bindings {chosen}", ids)
    return [
        WorkerList(
            name,
            [
                Worker(
                    row["id"],
                    row["name"],
                    url_of(row["name"]) if row["has_host"] else "",
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
    """Return the first routes of each zone, in the order of their patterns."""
    rows = store.all(
        "select * from (select zone, pattern, script, count(*) over (partition by zone) as total,"
        " row_number() over (partition by zone order by pattern) as position from routes"
        " where zone in (select value from json_each(?))) where position <= ? order by position",
        json.dumps([zone.id for zone in zones]),
        MAX_ROUTES,
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


def log_lines(logs: Logs, query: Query) -> list[LogLine]:
    """Return the latest log entries of the selected Workers, newest first."""

    def matches(entry: LogEntry) -> bool:
        account, namespace, name = entry.key.split("/", 2)
        return account == query.account and query.namespace in ("", namespace or ACCOUNT) and name.startswith(query.q)

    matching = (entry for _number, entry in reversed(logs.entries) if matches(entry))
    return [
        LogLine(
            entry.key.split("/")[1] or ACCOUNT,
            entry.key.rpartition("/")[2],
            entry.level,
            entry.text[:MAX_TEXT],
            datetime.fromtimestamp(entry.time),
        )
        for entry in islice(matching, MAX_LOG_LINES)
    ]


def build_page(state: ConsoleState, query: Query) -> ConsolePage:
    """Return the data of the page. It is consistent, since nothing here awaits."""
    settings, store, request_log = state.settings, state.store, state.request_log
    account = settings.account(query.account) or settings.accounts[0]
    listed = namespaces(store, account.id)
    names = [query.namespace] if query.namespace else [ACCOUNT, *(one.name for one in listed)]
    if query.namespace not in ("", ACCOUNT) and not store.one(
        f"select 1 {FROM_NAMESPACES} and name = ?", account.id, query.namespace
    ):
        names = []
    return ConsolePage(
        version=__version__,
        rendered_at=datetime.now().astimezone(),
        addresses=state.addresses,
        accounts=settings.accounts,
        account=account,
        rate_limit=RateLimit.of(state.rate_limiter),
        namespaces=listed,
        namespaces_total=store.count(f"select count(*) {FROM_NAMESPACES}", account.id),
        worker_lists=worker_lists(store, replace(query, account=account.id), names, local_urls(state, account)),
        zones=routes(store, [zone for zone in settings.zones if zone.account.id == account.id]),
        requests=list(islice(reversed(request_log.requests), MAX_REQUESTS)),
        reads=request_log.reads,
        writes=request_log.writes,
        log_lines=log_lines(state.logs, replace(query, account=account.id)),
    )
