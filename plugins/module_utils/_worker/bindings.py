# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Worker is bound to. One table says what each type takes; modules, comparison and upload read it."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._cloudflare.errors import CloudflareError
from .._engine.resource import identical

Binding = dict[str, t.Any]  # as the API spells it, with name and type

SECRET_TYPES = ("secret_text", "secret_key")
VAR_TYPES = ("plain_text", "json")
NAME = re.compile(r"^[A-Za-z_$][A-Za-z0-9_$]*$")


@dataclass(frozen=True)
class BindingType:
    """One type of binding: the options it takes, and those without which it says nothing (one of them is enough)."""

    takes: t.Mapping[str, t.Mapping[str, t.Any]]
    needs: tuple[str, ...]


TYPES = {
    "plain_text": BindingType({"text": {"type": "str"}}, ("text",)),
    "json": BindingType({"json": {"type": "raw"}}, ("json",)),
    "kv_namespace": BindingType({"namespace_id": {"type": "str"}, "title": {"type": "str"}}, ("namespace_id", "title")),
    "dispatch_namespace": BindingType({"namespace": {"type": "str"}}, ("namespace",)),
}

SPEC: dict[str, t.Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "name": {"type": "str", "required": True},
        "type": {"type": "str", "required": True, "choices": list(TYPES)},
        **{option: spec for kind in TYPES.values() for option, spec in kind.takes.items()},
    },
    "required_if": [("type", name, list(kind.needs), True) for name, kind in TYPES.items()],
}


def from_vars(values: t.Mapping[str, t.Any]) -> list[Binding]:
    """Return the bindings that C(vars) stands for: a string is plain_text, everything else json, null is none."""
    return [
        {"name": name, "type": "plain_text", "text": value} if isinstance(value, str) else {"name": name, "type": "json", "json": value}
        for name, value in values.items()
        if value is not None
    ]


def from_assets(assets: t.Mapping[str, t.Any] | None) -> list[Binding]:
    """Return the binding that the option C(assets) stands for, if it names one."""
    return [{"name": assets["binding"], "type": "assets"}] if assets and assets.get("binding") else []


def declare(given: t.Mapping[str, t.Any], find_kv: t.Callable[[str], str]) -> list[Binding] | None:
    """Return the bindings that the options C(bindings), C(vars) and C(assets) declare, by name; None where none is given.

    C(find_kv) turns the title of a KV namespace into its id.
    """
    declared = [_resolve(binding, find_kv) for binding in given.get("bindings") or []] + from_vars(given.get("vars") or {})
    declared += from_assets(given.get("assets"))
    names = [binding["name"] for binding in declared] + [name for name, value in (given.get("secrets") or {}).items() if value is not None]
    for name in names:
        if not NAME.fullmatch(name):
            raise CloudflareError(f"bindings: {name!r} is no name that a Worker can use: letters, digits, _ and $, not beginning with a digit.")
        if names.count(name) > 1:
            raise CloudflareError(f"bindings: {name} is declared {names.count(name)} times, in bindings, vars or secrets: keep one of them.")
    return by_name(declared) if any(option in given for option in ("bindings", "vars", "assets")) else None


def _resolve(binding: t.Mapping[str, t.Any], find_kv: t.Callable[[str], str]) -> Binding:
    takes = TYPES[binding["type"]].takes
    stray = sorted(option for option, value in binding.items() if value is not None and option not in (*takes, "name", "type"))
    if stray:
        raise CloudflareError(f"bindings: {binding['name']}: type {binding['type']} does not take {', '.join(stray)}. It takes {', '.join(takes)}.")
    plain = {option: value for option, value in binding.items() if value is not None and option != "title"}
    if binding.get("title") and not binding.get("namespace_id"):
        plain["namespace_id"] = find_kv(binding["title"])
    return plain


def by_name(bindings: t.Iterable[Binding]) -> list[Binding]:
    """Sort bindings: their order means nothing."""
    return sorted(bindings, key=lambda binding: str(binding["name"]))


def merge(observed: t.Iterable[Binding], declared: t.Iterable[Binding], kept: t.Callable[[Binding], bool]) -> list[Binding]:
    """Return the bindings as they shall be: what is declared, with what the server filled in where it matches, and what is kept."""
    there = {binding["name"]: binding for binding in observed}
    new = {binding["name"]: binding for binding in declared}
    matched = [
        there[name] if name in there and all(identical(there[name].get(key), value) for key, value in binding.items()) else binding
        for name, binding in new.items()
    ]
    return by_name([*matched, *(binding for name, binding in there.items() if name not in new and kept(binding))])


def owns(given: t.Mapping[str, t.Any], unmanaged: str) -> list[t.Any]:
    """Return what decides which undeclared bindings go: where it changes, a Worker is read anew."""
    removed = sorted(name for name, value in (given.get("vars") or {}).items() if value is None)
    return ["bindings" in given, "vars" in given, unmanaged, removed]


def keeps(given: t.Mapping[str, t.Any], unmanaged: str) -> t.Callable[[Binding], bool]:
    """Return which undeclared bindings stay: those of types that the given options do not own, and all of them with C(keep).

    C(bindings) owns every type, C(vars) alone only its own two, and without both nothing is owned. What is set to null in C(vars)
    goes in any case, and so does a binding to assets that C(assets) does not name.
    """
    removed = {name for name, value in (given.get("vars") or {}).items() if value is None}
    removed |= {name for name, value in (given.get("secrets") or {}).items() if value is not None}  # a secret takes its place
    everything = "bindings" in given
    owned = VAR_TYPES if "vars" in given else ()

    def kept(binding: Binding) -> bool:
        if binding["name"] in removed or (binding["type"] == "assets" and "assets" in given):
            return False
        return unmanaged == "keep" or not (everything or binding["type"] in owned)

    return kept
