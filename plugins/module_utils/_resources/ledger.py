# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ledger of one owner: a cache in KV of each Worker as the API returned it after this collection's last write.

A Worker whose etag or modification date differs from its entry has drifted. The ledger may be deleted at any time.

It consists of parts, each the value of one key. Their number is a power of two, so that each value stays below
``MAX_PART_BYTES``. A part is a JSON object: C(version), C(parts), C(dispatch_namespace), C(written_at) in seconds since
1970, C(equal_dates), and C(workers), the entries by name. Unknown keys of parts and entries are kept. Version 1 is an
object of entries.
"""

from __future__ import annotations

import hashlib
import json
import time
import typing as t
from dataclasses import dataclass

from .._cloudflare.client import Client
from .._cloudflare.responses import parse_json
from .kv_namespace import ROOT
from .kv_values import LEDGER_KEY_PREFIX, get_value, resolve_namespace
from .script.snapshot import LedgerEntry

VERSION = 2
MAX_PART_BYTES = 10 * 1024 * 1024
MAX_PARTS = 64
ENTRY_BYTES = 1024  # the assumed size of an entry, until there is a ledger to measure
EQUAL_DATES = "equal_dates"
WRITE_INTERVAL = 1.0  # seconds between two writes of a key; KV allows one a second

clock = time.time  # tests replace it

Entries = dict[str, LedgerEntry]  # by the name of the Worker
Document = dict[str, t.Any]  # a part as JSON


def part_key(owner: str, number: int) -> str:
    """Return the key of a part."""
    return LEDGER_KEY_PREFIX + owner + (f"/{number}" if number else "")


def part_of(name: str, parts: int) -> int:
    """Return the number of the part with the entry of a Worker."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % parts if parts > 1 else 0


@dataclass(frozen=True)
class Ledger:
    """The entries of a ledger, and its parts as they were read, without entries and with their size in bytes.

    The entries of another dispatch namespace or of a later version are not read. Only the former may be replaced.
    """

    entries: Entries
    documents: tuple[Document, ...] = ()
    size: int = 0
    is_later_version: bool = False
    is_of_other_namespace: bool = False

    @classmethod
    def load(cls, client: Client, options: t.Mapping[str, t.Any], owner: str, dispatch_namespace: str) -> Ledger:
        """Read an owner's ledger. Return an empty one if it does not exist or cannot be parsed."""
        namespace_id, missing = resolve_namespace(client, options)
        if missing:
            return cls({})
        path = f"{client.account(*ROOT)}/{namespace_id}"
        contents = [get_value(client, path, part_key(owner, 0)) or b""]
        first = _parse(contents[0])
        if first.get("version", VERSION) > VERSION:
            return cls({}, is_later_version=True)
        contents += [get_value(client, path, part_key(owner, number)) or b"" for number in range(1, _parts(first))]
        documents = [first, *(_parse(content) for content in contents[1:])]
        if first.get("dispatch_namespace", dispatch_namespace) != dispatch_namespace:
            return cls({}, tuple(_without_entries(documents)), is_of_other_namespace=True)
        entries = {
            name: entry
            for number, document in enumerate(documents)
            for name, entry in _entries(document).items()
            if part_of(name, len(documents)) == number
        }
        return cls(entries, tuple(_without_entries(documents)), sum(map(len, contents)))

    @property
    def parts(self) -> int:
        """The number of parts as they were read."""
        return max(1, len(self.documents))

    @property
    def has_equal_dates(self) -> bool:
        """Whether an earlier run saw that uploads and lists of this API return equal dates."""
        return any(document.get(EQUAL_DATES) is True for document in self.documents)

    def parts_for(self, workers: int) -> int:
        """Return the number of parts for this number of Workers. It never becomes smaller."""
        entry_bytes = self.size / len(self.entries) if self.entries else ENTRY_BYTES
        parts = self.parts
        while parts < MAX_PARTS and workers * entry_bytes > 0.9 * parts * MAX_PART_BYTES:  # hashes are not quite even
            parts *= 2
        return parts

    def wait(self, client: Client) -> None:
        """Wait until a part may be written again."""
        written_at = max((document.get("written_at", 0.0) for document in self.documents), default=0.0)
        elapsed = clock() - written_at
        if 0 <= elapsed < WRITE_INTERVAL:
            client.rate_limiter.sleep(WRITE_INTERVAL - elapsed)

    def dump_part(self, entries: Entries, number: int, header: Document) -> str:
        """Return the value of a part's key. Without space for all memos, they are left out.

        ``header`` has the number of parts and further keys.
        """
        own = {name: entry.to_json() for name, entry in entries.items() if part_of(name, header["parts"]) == number}
        document = {
            **(self.documents[number] if number < len(self.documents) else {}),
            "version": VERSION,
            **header,
            "written_at": round(clock(), 3),
        }
        value = _dump({**document, "workers": own})
        if len(value) < MAX_PART_BYTES:
            return value
        small = {name: {key: item for key, item in entry.items() if key != "memo"} for name, entry in own.items()}
        return _dump({**document, "workers": small})


def _parse(content: bytes) -> Document:
    """Parse a part of any version. Return an empty document if it has another form."""
    value = parse_json(content)
    if not isinstance(value, dict):
        return {}
    if not isinstance(value.get("version"), int) or isinstance(value["version"], bool):
        return {"workers": value}  # version 1, in which this may be the name of a Worker
    if not isinstance(value.get("written_at", 0.0), (int, float)):
        del value["written_at"]
    return value


def _entries(document: Document) -> Entries:
    workers = document.get("workers")
    values = workers if isinstance(workers, dict) else {}
    parsed = {name: LedgerEntry.from_json(value) for name, value in values.items()}
    return {name: entry for name, entry in parsed.items() if entry}


def _without_entries(documents: t.Iterable[Document]) -> t.Iterator[Document]:
    for document in documents:
        yield {key: value for key, value in document.items() if key != "workers"}


def _parts(document: Document) -> int:
    parts = document.get("parts")
    return parts if isinstance(parts, int) and 0 < parts <= MAX_PARTS and parts & (parts - 1) == 0 else 1


def _dump(value: Document) -> str:
    return json.dumps(value, separators=(",", ":"))
