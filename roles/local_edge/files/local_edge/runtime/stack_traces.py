# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stack traces of stored Workers."""

from __future__ import annotations

from local_edge.model import scripts, source_maps
from local_edge.model.script_scope import ScriptScope
from local_edge.store import Store


def mapped(store: Store, scope: ScriptScope, name: str, stack: str) -> str:
    """Return a stack trace of a Worker with original positions, if its source maps were uploaded."""
    script = scripts.find(store, scope, name)
    return source_maps.mapped(stack, scripts.source_of(store, script)) if script else stack
