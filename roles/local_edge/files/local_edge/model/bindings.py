# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bindings of a Worker: checked at upload, inherited from the previous ones, stored with sealed secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from local_edge.errors import ApiError, invalid
from local_edge.model.binding_types import KEY_ALIASES, SCHEMAS
from local_edge.store import Store

IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
SECRET_TYPES = ("secret_text", "secret_key")
#: Types that count as environment variables.
VARIABLES = ("plain_text", "json", *SECRET_TYPES)
#: The size of one variable in bytes, and the number of variables of a Worker.
MAX_VALUE, MAX_COUNT = 5 * 1024, 128


@dataclass(frozen=True)
class Binding:
    """A stored binding. `spec` is readable, `value` is the secret part. `target` is the name or id of its object."""

    name: str
    type: str
    spec: Mapping[str, Any]
    target: str | None = None
    value: str | None = None

    def to_api(self) -> dict[str, Any]:
        """Return the binding as the API does."""
        aliases = {alias: self.spec[key] for alias, key in KEY_ALIASES.get(self.type, {}).items() if key in self.spec}
        return {"name": self.name, "type": self.type, **self.spec, **aliases}

    def references_secret(self, raw: Mapping[str, Any]) -> bool:
        """Return whether an uploaded binding names this secret without a value for it."""
        return (
            self.type in SECRET_TYPES and self.type == raw.get("type") and not set(SCHEMAS[self.type].hidden) & set(raw)
        )


def size(value: Any) -> int:
    """Return the bytes of a value, as text or as JSON."""
    return len((value if isinstance(value, str) else json.dumps(value)).encode())


def check_name(raw: Any) -> str:
    """Return the name of an uploaded binding. Raise ApiError unless it is a JavaScript identifier."""
    if not isinstance(raw, Mapping) or not isinstance(raw.get("name"), str) or not raw["name"]:
        raise ApiError(400, 10052, "a binding was uploaded without a name")
    name: str = raw["name"]
    if not IDENTIFIER.fullmatch(name):
        raise invalid(f"binding {name!r}: a binding's name must be a JavaScript identifier")
    return name


def parse(store: Store, account: str, raw: Mapping[str, Any]) -> Binding:
    """Check an uploaded binding, except its name, and return it."""
    name, label = raw["name"], raw.get("type")
    if not isinstance(label, str) or label not in SCHEMAS:
        raise invalid(f"binding {name} has unknown type {label!r}")
    schema = SCHEMAS[label]
    raw = {**raw, **{key: raw[alias] for alias, key in KEY_ALIASES.get(label, {}).items() if raw.get(alias)}}
    schema.check(raw)
    if schema.extra_check:
        schema.extra_check(store, account, raw)
    visible, secret = schema.visible(raw), schema.secret(raw)
    if label in VARIABLES and sum(map(size, (*visible.values(), *secret.values()))) > MAX_VALUE:
        raise ApiError(400, 10054, f"binding {name}: the value is larger than {MAX_VALUE} bytes")
    return Binding(
        name,
        label,
        visible,
        target=schema.reference.check(store, account, raw) if schema.reference else None,
        value=(secret.get("text") if "text" in secret else json.dumps(secret)) if secret else None,
    )


@dataclass(frozen=True)
class InheritPolicy:
    """The treatment of existing bindings by an upload.

    The types in `keep` survive if the upload does not name them. If `strict`, an `inherit` binding without an existing
    one is an error. If `allow_secret_reference`, a secret without `text` refers to the existing one.
    """

    keep: tuple[str, ...] = ()
    strict: bool = False
    allow_secret_reference: bool = False


def inherited(raw: Mapping[str, Any], before: Mapping[str, Binding], strict: bool) -> Binding | None:
    """Return the existing binding that an `inherit` binding refers to, under its new name."""
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


def resolve(
    store: Store, account: str, uploaded: Any, before: Mapping[str, Binding], policy: InheritPolicy
) -> list[Binding]:
    """Return the bindings of a Worker after a write: the uploaded ones in their order, then the kept ones."""
    if not isinstance(uploaded, list):
        raise invalid("bindings must be a list")
    after: dict[str, Binding | None] = {}
    for raw in uploaded:
        name = check_name(raw)
        if name in after:
            raise invalid(f"binding name '{name}' is used more than once")
        old = before.get(name)
        if raw.get("type") == "inherit":
            after[name] = inherited(raw, before, policy.strict)
        elif policy.allow_secret_reference and old and old.references_secret(raw):
            after[name] = old
        else:
            after[name] = parse(store, account, raw)
    kept = (old for old in before.values() if old.name not in after and old.type in policy.keep)
    return check_count([*filter(None, after.values()), *kept])


def check_count(bindings: list[Binding]) -> list[Binding]:
    """Return the bindings. Raise ApiError if they contain more than MAX_COUNT variables and secrets."""
    if sum(binding.type in VARIABLES for binding in bindings) > MAX_COUNT:
        raise ApiError(400, 10055, f"a Worker has at most {MAX_COUNT} environment variables and secrets")
    return bindings


def load(store: Store, script: int) -> dict[str, Binding]:
    """Return a Worker's bindings by name."""
    rows = store.all("select name, type, spec, target, value from bindings where script = ? order by position", script)
    return {
        row["name"]: Binding(
            row["name"], row["type"], json.loads(row["spec"]), row["target"], store.unseal(row["value"])
        )
        for row in rows
    }


def save(store: Store, script: int, bindings: Iterable[Binding]) -> None:
    """Replace a Worker's bindings. Call inside `write()`."""
    store.db.execute("delete from bindings where script = ?", (script,))
    store.db.executemany(
        "insert into bindings values (?, ?, ?, ?, ?, ?, ?)",
        [
            (script, position, one.name, one.type, json.dumps(dict(one.spec)), one.target, store.seal(one.value))
            for position, one in enumerate(bindings)
        ],
    )
