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
  - List the Workers of the account, optionally only those with a certain name, owner or tags. This takes one request.
    O(detail) can add further requests.
  - Use M(tenantry.cloudflare_workers.namespaced_worker_info) for the Workers of tenants.
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.worker.info
  - tenantry.cloudflare_workers.attributes.info
  - tenantry.cloudflare_workers.attributes.action_group
author:
  - The tenantry maintainers (@tenantry)
"""

EXAMPLES = r"""
- name: Upload a Worker
  tenantry.cloudflare_workers.worker:
    name: example-router
    content: "export default { fetch: () => new Response('hello') };"
    compatibility_date: "2026-11-01"
    owner: example

- name: List all Workers of the account
  tenantry.cloudflare_workers.worker_info:

- name: List the Workers of one owner
  tenantry.cloudflare_workers.worker_info:
    owner: example

- name: Get the settings and bindings of the router
  tenantry.cloudflare_workers.worker_info:
    name: example-router
    detail: settings
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample: []
workers:
  description: The Workers. Empty if none match.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: The name of the Worker., type: str, returned: success, sample: example-router}
    owner: {description: The owner of the Worker. Null without an owner., type: str, returned: success, sample: default}
    tags:
      description: The tags, without those of this collection.
      type: list
      elements: str
      returned: success
      sample: [plan-pro]
    assets:
      description:
        - The static assets. C(digest) is their hash. For declared assets, C(files) and C(bytes) are their number and
          total size. Null without assets.
      type: dict
      returned: success
      sample: {digest: 0123456789}
    etag: {description: Cloudflare's hash of the code., type: str, returned: success}
    created_on: {description: The time of the first upload., type: str, returned: success}
    modified_on: {description: The time of its last change., type: str, returned: success}
    migration_tag: {description: The last migration step that was applied., type: str, returned: success, sample: v1}
    compatibility_date:
      description: The compatibility date.
      type: str
      returned: with O(detail=settings) or O(detail=content)
      sample: "2026-11-01"
    compatibility_flags:
      description: The compatibility flags.
      type: list
      elements: str
      returned: with O(detail=settings) or O(detail=content)
    limits:
      description: The limits for each request.
      type: dict
      returned: with O(detail=settings) or O(detail=content)
      sample: {cpu_ms: 50}
    observability:
      description: The settings for logs and traces.
      type: dict
      returned: with O(detail=settings) or O(detail=content)
      sample: {enabled: true}
    placement:
      description: The settings for the location.
      type: dict
      returned: with O(detail=settings) or O(detail=content)
      sample: {mode: smart}
    logpush:
      description: If true, logs are pushed with Logpush.
      type: bool
      returned: with O(detail=settings) or O(detail=content)
    tail_consumers:
      description: The Tail Workers that receive events of this Worker.
      type: list
      elements: dict
      returned: with O(detail=settings) or O(detail=content)
    cache_options:
      description: The settings of the cache in front of the Worker.
      type: dict
      returned: with O(detail=settings) or O(detail=content)
      sample: {enabled: true}
    usage_model:
      description: The usage model.
      type: str
      returned: with O(detail=settings) or O(detail=content)
      sample: standard
    containers:
      description: The containers, if Cloudflare's API returns them or the task declares them.
      type: list
      elements: dict
      returned: with O(detail=settings) or O(detail=content)
    streaming_tail_consumers:
      description: The Workers that receive events at once, if Cloudflare's API returns them or the task declares them.
      type: list
      elements: dict
      returned: with O(detail=settings) or O(detail=content)
    bindings:
      description: The bindings, without secrets.
      type: list
      elements: dict
      returned: with O(detail=settings) or O(detail=content)
    secrets:
      description: The names of the secrets, with placeholders instead of values.
      type: dict
      returned: with O(detail=settings) or O(detail=content)
      sample: {API_KEY: (sensitive)}
    modules:
      description:
        - The modules of the Worker, each as a dictionary with C(name), C(type), C(size) in bytes and C(sha256).
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
