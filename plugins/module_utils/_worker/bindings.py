# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bindings of a Worker. Modules, validation, comparison and upload use the same two tables: types and options."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .._engine.fields import OptionSpec, json_equal

if t.TYPE_CHECKING:
    from .._cloudflare.client import Client

Binding = dict[str, t.Any]  # in the form of the API, with name and type
Params = t.Mapping[str, t.Any]

SECRET_TYPES = ("secret_text", "secret_key")
VAR_TYPES = ("plain_text", "json")
# The options that manage a binding type. All other types are managed by bindings alone.
MANAGING_OPTIONS = {
    "assets": ("assets",),
    **dict.fromkeys(VAR_TYPES, ("bindings", "vars")),
}
INHERIT = "inherit"
NAME = re.compile(r"^[A-Za-z_$][A-Za-z0-9_$]*$")


@dataclass(frozen=True)
class NameLookup:
    """Resolution of a name to an id: C(name_option) is replaced with C(id_option).

    C(path) is the listing below the account. C(name) and C(id) are the keys of its items, C(page) is its page size.
    C(missing_message) is the error for an unknown name, with {} in its place.
    """

    name_option: str
    id_option: str
    path: tuple[str, ...]
    name: str
    id: str
    page: int
    missing_message: str

    def list_all(self, client: Client) -> list[t.Any]:
        """List all items. The client caches the listing, so further lookups need no request."""
        return client.list_all(client.account(*self.path), per_page=self.page)

    def find(self, client: Client, name: str) -> t.Any:
        """Return the item with this name, or None."""
        return next((item for item in self.list_all(client) if item[self.name] == name), None)


@dataclass(frozen=True)
class BindingSchema:
    """Options of one type of binding: required, optional, and alternatives (exactly one of C(one_of)).

    C(lookup) resolves a name in C(one_of) to an id. C(api_aliases) maps options to second names in the API, which may
    return either and is sent both. C(defaults) are the values of options that a response omits. Responses may omit
    C(write_only) options even if they are set.
    """

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    lookup: NameLookup | None = None
    api_aliases: t.Mapping[str, str] = field(default_factory=dict)
    defaults: t.Mapping[str, t.Any] = field(default_factory=dict)
    write_only: tuple[str, ...] = ()

    @property
    def all_options(self) -> tuple[str, ...]:
        """Return all options of the type."""
        return (*self.required, *self.one_of, *self.optional)


NO_KV_NAMESPACE = "There is no KV namespace {}. Create it first, with tenantry.cloudflare_workers.kv_namespace."
KV_BY_TITLE = NameLookup(
    "title", "namespace_id", ("storage", "kv", "namespaces"), "title", "id", 100, NO_KV_NAMESPACE.format("titled {!r}")
)

TYPES = {
    "plain_text": BindingSchema(("text",)),
    "json": BindingSchema(("json",)),
    "kv_namespace": BindingSchema(one_of=("namespace_id", "title"), lookup=KV_BY_TITLE),
    "dispatch_namespace": BindingSchema(("namespace",), ("outbound",)),
    "service": BindingSchema(
        ("service",),
        ("environment", "entrypoint", "props"),
        defaults={"environment": "production"},
        write_only=("props",),
    ),
    "r2_bucket": BindingSchema(("bucket_name",), ("jurisdiction",)),
    "d1": BindingSchema(
        one_of=("database_id", "database_name"),
        lookup=NameLookup(
            "database_name",
            "database_id",
            ("d1", "database"),
            "name",
            "uuid",
            10_000,
            "There is no D1 database named {!r}. Create it first.",
        ),
        api_aliases={"database_id": "id"},
    ),
    "queue": BindingSchema(("queue_name",), ("delivery_delay",), defaults={"delivery_delay": 0}),
    "durable_object_namespace": BindingSchema(
        ("class_name",),
        ("script_name", "environment", "dispatch_namespace", "namespace_id"),
        defaults={"environment": "production"},
    ),
    "workflow": BindingSchema(("workflow_name",), ("class_name", "script_name")),
    "analytics_engine": BindingSchema(("dataset",)),
    "ratelimit": BindingSchema(("namespace_id", "simple")),
    "version_metadata": BindingSchema(),
    "hyperdrive": BindingSchema(("id",)),
    "vectorize": BindingSchema(("index_name",)),
    "secrets_store_secret": BindingSchema(("store_id", "secret_name")),
    "mtls_certificate": BindingSchema(("certificate_id",)),
    "send_email": BindingSchema(
        (), ("destination_address", "allowed_destination_addresses", "allowed_sender_addresses")
    ),
    "pipelines": BindingSchema(one_of=("pipeline", "stream")),
    "vpc_service": BindingSchema(("service_id",)),
    "vpc_network": BindingSchema(one_of=("tunnel_id", "network_id")),
    "ai": BindingSchema(),
    "ai_search": BindingSchema(("instance_name",), ("namespace",)),
    "ai_search_namespace": BindingSchema(("namespace",)),
    "agent_memory": BindingSchema(("namespace",)),
    "messaging": BindingSchema(("namespace",)),
    "artifacts": BindingSchema(("namespace",)),
    "flagship": BindingSchema(("app_id",)),
    "k2": BindingSchema(("stream",)),
    **dict.fromkeys(("browser", "images", "media", "stream", "worker_loader", "websearch"), BindingSchema()),
    INHERIT: BindingSchema((), ("old_name",)),
}
SECRET_KEY = BindingSchema(("algorithm", "format", "usages"), one_of=("key_base64", "key_jwk"))
UNKNOWN_TYPE = BindingSchema()
REJECTED_TYPES = {
    "secret_text": "Declare it in secrets, as a string. Results show bindings, but never secrets.",
    "secret_key": (
        f"Declare it in secrets, as a dictionary of {', '.join(SECRET_KEY.required)} "
        f"and {' or '.join(SECRET_KEY.one_of)}."
    ),
    "assets": "Set its name in assets, as binding.",
    "tail_consumer": "Declare the Worker in tail_consumers.",
    **dict.fromkeys(
        ("wasm_module", "text_blob", "data_blob"),
        "Only Workers without modules support it. Import the file in the Worker's code instead.",
    ),
}

STRINGS: OptionSpec = {"type": "list", "elements": "str"}
OPTIONS: dict[str, OptionSpec] = {
    **{option: {"type": "str"} for schema in TYPES.values() for option in schema.all_options},
    "json": {"type": "raw"},
    "secret_name": {"type": "str", "no_log": False},  # Ansible would hide it because of its name
    "delivery_delay": {"type": "int"},
    "props": {"type": "dict"},
    "allowed_destination_addresses": STRINGS,
    "allowed_sender_addresses": STRINGS,
    "simple": {
        "type": "dict",
        "options": {
            "limit": {"type": "int", "required": True},
            "period": {"type": "int", "required": True, "choices": [10, 60]},
            "mitigation_timeout": {"type": "int"},
        },
    },
    "outbound": {
        "type": "dict",
        "options": {
            "worker": {
                "type": "dict",
                "required": True,
                "options": {
                    "service": {"type": "str", "required": True},
                    "environment": {"type": "str"},
                    "entrypoint": {"type": "str"},
                },
            },
            "params": {"type": "list", "elements": "dict", "options": {"name": {"type": "str", "required": True}}},
        },
    },
}
SPEC: dict[str, t.Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "name": {"type": "str", "required": True},
        "type": {"type": "str", "required": True},
        **OPTIONS,
        "options": {"type": "dict"},
    },
}


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


def type_of(binding: Params) -> BindingSchema:
    """Return the schema of a binding's type."""
    return TYPES.get(binding["type"], UNKNOWN_TYPE)


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
