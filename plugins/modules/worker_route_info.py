#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: worker_route_info
short_description: Gather information about the routes of a zone
version_added: 0.1.0
description:
  - List the routes of a zone, optionally only those with a certain pattern or Worker. This takes one request. Finding
    the zone takes further requests.
options:
  zone:
    description:
      - The name of the zone. By default, the zone with the longest name that is a suffix of the host in O(pattern).
    type: str
  zone_id:
    description: The ID of the zone, instead of its name. Setting it saves one request.
    type: str
  pattern:
    description:
      - Return only the route with this pattern. At least one of O(pattern), O(zone) and O(zone_id) is required.
    type: str
  worker:
    description: Return only the routes to this Worker. Null selects the routes without a Worker.
    type: str
    aliases: [script]
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.attributes.info
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

- name: List all routes of the zone
  tenantry.cloudflare_workers.worker_route_info:
    zone: example.com

- name: List the routes to the router
  tenantry.cloudflare_workers.worker_route_info:
    zone: example.com
    worker: example-router

- name: Get one route
  tenantry.cloudflare_workers.worker_route_info:
    pattern: "*.platform.example.com/*"
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample: []
worker_routes:
  description: The routes. Empty if none match or the zone does not exist.
  returned: success
  type: list
  elements: dict
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
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker_route import WorkerRouteInfo


def main() -> None:
    """Run the module."""
    run(WorkerRouteInfo)


if __name__ == "__main__":
    main()
