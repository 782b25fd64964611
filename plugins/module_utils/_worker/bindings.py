# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Worker is bound to. Two tables say what each type takes; modules, documentation, comparison and upload read them."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .._cloudflare.client import Client
from .._engine.resource import Spec, identical

Binding = dict[str, t.Any]  # as the API spells it, with name and type
Params = t.Mapping[str, t.Any]

SECRET_TYPES = ("secret_text", "secret_key")
VAR_TYPES = ("plain_text", "json")
MANAGING_OPTIONS = {
    "assets": ("assets",),
    **dict.fromkeys(VAR_TYPES, ("bindings", "vars")),
}  # type -> the options that own it, where it is not bindings alone
INHERIT = "inherit"
NAME = re.compile(r"^[A-Za-z_$][A-Za-z0-9_$]*$")


@dataclass(frozen=True)
class NameLookup:
    """How a name that people know becomes the id that the API wants: C(option) holds the name, C(becomes) the id.

    C(path) is the listing below the account, whose items have C(name) and C(id); C(page) is how many of them are asked for at once.
    """

    option: str
    id_option: str
    path: tuple[str, ...]
    name: str
    id: str
    page: int
    missing_message: str

    def list_all(self, client: Client) -> list[t.Any]:
        """Read all things of this kind. The listing is remembered: whoever looks for another of them costs no request."""
        return client.list_all(client.account(*self.path), per_page=self.page)

    def find(self, client: Client, name: str) -> t.Any:
        """Return the thing of that name; None where there is none."""
        return next((item for item in self.list_all(client) if item[self.name] == name), None)


@dataclass(frozen=True)
class BindingSchema:
    """One type of binding: the options it needs, those it may have, and those of which it needs exactly one.

    C(lookup) resolves a name among them. C(also) is what else the API calls an option, which it may say instead and is told too; C(assumed) is what an
    option means where the API does not say it; C(untold) are those that it may never say.
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
        """All options that it knows."""
        return (*self.required, *self.one_of, *self.optional)


NO_KV_NAMESPACE = "There is no KV namespace {}: create it first, with tenantry.cloudflare_workers.kv_namespace."
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
            "There is no D1 database named {!r}: create it first.",
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
    "secret_text": "give it in secrets, as a text: what is in bindings is shown, what is in secrets never.",
    "secret_key": f"give it in secrets, as a dictionary of {', '.join(SECRET_KEY.required)} and {' or '.join(SECRET_KEY.one_of)}.",
    "assets": "give its name as binding in assets.",
    "tail_consumer": "give the Worker in tail_consumers.",
    **dict.fromkeys(
        ("wasm_module", "text_blob", "data_blob"),
        "it belongs to scripts from before modules: let the Worker import the file instead.",
    ),
}

STRINGS: Spec = {"type": "list", "elements": "str"}
OPTIONS: dict[str, Spec] = {
    **{option: {"type": "str"} for schema in TYPES.values() for option in schema.all_options},
    "json": {"type": "raw"},
    "secret_name": {"type": "str", "no_log": False},  # or Ansible takes it for a secret
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


# -- what is declared --------------------------------------------------------------------------------------------------


def from_vars(values: Params) -> list[Binding]:
    """Return the bindings that C(vars) stands for: a string is plain_text, everything else json, null is none."""
    return [
        {"name": name, "type": "plain_text", "text": value}
        if isinstance(value, str)
        else {"name": name, "type": "json", "json": value}
        for name, value in values.items()
        if value is not None
    ]


def secret_binding(name: str, value: t.Any) -> Binding:
    """Return the binding that a secret stands for: a text, or a key with what it is for."""
    return (
        {"name": name, "type": "secret_key", **value}
        if isinstance(value, dict)
        else {"name": name, "type": "secret_text", "text": value}
    )


def from_assets(assets: t.Mapping[str, t.Any] | None) -> list[Binding]:
    """Return the binding that the option C(assets) stands for, if it names one."""
    return [{"name": assets["binding"], "type": "assets"}] if assets and assets.get("binding") else []


def resolve_declared(user_params: Params, find: t.Callable[[NameLookup, str], str]) -> list[Binding] | None:
    """Return the bindings that the options C(bindings), C(vars) and C(assets) declare, by name; None where none is given.

    C(find) turns a name into an id.
    """
    if not any(option in user_params for option in ("bindings", "vars", "assets")):
        return None
    resolved = [_resolve(binding, find) for binding in user_params.get("bindings") or []]
    return by_name([*resolved, *from_vars(user_params.get("vars") or {}), *from_assets(user_params.get("assets"))])


def _resolve(binding: Params, find: t.Callable[[NameLookup, str], str]) -> Binding:
    binding_options: Binding = _drop_nulls(binding, SPEC)
    binding_options.update(binding_options.pop("options", {}))
    lookup = type_of(binding_options).lookup
    if lookup and lookup.option in binding_options:
        binding_options[lookup.id_option] = find(lookup, binding_options.pop(lookup.option))
    return binding_options


def _drop_nulls(value: t.Any, spec: Spec) -> t.Any:
    """Return a value without the options in it that are null."""
    match value:
        case list() if "options" in spec:
            return [_drop_nulls(item, spec) for item in value]
        case dict() if "options" in spec:
            return {
                option: _drop_nulls(item, spec["options"][option]) for option, item in value.items() if item is not None
            }
    return value


def type_of(binding: Params) -> BindingSchema:
    """Return what the table says of a binding's type."""
    return TYPES.get(binding["type"], UNKNOWN_TYPE)


def unknown_types(user_params: Params) -> set[str]:
    """Return the declared types that no table here knows."""
    return {binding["type"] for binding in user_params.get("bindings") or []} - set(TYPES)


# -- what is there -----------------------------------------------------------------------------------------------------


def by_name(bindings: t.Iterable[Binding]) -> list[Binding]:
    """Sort bindings: their order means nothing."""
    return sorted(bindings, key=lambda binding: str(binding["name"]))


def from_api(bindings: t.Iterable[Binding], last_sent: t.Iterable[Binding]) -> list[Binding]:
    """Return the bindings that the API shows but for secrets, each option by its one name.

    What it never tells is as the bindings say that are C(attested) to have been sent.
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
    """Return what tells the server to keep a binding as it is."""
    return {"name": name, "type": INHERIT}


def to_api(after: t.Iterable[Binding], declared: t.Iterable[Binding], current: t.Iterable[Binding]) -> list[Binding]:
    """Return the bindings that a Worker shall have as they are sent: what is declared as such, what stays by its name.

    Where what stays is not C(there), since the Worker is made anew, it goes whole.
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
    """Return the bindings as they shall be: what is declared, with what the server filled in where it matches, and what is kept."""
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
    """Whether a binding is the declared one. What the server filled in does not count."""
    defaults = type_of(binding).defaults
    return all(
        _same(value, current.get(key, defaults.get(key)), OPTIONS.get(key, {})) for key, value in binding.items()
    )


def _same(declared: t.Any, current: t.Any, spec: Spec) -> bool:
    """Compare as deep as the table knows the options, so that only what is declared counts; what it does not know is a value."""
    match declared, current:
        case dict(), dict() if "options" in spec:
            return all(_same(value, current.get(option), spec["options"][option]) for option, value in declared.items())
        case list(), list() if "options" in spec:
            return len(declared) == len(current) and all(
                _same(item, other, spec) for item, other in zip(declared, current, strict=True)
            )
    return identical(declared, current)


def ownership_fingerprint(user_params: Params, unmanaged: str) -> list[t.Any]:
    """Return what decides which undeclared bindings go: where it changes, a Worker is read anew."""
    removed = sorted(name for name, value in (user_params.get("vars") or {}).items() if value is None)
    return [
        "bindings" in user_params,
        "vars" in user_params,
        unmanaged,
        removed,
        *(["assets"] if "assets" in user_params else []),
    ]


def unmanaged_filter(user_params: Params, unmanaged: str) -> t.Callable[[Binding], bool]:
    """Return which undeclared bindings stay: those of types that the given options do not own, and all of them with C(keep).

    C(vars) alone owns only its own two types, and without both nothing is owned. What is set to null in C(vars) goes in any case, and so
    does a binding to assets that C(assets) does not name.
    """
    removed = {name for name, value in (user_params.get("vars") or {}).items() if value is None}
    removed |= {
        name for name, value in (user_params.get("secrets") or {}).items() if value is not None
    }  # a secret takes its place

    def is_kept(binding: Binding) -> bool:
        owned = any(option in user_params for option in MANAGING_OPTIONS.get(binding["type"], ("bindings",)))
        replaced = binding["type"] == "assets" and "assets" in user_params
        return binding["name"] not in removed and not replaced and (unmanaged == "keep" or not owned)

    return is_kept
