#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: namespaced_worker_info
short_description: Gather information about the user Workers of a dispatch namespace
version_added: 0.1.0
description:
  - Lists the Workers of tenants in a dispatch namespace, or those of one name, of one owner or with certain tags. One request for each
    1000 of them, and more only with O(detail).
options:
  dispatch_namespace:
    description: The dispatch namespace that holds the Workers.
    type: str
    required: true
    aliases: [namespace]
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.worker.info
  - tenantry.cloudflare_workers.attributes.info
  - tenantry.cloudflare_workers.attributes.action_group
author:
  - The tenantry maintainers (@tenantry)
"""

EXAMPLES = r"""
- name: A dispatch namespace
  tenantry.cloudflare_workers.dispatch_namespace:
    name: example-workers

- name: The Workers of customers
  tenantry.cloudflare_workers.namespaced_workers:
    dispatch_namespace: example-workers
    defaults:
      content: "export default { fetch: () => new Response('hello') };"
      compatibility_date: "2026-11-01"
    workers:
      - name: example-a
        tags: [plan-pro]
      - name: example-b
        tags: [plan-pro, trial]

- name: Who is a customer?
  tenantry.cloudflare_workers.namespaced_worker_info:
    dispatch_namespace: example-workers

- name: Who pays for the pro plan?
  tenantry.cloudflare_workers.namespaced_worker_info:
    dispatch_namespace: example-workers
    tags: [plan-pro:yes, trial:no]
  register: paying

- name: Their names
  ansible.builtin.debug:
    msg: "{{ paying.namespaced_workers | map(attribute='name') }}"

- name: All there is to know of customer A
  tenantry.cloudflare_workers.namespaced_worker_info:
    dispatch_namespace: example-workers
    name: example-a
    detail: content
"""

RETURN = r"""
operations:
  description: The writes that were sent, which are none.
  returned: always
  type: list
  elements: str
  sample: []
namespaced_workers:
  description: The Workers; an empty list where none is found, or no dispatch namespace.
  returned: success
  type: list
  elements: dict
  contains:
    dispatch_namespace: {description: The dispatch namespace that holds it., type: str, returned: success, sample: example-workers}
    name: {description: Its name., type: str, returned: success, sample: example-a}
    owner: {description: Whose it is; null where nobody has said so., type: str, returned: success, sample: default}
    tags: {description: Its tags but for this collection's own., type: list, elements: str, returned: success, sample: [plan-pro]}
    assets: {description: A hash of its static assets., type: dict, returned: success, sample: {digest: 0123456789}}
    etag: {description: Cloudflare's hash of the code., type: str, returned: success}
    created_on: {description: When it was first uploaded., type: str, returned: success}
    modified_on: {description: When it was last changed., type: str, returned: success}
    migration_tag: {description: The step of its migrations at which it stands., type: str, returned: success, sample: v1}
    compatibility_date: {description: Its compatibility date., type: str, returned: with O(detail=settings) or O(detail=content), sample: "2026-11-01"}
    compatibility_flags:
      description: Its compatibility flags.
      type: list
      elements: str
      returned: with O(detail=settings) or O(detail=content)
    limits: {description: Its limits., type: dict, returned: with O(detail=settings) or O(detail=content), sample: {cpu_ms: 50}}
    observability: {description: What is recorded of it., type: dict, returned: with O(detail=settings) or O(detail=content), sample: {enabled: true}}
    placement: {description: Where it runs., type: dict, returned: with O(detail=settings) or O(detail=content), sample: {mode: smart}}
    logpush: {description: Whether its logs are pushed., type: bool, returned: with O(detail=settings) or O(detail=content)}
    tail_consumers: {description: The Workers that receive its events., type: list, elements: dict, returned: with O(detail=settings) or O(detail=content)}
    cache_options: {description: Whether its answers are cached., type: dict, returned: with O(detail=settings) or O(detail=content), sample: {enabled: true}}
    usage_model: {description: How it is billed., type: str, returned: with O(detail=settings) or O(detail=content), sample: standard}
    bindings:
      description: Its bindings but for secrets.
      type: list
      elements: dict
      returned: with O(detail=settings) or O(detail=content)
    secrets:
      description: The names of its secrets; no values.
      type: dict
      returned: with O(detail=settings) or O(detail=content)
      sample: {API_KEY: (sensitive)}
    modules:
      description: Its code, one dictionary with C(name), C(type), C(size) in bytes and C(sha256) for each module.
      type: list
      elements: dict
      returned: with O(detail=content)
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.namespaced_worker import (
    NamespacedWorkerInfo,
)


def main() -> None:
    """Run the module."""
    run(NamespacedWorkerInfo)


if __name__ == "__main__":
    main()
