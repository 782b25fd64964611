#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kv_entries
short_description: Manage entries of a KV namespace
version_added: 0.1.0
description:
  - Writes and removes entries of Workers KV in bulk. Only the entries that differ are written.
  - Other entries of the KV namespace are left alone, unless O(prune=true).
options:
  title:
    description: The title of the KV namespace. Exactly one of this and O(namespace_id) is needed.
    type: str
  namespace_id:
    description: The id of the KV namespace.
    type: str
  entries:
    description: The entries.
    type: list
    elements: dict
    required: true
    suboptions:
      key:
        description: The key, 1 to 512 bytes.
        type: str
        required: true
      value:
        description: The value, 25 MiB at most. What is not a string is stored as JSON. Needed with O(state=present).
        type: raw
      base64:
        description:
          - Whether C(value) is given in base64, and stored as the bytes that this stands for.
          - Bytes that are no text are read one by one, with two requests each. To remove such an entry, set this too.
        type: bool
      metadata:
        description: Metadata of the key, 1024 bytes as JSON at most. Left as it is if not given; null removes it.
        type: dict
      expiration:
        description:
          - When the entry vanishes, in seconds since 1970, at least 60 seconds from now.
          - Left as it is if not given; null makes the entry stay for ever.
        type: int
      expiration_ttl:
        description:
          - In how many seconds from its writing the entry vanishes, 60 at least. Not with C(expiration), and null means the same.
          - An entry that is as declared goes on to the end that it has, unless it has none, or one that is further away than this.
        type: int
  prune:
    description:
      - Whether the keys that begin with O(prefix) and are not declared are removed.
      - What M(tenantry.cloudflare_workers.namespaced_workers) keeps there of host names and Workers is left alone.
    type: bool
    default: false
  prefix:
    description:
      - What the keys begin with that O(prune) may remove, which needs it; an empty one means all keys.
      - The keys of all O(entries) must begin with it too.
    type: str
  prune_limit:
    description:
      - The maximum number of keys that O(prune) may delete in one run, as a count, such as V(25), or as a share of the existing keys that begin
        with O(prefix), such as V(10%).
      - If more keys are undeclared, the module fails and writes nothing.
    type: str
    default: "100"
  state:
    description:
      - V(present) makes sure that the entries exist with these values.
      - V(absent) makes sure that the keys do not exist.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.attributes
  - tenantry.cloudflare_workers.attributes.action_group
author:
  - The tenantry maintainers (@tenantry)
"""

EXAMPLES = r"""
- name: A KV namespace
  tenantry.cloudflare_workers.kv_namespace:
    title: Plans

- name: What the plans allow
  tenantry.cloudflare_workers.kv_entries:
    title: Plans
    entries:
      - key: free
        value: {cpuMs: 10, subRequests: 5}
      - key: pro
        value: {cpuMs: 50, subRequests: 50}
        metadata: {since: "2026-11"}

- name: An offer that ends after a week, and no other offers
  tenantry.cloudflare_workers.kv_entries:
    title: Plans
    prefix: offer/
    prune: true
    entries:
      - key: offer/autumn
        value: {percent: 20}
        expiration_ttl: 604800

- name: A picture
  tenantry.cloudflare_workers.kv_entries:
    title: Plans
    entries:
      - key: dot.gif
        value: R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==
        base64: true

- name: One plan is no more
  tenantry.cloudflare_workers.kv_entries:
    title: Plans
    entries:
      - key: free
    state: absent
"""

RETURN = r"""
operations:
  description: The writes that were sent, in order, or would be sent in check mode.
  returned: always
  type: list
  elements: str
  sample:
    - PUT /accounts/023e105f4ecef8ad9ca31a8372d0c353/storage/kv/namespaces/0f2ac74b498b48028cb68387c421e279/bulk
kv_entries:
  description: The declared entries, null once absent.
  returned: success
  type: dict
  contains:
    namespace_id: {description: The id of the KV namespace., type: str, returned: success}
    entries:
      description:
        - Value, metadata and expiration by key; in place of the expiration the C(expiration_ttl) that an entry was just written with.
        - C(base64) says that a value which is no text stands there in base64.
      type: dict
      returned: success
      sample: {free: {metadata: null, value: '{"cpuMs":10,"subRequests":5}'}}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.kv_entries import KVEntries


def main() -> None:
    """Run the module."""
    run(KVEntries)


if __name__ == "__main__":
    main()
