#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: worker_schedule
short_description: Manage the cron triggers of a Worker
version_added: 0.1.0
description:
  - Says at what times Cloudflare runs the handler C(scheduled) of a Worker of the account.
  - The Workers of a dispatch namespace have no cron triggers. Let one of the account call them.
options:
  worker:
    description: The name of the Worker. It must exist.
    type: str
    required: true
    aliases: [name]
  crons:
    description:
      - All cron expressions of the Worker, in UTC, of five fields, such as V(*/30 * * * *). Others that it has are removed.
      - Needed with O(state=present). An empty list, or null, removes all.
      - They are compared as they are written, because the Worker is told which of them has fired.
    type: list
    elements: str
  state:
    description:
      - V(present) makes sure that the Worker has these cron triggers.
      - V(absent) makes sure that it has none.
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

- name: It rests
  tenantry.cloudflare_workers.worker_schedule:
    worker: example-caretaker
    state: absent
"""

RETURN = r"""
operations:
  description: The writes that were sent, in order, or would be sent in check mode.
  returned: always
  type: list
  elements: str
  sample:
    - PUT /accounts/023e105f4ecef8ad9ca31a8372d0c353/workers/scripts/example-caretaker/schedules
worker_schedule:
  description: The schedule, null once absent.
  returned: success
  type: dict
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
    WorkerSchedule,
)


def main() -> None:
    """Run the module."""
    run(WorkerSchedule)


if __name__ == "__main__":
    main()
