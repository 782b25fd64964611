# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bindings: what an upload may name, what it may not, and what of the old ones survives."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local_edge.errors import ApiError, invalid
from local_edge.model import queues
from local_edge.store import Store

IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
SECRET_TYPES = ("secret_text", "secret_key")
#: Types that count as environment variables.
VARIABLES = ("plain_text", "json", *SECRET_TYPES)
MAX_VALUE, MAX_COUNT = 5 * 1024, 128


@dataclass(frozen=True)
class Binding:
    """One binding as it is stored: `spec` is what readers see, `value` what they never do."""

    name: str
    type: str
    spec: Mapping[str, Any]
    target: str | None = None
    value: str | None = None

    def to_api(self) -> dict[str, Any]:
        """The binding as the API returns it."""
        renamed = {old: self.spec[new] for old, new in RENAMED.get(self.type, {}).items() if new in self.spec}
        return {"name": self.name, "type": self.type, **self.spec, **renamed}

    def stands_for(self, raw: Mapping[str, Any]) -> bool:
        """Whether an uploaded binding names this secret, and no value for it."""
        return (
            self.type in SECRET_TYPES and self.type == raw.get("type") and not set(KINDS[self.type].hidden) & set(raw)
        )


@dataclass(frozen=True)
class Target:
    """What a binding points to: the key that names it, and how its absence is refused.

    `find` is SQL that takes the account and the value; the message may use `{value}`, `{name}` and the binding's own keys. Of targets that
    are in different parts of an account `part` is the key that names it; without it the part is `default`.
    """

    key: str
    find: str
    code: int
    message: str
    part: str | None = None

    def check(self, store: Store, account: str, raw: Mapping[str, Any]) -> str:
        value = str(raw[self.key])
        elsewhere = raw.get("environment") not in (None, "production")
        within = [raw.get(self.part) or "default"] if self.part else []
        if elsewhere or not store.one(self.find, account, value, *within):
            raise ApiError(
                400,
                self.code,
                self.message.format(value=value, name=raw["name"], environment=raw.get("environment") or "production"),
            )
        return value


def product(kind: str, key: str, code: int, message: str) -> Target:
    """A target among the objects of another product, by its id or its name."""
    return Target(
        key, f"select 1 from products where kind = '{kind}' and account = ?1 and ?2 in (id, name)", code, message
    )


@dataclass(frozen=True)
class Kind:
    """A type of binding: the keys it must have, those it may have, and those that are kept but never shown.

    `shapes` names the JSON type of a key that is not a string. Of the keys in `either` exactly one is given.
    """

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    either: tuple[str, ...] = ()
    shapes: Mapping[str, type | tuple[type, ...]] = field(default_factory=dict)
    target: Target | None = None
    also: Callable[[Store, str, Mapping[str, Any]], None] | None = None

    def check(self, raw: Mapping[str, Any]) -> None:
        """Refuse a key that is missing or of the wrong type."""
        name, label = raw["name"], raw["type"]
        given = [key for key in self.either if raw.get(key)]
        if self.either and len(given) != 1:
            raise invalid(
                f"binding {name} of type {label} must have exactly one of `{'`, `'.join(self.either)}` specified"
            )
        for key in (*self.required, *given):
            value, shape = raw.get(key), self.shapes.get(key, str)
            if key not in raw or not isinstance(value, shape) or (value == "" and key not in EMPTY_ALLOWED):
                raise invalid(f"binding {name} of type {label} must have a valid `{key}` specified")
        for key in self.optional:
            if raw.get(key) is not None and not isinstance(raw[key], self.shapes.get(key, str)):
                raise invalid(f"binding {name} of type {label} has an invalid `{key}`")

    def read(self, store: Store, account: str, raw: Mapping[str, Any]) -> Binding:
        """Check one uploaded binding of this type."""
        self.check(raw)
        if self.also:
            self.also(store, account, raw)
        name, label = raw["name"], raw["type"]
        shown = {
            key: raw[key]
            for key in (*self.required, *self.optional, *self.either)
            if key not in self.hidden and (raw.get(key) is not None or key in self.required)
        }
        hidden = {key: raw[key] for key in self.hidden if raw.get(key) is not None}
        if label in VARIABLES and sum(map(size, (*shown.values(), *hidden.values()))) > MAX_VALUE:
            raise ApiError(400, 10054, f"binding {name}: the value is larger than {MAX_VALUE} bytes")
        return Binding(
            name,
            label,
            shown,
            target=self.target.check(store, account, raw) if self.target else None,
            value=(hidden.get("text") if "text" in hidden else json.dumps(hidden)) if hidden else None,
        )


def size(value: Any) -> int:
    """The bytes of a value as it would be written."""
    return len((value if isinstance(value, str) else json.dumps(value)).encode())


#: Keys with two names: what is read as what.
RENAMED: Mapping[str, Mapping[str, str]] = {"d1": {"database_id": "id"}}
EMPTY_ALLOWED = ("text", "json")
ANY = (object,)
#: Seconds in which a rate limit may count.
PERIODS = (10, 60)
SCRIPT_MISSING = (
    "Service binding '{name}' references environment '{environment}' on Worker '{value}' which was not found."
)
DISPATCH_MISSING = "The specified dispatch namespace does not exist on this account."
SCRIPT = "select 1 from scripts where account = ? and namespace = '' and name = ?"

SERVICE = Target("service", SCRIPT, 10144, SCRIPT_MISSING)


def check_outbound(store: Store, account: str, raw: Mapping[str, Any]) -> None:
    """The outbound Worker of a dispatch namespace binding: `{"worker": {"service"}, "params": [{"name"}]}`."""
    outbound = raw.get("outbound")
    if outbound is None:
        return
    worker, params = outbound.get("worker"), outbound.get("params") or []
    if not isinstance(worker, dict) or not isinstance(worker.get("service"), str):
        raise invalid(
            f"binding {raw['name']}: `outbound.worker` must be an object with the `service` that all requests go through"
        )
    if not isinstance(params, list) or not all(
        isinstance(one, dict) and isinstance(one.get("name"), str) for one in params
    ):
        raise invalid(f"binding {raw['name']}: `outbound.params` must be a list of objects with a `name`")
    SERVICE.check(store, account, {**worker, "name": raw["name"]})


def check_delay(_store: Store, _account: str, raw: Mapping[str, Any]) -> None:
    """The `delivery_delay` of a queue, which is for all messages without one."""
    if raw.get("delivery_delay") is not None and not queues.is_whole(raw["delivery_delay"], 0, queues.MAX_DELAY):
        raise invalid(
            f"binding {raw['name']}: `delivery_delay` must be a whole number of seconds from 0 to {queues.MAX_DELAY}"
        )


def check_rate(_store: Store, _account: str, raw: Mapping[str, Any]) -> None:
    """The `simple` of a rate limit: so many in so many seconds."""
    limit, period = raw["simple"].get("limit"), raw["simple"].get("period")
    if not isinstance(limit, (int, float)) or isinstance(limit, bool) or limit < 1 or period not in PERIODS:
        raise invalid(
            f"binding {raw['name']}: `simple` must have a `limit` from 1, and a `period` of {' or '.join(map(str, PERIODS))} seconds"
        )


#: Every type the API knows. What the runtime can make of it is the runtime's to say.
KINDS: Mapping[str, Kind] = {
    "plain_text": Kind(("text",)),
    "json": Kind(("json",), shapes={"json": ANY}),
    "secret_text": Kind(("text",), hidden=("text",)),
    "secret_key": Kind(
        ("algorithm", "format", "usages"),
        hidden=("key_base64", "key_jwk"),
        either=("key_base64", "key_jwk"),
        shapes={"algorithm": (str, dict), "usages": list, "key_jwk": dict},
    ),
    "kv_namespace": Kind(
        ("namespace_id",),
        target=Target(
            "namespace_id",
            "select 1 from kv_namespaces where account = ? and id = ?",
            10041,
            "KV namespace '{value}' not found. Verify the namespace exists in your account and that the namespace_id is correct.",
        ),
    ),
    "dispatch_namespace": Kind(
        ("namespace",),
        ("outbound",),
        shapes={"outbound": dict},
        also=check_outbound,
        target=Target("namespace", "select 1 from namespaces where account = ? and name = ?", 100119, DISPATCH_MISSING),
    ),
    "service": Kind(("service",), ("environment", "entrypoint", "props"), shapes={"props": dict}, target=SERVICE),
    "r2_bucket": Kind(
        ("bucket_name",),
        ("jurisdiction",),
        target=Target(
            "bucket_name",
            "select 1 from r2_buckets where account = ? and name = ? and jurisdiction = ?",
            10085,
            "R2 bucket '{value}' not found. Please verify that the bucket exists in your account.",
            part="jurisdiction",
        ),
    ),
    "d1": Kind(
        ("id",),
        target=Target(
            "id",
            "select 1 from products where kind = 'd1' and account = ? and id = ?",
            10181,
            "D1 binding '{name}' references database '{value}' which was not found. Verify the database exists in your account and that the "
            "database_id in your configuration is correct.",
        ),
    ),
    "queue": Kind(
        ("queue_name",),
        ("delivery_delay",),
        shapes={"delivery_delay": (int, float)},
        also=check_delay,
        target=product("queue", "queue_name", 11000, "Queue '{value}' does not exist."),
    ),
    "hyperdrive": Kind(("id",), target=product("hyperdrive", "id", 10157, "Hyperdrive config '{value}' not found.")),
    "vectorize": Kind(
        ("index_name",), target=product("vectorize", "index_name", 10159, "Vectorize index '{value}' not found.")
    ),
    "secrets_store_secret": Kind(
        ("store_id", "secret_name"),
        target=product("secrets_store", "store_id", 10182, "Secrets Store '{value}' not found."),
    ),
    "mtls_certificate": Kind(
        ("certificate_id",),
        target=product("mtls_certificate", "certificate_id", 100143, "mTLS certificate '{value}' not found."),
    ),
    "durable_object_namespace": Kind(
        ("class_name",), ("script_name", "environment", "namespace_id", "dispatch_namespace")
    ),
    "workflow": Kind(("workflow_name",), ("class_name", "script_name")),
    "analytics_engine": Kind(("dataset",)),
    "ratelimit": Kind(("namespace_id", "simple"), shapes={"simple": dict}, also=check_rate),
    "send_email": Kind(
        (),
        ("destination_address", "allowed_destination_addresses", "allowed_sender_addresses"),
        shapes={"allowed_destination_addresses": list, "allowed_sender_addresses": list},
    ),
    "pipelines": Kind(either=("pipeline", "stream")),
    "vpc_service": Kind(("service_id",)),
    "vpc_network": Kind(either=("tunnel_id", "network_id")),
    "ai_search": Kind(("instance_name",), ("namespace",)),
    "ai_search_namespace": Kind(("namespace",)),
    "agent_memory": Kind(("namespace",)),
    "messaging": Kind(("namespace",)),
    "artifacts": Kind(("namespace",)),
    "flagship": Kind(("app_id",)),
    "k2": Kind(("stream",)),
    "tail_consumer": Kind(("service",), ("environment",)),
    **{label: Kind(("part",)) for label in ("wasm_module", "text_blob", "data_blob")},
    **{
        label: Kind()
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


def named(raw: Any) -> str:
    """The name of an uploaded binding, once it is one."""
    if not isinstance(raw, Mapping) or not isinstance(raw.get("name"), str) or not raw["name"]:
        raise ApiError(400, 10052, "a binding was uploaded without a name")
    name: str = raw["name"]
    if not IDENTIFIER.fullmatch(name):
        raise invalid(f"binding {name!r}: a binding's name must be a JavaScript identifier")
    return name


def read(store: Store, account: str, raw: Mapping[str, Any]) -> Binding:
    """Check one uploaded binding whose name is right already."""
    label = raw.get("type")
    if isinstance(label, str) and label in KINDS:
        return KINDS[label].read(
            store, account, {**raw, **{new: raw[old] for old, new in RENAMED.get(label, {}).items() if raw.get(old)}}
        )
    raise invalid(f"binding {raw['name']} has unknown type {label!r}")


@dataclass(frozen=True)
class Rules:
    """How an upload treats what the Worker had: `keep` survives unnamed; `strict` refuses an `inherit` that finds
    nothing; `valueless` lets a secret without `text` stand for the one that is there."""

    keep: tuple[str, ...] = ()
    strict: bool = False
    valueless: bool = False


def inherited(raw: Mapping[str, Any], before: Mapping[str, Binding], strict: bool) -> Binding | None:
    """What `{"type": "inherit"}` stands for."""
    old_name = raw.get("old_name") or raw["name"]
    if not isinstance(old_name, str):
        raise invalid(f"binding {raw['name']} of type inherit has an invalid `old_name`")
    source = before.get(old_name)
    if source is None:
        if strict:
            raise ApiError(
                400, 10057, f"inherit binding '{raw['name']}' is invalid: the Worker has no binding of that name"
            )
        return None
    return Binding(raw["name"], source.type, source.spec, source.target, source.value)


def resolve(store: Store, account: str, uploaded: Any, before: Mapping[str, Binding], rules: Rules) -> list[Binding]:
    """The bindings a Worker has after a write, in the order uploaded, then what was kept."""
    if not isinstance(uploaded, list):
        raise invalid("bindings must be a list")
    after: dict[str, Binding | None] = {}
    for raw in uploaded:
        name = named(raw)
        if name in after:
            raise invalid(f"binding name '{name}' is used more than once")
        old = before.get(name)
        if raw.get("type") == "inherit":
            after[name] = inherited(raw, before, rules.strict)
        elif rules.valueless and old and old.stands_for(raw):
            after[name] = old
        else:
            after[name] = read(store, account, raw)
    kept = (old for old in before.values() if old.name not in after and old.type in rules.keep)
    return counted([*filter(None, after.values()), *kept])


def counted(bindings: list[Binding]) -> list[Binding]:
    """Refuse more variables and secrets than a Worker may have."""
    if sum(binding.type in VARIABLES for binding in bindings) > MAX_COUNT:
        raise ApiError(400, 10055, f"a Worker has at most {MAX_COUNT} environment variables and secrets")
    return bindings


def load(store: Store, script: int) -> dict[str, Binding]:
    """A Worker's bindings by name."""
    rows = store.all("select name, type, spec, target, value from bindings where script = ? order by position", script)
    return {
        row["name"]: Binding(
            row["name"], row["type"], json.loads(row["spec"]), row["target"], store.unseal(row["value"])
        )
        for row in rows
    }


def save(store: Store, script: int, bindings: Iterable[Binding]) -> None:
    """Replace a Worker's bindings; inside `write()`."""
    store.db.execute("delete from bindings where script = ?", (script,))
    store.db.executemany(
        "insert into bindings values (?, ?, ?, ?, ?, ?, ?)",
        [
            (script, position, one.name, one.type, json.dumps(dict(one.spec)), one.target, store.seal(one.value))
            for position, one in enumerate(bindings)
        ],
    )
