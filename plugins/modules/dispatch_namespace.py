#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dispatch_namespace
short_description: Manage dispatch namespaces of Workers for Platforms
version_added: 0.1.0
description:
  - Create, rename, change and delete dispatch namespaces. A dispatch namespace contains the Workers of a platform's
    tenants.
options:
  name:
    description: The name of the dispatch namespace, unique in the account.
    type: str
    required: true
    aliases: [namespace]
  new_name:
    description:
      - The new name of the dispatch namespace. The module does nothing if it already has that name.
      - A router that is bound to the old name must be uploaded again.
    type: str
  trusted_workers:
    description:
      - Mark the Workers of this dispatch namespace as trusted. Trusted Workers share a cache and can read
        C(request.cf). A change takes effect when a Worker is uploaded again.
      - If omitted, the setting is unchanged. Null means V(false).
    type: bool
  force:
    description:
      - Delete the dispatch namespace even if it contains Workers. The Workers are deleted with it.
      - Their routing records remain. M(tenantry.cloudflare_workers.namespaced_workers) deletes them.
    type: bool
    default: false
  state:
    description:
      - V(present) creates or changes the dispatch namespace.
      - V(absent) deletes the dispatch namespace. The module fails if it contains Workers, unless O(force=true).
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
- name: Create a dispatch namespace
  tenantry.cloudflare_workers.dispatch_namespace:
    name: example-workers

- name: Allow its Workers to read request.cf
  tenantry.cloudflare_workers.dispatch_namespace:
    name: example-workers
    trusted_workers: true

- name: Delete an empty dispatch namespace
  tenantry.cloudflare_workers.dispatch_namespace:
    name: example-workers
    state: absent
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample:
    - POST /accounts/023e105f4ecef8ad9ca31a8372d0c353/workers/dispatch/namespaces
dispatch_namespace:
  description: The dispatch namespace. Null if it is absent.
  returned: success
  type: dict
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
    DispatchNamespace,
)


def main() -> None:
    """Run the module."""
    run(DispatchNamespace)


if __name__ == "__main__":
    main()
