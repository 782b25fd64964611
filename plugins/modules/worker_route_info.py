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
  - Lists the routes of a zone, or those of one pattern or to one Worker. One request, and those that find the zone.
options:
  zone:
    description: The name of the zone. By default the zone with the longest name that the host of O(pattern) ends in.
    type: str
  zone_id:
    description: The id of the zone, instead of its name. Giving it saves a request.
    type: str
  pattern:
    description: Only the route of this pattern. At least one of this, O(zone) and O(zone_id) is needed.
    type: str
  worker:
    description: Only the routes that lead to this Worker. Null selects the routes without a Worker.
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
- name: A Worker
  tenantry.cloudflare_workers.worker:
    name: example-router
    content: "export default { fetch: () => new Response('hello') };"
    compatibility_date: "2026-11-01"

- name: Everything below platform.example.com goes to it
  tenantry.cloudflare_workers.worker_route:
    pattern: "*.platform.example.com/*"
    worker: example-router

- name: Which routes are there in the zone?
  tenantry.cloudflare_workers.worker_route_info:
    zone: example.com

- name: Which of them lead to the router?
  tenantry.cloudflare_workers.worker_route_info:
    zone: example.com
    worker: example-router

- name: Where does this one lead?
  tenantry.cloudflare_workers.worker_route_info:
    pattern: "*.platform.example.com/*"
"""

RETURN = r"""
operations:
  description: The writes that were sent, which are none.
  returned: always
  type: list
  elements: str
  sample: []
worker_routes:
  description: The routes; an empty list where none is found, or no zone.
  returned: success
  type: list
  elements: dict
  contains:
    id: {description: Its id., type: str, returned: success, sample: 9a7806061c88ada191ed06f989cc3dac}
    pattern: {description: Its pattern., type: str, returned: success, sample: "*.platform.example.com/*"}
    worker: {description: The Worker that answers; null where none runs., type: str, returned: success, sample: example-router}
    zone_id: {description: The id of its zone., type: str, returned: success}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker_route import WorkerRouteInfo


def main() -> None:
    """Run the module."""
    run(WorkerRouteInfo)


if __name__ == "__main__":
    main()
