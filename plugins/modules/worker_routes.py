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
  - Creates, changes and deletes routes, from one list. Each zone is listed once, and once more after a change, whatever the number of its routes.
  - A route is known by its pattern and its zone. One that exists already is adopted, and one that is not in the list stays as it is.
  - A route that fails does not keep the others from being converged. The task fails in the end and names it, unless O(max_failures) says otherwise.
options:
  routes:
    description:
      - The routes, each with its pattern and what it does not share with the others.
      - One pattern may be there several times, in several zones.
    type: list
    elements: dict
    required: true
    suboptions:
      pattern:
        description:
          - Which requests are meant, such as V(*.platform.example.com/*).
          - A wildcard may begin the host and end the path, and stand nowhere else.
        type: str
        required: true
      worker:
        description: The Worker that answers them, if not the O(worker) of all. Null is a route where no Worker runs.
        type: str
        aliases: [script]
      zone:
        description: The name of the zone, if not the O(zone) or O(zone_id) of all.
        type: str
      zone_id:
        description: The id of the zone, if not the O(zone) or O(zone_id) of all.
        type: str
      take_over:
        description: Whether this one may be taken from another Worker, if not the O(take_over) of all says so.
        type: bool
  worker:
    description:
      - The Worker of the account that answers all that do not say otherwise. It must exist.
      - Null is where no Worker runs, which takes requests out of wider routes. To create a route, this or its own C(worker) is needed.
    type: str
    aliases: [script]
  zone:
    description:
      - The name of the zone of all that do not say otherwise.
      - By default it is for each the zone with the longest name that the pattern's host ends in, which takes a request for each level of each host.
    type: str
  zone_id:
    description: The id of that zone, instead of its name. Giving it saves a request.
    type: str
  take_over:
    description: Whether routes may be changed or removed that lead to another Worker than is named here.
    type: bool
    default: false
  state:
    description:
      - V(present) makes sure that they exist.
      - V(absent) makes sure that they do not.
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
- name: A Worker
  tenantry.cloudflare_workers.worker:
    name: example-router
    content: "export default { fetch: () => new Response('hello') };"
    compatibility_date: "2026-11-01"

- name: Everything goes to it but the status page, where no Worker runs
  tenantry.cloudflare_workers.worker_routes:
    worker: example-router
    zone: example.com
    routes:
      - pattern: example.com/*
      - pattern: "*.example.com/*"
      - pattern: status.example.com/*
        worker: null

- name: Remove two of the routes
  tenantry.cloudflare_workers.worker_routes:
    zone: example.com
    routes:
      - pattern: example.com/*
      - pattern: status.example.com/*
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
worker_routes:
  description: What became of each route, in the order of O(routes). Of more than 100, only those that changed or failed.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its pattern, with its zone where several have one pattern.
      type: str
      returned: success
      sample: "*.platform.example.com/*"
    changed: {description: Whether it was written., type: bool, returned: success}
    failed: {description: Whether it failed., type: bool, returned: success}
    fields: {description: What differed., type: list, elements: str, returned: when it was there and was changed, sample: [worker]}
    msg: {description: Why it failed., type: str, returned: when it did}
summary:
  description: How many there are.
  returned: success
  type: dict
  contains:
    total: {description: Routes., type: int, returned: success, sample: 3}
    changed: {description: Routes that were written., type: int, returned: success, sample: 1}
    failed: {description: Routes that failed., type: int, returned: success, sample: 0}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker_routes import WorkerRoutes


def main() -> None:
    """Run the module."""
    run(WorkerRoutes)


if __name__ == "__main__":
    main()
