# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Worker of the account: the router in front of the tenants, or any other that is not a tenant's."""

from __future__ import annotations

import typing as t

from .._engine.resource import Attributes, Field, Step, json_body
from .script import Script
from .script_info import ScriptInfo
from .script_mapping import SUMMARY_FIELDS


def worker_missing_message(name: str) -> str:
    """Say what to do about a Worker that does not exist."""
    return (
        f"There is no Worker {name!r}: upload it first, with tenantry.cloudflare_workers.worker, or correct its name."
    )


class Worker(Script):
    """A Worker of the account as one task wants it."""

    name = "worker"
    identity = {"name": {"type": "str", "required": True}}
    fields = (*Script.fields, Field("workers_dev", {"type": "bool"}, initial=False, removed=False))

    def __init__(self, client: t.Any, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        self._subdomain_settings: Attributes = {}

    @property
    def label(self) -> str:
        return f"Worker {self.options['name']!r}"

    def _path(self, *parts: str) -> str:
        return self.client.account("workers", "scripts", *parts)

    @property
    def path(self) -> str:
        return self._path(self.options["name"])

    @property
    def content_path(self) -> str:
        return f"{self.path}/content/v2"

    def read_summary(self) -> Attributes | None:
        # GET of one script answers with its source: the listing, which has no pages, is what tells of it.
        script = next(
            (script for script in self.client.list_all(self._path()) if script["id"] == self.options["name"]), None
        )
        if script is None:
            return None
        tags = (
            script["tags"] if "tags" in script else self.client.call("GET", f"{self.path}/settings").result.get("tags")
        )
        return {"tags": tags, **{key: script.get(key) for key in SUMMARY_FIELDS}}

    def observe(self) -> Attributes | None:
        current = super().observe()
        if current and (
            "workers_dev" in self.user_params or self._needs_replacement(current)
        ):  # who is made anew forgets it
            self._subdomain_settings = self.client.call("GET", f"{self.path}/subdomain").result
            current["workers_dev"] = self._subdomain_settings["enabled"]
        return current

    def create(self, after: Attributes) -> t.Iterable[Step]:
        return [*super().create(after), *(self._subdomain_step(after) if "workers_dev" in self.user_params else [])]

    def update(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> t.Iterable[Step]:
        others = [name for name in changed if name != "workers_dev"]
        switched = after["workers_dev"] if self._needs_replacement(before) else "workers_dev" in changed
        return [*super().update(before, after, others), *(self._subdomain_step(after) if switched else [])]

    def _subdomain_step(self, after: Attributes) -> list[Step]:
        """Return the write that lets it answer on workers.dev, or not. Its previews stay as they are, which a write does not promise that is silent of them."""
        return [
            Step(
                "POST",
                f"{self.path}/subdomain",
                json_body({**self._subdomain_settings, "enabled": after["workers_dev"]}),
            )
        ]

    def replace_tags(self, tags: t.Callable[[], list[str]]) -> Step:
        return Step("PATCH", f"{self.path}/script-settings", lambda: {"json": {"tags": tags()}})


class WorkerInfo(ScriptInfo):
    """The Workers of the account that one task asks for."""

    name, result_key = "worker_info", "workers"
    content = ("content", "v2")

    def path(self, *parts: str) -> str:
        return self.client.account("workers", "scripts", *parts)

    def scripts(self) -> t.Iterable[Attributes]:
        return self.client.list_all(self.path(), **self.list_params)
