# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ledger during a bulk run: the entries that may be believed, and those that are stored after it.

Stored is only what the API returned, and only if no other client can have caused it.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from .._cloudflare.client import Client
from .._engine.bulk_member import PlannedMember
from .._engine.fields import Attributes
from .._worker.fingerprint import OWNER_PREFIX, find_fingerprint_tag, user_tags
from .ledger import EQUAL_DATES, Entries, Ledger, part_key, part_of
from .script.mapping import fingerprint_tag_text, modified_after_upload, parse_timestamp
from .script.planner import ScriptPlan, memo_after
from .script.receipt import Receipt
from .script.snapshot import LedgerEntry

LATER = 2  # seconds between the dates of a response and of the listing, if the API was not seen to return equal ones
NO_ENTRY = LedgerEntry()


class FleetLedger:
    """The ledger of one owner, beside the latest listing of the dispatch namespace.

    ``listing`` is shared with the bulk run, which refreshes it. ``tags_of`` returns all tags of a listed Worker.
    """

    def __init__(
        self,
        ledger: Ledger,
        listing: t.Mapping[str, Attributes],
        tags_of: t.Callable[[str], list[str]],
        dispatch_namespace: str,
        owner: str,
    ) -> None:
        self._ledger, self._listing, self._tags_of = ledger, listing, tags_of
        self._dispatch_namespace, self._owner = dispatch_namespace, owner
        self._written: set[str] = set()
        self._unchanged: Entries | None = None  # until the first plan

    # -- entries to believe --------------------------------------------------------------------------------------------

    def mark_written(self, names: t.Iterable[str]) -> None:
        """Stop believing the entries of Workers that this run has written."""
        self._written.update(names)

    def entry(self, name: str) -> LedgerEntry | None:
        """Return the entry of a Worker if it was made with the fingerprint tag of the listing."""
        found = self._ledger.entries.get(name)
        if found is None or name in self._written or name not in self._listing:
            return None
        return found if found.fingerprint_tag == fingerprint_tag_text(self._tags_of(name)) else None

    def tags(self, script: Attributes) -> list[str]:
        """Return the tags of a Worker that was not written since its entry was, for a listing without tags."""
        entry = None if script["id"] in self._written else self._ledger.entries.get(script["id"])
        if entry is None or entry.memo is None or entry.fingerprint_tag is None or not entry.is_current(script):
            return []
        return [*entry.memo.get("tags", ()), OWNER_PREFIX + self._owner, entry.fingerprint_tag]

    # -- entries to store ----------------------------------------------------------------------------------------------

    def values(self, client: Client, members: t.Sequence[PlannedMember]) -> dict[str, t.Callable[[], str]]:
        """Return the keys to write after these members, with functions that return their values then.

        A part is written if one of its Workers is, or if its entry is missing or from before the Worker's last change,
        such as after a failed write of the ledger.
        """
        if self._unchanged is None:  # later, the listing may show the writes of others
            self._unchanged = {member.name: entry for member in members if (entry := self._unchanged_entry(member))}
        if self._ledger.is_later_version:
            return {}
        parts = self._ledger.parts_for(len({*self._listing, *(member.name for member in members)}))
        written = {member.name for member in members if member.plan.steps}
        outdated = {member.name for member in members if member.name in self._unchanged and self._is_outdated(member)}
        numbers = {part_of(name, parts) for name in written | outdated}
        if numbers and (parts != self._ledger.parts or self._ledger.is_of_other_namespace):
            numbers = set(range(parts))
        entries = functools.cache(lambda: self._entries(members))

        def value(number: int) -> str:
            self._ledger.wait(client)
            header = {"parts": parts, "dispatch_namespace": self._dispatch_namespace, **self._date_header(members)}
            return self._ledger.dump_part(entries(), number, header)

        return {part_key(self._owner, number): functools.partial(value, number) for number in sorted(numbers)}

    def _entries(self, members: t.Sequence[PlannedMember]) -> Entries:
        """Return the entries of all listed Workers, those of other members of this owner included."""
        old = self._ledger.entries
        has_equal_dates = bool(self._date_header(members))
        written = {
            member.name: self._written_entry(member, has_equal_dates)
            for member in members
            if member.name in self._written
        }
        new = {
            name: self._with_other_keys(name, entry) for name, entry in {**(self._unchanged or {}), **written}.items()
        }
        return {name: entry for name, entry in {**old, **new}.items() if name in self._listing and entry != NO_ENTRY}

    def _with_other_keys(self, name: str, entry: LedgerEntry) -> LedgerEntry:
        previous = self._ledger.entries.get(name)
        return dataclasses.replace(entry, other=previous.other) if previous else entry

    def _unchanged_entry(self, member: PlannedMember) -> LedgerEntry | None:
        """Return the new entry of a Worker that is as declared without a write; None if it has one or none is safe."""
        script = self._listing.get(member.name)
        if script is None or member.plan.steps or member.plan.after is None or self.entry(member.name):
            return None
        tags = self._tags_of(member.name)
        if modified_after_upload({**script, "tags": tags}) or not find_fingerprint_tag(tags):
            return None
        return LedgerEntry(fingerprint_tag_text(tags), script.get("etag"), script.get("modified_on"))

    def _is_outdated(self, member: PlannedMember) -> bool:
        """Whether a Worker like the entry would not be as declared. Only then was the entry not stored after a change.

        Another module may renew the fingerprint tag: worker_secrets does, and its segment of secrets changes with it.
        """
        previous = self._ledger.entries.get(member.name)
        if self._ledger.is_of_other_namespace:
            return False
        if previous is None or previous.fingerprint_tag is None:
            return True
        tags = self._tags_of(member.name)
        old, new = find_fingerprint_tag([previous.fingerprint_tag]), find_fingerprint_tag(tags)
        if old is None or new is None:
            return True
        manages_secrets = "secrets" in member.resource.user_params
        old_segments = (old.fingerprint, old.assets, old.secrets if manages_secrets else new.secrets)
        has_other_tags = previous.memo is not None and sorted(previous.memo.get("tags", ())) != user_tags(tags)
        return has_other_tags or old_segments != (new.fingerprint, new.assets, new.secrets)

    def _date_header(self, members: t.Sequence[PlannedMember]) -> dict[str, bool]:
        """Return whether uploads and lists of this API return equal dates, as far as this or an earlier run saw."""
        was_seen = self._ledger.has_equal_dates or any(
            receipt.modified_on and receipt.modified_on == self._listing.get(member.name, {}).get("modified_on")
            for member in members
            if (receipt := _receipt(member))
        )
        return {EQUAL_DATES: True} if was_seen else {}

    def _written_entry(self, member: PlannedMember, has_equal_dates: bool) -> LedgerEntry:
        """Return the entry of a Worker after a write: an empty one unless the listing shows this very write.

        If the listing shows the fingerprint tag of the write beside other code or a later date, another client has
        written since. The entry then holds the values before that, so that the next run reads the Worker.
        """
        plan, script, receipt = t.cast(ScriptPlan, member.plan), self._listing.get(member.name), _receipt(member)
        snapshot = plan.comparison.snapshot if plan.comparison else None
        if script is None or receipt is None or receipt.fingerprint_tag is None:
            return NO_ENTRY
        if plan.comparison and plan.comparison.desired.source is None and plan.comparison.has_drifted:
            return self._ledger.entries.get(member.name, NO_ENTRY)  # the next task with code must still find the drift
        tags = self._tags_of(member.name)
        if fingerprint_tag_text(tags) != receipt.fingerprint_tag or modified_after_upload({**script, "tags": tags}):
            return NO_ENTRY
        listed = LedgerEntry(receipt.fingerprint_tag, script.get("etag"), script.get("modified_on"), memo_after(plan))
        # Without an upload, the code and its etag stay. They are compared unless the run has read the code.
        previous = None if snapshot is None or snapshot.modules is not None else snapshot.summary.get("etag")
        etag = receipt.etag or previous
        has_other_code = None not in (etag, listed.etag) and etag != listed.etag
        if has_other_code or _is_later(listed.modified_on, receipt.modified_on, has_equal_dates):
            return LedgerEntry(receipt.fingerprint_tag, etag or listed.etag, receipt.modified_on)
        return listed


def _receipt(member: PlannedMember) -> Receipt | None:
    comparison = t.cast(ScriptPlan, member.plan).comparison
    return comparison.receipt if comparison else None


def _is_later(listed: str | None, acknowledged: str | None, has_equal_dates: bool) -> bool:
    """Whether another client has written since the response, by its date and that of the listing."""
    if not acknowledged or listed == acknowledged:
        return False
    return has_equal_dates or parse_timestamp(listed) - parse_timestamp(acknowledged) >= LATER
