# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Worker of the account: the router in front of the tenants, or any other that is not a tenant's."""

from __future__ import annotations

import dataclasses
import typing as t

from .._engine.fields import Attributes, Field
from .._worker import tag_limits
from .script.base import Script
from .script.desired import Endpoint, Resolved
from .script.info import ScriptInfo
from .script.mapping import SUMMARY_FIELDS, modified_after_upload
from .script.planner import needs_replacement
from .script.snapshot import Snapshot


class Worker(Script):
    """A Worker of the account as one task declares it."""

    name = "worker"
    identity = {"name": {"type": "str", "required": True}}
    tag_limits = tag_limits.ACCOUNT
    fields = (*Script.fields, Field("workers_dev", {"type": "bool"}, initial=False, removed=False))

    @property
    def label(self) -> str:
        return f"Worker {self.options['name']!r}"

    def _path(self, *parts: str) -> str:
        return self.client.account("workers", "scripts", *parts)

    @property
    def endpoint(self) -> Endpoint:
        path = self._path(self.options["name"])
        return Endpoint(
            path,
            f"{path}/content/v2",
            "PATCH",
            f"{path}/script-settings",
            lambda tags: {"json": {"tags": tags}},
            self.tag_limits,
            self.client,
        )

    def read_summary(self) -> tuple[Snapshot | None, tuple[str, ...]]:
        # GET of one script returns its source. The listing, which has no pages, returns its attributes.
        name, path = self.options["name"], self.endpoint.path
        script = next((script for script in self.client.list_all(self._path()) if script["id"] == name), None)
        if script is None:
            return None, ()
        tags = script["tags"] if "tags" in script else self.client.call("GET", f"{path}/settings").result["tags"]
        summary = {"tags": tags, **{key: script.get(key) for key in SUMMARY_FIELDS}}
        return Snapshot(summary, has_drifted=modified_after_upload(summary)), ()

    def read_more(self, resolved: Resolved, snapshot: Snapshot) -> Snapshot:
        # A Worker that is created again forgets whether it answers on workers.dev.
        if "workers_dev" not in self.user_params and not needs_replacement(resolved, snapshot):
            return snapshot
        subdomain = self.client.call("GET", f"{self.endpoint.path}/subdomain").result
        return dataclasses.replace(snapshot, subdomain=subdomain)


class WorkerInfo(ScriptInfo):
    """Information about the Workers of the account."""

    name, result_key = "worker_info", "workers"
    content = ("content", "v2")

    def path(self, *parts: str) -> str:
        return self.client.account("workers", "scripts", *parts)

    def scripts(self) -> t.Iterable[Attributes]:
        return self.client.list_all(self.path(), **self.list_params)
