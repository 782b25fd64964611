#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: worker_route
short_description: Manage routes of a zone to Workers
version_added: 0.1.0
description:
  - Create, change and delete routes. A route assigns requests to a zone to a Worker.
  - A route is identified by its pattern. An existing route is adopted.
  - Use M(tenantry.cloudflare_workers.worker_routes) to manage many routes. It lists each zone only once.
options:
  pattern:
    description:
      - The pattern of the requests, such as V(*.platform.example.com/*).
      - A wildcard is only allowed at the start of the host and at the end of the path.
      - An international host is accepted in Unicode and in Punycode.
    type: str
    required: true
  worker:
    description:
      - The Worker of the account that handles the requests. It must exist. Required for a new route.
      - Null creates a route without a Worker, which excludes its requests from less specific routes.
    type: str
    aliases: [script]
  zone:
    description:
      - The name of the zone. By default, the zone with the longest name that is a suffix of the pattern's host.
    type: str
  zone_id:
    description: The ID of the zone, instead of its name. Setting it saves one request.
    type: str
  take_over:
    description: Change or delete the route even if it belongs to another Worker than O(worker).
    type: bool
    default: false
  state:
    description:
      - V(present) creates or changes the route.
      - V(absent) deletes the route.
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
- name: Upload a Worker
  tenantry.cloudflare_workers.worker:
    name: example-router
    content: "export default { fetch: () => new Response('hello') };"
    compatibility_date: "2026-11-01"

- name: Route all requests below platform.example.com to the Worker
  tenantry.cloudflare_workers.worker_route:
    pattern: "*.platform.example.com/*"
    worker: example-router

- name: Exclude the status page from the route
  tenantry.cloudflare_workers.worker_route:
    pattern: status.platform.example.com/*
    worker: null

- name: Delete the route
  tenantry.cloudflare_workers.worker_route:
    pattern: "*.platform.example.com/*"
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
worker_route:
  description: The route. Null if it is absent.
  returned: success
  type: dict
  contains:
    id: {description: The ID of the route., type: str, returned: success, sample: 9a7806061c88ada191ed06f989cc3dac}
    pattern:
      description: The pattern of the route, with its host in Punycode.
      type: str
      returned: success
      sample: "*.platform.example.com/*"
    pattern_unicode:
      description: The pattern with its host in Unicode.
      type: str
      returned: success
      sample: "*.bücher.example/*"
    worker:
      description: The Worker of the route. Null for a route without a Worker.
      type: str
      returned: success
      sample: example-router
    zone_id: {description: The ID of the zone., type: str, returned: success}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker_route import WorkerRoute


def main() -> None:
    """Run the module."""
    run(WorkerRoute)


if __name__ == "__main__":
    main()
