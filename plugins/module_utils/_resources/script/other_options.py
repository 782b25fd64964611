# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Worker that is as desired, but whose fingerprint tag is not: the difference, and the options that it lies in.

Two tasks that manage one Worker with different options replace each other's fingerprint tag in every run. The tag holds
only a hash of the options. Those of the other task are found by hashing what it may have declared.
"""

from __future__ import annotations

import itertools
import typing as t

from ..._engine.fields import Attributes, is_known
from ..._worker import settings, upload_metadata
from ..._worker.fingerprint import NO_FINGERPRINT, FingerprintTag, fingerprint
from .comparison import Comparison

MAX_OPTIONS = 3  # in which the other task may differ
OWNER, FINGERPRINT = "owner", "fingerprint"  # in changed_fields and in the diff
OWN_FIELDS = frozenset({OWNER, FINGERPRINT})  # that the diff of the whole object does not show
OUTDATED = " (older than the last change of the Worker)"
OMITTED = object()

Variant = tuple[str, t.Mapping[str, t.Any]]  # an option, and the inputs of the hash that change with it


def tag_diff(comparison: Comparison, before: Attributes, after: Attributes) -> Attributes:
    """Return the difference of the collection's own tags in Ansible's format: the owner and the fingerprint."""
    old, new = (_digests(tag) for tag in (comparison.current_tag, comparison.desired_tag))
    if comparison.has_drifted and old == new:
        old = f"{old}{OUTDATED}"
    label = f"{comparison.desired.label}: tags of this collection"
    return {
        "before": {OWNER: before[OWNER], FINGERPRINT: old},
        "after": {OWNER: after[OWNER], FINGERPRINT: new},
        "before_header": label,
        "after_header": label,
    }


def _digests(tag: FingerprintTag | None) -> str | None:
    return ".".join(filter(None, (tag.fingerprint, tag.secrets, tag.assets))) if tag else None


def has_other_fingerprint(comparison: Comparison) -> bool:
    """Whether the Worker carries the fingerprint of another declaration."""
    tag = comparison.current_tag
    return tag is not None and tag.fingerprint not in (NO_FINGERPRINT, comparison.desired_tag.fingerprint)


def differing_options(comparison: Comparison) -> list[str]:
    """Return the options in which the declaration of the Worker's fingerprint differs; empty if they are not found."""
    tag, ours = comparison.current_tag, comparison.fingerprint_inputs
    variants = list(_variants(comparison))
    for count in range(1, MAX_OPTIONS + 1):
        for chosen in itertools.combinations(variants, count):
            theirs = {**ours, **{key: value for _option, changes in chosen for key, value in changes.items()}}
            inputs = {key: value for key, value in theirs.items() if value is not OMITTED}
            if tag and fingerprint(inputs) == tag.fingerprint:
                return [option for option, _changes in chosen]
    return []


def _variants(comparison: Comparison) -> t.Iterator[Variant]:
    """Yield what another task may have declared instead, with the same result."""
    ours, current = comparison.fingerprint_inputs, comparison.current or {}
    for option in (*settings.SETTINGS, upload_metadata.NAME):
        if option in ours:
            yield option, {option: OMITTED}
        elif option in current and is_known(current[option]):
            yield option, {option: current[option] or []}
    yield from _binding_variants(ours, current.get("bindings") or [])


def _binding_variants(ours: t.Mapping[str, t.Any], current: t.Sequence[Attributes]) -> t.Iterator[Variant]:
    declared = ours.get("bindings") or []
    names = {binding["name"] for binding in declared}
    values = [declared, list(current), [binding for binding in current if binding["name"] not in names]]
    if "bindings" in ours:
        yield "bindings and vars", {"bindings": OMITTED, "owns": OMITTED}
    for unmanaged, value, (has_bindings, has_vars) in itertools.product(
        ("remove", "keep"), values, ((True, False), (False, True), (True, True))
    ):
        changes = {"bindings": value, "owns": [has_bindings, has_vars, unmanaged, []]}
        if any(ours.get(key) != changed for key, changed in changes.items()):
            yield " and ".join(itertools.compress(("bindings", "vars"), (has_bindings, has_vars))), changes
