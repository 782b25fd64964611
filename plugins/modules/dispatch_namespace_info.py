#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dispatch_namespace_info
short_description: Gather information about dispatch namespaces of Workers for Platforms
version_added: 0.1.0
description:
  - List the dispatch namespaces of the account, or return one of them. This takes one request.
options:
  name:
    description: Return only the dispatch namespace with this name. If omitted, all dispatch namespaces are returned.
    type: str
    aliases: [namespace]
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.attributes.info
  - tenantry.cloudflare_workers.attributes.action_group
author:
  - The tenantry maintainers (@tenantry)
"""

EXAMPLES = r"""
- name: Create a dispatch namespace
  tenantry.cloudflare_workers.dispatch_namespace:
    name: example-workers

- name: List all dispatch namespaces
  tenantry.cloudflare_workers.dispatch_namespace_info:
  register: found

- name: Show the number of Workers in each dispatch namespace
  ansible.builtin.debug:
    msg: "{{ found.dispatch_namespaces | items2dict(key_name='name', value_name='script_count') }}"

- name: Get one dispatch namespace
  tenantry.cloudflare_workers.dispatch_namespace_info:
    name: example-workers
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample: []
dispatch_namespaces:
  description: The dispatch namespaces. Empty if none match.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: The name of the dispatch namespace., type: str, returned: success, sample: example-workers}
    namespace_id:
      description: The ID of the dispatch namespace.
      type: str
      returned: success
      sample: 6446f71d-13b3-4bbc-a8a4-9e18760499c8
    trusted_workers: {description: "If true, its Workers are trusted.", type: bool, returned: success}
    script_count: {description: The number of Workers in it., type: int, returned: success, sample: 2}
    created_on:
      description: The time of its creation.
      type: str
      returned: success
      sample: "2026-11-23T10:00:00.000000Z"
    created_by: {description: The user who created it., type: str, returned: success}
    modified_on: {description: The time of its last change., type: str, returned: success}
    modified_by: {description: The user who last changed it., type: str, returned: success}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.dispatch_namespace import (
    DispatchNamespaceInfo,
)


def main() -> None:
    """Run the module."""
    run(DispatchNamespaceInfo)


if __name__ == "__main__":
    main()
