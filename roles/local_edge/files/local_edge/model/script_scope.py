# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a Worker is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ScriptScope:
    """Where Workers live: an account, or one of its dispatch namespaces ('' is the account itself)."""

    account: str
    namespace: str = ""

    def key(self, name: str) -> str:
        """The Worker's name among all: what the traffic side caches it under."""
        return f"{self.account}/{self.namespace}/{name}"

    @classmethod
    def of(cls, key: str) -> tuple[ScriptScope, str]:
        """The scope and the name of a key."""
        account, namespace, name = key.split("/", 2)
        return cls(account, namespace), name
