# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told of a Worker: by a listing, by its settings, and by the warnings of those who manage it."""

from __future__ import annotations

import datetime
import typing as t

from .._engine.resource import Object
from .._worker import bindings, settings
from .._worker.bindings import Binding
from .._worker.fingerprint import FingerprintTag, find_fingerprint_tag, find_owner, user_tags
from .secrets import HIDDEN

FILLED, TOUCHED = ("created_on",), ("etag", "modified_on")
SHOWN = (*FILLED, *TOUCHED, "migration_tag")  # what a cheap read or a listing tells, beside the tags, and is passed on
TOLD = (*SHOWN, "has_assets")
LATE = 30.0  # seconds between an upload's stamp and its modified_on, beyond which somebody else has written
UNKNOWN_ASSETS = "(not known)"  # the digest of those that this collection did not upload


def seconds_of(date: str | None) -> float:
    """Return a date of the API as whole seconds since 1970; 0 where there is none. Python 3.10 reads no fraction but of 3 or 6 digits."""
    return datetime.datetime.fromisoformat(date.partition(".")[0].rstrip("Z") + "+00:00").timestamp() if date else 0.0


def written_since(fingerprint_tag: FingerprintTag | None, head: Object) -> bool:
    """Whether somebody else seems to have changed a Worker since it was stamped."""
    return fingerprint_tag is not None and seconds_of(head.get("modified_on")) > fingerprint_tag.uploaded_at + LATE


def told(script: t.Mapping[str, t.Any], tags: t.Collection[str]) -> Object:
    """Return what a cheap read or a listing tells of a Worker with these tags: ours are hidden, but for whose it is."""
    return {"owner": find_owner(tags), "tags": user_tags(tags), **{name: script.get(name) for name in SHOWN}}


def fingerprint_tag_text(tags: t.Iterable[str]) -> str | None:
    """Return the tag that is a Worker's stamp, as it is written; None where there is none."""
    return next((tag for tag in tags if find_fingerprint_tag([tag])), None)


def assets_told(there: bool, fingerprint_tag: FingerprintTag | None) -> Object | None:
    """Return what a stamp tells of the assets of a Worker; None where it has none."""
    return {"digest": (fingerprint_tag.assets if fingerprint_tag else "") or UNKNOWN_ASSETS} if there else None


def settings_told(answer: t.Mapping[str, t.Any], attested: t.Iterable[Binding] = ()) -> Object:
    """Return what the settings of a Worker tell; of its secrets, that is the names. C(attested) are the bindings that are known to have been sent."""
    every = bindings.by_name(answer.get("bindings") or [])
    return {
        **settings.from_api(answer),
        "bindings": bindings.from_api(every, attested),
        "secrets": {binding["name"]: HIDDEN for binding in every if binding["type"] in bindings.SECRET_TYPES},
    }


def unknown_bindings(types: t.Collection[str]) -> list[str]:
    """Return the warning that bindings of these types were sent as they are, if there are any."""
    return (
        [
            f"bindings: of types that this collection does not know, what they say was not checked: {', '.join(sorted(types))}."
        ]
        if types
        else []
    )


def outdated_bundles(count: int) -> list[str]:
    """Return the warning that C(count) Workers are as another esbuild made them, if any are."""
    remedy = "It stays as it is. Give rebundle: true to upload what the esbuild of today makes of the same sources."
    return [f"Workers whose code another version of esbuild has made: {count}. {remedy}"] if count else []
