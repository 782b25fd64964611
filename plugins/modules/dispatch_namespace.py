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
  - Creates, renames, changes and deletes dispatch namespaces, which hold the Workers of a platform's tenants.
options:
  name:
    description: The name of the dispatch namespace, unique in the account.
    type: str
    required: true
    aliases: [namespace]
  new_name:
    description:
      - What the dispatch namespace shall be called from now on. Nothing is done if it is called that already.
      - A router that is bound to the old name must be uploaded anew.
    type: str
  trusted_workers:
    description:
      - Whether the Workers in it trust each other, share a cache and see C(request.cf). Workers must be uploaded anew to notice.
      - Left as it is if not given; null is V(false).
    type: bool
  force:
    description: Whether a dispatch namespace is deleted that still holds Workers, and they with it.
    type: bool
    default: false
  state:
    description:
      - V(present) makes sure that it exists.
      - V(absent) makes sure that it does not. One that still holds Workers is refused, unless O(force=true).
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
- name: A dispatch namespace for all customers
  tenantry.cloudflare_workers.dispatch_namespace:
    name: example-workers

- name: Let its Workers see request.cf
  tenantry.cloudflare_workers.dispatch_namespace:
    name: example-workers
    trusted_workers: true

- name: Remove one that is empty
  tenantry.cloudflare_workers.dispatch_namespace:
    name: example-workers
    state: absent
"""

RETURN = r"""
operations:
  description: The writes that were sent, in order, or would be sent in check mode.
  returned: always
  type: list
  elements: str
  sample:
    - POST /accounts/023e105f4ecef8ad9ca31a8372d0c353/workers/dispatch/namespaces
dispatch_namespace:
  description: The dispatch namespace, null once absent.
  returned: success
  type: dict
  contains:
    name: {description: Its name., type: str, returned: success, sample: example-workers}
    namespace_id: {description: Its id., type: str, returned: success, sample: 6446f71d-13b3-4bbc-a8a4-9e18760499c8}
    trusted_workers: {description: Whether its Workers trust each other., type: bool, returned: success}
    script_count: {description: How many Workers it holds., type: int, returned: success, sample: 2}
    created_on: {description: When it was made., type: str, returned: success, sample: "2026-11-23T10:00:00.000000Z"}
    created_by: {description: Who made it., type: str, returned: success}
    modified_on: {description: When it was last changed., type: str, returned: success}
    modified_by: {description: Who changed it last., type: str, returned: success}
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
