# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was read of a Worker, as a value. It never holds a desired value."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass

from ..._engine.fields import Attributes
from ..._worker.fingerprint import FingerprintTag, find_fingerprint_tag
from ..._worker.source import Module

LedgerMemo = dict[str, t.Any]  # field -> hash; bindings -> name -> type, hash; secrets -> names; tags


@dataclass(frozen=True)
class LedgerEntry:
    """A Worker as the API returned it after this collection's last write, and a memo of its attributes if it is known.

    As JSON it is an object with the keys of ``KEYS``, without those that are None, and with the ``other`` keys that it
    had when it was read. Version 1 of the ledger has lists instead: fingerprint tag, etag, modified_on and the memo.
    """

    KEYS: t.ClassVar[tuple[str, ...]] = ("tag", "etag", "modified_on", "memo")

    fingerprint_tag: str | None = None
    etag: str | None = None
    modified_on: str | None = None
    memo: LedgerMemo | None = None
    other: t.Mapping[str, t.Any] | None = None

    @classmethod
    def from_json(cls, value: t.Any) -> LedgerEntry | None:
        """Parse an entry of any version. Return None if the value has another form."""
        if isinstance(value, list) and len(value) in (3, 4):
            value = dict(zip(cls.KEYS, value, strict=False))
        if not isinstance(value, dict):
            return None
        tag, etag, modified_on = (value.get(key) for key in cls.KEYS[:3])
        if not all(isinstance(text, (str, type(None))) for text in (tag, etag, modified_on)):
            return None
        memo = value.get("memo")
        other = {key: item for key, item in value.items() if key not in cls.KEYS}
        return cls(tag, etag, modified_on, memo if _is_memo(memo) else None, other or None)

    def to_json(self) -> dict[str, t.Any]:
        """Return the entry as a JSON value."""
        values = {"tag": self.fingerprint_tag, "etag": self.etag, "modified_on": self.modified_on, "memo": self.memo}
        return {**(self.other or {}), **{key: value for key, value in values.items() if value is not None}}

    def is_current(self, summary: t.Mapping[str, t.Any]) -> bool:
        """Whether the Worker was not written since."""
        return (self.etag, self.modified_on) == (summary.get("etag"), summary.get("modified_on"))


def _is_memo(value: t.Any) -> bool:
    """Whether a value of the ledger, which any client can overwrite, has the form of a memo."""
    if not isinstance(value, dict):
        return False
    named = {"bindings": dict, "secrets": list, "tags": list}
    if not all(isinstance(item, named.get(key, str)) for key, item in value.items()):
        return False
    texts = [text for key in ("secrets", "tags") for text in value.get(key, ())]
    return all(isinstance(text, str) for text in texts) and all(
        isinstance(one, list) and len(one) == 2 and all(isinstance(part, str) for part in one)
        for one in value.get("bindings", {}).values()
    )


@dataclass(frozen=True)
class Snapshot:
    """A Worker as it was read. A part is None if it was not read; a Worker that does not exist has no snapshot.

    ``summary`` is the listing's part: tags, etag, dates, migration_tag, has_assets. ``settings`` and ``subdomain`` are
    the API's own answers. ``memo`` comes from the ledger and describes the Worker as of its present fingerprint tag.
    ``has_drifted`` means that it was changed outside of this collection since its last upload.
    """

    summary: Attributes
    has_drifted: bool = False
    memo: LedgerMemo | None = None
    settings: Attributes | None = None
    modules: tuple[Module, ...] | None = None
    subdomain: Attributes | None = None

    @property
    def tags(self) -> list[str]:
        """All tags, the collection's own included."""
        return list(self.summary["tags"] or [])

    @functools.cached_property
    def fingerprint_tag(self) -> FingerprintTag | None:
        """The parsed fingerprint tag, or None."""
        return find_fingerprint_tag(self.tags)

    @property
    def has_assets(self) -> bool:
        """Whether the Worker may serve assets: some answers do not mention them."""
        return self.summary.get("has_assets") is not False
