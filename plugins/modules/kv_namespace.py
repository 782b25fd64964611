#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kv_namespace
short_description: Manage KV namespaces
version_added: 0.1.0
description:
  - Creates, renames and deletes namespaces of Workers KV.
options:
  title:
    description:
      - The title of the KV namespace, unique in the account, by which it is found.
      - With O(id), the title that it shall have.
    type: str
  id:
    description: The id of an existing KV namespace, to rename it or to delete it whatever it is called.
    type: str
  force:
    description: Whether a KV namespace is deleted that still holds keys, and they with it.
    type: bool
    default: false
  state:
    description:
      - V(present) makes sure that it exists.
      - V(absent) makes sure that it does not. One that still holds keys is refused, unless O(force=true).
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.attributes
  - tenantry.cloudflare_workers.attributes.action_group
author:
  - The tenantry maintainers (@tenantry)
"""

EXAMPLES = r"""
- name: A KV namespace for tenant metadata
  tenantry.cloudflare_workers.kv_namespace:
    title: Example Metadata
  register: metadata

- name: Give it another title
  tenantry.cloudflare_workers.kv_namespace:
    id: "{{ metadata.kv_namespace.id }}"
    title: Tenants

- name: Remove it with all keys
  tenantry.cloudflare_workers.kv_namespace:
    title: Tenants
    state: absent
    force: true
"""

RETURN = r"""
operations:
  description: The writes that were sent, in order, or would be sent in check mode.
  returned: always
  type: list
  elements: str
  sample:
    - POST /accounts/023e105f4ecef8ad9ca31a8372d0c353/storage/kv/namespaces
kv_namespace:
  description: The KV namespace, null once absent.
  returned: success
  type: dict
  contains:
    id: {description: Its id., type: str, returned: success, sample: 0f2ac74b498b48028cb68387c421e279}
    title: {description: Its title., type: str, returned: success, sample: Example Metadata}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.kv_namespace import KVNamespace


def main() -> None:
    """Run the module."""
    run(KVNamespace)


if __name__ == "__main__":
    main()
