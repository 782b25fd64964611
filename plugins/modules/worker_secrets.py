#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: worker_secrets
short_description: Manage secrets of a Worker without uploading it
version_added: 0.1.0
description:
  - Sets, changes and removes secrets of a Worker that is uploaded by somebody else, such as wrangler, or by another play.
  - One hash covers all secrets of the task. If any of them changed, all named secrets are sent, in one request.
  - Secrets that are not named stay unchanged.
  - Where this collection uploaded the Worker, a second request stamps it anew, so that the change is not taken for somebody else's.
  - For a Worker whose code is managed by this collection too, the option C(secrets) of its module does the same in its own writes.
  - Name all secrets of a Worker in one task, be it of this module or of its own. With O(fingerprint_key) one hash stands for all that a task
    names, so two tasks that name different ones would both send theirs in every run.
options:
  name:
    description: The name of the Worker.
    type: str
    required: true
  dispatch_namespace:
    description: The dispatch namespace that the Worker is in. Without it a Worker of the account is meant.
    type: str
    aliases: [namespace]
  secrets:
    description:
      - Secrets by name. Null removes one, and null for the whole option all.
      - A secret is a text, or a key of the Web Crypto API, which is a dictionary of C(algorithm), C(format), C(usages), and
        C(key_base64) or C(key_jwk).
      - Cloudflare never gives a secret back. O(update_secrets) says when a value is sent.
      - Always needed.
    type: dict
  state:
    description:
      - V(present) makes sure that the secrets are as O(secrets) says.
      - V(absent) makes sure that the Worker has none of those that are named in O(secrets); their values mean nothing.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.worker.secrets
  - tenantry.cloudflare_workers.attributes
  - tenantry.cloudflare_workers.attributes.action_group
author:
  - The tenantry maintainers (@tenantry)
"""

EXAMPLES = r"""
- name: A Worker that somebody else may have uploaded
  tenantry.cloudflare_workers.worker:
    name: example-worker
    content: "export default { fetch: () => new Response('Hello') };"
    compatibility_date: "2026-11-01"

- name: Its secrets
  tenantry.cloudflare_workers.worker_secrets:
    name: example-worker
    secrets:
      API_KEY: "{{ vault_api_key | default('an-example-of-a-key') }}"
      OLD_KEY: null

- name: Remove one of them
  tenantry.cloudflare_workers.worker_secrets:
    name: example-worker
    secrets:
      API_KEY: null
    state: absent

- name: Remove the Worker
  tenantry.cloudflare_workers.worker:
    name: example-worker
    state: absent
"""

RETURN = r"""
operations:
  description: The writes that were sent, in order, or would be sent in check mode.
  returned: always
  type: list
  elements: str
  sample:
    - PATCH /accounts/023e105f4ecef8ad9ca31a8372d0c353/workers/scripts/example-worker/secrets-bulk
worker_secrets:
  description: The Worker's secrets, null once absent.
  returned: success
  type: dict
  contains:
    name: {description: The name of the Worker., type: str, returned: success, sample: example-worker}
    dispatch_namespace: {description: Its dispatch namespace., type: str, returned: when it is in one, sample: customer-workers}
    secrets: {description: The names of its secrets; no values., type: dict, returned: success, sample: {API_KEY: (sensitive)}}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker_secrets import WorkerSecrets


def main() -> None:
    """Run the module."""
    run(WorkerSecrets)


if __name__ == "__main__":
    main()
