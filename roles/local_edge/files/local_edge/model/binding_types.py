# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of bindings: the keys of each type, and the objects that it refers to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local_edge.errors import ApiError, invalid
from local_edge.model import queues
from local_edge.store import Store

#: Keys with two names, by type: alias -> stored key.
KEY_ALIASES: Mapping[str, Mapping[str, str]] = {"d1": {"database_id": "id"}}
#: Required keys whose value may be the empty string.
EMPTY_ALLOWED = ("text", "json")
ANY = (object,)
#: The periods of a rate limit, in seconds.
PERIODS = (10, 60)
SCRIPT_MISSING = (
    "Service binding '{name}' references environment '{environment}' on Worker '{value}' which was not found."
)
DISPATCH_MISSING = "The specified dispatch namespace does not exist on this account."
SCRIPT = "select 1 from scripts where account = ? and namespace = '' and name = ?"


@dataclass(frozen=True)
class Reference:
    """The object that a binding refers to.

    `key` is the key of the binding that names it. `find` is SQL that takes the account and that value, and the value of
    `jurisdiction_key` if set. `code` and `message` are the error for a missing object. The message may contain
    `{value}`, `{name}` and `{environment}`.
    """

    key: str
    find: str
    code: int
    message: str
    jurisdiction_key: str | None = None

    def check(self, store: Store, account: str, raw: Mapping[str, Any]) -> str:
        """Return the value of `key`. Raise ApiError if the object does not exist."""
        value, environment = str(raw[self.key]), raw.get("environment")
        jurisdiction = [raw.get(self.jurisdiction_key) or "default"] if self.jurisdiction_key else []
        if environment not in (None, "production") or not store.one(self.find, account, value, *jurisdiction):
            raise ApiError(
                400,
                self.code,
                self.message.format(value=value, name=raw["name"], environment=environment or "production"),
            )
        return value


def product_reference(kind: str, key: str, code: int, message: str) -> Reference:
    """Return a reference to an object of another product, by its id or its name."""
    return Reference(
        key, f"select 1 from products where kind = '{kind}' and account = ?1 and ?2 in (id, name)", code, message
    )


@dataclass(frozen=True)
class BindingSchema:
    """The keys of a type of binding.

    Exactly one of the keys in `either` must be given. The `hidden` keys are stored, but never returned. `shapes` has
    the Python types of values that are not strings.
    """

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    either: tuple[str, ...] = ()
    shapes: Mapping[str, type | tuple[type, ...]] = field(default_factory=dict)
    reference: Reference | None = None
    extra_check: Callable[[Store, str, Mapping[str, Any]], None] | None = None

    def check(self, raw: Mapping[str, Any]) -> None:
        """Raise ApiError for keys that are missing or of the wrong type."""
        name, label = raw["name"], raw["type"]
        chosen = [key for key in self.either if raw.get(key)]
        if self.either and len(chosen) != 1:
            raise invalid(
                f"binding {name} of type {label} must have exactly one of `{'`, `'.join(self.either)}` specified"
            )
        for key in (*self.required, *chosen):
            value, shape = raw.get(key), self.shapes.get(key, str)
            if key not in raw or not isinstance(value, shape) or (value == "" and key not in EMPTY_ALLOWED):
                raise invalid(f"binding {name} of type {label} must have a valid `{key}` specified")
        for key in self.optional:
            if raw.get(key) is not None and not isinstance(raw[key], self.shapes.get(key, str)):
                raise invalid(f"binding {name} of type {label} has an invalid `{key}`")

    def visible(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values that readers of the binding get."""
        return {
            key: raw[key]
            for key in (*self.required, *self.optional, *self.either)
            if key not in self.hidden and (raw.get(key) is not None or key in self.required)
        }

    def secret(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Return the hidden values."""
        return {key: raw[key] for key in self.hidden if raw.get(key) is not None}


SERVICE = Reference("service", SCRIPT, 10144, SCRIPT_MISSING)


def check_outbound(store: Store, account: str, raw: Mapping[str, Any]) -> None:
    """Check the outbound Worker of a dispatch namespace binding: `{"worker": {"service"}, "params": [{"name"}]}`."""
    outbound = raw.get("outbound")
    if outbound is None:
        return
    worker, params = outbound.get("worker"), outbound.get("params") or []
    if not isinstance(worker, dict) or not isinstance(worker.get("service"), str):
        raise invalid(
            f"binding {raw['name']}: `outbound.worker` must be an object with the `service` that receives all requests"
        )
    if not isinstance(params, list) or not all(
        isinstance(one, dict) and isinstance(one.get("name"), str) for one in params
    ):
        raise invalid(f"binding {raw['name']}: `outbound.params` must be a list of objects with a `name`")
    SERVICE.check(store, account, {**worker, "name": raw["name"]})


def check_delay(_store: Store, _account: str, raw: Mapping[str, Any]) -> None:
    """Check the `delivery_delay` of a queue binding, which applies to messages without a delay of their own."""
    if raw.get("delivery_delay") is not None and not queues.is_whole(raw["delivery_delay"], 0, queues.MAX_DELAY):
        raise invalid(
            f"binding {raw['name']}: `delivery_delay` must be a whole number of seconds from 0 to {queues.MAX_DELAY}"
        )


def check_rate(_store: Store, _account: str, raw: Mapping[str, Any]) -> None:
    """Check `simple` of a rate limit binding: `{"limit", "period"}`, the period in seconds."""
    limit, period = raw["simple"].get("limit"), raw["simple"].get("period")
    if not isinstance(limit, (int, float)) or isinstance(limit, bool) or limit < 1 or period not in PERIODS:
        raise invalid(
            f"binding {raw['name']}: `simple` must have a `limit` of at least 1 and a `period` of "
            f"{' or '.join(map(str, PERIODS))} seconds"
        )


#: All types of the API. The runtime supports only some of them: see `SUPPORTED_BINDINGS`.
SCHEMAS: Mapping[str, BindingSchema] = {
    "plain_text": BindingSchema(("text",)),
    "json": BindingSchema(("json",), shapes={"json": ANY}),
    "secret_text": BindingSchema(("text",), hidden=("text",)),
    "secret_key": BindingSchema(
        ("algorithm", "format", "usages"),
        hidden=("key_base64", "key_jwk"),
        either=("key_base64", "key_jwk"),
        shapes={"algorithm": (str, dict), "usages": list, "key_jwk": dict},
    ),
    "kv_namespace": BindingSchema(
        ("namespace_id",),
        reference=Reference(
            "namespace_id",
            "select 1 from kv_namespaces where account = ? and id = ?",
            10041,
            "KV namespace '{value}' not found. Verify the namespace exists in your account and that the "
            "namespace_id is correct.",
        ),
    ),
    "dispatch_namespace": BindingSchema(
        ("namespace",),
        ("outbound",),
        shapes={"outbound": dict},
        extra_check=check_outbound,
        reference=Reference(
            "namespace", "select 1 from namespaces where account = ? and name = ?", 100119, DISPATCH_MISSING
        ),
    ),
    "service": BindingSchema(
        ("service",),
        ("environment", "entrypoint", "props", "binding_interface", "cross_account_grant"),
        shapes={"props": dict},
        reference=SERVICE,
    ),
    "r2_bucket": BindingSchema(
        ("bucket_name",),
        ("jurisdiction",),
        reference=Reference(
            "bucket_name",
            "select 1 from r2_buckets where account = ? and name = ? and jurisdiction = ?",
            10085,
            "R2 bucket '{value}' not found. Please verify that the bucket exists in your account.",
            jurisdiction_key="jurisdiction",
        ),
    ),
    "d1": BindingSchema(
        ("id",),
        reference=Reference(
            "id",
            "select 1 from products where kind = 'd1' and account = ? and id = ?",
            10181,
            "D1 binding '{name}' references database '{value}' which was not found. Verify the database exists in your "
            "account and that the database_id in your configuration is correct.",
        ),
    ),
    "queue": BindingSchema(
        ("queue_name",),
        ("delivery_delay",),
        shapes={"delivery_delay": (int, float)},
        extra_check=check_delay,
        reference=product_reference("queue", "queue_name", 11000, "Queue '{value}' does not exist."),
    ),
    "hyperdrive": BindingSchema(
        ("id",), reference=product_reference("hyperdrive", "id", 10157, "Hyperdrive config '{value}' not found.")
    ),
    "vectorize": BindingSchema(
        ("index_name",),
        reference=product_reference("vectorize", "index_name", 10159, "Vectorize index '{value}' not found."),
    ),
    "secrets_store_secret": BindingSchema(
        ("store_id", "secret_name"),
        reference=product_reference("secrets_store", "store_id", 10182, "Secrets Store '{value}' not found."),
    ),
    "mtls_certificate": BindingSchema(
        ("certificate_id",),
        reference=product_reference(
            "mtls_certificate", "certificate_id", 100143, "mTLS certificate '{value}' not found."
        ),
    ),
    "durable_object_namespace": BindingSchema(
        ("class_name",), ("script_name", "environment", "namespace_id", "dispatch_namespace")
    ),
    "workflow": BindingSchema(("workflow_name",), ("class_name", "script_name")),
    "analytics_engine": BindingSchema(("dataset",)),
    "ratelimit": BindingSchema(("namespace_id", "simple"), shapes={"simple": dict}, extra_check=check_rate),
    "send_email": BindingSchema(
        (),
        ("destination_address", "allowed_destination_addresses", "allowed_sender_addresses"),
        shapes={"allowed_destination_addresses": list, "allowed_sender_addresses": list},
    ),
    "pipelines": BindingSchema(either=("pipeline", "stream")),
    "vpc_service": BindingSchema(("service_id",)),
    "vpc_network": BindingSchema((), ("identity",), either=("tunnel_id", "network_id")),
    "ai_search": BindingSchema(("instance_name",), ("namespace",)),
    "ai_search_namespace": BindingSchema(("namespace",)),
    "agent_memory": BindingSchema(("namespace",)),
    "messaging": BindingSchema(("namespace",)),
    "artifacts": BindingSchema(("namespace",)),
    "flagship": BindingSchema(("app_id",)),
    "k2": BindingSchema(("stream",)),
    "tail_consumer": BindingSchema(("service",), ("environment",)),
    **{label: BindingSchema(("part",)) for label in ("wasm_module", "text_blob", "data_blob")},
    **{
        label: BindingSchema()
        for label in (
            "ai",
            "browser",
            "images",
            "media",
            "stream",
            "version_metadata",
            "assets",
            "worker_loader",
            "websearch",
        )
    },
}
