# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The register of storage on the edge: of Durable Objects, under the id of their class, and of D1 databases."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from local_edge.errors import ApiError
from local_edge.store import Store

D1 = "d1"
#: Calls an action of the edge: `Runtime.call_admin`.
AdminCall = Callable[[str, Any], Awaitable[Any]]
#: The ids of the storage of all Durable Object classes.
CLASSES = "select json_extract(value, '$.id') from scripts, json_each(json_extract(extras, '$.migrations.classes'))"


def register_storage(store: Store, kind: str, ident: str) -> bool:
    """Register storage before the edge creates it. Return False if its database has been deleted."""
    with store.write() as db:
        db.execute("insert or ignore into objects values (?, ?)", (kind, ident))
    return kind != D1 or store.one("select 1 from products where kind = ? and id = ?", D1, ident) is not None


def is_registered(store: Store, kind: str, ident: str) -> bool:
    return store.one("select 1 from objects where kind = ? and id = ?", kind, ident) is not None


def orphans(store: Store) -> list[tuple[str, str]]:
    """Return the kind and id of storage whose class or database no longer exists."""
    rows = store.all(
        f"select kind, id from objects where kind = '{D1}' and id not in (select id from products where kind = '{D1}')"
        f" or kind != '{D1}' and kind not in ({CLASSES})"
    )
    return [(row["kind"], row["id"]) for row in rows]


async def delete_storage(store: Store, call_admin: AdminCall, kind: str, ident: str) -> None:
    """Have the edge delete storage. If that fails, the next garbage collection repeats it."""
    with contextlib.suppress(ApiError):
        await call_admin("/wipe", {"kind": kind, "id": ident})
        with store.write() as db:
            db.execute("delete from objects where kind = ? and id = ?", (kind, ident))


async def collect_garbage(store: Store, call_admin: AdminCall) -> None:
    """Have the edge delete the storage of deleted classes and databases."""
    for kind, ident in orphans(store):
        await delete_storage(store, call_admin, kind, ident)
