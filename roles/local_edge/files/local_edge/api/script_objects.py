# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers in the format of the API."""

from __future__ import annotations

from typing import Any

from local_edge.model import scripts
from local_edge.model.scripts import Script
from local_edge.store import Store


def script_tags(store: Store, script: Script) -> list[str]:
    return scripts.tags_of(store, script.id)


def script_to_api(script: Script) -> dict[str, Any]:
    """Return the properties of a Worker that lists, uploads and lookups have in common."""
    config = script.settings()
    names = (
        "compatibility_date",
        "compatibility_flags",
        "usage_model",
        "logpush",
        "observability",
        "placement",
        "tail_consumers",
    )
    return {
        "id": script.name,
        "tag": script.tag,
        "etag": script.etag,
        "created_on": script.created_on,
        "modified_on": script.modified_on,
        "has_assets": bool(script.config.get("assets")),
        "has_modules": script.config.get("has_modules", True),
        "migration_tag": script.migrations["tag"],
        "handlers": script.config.get("handlers", []),
        "named_handlers": script.config.get("named_handlers", []),
        "last_deployed_from": script.config.get("last_deployed_from", "api"),
        **{name: config[name] for name in names},
    }


def settings_to_api(store: Store, script: Script, bindings: list[dict[str, Any]]) -> dict[str, Any]:
    return {"bindings": bindings, "tags": script_tags(store, script), **script.settings()}
