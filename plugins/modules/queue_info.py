#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: queue_info
short_description: Gather information about queues of Cloudflare Queues
version_added: 0.1.0
description:
  - List the queues of the account, or return one of them. This takes one request per page of queues.
  - The API accepts the permission Queues:Read in place of Workers Scripts:Read.
options:
  queue_name:
    description: Return only the queue with this name. If omitted, all queues are returned.
    type: str
    aliases: [name]
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.attributes.info
  - tenantry.cloudflare_workers.attributes.action_group
author:
  - The tenantry maintainers (@tenantry)
"""

EXAMPLES = r"""
- name: Create a queue
  tenantry.cloudflare_workers.queue:
    queue_name: orders

- name: List all queues
  tenantry.cloudflare_workers.queue_info:
  register: found

- name: Show the names of paused queues
  ansible.builtin.debug:
    msg: "{{ found.queues | selectattr('settings.delivery_paused') | map(attribute='queue_name') }}"

- name: Get one queue
  tenantry.cloudflare_workers.queue_info:
    queue_name: orders
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample: []
queues:
  description: The queues. Empty if none match.
  returned: success
  type: list
  elements: dict
  contains:
    queue_name: {description: The name of the queue., type: str, returned: success, sample: orders}
    queue_id:
      description: The ID of the queue.
      type: str
      returned: success
      sample: 023e105f4ecef8ad9ca31a8372d0c353
    settings:
      description: The settings of the queue.
      type: dict
      returned: success
      sample: {delivery_delay: 0, delivery_paused: false, message_retention_period: 345600}
    producers:
      description: The producers of the queue, such as Workers with a binding to it, as the API returns them.
      type: list
      elements: dict
      returned: success
      sample: [{type: worker, script: shop}]
    consumers:
      description: The consumers of the queue, as the API returns them.
      type: list
      elements: dict
      returned: success
      sample: []
    created_on:
      description: The time of its creation.
      type: str
      returned: success
      sample: "2026-11-23T10:00:00.000000Z"
    modified_on: {description: The time of its last change., type: str, returned: success}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.queue import QueueInfo


def main() -> None:
    """Run the module."""
    run(QueueInfo)


if __name__ == "__main__":
    main()
