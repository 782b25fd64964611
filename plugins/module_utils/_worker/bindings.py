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
Given = t.Mapping[str, t.Any]

SECRET_TYPES = ("secret_text", "secret_key")
VAR_TYPES = ("plain_text", "json")
OWNERS = {
    "assets": ("assets",),
    **dict.fromkeys(VAR_TYPES, ("bindings", "vars")),
}  # type -> the options that own it, where it is not bindings alone
INHERIT = "inherit"
NAME = re.compile(r"^[A-Za-z_$][A-Za-z0-9_$]*$")


@dataclass(frozen=True)
class Lookup:
    """How a name that people know becomes the id that the API wants: C(option) holds the name, C(becomes) the id.

    C(path) is the listing below the account, whose items have C(name) and C(id); C(page) is how many of them are asked for at once.
    """

    option: str
    becomes: str
    path: tuple[str, ...]
    name: str
    id: str
    page: int
    missing: str

    def every(self, client: Client) -> list[t.Any]:
        """Read all things of this kind. The listing is remembered: whoever looks for another of them costs no request."""
        return client.list_all(client.account(*self.path), per_page=self.page)

    def find(self, client: Client, name: str) -> t.Any:
        """Return the thing of that name; None where there is none."""
        return next((one for one in self.every(client) if one[self.name] == name), None)


@dataclass(frozen=True)
class BindingType:
    """One type of binding: the options it needs, those it may have, and those of which it needs exactly one.

    C(lookup) resolves a name among them. C(also) is what else the API calls an option, which it may say instead and is told too; C(assumed) is what an
    option means where the API does not say it; C(untold) are those that it may never say.
    """

    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    either: tuple[str, ...] = ()
    lookup: Lookup | None = None
    also: t.Mapping[str, str] = field(default_factory=dict)
    assumed: t.Mapping[str, t.Any] = field(default_factory=dict)
    untold: tuple[str, ...] = ()

    @property
    def takes(self) -> tuple[str, ...]:
        """All options that it knows."""
        return (*self.needs, *self.either, *self.may)


NO_KV_NAMESPACE = "There is no KV namespace {}: create it first, with tenantry.cloudflare_workers.kv_namespace."
KV_BY_TITLE = Lookup(
    "title", "namespace_id", ("storage", "kv", "namespaces"), "title", "id", 100, NO_KV_NAMESPACE.format("titled {!r}")
)

TYPES = {
    "plain_text": BindingType(("text",)),
    "json": BindingType(("json",)),
    "kv_namespace": BindingType(either=("namespace_id", "title"), lookup=KV_BY_TITLE),
    "dispatch_namespace": BindingType(("namespace",), ("outbound",)),
    "service": BindingType(
        ("service",), ("environment", "entrypoint", "props"), assumed={"environment": "production"}, untold=("props",)
    ),
    "r2_bucket": BindingType(("bucket_name",), ("jurisdiction",)),
    "d1": BindingType(
        either=("database_id", "database_name"),
        lookup=Lookup(
            "database_name",
            "database_id",
            ("d1", "database"),
            "name",
            "uuid",
            10_000,
            "There is no D1 database named {!r}: create it first.",
        ),
        also={"database_id": "id"},
    ),
    "queue": BindingType(("queue_name",), ("delivery_delay",), assumed={"delivery_delay": 0}),
    "durable_object_namespace": BindingType(
        ("class_name",),
        ("script_name", "environment", "dispatch_namespace", "namespace_id"),
        assumed={"environment": "production"},
    ),
    "workflow": BindingType(("workflow_name",), ("class_name", "script_name")),
    "analytics_engine": BindingType(("dataset",)),
    "ratelimit": BindingType(("namespace_id", "simple")),
    "version_metadata": BindingType(),
    "hyperdrive": BindingType(("id",)),
    "vectorize": BindingType(("index_name",)),
    "secrets_store_secret": BindingType(("store_id", "secret_name")),
    "mtls_certificate": BindingType(("certificate_id",)),
    "send_email": BindingType((), ("destination_address", "allowed_destination_addresses", "allowed_sender_addresses")),
    "pipelines": BindingType(either=("pipeline", "stream")),
    "vpc_service": BindingType(("service_id",)),
    "vpc_network": BindingType(either=("tunnel_id", "network_id")),
    "ai": BindingType(),
    "ai_search": BindingType(("instance_name",), ("namespace",)),
    "ai_search_namespace": BindingType(("namespace",)),
    "agent_memory": BindingType(("namespace",)),
    "messaging": BindingType(("namespace",)),
    "artifacts": BindingType(("namespace",)),
    "flagship": BindingType(("app_id",)),
    "k2": BindingType(("stream",)),
    **dict.fromkeys(("browser", "images", "media", "stream", "worker_loader", "websearch"), BindingType()),
    INHERIT: BindingType((), ("old_name",)),
}
SECRET_KEY = BindingType(("algorithm", "format", "usages"), either=("key_base64", "key_jwk"))
UNKNOWN_TYPE = BindingType()
ELSEWHERE = {
    "secret_text": "give it in secrets, as a text: what is in bindings is shown, what is in secrets never.",
    "secret_key": f"give it in secrets, as a dictionary of {', '.join(SECRET_KEY.needs)} and {' or '.join(SECRET_KEY.either)}.",
    "assets": "give its name as binding in assets.",
    "tail_consumer": "give the Worker in tail_consumers.",
    **dict.fromkeys(
        ("wasm_module", "text_blob", "data_blob"),
        "it belongs to scripts from before modules: let the Worker import the file instead.",
    ),
}

STRINGS: Spec = {"type": "list", "elements": "str"}
OPTIONS: dict[str, Spec] = {
    **{option: {"type": "str"} for kind in TYPES.values() for option in kind.takes},
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


def from_vars(values: Given) -> list[Binding]:
    """Return the bindings that C(vars) stands for: a string is plain_text, everything else json, null is none."""
    return [
        {"name": name, "type": "plain_text", "text": value}
        if isinstance(value, str)
        else {"name": name, "type": "json", "json": value}
        for name, value in values.items()
        if value is not None
    ]


def secret(name: str, value: t.Any) -> Binding:
    """Return the binding that a secret stands for: a text, or a key with what it is for."""
    return (
        {"name": name, "type": "secret_key", **value}
        if isinstance(value, dict)
        else {"name": name, "type": "secret_text", "text": value}
    )


def from_assets(assets: t.Mapping[str, t.Any] | None) -> list[Binding]:
    """Return the binding that the option C(assets) stands for, if it names one."""
    return [{"name": assets["binding"], "type": "assets"}] if assets and assets.get("binding") else []


def declare(given: Given, find: t.Callable[[Lookup, str], str]) -> list[Binding] | None:
    """Return the bindings that the options C(bindings), C(vars) and C(assets) declare, by name; None where none is given.

    C(find) turns a name into an id.
    """
    if not any(option in given for option in ("bindings", "vars", "assets")):
        return None
    told = [_resolve(binding, find) for binding in given.get("bindings") or []]
    return by_name([*told, *from_vars(given.get("vars") or {}), *from_assets(given.get("assets"))])


def _resolve(binding: Given, find: t.Callable[[Lookup, str], str]) -> Binding:
    said: Binding = _said(binding, SPEC)
    said.update(said.pop("options", {}))
    lookup = type_of(said).lookup
    if lookup and lookup.option in said:
        said[lookup.becomes] = find(lookup, said.pop(lookup.option))
    return said


def _said(value: t.Any, spec: Spec) -> t.Any:
    """Return a value without the options in it that are null."""
    match value:
        case list() if "options" in spec:
            return [_said(one, spec) for one in value]
        case dict() if "options" in spec:
            return {option: _said(one, spec["options"][option]) for option, one in value.items() if one is not None}
    return value


def type_of(binding: Given) -> BindingType:
    """Return what the table says of a binding's type."""
    return TYPES.get(binding["type"], UNKNOWN_TYPE)


def unknown_types(given: Given) -> set[str]:
    """Return the declared types that no table here knows."""
    return {binding["type"] for binding in given.get("bindings") or []} - set(TYPES)


# -- what is there -----------------------------------------------------------------------------------------------------


def by_name(bindings: t.Iterable[Binding]) -> list[Binding]:
    """Sort bindings: their order means nothing."""
    return sorted(bindings, key=lambda binding: str(binding["name"]))


def seen(bindings: t.Iterable[Binding], attested: t.Iterable[Binding]) -> list[Binding]:
    """Return the bindings that the API shows but for secrets, each option by its one name.

    What it never tells is as the bindings say that are C(attested) to have been sent.
    """
    sent = {binding["name"]: binding for binding in attested}
    return by_name(
        _read(binding, sent.get(binding["name"], {})) for binding in bindings if binding["type"] not in SECRET_TYPES
    )


def _read(binding: Binding, sent: Binding) -> Binding:
    kind = type_of(binding)
    names = {other: option for option, other in kind.also.items()}
    untold = {option: sent[option] for option in kind.untold if option in sent and sent["type"] == binding["type"]}
    return {**untold, **{names.get(key, key): value for key, value in binding.items()}}


def inherit(name: str) -> Binding:
    """Return what tells the server to keep a binding as it is."""
    return {"name": name, "type": INHERIT}


def sent(after: t.Iterable[Binding], declared: t.Iterable[Binding], there: t.Iterable[Binding]) -> list[Binding]:
    """Return the bindings that a Worker shall have as they are sent: what is declared as such, what stays by its name.

    Where what stays is not C(there), since the Worker is made anew, it goes whole.
    """
    new, had = {binding["name"]: binding for binding in declared}, {binding["name"] for binding in there}

    def one(binding: Binding) -> Binding:
        asked = new.get(binding["name"]) or inherit(binding["name"])
        if asked["type"] != INHERIT:
            return _by_all_names(asked)
        if binding["name"] in had:
            return inherit(binding["name"])
        return asked if asked.get("old_name") in had else _by_all_names(binding)

    return [one(binding) for binding in after]


def _by_all_names(binding: Binding) -> Binding:
    return {
        **binding,
        **{other: binding[option] for option, other in type_of(binding).also.items() if option in binding},
    }


def merge(
    observed: t.Iterable[Binding], declared: t.Iterable[Binding], kept: t.Callable[[Binding], bool]
) -> list[Binding]:
    """Return the bindings as they shall be: what is declared, with what the server filled in where it matches, and what is kept."""
    there = {binding["name"]: binding for binding in observed}
    new = {binding["name"]: _matched(binding, there) for binding in declared}
    return by_name([*new.values(), *(binding for name, binding in there.items() if name not in new and kept(binding))])


def _matched(binding: Binding, there: t.Mapping[str, Binding]) -> Binding:
    name = binding["name"]
    if binding["type"] == INHERIT:
        old_name: str = binding.get("old_name") or name
        source = there.get(name) or there.get(old_name)
        return {**source, "name": name} if source else binding
    return there[name] if name in there and _holds(binding, there[name]) else binding


def _holds(binding: Binding, there: Binding) -> bool:
    """Whether a binding is the declared one. What the server filled in does not count."""
    assumed = type_of(binding).assumed
    return all(_same(value, there.get(key, assumed.get(key)), OPTIONS.get(key, {})) for key, value in binding.items())


def _same(declared: t.Any, there: t.Any, spec: Spec) -> bool:
    """Compare as deep as the table knows the options, so that only what is declared counts; what it does not know is a value."""
    match declared, there:
        case dict(), dict() if "options" in spec:
            return all(_same(value, there.get(option), spec["options"][option]) for option, value in declared.items())
        case list(), list() if "options" in spec:
            return len(declared) == len(there) and all(
                _same(one, other, spec) for one, other in zip(declared, there, strict=True)
            )
    return identical(declared, there)


def owns(given: Given, unmanaged: str) -> list[t.Any]:
    """Return what decides which undeclared bindings go: where it changes, a Worker is read anew."""
    removed = sorted(name for name, value in (given.get("vars") or {}).items() if value is None)
    return ["bindings" in given, "vars" in given, unmanaged, removed, *(["assets"] if "assets" in given else [])]


def keeps(given: Given, unmanaged: str) -> t.Callable[[Binding], bool]:
    """Return which undeclared bindings stay: those of types that the given options do not own, and all of them with C(keep).

    C(vars) alone owns only its own two types, and without both nothing is owned. What is set to null in C(vars) goes in any case, and so
    does a binding to assets that C(assets) does not name.
    """
    removed = {name for name, value in (given.get("vars") or {}).items() if value is None}
    removed |= {
        name for name, value in (given.get("secrets") or {}).items() if value is not None
    }  # a secret takes its place

    def kept(binding: Binding) -> bool:
        owned = any(option in given for option in OWNERS.get(binding["type"], ("bindings",)))
        replaced = binding["type"] == "assets" and "assets" in given
        return binding["name"] not in removed and not replaced and (unmanaged == "keep" or not owned)

    return kept
