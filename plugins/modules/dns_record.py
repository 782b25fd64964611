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
  - Creates, changes and deletes DNS records. A route answers nobody without one that is proxied and covers its host.
  - The token needs DNS:Edit on the zone, besides what is said of O(api_token).
options:
  name:
    description:
      - The whole name of the record, with its zone, such as V(www.example.com), or V(*.example.com) for all names that have no
        record of their own. Other alphabets in Punycode.
    type: str
    required: true
  type:
    description: The type of the record.
    type: str
    required: true
    choices: [A, AAAA, CAA, CERT, CNAME, DNSKEY, DS, HTTPS, LOC, MX, NAPTR, NS, OPENPGPKEY, PTR, SMIMEA, SRV, SSHFP, SVCB, TLSA,
      TXT, URI]
  content:
    description:
      - What the record says, such as an address. Needed to create one, unless its type takes O(data).
      - Where Workers answer and there is no server behind them, V(100::) in an C(AAAA) record leads nowhere, which is enough.
      - The spelling of addresses and host names and the quotes of a C(TXT) record make no difference.
      - With O(state=absent), only a record of this content is removed.
    type: str
  data:
    description:
      - The parts of a record whose type has several, such as C(CAA) or C(SRV), as Cloudflare's API names them.
      - Parts that are not given stay as they are.
    type: dict
  multi_value:
    description:
      - Whether the record stands beside others of its name and type. Then O(content) or O(data) says which one is meant, and one
        that says something else is left alone.
      - If V(false), the only record of the name and type is meant, and O(content) is what it shall say. Where there are several,
        it is the one of this content, and if none is, the module fails.
      - By default V(false) for C(A), C(AAAA) and C(CNAME), and V(true) for the other types.
    type: bool
  proxied:
    description:
      - Whether visitors reach Cloudflare, and its Workers, instead of O(content).
      - A new record is not proxied if this is not given. Null is V(false).
    type: bool
  ttl:
    description:
      - For how many seconds others may remember the record, 60 to 86400 (30 for Enterprise zones), or V(1) for Cloudflare's choice,
        which is the only one for a proxied record.
      - A new record has V(1) if this is not given. Null is V(1).
    type: int
  priority:
    description: Which of several records is asked first, the lowest number. Only C(MX) and C(URI) have one, and need it.
    type: int
  comment:
    description: A remark, which nobody but the zone's owners sees. Left as it is if not given; null removes it.
    type: str
  tags:
    description: Tags of the record, such as V(owner:dns-team). Left as they are if not given; null removes them.
    type: list
    elements: str
  zone:
    description: The name of the zone. By default the zone with the longest name that O(name) ends in.
    type: str
  zone_id:
    description: The id of the zone, instead of its name. Giving it saves a request.
    type: str
  state:
    description:
      - V(present) makes sure that it exists.
      - V(absent) makes sure that it does not. Never more than one record is removed.
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
- name: Every tenant's host name leads to Cloudflare, and there to the router
  tenantry.cloudflare_workers.dns_record:
    name: "*.platform.example.com"
    type: AAAA
    content: "100::"
    proxied: true
    comment: the tenants

- name: A server of one's own
  tenantry.cloudflare_workers.dns_record:
    name: origin.example.com
    type: A
    content: 192.0.2.10
    ttl: 300

- name: A second one beside it
  tenantry.cloudflare_workers.dns_record:
    name: origin.example.com
    type: A
    content: 192.0.2.11
    multi_value: true

- name: Only this authority may issue certificates
  tenantry.cloudflare_workers.dns_record:
    name: example.com
    type: CAA
    data: {flags: 0, tag: issue, value: letsencrypt.org}

- name: The first server is gone
  tenantry.cloudflare_workers.dns_record:
    name: origin.example.com
    type: A
    content: 192.0.2.10
    state: absent
"""

RETURN = r"""
operations:
  description: The writes that were sent, in order, or would be sent in check mode.
  returned: always
  type: list
  elements: str
  sample:
    - POST /zones/023e105f4ecef8ad9ca31a8372d0c353/dns_records
dns_record:
  description: The record, null once absent.
  returned: success
  type: dict
  contains:
    id: {description: Its id., type: str, returned: success, sample: 372e67954025e0ba6aaa6d586b9e0b59}
    zone_id: {description: The id of its zone., type: str, returned: success}
    name: {description: Its name., type: str, returned: success, sample: "*.platform.example.com"}
    type: {description: Its type., type: str, returned: success, sample: AAAA}
    content: {description: What it says., type: str, returned: success, sample: "100::"}
    data: {description: The parts of what it says where the type has several; else null., type: dict, returned: success}
    proxied: {description: Whether visitors reach Cloudflare instead., type: bool, returned: success}
    ttl: {description: For how many seconds it may be remembered; 1 is Cloudflare's choice., type: int, returned: success, sample: 1}
    priority: {description: Its priority where the type has one; else null., type: int, returned: success}
    comment: {description: Its comment; null where there is none., type: str, returned: success}
    tags: {description: Its tags., type: list, elements: str, returned: success}
    created_on: {description: When it was made., type: str, returned: success}
    modified_on: {description: When it was last changed., type: str, returned: success}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.dns_record import DNSRecord


def main() -> None:
    """Run the module."""
    run(DNSRecord)


if __name__ == "__main__":
    main()
