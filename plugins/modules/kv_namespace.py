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
  - Create, rename and delete namespaces of Workers KV.
options:
  title:
    description:
      - The title of the KV namespace, unique in the account.
      - With O(id), the new title of the KV namespace.
    type: str
  id:
    description: The ID of an existing KV namespace, to rename it or to delete it regardless of its title.
    type: str
  jurisdiction:
    description:
      - The jurisdiction in which Cloudflare stores the data, such as V(eu), V(fedramp) or V(us).
      - It is set when the KV namespace is created and cannot be changed later. The module fails if an existing KV
        namespace has another one.
    type: str
  force:
    description: Delete the KV namespace even if it contains keys. The keys are deleted with it.
    type: bool
    default: false
  owner:
    description:
      - With O(state=absent), delete the KV namespace if it contains no other keys than this owner's routing records and
        ledger, which M(tenantry.cloudflare_workers.namespaced_workers) writes.
      - Lists of keys are eventually consistent, so these keys may still be listed after they were deleted.
    type: str
  state:
    description:
      - V(present) creates or changes the KV namespace.
      - V(absent) deletes the KV namespace. The module lists its keys first, and fails if there are any, unless
        O(force=true).
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
- name: Create a KV namespace for tenant metadata
  tenantry.cloudflare_workers.kv_namespace:
    title: Example Metadata
  register: metadata

- name: Create a KV namespace whose data stay in the European Union
  tenantry.cloudflare_workers.kv_namespace:
    title: Example Metadata (EU)
    jurisdiction: eu

- name: Rename the KV namespace
  tenantry.cloudflare_workers.kv_namespace:
    id: "{{ metadata.kv_namespace.id }}"
    title: Tenants

- name: Delete the KV namespace of a platform, unless it contains keys of others
  tenantry.cloudflare_workers.kv_namespace:
    title: Tenants
    owner: customer-workers
    state: absent

- name: Delete the KV namespace with all its keys
  tenantry.cloudflare_workers.kv_namespace:
    title: Tenants
    state: absent
    force: true
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample:
    - POST /accounts/023e105f4ecef8ad9ca31a8372d0c353/storage/kv/namespaces
kv_namespace:
  description: The KV namespace. Null if it is absent.
  returned: success
  type: dict
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
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.kv_namespace import KVNamespace


def main() -> None:
    """Run the module."""
    run(KVNamespace)


if __name__ == "__main__":
    main()
