# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durable Object migrations: the classes of a Worker that have storage, and the tag of its last migration."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from local_edge.errors import ApiError, invalid
from local_edge.model.bindings import Binding
from local_edge.model.script_scope import ScriptScope

#: The classes by name: `{"id", "sqlite"}`, with the id of their storage.
Classes = dict[str, dict[str, Any]]
EMPTY: Mapping[str, Any] = {"tag": None, "classes": {}}
MISSING = (
    "Cannot create binding for class '{label}' because it is not currently configured to implement Durable Objects. "
    "Did you forget to apply a new-class migration to this script?"
)
ELSEWHERE = "Cannot create binding for class '{label}' that is not exported by script '{script_name}'."
#: The actions of a step, with the keys of their entries. Entries without keys are strings.
STEPS: Mapping[str, tuple[str, ...]] = {
    "new_classes": (),
    "new_sqlite_classes": (),
    "deleted_classes": (),
    "renamed_classes": ("from", "to"),
    "transferred_classes": ("from", "from_script", "to"),
}


def check_step(step: Any) -> Mapping[str, Any]:
    """Return the step. Raise ApiError if its entries have the wrong shape."""
    if not isinstance(step, Mapping):
        raise invalid("each step of migrations must be an object")
    for action, keys in STEPS.items():
        entries = step.get(action) or []
        fits = isinstance(entries, list) and all(
            isinstance(one, Mapping) and all(isinstance(one.get(key), str) for key in keys)
            if keys
            else isinstance(one, str)
            for one in entries
        )
        if not fits:
            raise invalid(
                f"migrations: `{action}` must be a list of "
                + (f"objects with {', '.join(keys)}" if keys else "class names")
            )
    return step


def migrated(state: Mapping[str, Any], raw: Any, exports: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the state `{"tag", "classes"}` after the migrations of an upload.

    An upload with `exports` declares its classes instead.
    """
    if exports:
        declared = {name: {"id": uuid.uuid4().hex, "sqlite": True} for name in exports}
        return {**state, "classes": {**declared, **state["classes"]}}
    if raw is None:
        return dict(state)
    if not isinstance(raw, Mapping):
        raise invalid("migrations must be an object")
    for name in ("old_tag", "new_tag"):
        if raw.get(name) is not None and not isinstance(raw[name], str):
            raise invalid(f"migrations: `{name}` must be a string")
    given, current = raw.get("old_tag") or "", state["tag"] or ""
    if given != current:
        raise ApiError(
            412,
            10079,
            f"Actor migration tag precondition failed, got tag '{given}' when expected tag is '{current}'.",
        )
    classes: Classes = dict(state["classes"])
    steps = raw.get("steps", [raw])
    if not isinstance(steps, list):
        raise invalid("migrations: `steps` must be a list")
    for step in steps:
        apply(classes, check_step(step))
    return {"tag": raw.get("new_tag", state["tag"]), "classes": classes}


def apply(classes: Classes, step: Mapping[str, Any]) -> None:
    """Create, delete and rename classes as a step requires."""
    for key, sqlite in (("new_classes", False), ("new_sqlite_classes", True)):
        for name in step.get(key) or []:
            if name in classes:
                raise ApiError(
                    400,
                    10074,
                    f"Cannot apply new-class migration to class '{name}' that is already depended on by "
                    "existing Durable Objects",
                )
            classes[name] = {"id": uuid.uuid4().hex, "sqlite": sqlite}
    for name in step.get("deleted_classes") or []:
        remove_class(classes, name)
    for renamed in step.get("renamed_classes") or []:
        classes[renamed["to"]] = remove_class(classes, renamed["from"])
    for transferred in step.get("transferred_classes") or []:
        classes[transferred["to"]] = {"id": uuid.uuid4().hex, "sqlite": True}


def remove_class(classes: Classes, name: str) -> dict[str, Any]:
    if name not in classes:
        raise ApiError(400, 10072, f"Cannot migrate class '{name}': no Durable Object namespace exists for it")
    return classes.pop(name)


def owner(binding: Binding, scope: ScriptScope, name: str) -> str:
    """Return the key of the Worker that defines the class of a binding: this one by default."""
    script = binding.spec.get("script_name")
    if script is None:
        return scope.key(name)
    return ScriptScope(
        scope.account, str(binding.spec.get("dispatch_namespace") or (scope.namespace if script == name else ""))
    ).key(script)


def with_ids(
    bindings: Iterable[Binding], scope: ScriptScope, name: str, classes_of: Callable[[str], Classes]
) -> list[Binding]:
    """Return the bindings with the computed `namespace_id` of Durable Objects.

    `classes_of` returns the classes of a Worker by its key. Raise ApiError for a class without storage.
    """
    found = []
    for one in bindings:
        if one.type == "durable_object_namespace":
            key, label = owner(one, scope, name), one.spec["class_name"]
            classes = classes_of(key)
            if label not in classes:
                raise ApiError(
                    400,
                    10061,
                    MISSING.format(label=label)
                    if key == scope.key(name)
                    else ELSEWHERE.format(label=label, **one.spec),
                )
            found.append(replace(one, spec={**one.spec, "namespace_id": classes[label]["id"]}))
        else:
            found.append(one)
    return found
