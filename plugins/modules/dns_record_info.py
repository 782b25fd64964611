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
  - Lists the DNS records of a zone, or those of one name, type or content. One request for each 1000 of them, and those that find the zone.
options:
  name:
    description: Only the records of this whole name, such as V(www.example.com). At least one of this, O(zone) and O(zone_id) is needed.
    type: str
  type:
    description: Only the records of this type.
    type: str
    choices: [A, AAAA, CAA, CERT, CNAME, DNSKEY, DS, HTTPS, LOC, MX, NAPTR, NS, OPENPGPKEY, PTR, SMIMEA, SRV, SSHFP, SVCB, TLSA,
      TXT, URI]
  content:
    description: Only the records that say just this.
    type: str
  zone:
    description: The name of the zone. By default the zone with the longest name that O(name) ends in.
    type: str
  zone_id:
    description: The id of the zone, instead of its name. Giving it saves a request.
    type: str
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.attributes.info
  - tenantry.cloudflare_workers.attributes.action_group
author:
  - The tenantry maintainers (@tenantry)
"""

EXAMPLES = r"""
- name: Every tenant's host name leads to Cloudflare
  tenantry.cloudflare_workers.dns_record:
    name: "*.platform.example.com"
    type: AAAA
    content: "100::"
    proxied: true

- name: Which records are there in the zone?
  tenantry.cloudflare_workers.dns_record_info:
    zone: example.com
  register: found

- name: Which names does no request reach by way of Cloudflare?
  ansible.builtin.debug:
    msg: "{{ found.dns_records | rejectattr('proxied') | map(attribute='name') | unique }}"

- name: What does this name lead to?
  tenantry.cloudflare_workers.dns_record_info:
    name: "*.platform.example.com"
"""

RETURN = r"""
operations:
  description: The writes that were sent, which are none.
  returned: always
  type: list
  elements: str
  sample: []
dns_records:
  description: The records; an empty list where none is found, or no zone.
  returned: success
  type: list
  elements: dict
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
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.dns_record import DNSRecordInfo


def main() -> None:
    """Run the module."""
    run(DNSRecordInfo)


if __name__ == "__main__":
    main()
