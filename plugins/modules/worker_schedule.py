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
  - Set the cron triggers of a Worker of the account. At these times, Cloudflare runs its C(scheduled) handler.
  - Workers in a dispatch namespace have no cron triggers. A Worker of the account can call them instead.
options:
  worker:
    description: The name of the Worker. It must exist.
    type: str
    required: true
    aliases: [name]
  crons:
    description:
      - All cron expressions of the Worker, in UTC and with five fields, such as V(*/30 * * * *). Other cron expressions
        of the Worker are removed.
      - Required with O(state=present). An empty list or null removes all cron expressions.
      - Expressions are compared as text, because the Worker receives the expression that triggered it.
    type: list
    elements: str
  state:
    description:
      - V(present) sets the cron triggers.
      - V(absent) removes all cron triggers.
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

- name: Remove all cron triggers
  tenantry.cloudflare_workers.worker_schedule:
    worker: example-caretaker
    state: absent
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample:
    - PUT /accounts/023e105f4ecef8ad9ca31a8372d0c353/workers/scripts/example-caretaker/schedules
worker_schedule:
  description: The cron triggers. Null if they are absent.
  returned: success
  type: dict
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
    WorkerSchedule,
)


def main() -> None:
    """Run the module."""
    run(WorkerSchedule)


if __name__ == "__main__":
    main()
