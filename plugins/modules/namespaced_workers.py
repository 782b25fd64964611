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
  - Upload, change and delete the Workers of many tenants in a dispatch namespace. They are declared in one list or in a
    file.
  - One list request per 1000 Workers finds the differences. Only changed Workers are written, several in parallel.
  - With O(routing_kv), each changed Worker takes one request. Without it, reading the Worker takes two more requests.
  - An invalid or failed Worker does not prevent changes to the others. The task then fails and names it, unless
    O(max_failures) allows the failure. A value of a wrong type, a missing source and an element without a name are such
    failures. With O(prune), an element without a name refuses the whole task, because its Worker would be deleted.
  - If a run is interrupted, the next run continues where it stopped.
  - Requests stay within the API's rate limit, which all runs of a user on one machine share.
  - Long runs show their progress as a bar on a terminal and as a line every ten seconds in a log. If the module runs in
    a separate process, no progress is shown (see M(tenantry.cloudflare_workers.api)).
options:
  dispatch_namespace:
    description: The dispatch namespace of the Workers.
    type: str
    required: true
    aliases: [namespace]
  prune:
    description:
      - Delete undeclared Workers of O(owner), and all routing records of O(owner) whose host name and Worker are
        undeclared. O(owner) is required with this option.
      - A routing record is deleted even if its Worker no longer exists or has another owner.
      - Workers of other owners and Workers without an owner are kept.
      - A Worker is kept until the next run if a routing record still refers to it, because the Worker that should take
        over the host name failed.
    type: bool
    default: false
  prune_limit:
    description:
      - The maximum number of Workers that O(prune) may delete in one run. Either a count, such as V(25), or a share of
        the owner's Workers, such as V(10%). A share allows at least one, except V(0%).
      - A share never allows the deletion of the only Worker of an owner, unless it is V(100%).
      - A Worker of which the owner has only routing records counts like the others.
      - If more Workers are undeclared, the task fails, names them and changes nothing.
    type: str
    default: 10%
  routing_kv:
    description:
      - The KV namespace in which the router looks up the Worker of a host name.
      - Each host name has one record. Its key is the host name in lower case, and its value is
        C({"state":"active","worker":"<name>"}).
      - Records of declared Workers are deleted if their host names are no longer declared.
      - A Worker fails if one of its host names has a record of another owner.
      - A record is repaired if the metadata of its key differs, as after a write in the dashboard. Its value is
        compared with O(drift_detection=settings) and O(drift_detection=content).
      - The key C(tenantry/ledger/<owner>) stores the state of each Worker that this collection has written. It is used
        to detect drift, and to plan changes without reading the Workers. A large ledger has further keys
        C(tenantry/ledger/<owner>/<n>).
      - The ledger is a cache. If it was deleted, or an earlier run could not write it, the next run writes it. Such a
        run is changed, and lists the write in RV(operations), even if no Worker changes.
    type: dict
    suboptions:
      title:
        description: The title of the KV namespace. Exactly one of C(title) and C(namespace_id) is required.
        type: str
      namespace_id:
        description: The ID of the KV namespace.
        type: str
  state:
    description:
      - V(present) creates or changes the Workers.
      - V(absent) deletes the Workers and their routing records.
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
- name: Create a dispatch namespace
  tenantry.cloudflare_workers.dispatch_namespace:
    name: example-workers

- name: Create a KV namespace for the routing records
  tenantry.cloudflare_workers.kv_namespace:
    title: Example Metadata

- name: Deploy the Workers of all customers
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

- name: Deploy one customer and delete the others
  tenantry.cloudflare_workers.namespaced_workers:
    dispatch_namespace: example-workers
    owner: example-workers
    routing_kv:
      title: Example Metadata
    workers:
      - name: example-a
        hostnames: [customer-a.platform.example.com]
        content: "export default { fetch: () => new Response('hello') };"
        compatibility_date: "2026-11-01"
    prune: true
    prune_limit: 50%

- name: Delete all Workers and routing records of the owner
  tenantry.cloudflare_workers.namespaced_workers:
    dispatch_namespace: example-workers
    owner: example-workers
    routing_kv:
      title: Example Metadata
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
namespaced_workers:
  description:
    - The result of each Worker, in the order of their declaration, followed by the Workers that O(prune) deleted.
    - If there are more than 100, the list only contains the changed and failed ones.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: The name of the Worker., type: str, returned: success, sample: example-a}
    changed: {description: True if the Worker was changed., type: bool, returned: success}
    failed: {description: True if the Worker failed., type: bool, returned: success}
    changed_fields:
      description:
        - The attributes that were changed. V(fingerprint) alone means that only a tag of this collection was changed.
      type: list
      elements: str
      returned: if an existing object was changed
      sample: [bindings]
    msg: {description: The error message., type: str, returned: on failure}
aborted:
  description:
    - True if the run stopped before it had tried all objects, for example because more than O(max_failures) failed.
  returned: success
  type: bool
  sample: false
summary:
  description: The number of Workers.
  returned: success
  type: dict
  contains:
    total: {description: All declared and pruned Workers., type: int, returned: success, sample: 3}
    changed: {description: Workers that were changed or deleted., type: int, returned: success, sample: 1}
    failed: {description: Workers that failed., type: int, returned: success, sample: 0}
remaining:
  description: The number of objects that remain after the run, without those that it created.
  returned: success
  type: dict
  contains:
    workers: {description: Workers of all owners in the dispatch namespace., type: int, returned: success, sample: 0}
    kv_keys:
      description: Keys of the KV namespace that do not belong to this owner.
      type: int
      returned: if O(routing_kv) is set
      sample: 0
routing_kv:
  description: The routing records of this owner. Null if they are absent.
  returned: if O(routing_kv) is set
  type: dict
  contains:
    namespace_id: {description: The ID of the KV namespace., type: str, returned: success}
    records:
      description:
        - The name of the Worker for each host name. If there are more than 100 Workers, only the records of changed
          Workers.
      type: dict
      returned: success
      sample: {customer-a.platform.example.com: example-a}
    hostnames_unicode:
      description: The Unicode form of each international host name in RV(routing_kv.records).
      type: dict
      returned: success
      sample: {xn--bcher-kva.example: bücher.example}
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
