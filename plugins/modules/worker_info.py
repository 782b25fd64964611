#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: worker_info
short_description: Gather information about the Workers of an account
version_added: 0.1.0
description:
  - Lists the Workers of the account, or those of one name, of one owner or with certain tags. One request, whatever their number, and
    more only with O(detail).
  - The Workers of tenants are told by M(tenantry.cloudflare_workers.namespaced_worker_info).
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.worker.info
  - tenantry.cloudflare_workers.attributes.info
  - tenantry.cloudflare_workers.attributes.action_group
author:
  - The tenantry maintainers (@tenantry)
"""

EXAMPLES = r"""
- name: A Worker
  tenantry.cloudflare_workers.worker:
    name: example-router
    content: "export default { fetch: () => new Response('hello') };"
    compatibility_date: "2026-11-01"
    owner: example

- name: Which ones are there?
  tenantry.cloudflare_workers.worker_info:

- name: Which of them are ours?
  tenantry.cloudflare_workers.worker_info:
    owner: example

- name: What is the router bound to?
  tenantry.cloudflare_workers.worker_info:
    name: example-router
    detail: settings
"""

RETURN = r"""
operations:
  description: The writes that were sent, which are none.
  returned: always
  type: list
  elements: str
  sample: []
workers:
  description: The Workers; an empty list where none is found.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Its name., type: str, returned: success, sample: example-router}
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
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker import WorkerInfo


def main() -> None:
    """Run the module."""
    run(WorkerInfo)


if __name__ == "__main__":
    main()
