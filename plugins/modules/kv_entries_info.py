#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kv_entries_info
short_description: Gather information about the entries of a KV namespace
version_added: 0.1.0
description:
  - List the entries of a KV namespace, or only their keys. This takes one request per 1000 keys and one per 100 values.
  - A binary value is returned in base64, and its entry contains RV(kv_entries[].base64).
options:
  title:
    description: The title of the KV namespace. Exactly one of O(title) and O(namespace_id) is required.
    type: str
  namespace_id:
    description: The ID of the KV namespace.
    type: str
  prefix:
    description: Return only the entries whose keys begin with this prefix.
    type: str
  detail:
    description:
      - The amount of information about each entry.
      - V(keys) returns the keys with their metadata and expiration.
      - V(values) adds the values, with one request per 100 values and up to 20 more for each binary value among them.
      - V(bytes) adds the values with one request per value, which takes fewer requests if most of them are binary.
    type: str
    choices: [keys, values, bytes]
    default: values
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.attributes.info
  - tenantry.cloudflare_workers.attributes.action_group
author:
  - The tenantry maintainers (@tenantry)
"""

EXAMPLES = r"""
- name: Create a KV namespace
  tenantry.cloudflare_workers.kv_namespace:
    title: Plans

- name: Write the limits of the plans
  tenantry.cloudflare_workers.kv_entries:
    title: Plans
    entries:
      - key: plan/free
        value: {cpuMs: 10, subRequests: 5}
      - key: plan/pro
        value: {cpuMs: 50, subRequests: 50}
        metadata: {since: "2026-11"}

- name: Read all plans
  tenantry.cloudflare_workers.kv_entries_info:
    title: Plans
    prefix: plan/
  register: plans

- name: Show the CPU time of each plan
  ansible.builtin.debug:
    msg: "{{ item.key }}: {{ (item.value | from_json).cpuMs }} ms"
  loop: "{{ plans.kv_entries }}"

- name: List all keys without their values
  tenantry.cloudflare_workers.kv_entries_info:
    title: Plans
    detail: keys
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample: []
kv_entries:
  description: The entries. Empty if none match or the KV namespace does not exist.
  returned: success
  type: list
  elements: dict
  contains:
    key: {description: The key., type: str, returned: success, sample: plan/pro}
    value:
      description: The stored value.
      type: str
      returned: with O(detail=values) or O(detail=bytes)
      sample: '{"cpuMs":50,"subRequests":50}'
    base64:
      description: True if the value is binary and returned in base64.
      type: bool
      returned: with a binary value
    metadata:
      description: The metadata of the key. Null without metadata.
      type: raw
      returned: success
      sample: {since: "2026-11"}
    expiration:
      description: The time at which the entry expires, in seconds since 1970. Null if it never expires.
      type: int
      returned: success
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.kv_entries import KVEntriesInfo


def main() -> None:
    """Run the module."""
    run(KVEntriesInfo)


if __name__ == "__main__":
    main()
