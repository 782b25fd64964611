# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A desired Worker beside its snapshot: whether the two match, which parts must be read, and the current object."""

from __future__ import annotations

import dataclasses
import functools
import typing as t
from dataclasses import dataclass, field

from ..._engine.fields import CHANGED_UNREAD, Attributes
from ..._worker import bindings, migrations, settings, upload_metadata
from ..._worker.binding_types import Binding
from ..._worker.fingerprint import NO_ASSETS, NO_FINGERPRINT, NO_SECRETS, FingerprintTag, bundle_digest, fingerprint
from ..._worker.source import Source
from .desired import Desired, Resolved
from .mapping import assets_from_api, script_from_api, settings_from_api
from .memo import from_memo
from .receipt import Receipt
from .secrets import SENSITIVE
from .snapshot import Snapshot

DETECTION_DEPTHS = ("fingerprint", "settings", "content")  # each reads more than the one before


@dataclass(frozen=True)
class Comparison:
    """A resolved Worker and its snapshot, None if the Worker does not exist.

    The fingerprint tag decides first: if it is the desired one, nothing else is read, and the Worker is trusted to be
    as the tag attests. Else settings and code are read, or a memo of the ledger replaces them. ``receipt`` is empty
    until the writes that follow from the comparison are sent.
    """

    resolved: Resolved
    snapshot: Snapshot | None
    receipt: Receipt = field(default_factory=Receipt, repr=False, compare=False)

    @property
    def desired(self) -> Desired:
        """The desired state."""
        return self.resolved.desired

    @property
    def source(self) -> Source:
        """The desired code, of a task that manages code."""
        if self.desired.source is None:
            raise AssertionError("a task without code does not compare it")
        return self.desired.source

    @property
    def current_tag(self) -> FingerprintTag | None:
        """The fingerprint tag of the Worker."""
        return self.snapshot.fingerprint_tag if self.snapshot else None

    @functools.cached_property
    def fingerprint_inputs(self) -> Attributes:
        """What the fingerprint is a hash of: the source, and the declared settings and bindings."""
        desired, params = self.desired, self.desired.user_params
        hashed: Attributes = {
            "source": self.source.source_digest,
            **{name: params[name] or [] for name in settings.SETTINGS if name in params},
        }
        if upload_metadata.NAME in params:
            hashed[upload_metadata.NAME] = params[upload_metadata.NAME] or {}
        if self.resolved.bindings is not None:
            hashed["bindings"] = self.resolved.bindings
            hashed["owns"] = bindings.ownership_fingerprint(params, desired.unmanaged_bindings)
        return hashed

    @functools.cached_property
    def desired_tag(self) -> FingerprintTag:
        """The fingerprint tag that the Worker must carry. Segments of unmanaged parts stay as they are."""
        desired, tag = self.desired, self.current_tag or FingerprintTag(NO_FINGERPRINT)
        if desired.source is not None:
            tag = dataclasses.replace(tag, fingerprint=fingerprint(self.fingerprint_inputs))
        if "assets" in desired.user_params:
            tag = dataclasses.replace(tag, assets=desired.assets.digest if desired.assets else NO_ASSETS)
        return dataclasses.replace(tag, secrets=desired.secrets.digest) if desired.secrets.is_managed else tag

    # -- do they match? ------------------------------------------------------------------------------------------------

    @property
    def has_drifted(self) -> bool:
        """Whether the Worker was changed outside of this collection. A write of this run does not count."""
        return self.snapshot is not None and self.snapshot.has_drifted and not self.resolved.is_verification

    @property
    def needs_replacement(self) -> bool:
        """Whether the Worker's migration tag is none of the declared ones, so that no migration leads from there."""
        tag = self.snapshot.summary.get("migration_tag") if self.snapshot else None
        declared = self.desired.migrations
        return bool(declared and tag and tag not in migrations.tags(declared))

    @property
    def lacks_assets(self) -> bool:
        """Whether assets are desired and the Worker has none, whatever its fingerprint tag attests."""
        return self.desired.assets is not None and not (self.snapshot and self.snapshot.has_assets)

    @property
    def keeps_undeclared_assets(self) -> bool:
        """Whether the Worker has assets that the task does not mention."""
        if self.snapshot is None or "assets" in self.desired.user_params:
            return False
        tag = self.current_tag
        is_attested = tag is not None and tag.assets not in ("", NO_ASSETS)
        return is_attested or self.snapshot.summary.get("has_assets") is True

    @property
    def _same_source(self) -> bool:
        return self.current_tag is not None and self.current_tag.fingerprint == self.desired_tag.fingerprint

    @property
    def _rebundled(self) -> bool:
        """Whether another version of esbuild makes other code of the same sources."""
        return self._same_source and self._current_bundle != self.source.bundle_digest

    @property
    def is_outdated_bundle(self) -> bool:
        """Whether the code is an older esbuild's, and stays."""
        if self.desired.source is None or self.snapshot is None:
            return False
        return self._rebundled and bool(self._current_bundle) and not self.desired.rebundle

    @property
    def fingerprint_matches(self) -> bool:
        """Whether code, settings and bindings are the desired ones by the fingerprint tag."""
        return self._same_source and not (self._rebundled and self.desired.rebundle)

    @property
    def _current_bundle(self) -> str:
        return self.current_tag.code if self.current_tag else ""

    @functools.cached_property
    def depth(self) -> str:
        """How deep the Worker must be read, one of DETECTION_DEPTHS."""
        if self.resolved.is_verification:
            has_more = (
                self.resolved.expected_secrets
                or self.desired.secrets.declared
                or self.desired.user_params.get(upload_metadata.NAME)
            )
            return "settings" if has_more and not self.desired.is_listed else "fingerprint"
        if self.has_drifted:
            return "content"
        return "settings" if self.needs_replacement else self.desired.drift_detection

    @functools.cached_property
    def is_trusted(self) -> bool:
        """Whether the fingerprint tag alone proves the Worker to be as desired."""
        return (
            self.snapshot is not None
            and self.desired.source is not None
            and self.depth == "fingerprint"
            and self.fingerprint_matches
            and self.current_tag == self.desired_tag
            and not self._precedes_write
            and not self.lacks_assets
            and not self.desired.secrets.resend
        )

    @property
    def is_fully_known(self) -> bool:
        """Whether the whole Worker was read: of a trusted one only the hash was."""
        return not self.is_trusted

    @property
    def tag_is_current(self) -> bool:
        """Whether the fingerprint tag is the desired one. A run without the key leaves the secrets' segment alone."""
        current, desired = self.current_tag, self.desired_tag
        if current is None and self.desired.source is None and not self.desired.secrets.is_managed:
            return True  # nothing that a tag would attest
        if current and self.desired.secrets.update == "on_create" and current.secrets != NO_SECRETS:
            desired = dataclasses.replace(desired, secrets=current.secrets)
        return current == desired and not self._precedes_write

    @property
    def _precedes_write(self) -> bool:
        """Whether the fingerprint tag is older than the one that was sent by the write to verify."""
        return self.current_tag is not None and self.current_tag.uploaded_at < self.resolved.written_at

    # -- what must still be read? --------------------------------------------------------------------------------------

    def parts_to_read(self, needs_full_read: bool) -> tuple[str, ...]:
        """Return the parts that the plan needs beside the summary: none, settings, or settings and content."""
        if self.snapshot is None or self.desired.is_absent or self.is_trusted:
            return ()
        if self.desired.source is None:  # no fingerprint covers such a declaration
            return ("settings",)
        if self.depth == "fingerprint" and not needs_full_read and self._from_memo is not None:
            return ()
        if self.fingerprint_matches and self.depth != "content":
            return ("settings",)
        return ("settings", "content")

    # -- the current object --------------------------------------------------------------------------------------------

    @functools.cached_property
    def current(self) -> Attributes | None:
        """The Worker in the module's shape, as far as the plan needs it; None if it does not exist."""
        if self.snapshot is None:
            return None
        snapshot, desired = self.snapshot, self.desired
        current = {**desired.identity, **script_from_api(snapshot.summary, snapshot.tags)}
        if snapshot.subdomain is not None:
            current["workers_dev"] = snapshot.subdomain["enabled"]
        if desired.is_absent:
            return current
        if self.is_trusted:
            attested = self.attributes(None)
            return {**current, "secrets": {}, **{key: attested[key] for key in attested if key not in current}}
        known = self._known_attributes
        code = {} if desired.source is None else {"modules": self._current_code[0], "assets": self._current_assets}
        # A secret may be among the external changes, and no read shows its value.
        secrets = desired.secrets.observed(known["secrets"], None if self.has_drifted else self.current_tag)
        return {**current, **known, **code, "secrets": secrets}

    @functools.cached_property
    def _known_attributes(self) -> Attributes:
        """Settings, bindings and the names of secrets, from the API or else from the memo."""
        if self.snapshot is None or self.snapshot.settings is None:
            return self._from_memo or {}
        answer, params = self.snapshot.settings, self.desired.user_params
        # A task without code has no fingerprint: values that the API does not return are not compared.
        is_attested = self.desired.source is None or self.fingerprint_matches
        sent_bindings = self.resolved.bindings or [] if is_attested else []
        sent_settings = {
            name: params[name] or [] if is_attested else CHANGED_UNREAD
            for name in settings.UPLOAD_ONLY
            if name in params
        }
        known = settings_from_api(answer, sent_bindings, sent_settings)
        if upload_metadata.NAME in params:
            declared = params[upload_metadata.NAME] or {}
            known[upload_metadata.NAME] = upload_metadata.from_api(answer, declared, is_attested)
        return known

    @functools.cached_property
    def _from_memo(self) -> Attributes | None:
        """The attributes by the ledger's memo; None if there is none, or if it is too little to plan with."""
        memo = self.snapshot.memo if self.snapshot else None
        if memo is None:
            return None
        known = from_memo(memo, self.attributes(None), self.resolved.bindings or [])
        if known is None or self._keeps_unmanaged(known["bindings"]):
            return None
        return {**known, "secrets": dict.fromkeys(memo.get("secrets", ()), SENSITIVE)}

    def _keeps_unmanaged(self, current: t.Iterable[Binding]) -> bool:
        """Whether undeclared bindings stay: an upload must name each of them, and secrets too, so all must be read."""
        unmanaged = self.desired.unmanaged_bindings
        is_kept = bindings.unmanaged_filter(self.desired.user_params, unmanaged)
        declared = {binding["name"] for binding in self.resolved.bindings or []}
        return unmanaged == "keep" or any(is_kept(one) for one in current if one["name"] not in declared)

    @functools.cached_property
    def _current_code(self) -> tuple[list[Attributes], str]:
        """The summaries of the modules, and the digest of the bundle that they are."""
        desired_code = [module.summary for module in self.source.modules]
        read = self.snapshot.modules if self.snapshot else None
        if read is None:
            if self.fingerprint_matches:
                return desired_code, self._current_bundle
            return self._known_attributes["modules"], self.source.bundle_digest
        code = [module.summary for module in read]
        if self.fingerprint_matches and bundle_digest(code) == self._current_bundle:
            return desired_code, self._current_bundle
        return code, self.source.bundle_digest

    @property
    def code_is_current(self) -> bool:
        """Whether the code is the desired one, or an older esbuild's of the same sources."""
        return self.fingerprint_matches and self._current_code[1] == self._current_bundle

    @property
    def bundle_to_attest(self) -> str:
        """The bundle digest for a fingerprint tag that is written without an upload."""
        if self.is_trusted or self.snapshot is None or self.desired.source is None:
            return self._current_bundle
        return self._current_code[1]

    @property
    def _current_assets(self) -> Attributes | None:
        """The assets: no endpoint lists them. The tag attests them unless the Worker has drifted."""
        tag, assets = None if self.has_drifted else self.current_tag, self.desired.assets
        if assets and tag and tag.assets == self.desired_tag.assets and not self.lacks_assets:
            return assets.summary
        return assets_from_api(self.snapshot is not None and self.snapshot.has_assets, tag)

    @property
    def kept_secrets(self) -> frozenset[str]:
        """The existing secrets that must survive a write, as far as their names were read."""
        if self.resolved.expected_secrets is not None:
            return self.resolved.expected_secrets
        if self.snapshot is None or self.desired.is_absent or self.is_trusted:
            return frozenset()
        return self.desired.secrets.kept(self._known_attributes["secrets"])

    @property
    def uncompared_secrets(self) -> int:
        """The number of declared values that could not be compared with existing ones."""
        return 0 if self.snapshot is None else self.desired.secrets.uncompared_count

    # -- the desired object --------------------------------------------------------------------------------------------

    def attributes(self, before: Attributes | None) -> Attributes:
        """Return the desired values of the managed attributes. Partial ones are merged into ``before``."""
        desired, params = self.desired, self.desired.user_params
        wanted: Attributes = settings.desired(params, before or {})
        if desired.adopts:
            wanted["owner"] = desired.owner
        if "assets" in params:
            wanted["assets"] = desired.assets.summary if desired.assets else None
        if upload_metadata.NAME in params:
            wanted[upload_metadata.NAME] = params[upload_metadata.NAME] or {}
        if "tags" in params:
            wanted["tags"] = params["tags"] or []
        if "workers_dev" in params:
            wanted["workers_dev"] = bool(params["workers_dev"])
        if desired.migrations:
            wanted["migration_tag"] = desired.migrations[-1]["tag"]
        if desired.source is not None:
            wanted["modules"] = [module.summary for module in desired.source.modules]
        if (merged := self._merged_bindings((before or {}).get("bindings", []))) is not None:
            wanted["bindings"] = merged
        if desired.secrets.is_managed:
            wanted["secrets"] = desired.secrets.desired((before or {}).get("secrets", {}))
        if self.resolved.expected_secrets:  # so that a write which lost a secret is noticed
            found = wanted.get("secrets") or (before or {}).get("secrets") or {}
            wanted["secrets"] = {**dict.fromkeys(self.resolved.expected_secrets, SENSITIVE), **found}
        return wanted

    def _merged_bindings(self, current: list[Binding]) -> list[Binding] | None:
        declared = self.resolved.bindings
        if declared is None and not self.desired.secrets.declared:
            return None
        is_kept = bindings.unmanaged_filter(self.desired.user_params, self.desired.unmanaged_bindings)
        merged = bindings.merge_bindings(current, declared or [], is_kept)
        return merged if declared is not None or merged != current else None
