#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: queue
short_description: Manage queues of Cloudflare Queues
version_added: 0.1.0
description:
  - Create, rename, change and delete queues. Workers send messages through a binding of type C(queue), see
    O(tenantry.cloudflare_workers.worker#module:bindings).
  - The API accepts the permission Queues:Edit in place of Workers Scripts:Edit.
options:
  queue_name:
    description: The name of the queue, unique in the account.
    type: str
    required: true
    aliases: [name]
  new_name:
    description:
      - Rename the queue to this name. If only a queue with this name exists, it is the one that is managed, so the task
        can run again.
    type: str
  settings:
    description:
      - The settings of the queue. Settings that are omitted stay as they are. A new queue gets Cloudflare's defaults.
      - Null resets a setting to the default of a paid plan, and all settings if O(settings) is null.
    type: dict
    suboptions:
      delivery_delay:
        description: Delay the delivery of each message by this many seconds, from 0 to 43200. Null is 0.
        type: int
      delivery_paused:
        description: Pause the delivery to all consumers. The queue still accepts messages. Null is V(false).
        type: bool
      message_retention_period:
        description:
          - Delete messages that are older than this many seconds, from 60 to 1209600. Null is 345600, four days.
        type: int
  force:
    description:
      - Delete the queue even if it has producers or consumers. Workers that are bound to it can no longer send.
    type: bool
    default: false
  state:
    description:
      - V(present) creates or changes the queue.
      - V(absent) deletes the queue with its messages. The module fails if it has producers or consumers, unless
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
- name: Create a queue that keeps messages for one day
  tenantry.cloudflare_workers.queue:
    queue_name: orders
    settings:
      message_retention_period: 86400

- name: Pause the delivery of messages
  tenantry.cloudflare_workers.queue:
    queue_name: orders
    settings:
      delivery_paused: true

- name: Rename the queue
  tenantry.cloudflare_workers.queue:
    queue_name: orders
    new_name: purchases

- name: Delete the queue, even if Workers are bound to it
  tenantry.cloudflare_workers.queue:
    queue_name: purchases
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
    - POST /accounts/023e105f4ecef8ad9ca31a8372d0c353/queues
queue:
  description: The queue. Null if it is absent.
  returned: success
  type: dict
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
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.queue import Queue


def main() -> None:
    """Run the module."""
    run(Queue)


if __name__ == "__main__":
    main()
