# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Information about Workers, in a dispatch namespace or on the account: a listing, and details of each on request."""

from __future__ import annotations

import re
import typing as t
from abc import abstractmethod

from ..._cloudflare.errors import CloudflareError
from ..._engine.fields import Attributes, Field
from ..._engine.info import Info
from ..._worker.fingerprint import OWNER_PREFIX, find_fingerprint_tag
from ..._worker.multipart import read_modules
from .mapping import assets_from_api, script_from_api, settings_from_api
from .reader import with_bindings

TAG_FILTER = re.compile(r"(.+):(yes|no)")  # of Cloudflare's filter by tags
DETAIL = ("listing", "settings", "content")  # each includes those before it


class ScriptInfo(Info):
    """Information about the Workers of one scope. ``content`` is the path of the code, below a Worker."""

    fields = (Field("name", {"type": "str"}), Field("owner", {"type": "str"}))
    behavior_options = {
        "tags": {"type": "list", "elements": "str"},
        "detail": {"type": "str", "choices": list(DETAIL), "default": DETAIL[0]},
    }
    content: t.ClassVar[tuple[str, ...]] = ("content",)

    def __init__(self, client: t.Any, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        self._terms = [term.strip() for tag in options["tags"] or () for term in tag.split(",")]
        for term in self._terms:
            if not TAG_FILTER.fullmatch(term):
                raise CloudflareError(
                    f"tags: {term!r} is not a valid filter. Write plan-pro:yes for Workers with the tag, plan-pro:no"
                    " for"
                    " Workers without it."
                )

    @abstractmethod
    def path(self, *parts: str) -> str:
        """Return the path of the Workers, of one, or of a part of one."""

    @abstractmethod
    def scripts(self) -> t.Iterable[Attributes]:
        """Read the Workers as the API lists them."""

    @property
    def list_params(self) -> dict[str, str]:
        """Query parameters that make the API filter the listing."""
        terms = [*self._terms, *([f"{OWNER_PREFIX}{self.options['owner']}:yes"] if self.options["owner"] else [])]
        return {"tags": ",".join(terms)} if terms else {}

    def list_objects(self) -> t.Iterable[Attributes]:
        where = {name: self.options[name] for name in self.identity}
        for script in self.scripts():
            tags = self._tags(script)
            if tags is not None and self._matches_tags(tags):
                assets = assets_from_api(script.get("has_assets") is True, find_fingerprint_tag(tags))
                yield {**where, "name": script["id"], **script_from_api(script, tags), "assets": assets}

    def _tags(self, script: Attributes) -> list[str] | None:
        """Return the tags of a Worker, or None if it was deleted in the meantime."""
        if "tags" in script:
            return list(script["tags"])
        # Listings have not always included tags.
        found = self.client.get_or_none(self.path(script["id"], "settings"))
        return list(found.result["tags"]) if found else None

    def _matches_tags(self, tags: t.Collection[str]) -> bool:
        """Whether these tags match the filter."""
        return all((tag in tags) is (side == "yes") for tag, side in (term.rsplit(":", 1) for term in self._terms))

    def fetch_details(self, chosen: t.Iterable[Attributes]) -> t.Iterable[Attributes]:
        readers = (self._settings, self._modules)[: DETAIL.index(self.options["detail"])]
        for worker in chosen:
            parts = [reader(worker["name"]) for reader in readers]
            if all(parts):
                yield {key: value for part in (worker, *parts) for key, value in part.items()}

    def _settings(self, name: str) -> Attributes:
        found = self.client.get_or_none(self.path(name, "settings"))
        return settings_from_api(with_bindings(self.client, self.path(name), found.result)) if found else {}

    def _modules(self, name: str) -> Attributes:
        found = self.client.get_or_none(self.path(name, *self.content), headers={"Accept": "*/*"})
        if not found:
            return {}
        modules = read_modules(found.content, found.content_type, found.entrypoint)
        return {"modules": [module.summary for module in modules]}
