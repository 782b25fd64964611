# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validation of bindings, variables and secrets, without requests."""

from __future__ import annotations

import typing as t

from .binding_types import REJECTED_TYPES, SECRET_KEY, TYPES, VAR_TYPES, BindingSchema, Params, type_of
from .bindings import NAME, from_assets, from_vars
from .fingerprint import canonical

MAX_VARIABLES = 128  # variables and secrets per Worker
MAX_VALUE_SIZE = 5 * 1024  # bytes


def name_errors(option: str, name: str) -> t.Iterator[str]:
    """Yield the validation errors of a name in C(env)."""
    if not NAME.fullmatch(name):
        yield (
            f"{option}: {name!r} is not a valid binding name. Use letters, digits, _ and $, not starting with a digit."
        )


def validation_errors(user_params: Params) -> t.Iterator[str]:
    """Yield the validation errors of C(bindings), C(vars) and C(secrets), each with the binding and the remedy."""
    declared, secrets = (
        user_params.get("bindings") or [],
        {name: value for name, value in (user_params.get("secrets") or {}).items() if value is not None},
    )
    for binding in declared:
        yield from _binding_errors(binding)
    for name, value in secrets.items():
        yield from _secret_errors(name, value)
    other_bindings = (*from_vars(user_params.get("vars") or {}), *from_assets(user_params.get("assets")))
    names = [binding["name"] for binding in (*declared, *other_bindings)] + list(secrets)
    for name in dict.fromkeys(names):
        yield from name_errors("bindings", name)
        if names.count(name) > 1:
            yield (
                f"bindings: {name} is declared {names.count(name)} times in bindings, vars, secrets and assets. "
                "Keep one declaration."
            )
    yield from _size_errors(declared, user_params.get("vars") or {}, secrets)


def _binding_errors(binding: Params) -> t.Iterator[str]:
    prefix, type_name, raw_options = (
        f"bindings: {binding.get('name') or 'an element'}",
        binding.get("type"),
        binding.get("options"),
    )
    if not binding.get("name") or not type_name:
        yield f"{prefix} has no {'type' if binding.get('name') else 'name'}. Set one."
    elif type_name in REJECTED_TYPES:
        yield f"{prefix}: type {type_name} cannot be declared in bindings. {REJECTED_TYPES[type_name]}"
    elif type_name not in TYPES and raw_options is None:
        yield (
            f"{prefix}: {type_name!r} is not a supported type. Use one of {', '.join(TYPES)}. "
            "For a newer type of Cloudflare, set its fields in options, or options: {} for none."
        )
    else:
        set_options = {
            option: value
            for option, value in binding.items()
            if value is not None and option not in ("name", "type", "options")
        }
        yield from _option_errors(f"{prefix}: type {type_name}", type_of(binding), set_options, raw_options or {})
    if {"name", "type"} & set(raw_options or {}):
        yield f"{prefix}: options contains name or type. Set them next to options instead."


def _option_errors(prefix: str, schema: BindingSchema, set_options: Params, raw_options: Params) -> t.Iterator[str]:
    unexpected = sorted(set(set_options) - set(schema.all_options))
    if unexpected:
        yield (
            f"{prefix} does not accept {', '.join(unexpected)}. "
            f"It accepts {', '.join(schema.all_options) or 'no options'}."
        )
    user_params = {
        option for option, value in {**set_options, **raw_options}.items() if value != "" or option in ("text", "json")
    }
    for option in schema.required:
        if option not in user_params:
            yield f"{prefix} needs {option}, which is missing or empty. Set it."
    given_alternatives = [option for option in schema.one_of if option in user_params]
    if schema.one_of and len(given_alternatives) != 1:
        yield (
            f"{prefix} needs exactly one of {', '.join(schema.one_of)}. "
            + (f"Remove all but one of {', '.join(given_alternatives)}." if given_alternatives else "Set one of them.")
        )


def _secret_errors(name: str, value: t.Any) -> t.Iterator[str]:
    hint = "A secret is a string or a key. Encode other values with to_json."
    if isinstance(value, dict):
        set_options = {option: part for option, part in value.items() if part is not None}
        yield from (
            f"{text} {hint}"
            for text in _option_errors(f"secrets: {name} is a dictionary, and a key", SECRET_KEY, set_options, {})
        )
    elif isinstance(value, list):
        yield f"secrets: {name} is a list. {hint}"
    elif not str(value):
        yield f"secrets: {name} is empty. Set a value, or null to remove the secret."


def _size_errors(declared: t.Iterable[Params], variables: Params, secrets: Params) -> t.Iterator[str]:
    texts = {
        binding["name"]: binding.get("text", binding.get("json"))
        for binding in declared
        if binding["type"] in VAR_TYPES
    }
    values = {**texts, **variables, **secrets}
    for name, value in values.items():
        size = len(value.encode() if isinstance(value, str) else canonical(value))
        if size > MAX_VALUE_SIZE:
            yield (
                f"bindings: {name} has {size} bytes, and the limit of a variable or secret is {MAX_VALUE_SIZE}. "
                "Store it in KV or R2, and bind that."
            )
    count = len([value for value in values.values() if value is not None])
    if count > MAX_VARIABLES:
        yield (
            f"bindings: {count} variables and secrets are set, and the limit is {MAX_VARIABLES}. "
            "Combine several in one json, or store them in KV."
        )
