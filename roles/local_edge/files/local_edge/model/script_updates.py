# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes of Workers: create, update and delete them, with their code, tags, versions and deployments."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local_edge.model import bindings, versions
from local_edge.model.bindings import Binding
from local_edge.model.config import UNVERSIONED
from local_edge.model.script_scope import ScriptScope
from local_edge.model.scripts import Script, Source, find, get
from local_edge.store import Store

UPSERT = (
    "insert into scripts"
    " (account, namespace, name, tag, etag, main, version, config, extras, created_on, modified_on)"
    " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (account, namespace, name) do update set"
    " etag = excluded.etag, main = excluded.main, version = excluded.version, config = excluded.config,"
    " extras = excluded.extras, modified_on = excluded.modified_on"
)


@dataclass(frozen=True)
class ScriptUpdate:
    """The changes of a write. None keeps the current value.

    `extras` are merged into the current ones. They are the state beside the configuration: `schedules`, `subdomain`,
    `migrations`, `deployed`. `version` is an existing version to deploy. Without it, the write adds a version.
    """

    source: Source | None = None
    config: Mapping[str, Any] | None = None
    bindings: Sequence[Binding] | None = None
    tags: Sequence[str] | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    version: versions.Version | None = None


def write(
    store: Store, scope: ScriptScope, name: str, update: ScriptUpdate, updates_modified_on: bool = True
) -> Script:
    """Create or change a Worker in one transaction."""
    with store.write() as db:
        old, time = find(store, scope, name), store.clock.now()
        kept = update.version.content if update.version else old
        etag = save_source(store, update.source) if update.source else kept.etag if kept else ""
        main = update.source.main if update.source else kept.main if kept else ""
        config = json.dumps(dict(update.config if update.config is not None else kept.config if kept else {}))
        extras = json.dumps(
            {**(old.extras if old else {}), **update.extras, **deployment_extras(scope, old, update, time)}
        )
        modified = time if updates_modified_on or old is None else old.modified_on
        db.execute(
            UPSERT,
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
        if update.bindings is not None:
            bindings.save(store, script.id, update.bindings)
        if update.tags is not None:
            save_tags(store, script.id, update.tags)
        if not scope.namespace:
            deploy(store, script, update)
        if old and old.etag != etag:
            drop_source(store, old.etag)
    return script


def deployment_extras(scope: ScriptScope, old: Script | None, update: ScriptUpdate, time: str) -> dict[str, Any]:
    """Return new version metadata for a Worker of a namespace, which has no versions, {} if it is unchanged."""
    same = (
        old
        and update.source is None
        and update.bindings is None
        and (update.config is None or versioned_config(update.config) == versioned_config(old.config))
    )
    return {} if same or not scope.namespace else {"deployed": {"id": str(uuid.uuid4()), "tag": "", "timestamp": time}}


def deploy(store: Store, script: Script, update: ScriptUpdate) -> None:
    """Insert a version of an account's Worker if it changed, and deploy it. Call inside `write()`."""
    latest = versions.latest(store, script.id)
    cause = "deployment" if update.version else "secret" if update.config is None else "upload"
    if update.version:
        ident = update.version.id
    elif (
        latest
        and update.source is None
        and update.bindings is None
        and versioned_config(script.config) == versioned_config(latest.content.config)
    ):
        return
    else:
        ident = versions.insert(
            store, script.id, content_of(store, script), {"workers/triggered_by": cause, **update.annotations}
        )
    message = {"workers/message": "Automatic deployment on upload."} if cause == "upload" else {}
    versions.deploy(
        store,
        script.id,
        [{"version_id": ident, "percentage": 100}],
        {"workers/triggered_by": cause, **message, **update.annotations},
    )
    prune_versions(store, script.id)


def prune_versions(store: Store, script: int) -> None:
    """Delete versions beyond the maximum, with their code. Call inside `write()`."""
    for etag in versions.prune(store, script):
        drop_source(store, etag)


def versioned_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that belong to a version."""
    return {name: value for name, value in config.items() if name not in UNVERSIONED}


def content_of(store: Store, script: Script) -> versions.Content:
    """Return the current content of a Worker, for a version."""
    return versions.Content(script.etag, script.main, script.config, list(bindings.load(store, script.id).values()))


def add_version(
    store: Store, script: Script, source: Source | None, content: versions.Content, annotations: Mapping[str, str]
) -> str:
    """Insert a version without deploying it and return its id. Without `source`, its code is stored already."""
    with store.write():
        if source:
            save_source(store, source)
        ident = versions.insert(store, script.id, content, annotations)
        prune_versions(store, script.id)
    return ident


def delete(store: Store, scripts: Iterable[Script]) -> None:
    """Delete Workers with their versions. Call inside `write()`."""
    for script in scripts:
        kept = [row["etag"] for row in store.all("select distinct etag from versions where script = ?", script.id)]
        store.db.execute("delete from scripts where id = ?", (script.id,))
        for etag in {script.etag, *kept}:
            drop_source(store, etag)


def save_tags(store: Store, script: int, tags: Iterable[str]) -> None:
    """Replace a Worker's tags. Call inside `write()`."""
    store.db.execute("delete from tags where script = ?", (script,))
    store.db.executemany(
        "insert into tags (script, tag, position) values (?, ?, ?)",
        [(script, tag, position) for position, tag in enumerate(tags)],
    )


def save_source(store: Store, source: Source) -> str:
    """Store the modules under their hash, unless they are stored, and return it. Call inside `write()`."""
    etag = source.etag
    if not store.one("select 1 from modules where etag = ?", etag):
        store.db.executemany(
            "insert into modules values (?, ?, ?, ?, ?)",
            [
                (etag, position, one.name, one.kind, one.body)
                for position, one in enumerate((*source.modules, *source.maps))
            ],
        )
    return etag


def drop_source(store: Store, etag: str) -> None:
    """Delete modules that no Worker and no version uses. Call inside `write()`."""
    store.db.execute(
        "delete from modules where etag = ?1 and not exists (select 1 from scripts where etag = ?1)"
        " and not exists (select 1 from versions where etag = ?1)",
        (etag,),
    )
