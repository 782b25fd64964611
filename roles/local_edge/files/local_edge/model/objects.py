# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage that the edge keeps: of Durable Objects, under the id of their class, and of D1 databases. It outlives what it belonged to."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from local_edge.errors import ApiError
from local_edge.store import Store

D1 = "d1"
#: How the edge is asked, see `Runtime.act`.
Act = Callable[[str, Any], Awaitable[Any]]
#: The ids under which classes of all Workers have their storage.
CLASSES = "select json_extract(value, '$.id') from scripts, json_each(json_extract(extras, '$.migrations.classes'))"


def note(store: Store, kind: str, ident: str) -> bool:
    """There is storage now; false if it is that of a database which was deleted, and has to go again."""
    with store.write() as db:
        db.execute("insert or ignore into objects values (?, ?)", (kind, ident))
    return kind != D1 or store.one("select 1 from products where kind = ? and id = ?", D1, ident) is not None


def is_noted(store: Store, kind: str, ident: str) -> bool:
    return store.one("select 1 from objects where kind = ? and id = ?", kind, ident) is not None


def orphans(store: Store) -> list[tuple[str, str]]:
    """What no Worker's class and no database has any more."""
    rows = store.all(
        f"select kind, id from objects where kind = '{D1}' and id not in (select id from products where kind = '{D1}')"
        f" or kind != '{D1}' and kind not in ({CLASSES})"
    )
    return [(row["kind"], row["id"]) for row in rows]


async def wipe(store: Store, act: Act, kind: str, ident: str) -> None:
    """Have the edge let go of storage; if it cannot, the next sweep asks again."""
    with contextlib.suppress(ApiError):
        await act("/wipe", {"kind": kind, "id": ident})
        with store.write() as db:
            db.execute("delete from objects where kind = ? and id = ?", (kind, ident))


async def collect_garbage(store: Store, act: Act) -> None:
    """Have the edge let go of what belongs to nothing any more."""
    for kind, ident in orphans(store):
        await wipe(store, act, kind, ident)
