# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ledger's memo of a Worker, with which a change needs no read.

A field that differs from a new Worker's is stored as a hash: that is enough to decide whether it is the desired one,
and an upload replaces it in any case. Bindings are stored one by one, since some of them may stay, and secrets by name.
"""

from __future__ import annotations

import typing as t

from ..._engine.fields import CHANGED_UNREAD, Attributes, Field, is_known
from ..._worker import settings
from ..._worker.binding_types import INHERIT, Binding
from ..._worker.fingerprint import fingerprint
from .fields import MEMO_FIELDS
from .snapshot import LedgerMemo


def make_memo(current: Attributes, declared: t.Iterable[Binding]) -> LedgerMemo:
    """Return the memo of a Worker that was read or written as a whole."""
    values = {field.name: current.get(field.name, field.initial) for field in MEMO_FIELDS}
    hashes = {
        field.name: _digest(field.normalize(values[field.name]))
        for field in MEMO_FIELDS
        if not _is_default(field, values[field.name])
    }
    declared_by_name = {binding["name"]: binding for binding in declared}
    digests = {
        one["name"]: one.get(CHANGED_UNREAD) or [one["type"], _digest(declared_by_name.get(one["name"], one))]
        for one in current["bindings"]
    }
    named = {"bindings": digests, "secrets": sorted(current["secrets"]), "tags": current["tags"]}
    return {**hashes, **{name: value for name, value in named.items() if value}}


def from_memo(memo: LedgerMemo, desired: Attributes, declared: t.Collection[Binding]) -> Attributes | None:
    """Return the attributes of a Worker; None if the memo is too little to plan with.

    An attribute that is not the desired one becomes a placeholder.
    """
    current: Attributes = {}
    for field in MEMO_FIELDS:
        name, digest = field.name, memo.get(field.name)
        if digest is None:
            current[name] = field.initial
        elif name in desired and digest == _digest(field.normalize(desired[name])):
            current[name] = desired[name]
        elif name in desired and not settings.is_partial(name):
            current[name] = CHANGED_UNREAD
        else:  # it stays, or a part of it does, and an upload must name its value
            return None
    if any(binding["type"] == INHERIT for binding in declared):
        return None
    declared_by_name = {binding["name"]: binding for binding in declared}
    digests = {name: [one["type"], _digest(one)] for name, one in declared_by_name.items()}
    current["bindings"] = [
        declared_by_name[name] if digests.get(name) == memoized else _changed_binding(name, memoized)
        for name, memoized in sorted(memo.get("bindings", {}).items())
    ]
    return current


def _changed_binding(name: str, memoized: list[str]) -> Binding:
    return {"name": name, "type": memoized[0], CHANGED_UNREAD: memoized}


def _digest(value: t.Any) -> str:
    return fingerprint(value)[:8]


def _is_default(field: Field, value: t.Any) -> bool:
    return not is_known(value) or (
        is_known(field.initial) and bool(field.normalize(value) == field.normalize(field.initial))
    )
