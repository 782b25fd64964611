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
  - Set, change and remove secrets of a Worker that is uploaded by other means, such as wrangler or another play.
  - One hash covers all secrets of the task. If any of them changed, all declared secrets are sent in one request.
  - Undeclared secrets are unchanged.
  - If this collection uploaded the Worker, a second request updates its fingerprint tag, so that the change is not
    reported as drift.
  - If a module of this collection manages the code of the Worker, prefer the option C(secrets) of that module. It sends
    secrets in the same requests as other changes.
  - Declare all secrets of a Worker in one task, either of this module or of the module that uploads it. With
    O(fingerprint_key), two tasks that declare different secrets would both send theirs in every run.
options:
  name:
    description: The name of the Worker.
    type: str
    required: true
  dispatch_namespace:
    description: The dispatch namespace of the Worker. If omitted, the module manages a Worker of the account.
    type: str
    aliases: [namespace]
  secrets:
    description:
      - Secrets by name. Null as a value removes that secret. Null for the whole option removes all secrets. This option
        is always required.
      - A secret is either a text or a key of the Web Crypto API. Such a key is a dictionary with C(algorithm),
        C(format), C(usages), and C(key_base64) or C(key_jwk).
      - Cloudflare never returns the value of a secret. O(update_secrets) controls when values are sent.
    type: dict
  state:
    description:
      - V(present) sets the secrets in O(secrets).
      - V(absent) removes the secrets that are named in O(secrets), regardless of their values.
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
- name: Upload a Worker
  tenantry.cloudflare_workers.worker:
    name: example-worker
    content: "export default { fetch: () => new Response('Hello') };"
    compatibility_date: "2026-11-01"

- name: Set and remove secrets
  tenantry.cloudflare_workers.worker_secrets:
    name: example-worker
    secrets:
      API_KEY: "{{ vault_api_key | default('an-example-of-a-key') }}"
      OLD_KEY: null

- name: Remove a secret
  tenantry.cloudflare_workers.worker_secrets:
    name: example-worker
    secrets:
      API_KEY: null
    state: absent

- name: Delete the Worker
  tenantry.cloudflare_workers.worker:
    name: example-worker
    state: absent
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample:
    - PATCH /accounts/023e105f4ecef8ad9ca31a8372d0c353/workers/scripts/example-worker/secrets-bulk
worker_secrets:
  description: The secrets of the Worker. Null if they are absent.
  returned: success
  type: dict
  contains:
    name: {description: The name of the Worker., type: str, returned: success, sample: example-worker}
    dispatch_namespace:
      description: The dispatch namespace of the Worker.
      type: str
      returned: if the Worker belongs to one
      sample: customer-workers
    secrets:
      description: The names of the secrets, with placeholders instead of values.
      type: dict
      returned: success
      sample: {API_KEY: (sensitive)}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker_secrets import WorkerSecrets


def main() -> None:
    """Run the module."""
    run(WorkerSecrets)


if __name__ == "__main__":
    main()
