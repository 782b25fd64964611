# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a Worker: a pure function of the desired state and the snapshot."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._cloudflare.errors import CloudflareError
from ..._engine.fields import Attributes, Field
from ..._engine.plan import Plan, Step, make_plan
from ..._worker import migrations, source
from ..._worker.binding_types import INHERIT
from . import encoder, other_options
from .comparison import Comparison
from .desired import Resolved
from .fields import FIELDS, UPLOADED_FIELDS
from .mapping import COMPUTED, COMPUTED_ON_WRITE
from .memo import make_memo
from .secrets import patch_secrets
from .snapshot import LedgerMemo, Snapshot

NO_CODE = (
    "content, path, entrypoint: there is no {}, and a new Worker needs code. Set one of these options, or only assets."
)


@dataclass(frozen=True)
class ScriptPlan(Plan):
    """A plan, with the comparison that it was made from.

    ``left_out`` are the paths of files in the folder of the Worker that are not part of it. ``is_missing_assets`` means
    that the Worker is uploaded without the declaration of its assets.
    """

    comparison: Comparison | None = None
    uncompared_secrets: int = 0
    is_outdated_bundle: bool = False
    left_out: tuple[str, ...] = ()
    is_missing_assets: bool = False

    @property
    def has_other_options(self) -> bool:
        """Whether the Worker is as desired, but by its fingerprint tag was declared with other options."""
        only_tag = self.changed == (other_options.FINGERPRINT,)
        return only_tag and self.comparison is not None and other_options.has_other_fingerprint(self.comparison)

    def extra_diffs(self) -> list[Attributes]:
        if self.comparison is None or self.before is None or self.after is None:
            return []
        own = set(self.changed) <= other_options.OWN_FIELDS
        tags = [other_options.tag_diff(self.comparison, self.before, self.after)] if own else []
        return [*tags, *module_diffs(self.comparison)]


def plan(
    resolved: Resolved,
    snapshot: Snapshot | None,
    state: str = "present",
    fields: tuple[Field, ...] = FIELDS,
    missing: tuple[str, ...] = (),
) -> ScriptPlan:
    """Return the plan from the snapshot to the desired Worker. Raises CloudflareError if the user must ask for it."""
    comparison = Comparison(resolved, snapshot)
    if snapshot is None and resolved.desired.source is None:
        missing = (*missing, NO_CODE.format(resolved.desired.label))
    found = make_plan(ScriptPlanner(comparison, fields), comparison.current, state, missing)
    uploads = any((step.method, step.path) == ("PUT", resolved.desired.endpoint.path) for step in found.steps)
    is_update = found.before is not None and found.after is not None
    return ScriptPlan(
        before=found.before,
        after=found.after,
        steps=found.steps,
        changed=found.changed or ((other_options.FINGERPRINT,) if is_update and found.steps else ()),
        missing=found.missing,
        comparison=comparison if found.steps else None,
        uncompared_secrets=comparison.uncompared_secrets,
        is_outdated_bundle=comparison.is_outdated_bundle and not uploads,
        is_missing_assets=uploads and comparison.keeps_undeclared_assets,
        left_out=resolved.desired.source.left_out if resolved.desired.source else (),
    )


def needs_replacement(resolved: Resolved, snapshot: Snapshot) -> bool:
    """Whether the Worker must be deleted and created again, because no declared migration leads from its tag."""
    return Comparison(resolved, snapshot).needs_replacement


def memo_after(plan: ScriptPlan) -> LedgerMemo | None:
    """Return the ledger's memo of a Worker once the plan is applied; None if too little of it is known."""
    comparison, after = plan.comparison, plan.after
    if comparison is None or after is None or comparison.desired.source is None:
        return None
    if comparison.is_fully_known:
        return make_memo(after, comparison.resolved.bindings or [])
    memo = comparison.snapshot.memo if comparison.snapshot else None
    return None if memo is None else {**memo, "tags": after["tags"]}


def module_diffs(comparison: Comparison) -> list[Attributes]:
    """Return the modules that differ, as line diffs in Ansible's format. Empty if the code was not read."""
    snapshot = comparison.snapshot
    if snapshot is None or snapshot.modules is None or comparison.code_is_current:
        return []
    old, new = (
        {module.name: module for module in modules} for modules in (snapshot.modules, comparison.source.modules)
    )
    label = comparison.desired.label
    diffs = (source.module_diff(old.get(name), new.get(name), f"{label}: {name}") for name in sorted({*old, *new}))
    return [diff for diff in diffs if diff]


@dataclass(frozen=True)
class ScriptPlanner:
    """The decisions about a Worker that the engine's plan asks for."""

    comparison: Comparison
    fields: tuple[Field, ...]
    computed: t.ClassVar[tuple[str, ...]] = COMPUTED
    computed_on_write: t.ClassVar[tuple[str, ...]] = COMPUTED_ON_WRITE

    def identity_values(self) -> Attributes:
        """Return the identifying options with their values."""
        return self.comparison.desired.identity

    def computed_after(self, changed: t.Collection[str]) -> tuple[str, ...]:
        """Return the attributes that the server fills in at every write."""
        return self.computed_on_write

    def desired(self, before: Attributes | None) -> Attributes:
        """Return the desired values of the managed attributes."""
        return self.comparison.attributes(before)

    # -- refusals ------------------------------------------------------------------------------------------------------

    def guard(self, before: Attributes | None, after: Attributes | None) -> None:
        """Refuse a plan that takes another owner's Worker, or would lose something that the user did not mention."""
        self._check_owner(before)
        if after is not None:
            if before is not None:
                self._check_secrets(before, after)
                if self.comparison.needs_replacement:
                    self._check_replacement(before)
            self._check_inherited(before, after)
            self._check_tags(after)

    def _check_owner(self, before: Attributes | None) -> None:
        desired, holder = self.comparison.desired, (before or {}).get("owner")
        if holder and holder != desired.owner and not desired.take_over:
            raise CloudflareError(
                f"{desired.label} belongs to owner {holder!r}, not to {desired.owner!r}."
                f" Set owner to {holder!r}, or take_over: true to make it yours."
            )

    def _check_secrets(self, before: Attributes, after: Attributes) -> None:
        kept = set(before.get("secrets", {})) & set(after.get("secrets", {}))
        for name in sorted(kept & self.comparison.resolved.replaced_bindings):
            raise CloudflareError(
                f"bindings: {name} of {self.comparison.desired.label} is a secret, which a binding of this name would"
                f" replace. Set secrets: {{{name}: null}} too."
            )

    def _check_replacement(self, before: Attributes) -> None:
        desired = self.comparison.desired
        declared = ", ".join(map(repr, migrations.tags(desired.migrations)))
        if not desired.allow_replace or desired.source is None:
            raise CloudflareError(
                f"migrations: {desired.label} has the migration tag {before['migration_tag']!r}, which is none of"
                f" {declared}. Declare the steps that led there too, or set allow_replace: true and code to delete the"
                " Worker, with the data of its Durable Objects, and create it again."
            )
        lost = sorted(self.comparison.kept_secrets - set(desired.secrets.values))
        if lost:
            raise CloudflareError(
                f"allow_replace: replacing {desired.label} would lose its secrets {', '.join(lost)}."
                " Give their values in secrets, or null."
            )
        if before.get("assets") and "assets" not in desired.user_params:
            raise CloudflareError(
                f"allow_replace: replacing {desired.label} would lose its assets. Give assets, or null."
            )

    def _check_inherited(self, before: Attributes | None, after: Attributes) -> None:
        current = (before or {}).get("bindings", [])
        for binding in after.get("bindings", []):
            if binding["type"] == INHERIT and binding not in current:
                raise CloudflareError(
                    f"bindings: {binding['name']}: {self.comparison.desired.label} has no binding"
                    f" {binding.get('old_name') or binding['name']} to keep. Declare its type. Secrets stay by"
                    " themselves."
                )

    def _check_tags(self, after: Attributes) -> None:
        desired, count = self.comparison.desired, len(set(after["tags"]))
        if count > desired.endpoint.tag_limits.user_tags:
            raise CloudflareError(
                f"tags: {desired.label} has {count} tags of others, and {desired.endpoint.tag_limits.user_tags} fit."
                " Give tags to choose which of them stay."
            )

    # -- writes --------------------------------------------------------------------------------------------------------

    def create(self, after: Attributes) -> list[Step]:
        """Return the writes that create the Worker."""
        switches = "workers_dev" in self.comparison.desired.user_params
        if self.comparison.desired.source is None:  # a prediction: another task of the run must create the Worker first
            absent: Attributes = {"bindings": [], "secrets": {}, "tags": []}
            writes = self._update_script(absent, after, set(self.comparison.attributes(None)) - {"workers_dev"})
            return [*(writes or [encoder.replace_tags(self.comparison, after)]), *self._subdomain(after, switches)]
        return [*encoder.upload(self.comparison, None, after), *self._subdomain(after, switches)]

    def update(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> list[Step]:
        """Return the writes that change the Worker: an upload only if code or assets changed."""
        if self.comparison.needs_replacement:
            upload = encoder.upload(self.comparison, None, after)
            return [*self.delete(before), *upload, *self._subdomain(after, bool(after.get("workers_dev")))]
        parts = set(changed) - {"workers_dev"}
        return [*self._update_script(before, after, parts), *self._subdomain(after, "workers_dev" in changed)]

    def _update_script(self, before: Attributes, after: Attributes, changed: set[str]) -> list[Step]:
        comparison, desired = self.comparison, self.comparison.desired
        removed = desired.secrets.removed(before, after) if "secrets" in changed else {}
        # A bulk run sends bindings with the code: a PATCH would have to name every secret that exists at that moment.
        uploaded = {*UPLOADED_FIELDS, *(["bindings"] if desired.is_listed else [])} if desired.source else set()
        if changed & uploaded:
            first = [patch_secrets(desired.endpoint.path, removed)] if removed else []
            return [*first, *encoder.upload(comparison, before, after)]
        if changed - {"secrets", "tags", "owner"}:
            return [encoder.patch_settings(comparison, before, after, changed)]
        values = {**removed, **desired.secrets.to_send(before, after)} if "secrets" in changed else {}
        steps = [patch_secrets(desired.endpoint.path, values)] if "secrets" in changed else []
        if changed or not comparison.tag_is_current or (comparison.has_drifted and desired.source is not None):
            steps.append(encoder.replace_tags(comparison, after))
        return steps

    def _subdomain(self, after: Attributes, switches: bool) -> list[Step]:
        return [encoder.switch_subdomain(self.comparison, after)] if switches else []

    def delete(self, before: Attributes) -> list[Step]:
        """Return the write that deletes the Worker."""
        return [Step("DELETE", self.comparison.desired.endpoint.path)]
