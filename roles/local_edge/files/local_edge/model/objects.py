# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage that the edge keeps: of Durable Objects, under the id of their class, and of D1 databases. It outlives what it belonged to."""
from __future__ import annotations

from local_edge.store import Store

D1 = "d1"
#: The ids under which classes of all Workers have their storage.
CLASSES = "select json_extract(value, '$.id') from scripts, json_each(json_extract(extras, '$.migrations.classes'))"


def note(store: Store, kind: str, ident: str) -> None:
    """There is storage now."""
    with store.write() as db:
        db.execute("insert or ignore into objects values (?, ?)", (kind, ident))


def orphans(store: Store) -> list[tuple[str, str]]:
    """What no Worker's class and no database has any more."""
    rows = store.all(f"select kind, id from objects where kind = '{D1}' and id not in (select id from products where kind = '{D1}')"
                     f" or kind != '{D1}' and kind not in ({CLASSES})")
    return [(row["kind"], row["id"]) for row in rows]


def forget(store: Store, kind: str, ident: str) -> None:
    """Its storage is gone."""
    with store.write() as db:
        db.execute("delete from objects where kind = ? and id = ?", (kind, ident))
