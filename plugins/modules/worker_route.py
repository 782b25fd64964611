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
  - Creates, changes and deletes routes, which say what requests to a zone reach which Worker.
  - A route is known by its pattern. One that exists already is adopted.
  - Many routes cost less with M(tenantry.cloudflare_workers.worker_routes), which lists a zone once for all of them.
options:
  pattern:
    description:
      - Which requests are meant, such as V(*.platform.example.com/*).
      - A wildcard may begin the host and end the path, and stand nowhere else.
    type: str
    required: true
  worker:
    description:
      - The Worker of the account that answers them. It must exist.
      - Null is a route where no Worker runs, which takes its requests out of wider routes. Needed to create a route.
    type: str
    aliases: [script]
  zone:
    description: The name of the zone. By default the zone with the longest name that the pattern's host ends in.
    type: str
  zone_id:
    description: The id of the zone, instead of its name. Giving it saves a request.
    type: str
  take_over:
    description: Whether a route may be changed or removed that leads to another Worker than O(worker).
    type: bool
    default: false
  state:
    description:
      - V(present) makes sure that it exists.
      - V(absent) makes sure that it does not.
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
- name: A Worker
  tenantry.cloudflare_workers.worker:
    name: example-router
    content: "export default { fetch: () => new Response('hello') };"
    compatibility_date: "2026-11-01"

- name: Everything below platform.example.com goes to it
  tenantry.cloudflare_workers.worker_route:
    pattern: "*.platform.example.com/*"
    worker: example-router

- name: But for the status page, where no Worker runs
  tenantry.cloudflare_workers.worker_route:
    pattern: status.platform.example.com/*
    worker: null

- name: Remove the route
  tenantry.cloudflare_workers.worker_route:
    pattern: "*.platform.example.com/*"
    state: absent
"""

RETURN = r"""
operations:
  description: The writes that were sent, in order, or would be sent in check mode.
  returned: always
  type: list
  elements: str
  sample:
    - POST /zones/023e105f4ecef8ad9ca31a8372d0c353/workers/routes
worker_route:
  description: The route, null once absent.
  returned: success
  type: dict
  contains:
    id: {description: Its id., type: str, returned: success, sample: 9a7806061c88ada191ed06f989cc3dac}
    pattern: {description: Its pattern., type: str, returned: success, sample: "*.platform.example.com/*"}
    worker: {description: The Worker that answers; null where none runs., type: str, returned: success, sample: example-router}
    zone_id: {description: The id of its zone., type: str, returned: success}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker_route import WorkerRoute


def main() -> None:
    """Run the module."""
    run(WorkerRoute)


if __name__ == "__main__":
    main()
