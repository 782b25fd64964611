#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: custom_hostname
short_description: Manage customers' own host names, with certificates
version_added: 0.1.0
description:
  - Creates, changes and deletes custom hostnames of Cloudflare for SaaS, by which the names of customers lead into the zone of a
    platform.
  - A customer proves that the name is theirs by DNS records of their own zone, which the result lists.
  - The zone needs a fallback origin, or the host name an O(custom_origin_server).
  - The token needs SSL and Certificates:Edit on the zone, besides what is said of O(api_token).
options:
  hostname:
    description: The host name of the customer, such as V(shop.customer.net).
    type: str
    required: true
  zone:
    description: The name of the platform's zone. Exactly one of this and O(zone_id) is needed.
    type: str
  zone_id:
    description: The id of the platform's zone. Giving it saves a request.
    type: str
  ssl:
    description:
      - The certificate. Parts that are not given stay as they are, or are left to Cloudflare.
      - It is sent only where a part of it differs, because whatever is sent has the certificate validated anew.
      - A host name that is created without this has no certificate.
    type: dict
    suboptions:
      method:
        description:
          - How the customer proves that they may have a certificate. Needed for a new one.
          - V(http) needs nothing of a customer whose name leads to Cloudflare already, V(txt) needs a DNS record, and V(email) an
            answer.
        type: str
        choices: [http, txt, email]
      type:
        description: The kind of validation, of which there is one, V(dv).
        type: str
        choices: [dv]
      certificate_authority:
        description: Who issues it, such as V(google), V(lets_encrypt) or V(ssl_com).
        type: str
      bundle_method:
        description: Which chain of certificates is served with it.
        type: str
        choices: [ubiquitous, optimal, force]
      wildcard:
        description: Whether it is for the names below the host name too.
        type: bool
      settings:
        description: How visitors may speak to the host name.
        type: dict
        suboptions:
          http2:
            description: Whether by HTTP/2.
            type: str
            choices: ['on', 'off']
          tls_1_3:
            description: Whether by TLS 1.3.
            type: str
            choices: ['on', 'off']
          early_hints:
            description: Whether they are told early what a page needs.
            type: str
            choices: ['on', 'off']
          min_tls_version:
            description: The oldest TLS that is spoken, quoted, such as V('1.2').
            type: str
            choices: ['1.0', '1.1', '1.2', '1.3']
          ciphers:
            description: The ciphers that are spoken.
            type: list
            elements: str
  custom_metadata:
    description:
      - Texts by name that Workers find in C(request.cf.hostMetadata). Left as they are if not given; null removes all.
      - What is given replaces all that there is.
    type: dict
  custom_origin_server:
    description:
      - A host of the zone that requests are sent to instead of the fallback origin. Its DNS record must exist.
      - Left as it is if not given; null removes it.
    type: str
  custom_origin_sni:
    description: The name by which O(custom_origin_server) is asked for its certificate. Left as it is if not given; null removes it.
    type: str
  wait_for:
    description:
      - What to wait for before the task ends, where it has not happened yet. By default the task does not wait.
      - V(validation_records) waits until Cloudflare says how to prove that the certificate may be issued, which takes seconds.
      - V(active) waits until visitors are answered, with a certificate if O(ssl) is given. It takes minutes to hours, and does not
        begin before the customer has placed what is needed.
      - Check mode does not wait.
    type: str
    choices: [validation_records, active]
  wait_timeout:
    description: For how many seconds to wait. The module then fails, and says what is needed. What it has written stays.
    type: int
    default: 300
  state:
    description:
      - V(present) makes sure that it exists.
      - V(absent) makes sure that it does not, and its certificate neither.
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
- name: A customer's own host name
  tenantry.cloudflare_workers.custom_hostname:
    hostname: shop.customer.net
    zone: platform.localhost
    ssl:
      method: txt
      settings: {min_tls_version: '1.2', http2: 'on'}
    custom_metadata: {customer: customer-a}
    wait_for: validation_records
  register: shop

- name: What the customer must place
  ansible.builtin.debug:
    var: shop.custom_hostname.dns_records

- name: Visitors are answered
  tenantry.cloudflare_workers.custom_hostname:
    hostname: shop.customer.net
    zone: platform.localhost
    wait_for: active

- name: The customer has left
  tenantry.cloudflare_workers.custom_hostname:
    hostname: shop.customer.net
    zone: platform.localhost
    state: absent
"""

RETURN = r"""
operations:
  description: The writes that were sent, in order, or would be sent in check mode.
  returned: always
  type: list
  elements: str
  sample:
    - POST /zones/023e105f4ecef8ad9ca31a8372d0c353/custom_hostnames
custom_hostname:
  description: The custom hostname, null once absent.
  returned: success
  type: dict
  contains:
    id: {description: Its id., type: str, returned: success, sample: 0d89c70d-ad9f-4843-b99f-6cc0252067e9}
    hostname: {description: The host name., type: str, returned: success, sample: shop.customer.net}
    zone_id: {description: The id of the platform's zone., type: str, returned: success}
    status: {description: How far the host name is., type: str, returned: success, sample: pending}
    dns_records:
      description: The records that the customer has to make, in the words of M(tenantry.cloudflare_workers.dns_record).
      type: list
      elements: dict
      returned: success
      sample: [{name: _cf-custom-hostname.shop.customer.net, type: TXT, content: 0d89c70d-ad9f-4843-b99f-6cc0252067e9}]
    ownership_verification: {description: How to prove by DNS whose the name is; null once active., type: dict, returned: success}
    ownership_verification_http: {description: The same by HTTP., type: dict, returned: success}
    verification_errors: {description: Why that has failed so far., type: list, elements: str, returned: success}
    ssl: {description: The certificate as it was asked for; null where there is none., type: dict, returned: success}
    ssl_status: {description: How far the certificate is., type: str, returned: success, sample: pending_validation}
    validation_records: {description: "How to prove that the certificate may be issued, by each method.", type: list, elements: dict,
      returned: success}
    validation_errors: {description: Why that has failed so far., type: list, elements: str, returned: success}
    custom_metadata: {description: Its metadata., type: dict, returned: success, sample: {customer: customer-a}}
    custom_origin_server: {description: Its own origin; null for the fallback origin., type: str, returned: success}
    custom_origin_sni: {description: The name by which that is asked for its certificate., type: str, returned: success}
    created_at: {description: When it was made., type: str, returned: success}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.custom_hostname import (
    CustomHostname,
)


def main() -> None:
    """Run the module."""
    run(CustomHostname)


if __name__ == "__main__":
    main()
