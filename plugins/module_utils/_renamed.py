# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""New names of renamed options and role variables, for error messages. Remove this file and its uses in version 1.0."""

from __future__ import annotations

import typing as t

OPTIONS = {
    "beside": "multi_value",
    "purge": "prune",
    "purge_limit": "prune_limit",
    "read": "detail",
    "registry": "routing_kv",
    "verify_level": "drift_detection",
}
ROLE_VARIABLES = {
    "local_edge_switches": "local_edge_behaviors",
    "platform_metadata": "platform_kv_namespace",
    "platform_purge": "platform_prune",
    "platform_purge_limit": "platform_prune_limit",
    "platform_verify_level": "platform_drift_detection",
}


def add_new_names(message: str, supported: t.Container[str]) -> str:
    """Append the new names of renamed options to Ansible's message about unsupported parameters.

    Return other messages unchanged. ``supported`` contains the options of the module, or those of a list element.
    """
    if not message.lower().startswith("unsupported parameters"):
        return message
    names = message.partition(": ")[2].partition(". Supported parameters")[0].split(", ")
    new_names = {name: OPTIONS.get(name.rpartition(".")[2], "") for name in names}
    hints = [f"{name} is now {new_name}." for name, new_name in new_names.items() if new_name in supported]
    return " ".join([message.removesuffix(".") + ".", *hints]) if hints else message
