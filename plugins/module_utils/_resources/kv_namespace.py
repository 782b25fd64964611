# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""KV namespaces. The API cannot search by title, so the module lists all namespaces."""

from __future__ import annotations

import typing as t

from .._cloudflare.client import Client
from .._cloudflare.errors import CloudflareError
from .._engine.fields import Attributes, Field
from .._engine.info import Info
from .._engine.plan import Step, json_body
from .._engine.resource import Observation, Resource
from .._worker.binding_types import KV_BY_TITLE
from .kv_values import belongs_to

ROOT = KV_BY_TITLE.path


def find_by_title(client: Client, title: str) -> Attributes | None:
    """Return the KV namespace with this title, or None."""
    found = KV_BY_TITLE.find(client, title)
    return _from_api(found) if found else None


def find_by_id(client: Client, ident: str) -> Attributes | None:
    """Return the KV namespace with this id, or None."""
    found = client.get_or_none(client.account(*ROOT, ident))
    return _from_api(found.result) if found else None


def list_all(client: Client) -> t.Iterator[Attributes]:
    """List all KV namespaces of the account."""
    return map(_from_api, KV_BY_TITLE.list_all(client))


def _from_api(namespace: t.Mapping[str, t.Any]) -> Attributes:
    return {"id": namespace["id"], "title": namespace["title"], "jurisdiction": namespace.get("jurisdiction")}


class KVNamespace(Resource):
    """A KV namespace. With C(id), C(title) is the new title."""

    name = "kv_namespace"
    identity = {"id": {"type": "str"}}
    fields = (Field("title", {"type": "str"}), Field("jurisdiction", {"type": "str"}, initial=None))
    behavior_options = {"force": {"type": "bool", "default": False}, "owner": {"type": "str"}}
    argument_rules = {"required_one_of": [("title", "id")]}
    computed = ("id",)

    @property
    def label(self) -> str:
        return f"KV namespace {self.options.get('title') or self.options['id']!r}"

    def observe(self) -> Observation:
        found = self._find()
        if found and self.state == "absent" and not self.options["force"]:
            self._other_key = self._find_other_key(found["id"])
        return Observation(found)

    def _find_other_key(self, ident: str) -> str:
        """Return the name of a key that does not belong to the owner. Return "" if there is none."""
        owner = self.options["owner"]
        keys = self.client.iterate(self.client.account(*ROOT, ident, "keys"), limit=1000)
        return next((key["name"] for key in keys if owner is None or not belongs_to(owner, key)), "")

    def _find(self) -> Attributes | None:
        return (
            find_by_id(self.client, self.options["id"])
            if self.options.get("id")
            else find_by_title(self.client, self.options["title"])
        )

    _other_key = ""

    def guard(self, before: Attributes | None, after: Attributes | None) -> None:
        if before is None and after is not None and self.options.get("id"):
            raise CloudflareError(
                f"id: there is no KV namespace {self.options['id']}: Cloudflare chooses the id. Leave id out to"
                " create one by title."
            )
        if before and after and before["jurisdiction"] != after["jurisdiction"]:
            raise CloudflareError(
                f"jurisdiction: {self.label} was created with jurisdiction {before['jurisdiction'] or 'null'}, which"
                " cannot be changed. Set that value, or create a KV namespace with another title."
            )
        if after is None and self._other_key:
            raise CloudflareError(
                f"{self.label} still contains keys, such as {self._other_key!r}. Set force: true to delete them too."
            )

    def create(self, after: Attributes) -> t.Iterable[Step]:
        body = {name: after[name] for name in ("title", "jurisdiction") if after[name] is not None}
        return [Step("POST", self.client.account(*ROOT), json_body(body))]

    def update(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> t.Iterable[Step]:
        return (
            [Step("PUT", self.client.account(*ROOT, before["id"]), json_body({"title": after["title"]}))]
            if changed
            else []
        )

    def delete(self, before: Attributes) -> t.Iterable[Step]:
        return [Step("DELETE", self.client.account(*ROOT, before["id"]))]


class KVNamespaceInfo(Info):
    """Information about the KV namespaces of the account."""

    name, result_key = "kv_namespace_info", "kv_namespaces"
    fields = (Field("id", {"type": "str"}), Field("title", {"type": "str"}))

    def list_objects(self) -> t.Iterable[Attributes]:
        if not self.options["id"]:
            return list_all(self.client)
        found = find_by_id(self.client, self.options["id"])
        return [found] if found else []
