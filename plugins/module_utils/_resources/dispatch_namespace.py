# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dispatch namespaces: containers of the tenants' Workers."""

from __future__ import annotations

import typing as t

from .._cloudflare.client import Client
from .._cloudflare.errors import CloudflareError
from .._engine.fields import Attributes, Field
from .._engine.info import Info
from .._engine.plan import Step, json_body
from .._engine.resource import Observation, Resource

ROOT = ("workers", "dispatch", "namespaces")
COMPUTED = ("namespace_id", "script_count", "created_on", "created_by")
MAX_COUNT = 10  # Workers that are counted before a deletion
COMPUTED_ON_WRITE = ("modified_on", "modified_by")


def scripts_path(client: Client, namespace: str, *parts: str) -> str:
    """Return the path of the Workers in a dispatch namespace, or of one of them."""
    return client.account(*ROOT, namespace, "scripts", *parts)


def from_api(namespace: t.Mapping[str, t.Any]) -> Attributes:
    """Convert an API object, which has C(namespace_name) for the name, to a dispatch namespace."""
    return {
        "name": namespace["namespace_name"],
        "trusted_workers": bool(namespace.get("trusted_workers")),
        **{key: namespace.get(key) for key in (*COMPUTED, *COMPUTED_ON_WRITE)},
    }


class DispatchNamespace(Resource):
    """A dispatch namespace."""

    name = "dispatch_namespace"
    identity = {"name": {"type": "str", "required": True, "aliases": ["namespace"]}}
    fields = (
        Field("name", None),
        Field("trusted_workers", {"type": "bool"}, bool, initial=False, removed=False),
    )
    behavior_options = {"new_name": {"type": "str"}, "force": {"type": "bool", "default": False}}
    computed, computed_on_write = COMPUTED, COMPUTED_ON_WRITE

    @property
    def label(self) -> str:
        return f"dispatch namespace {self.options['name']!r}"

    def _path(self, *name: str) -> str:
        return self.client.account(*ROOT, *name)

    def _read(self, name: str) -> Attributes | None:
        found = self.client.get_or_none(self._path(name))
        if found is None:
            return None
        self._is_trust_known = self._is_trust_known or found.result.get("trusted_workers") is not None
        return from_api(found.result)

    _is_trust_known = False
    """Whether a response contained ``trusted_workers``, whose default is false."""

    def observe(self) -> Observation:
        old, new_name = self._read(self.options["name"]), self.options.get("new_name")
        new = self._read(new_name) if new_name and new_name != self.options["name"] else None
        if old and new:
            raise CloudflareError(
                f"new_name: {self.label} cannot be renamed, because {new_name!r} already exists. Remove one of them."
            )
        found = old or new
        if found and not found["script_count"] and self.state == "absent" and not self.options["force"]:
            # A count may be missing or old, and the deletion would delete the Workers too.
            listed = self.client.get_or_none(scripts_path(self.client, found["name"]), params={"limit": MAX_COUNT})
            found["script_count"] = len(listed.result) if listed else 0
        return Observation(found)

    def desired(self, before: Attributes | None) -> Attributes:
        return {**super().desired(before), "name": self.options.get("new_name") or self.options["name"]}

    def guard(self, before: Attributes | None, after: Attributes | None) -> None:
        if before and after is None and before["script_count"] and not self.options["force"]:
            raise CloudflareError(
                f"{self.label} still contains {before['script_count']} Workers, which would be deleted with it."
                " Remove them first, or set force: true to delete them too."
            )

    def create(self, after: Attributes) -> t.Iterable[Step]:
        yield Step("POST", self._path(), json_body({"name": after["name"]}))
        if after["trusted_workers"]:
            # The API does not document trusted_workers for POST.
            yield from self.update(after, after, ("trusted_workers",))

    def update(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> t.Iterable[Step]:
        path = self._path(before["name"])
        # A PUT may reset what it omits. A value that was neither read nor declared is left to the API.
        is_known = self._is_trust_known or "trusted_workers" in self.user_params
        trust = {"trusted_workers": after["trusted_workers"]} if is_known else {}
        put = Step("PUT", path, json_body({"name": after["name"], **trust}))
        patch = Step("PATCH", path, json_body({name: after[name] for name in changed}), fallback=put)
        return [patch] if changed else []

    def delete(self, before: Attributes) -> t.Iterable[Step]:
        return [Step("DELETE", self._path(before["name"]))]


class DispatchNamespaceInfo(Info):
    """Information about the dispatch namespaces of the account."""

    name, result_key = "dispatch_namespace_info", "dispatch_namespaces"
    fields = (Field("name", {"type": "str", "aliases": ["namespace"]}),)

    def list_objects(self) -> t.Iterable[Attributes]:
        return map(from_api, self.client.list_all(self.client.account(*ROOT)))
