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
  - Write and delete entries of a Workers KV namespace in bulk. Only entries that differ are written.
  - Other entries of the KV namespace are unchanged, unless O(prune=true).
options:
  title:
    description: The title of the KV namespace. Exactly one of O(title) and O(namespace_id) is required.
    type: str
  namespace_id:
    description: The ID of the KV namespace.
    type: str
  entries:
    description: The entries to write or delete.
    type: list
    elements: dict
    required: true
    suboptions:
      key:
        description: The key, 1 to 512 bytes.
        type: str
        required: true
      value:
        description:
          - The value, at most 25 MiB. Values other than strings are stored as JSON. Required with O(state=present).
        type: raw
      base64:
        description:
          - Decode C(value) from base64 and store the resulting bytes.
          - Binary entries are read one by one, with two requests each. Set this option to delete such an entry, too.
        type: bool
      metadata:
        description:
          - Metadata of the key, at most 1024 bytes as JSON. If omitted, it is unchanged. Null removes it.
          - The metadata C(tenantry) contains a digest by which M(tenantry.cloudflare_workers.namespaced_workers)
            recognizes a routing record. A write removes C(tenantry), unless it is declared with the digest of the
            value.
        type: dict
      expiration:
        description:
          - The time at which the entry expires, in seconds since 1970. It must be at least 60 seconds in the future.
          - If omitted, the expiration is unchanged. Null means that the entry never expires.
        type: int
      expiration_ttl:
        description:
          - The number of seconds after the write at which the entry expires, at least 60. It cannot be combined with
            C(expiration). Null means that the entry never expires.
          - An entry that is already as declared keeps its expiration, unless it never expires or expires later than
            this would.
        type: int
  prune:
    description:
      - Delete all undeclared keys that begin with O(prefix).
      - Keys that M(tenantry.cloudflare_workers.namespaced_workers) maintains for host names and Workers are kept.
    type: bool
    default: false
  prefix:
    description:
      - The prefix of the keys that O(prune) may delete. Required with O(prune=true). An empty prefix means all keys.
      - All keys in O(entries) must begin with it as well.
    type: str
  prune_limit:
    description:
      - The maximum number of keys that O(prune) may delete in one run. Either a count, such as V(25), or a share of the
        existing keys that begin with O(prefix), such as V(10%).
      - If more keys are undeclared, the module fails and writes nothing.
    type: str
    default: "100"
  state:
    description:
      - V(present) writes the entries.
      - V(absent) deletes the keys.
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
- name: Create a KV namespace
  tenantry.cloudflare_workers.kv_namespace:
    title: Plans

- name: Write the limits of the plans
  tenantry.cloudflare_workers.kv_entries:
    title: Plans
    entries:
      - key: free
        value: {cpuMs: 10, subRequests: 5}
      - key: pro
        value: {cpuMs: 50, subRequests: 50}
        metadata: {since: "2026-11"}

- name: Write an offer that expires after a week, and delete all other offers
  tenantry.cloudflare_workers.kv_entries:
    title: Plans
    prefix: offer/
    prune: true
    entries:
      - key: offer/autumn
        value: {percent: 20}
        expiration_ttl: 604800

- name: Write a binary value
  tenantry.cloudflare_workers.kv_entries:
    title: Plans
    entries:
      - key: dot.gif
        value: R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==
        base64: true

- name: Delete an entry
  tenantry.cloudflare_workers.kv_entries:
    title: Plans
    entries:
      - key: free
    state: absent
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample:
    - PUT /accounts/023e105f4ecef8ad9ca31a8372d0c353/storage/kv/namespaces/0f2ac74b498b48028cb68387c421e279/bulk
kv_entries:
  description: The declared entries. Null if they are absent.
  returned: success
  type: dict
  contains:
    namespace_id: {description: The ID of the KV namespace., type: str, returned: success}
    entries:
      description:
        - The value, metadata and expiration of each key. If an entry was just written with C(expiration_ttl), this key
          replaces the expiration.
        - C(base64) is true for a binary value, which is returned in base64.
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
