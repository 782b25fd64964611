# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bindings of a Worker: declared, read back, compared and sent, by the tables of binding_types."""

from __future__ import annotations

import re
import typing as t

from .._engine.fields import OptionSpec, json_equal
from .binding_types import (
    INHERIT,
    MANAGING_OPTIONS,
    OPTIONS,
    SECRET_TYPES,
    SPEC,
    TYPES,
    Binding,
    NameLookup,
    Params,
    type_of,
)

NAME = re.compile(r"^[A-Za-z_$][A-Za-z0-9_$]*$")


# -- declared bindings -------------------------------------------------------------------------------------------------


def from_vars(values: Params) -> list[Binding]:
    """Return the bindings for C(vars): plain_text for strings, json for other values. Nulls are dropped."""
    return [
        {"name": name, "type": "plain_text", "text": value}
        if isinstance(value, str)
        else {"name": name, "type": "json", "json": value}
        for name, value in values.items()
        if value is not None
    ]


def secret_binding(name: str, value: t.Any) -> Binding:
    """Return the binding for a secret: secret_text for a string, secret_key for a dictionary."""
    return (
        {"name": name, "type": "secret_key", **value}
        if isinstance(value, dict)
        else {"name": name, "type": "secret_text", "text": value}
    )


def from_assets(assets: t.Mapping[str, t.Any] | None) -> list[Binding]:
    """Return the binding that the option C(assets) declares, if any."""
    return [{"name": assets["binding"], "type": "assets"}] if assets and assets.get("binding") else []


def resolve_declared(user_params: Params, find: t.Callable[[NameLookup, str], str]) -> list[Binding] | None:
    """Return the bindings declared in C(bindings), C(vars) and C(assets), sorted by name; None if none of them is set.

    C(find) resolves a name to an id.
    """
    if not any(option in user_params for option in ("bindings", "vars", "assets")):
        return None
    resolved = [_resolve(binding, find) for binding in user_params.get("bindings") or []]
    return by_name([*resolved, *from_vars(user_params.get("vars") or {}), *from_assets(user_params.get("assets"))])


def _resolve(binding: Params, find: t.Callable[[NameLookup, str], str]) -> Binding:
    binding_options: Binding = _drop_nulls(binding, SPEC)
    binding_options.update(binding_options.pop("options", {}))
    lookup = type_of(binding_options).lookup
    if lookup and lookup.name_option in binding_options:
        binding_options[lookup.id_option] = find(lookup, binding_options.pop(lookup.name_option))
    return binding_options


def _drop_nulls(value: t.Any, spec: OptionSpec) -> t.Any:
    """Remove null options from a value, at every depth."""
    match value:
        case list() if "options" in spec:
            return [_drop_nulls(item, spec) for item in value]
        case dict() if "options" in spec:
            return {
                option: _drop_nulls(item, spec["options"][option]) for option, item in value.items() if item is not None
            }
    return value


def unknown_types(user_params: Params) -> set[str]:
    """Return the declared types that have no schema."""
    return {binding["type"] for binding in user_params.get("bindings") or []} - set(TYPES)


# -- current bindings --------------------------------------------------------------------------------------------------


def by_name(bindings: t.Iterable[Binding]) -> list[Binding]:
    """Sort bindings by name, since their order has no meaning."""
    return sorted(bindings, key=lambda binding: str(binding["name"]))


def from_api(bindings: t.Iterable[Binding], last_sent: t.Iterable[Binding]) -> list[Binding]:
    """Return the bindings in a response of the API, except secrets, without aliases of options.

    The values of write-only options are taken from C(last_sent), the bindings of the last upload.
    """
    sent_by_name = {binding["name"]: binding for binding in last_sent}
    return by_name(
        _binding_from_api(binding, sent_by_name.get(binding["name"], {}))
        for binding in bindings
        if binding["type"] not in SECRET_TYPES
    )


def _binding_from_api(binding: Binding, previous: Binding) -> Binding:
    schema = type_of(binding)
    names = {other: option for option, other in schema.api_aliases.items()}
    write_only_values = {
        option: previous[option]
        for option in schema.write_only
        if option in previous and previous["type"] == binding["type"]
    }
    return {**write_only_values, **{names.get(key, key): value for key, value in binding.items()}}


def inherit(name: str) -> Binding:
    """Return the binding that makes the server keep the current one of this name."""
    return {"name": name, "type": INHERIT}


def to_api(after: t.Iterable[Binding], declared: t.Iterable[Binding], current: t.Iterable[Binding]) -> list[Binding]:
    """Return the desired bindings in the form of an upload. Undeclared bindings are inherited by name.

    If the Worker is replaced, C(current) does not contain them, and they are sent in full.
    """
    new, current_names = {binding["name"]: binding for binding in declared}, {binding["name"] for binding in current}

    def encode(binding: Binding) -> Binding:
        declared_binding = new.get(binding["name"]) or inherit(binding["name"])
        if declared_binding["type"] != INHERIT:
            return _with_aliases(declared_binding)
        if binding["name"] in current_names:
            return inherit(binding["name"])
        return declared_binding if declared_binding.get("old_name") in current_names else _with_aliases(binding)

    return [encode(binding) for binding in after]


def _with_aliases(binding: Binding) -> Binding:
    return {
        **binding,
        **{other: binding[option] for option, other in type_of(binding).api_aliases.items() if option in binding},
    }


def merge_bindings(
    observed: t.Iterable[Binding], declared: t.Iterable[Binding], is_kept: t.Callable[[Binding], bool]
) -> list[Binding]:
    """Return the desired bindings: the declared ones, and those that are kept.

    If an observed binding satisfies a declared one, it is preferred, since it includes computed values.
    """
    current = {binding["name"]: binding for binding in observed}
    new = {binding["name"]: _prefer_observed(binding, current) for binding in declared}
    return by_name(
        [*new.values(), *(binding for name, binding in current.items() if name not in new and is_kept(binding))]
    )


def _prefer_observed(binding: Binding, current: t.Mapping[str, Binding]) -> Binding:
    name = binding["name"]
    if binding["type"] == INHERIT:
        old_name: str = binding.get("old_name") or name
        source = current.get(name) or current.get(old_name)
        return {**source, "name": name} if source else binding
    return current[name] if name in current and _satisfies(binding, current[name]) else binding


def _satisfies(binding: Binding, current: Binding) -> bool:
    """Return whether the current binding has all declared values. Computed values are ignored."""
    defaults = type_of(binding).defaults
    return all(
        _same(value, current.get(key, defaults.get(key)), OPTIONS.get(key, {})) for key, value in binding.items()
    )


def _same(declared: t.Any, current: t.Any, spec: OptionSpec) -> bool:
    """Compare declared options only, as deep as C(spec) goes. Other values must be identical."""
    match declared, current:
        case dict(), dict() if "options" in spec:
            return all(_same(value, current.get(option), spec["options"][option]) for option, value in declared.items())
        case list(), list() if "options" in spec:
            return len(declared) == len(current) and all(
                _same(item, other, spec) for item, other in zip(declared, current, strict=True)
            )
    return json_equal(declared, current)


def ownership_fingerprint(user_params: Params, unmanaged: str) -> list[t.Any]:
    """Return the inputs that decide which undeclared bindings are removed.

    They are part of the fingerprint, so a Worker is read again if they change.
    """
    removed = sorted(name for name, value in (user_params.get("vars") or {}).items() if value is None)
    return [
        "bindings" in user_params,
        "vars" in user_params,
        unmanaged,
        removed,
        *(["assets"] if "assets" in user_params else []),
    ]


def unmanaged_filter(user_params: Params, unmanaged: str) -> t.Callable[[Binding], bool]:
    """Return a predicate for undeclared bindings to keep: all with C(keep), else those that no given option manages.

    Without C(bindings), C(vars) manages only its own two types. Variables set to null in C(vars) are always removed, as
    are secrets that are declared again, and a binding of type assets that C(assets) does not name.
    """
    removed = {name for name, value in (user_params.get("vars") or {}).items() if value is None}
    removed |= {
        name for name, value in (user_params.get("secrets") or {}).items() if value is not None
    }  # replaced by a secret

    def is_kept(binding: Binding) -> bool:
        owned = any(option in user_params for option in MANAGING_OPTIONS.get(binding["type"], ("bindings",)))
        replaced = binding["type"] == "assets" and "assets" in user_params
        return binding["name"] not in removed and not replaced and (unmanaged == "keep" or not owned)

    return is_kept
