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
  - Lists the KV namespaces of the account, or tells of one of them. One request for each 100 of them, or one where O(id) is given.
options:
  title:
    description: The title of the KV namespace that is meant.
    type: str
  id:
    description: The id of the KV namespace that is meant.
    type: str
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.attributes.info
  - tenantry.cloudflare_workers.attributes.action_group
author:
  - The tenantry maintainers (@tenantry)
"""

EXAMPLES = r"""
- name: A KV namespace
  tenantry.cloudflare_workers.kv_namespace:
    title: Example Metadata

- name: Which ones are there?
  tenantry.cloudflare_workers.kv_namespace_info:

- name: What is the id of this one?
  tenantry.cloudflare_workers.kv_namespace_info:
    title: Example Metadata
  register: metadata

- name: And the title of that id?
  tenantry.cloudflare_workers.kv_namespace_info:
    id: "{{ metadata.kv_namespaces[0].id }}"
"""

RETURN = r"""
operations:
  description: The writes that were sent, which are none.
  returned: always
  type: list
  elements: str
  sample: []
kv_namespaces:
  description: The KV namespaces; an empty list where none is found.
  returned: success
  type: list
  elements: dict
  contains:
    id: {description: Its id., type: str, returned: success, sample: 0f2ac74b498b48028cb68387c421e279}
    title: {description: Its title., type: str, returned: success, sample: Example Metadata}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.kv_namespace import KVNamespaceInfo


def main() -> None:
    """Run the module."""
    run(KVNamespaceInfo)


if __name__ == "__main__":
    main()
