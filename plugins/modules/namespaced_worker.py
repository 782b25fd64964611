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
  - Upload, change and delete the Worker of one tenant in a dispatch namespace of Workers for Platforms.
  - A Worker is only uploaded if its code or configuration has changed. A tag of the Worker stores a hash of them, so a
    single request detects changes.
  - Use M(tenantry.cloudflare_workers.namespaced_workers) to manage many Workers.
options:
  dispatch_namespace:
    description: The dispatch namespace of the Worker.
    type: str
    required: true
    aliases: [namespace]
  name:
    description: The name of the Worker, unique in its dispatch namespace.
    type: str
    required: true
  state:
    description:
      - V(present) creates or changes the Worker. This requires O(compatibility_date) and at least one of O(content),
        O(path), O(entrypoint) and O(assets).
      - V(absent) deletes the Worker. Its routing records and its entry in the ledger remain, and so do KV namespaces,
        databases and other objects that it was bound to. Delete it with
        M(tenantry.cloudflare_workers.namespaced_workers) to delete its routing records first.
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
- name: Create a dispatch namespace
  tenantry.cloudflare_workers.dispatch_namespace:
    name: example-workers

- name: Upload the Worker of customer A
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

- name: Create a folder for the site of customer B
  ansible.builtin.file:
    path: "{{ playbook_dir }}/example-b"
    state: directory
    mode: "0755"

- name: Create the page of the site
  ansible.builtin.copy:
    content: "<h1>Customer B</h1>\n"
    dest: "{{ playbook_dir }}/example-b/index.html"
    mode: "0644"

- name: Upload the Worker of customer B, with assets and with code for /api and missing files
  tenantry.cloudflare_workers.namespaced_worker:
    dispatch_namespace: example-workers
    name: example-b
    content: |
      export default {
        fetch: (request) => Response.json({ path: new URL(request.url).pathname }),
      };
    compatibility_date: "2026-11-01"
    assets:
      directory: example-b
      run_worker_first: [/api/*]

- name: Delete the Worker of customer A
  tenantry.cloudflare_workers.namespaced_worker:
    dispatch_namespace: example-workers
    name: example-a
    state: absent
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample:
    - PUT /accounts/023e105f4ecef8ad9ca31a8372d0c353/workers/dispatch/namespaces/example-workers/scripts/example-a
namespaced_worker:
  description: The Worker. Null if it is absent.
  returned: success
  type: dict
  contains:
    dispatch_namespace:
      description: The dispatch namespace of the Worker.
      type: str
      returned: success
      sample: example-workers
    name: {description: The name of the Worker., type: str, returned: success, sample: example-a}
    owner: {description: The owner of the Worker. Null without an owner., type: str, returned: success, sample: default}
    modules:
      description:
        - The modules of the Worker, each as a dictionary with C(name), C(type), C(size) in bytes and C(sha256).
      type: list
      elements: dict
      returned: with O(state=present)
    assets:
      description:
        - The static assets. C(digest) is their hash. For declared assets, C(files) and C(bytes) are their number and
          total size. Null without assets.
      type: dict
      returned: if they are declared or were read
      sample: {digest: 5d0b3b1c2f6e, files: 12, bytes: 34567, not_found_handling: 404-page}
    compatibility_date:
      description: The compatibility date.
      type: str
      returned: with O(state=present)
      sample: "2026-11-01"
    compatibility_flags:
      description: The compatibility flags.
      type: list
      elements: str
      returned: with O(state=present)
    limits:
      description: The limits for each request.
      type: dict
      returned: if it is declared or was read
      sample: {cpu_ms: 50}
    observability:
      description: The settings for logs and traces.
      type: dict
      returned: if it is declared or was read
      sample: {enabled: true}
    placement:
      description: The settings for the location.
      type: dict
      returned: if it is declared or was read
      sample: {mode: smart}
    logpush:
      description: If true, logs are pushed with Logpush.
      type: bool
      returned: if it is declared or was read
    tail_consumers:
      description: The Tail Workers that receive events of this Worker.
      type: list
      elements: dict
      returned: if it is declared or was read
    cache_options:
      description: The settings of the cache in front of the Worker.
      type: dict
      returned: if it is declared or was read
      sample: {enabled: true}
    usage_model: {description: The usage model., type: str, returned: if it is declared or was read, sample: standard}
    containers:
      description: The containers, if Cloudflare's API returns them or the task declares them.
      type: list
      elements: dict
      returned: if it is declared or was read
    streaming_tail_consumers:
      description: The Workers that receive events at once, if Cloudflare's API returns them or the task declares them.
      type: list
      elements: dict
      returned: if it is declared or was read
    upload_metadata:
      description: The further metadata of the upload.
      type: dict
      returned: if it is declared or the Worker is new
    migration_tag:
      description: The last migration step that was applied.
      type: str
      returned: with O(state=present)
      sample: v1
    bindings:
      description: The bindings, without secrets.
      type: list
      elements: dict
      returned: with O(state=present)
    secrets:
      description: The names of the secrets, with placeholders instead of values.
      type: dict
      returned: with O(state=present)
      sample: {API_KEY: (sensitive)}
    tags:
      description: The tags, without those of this collection.
      type: list
      elements: str
      returned: success
      sample: [plan-pro]
    etag: {description: Cloudflare's hash of the code., type: str, returned: success}
    created_on: {description: The time of the first upload., type: str, returned: success}
    modified_on: {description: The time of its last change., type: str, returned: success}
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
