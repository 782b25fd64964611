# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Worker of the account: the router in front of the tenants, or any other that is not a tenant's."""

from __future__ import annotations

import typing as t

from .._engine.resource import Object, Step
from .script import TOLD, Script


class Worker(Script):
    """A Worker of the account as one task wants it."""

    name = "worker"
    identity = {"name": {"type": "str", "required": True}}

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

    def head(self) -> Object | None:
        # GET of one script answers with its source: the listing, which has no pages, is what tells of it.
        script = next((script for script in self.client.listing(self._path()) if script["id"] == self.options["name"]), None)
        if script is None:
            return None
        tags = script["tags"] if "tags" in script else self.client.call("GET", f"{self.path}/settings").result.get("tags")
        return {"tags": tags, **{key: script.get(key) for key in TOLD}}

    def put_tags(self, tags: t.Callable[[], list[str]]) -> Step:
        return Step("PATCH", f"{self.path}/script-settings", lambda: {"json": {"tags": tags()}})
