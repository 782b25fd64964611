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

    As JSON it is a list: fingerprint tag, etag, modified_on and, if known, the memo.
    """

    fingerprint_tag: str | None
    etag: str | None
    modified_on: str | None
    memo: LedgerMemo | None = None

    @classmethod
    def from_json(cls, value: t.Any) -> LedgerEntry | None:
        """Parse an entry. Return None if the value has another form."""
        match value:
            case [tag, etag, modified_on]:
                return cls(tag, etag, modified_on)
            case [tag, etag, modified_on, dict(memo)]:
                return cls(tag, etag, modified_on, memo)
        return None

    def to_json(self) -> list[t.Any]:
        """Return the entry as a JSON value."""
        return [self.fingerprint_tag, self.etag, self.modified_on, *([] if self.memo is None else [self.memo])]

    def is_current(self, summary: t.Mapping[str, t.Any]) -> bool:
        """Whether the Worker was not written since."""
        return (self.etag, self.modified_on) == (summary.get("etag"), summary.get("modified_on"))


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
