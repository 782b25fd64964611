#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: worker_routes
short_description: Manage many routes to Workers at once
version_added: 0.1.0
description:
  - Create, change and delete many routes from one list. Each zone is listed once, and once more after a change,
    regardless of the number of its routes.
  - A route is identified by its pattern and zone. An existing route is adopted. Routes outside the list are unchanged.
  - If a declaration is invalid, such as a wildcard in the middle of a pattern, the task fails before the first request
    and names all invalid routes.
  - A route that Cloudflare refuses does not prevent changes to the others. The task then fails and names it, unless
    O(max_failures) allows the failure.
options:
  routes:
    description:
      - The routes, each with its pattern and the options that differ from those of the module.
      - A pattern may occur several times, in different zones.
    type: list
    elements: dict
    required: true
    suboptions:
      pattern:
        description:
          - The pattern of the requests, such as V(*.platform.example.com/*).
          - A wildcard is only allowed at the start of the host and at the end of the path.
          - An international host is accepted in Unicode and in Punycode.
        type: str
        required: true
      worker:
        description: The Worker that handles the requests, by default O(worker). Null creates a route without a Worker.
        type: str
        aliases: [script]
      zone:
        description: The name of the zone, by default O(zone) or O(zone_id).
        type: str
      zone_id:
        description: The ID of the zone, by default O(zone) or O(zone_id).
        type: str
      take_over:
        description: Change or delete this route even if it belongs to another Worker, by default O(take_over).
        type: bool
  worker:
    description:
      - The Worker of the account for all routes that do not set C(worker). It must exist.
      - Null creates routes without a Worker, which exclude their requests from less specific routes. A new route
        requires this option or its own C(worker).
    type: str
    aliases: [script]
  zone:
    description:
      - The name of the zone of all routes that do not set C(zone) or C(zone_id).
      - By default, the zone of each route is the zone with the longest name that is a suffix of the pattern's host.
        Finding it takes one request per label of each host.
    type: str
  zone_id:
    description: The ID of this zone, instead of its name. Setting it saves one request.
    type: str
  take_over:
    description: Change or delete routes even if they belong to another Worker than the declared one.
    type: bool
    default: false
  state:
    description:
      - V(present) creates or changes the routes.
      - V(absent) deletes the routes.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.pace
  - tenantry.cloudflare_workers.attributes
  - tenantry.cloudflare_workers.attributes.action_group
author:
  - The tenantry maintainers (@tenantry)
"""

EXAMPLES = r"""
- name: Upload a Worker
  tenantry.cloudflare_workers.worker:
    name: example-router
    content: "export default { fetch: () => new Response('hello') };"
    compatibility_date: "2026-11-01"

- name: Route all requests to the Worker, except those to the status page
  tenantry.cloudflare_workers.worker_routes:
    worker: example-router
    zone: example.com
    routes:
      - pattern: example.com/*
      - pattern: "*.example.com/*"
      - pattern: status.example.com/*
        worker: null

- name: Delete two of the routes
  tenantry.cloudflare_workers.worker_routes:
    zone: example.com
    routes:
      - pattern: example.com/*
      - pattern: status.example.com/*
    state: absent
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample:
    - POST /zones/023e105f4ecef8ad9ca31a8372d0c353/workers/routes
worker_routes:
  description:
    - The result of each route, in the order of O(routes). If there are more than 100, the list only contains the
      changed and failed ones.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The pattern. If several routes share it, the zone is added.
      type: str
      returned: success
      sample: "*.platform.example.com/*"
    changed: {description: True if the route was changed., type: bool, returned: success}
    failed: {description: True if the route failed., type: bool, returned: success}
    changed_fields:
      description: The attributes that were changed.
      type: list
      elements: str
      returned: if an existing object was changed
      sample: [worker]
    msg: {description: The error message., type: str, returned: on failure}
aborted:
  description:
    - True if the run stopped before it had tried all objects, for example because more than O(max_failures) failed.
  returned: success
  type: bool
  sample: false
summary:
  description: The number of routes.
  returned: success
  type: dict
  contains:
    total: {description: All declared routes., type: int, returned: success, sample: 3}
    changed: {description: Routes that were changed or deleted., type: int, returned: success, sample: 1}
    failed: {description: Routes that failed., type: int, returned: success, sample: 0}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker_routes import WorkerRoutes


def main() -> None:
    """Run the module."""
    run(WorkerRoutes)


if __name__ == "__main__":
    main()
