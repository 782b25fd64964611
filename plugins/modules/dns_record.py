#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dns_record
short_description: Manage DNS records of a zone
version_added: 0.1.0
description:
  - Create, change and delete DNS records. A route only receives requests if a proxied DNS record covers its host.
  - The token needs the permission DNS:Edit on the zone, in addition to those listed at O(api_token).
options:
  name:
    description:
      - The fully qualified name of the record, such as V(www.example.com). V(*.example.com) applies to all names
        without a record of their own. International names are accepted in Unicode and in Punycode.
    type: str
    required: true
  type:
    description: The type of the record.
    type: str
    required: true
    choices: [A, AAAA, CAA, CERT, CNAME, DNSKEY, DS, HTTPS, LOC, MX, NAPTR, NS, OPENPGPKEY, PTR, SMIMEA, SRV, SSHFP,
      SVCB, TLSA, TXT, URI]
  content:
    description:
      - The content of the record, such as an address. Required for a new record, unless its type uses O(data).
      - If Workers handle all requests and no server exists, use the placeholder V(100::) in an C(AAAA) record.
      - Different spellings of the same address or host name, and quotes in a C(TXT) record, are not treated as a
        difference.
      - With O(state=absent), a record is only deleted if it has this content.
    type: str
  data:
    description:
      - The structured content of a record type such as C(CAA) or C(SRV). The keys are those of Cloudflare's API.
      - Omitted keys are unchanged.
    type: dict
  multi_value:
    description:
      - If V(true), the name and type may have several records. O(content) or O(data) identifies the record, and records
        with other content are not changed.
      - If V(false), the name and type have one record, and O(content) is its desired content. If several records exist,
        the one with this content is selected. The module fails if none of them has it.
      - By default, V(false) for C(A), C(AAAA) and C(CNAME), and V(true) for other types.
    type: bool
  proxied:
    description:
      - Proxy requests through Cloudflare and its Workers. Otherwise, visitors connect to O(content) directly.
      - If omitted, a new record is not proxied. Null means V(false).
    type: bool
  ttl:
    description:
      - The TTL in seconds, 60 to 86400, or 30 to 86400 in Enterprise zones. With V(1), Cloudflare chooses the TTL, and
        proxied records allow no other value.
      - If omitted, a new record has V(1). Null means V(1).
    type: int
  priority:
    description:
      - The priority among several records; the lowest number is used first. Required for C(MX) and C(URI), and not
        allowed for other types.
    type: int
  comment:
    description: A comment that is only visible in the account. If omitted, it is unchanged. Null removes it.
    type: str
  tags:
    description: Tags of the record, such as V(owner:dns-team). If omitted, they are unchanged. Null removes them.
    type: list
    elements: str
  zone:
    description: The name of the zone. By default, the zone with the longest name that is a suffix of O(name).
    type: str
  zone_id:
    description: The ID of the zone, instead of its name. Setting it saves one request.
    type: str
  state:
    description:
      - V(present) creates or changes the DNS record.
      - V(absent) deletes the DNS record. At most one record is deleted.
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
- name: Proxy the host names of all tenants through Cloudflare, to the router
  tenantry.cloudflare_workers.dns_record:
    name: "*.platform.example.com"
    type: AAAA
    content: "100::"
    proxied: true
    comment: Host names of tenants

- name: Create an address record that is not proxied
  tenantry.cloudflare_workers.dns_record:
    name: origin.example.com
    type: A
    content: 192.0.2.10
    ttl: 300

- name: Add a second address of the same name
  tenantry.cloudflare_workers.dns_record:
    name: origin.example.com
    type: A
    content: 192.0.2.11
    multi_value: true

- name: Allow only this authority to issue certificates
  tenantry.cloudflare_workers.dns_record:
    name: example.com
    type: CAA
    data: {flags: 0, tag: issue, value: letsencrypt.org}

- name: Delete the first address
  tenantry.cloudflare_workers.dns_record:
    name: origin.example.com
    type: A
    content: 192.0.2.10
    state: absent
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample:
    - POST /zones/023e105f4ecef8ad9ca31a8372d0c353/dns_records
dns_record:
  description: The DNS record. Null if it is absent.
  returned: success
  type: dict
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
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.dns_record import DNSRecord


def main() -> None:
    """Run the module."""
    run(DNSRecord)


if __name__ == "__main__":
    main()
