# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ledger of one owner: a cache in KV of each Worker as the API returned it after this collection's last write.

A Worker whose etag or modification date differs from its entry has drifted. The ledger may be deleted at any time.
"""

from __future__ import annotations

import json
import typing as t

from .._cloudflare.client import Client
from .._cloudflare.responses import parse_json
from .kv_namespace import ROOT
from .kv_values import METADATA_KEY, get_value, resolve_namespace
from .script.snapshot import LedgerEntry

LEDGER_KEY_PREFIX = f"{METADATA_KEY}/ledger/"  # followed by the owner; the slashes keep it apart from host names

Ledger = dict[str, LedgerEntry]  # by the name of the Worker


def load_ledger(client: Client, options: t.Mapping[str, t.Any], owner: str) -> Ledger:
    """Load an owner's ledger. Return an empty one if it does not exist or cannot be parsed."""
    namespace_id, missing = resolve_namespace(client, options)
    text = None if missing else get_value(client, f"{client.account(*ROOT)}/{namespace_id}", LEDGER_KEY_PREFIX + owner)
    values = parse_json(text or b"")
    entries = {name: LedgerEntry.from_json(value) for name, value in values.items()} if isinstance(values, dict) else {}
    return {name: entry for name, entry in entries.items() if entry}


def dump_ledger(ledger: Ledger) -> str:
    """Return the value of the ledger's key."""
    return json.dumps({name: entry.to_json() for name, entry in ledger.items()})
