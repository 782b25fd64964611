#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: worker
short_description: Manage a Worker of the account
version_added: 0.1.0
description:
  - Uploads, changes and deletes a Worker that belongs to the account, such as the router in front of the tenants' Workers.
  - A Worker is uploaded only when what it is made of has changed. A tag of the Worker holds a hash of it, so that one request
    tells.
  - A tenant's Worker is managed by M(tenantry.cloudflare_workers.namespaced_worker).
options:
  name:
    description: The name of the Worker, unique in the account.
    type: str
    required: true
  state:
    description:
      - V(present) makes sure that it exists. O(compatibility_date) and one of O(content), O(path), O(entrypoint) and O(assets) are needed then.
      - V(absent) makes sure that it does not.
    type: str
    choices: [present, absent]
    default: present
  workers_dev:
    description:
      - Whether the Worker answers on its host of C(workers.dev), which the account must have a subdomain for. Null means no.
      - Left as it is if not given; a new Worker does not.
    type: bool
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

- name: The router in front of it
  tenantry.cloudflare_workers.worker:
    name: example-router
    content: |
      export default {
        fetch: (request, env) => env.TENANTS.get(new URL(request.url).hostname.split(".")[0]).fetch(request),
      };
    compatibility_date: "2026-11-01"
    bindings:
      - name: TENANTS
        type: dispatch_namespace
        namespace: example-workers

- name: A folder for a site
  ansible.builtin.file:
    path: "{{ playbook_dir }}/example-site"
    state: directory
    mode: "0755"

- name: Its page
  ansible.builtin.copy:
    content: "<h1>Nothing but a page</h1>\n"
    dest: "{{ playbook_dir }}/example-site/index.html"
    mode: "0644"

- name: A Worker without code that serves it
  tenantry.cloudflare_workers.worker:
    name: example-site
    compatibility_date: "2026-11-01"
    assets:
      directory: example-site
      not_found_handling: single-page-application

- name: Remove the router
  tenantry.cloudflare_workers.worker:
    name: example-router
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
    - PUT /accounts/023e105f4ecef8ad9ca31a8372d0c353/workers/scripts/example-router
worker:
  description: The Worker, null once absent.
  returned: success
  type: dict
  contains:
    name: {description: Its name., type: str, returned: success, sample: example-router}
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
    workers_dev: {description: Whether it answers on C(workers.dev)., type: bool, returned: when the option was given}
    etag: {description: Cloudflare's hash of the code., type: str, returned: success}
    created_on: {description: When it was first uploaded., type: str, returned: success}
    modified_on: {description: When it was last changed., type: str, returned: success}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker import Worker


def main() -> None:
    """Run the module."""
    run(Worker)


if __name__ == "__main__":
    main()
