# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Worker of the API in the shape of the modules."""

from __future__ import annotations

import contextlib
import datetime
import typing as t

from ..._engine.fields import Attributes
from ..._worker import bindings, settings
from ..._worker.binding_types import SECRET_TYPES, Binding
from ..._worker.fingerprint import FingerprintTag, find_fingerprint_tag, find_owner, user_tags
from .secrets import SENSITIVE

COMPUTED, COMPUTED_ON_WRITE = ("created_on",), ("etag", "modified_on")
LISTING_FIELDS = (*COMPUTED, *COMPUTED_ON_WRITE, "migration_tag")  # attributes of a listed Worker, beside its tags
SUMMARY_FIELDS = (*LISTING_FIELDS, "has_assets")
UPLOAD_TOLERANCE = 30.0  # seconds between a fingerprint tag and modified_on; beyond that, others have written
UNKNOWN_ASSETS = "(unknown)"  # the digest of assets that this collection did not upload


def parse_timestamp(date: t.Any) -> float:
    """Return a date of the API as whole seconds since 1970, or 0. Python 3.10 cannot parse all fractions."""
    with contextlib.suppress(ValueError):
        return datetime.datetime.fromisoformat(str(date).partition(".")[0].rstrip("Z") + "+00:00").timestamp()
    return 0.0


def modified_after_upload(summary: Attributes) -> bool:
    """Whether a Worker was changed outside of this collection since its fingerprint tag was written, by its dates."""
    tag = find_fingerprint_tag(summary["tags"] or [])
    return tag is not None and parse_timestamp(summary.get("modified_on")) > tag.uploaded_at + UPLOAD_TOLERANCE


def script_from_api(script: t.Mapping[str, t.Any], tags: t.Collection[str]) -> Attributes:
    """Convert a listed Worker. The collection's own tags are left out; the owner is an attribute."""
    return {"owner": find_owner(tags), "tags": user_tags(tags), **{name: script.get(name) for name in LISTING_FIELDS}}


def fingerprint_tag_text(tags: t.Iterable[str]) -> str | None:
    """Return the fingerprint tag as it is written, or None."""
    return next((tag for tag in tags if find_fingerprint_tag([tag])), None)


def assets_from_api(has_assets: bool, fingerprint_tag: FingerprintTag | None) -> Attributes | None:
    """Return the assets of a Worker, whose digest only the fingerprint tag stores. None if it has none."""
    if not has_assets:
        return None
    return {"digest": (fingerprint_tag.assets if fingerprint_tag else "") or UNKNOWN_ASSETS}


def settings_from_api(
    answer: t.Mapping[str, t.Any],
    sent_bindings: t.Iterable[Binding] = (),
    sent_settings: t.Mapping[str, t.Any] | None = None,
) -> Attributes:
    """Convert the settings of a Worker, with the names of its secrets.

    ``sent_bindings`` and ``sent_settings`` are those of the last upload, if known: the API does not return all of them.
    """
    all_bindings = bindings.by_name(answer.get("bindings") or [])
    return {
        **settings.from_api(answer, sent_settings),
        "bindings": bindings.from_api(all_bindings, sent_bindings),
        "secrets": {binding["name"]: SENSITIVE for binding in all_bindings if binding["type"] in SECRET_TYPES},
    }
