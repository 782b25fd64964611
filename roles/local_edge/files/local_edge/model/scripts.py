# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers of accounts and of dispatch namespaces: names, tags, queries. See `script_updates` for writes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_edge.errors import ApiError, bad_parameter, invalid, namespace_missing, worker_missing
from local_edge.model import migrations, versions
from local_edge.model.config import DEFAULTS
from local_edge.model.script_scope import ScriptScope
from local_edge.store import Store

NAME = re.compile(r"[a-z0-9_][a-z0-9_-]{0,62}")
#: In place of codes that are not published.
UNKNOWN_CODE = 10021
#: The only supported environment.
ENVIRONMENT = "production"
#: The kind of source maps, which are stored like modules.
SOURCE_MAP = "source-map"
#: Terms of a tag filter. A Worker has fewer tags, and SQLite supports more conditions.
MAX_TERMS = 100


@dataclass(frozen=True)
class Module:
    """One file of a Worker. `kind` is the runtime's name for its type."""

    name: str
    kind: str
    body: bytes


@dataclass(frozen=True)
class Source:
    """The modules of a Worker and their source maps. `main` is the name of the entry module."""

    main: str
    modules: Sequence[Module]
    maps: Sequence[Module] = ()

    @property
    def etag(self) -> str:
        digest = hashlib.sha256(self.main.encode())
        for module in (*self.modules, *self.maps):
            digest.update(f"\0{module.name}\0{module.kind}\0{len(module.body)}\0".encode())
            digest.update(module.body)
        return digest.hexdigest()


@dataclass(frozen=True)
class Script:
    """A stored Worker without its files, bindings and tags."""

    id: int
    scope: ScriptScope
    name: str
    tag: str
    etag: str
    main: str
    version: int
    config: Mapping[str, Any]
    extras: Mapping[str, Any]
    created_on: str
    modified_on: str

    @property
    def migrations(self) -> Mapping[str, Any]:
        """The state of its Durable Object migrations: `{"tag", "classes"}`."""
        state: Mapping[str, Any] = self.extras.get("migrations", migrations.EMPTY)
        return state

    @property
    def key(self) -> str:
        return self.scope.key(self.name)

    def settings(self) -> dict[str, Any]:
        return {name: self.config.get(name, default) for name, default in DEFAULTS.items()}


def check_scope(store: Store, scope: ScriptScope) -> ScriptScope:
    """Return the scope. Raise ApiError if its namespace does not exist."""
    if scope.namespace and not store.one(
        "select 1 from namespaces where account = ? and name = ?", scope.account, scope.namespace
    ):
        raise namespace_missing()
    return scope


def check_tail_consumers(store: Store, account: str, config: Mapping[str, Any]) -> None:
    """Raise ApiError if a tail consumer does not exist."""
    for one in config.get("tail_consumers") or []:
        name, namespace, environment = one["service"], one.get("namespace") or "", one.get("environment") or ENVIRONMENT
        if environment != ENVIRONMENT or not find(store, ScriptScope(account, namespace), name):
            where = f" in the dispatch namespace {namespace!r}" if namespace else ""
            raise invalid(
                f"tail_consumers: the Worker {name!r}{where}, environment {environment!r}, was not found: upload it "
                "first, or leave it out"
            )


def is_trusted(store: Store, scope: ScriptScope) -> bool:
    """Return whether Workers uploaded to this scope get `request.cf` and share a cache."""
    return bool(
        store.one("select 1 from namespaces where account = ? and name = ? and trusted", scope.account, scope.namespace)
    )


def check_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ApiError(
            400,
            10016,
            f"Invalid Worker name {name!r}: lower-case letters, digits, - and _, at most 63, not beginning with -",
        )
    return name


@dataclass(frozen=True)
class TagRules:
    """The number of tags of a Worker, the size of each in bytes, and the characters that they must not contain."""

    count: int
    size: int
    reserved: str

    def check(self, tags: Any) -> list[str]:
        """Return the tags without duplicates. Raise ApiError if they break a rule."""
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise invalid("tags must be a list of strings")
        unique = list(dict.fromkeys(tags))
        if len(unique) > self.count:
            limit = f"You have exceeded the limit of {self.count} tags per Worker. Remove a tag to add another."
            raise ApiError(403, UNKNOWN_CODE, limit)
        if any(len(tag.encode()) > self.size for tag in unique):
            raise ApiError(400, UNKNOWN_CODE, "Tag is too large")
        wrong = [tag for tag in unique if not tag or set(tag) & set(self.reserved)]
        if wrong:
            raise invalid(f"tag {wrong[0]!r} is empty or contains one of the characters {self.reserved!r}")
        return unique


#: Rules for Workers of the account. Those of a namespace are behaviors.
ACCOUNT_TAGS = TagRules(10, 1024, ",&")


def from_row(row: Any) -> Script:
    fields = {name: row[name] for name in ("id", "name", "tag", "etag", "main", "version", "created_on", "modified_on")}
    return Script(
        scope=ScriptScope(row["account"], row["namespace"]),
        config=json.loads(row["config"]),
        extras=json.loads(row["extras"]),
        **fields,
    )


def find(store: Store, scope: ScriptScope, name: str) -> Script | None:
    row = store.one(
        "select * from scripts where account = ? and namespace = ? and name = ?", scope.account, scope.namespace, name
    )
    return from_row(row) if row else None


def get(store: Store, scope: ScriptScope, name: str) -> Script:
    """Return the Worker. Raise ApiError if it or its namespace does not exist."""
    script = find(store, scope, name)
    if script is None:
        check_scope(store, scope)
        raise worker_missing()
    return script


def tag_filter(text: str) -> tuple[list[str], list[str]]:
    """Parse `a:yes,b:no` into the required and the excluded tags."""
    terms = [term.strip() for term in text.split(",") if term.strip()]
    wrong = [term for term in terms if not re.fullmatch(r".+:(yes|no)", term)]
    if wrong:
        raise bad_parameter("tags", f"{wrong[0]!r} is not TAG:yes or TAG:no")
    if len(terms) > MAX_TERMS:
        raise bad_parameter("tags", f"a filter has at most {MAX_TERMS} terms, not {len(terms)}")
    pairs = [term.rsplit(":", 1) for term in terms]
    return [tag for tag, side in pairs if side == "yes"], [tag for tag, side in pairs if side == "no"]


def listing(
    store: Store, scope: ScriptScope, tags: str = "", after: str = "", limit: int | None = None
) -> list[Script]:
    """Return the Workers of a scope in the order of their names, from the first name after `after` on."""
    required, excluded = tag_filter(tags)
    having = "exists (select 1 from tags where script = scripts.id and tag = ?)"
    where = ["account = ?", "namespace = ?", "name > ?", *[having] * len(required), *[f"not {having}"] * len(excluded)]
    rows = store.all(
        f"select * from scripts where {' and '.join(where)} order by name limit ?",
        scope.account,
        scope.namespace,
        after,
        *required,
        *excluded,
        -1 if limit is None else limit,
    )
    return [from_row(row) for row in rows]


def tags_of(store: Store, script: int) -> list[str]:
    return [row["tag"] for row in store.all("select tag from tags where script = ? order by position", script)]


def source_of(store: Store, content: Script | versions.Content) -> Source:
    rows = store.all("select name, kind, body from modules where etag = ? order by position", content.etag)
    stored = [Module(row["name"], row["kind"], row["body"]) for row in rows]
    maps = [one for one in stored if one.kind == SOURCE_MAP]
    return Source(content.main, [one for one in stored if one.kind != SOURCE_MAP], maps)


def active_version_info(store: Store, script: Script) -> Mapping[str, str]:
    """Return the `{"id", "tag", "timestamp"}` of the deployed version, for a version_metadata binding."""
    if script.scope.namespace:
        info: Mapping[str, str] = script.extras["deployed"]
        return info
    version = versions.active(store, script.id)
    return {"id": version.id, "tag": version.annotations.get("workers/tag", ""), "timestamp": version.created_on}


@dataclass(frozen=True)
class Dependent:
    """A Worker that binds to another one: as a service, or as the outbound Worker of dispatch namespaces."""

    scope: ScriptScope
    name: str
    as_service: bool
    outbound_of: tuple[str, ...]


def dependents_of(store: Store, script: Script) -> list[Dependent]:
    """Return the Workers that bind to this one. Only a Worker of the account can have dependents."""
    if script.scope.namespace:
        return []
    rows = store.all(
        "select scripts.account, scripts.namespace, scripts.name, bindings.type, bindings.target from bindings"
        " join scripts on scripts.id = bindings.script where (bindings.type = 'service' and bindings.target = ?1 or"
        " bindings.type = 'dispatch_namespace' and json_extract(bindings.spec, '$.outbound.worker.service') = ?1)"
        " and scripts.account = ?2 and scripts.id != ?3 order by scripts.name, scripts.namespace",
        script.name,
        script.scope.account,
        script.id,
    )
    found: dict[tuple[ScriptScope, str], list[Any]] = {}
    for row in rows:
        found.setdefault((ScriptScope(row["account"], row["namespace"]), row["name"]), []).append(row)
    return [
        Dependent(
            scope,
            name,
            any(row["type"] == "service" for row in bound),
            tuple(row["target"] for row in bound if row["type"] == "dispatch_namespace"),
        )
        for (scope, name), bound in found.items()
    ]
