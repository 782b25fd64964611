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
  - Upload, change and delete a Worker of the account, such as the router in front of the tenants' Workers.
  - A Worker is only uploaded if its code or configuration has changed. A tag of the Worker stores a hash of them, so a
    single request detects changes.
  - Use M(tenantry.cloudflare_workers.namespaced_worker) to manage the Worker of a tenant.
options:
  name:
    description: The name of the Worker, unique in the account.
    type: str
    required: true
  state:
    description:
      - V(present) creates or changes the Worker. This requires O(compatibility_date) and at least one of O(content),
        O(path), O(entrypoint) and O(assets).
      - V(absent) deletes the Worker.
    type: str
    choices: [present, absent]
    default: present
  workers_dev:
    description:
      - Make the Worker available on its C(workers.dev) host name. The account must have a C(workers.dev) subdomain.
        Null means V(false).
      - If omitted, the setting is unchanged, and it is disabled for a new Worker.
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
- name: Create a dispatch namespace
  tenantry.cloudflare_workers.dispatch_namespace:
    name: example-workers

- name: Upload the router of the dispatch namespace
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

- name: Create a folder for a site
  ansible.builtin.file:
    path: "{{ playbook_dir }}/example-site"
    state: directory
    mode: "0755"

- name: Create the page of the site
  ansible.builtin.copy:
    content: "<h1>A static page</h1>\n"
    dest: "{{ playbook_dir }}/example-site/index.html"
    mode: "0644"

- name: Upload a Worker that serves the site without code
  tenantry.cloudflare_workers.worker:
    name: example-site
    compatibility_date: "2026-11-01"
    assets:
      directory: example-site
      not_found_handling: single-page-application

- name: Delete the router
  tenantry.cloudflare_workers.worker:
    name: example-router
    state: absent
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample:
    - PUT /accounts/023e105f4ecef8ad9ca31a8372d0c353/workers/scripts/example-router
worker:
  description: The Worker. Null if it is absent.
  returned: success
  type: dict
  contains:
    name: {description: The name of the Worker., type: str, returned: success, sample: example-router}
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
    workers_dev:
      description: If true, the Worker is available on C(workers.dev).
      type: bool
      returned: if O(workers_dev) is set
    etag: {description: Cloudflare's hash of the code., type: str, returned: success}
    created_on: {description: The time of the first upload., type: str, returned: success}
    modified_on: {description: The time of its last change., type: str, returned: success}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker import Worker


def main() -> None:
    """Run the module."""
    run(Worker)


if __name__ == "__main__":
    main()
