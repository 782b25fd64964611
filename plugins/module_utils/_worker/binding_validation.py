# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be told of bindings, variables and secrets before anything is asked or sent."""

from __future__ import annotations

import typing as t

from .bindings import ELSEWHERE, NAME, SECRET_KEY, TYPES, VAR_TYPES, BindingType, Given, from_assets, from_vars, type_of
from .fingerprint import canonical

MOST_VALUES, LARGEST_VALUE = 128, 5 * 1024  # variables and secrets of a Worker together; bytes of each


def of_name(option: str, name: str) -> t.Iterator[str]:
    """Yield what is wrong with a name in C(env)."""
    if not NAME.fullmatch(name):
        yield f"{option}: {name!r} is no name that a Worker can use: letters, digits, _ and $, not beginning with a digit."


def complaints(given: Given) -> t.Iterator[str]:
    """Yield what is wrong with the options C(bindings), C(vars) and C(secrets), each with the binding and the remedy."""
    declared, secrets = (
        given.get("bindings") or [],
        {name: value for name, value in (given.get("secrets") or {}).items() if value is not None},
    )
    for binding in declared:
        yield from _of_binding(binding)
    for name, value in secrets.items():
        yield from _of_secret(name, value)
    others = (*from_vars(given.get("vars") or {}), *from_assets(given.get("assets")))
    names = [binding["name"] for binding in (*declared, *others)] + list(secrets)
    for name in dict.fromkeys(names):
        yield from of_name("bindings", name)
        if names.count(name) > 1:
            yield f"bindings: {name} is declared {names.count(name)} times, in bindings, vars, secrets or assets: keep one of them."
    yield from _of_sizes(declared, given.get("vars") or {}, secrets)


def _of_binding(binding: Given) -> t.Iterator[str]:
    where, label, extra = (
        f"bindings: {binding.get('name') or 'one of them'}",
        binding.get("type"),
        binding.get("options"),
    )
    if not binding.get("name") or not label:
        yield f"{where} has no {'type' if binding.get('name') else 'name'}: give it one."
    elif label in ELSEWHERE:
        yield f"{where} is of type {label}: {ELSEWHERE[label]}"
    elif label not in TYPES and extra is None:
        yield f"{where}: type {label!r} is none of {', '.join(TYPES)}. If Cloudflare knows it, say in options what it takes, if only {{}}."
    else:
        said = {
            option: value
            for option, value in binding.items()
            if value is not None and option not in ("name", "type", "options")
        }
        yield from _of_options(f"{where}: type {label}", type_of(binding), said, extra or {})
    if {"name", "type"} & set(extra or {}):
        yield f"{where}: options hold name or type, which are given beside them: leave them out there."


def _of_options(where: str, kind: BindingType, said: Given, extra: Given) -> t.Iterator[str]:
    stray = sorted(set(said) - set(kind.takes))
    if stray:
        yield f"{where} does not take {', '.join(stray)}. It takes {', '.join(kind.takes) or 'no options'}."
    given = {option for option, value in {**said, **extra}.items() if value != "" or option in ("text", "json")}
    for option in kind.needs:
        if option not in given:
            yield f"{where} needs {option}, which is not given or empty."
    chosen = [option for option in kind.either if option in given]
    if kind.either and len(chosen) != 1:
        yield f"{where} needs one of {' and '.join(kind.either)}, and {' and '.join(chosen) or 'none of them'} is given."


def _of_secret(name: str, value: t.Any) -> t.Iterator[str]:
    hint = "A secret is a text, or a key; another value is given through to_json."
    if isinstance(value, dict):
        said = {option: one for option, one in value.items() if one is not None}
        yield from (
            f"{text} {hint}"
            for text in _of_options(f"secrets: {name} is a dictionary, and a key", SECRET_KEY, said, {})
        )
    elif isinstance(value, list):
        yield f"secrets: {name} is a list. {hint}"
    elif not str(value):
        yield f"secrets: {name} is empty: give it a value, or null to remove it."


def _of_sizes(declared: t.Iterable[Given], variables: Given, secrets: Given) -> t.Iterator[str]:
    texts = {
        binding["name"]: binding.get("text", binding.get("json"))
        for binding in declared
        if binding["type"] in VAR_TYPES
    }
    values = {**texts, **variables, **secrets}
    for name, value in values.items():
        size = len(value.encode() if isinstance(value, str) else canonical(value))
        if size > LARGEST_VALUE:
            yield f"bindings: {name} has {size} bytes and {LARGEST_VALUE} fit into a variable or secret: keep it in KV or R2, and bind that."
    count = len([value for value in values.values() if value is not None])
    if count > MOST_VALUES:
        yield f"bindings: {count} variables and secrets are given and {MOST_VALUES} fit: make one json of several, or keep them in KV."
