# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the ledger remembers of a Worker, so that a change of it needs no reading.

A field that is not as it is on a new Worker is remembered by a hash: that tells whether it is the wanted one, and that is all an
upload has to know which replaces it. Bindings are remembered one by one, since some of them may stay, and secrets by name.
"""

from __future__ import annotations

import typing as t

from .._engine.plan import is_known
from .._engine.resource import DIFFERENT, Attributes, Field
from .._worker import settings
from .._worker.bindings import INHERIT, Binding
from .._worker.fingerprint import fingerprint

LedgerMemo = dict[str, t.Any]  # field -> hash; bindings -> name -> type, hash; secrets -> names


def _digest(value: t.Any) -> str:
    return fingerprint(value)[:8]


def make_memo(current: Attributes, fields: t.Iterable[Field], declared: t.Iterable[Binding]) -> LedgerMemo:
    """Return what to remember of a Worker that was read or written as a whole."""
    hashes = {
        field.name: _digest(field.normalize(current[field.name]))
        for field in fields
        if not _is_default(field, current[field.name])
    }
    declared_by_name = {binding["name"]: binding for binding in declared}
    digests = {
        one["name"]: one.get(DIFFERENT) or [one["type"], _digest(declared_by_name.get(one["name"], one))]
        for one in current["bindings"]
    }
    named = {"bindings": digests, "secrets": sorted(current["secrets"]), "tags": current["tags"]}
    return {**hashes, **{name: value for name, value in named.items() if value}}


def from_memo(
    memo: LedgerMemo, fields: t.Iterable[Field], wanted: Attributes, declared: t.Collection[Binding]
) -> Attributes | None:
    """Return the Worker as it is: what is not remembered to be the wanted is C(DIFFERENT). None where that is too little to go by."""
    current: Attributes = {}
    for field in fields:
        name, digest = field.name, memo.get(field.name)
        if digest is None:
            current[name] = field.initial
        elif name in wanted and digest == _digest(field.normalize(wanted[name])):
            current[name] = wanted[name]
        elif name in wanted and not settings.is_partial(name):
            current[name] = DIFFERENT
        else:  # it stays, or a part of it does, and an upload has to say what that is
            return None
    if any(binding["type"] == INHERIT for binding in declared):
        return None
    declared_by_name = {binding["name"]: binding for binding in declared}
    digests = {name: [one["type"], _digest(one)] for name, one in declared_by_name.items()}
    there = memo.get("bindings", {})
    current["bindings"] = [
        declared_by_name[name] if digests.get(name) == told else {"name": name, "type": told[0], DIFFERENT: told}
        for name, told in sorted(there.items())
    ]
    return current


def _is_default(field: Field, value: t.Any) -> bool:
    return not is_known(value) or (
        is_known(field.initial) and bool(field.normalize(value) == field.normalize(field.initial))
    )
