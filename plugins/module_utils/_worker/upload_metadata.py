# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metadata of an upload that no option of this collection describes, for newer features of Cloudflare."""

from __future__ import annotations

import typing as t

from .._engine.fields import CHANGED_UNREAD, OptionSpec, json_equal
from .settings import SETTINGS

Metadata = dict[str, t.Any]

NAME = "upload_metadata"
SPEC: OptionSpec = {"type": "dict"}
# The options that set a key of the metadata.
OWNERS = {
    **{name: name for name in (*SETTINGS, "bindings", "tags", "migrations", "assets")},
    "main_module": "main_module",
    "body_part": "content, path or entrypoint",
    "keep_bindings": "unmanaged_bindings and secrets",
    "keep_assets": "assets",
}


def validation_errors(metadata: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Yield the validation errors of the option."""
    for key in metadata:
        if key in OWNERS:
            yield f"{NAME}: {key} is set by the option {OWNERS[key]}. Remove it from {NAME}, and use that option."


def from_api(response: t.Mapping[str, t.Any], declared: Metadata, is_attested: bool) -> t.Any:
    """Return the current values of the declared keys, from the settings in a response of the API.

    A response omits some keys. Their values are the declared ones if the fingerprint tag attests that these were
    uploaded. Otherwise they are not known, and neither is the whole. Without a declared key, there may be others.
    """
    omitted = [key for key, value in declared.items() if response.get(key) is None and value is not None]
    if not is_attested and (omitted or not declared):
        return CHANGED_UNREAD
    return {
        key: value if response.get(key) is None or _includes(response[key], value) else response[key]
        for key, value in declared.items()
    }


def _includes(current: t.Any, declared: t.Any) -> bool:
    """Whether the current value has everything that is declared. The server may add keys, at any depth."""
    if isinstance(current, dict) and isinstance(declared, dict):
        return all(key in current and _includes(current[key], value) for key, value in declared.items())
    return json_equal(current, declared)
