# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A user Worker: one tenant's, in a dispatch namespace."""

from __future__ import annotations

import typing as t

from .._cloudflare.client import Client
from .._cloudflare.responses import ApiResponse
from .._engine.fields import Attributes
from .._engine.plan import BulkStep
from .._worker import tag_limits
from .._worker.fingerprint import OWNER_PREFIX
from .dispatch_namespace import scripts_path
from .references import NAMESPACE, missing_message
from .script.base import Script
from .script.desired import Endpoint
from .script.info import ScriptInfo
from .script.mapping import SUMMARY_FIELDS, modified_after_upload
from .script.snapshot import LedgerEntry, Snapshot

CODE_NAMESPACE_NOT_FOUND = 100119
PAGE_SIZE = 1000  # Workers in one page of the list, and in one deletion by tag


class NamespacedWorker(Script):
    """A user Worker as one task declares it. In a bulk run, it is read from ``listing``, which is shared."""

    name = "namespaced_worker"
    identity = {
        "dispatch_namespace": {"type": "str", "required": True, "aliases": ["namespace"]},
        "name": {"type": "str", "required": True},
    }
    tag_limits = tag_limits.NAMESPACED
    listing: t.Mapping[str, Attributes] | None = None
    ledger_entry: LedgerEntry | None = None
    """The Worker's entry in the ledger, if it was made with the present fingerprint tag."""

    @property
    def is_listed(self) -> bool:
        return self.listing is not None

    @property
    def label(self) -> str:
        return f"Worker {self.options['name']!r} in dispatch namespace {self.options['dispatch_namespace']!r}"

    @property
    def endpoint(self) -> Endpoint:
        path = scripts_path(self.client, self.options["dispatch_namespace"], self.options["name"])
        return Endpoint(
            path,
            f"{path}/content",
            "PUT",
            f"{path}/tags",
            lambda tags: {"json": tags},
            self.tag_limits,
            self.client,
        )

    def read_summary(self) -> tuple[Snapshot | None, tuple[str, ...]]:
        script, missing = self._read() if self.listing is None else (self.listing.get(self.options["name"]), ())
        if script is None:
            return None, missing
        tags = tags_of(self.client, self.endpoint.path, script)
        summary = {"tags": tags, **{key: script.get(key) for key in SUMMARY_FIELDS}}
        entry = self.ledger_entry
        if entry is None:
            return Snapshot(summary, has_drifted=modified_after_upload(summary)), ()
        return Snapshot(summary, has_drifted=not entry.is_current(summary), memo=entry.memo), ()

    def _read(self) -> tuple[Attributes | None, tuple[str, ...]]:
        found = self.client.get_or_not_found(self.endpoint.path)
        is_missing = found.not_found_code == CODE_NAMESPACE_NOT_FOUND
        missing = (missing_message(NAMESPACE, self.options["dispatch_namespace"]),) if is_missing else ()
        return script_from_answer(found, self.options["name"]), missing


class NamespacedWorkerInfo(ScriptInfo):
    """Information about the Workers in a dispatch namespace."""

    name, result_key = "namespaced_worker_info", "namespaced_workers"
    identity = {"dispatch_namespace": NamespacedWorker.identity["dispatch_namespace"]}

    def path(self, *parts: str) -> str:
        return scripts_path(self.client, self.options["dispatch_namespace"], *parts)

    def scripts(self) -> t.Iterable[Attributes]:
        if not self.options["name"]:
            return self.client.list_or_none(self.path(), limit=PAGE_SIZE, **self.list_params) or []
        name = self.options["name"]
        found = script_from_answer(self.client.get_or_not_found(self.path(name)), name)
        return [found] if found else []


def script_from_answer(answer: ApiResponse, name: str) -> Attributes | None:
    """Return the Worker of a response, or None."""
    return {**answer.result, "id": name} if answer.result else None


def deletion_by_owner(path: str, owner: str) -> BulkStep:
    """Return the write that deletes the Workers of an owner, from the path of their namespace's Workers.

    Without a filter it would delete every tenant's, so the filter is never empty and always positive.
    """
    query = {"tags": f"{OWNER_PREFIX}{owner}:yes", "limit": PAGE_SIZE}
    return BulkStep(
        "DELETE",
        path,
        lambda: {"params": query},
        size=PAGE_SIZE,
        progress=lambda response: (response.result["deleted_count"], response.result["has_more"]),
    )


def tags_of(client: Client, path: str, script: Attributes) -> list[str]:
    """Return the tags of a Worker. A listing may omit them, which costs one request."""
    if "tags" not in script:
        script["tags"] = client.call("GET", f"{path}/tags").result
    return script["tags"] or []
