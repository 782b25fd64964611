# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All objects of a local edge as one comparable value: what the API lists, and what a Worker would receive."""

from __future__ import annotations

import json
import re
import typing as t

from local_edge.testing import Edge

#: Tables, and the columns that name an object.
TABLES = {
    "namespaces": ("name",),
    "scripts": ("namespace", "name"),
    "bindings": ("script", "name"),
    "tags": ("script", "tag"),
    "routes": ("zone", "pattern"),
    "kv_namespaces": ("title",),
    "kv": ("namespace", "key"),
    "worker_domains": ("hostname",),
    "dns_records": ("zone", "name"),
    "custom_hostnames": ("zone", "hostname"),
    "products": ("kind", "name"),
}
#: Keys that differ between two equal objects.
VOLATILE = re.compile(
    r"id|version|position|deployed|cert|domain|(.*_)?(created|modified|validated)_(on|at|since)|validated_since"
)
#: A fingerprint tag. Its fingerprint covers ids, and it contains a time.
FINGERPRINT_TAG = re.compile(r"(tenantry\.1)\.[0-9a-f]{16}(\.[0-9a-f]{8}(?:\.[0-9a-f]{10})?)\.[0-9a-z]{6}(?=\.|$)")
LEDGER = "tenantry/ledger/"
State = dict[str, list[str]]


def account_state(edge: Edge) -> State:
    """Return the objects by kind and name, without ids and times, and without the ledgers, which are caches."""
    names = {row["id"]: row["title"] for row in edge.store.all("select id, title from kv_namespaces")}
    workers = {row["id"]: f"{row['namespace']}/{row['name']}" for row in edge.store.all("select * from scripts")}
    for row in edge.store.all("select id, files from manifests"):
        names[row["id"]] = row["files"]
    names |= {ident: name for name, ident in edge.zones.items()}
    state: State = {}
    for table, identity in TABLES.items():
        for row in edge.store.all(f"select * from {table}"):
            kept = {key: _comparable(row[key], names) for key in dict(row) if not VOLATILE.fullmatch(key)}
            if "script" in kept:
                kept["script"] = workers.get(row["script"], row["script"])
            if table == "scripts":
                del kept["tag"]  # random
                if "subdomain" in kept["extras"]:
                    kept["extras"]["subdomain"].setdefault("previews_enabled", False)
            if table == "bindings":
                kept["value"] = edge.store.unseal(row["value"])
            label = " ".join(str(kept.pop(name)) for name in identity)
            if not (table == "kv" and row["key"].startswith(LEDGER)):
                state.setdefault(f"{table} {label}", []).append(json.dumps(kept, sort_keys=True))
    return {label: sorted(objects) for label, objects in state.items()}


def _comparable(value: t.Any, names: dict[str, str]) -> t.Any:
    """Return a value without times and ids, and JSON as its objects."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, str) and value[:1] in ("{", "["):
        value = json.loads(value)
    if isinstance(value, dict):
        return {key: _comparable(inner, names) for key, inner in value.items() if not VOLATILE.fullmatch(key)}
    if isinstance(value, list):
        return [_comparable(inner, names) for inner in value]
    return FINGERPRINT_TAG.sub(r"\1.*\2.*", names.get(value, value)) if isinstance(value, str) else value


def differences(state: State, twin: State) -> list[str]:
    """Return the objects that are lost, left over or different, as compared with an undisturbed twin."""
    return [
        *(f"lost: {label}" for label in twin if label not in state),
        *(f"left over: {label}" for label in state if label not in twin),
        *(
            f"different: {label}: {state[label]} instead of {twin[label]}"
            for label in twin
            if state.get(label, twin[label]) != twin[label]
        ),
    ]
