# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told of a Worker: by a listing, by its settings, and by the warnings of those who manage it."""

from __future__ import annotations

import datetime
import typing as t

from ..._engine.fields import Attributes
from ..._worker import bindings, settings
from ..._worker.bindings import Binding
from ..._worker.fingerprint import FingerprintTag, find_fingerprint_tag, find_owner, user_tags
from .secrets import SENSITIVE

COMPUTED, COMPUTED_ON_WRITE = ("created_on",), ("etag", "modified_on")
LISTING_FIELDS = (
    *COMPUTED,
    *COMPUTED_ON_WRITE,
    "migration_tag",
)  # what a cheap read or a listing tells, beside the tags, and is passed on
SUMMARY_FIELDS = (*LISTING_FIELDS, "has_assets")
UPLOAD_TOLERANCE = 30.0  # seconds between an upload's stamp and its modified_on, beyond which somebody else has written
UNKNOWN_ASSETS = "(unknown)"  # the digest of those that this collection did not upload


def parse_timestamp(date: str | None) -> float:
    """Return a date of the API as whole seconds since 1970; 0 where there is none. Python 3.10 reads no fraction but of 3 or 6 digits."""
    return datetime.datetime.fromisoformat(date.partition(".")[0].rstrip("Z") + "+00:00").timestamp() if date else 0.0


def modified_after_upload(summary: Attributes) -> bool:
    """Whether a Worker was changed outside of this collection since its fingerprint tag was written, by its dates."""
    tag = find_fingerprint_tag(summary["tags"] or [])
    return tag is not None and parse_timestamp(summary.get("modified_on")) > tag.uploaded_at + UPLOAD_TOLERANCE


def script_from_api(script: t.Mapping[str, t.Any], tags: t.Collection[str]) -> Attributes:
    """Return what a cheap read or a listing tells of a Worker with these tags: ours are hidden, but for whose it is."""
    return {"owner": find_owner(tags), "tags": user_tags(tags), **{name: script.get(name) for name in LISTING_FIELDS}}


def fingerprint_tag_text(tags: t.Iterable[str]) -> str | None:
    """Return the tag that is a Worker's stamp, as it is written; None where there is none."""
    return next((tag for tag in tags if find_fingerprint_tag([tag])), None)


def assets_from_api(there: bool, fingerprint_tag: FingerprintTag | None) -> Attributes | None:
    """Return what a stamp tells of the assets of a Worker; None where it has none."""
    return {"digest": (fingerprint_tag.assets if fingerprint_tag else "") or UNKNOWN_ASSETS} if there else None


def settings_from_api(answer: t.Mapping[str, t.Any], sent_bindings: t.Iterable[Binding] = ()) -> Attributes:
    """Return what the settings of a Worker tell; of its secrets, that is the names. C(sent_bindings) are the bindings that are known to have been sent."""
    all_bindings = bindings.by_name(answer.get("bindings") or [])
    return {
        **settings.from_api(answer),
        "bindings": bindings.from_api(all_bindings, sent_bindings),
        "secrets": {binding["name"]: SENSITIVE for binding in all_bindings if binding["type"] in bindings.SECRET_TYPES},
    }


def unknown_binding_warnings(types: t.Collection[str]) -> list[str]:
    """Return the warning that bindings of these types were sent as they are, if there are any."""
    return (
        [
            f"bindings: of types that this collection does not know, what they say was not checked: {', '.join(sorted(types))}."
        ]
        if types
        else []
    )


def outdated_bundle_warnings(count: int) -> list[str]:
    """Return the warning that C(count) Workers are as another esbuild made them, if any are."""
    remedy = "It stays as it is. Give rebundle: true to upload what the esbuild of today makes of the same sources."
    return [f"Workers whose code another version of esbuild has made: {count}. {remedy}"] if count else []
