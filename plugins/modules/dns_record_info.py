#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dns_record_info
short_description: Gather information about the DNS records of a zone
version_added: 0.1.0
description:
  - List the DNS records of a zone, optionally only those with a certain name, type or content.
  - This takes one request per 1000 records. Finding the zone takes further requests.
  - The token needs the permission DNS:Read on the zone, in addition to those listed at O(api_token).
options:
  name:
    description:
      - Return only the records with this fully qualified name, such as V(www.example.com). At least one of O(name),
        O(zone) and O(zone_id) is required.
    type: str
  type:
    description: Return only the records of this type.
    type: str
    choices: [A, AAAA, CAA, CERT, CNAME, DNSKEY, DS, HTTPS, LOC, MX, NAPTR, NS, OPENPGPKEY, PTR, SMIMEA, SRV, SSHFP,
      SVCB, TLSA, TXT, URI]
  content:
    description: Return only the records with exactly this content.
    type: str
  zone:
    description: The name of the zone. By default, the zone with the longest name that is a suffix of O(name).
    type: str
  zone_id:
    description: The ID of the zone, instead of its name. Setting it saves one request.
    type: str
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.attributes.info
  - tenantry.cloudflare_workers.attributes.action_group
author:
  - The tenantry maintainers (@tenantry)
"""

EXAMPLES = r"""
- name: Proxy the host names of all tenants through Cloudflare
  tenantry.cloudflare_workers.dns_record:
    name: "*.platform.example.com"
    type: AAAA
    content: "100::"
    proxied: true

- name: List all DNS records of the zone
  tenantry.cloudflare_workers.dns_record_info:
    zone: example.com
  register: found

- name: Show the names that are not proxied
  ansible.builtin.debug:
    msg: "{{ found.dns_records | rejectattr('proxied') | map(attribute='name') | unique }}"

- name: Get the records of one name
  tenantry.cloudflare_workers.dns_record_info:
    name: "*.platform.example.com"
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample: []
dns_records:
  description: The DNS records. Empty if none match or the zone does not exist.
  returned: success
  type: list
  elements: dict
  contains:
    id: {description: The ID of the record., type: str, returned: success, sample: 372e67954025e0ba6aaa6d586b9e0b59}
    zone_id: {description: The ID of the zone., type: str, returned: success}
    name: {description: "The name, in Punycode.", type: str, returned: success, sample: "*.platform.example.com"}
    name_unicode: {description: The name in Unicode., type: str, returned: success, sample: bücher.example}
    type: {description: The type of the record., type: str, returned: success, sample: AAAA}
    content: {description: The content of the record., type: str, returned: success, sample: "100::"}
    data:
      description: The structured content of record types that have it. Null for other types.
      type: dict
      returned: success
    proxied: {description: "If true, requests are proxied through Cloudflare.", type: bool, returned: success}
    ttl: {description: The TTL in seconds. 1 means that Cloudflare chooses it., type: int, returned: success, sample: 1}
    priority:
      description: The priority of record types that have one. Null for other types.
      type: int
      returned: success
    comment: {description: The comment. Null without a comment., type: str, returned: success}
    tags: {description: The tags of the record., type: list, elements: str, returned: success}
    created_on: {description: The time of its creation., type: str, returned: success}
    modified_on: {description: The time of its last change., type: str, returned: success}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.dns_record import DNSRecordInfo


def main() -> None:
    """Run the module."""
    run(DNSRecordInfo)


if __name__ == "__main__":
    main()
