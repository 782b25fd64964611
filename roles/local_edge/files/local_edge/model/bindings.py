# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bindings: what an upload may name, what it may not, and what of the old ones survives."""
from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from local_edge.errors import ApiError, invalid
from local_edge.store import Store

IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
SECRET_TYPES = ("secret_text", "secret_key")
MAX_VALUE, MAX_COUNT = 5 * 1024, 128
#: Types of the contract that this edge knows by name only.
NOT_YET = frozenset((
    "secret_key", "r2_bucket", "d1", "queue", "durable_object_namespace", "analytics_engine", "ai", "browser",
    "images", "media", "stream", "version_metadata", "assets", "worker_loader", "websearch", "vectorize",
    "hyperdrive", "mtls_certificate", "pipelines", "ratelimit", "secrets_store_secret", "send_email", "workflow",
    "vpc_service", "vpc_network", "ai_search", "ai_search_namespace", "agent_memory", "messaging", "artifacts",
    "flagship", "wasm_module", "text_blob", "data_blob", "tail_consumer",
))


@dataclass(frozen=True)
class Binding:
    """One binding as it is stored: `spec` is what readers see, `value` what they never do."""

    name: str
    type: str
    spec: Mapping[str, Any]
    target: str | None = None
    value: str | None = None

    def shown(self) -> dict[str, Any]:
        """The binding as the API returns it."""
        return {"name": self.name, "type": self.type, **self.spec}


@dataclass(frozen=True)
class Kind:
    """A type of binding: its own keys, the one that names its target, and the check that the target is there."""

    required: str
    optional: tuple[str, ...] = ()
    target: Callable[[Store, str, Mapping[str, Any]], None] | None = None
    secret: bool = False
    any_value: bool = False

    def read(self, store: Store, account: str, raw: Mapping[str, Any]) -> Binding:
        """Check one uploaded binding of this type."""
        name, label = raw["name"], raw["type"]
        value = raw.get(self.required)
        if self.required not in raw or not (self.any_value or (isinstance(value, str) and (value or not self.target))):
            raise invalid(f"binding {name} of type {label} must have a valid `{self.required}` specified")
        if len(value if isinstance(value, str) else json.dumps(value)) > MAX_VALUE and not self.target:
            raise ApiError(400, 10054, f"binding {name}: the value is larger than {MAX_VALUE} bytes")
        if self.target:
            self.target(store, account, raw)
        if self.secret:
            return Binding(name, label, {}, value=str(value))
        spec = {key: raw[key] for key in (self.required, *self.optional) if raw.get(key) is not None or key == self.required}
        return Binding(name, label, spec, target=str(value) if self.target else None)


def kv_target(store: Store, account: str, raw: Mapping[str, Any]) -> None:
    ident = raw["namespace_id"]
    if not store.one("select 1 from kv_namespaces where account = ? and id = ?", account, ident):
        raise ApiError(400, 10041, f"KV namespace '{ident}' not found. Verify the namespace exists in your account and "
                                   "that the namespace_id is correct.")


def dispatch_target(store: Store, account: str, raw: Mapping[str, Any]) -> None:
    if not store.one("select 1 from namespaces where account = ? and name = ?", account, raw["namespace"]):
        raise ApiError(400, 100119, "The specified dispatch namespace does not exist on this account.")
    if raw.get("outbound"):
        raise invalid(f"binding {raw['name']}: an outbound Worker is not supported by the local edge yet")


def service_target(store: Store, account: str, raw: Mapping[str, Any]) -> None:
    service = raw["service"]
    if not store.one("select 1 from scripts where account = ? and namespace = '' and name = ?", account, service):
        raise ApiError(400, 10144, f"Service binding '{raw['name']}' references environment "
                                   f"'{raw.get('environment') or 'production'}' on Worker '{service}' which was not found.")


KINDS: Mapping[str, Kind] = {
    "plain_text": Kind("text"),
    "secret_text": Kind("text", secret=True),
    "json": Kind("json", any_value=True),
    "kv_namespace": Kind("namespace_id", target=kv_target),
    "dispatch_namespace": Kind("namespace", target=dispatch_target),
    "service": Kind("service", ("environment", "entrypoint", "props"), target=service_target),
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
        return KINDS[label].read(store, account, raw)
    if label in NOT_YET:
        raise invalid(f"binding {raw['name']} of type {label} is not supported by the local edge yet")
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
    source = before.get(raw.get("old_name") or raw["name"])
    if source is None:
        if strict:
            raise ApiError(400, 10057, f"inherit binding '{raw['name']}' is invalid: the Worker has no binding of that name")
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
        elif rules.valueless and raw.get("type") in SECRET_TYPES and "text" not in raw and old and old.type == raw["type"]:
            after[name] = old
        else:
            after[name] = read(store, account, raw)
    kept = (old for old in before.values() if old.name not in after and old.type in rules.keep)
    return counted([*filter(None, after.values()), *kept])


def counted(bindings: list[Binding]) -> list[Binding]:
    """Refuse more variables and secrets than a Worker may have."""
    if sum(binding.type in ("plain_text", "json", *SECRET_TYPES) for binding in bindings) > MAX_COUNT:
        raise ApiError(400, 10055, f"a Worker has at most {MAX_COUNT} environment variables and secrets")
    return bindings


def load(store: Store, script: int) -> dict[str, Binding]:
    """A Worker's bindings by name."""
    rows = store.all("select name, type, spec, target, value from bindings where script = ? order by position", script)
    return {row["name"]: Binding(row["name"], row["type"], json.loads(row["spec"]), row["target"], row["value"]) for row in rows}


def save(store: Store, script: int, bindings: Iterable[Binding]) -> None:
    """Replace a Worker's bindings; inside `write()`."""
    store.db.execute("delete from bindings where script = ?", (script,))
    store.db.executemany("insert into bindings values (?, ?, ?, ?, ?, ?, ?)", [
        (script, position, one.name, one.type, json.dumps(dict(one.spec)), one.target, one.value)
        for position, one in enumerate(bindings)])
