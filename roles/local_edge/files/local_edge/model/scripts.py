# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers, at both levels: of the account, and of a dispatch namespace."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local_edge.errors import ApiError, bad_parameter, invalid, namespace_missing, worker_missing
from local_edge.model import bindings, migrations, versions
from local_edge.model.bindings import Binding
from local_edge.model.config import DEFAULTS, UNVERSIONED
from local_edge.model.script_scope import ScriptScope
from local_edge.store import Store, now

NAME = re.compile(r"[a-z0-9_][a-z0-9_-]{0,62}")
MAX_TAGS = 8
#: The only environment there is.
ENVIRONMENT = "production"
#: Of a filter: more than the tags of any Worker, and less than a database bears in one question.
MAX_TERMS = 100


@dataclass(frozen=True)
class Module:
    """One file of a Worker: `kind` is what the runtime calls its type."""

    name: str
    kind: str
    body: bytes


@dataclass(frozen=True)
class Source:
    """A Worker's files."""

    main: str
    modules: Sequence[Module]

    @property
    def etag(self) -> str:
        digest = hashlib.sha256(self.main.encode())
        for module in self.modules:
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
        """How far its Durable Object migrations have come: `{"tag", "classes"}`."""
        state: Mapping[str, Any] = self.extras.get("migrations", migrations.EMPTY)
        return state

    @property
    def key(self) -> str:
        return self.scope.key(self.name)

    def settings(self) -> dict[str, Any]:
        return {name: self.config.get(name, default) for name, default in DEFAULTS.items()}


def check_scope(store: Store, scope: ScriptScope) -> ScriptScope:
    """The scope, unless its namespace is not there."""
    if scope.namespace and not store.one(
        "select 1 from namespaces where account = ? and name = ?", scope.account, scope.namespace
    ):
        raise namespace_missing()
    return scope


def check_tails(store: Store, account: str, config: Mapping[str, Any]) -> None:
    """Refuse to tell Workers of requests that are not there."""
    for one in config.get("tail_consumers") or []:
        name, namespace, environment = one["service"], one.get("namespace") or "", one.get("environment") or ENVIRONMENT
        if environment != ENVIRONMENT or not find(store, ScriptScope(account, namespace), name):
            where = f" in the dispatch namespace {namespace!r}" if namespace else ""
            raise invalid(
                f"tail_consumers: the Worker {name!r}{where}, environment {environment!r}, was not found: upload it first, or leave it out"
            )


def is_trusted(store: Store, scope: ScriptScope) -> bool:
    """Whether what is uploaded here now sees `request.cf` and shares its cache."""
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


def check_tags(tags: Any, longest: int, odd: bool) -> list[str]:
    """The tags of an upload; at most eight, none too long, and unless `odd` none that the filter's grammar could not name."""
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise invalid("tags must be a list of strings")
    unique = list(dict.fromkeys(tags))
    if len(unique) > MAX_TAGS:
        raise invalid(f"a Worker has at most {MAX_TAGS} tags, not {len(unique)}")
    wrong = [tag for tag in unique if not 1 <= len(tag) <= longest or (not odd and re.search(r"[,&\s]", tag))]
    if wrong:
        limits = f"1 to {longest} characters" + ("" if odd else ", without comma, ampersand or white space")
        raise invalid(f"tag {wrong[0]!r}: a tag has {limits}")
    return unique


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
    """The Worker, or the refusal that fits: the namespace is not there, or the Worker is not."""
    script = find(store, scope, name)
    if script is None:
        check_scope(store, scope)
        raise worker_missing()
    return script


def tag_filter(text: str) -> tuple[list[str], list[str]]:
    """Read `a:yes,b:no` as the tags that must and those that must not be there."""
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
    """Workers of a scope by name, beginning after `after`."""
    wanted, unwanted = tag_filter(tags)
    having = "exists (select 1 from tags where script = scripts.id and tag = ?)"
    where = ["account = ?", "namespace = ?", "name > ?", *[having] * len(wanted), *[f"not {having}"] * len(unwanted)]
    rows = store.all(
        f"select * from scripts where {' and '.join(where)} order by name limit ?",
        scope.account,
        scope.namespace,
        after,
        *wanted,
        *unwanted,
        -1 if limit is None else limit,
    )
    return [from_row(row) for row in rows]


def tags_of(store: Store, script: int) -> list[str]:
    return [row["tag"] for row in store.all("select tag from tags where script = ? order by position", script)]


def save_tags(store: Store, script: int, tags: Iterable[str]) -> None:
    """Replace a Worker's tags; inside `write()`."""
    store.db.execute("delete from tags where script = ?", (script,))
    store.db.executemany(
        "insert into tags (script, tag, position) values (?, ?, ?)",
        [(script, tag, position) for position, tag in enumerate(tags)],
    )


def source_of(store: Store, content: Script | versions.Content) -> Source:
    rows = store.all("select name, kind, body from modules where etag = ? order by position", content.etag)
    return Source(content.main, [Module(row["name"], row["kind"], row["body"]) for row in rows])


def save_source(store: Store, source: Source) -> str:
    """Keep the files under their hash, once; inside `write()`."""
    etag = source.etag
    if not store.one("select 1 from modules where etag = ?", etag):
        store.db.executemany(
            "insert into modules values (?, ?, ?, ?, ?)",
            [(etag, position, one.name, one.kind, one.body) for position, one in enumerate(source.modules)],
        )
    return etag


def drop_source(store: Store, etag: str) -> None:
    """Forget files that no Worker has any more; inside `write()`."""
    store.db.execute(
        "delete from modules where etag = ?1 and not exists (select 1 from scripts where etag = ?1)"
        " and not exists (select 1 from versions where etag = ?1)",
        (etag,),
    )


@dataclass(frozen=True)
class Change:
    """What a write makes of a Worker; None leaves as it is.

    `extras` is merged: what belongs to a Worker beside its configuration (`schedules`, `subdomain`, `migrations`, `deployed`). `version` is
    one that exists already and is deployed by this write; otherwise the write makes one.
    """

    source: Source | None = None
    config: Mapping[str, Any] | None = None
    bindings: Sequence[Binding] | None = None
    tags: Sequence[str] | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    version: versions.Version | None = None


def write(store: Store, scope: ScriptScope, name: str, change: Change, updates_modified_on: bool = True) -> Script:
    """Create or change a Worker as a whole: either all of it is on disk, or nothing."""
    with store.write() as db:
        old, time = find(store, scope, name), now()
        kept = change.version.content if change.version else old
        etag = save_source(store, change.source) if change.source else kept.etag if kept else ""
        main = change.source.main if change.source else kept.main if kept else ""
        config = json.dumps(dict(change.config if change.config is not None else kept.config if kept else {}))
        extras = json.dumps({**(old.extras if old else {}), **change.extras, **deployed(scope, old, change, time)})
        modified = time if updates_modified_on or old is None else old.modified_on
        db.execute(
            "insert into scripts (account, namespace, name, tag, etag, main, version, config, extras, created_on, modified_on)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (account, namespace, name) do update set"
            " etag = excluded.etag, main = excluded.main, version = excluded.version, config = excluded.config,"
            " extras = excluded.extras, modified_on = excluded.modified_on",
            (
                scope.account,
                scope.namespace,
                name,
                uuid.uuid4().hex,
                etag,
                main,
                store.next_version(),
                config,
                extras,
                time,
                modified,
            ),
        )
        script = get(store, scope, name)
        if change.bindings is not None:
            bindings.save(store, script.id, change.bindings)
        if change.tags is not None:
            save_tags(store, script.id, change.tags)
        if not scope.namespace:
            deploy(store, script, change)
        if old and old.etag != etag:
            drop_source(store, old.etag)
    return script


def deployed(scope: ScriptScope, old: Script | None, change: Change, time: str) -> dict[str, Any]:
    """What a Worker of a namespace may know of what answers, where this write changes that: it has no versions."""
    same = (
        old
        and change.source is None
        and change.bindings is None
        and (change.config is None or versioned(change.config) == versioned(old.config))
    )
    return {} if same or not scope.namespace else {"deployed": {"id": str(uuid.uuid4()), "tag": "", "timestamp": time}}


def answering(store: Store, script: Script) -> Mapping[str, str]:
    """The version that answers, as the Worker itself is told of it: `{"id", "tag", "timestamp"}`."""
    if script.scope.namespace:
        told: Mapping[str, str] = script.extras["deployed"]
        return told
    version = versions.active(store, script.id)
    return {"id": version.id, "tag": version.annotations.get("workers/tag", ""), "timestamp": version.created_on}


def deploy(store: Store, script: Script, change: Change) -> None:
    """Keep what an account's Worker has become as a version, and note that it answers; inside `write()`."""
    latest = versions.latest(store, script.id)
    cause = "deployment" if change.version else "secret" if change.config is None else "upload"
    if change.version:
        ident = change.version.id
    elif (
        latest
        and change.source is None
        and change.bindings is None
        and versioned(script.config) == versioned(latest.content.config)
    ):
        return
    else:
        ident = versions.record(
            store, script.id, content_of(store, script), {"workers/triggered_by": cause, **change.annotations}
        )
    message = {"workers/message": "Automatic deployment on upload."} if cause == "upload" else {}
    versions.deploy(
        store,
        script.id,
        [{"version_id": ident, "percentage": 100}],
        {"workers/triggered_by": cause, **message, **change.annotations},
    )
    forget_old_versions(store, script.id)


def forget_old_versions(store: Store, script: int) -> None:
    """Let go of versions beyond those that are kept, and of their code; inside `write()`."""
    for etag in versions.prune(store, script):
        drop_source(store, etag)


def versioned(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a configuration a version holds."""
    return {name: value for name, value in config.items() if name not in UNVERSIONED}


def content_of(store: Store, script: Script) -> versions.Content:
    """What the Worker consists of now."""
    return versions.Content(script.etag, script.main, script.config, list(bindings.load(store, script.id).values()))


def add_version(
    store: Store, script: Script, source: Source | None, content: versions.Content, annotations: Mapping[str, str]
) -> str:
    """Keep a version that does not answer yet; its id. Without `source` its code is that of an earlier one."""
    with store.write():
        if source:
            save_source(store, source)
        ident = versions.record(store, script.id, content, annotations)
        forget_old_versions(store, script.id)
    return ident


def delete(store: Store, doomed: Iterable[Script]) -> None:
    """Remove Workers; inside `write()`."""
    for script in doomed:
        kept = [row["etag"] for row in store.all("select distinct etag from versions where script = ?", script.id)]
        store.db.execute("delete from scripts where id = ?", (script.id,))
        for etag in {script.etag, *kept}:
            drop_source(store, etag)


@dataclass(frozen=True)
class User:
    """A Worker that binds to another: as a service, and as the outbound Worker of dispatch namespaces."""

    scope: ScriptScope
    name: str
    as_service: bool
    outbound_of: tuple[str, ...]


def users_of(store: Store, script: Script) -> list[User]:
    """The Workers, of the account and of its namespaces, that bind to this one; only one of the account can be bound to."""
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
        User(
            scope,
            name,
            any(row["type"] == "service" for row in bound),
            tuple(row["target"] for row in bound if row["type"] == "dispatch_namespace"),
        )
        for (scope, name), bound in found.items()
    ]
