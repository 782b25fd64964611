# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scope of a Worker's name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ScriptScope:
    """An account, or one of its dispatch namespaces. The namespace '' stands for the account itself."""

    account: str
    namespace: str = ""

    def key(self, name: str) -> str:
        """Return the unique key of a Worker, which is also its cache key."""
        return f"{self.account}/{self.namespace}/{name}"

    @classmethod
    def of(cls, key: str) -> tuple[ScriptScope, str]:
        """Split a key into the scope and the name of the Worker."""
        account, namespace, name = key.split("/", 2)
        return cls(account, namespace), name
