# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The types of bindings and their options: the tables that modules, validation, comparison and upload share."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._engine.fields import OptionSpec

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
        ("environment", "entrypoint", "props", "binding_interface", "cross_account_grant"),
        defaults={"environment": "production"},
        write_only=("props", "binding_interface", "cross_account_grant"),
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
    "vpc_network": BindingSchema((), ("identity",), one_of=("tunnel_id", "network_id"), write_only=("identity",)),
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


def type_of(binding: Params) -> BindingSchema:
    """Return the schema of a binding's type."""
    return TYPES.get(binding["type"], UNKNOWN_TYPE)
