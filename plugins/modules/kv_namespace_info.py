#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kv_namespace_info
short_description: Gather information about KV namespaces
version_added: 0.1.0
description:
  - List the KV namespaces of the account, or return one of them. This takes one request per 100 KV namespaces, or one
    request with O(id).
options:
  title:
    description: Return only the KV namespace with this title.
    type: str
  id:
    description: Return only the KV namespace with this ID.
    type: str
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.attributes.info
  - tenantry.cloudflare_workers.attributes.action_group
author:
  - The tenantry maintainers (@tenantry)
"""

EXAMPLES = r"""
- name: Create a KV namespace
  tenantry.cloudflare_workers.kv_namespace:
    title: Example Metadata

- name: List all KV namespaces
  tenantry.cloudflare_workers.kv_namespace_info:

- name: Find a KV namespace by its title
  tenantry.cloudflare_workers.kv_namespace_info:
    title: Example Metadata
  register: metadata

- name: Find a KV namespace by its ID
  tenantry.cloudflare_workers.kv_namespace_info:
    id: "{{ metadata.kv_namespaces[0].id }}"
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample: []
kv_namespaces:
  description: The KV namespaces. Empty if none match.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The ID of the KV namespace.
      type: str
      returned: success
      sample: 0f2ac74b498b48028cb68387c421e279
    title: {description: The title of the KV namespace., type: str, returned: success, sample: Example Metadata}
    jurisdiction:
      description: The jurisdiction of the data, null without one.
      type: str
      returned: success
      sample: eu
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.kv_namespace import KVNamespaceInfo


def main() -> None:
    """Run the module."""
    run(KVNamespaceInfo)


if __name__ == "__main__":
    main()
