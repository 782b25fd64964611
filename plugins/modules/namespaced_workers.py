#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: namespaced_workers
short_description: Manage all user Workers of a platform at once
version_added: 0.1.0
description:
  - Uploads, changes and deletes the Workers of many tenants in a dispatch namespace, from one list or from a file.
  - The Workers are listed once, 1000 in a request, and only those are written that differ from what is declared, several at the same time. With a
    O(routing_kv) a change takes one request for each changed Worker; without one, two more that read it.
  - A tenant that is wrong or fails does not keep the others from being converged. The task fails in the end and names it, unless O(max_failures)
    says otherwise. The next run continues where this one stopped, were it killed.
  - The requests stay inside the API's budget, which all runs of a user on one machine share. Long work shows how far it has come, a bar on a terminal and a
    line every ten seconds in a log, unless the module runs in a process of its own (see M(tenantry.cloudflare_workers.api)).
options:
  dispatch_namespace:
    description: The dispatch namespace that holds the Workers.
    type: str
    required: true
    aliases: [namespace]
  prune:
    description:
      - Whether Workers of O(owner), which must be given, that are not declared are removed, and the records that lead to them.
      - Another owner's Workers stay, and so do those that nobody's tag marks. A Worker to which a record still leads stays until the next run, since the
        one that was to take the host name over failed.
    type: bool
    default: false
  prune_limit:
    description:
      - The maximum number of Workers that O(prune) may delete in one run, as a count, such as V(25), or as a share of the owner's Workers, such
        as V(10%).
      - If more Workers are undeclared, the task fails, names them, and changes nothing.
    type: str
    default: 10%
  routing_kv:
    description:
      - The KV namespace in which the router looks up who answers for a host name.
      - "For each host name there is one record: the key is the host name in lower case, the value
        C({\"state\":\"active\",\"worker\":\"<name>\"})."
      - Records of these Workers whose host names are no longer declared are removed.
      - "Beside them is what this collection knows of each Worker it wrote, under the key C(tenantry/ledger/<owner>). It tells what others have changed, and
        what is there without reading it."
    type: dict
    suboptions:
      title:
        description: The title of the KV namespace. Exactly one of this and C(namespace_id) is needed.
        type: str
      namespace_id:
        description: The id of the KV namespace.
        type: str
  state:
    description:
      - V(present) makes sure that they exist.
      - V(absent) makes sure that they do not, and that no record of theirs is left.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.worker.fleet
  - tenantry.cloudflare_workers.pace
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

- name: A KV namespace for who answers for which host name
  tenantry.cloudflare_workers.kv_namespace:
    title: Example Metadata

- name: All customers
  tenantry.cloudflare_workers.namespaced_workers:
    dispatch_namespace: example-workers
    owner: example-workers
    routing_kv:
      title: Example Metadata
    defaults:
      content: "export default { fetch: (request, env) => Response.json(env.CONFIG) };"
      compatibility_date: "2026-11-01"
    workers:
      - name: example-a
        hostnames: [customer-a.platform.example.com]
        bindings: [{name: CONFIG, type: json, json: {customerId: customer-a}}]
      - name: example-b
        hostnames: [customer-b.platform.example.com]
        bindings: [{name: CONFIG, type: json, json: {customerId: customer-b}}]

- name: Only one customer is left
  tenantry.cloudflare_workers.namespaced_workers:
    dispatch_namespace: example-workers
    owner: example-workers
    routing_kv:
      title: Example Metadata
    workers:
      - name: example-a
        hostnames: [customer-a.platform.example.com]
        content: "export default { fetch: () => new Response('alone') };"
        compatibility_date: "2026-11-01"
    prune: true
    prune_limit: 50%

- name: No customers any more
  tenantry.cloudflare_workers.namespaced_workers:
    dispatch_namespace: example-workers
    owner: example-workers
    routing_kv:
      title: Example Metadata
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
namespaced_workers:
  description:
    - What became of each Worker, in the order in which they are declared, then of those that O(prune) removed.
    - Of more than 100, only those that changed or failed.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Its name., type: str, returned: success, sample: example-a}
    changed: {description: Whether it was written., type: bool, returned: success}
    failed: {description: Whether it failed., type: bool, returned: success}
    changed_fields: {description: The fields that differed., type: list, elements: str, returned: when it was there and was changed, sample: [bindings]}
    msg: {description: Why it failed., type: str, returned: when it did}
summary:
  description: How many there are.
  returned: success
  type: dict
  contains:
    total: {description: Workers., type: int, returned: success, sample: 3}
    changed: {description: Workers that were written or removed., type: int, returned: success, sample: 1}
    failed: {description: Workers that failed., type: int, returned: success, sample: 0}
remaining:
  description: What is left afterwards that this run did not create.
  returned: success
  type: dict
  contains:
    workers: {description: Workers in the dispatch namespace whosever they are., type: int, returned: success, sample: 0}
    kv_keys: {description: Keys of the KV namespace that are not this owner's., type: int, returned: when O(routing_kv) is given, sample: 0}
routing_kv:
  description: The records of this owner, null once absent.
  returned: when O(routing_kv) is given
  type: dict
  contains:
    namespace_id: {description: The id of the KV namespace., type: str, returned: success}
    records:
      description: The Worker by host name. Of more than 100 Workers, only the records of those that changed.
      type: dict
      returned: success
      sample: {customer-a.platform.example.com: example-a}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.namespaced_workers import (
    NamespacedWorkers,
)


def main() -> None:
    """Run the module."""
    run(NamespacedWorkers)


if __name__ == "__main__":
    main()
