#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: worker_schedule_info
short_description: Gather information about the cron triggers of Workers
version_added: 0.1.0
description:
  - List the Workers of the account that have cron triggers. The API returns cron triggers per Worker, so this takes one
    request per Worker of the account and one request to list them. With O(worker), it takes one request.
options:
  worker:
    description: Return only the cron triggers of this Worker. By default, those of all Workers are returned.
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
- name: Upload a Worker with a scheduled handler
  tenantry.cloudflare_workers.worker:
    name: example-caretaker
    content: |
      export default {
        scheduled: (controller) => console.log("it is", controller.cron),
      };
    compatibility_date: "2026-11-01"

- name: Run it every half hour, and on Sundays at 4:00
  tenantry.cloudflare_workers.worker_schedule:
    worker: example-caretaker
    crons:
      - "*/30 * * * *"
      - 0 4 * * SUN

- name: List all Workers with cron triggers
  tenantry.cloudflare_workers.worker_schedule_info:

- name: Get the cron triggers of one Worker
  tenantry.cloudflare_workers.worker_schedule_info:
    worker: example-caretaker
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample: []
worker_schedules:
  description: The Workers and their cron triggers. Empty if none match.
  returned: success
  type: list
  elements: dict
  contains:
    worker: {description: The name of the Worker., type: str, returned: success, sample: example-caretaker}
    crons:
      description: The cron expressions of the Worker, in UTC.
      type: list
      elements: str
      returned: success
      sample: ["*/30 * * * *", 0 4 * * SUN]
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker_schedule import (
    WorkerScheduleInfo,
)


def main() -> None:
    """Run the module."""
    run(WorkerScheduleInfo)


if __name__ == "__main__":
    main()
