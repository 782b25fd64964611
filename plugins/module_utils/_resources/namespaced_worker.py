# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A user Worker: one tenant's, in a dispatch namespace."""

from __future__ import annotations

import typing as t

from .._cloudflare.client import ApiResponse, Client
from .._engine.resource import Attributes, Step
from .._worker.bindings import Binding, unmanaged_filter
from .._worker.settings import SETTINGS
from .dispatch_namespace import scripts_path
from .ledger_memo import LedgerMemo, from_memo, make_memo
from .script import Script
from .script_info import ScriptInfo
from .script_mapping import SUMMARY_FIELDS
from .secrets import SENSITIVE

CODE_NAMESPACE_NOT_FOUND = 100119
LEDGER_FIELDS = tuple(field for field in Script.fields if field.name in ("modules", *SETTINGS))


class NamespacedWorker(Script):
    """A user Worker as one task wants it. C(listing) is what a listing said of all of them, where one was read."""

    name = "namespaced_worker"
    identity = {
        "dispatch_namespace": {"type": "str", "required": True, "aliases": ["namespace"]},
        "name": {"type": "str", "required": True},
    }
    listing: t.Mapping[str, Attributes] | None = None
    ledger_entry: t.Sequence[t.Any] = ()
    """Its entry in the ledger, if its stamp is still the same: stamp, etag and modified_on as they were told then, and what is remembered of the rest."""

    @property
    def reads_itself(self) -> bool:
        return self.listing is None

    @property
    def label(self) -> str:
        return f"Worker {self.options['name']!r} in dispatch namespace {self.options['dispatch_namespace']!r}"

    @property
    def path(self) -> str:
        return scripts_path(self.client, self.options["dispatch_namespace"], self.options["name"])

    def read_summary(self) -> Attributes | None:
        script = self._read() if self.listing is None else self.listing.get(self.options["name"])
        if script is None:
            return None
        return {"tags": tags_of(self.client, self.path, script), **{key: script.get(key) for key in SUMMARY_FIELDS}}

    def _read(self) -> Attributes | None:
        found = self.client.get_or_not_found(self.path)
        if found.not_found_code == CODE_NAMESPACE_NOT_FOUND:
            self.missing.append(namespace_missing_message(self.options["dispatch_namespace"]))
        return script_from_answer(found)

    def has_drifted(self, summary: Attributes) -> bool:
        if self.ledger_entry:
            return list(self.ledger_entry[1:3]) != [summary.get("etag"), summary.get("modified_on")]
        return super().has_drifted(summary)

    def state_from_ledger(self, same: bool) -> Attributes | None:
        memos, wanted = self.ledger_entry[3:], self.desired(None)
        seen = from_memo(memos[0], LEDGER_FIELDS, wanted, self._declared or []) if memos else None
        if seen is None or self._keeps_unmanaged(seen["bindings"]):
            return None
        self._bundle_digest = self._bundle_digest if same else self._source.bundle_digest
        code = {"modules": wanted["modules"]} if same else {}
        return {**seen, **code, "secrets": dict.fromkeys(memos[0].get("secrets", ()), SENSITIVE)}

    def _keeps_unmanaged(self, there: t.Iterable[Binding]) -> bool:
        """Whether bindings stay that are not declared: then all that stays, secrets too, is named in an upload, and what is not named is lost."""
        unmanaged = self.options["unmanaged_bindings"]
        kept, declared = (
            unmanaged_filter(self.user_params, unmanaged),
            {binding["name"] for binding in self._declared or []},
        )
        return unmanaged == "keep" or any(kept(binding) for binding in there if binding["name"] not in declared)

    def ledger_memo(self, current: Attributes) -> list[LedgerMemo]:
        """Return what the ledger shall remember of the Worker, if anything. A change of its tags leaves the rest as it was noted."""
        if self.is_fully_read:
            return [make_memo(current, LEDGER_FIELDS, self._declared or [])]
        return [{**rest, "tags": current["tags"]} for rest in self.ledger_entry[3:]]

    def replace_tags(self, tags: t.Callable[[], list[str]]) -> Step:
        return Step("PUT", f"{self.path}/tags", lambda: {"json": tags()})


class NamespacedWorkerInfo(ScriptInfo):
    """The Workers in a dispatch namespace that one task asks for."""

    name, result_key = "namespaced_worker_info", "namespaced_workers"
    identity = {"dispatch_namespace": NamespacedWorker.identity["dispatch_namespace"]}

    def path(self, *parts: str) -> str:
        return scripts_path(self.client, self.options["dispatch_namespace"], *parts)

    def scripts(self) -> t.Iterable[Attributes]:
        if not self.options["name"]:
            return self.client.list_or_none(self.path(), limit=1000, **self.list_params) or []
        found = script_from_answer(self.client.get_or_not_found(self.path(self.options["name"])))
        return [found] if found else []


def script_from_answer(answer: ApiResponse) -> Attributes | None:
    """Return the Worker of an answer; None where there is none, which may also be a success that holds nothing."""
    return answer.result["script"] if answer.result else None


def tags_of(client: Client, path: str, script: Attributes) -> list[str]:
    """Return the tags of a Worker, at the cost of a request where it was told without them, as a listing may do."""
    if "tags" not in script:
        script["tags"] = client.call("GET", f"{path}/tags").result
    return script["tags"] or []


def namespace_missing_message(name: str) -> str:
    """Say what to do about a dispatch namespace that does not exist."""
    return f"There is no dispatch namespace {name!r}: create it first, with tenantry.cloudflare_workers.dispatch_namespace, or correct its name."
