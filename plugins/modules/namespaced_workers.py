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
  - Uploads, changes and deletes the Workers of many tenants in a dispatch namespace, from one list.
  - The Workers are listed once, 1000 in a request, and only those are read or written that differ from what is declared.
  - A tenant that fails does not keep the others from being converged. The task fails in the end and names it, and the next run
    continues where this one stopped.
options:
  dispatch_namespace:
    description: The dispatch namespace that holds the Workers.
    type: str
    required: true
    aliases: [namespace]
  defaults:
    description:
      - What applies to every Worker that does not say otherwise.
      - C(vars) and C(secrets) are merged by key; everything else that a Worker gives replaces the default.
    type: dict
    suboptions: &worker
      content:
        description:
          - The code of the Worker itself, one JavaScript module.
        type: str
      path:
        description:
          - A file that is the Worker, one JavaScript module.
          - It is a file of the controller; a relative path is looked for as M(ansible.builtin.template) looks for its source.
        type: path
      entrypoint:
        description:
          - A TypeScript or JavaScript file that C(esbuild) bundles with everything it imports.
          - It is found as C(path) is.
        type: path
      main_module:
        description:
          - What the module is called in the Worker. Its ending says what kind of module it is.
          - By default the name of the file, C(.ts) becoming C(.js); V(worker.js) with C(content).
        type: str
      esbuild_path:
        description:
          - The C(esbuild) to use for C(entrypoint).
          - By default the nearest C(node_modules/.bin/esbuild) in a folder above the entrypoint, else the one on E(PATH).
        type: path
      compatibility_date:
        description:
          - The date whose behaviour of the Workers runtime the Worker was written for, in quotes, such as V('2026-11-01').
          - Needed, because without one Cloudflare takes the behaviour of 2021-11-02.
        type: str
      compatibility_flags:
        description:
          - Single changes of the runtime to switch on or off, such as V(nodejs_compat).
          - Left as they are if not given; null removes them.
        type: list
        elements: str
      bindings:
        description:
          - What the Worker finds in its C(env), by name. With this option, or with C(vars), bindings that are not declared are
            removed, unless C(unmanaged_bindings=keep). Without both, bindings stay as they are.
          - Secrets are given as C(secrets).
        type: list
        elements: dict
        suboptions:
          name:
            description: The name in C(env).
            type: str
            required: true
          type:
            description: What it is.
            type: str
            required: true
            choices: [plain_text, json, kv_namespace, dispatch_namespace]
          text:
            description: The text of a C(plain_text).
            type: str
          json:
            description: The value of a C(json), of any shape.
            type: raw
          namespace_id:
            description: The id of the KV namespace of a C(kv_namespace).
            type: str
          title:
            description: The title of the KV namespace of a C(kv_namespace), instead of its id.
            type: str
          namespace:
            description: The name of the dispatch namespace of a C(dispatch_namespace).
            type: str
      vars:
        description:
          - Variables by name, the short form of bindings. A string becomes C(plain_text), everything else C(json); null removes one.
          - Without C(bindings), only C(plain_text) and C(json) bindings that are not declared are removed.
        type: dict
      secrets:
        description:
          - Secret texts by name. Secrets that are not named stay as they are; null removes one, and null for the whole option all.
          - Cloudflare never gives a secret back. C(update_secrets) says when a value is sent.
        type: dict
      tags:
        description:
          - Tags of the Worker, 6 at most. Cloudflare allows 8, and 2 are this collection's own.
          - Left as they are if not given; null removes them.
        type: list
        elements: str
      unmanaged_bindings:
        description:
          - What becomes of bindings that are not declared, see C(bindings). Secrets are never among them.
          - By default V(remove).
        type: str
        choices: [remove, keep]
  workers:
    description:
      - The Workers, each with its name and what it does not share with the others.
      - Needed with O(state=present). With O(state=absent) and without it, all Workers of O(owner) are meant, which must then be
        given.
    type: list
    elements: dict
    suboptions:
      <<: *worker
      name:
        description: The name of the Worker, unique in its dispatch namespace.
        type: str
        required: true
      hostnames:
        description: The host names that lead to the Worker, by records in O(registry).
        type: list
        elements: str
  registry:
    description:
      - The KV namespace in which the router looks up who answers for a host name.
      - "For each host name there is one record: the key is the host name in lower case, the value
        C({\"state\":\"active\",\"worker\":\"<name>\"})."
      - Records of these Workers whose host names are no longer declared are removed.
    type: dict
    suboptions:
      title:
        description: The title of the KV namespace. Exactly one of this and C(namespace_id) is needed.
        type: str
      namespace_id:
        description: The id of the KV namespace.
        type: str
  update_secrets:
    description:
      - When the values of secrets are sent that exist already, see M(tenantry.cloudflare_workers.namespaced_worker).
    type: str
    choices: [on_change, on_create, always]
  state:
    description:
      - V(present) makes sure that they exist.
      - V(absent) makes sure that they do not, and that no record of theirs is left.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.worker.ownership
  - tenantry.cloudflare_workers.attributes
  - tenantry.cloudflare_workers.attributes.action_group
author:
  - The tenantry maintainers (@tenantry)
"""

EXAMPLES = r"""
- name: A dispatch namespace
  tenantry.cloudflare_workers.dispatch_namespace:
    name: customer-workers

- name: A KV namespace for who answers for which host name
  tenantry.cloudflare_workers.kv_namespace:
    title: Tenant Configuration

- name: All customers
  tenantry.cloudflare_workers.namespaced_workers:
    dispatch_namespace: customer-workers
    owner: customer-workers
    registry:
      title: Tenant Configuration
    defaults:
      content: "export default { fetch: (request, env) => Response.json(env.CONFIG) };"
      compatibility_date: "2026-11-01"
    workers:
      - name: customer-a-worker
        hostnames: [customer-a.platform.example.com]
        bindings: [{name: CONFIG, type: json, json: {customerId: customer-a}}]
      - name: customer-b-worker
        hostnames: [customer-b.platform.example.com]
        bindings: [{name: CONFIG, type: json, json: {customerId: customer-b}}]

- name: No customers any more
  tenantry.cloudflare_workers.namespaced_workers:
    dispatch_namespace: customer-workers
    owner: customer-workers
    registry:
      title: Tenant Configuration
    state: absent
"""

RETURN = r"""
operations:
  description: The writes that were sent, in order, or would be sent in check mode.
  returned: always
  type: list
  elements: str
  sample:
    - PUT /accounts/023e105f4ecef8ad9ca31a8372d0c353/workers/dispatch/namespaces/customer-workers/scripts/customer-a-worker
namespaced_workers:
  description: What became of each Worker, in the order of O(workers).
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Its name., type: str, returned: success, sample: customer-a-worker}
    changed: {description: Whether it was written., type: bool, returned: success}
    failed: {description: Whether it failed., type: bool, returned: success}
    fields: {description: What differed., type: list, elements: str, returned: when something did, sample: [bindings]}
    msg: {description: Why it failed., type: str, returned: when it did}
remaining:
  description: What is left afterwards that this run did not create.
  returned: success
  type: dict
  contains:
    workers: {description: Workers in the dispatch namespace whosever they are., type: int, returned: success, sample: 0}
    entries: {description: Keys of the KV namespace that are not this owner's., type: int, returned: when O(registry) is given, sample: 0}
registry:
  description: The records of this owner, null once absent.
  returned: when O(registry) is given
  type: dict
  contains:
    namespace_id: {description: The id of the KV namespace., type: str, returned: success}
    records:
      description: The Worker by host name.
      type: dict
      returned: success
      sample: {customer-a.platform.example.com: customer-a-worker}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.namespaced_workers import NamespacedWorkers


def main() -> None:
    """Run the module."""
    run(NamespacedWorkers)


if __name__ == "__main__":
    main()
