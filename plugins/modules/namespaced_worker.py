#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: namespaced_worker
short_description: Manage a user Worker in a dispatch namespace
version_added: 0.1.0
description:
  - Uploads, changes and deletes one tenant's Worker in a dispatch namespace of Workers for Platforms.
  - A Worker is uploaded only when what it is made of has changed. A tag of the Worker holds a hash of it, so that one request
    tells.
  - For many Workers M(tenantry.cloudflare_workers.namespaced_workers) is the better choice.
options:
  dispatch_namespace:
    description: The dispatch namespace that holds the Worker.
    type: str
    required: true
    aliases: [namespace]
  name:
    description: The name of the Worker, unique in its dispatch namespace.
    type: str
    required: true
  state:
    description:
      - V(present) makes sure that it exists. O(compatibility_date) and one of O(content), O(path), O(entrypoint) and O(assets) are needed then.
      - V(absent) makes sure that it does not.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.worker
  - tenantry.cloudflare_workers.worker.ownership
  - tenantry.cloudflare_workers.worker.secrets
  - tenantry.cloudflare_workers.attributes
  - tenantry.cloudflare_workers.attributes.action_group
author:
  - The tenantry maintainers (@tenantry)
"""

EXAMPLES = r"""
- name: A dispatch namespace
  tenantry.cloudflare_workers.dispatch_namespace:
    name: example-workers

- name: The Worker of customer A
  tenantry.cloudflare_workers.namespaced_worker:
    dispatch_namespace: example-workers
    name: example-a
    content: |
      export default {
        fetch: (request, env) => Response.json(env.CONFIG),
      };
    compatibility_date: "2026-11-01"
    bindings:
      - name: CONFIG
        type: json
        json:
          customerId: customer-a
          features: [feature1, feature2]
      - name: LIMIT
        type: ratelimit
        namespace_id: 1001
        simple:
          limit: 100
          period: 60
    vars:
      PLAN: pro
    secrets:
      API_KEY: "{{ customer_a_key | default('a-secret-of-customer-a') }}"
    tags: [plan-pro]

- name: A folder for the site of customer B
  ansible.builtin.file:
    path: "{{ playbook_dir }}/example-b"
    state: directory
    mode: "0755"

- name: Its page
  ansible.builtin.copy:
    content: "<h1>Customer B</h1>\n"
    dest: "{{ playbook_dir }}/example-b/index.html"
    mode: "0644"

- name: The Worker of customer B, whose code answers below /api and where there is no file
  tenantry.cloudflare_workers.namespaced_worker:
    dispatch_namespace: example-workers
    name: example-b
    content: |
      export default {
        fetch: (request) => Response.json({ asked: new URL(request.url).pathname }),
      };
    compatibility_date: "2026-11-01"
    assets:
      directory: example-b
      run_worker_first: [/api/*]

- name: Customer A leaves
  tenantry.cloudflare_workers.namespaced_worker:
    dispatch_namespace: example-workers
    name: example-a
    state: absent
"""

RETURN = r"""
operations:
  description:
    - The writes that were sent, in order, or would be sent in check mode.
    - The upload of files that Cloudflare does not have belongs to C(POST .../assets-upload-session), since only its answer tells which they are.
  returned: always
  type: list
  elements: str
  sample:
    - PUT /accounts/023e105f4ecef8ad9ca31a8372d0c353/workers/dispatch/namespaces/example-workers/scripts/example-a
namespaced_worker:
  description: The Worker, null once absent.
  returned: success
  type: dict
  contains:
    dispatch_namespace: {description: The dispatch namespace that holds it., type: str, returned: success, sample: example-workers}
    name: {description: Its name., type: str, returned: success, sample: example-a}
    owner: {description: Whose it is., type: str, returned: success, sample: default}
    modules:
      description: Its code, one dictionary with C(name), C(type), C(size) in bytes and C(sha256) for each module.
      type: list
      elements: dict
      returned: when it is present
    assets:
      description: What it serves, with C(digest), a hash of it all, C(files), how many they are, and C(bytes), how many they have. Null without any.
      type: dict
      returned: when they were given or the Worker was read
      sample: {digest: 5d0b3b1c2f6e, files: 12, bytes: 34567, not_found_handling: 404-page}
    compatibility_date: {description: Its compatibility date., type: str, returned: when it is present, sample: "2026-11-01"}
    compatibility_flags: {description: Its compatibility flags., type: list, elements: str, returned: when it is present}
    limits: {description: Its limits., type: dict, returned: when it was read or given, sample: {cpu_ms: 50}}
    observability: {description: What is recorded of it., type: dict, returned: when it was read or given, sample: {enabled: true}}
    placement: {description: Where it runs., type: dict, returned: when it was read or given, sample: {mode: smart}}
    logpush: {description: Whether its logs are pushed., type: bool, returned: when it was read or given}
    tail_consumers: {description: The Workers that are told of its requests., type: list, elements: dict, returned: when it was read or given}
    cache_options: {description: Whether its answers are cached., type: dict, returned: when it was read or given, sample: {enabled: true}}
    usage_model: {description: How it is billed., type: str, returned: when it was read or given, sample: standard}
    migration_tag: {description: The step of its migrations at which it stands., type: str, returned: when it is present, sample: v1}
    bindings: {description: Its bindings but for secrets., type: list, elements: dict, returned: when it is present}
    secrets: {description: The names of its secrets; no values., type: dict, returned: when it is present, sample: {API_KEY: (sensitive)}}
    tags: {description: Its tags but for this collection's own., type: list, elements: str, returned: success, sample: [plan-pro]}
    etag: {description: Cloudflare's hash of the code., type: str, returned: success}
    created_on: {description: When it was first uploaded., type: str, returned: success}
    modified_on: {description: When it was last changed., type: str, returned: success}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.namespaced_worker import (
    NamespacedWorker,
)


def main() -> None:
    """Run the module."""
    run(NamespacedWorker)


if __name__ == "__main__":
    main()
