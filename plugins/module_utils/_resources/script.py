# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Worker script, whether it lives in a dispatch namespace or on the account: what they share, which is nearly everything.

Its stamp (a tag) says what it was made from. Where the stamp is the wanted one, nothing more is read; else settings and code
are, so that the plan names what differs. What proves equal then is only stamped anew.
"""

from __future__ import annotations

import dataclasses
import typing as t
from abc import abstractmethod

from .._cloudflare.errors import CloudflareError
from .._engine.resource import UNKNOWN, Attributes, Field, Step, as_set
from .._worker import assets, bindings, migrations, multipart, settings, source
from .._worker.bindings import INHERIT, Binding, NameLookup
from .._worker.fingerprint import (
    NO_ASSETS,
    NO_SECRETS,
    OWNER_PREFIX,
    FingerprintTag,
    bundle_digest,
    find_fingerprint_tag,
    fingerprint,
)
from .._worker.validation import MAX_USER_TAGS, validation_errors
from . import secrets
from .script_assets import AssetsMixin
from .script_mapping import (
    COMPUTED,
    COMPUTED_ON_WRITE,
    modified_after_upload,
    outdated_bundle_warnings,
    script_from_api,
    settings_from_api,
    unknown_binding_warnings,
)
from .secrets import SENSITIVE

LEVELS = ("fingerprint", "settings", "content")  # how deep is read what the stamp attests


class Script(AssetsMixin):
    """A Worker as one task wants it. C(summary) is what a cheap read or a listing says: tags, etag, dates."""

    fields = (
        Field("modules", None, multipart.modules_key, initial=[]),
        Field("assets", assets.SPEC, initial=None),
        *settings.FIELDS,
        Field("migration_tag", None, initial=None),
        Field("bindings", bindings.SPEC, initial=[], removed=[]),
        Field("secrets", secrets.SPEC, initial={}, removed={}),
        Field("tags", {"type": "list", "elements": "str"}, as_set, initial=[], removed=[]),
        Field("owner", {"type": "str", "default": "default"}),
    )
    behavior_options = {
        **source.SPEC,
        "vars": {"type": "dict"},
        **secrets.CONTROLS,
        "migrations": migrations.SPEC,
        "unmanaged_bindings": {"type": "str", "choices": ["remove", "keep"], "default": "remove"},
        "take_over": {"type": "bool", "default": False},
        "allow_replace": {"type": "bool", "default": False},
        "drift_detection": {"type": "str", "choices": list(LEVELS), "default": "fingerprint"},
        "rebundle": {"type": "bool", "default": False},
        "source_root": {"type": "path"},
    }
    computed, computed_on_write = COMPUTED, COMPUTED_ON_WRITE

    def __init__(self, client: t.Any, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        self._tags: list[str] = []
        self._declared: list[Binding] | None = None
        self._current_modules: tuple[source.Module, ...] = ()
        self._lookup_cache: dict[tuple[NameLookup, str], t.Any] = {}  # what was found by name
        self._secrets_to_keep: set[str] = set()
        self._bundle_digest = (
            ""  # the hash of what is there of a bundler's making, for as long as no other code is uploaded
        )
        self.is_outdated_bundle = False
        """Whether another version of esbuild made the code of the same sources."""
        self.is_fully_read = True
        """Whether all of it is known to the plan: else what was not read is trusted to be what its stamp says."""
        for error in validation_errors(given, options):
            raise CloudflareError(error)

    @property
    def warnings(self) -> list[str]:
        return [
            *super().warnings,
            *outdated_bundle_warnings(int(self.is_outdated_bundle)),
            *unknown_binding_warnings(bindings.unknown_types(self.user_params)),
        ]

    # -- where it lives ------------------------------------------------------------------------------------------------

    @property
    def reads_itself(self) -> bool:
        """Whether it is read by itself, and not from the listing of a fleet."""
        return True

    @abstractmethod
    def read_summary(self) -> Attributes | None:
        """Return tags, etag and dates of the script; None where there is none."""

    @abstractmethod
    def replace_tags(self, tags: t.Callable[[], list[str]]) -> Step:
        """Return the write that replaces the tags and nothing else."""

    # -- what is wanted ------------------------------------------------------------------------------------------------

    @property
    def _has_source(self) -> bool:
        return self.options.get("state") != "absent" and any(
            self.user_params.get(way) for way in (*source.SOURCE_OPTIONS, "assets")
        )

    @property
    def _source(self) -> source.Source:
        return source.load(self.options, self.options.get(source.PACKED_SOURCES))

    def _resolve_id(self, lookup: NameLookup, name: str) -> str:
        found = self._lookup_cache.get((lookup, name)) or lookup.find(self.client, name)
        if found is None:
            self.missing.append(lookup.missing_message.format(name))
            return UNKNOWN
        self._lookup_cache[lookup, name] = found
        return str(found[lookup.id])

    @property
    def _replaced_binding_names(self) -> set[str]:
        """The names of the declared bindings but for those that are to stay what they are."""
        return {binding["name"] for binding in self._declared or [] if binding["type"] != INHERIT}

    @property
    def _migrations(self) -> list[migrations.Step]:
        return self.user_params.get("migrations") or []

    def _settings(self) -> Attributes:
        return {name: self.user_params[name] or [] for name in settings.SETTINGS if name in self.user_params}

    def _desired_tag(self) -> FingerprintTag:
        fingerprint_input = {"source": self._source.source_digest, **self._settings()}
        if self._declared is not None:
            fingerprint_input["bindings"] = self._declared
            fingerprint_input["owns"] = bindings.ownership_fingerprint(
                self.user_params, self.options["unmanaged_bindings"]
            )
        # What is not given is attested as it was.
        fingerprint_tag = dataclasses.replace(
            self._fingerprint_tag or FingerprintTag(""), fingerprint=fingerprint(fingerprint_input)
        )
        if "assets" in self.user_params:
            fingerprint_tag = dataclasses.replace(
                fingerprint_tag, assets=self._assets.digest if self._assets else NO_ASSETS
            )
        return (
            dataclasses.replace(fingerprint_tag, secrets=self._secrets_digest())
            if "secrets" in self.user_params
            else fingerprint_tag
        )

    def desired(self, before: Attributes | None) -> Attributes:
        wanted = {
            **super().desired(before),
            **settings.desired(self.user_params, before or {}),
            "owner": self.options["owner"],
        }
        wanted.pop("bindings", None)
        if self._migrations:
            wanted["migration_tag"] = self._migrations[-1]["tag"]
        if self._assets:
            wanted["assets"] = self._assets.summary
        if self._has_source:
            wanted["modules"] = [module.summary for module in self._source.modules]
        if self._declared is not None or self._secrets:
            kept = bindings.unmanaged_filter(self.user_params, self.options["unmanaged_bindings"])
            there = (before or {}).get("bindings", [])
            merged = bindings.merge_bindings(there, self._declared or [], kept)
            if self._declared is not None or merged != there:
                wanted["bindings"] = merged
        if "secrets" in self.user_params:
            wanted["secrets"] = self._desired_secrets((before or {}).get("secrets", {}))
        if self._verifying and self._secrets_to_keep:  # what a write has lost is seen when it is read back
            wanted["secrets"] = {
                **dict.fromkeys(self._secrets_to_keep, SENSITIVE),
                **(wanted.get("secrets") or (before or {}).get("secrets") or {}),
            }
        return wanted

    # -- what is -------------------------------------------------------------------------------------------------------

    def observe(self) -> Attributes | None:
        self.missing.clear()
        summary = self.read_summary()
        self._declared = bindings.resolve_declared(self.user_params, self._resolve_id)
        self._tags = list(summary["tags"] or []) if summary else []
        self._fingerprint_tag = find_fingerprint_tag(self._tags)
        self._has_assets = summary is not None and summary.get("has_assets") is not False
        if summary is None:
            return None
        self._count_uncompared()
        current = {name: self.options[name] for name in self.identity}
        current |= script_from_api(summary, self._tags)
        self._has_drifted = not self._verifying and self.has_drifted(summary)
        return {**current, **self._read_attributes(current)} if self._has_source else current

    def has_drifted(self, summary: Attributes) -> bool:
        """Whether somebody else seems to have changed it since it was stamped."""
        return modified_after_upload(self._fingerprint_tag, summary)

    def _read_depth(self, current: Attributes) -> str:
        """How deep to read what the stamp attests."""
        if self._verifying:
            return "settings" if self.reads_itself and (self._secrets_to_keep or self._secrets) else "fingerprint"
        if self._has_drifted:
            return "content"
        return "settings" if self._needs_replacement(current) else str(self.options["drift_detection"])

    def _read_attributes(self, current: Attributes) -> Attributes:
        wanted, fingerprint_tag, depth = self._desired_tag(), self._fingerprint_tag, self._read_depth(current)
        same = self._fingerprint_matches(wanted.fingerprint)
        skip_read = (
            same
            and fingerprint_tag == wanted
            and not self._assets_missing
            and not self._force_send
            and depth == "fingerprint"
        )
        self.is_fully_read = self.is_fully_read if self._verifying else not skip_read
        if skip_read:
            attested = self.desired(None)
            return {"secrets": {}, **{name: attested[name] for name in attested if name not in current}}
        seen = (
            self.state_from_ledger(same) if depth == "fingerprint" and not self.needs_full_read else None
        ) or self._read_remote(same, depth)
        names = list(seen["secrets"])
        if not self._verifying:
            removed = (
                set(names)
                if self.user_params.get("secrets", {}) is None
                else {name for name, value in self._secrets.items() if value is None}
            )
            self._secrets_to_keep = set(names) - removed
        return {**seen, "assets": self._current_assets(wanted), "secrets": self._observed_secrets(names)}

    def state_from_ledger(self, same: bool) -> Attributes | None:
        """Return what C(_read_remote) does without reading it; None where nobody remembers enough of it."""
        return None

    def _read_remote(self, same: bool, depth: str) -> Attributes:
        """Read settings, bindings and names of secrets, and the code unless it is the C(same) by the stamp and the level trusts that."""
        seen = settings_from_api(
            self.client.call("GET", f"{self.path}/settings").result or {}, self._declared or [] if same else []
        )
        if same and depth != "content":
            code = self.desired(None)["modules"]
        else:
            content = self.client.call("GET", self.content_path, headers={"Accept": "*/*"})
            modules = multipart.read_modules(content.content, content.content_type)
            code = [module.summary for module in modules]
            if same and bundle_digest(code) == self._bundle_digest:
                code = self.desired(None)["modules"]
            else:
                self._bundle_digest, self._current_modules = (
                    self._source.bundle_digest,
                    self._current_modules or tuple(modules),
                )
        return {"modules": code, **seen}

    def _fingerprint_matches(self, fingerprint: str) -> bool:
        """Whether the stamp has this fingerprint. That another esbuild makes other code of the same sources counts only when told."""
        fingerprint_tag, rebundle = self._fingerprint_tag, self.options["rebundle"]
        self._bundle_digest = fingerprint_tag.code if fingerprint_tag else ""
        same = fingerprint_tag is not None and fingerprint_tag.fingerprint == fingerprint
        rebuilt_differently = same and self._bundle_digest != self._source.bundle_digest
        self.is_outdated_bundle = rebuilt_differently and bool(self._bundle_digest) and not rebundle
        return same and not (rebuilt_differently and rebundle)

    @property
    def content_path(self) -> str:
        """Return where the code is read."""
        return f"{self.path}/content"

    # -- what to do ----------------------------------------------------------------------------------------------------

    def guard(self, before: Attributes | None, after: Attributes | None) -> None:
        holder, owner = (before or {}).get("owner"), self.options["owner"]
        if holder and holder != owner and not self.options["take_over"]:
            raise CloudflareError(
                f"{self.label} belongs to owner {holder!r}, not to {owner!r}: set owner to {holder!r}, or take_over: true to make it yours."
            )
        kept = set((before or {}).get("secrets", {})) & set((after or {}).get("secrets", {}))
        for name in sorted(kept & self._replaced_binding_names):
            raise CloudflareError(
                f"bindings: {name} of {self.label} is a secret, which this would destroy: set secrets: {{{name}: null}} too."
            )
        if before is not None and after is not None and self._needs_replacement(before):
            self._check_replacement(before)
        attested = (before or {}).get("bindings", [])
        for binding in [
            one for one in (after or {}).get("bindings", []) if one["type"] == INHERIT and one not in attested
        ]:
            old = binding.get("old_name") or binding["name"]
            raise CloudflareError(
                f"bindings: {binding['name']}: {self.label} has no binding {old} to keep: say what it is. Secrets stay by themselves."
            )
        if after is not None and len(after["tags"]) > MAX_USER_TAGS:
            raise CloudflareError(
                f"tags: {self.label} has {len(after['tags'])} tags of others and {MAX_USER_TAGS} fit: give tags to say which of them stay."
            )

    def _needs_replacement(self, before: Attributes) -> bool:
        """Whether its migrations are none of those that are declared, so that no step leads from there."""
        tag = before.get("migration_tag")
        return bool(self._migrations and tag and tag not in migrations.tags(self._migrations))

    def _check_replacement(self, before: Attributes) -> None:
        declared = ", ".join(map(repr, migrations.tags(self._migrations)))
        if not self.options["allow_replace"]:
            raise CloudflareError(
                f"migrations: {self.label} stands at {before['migration_tag']!r}, which is none of {declared}: declare the steps that led there too,"
                " or set allow_replace: true to delete it, with what its Durable Objects hold, and to make it anew."
            )
        lost = sorted(self._secrets_to_keep - set(self._secret_values))
        if lost:
            raise CloudflareError(
                f"allow_replace: {self.label} has secrets that replacing it would lose: give {', '.join(lost)} in secrets, or null there."
            )
        if before.get("assets") and "assets" not in self.user_params:
            raise CloudflareError(
                f"allow_replace: {self.label} has assets that replacing it would lose: give assets, or null there."
            )

    def create(self, after: Attributes) -> t.Iterable[Step]:
        return self._upload(None, after)

    def update(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> t.Iterable[Step]:
        if self._needs_replacement(before):
            return [*self.delete(before), *self._upload(None, after)]
        removed = (
            {name: None for name in before.get("secrets", {}) if name not in after.get("secrets", {})}
            if "secrets" in changed
            else {}
        )
        # A fleet sends bindings with the code: a PATCH of them would have to name every secret there is at that moment.
        if {"modules", "assets", *([] if self.reads_itself else ["bindings"])} & set(changed):
            return [*([self._patch_secrets(removed)] if removed else []), *self._upload(before, after)]
        if set(changed) - {"secrets", "tags", "owner"}:
            return [self._patch_settings(before, after, changed)]
        steps = (
            [self._patch_secrets({**removed, **self._secrets_to_send(before, after)})] if "secrets" in changed else []
        )
        rewrite_tag = bool(changed) or not self._tag_is_current() or self._has_drifted
        return (
            [*steps, self.replace_tags(lambda: self._tags_to_write(after, self._bundle_digest))] if rewrite_tag else []
        )

    def _tag_is_current(self) -> bool:
        """Whether the stamp says what is wanted. Whoever has no key leaves what another's key has hashed."""
        wanted, fingerprint_tag = self._desired_tag(), self._fingerprint_tag
        other_key = fingerprint_tag and self._update_policy == "on_create" and fingerprint_tag.secrets != NO_SECRETS
        return fingerprint_tag == (
            dataclasses.replace(wanted, secrets=fingerprint_tag.secrets) if fingerprint_tag and other_key else wanted
        )

    def delete(self, before: Attributes) -> t.Iterable[Step]:
        return [Step("DELETE", self.path)]

    def extra_diffs(self) -> list[Attributes]:
        old = {module.name: module for module in self._current_modules}
        new = {module.name: module for module in self._source.modules} if old else {}
        return [
            one
            for name in sorted({*old, *new})
            if (one := source.module_diff(old.get(name), new.get(name), f"{self.label}: {name}"))
        ]

    def diff_view(self, current: Attributes | None) -> Attributes:
        # Whose it is stands in a tag of ours, and those are nobody's business in a diff.
        return {key: value for key, value in super().diff_view(current).items() if key != "owner"}

    def _tags_to_write(self, after: Attributes, code: str) -> list[str]:
        return [
            *after["tags"],
            OWNER_PREFIX + self.options["owner"],
            dataclasses.replace(self._desired_tag(), code=code).render(self.client.server_time()),
        ]

    def _bindings_to_send(self, before: Attributes | None, after: Attributes, explicit_inherit: bool) -> list[Binding]:
        """Return the bindings of a write: what is declared, and what stays. Secrets stay by their type, unless C(explicit_inherit)."""
        there: list[Binding] = (before or {}).get("bindings", [])
        bound = bindings.to_api(after.get("bindings", there), self._declared or [], there)
        new = self._secrets_to_send(before, after) if self._secrets else {}
        if before and (
            explicit_inherit or any(binding["type"] == INHERIT for binding in bound)
        ):  # whether both ways go together is documented nowhere
            bound += [
                bindings.inherit(name) for name in before["secrets"] if name in after["secrets"] and name not in new
            ]
        return [*bound, *(bindings.secret_binding(name, value) for name, value in new.items())]

    def _pending_migrations(self, before: Attributes | None) -> Attributes:
        return migrations.pending(self._migrations, (before or {}).get("migration_tag"))

    def _upload(self, before: Attributes | None, after: Attributes) -> list[Step]:
        all_bindings = self._bindings_to_send(before, after, explicit_inherit=False)
        upload_settings = {
            name: after[name] for name in settings.SETTINGS if after.get(name) not in (None, UNKNOWN)
        } | self._pending_migrations(before)
        session = self._upload_session(before, after)
        put = Step(
            "PUT",
            self.path,
            lambda: multipart.upload_request(
                self._source,
                {**upload_settings, **self._assets_metadata(session)},
                all_bindings,
                self._tags_to_write(after, self._source.bundle_digest),
            ),
        )
        return [session.step, put] if session else [put]

    def _patch_settings(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> Step:
        """Change what is not code. Bindings are replaced as a whole, so what stays is named."""
        upload_settings = {
            name: after[name] for name in settings.SETTINGS if name in changed
        } | self._pending_migrations(before)
        if {"bindings", "secrets"} & set(changed):
            upload_settings["bindings"] = self._bindings_to_send(before, after, explicit_inherit=True)
        return Step(
            "PATCH",
            f"{self.path}/settings",
            lambda: multipart.settings_request(
                {**upload_settings, "tags": self._tags_to_write(after, self._bundle_digest)}
            ),
        )
