# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queues, each identified by its name."""

from __future__ import annotations

import typing as t

from .._cloudflare.client import Client
from .._cloudflare.errors import CloudflareError
from .._engine.fields import UNKNOWN, Attributes, Field, OptionSpec
from .._engine.info import Info
from .._engine.plan import Step, json_body
from .._engine.resource import Observation, Resource

ROOT = ("queues",)
SETTINGS: t.Mapping[str, OptionSpec] = {
    "delivery_delay": {"type": "int"},
    "delivery_paused": {"type": "bool"},
    "message_retention_period": {"type": "int"},
}
# The values that null stands for, and those of a response without the setting.
DEFAULTS: t.Mapping[str, t.Any] = {
    "delivery_delay": 0,
    "delivery_paused": False,
    "message_retention_period": 4 * 86_400,
}
# The limits of settings in seconds.
LIMITS: t.Mapping[str, tuple[int, int]] = {
    "delivery_delay": (0, 12 * 3600),
    "message_retention_period": (60, 14 * 86_400),
}


def from_api(queue: t.Mapping[str, t.Any]) -> Attributes:
    """Convert an API object to a queue with all its settings."""
    settings = {name: value for name, value in queue["settings"].items() if value is not None}
    return {
        "queue_name": queue["queue_name"],
        "settings": {name: settings.get(name, default) for name, default in DEFAULTS.items()},
        **{key: queue.get(key) for key in ("queue_id", "created_on", "modified_on")},
        "producers": queue["producers"],
        "consumers": queue["consumers"],
    }


def list_queues(client: Client, name: str | None = None) -> t.Iterator[Attributes]:
    """List the queues of the account, or the one with this name."""
    listed = client.list_all(client.account(*ROOT), name=name)
    return (from_api(queue) for queue in listed if name in (None, queue["queue_name"]))


class Queue(Resource):
    """A queue of the account."""

    name = "queue"
    identity = {"queue_name": {"type": "str", "required": True, "aliases": ["name"]}}
    fields = (
        Field("queue_name", None),
        Field("settings", {"type": "dict", "options": SETTINGS}, initial=dict.fromkeys(SETTINGS, UNKNOWN)),
    )
    behavior_options = {"new_name": {"type": "str"}, "force": {"type": "bool", "default": False}}
    computed, computed_on_write = ("queue_id", "created_on", "producers", "consumers"), ("modified_on",)

    def __init__(self, client: Client, user_params: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, user_params, options)
        settings = user_params.get("settings") or {}
        for name, (low, high) in LIMITS.items():
            value = settings.get(name)
            if value is not None and not low <= value <= high:
                raise CloudflareError(f"settings: {name} is {value}. Set {low} to {high} seconds.")

    @property
    def label(self) -> str:
        return f"queue {self.options['queue_name']!r}"

    def observe(self) -> Observation:
        name, new_name = self.options["queue_name"], self.options.get("new_name") or self.options["queue_name"]
        current = next(list_queues(self.client, name), None)
        renamed = next(list_queues(self.client, new_name), None) if new_name != name else None
        if current and renamed:
            raise CloudflareError(
                f"new_name: {self.label} cannot be renamed, because {new_name!r} already exists. Remove one of them."
            )
        return Observation(current or renamed)

    def desired(self, before: Attributes | None) -> Attributes:
        desired = {**super().desired(before), "queue_name": self.options.get("new_name") or self.options["queue_name"]}
        if "settings" in desired:
            settings = DEFAULTS if desired["settings"] is None else desired["settings"]
            desired["settings"] = {
                **(before["settings"] if before else dict.fromkeys(SETTINGS, UNKNOWN)),
                **{name: DEFAULTS[name] if value is None else value for name, value in settings.items()},
            }
        return desired

    def guard(self, before: Attributes | None, after: Attributes | None) -> None:
        if before and after is None and not self.options["force"]:
            users = [f"{len(before[kind])} {kind}" for kind in ("producers", "consumers") if before[kind]]
            if users:
                raise CloudflareError(
                    f"{self.label} still has {' and '.join(users)}. Remove them first, or set force: true to delete"
                    " the queue anyway."
                )

    def create(self, after: Attributes) -> t.Iterable[Step]:
        settings = {name: value for name, value in after["settings"].items() if value != UNKNOWN}
        return [Step("POST", self._path(), json_body({"queue_name": after["queue_name"], "settings": settings}))]

    def update(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> t.Iterable[Step]:
        body = {name: after[name] for name in changed}
        if "settings" in body:
            body["settings"] = {
                name: value for name, value in body["settings"].items() if value != before["settings"][name]
            }
        return [Step("PATCH", self._path(before["queue_id"]), json_body(body))] if changed else []

    def delete(self, before: Attributes) -> t.Iterable[Step]:
        return [Step("DELETE", self._path(before["queue_id"]))]

    def _path(self, *queue_id: str) -> str:
        return self.client.account(*ROOT, *queue_id)


class QueueInfo(Info):
    """Information about the queues of the account."""

    name, result_key = "queue_info", "queues"
    fields = (Field("queue_name", {"type": "str", "aliases": ["name"]}),)

    def list_objects(self) -> t.Iterable[Attributes]:
        return list_queues(self.client, self.options["queue_name"])
