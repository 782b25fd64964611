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
  - Lists the Workers of the account that run at certain times, or tells the times of one of them. Only the Workers themselves know theirs, so it
    takes one request for each Worker of the account and one to list them, or one where O(worker) is given.
options:
  worker:
    description: Only the schedule of this Worker. By default those of all Workers.
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
- name: A Worker that looks after the tenants
  tenantry.cloudflare_workers.worker:
    name: example-caretaker
    content: |
      export default {
        scheduled: (controller) => console.log("it is", controller.cron),
      };
    compatibility_date: "2026-11-01"

- name: Every half an hour, and on Sundays at four
  tenantry.cloudflare_workers.worker_schedule:
    worker: example-caretaker
    crons:
      - "*/30 * * * *"
      - 0 4 * * SUN

- name: Which Workers run by themselves?
  tenantry.cloudflare_workers.worker_schedule_info:

- name: When does this one?
  tenantry.cloudflare_workers.worker_schedule_info:
    worker: example-caretaker
"""

RETURN = r"""
operations:
  description: The writes that were sent, which are none.
  returned: always
  type: list
  elements: str
  sample: []
worker_schedules:
  description: The schedules; an empty list where none is found.
  returned: success
  type: list
  elements: dict
  contains:
    worker: {description: The name of the Worker., type: str, returned: success, sample: example-caretaker}
    crons:
      description: Its cron expressions.
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
