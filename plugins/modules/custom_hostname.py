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
  - Create, change and delete custom hostnames of Cloudflare for SaaS. A custom hostname connects a host name of a
    customer to the zone of a platform.
  - The customer proves ownership of the name with DNS records in their own zone. The result lists these records.
  - The zone must have a fallback origin, or the host name an O(custom_origin_server).
  - The token needs the permission SSL and Certificates:Edit on the zone, in addition to those listed at O(api_token).
options:
  hostname:
    description:
      - The host name of the customer, such as V(shop.customer.net). An international name is accepted in Unicode and in
        Punycode.
    type: str
    required: true
  zone:
    description: The name of the platform's zone. Exactly one of O(zone) and O(zone_id) is required.
    type: str
  zone_id:
    description: The ID of the platform's zone. Setting it saves one request.
    type: str
  ssl:
    description:
      - The certificate. For omitted suboptions, the current values are kept, and Cloudflare chooses the values of a new
        certificate.
      - The module sends it only if a suboption differs, because each write restarts the validation of the certificate.
      - A host name that is created without this option has no certificate.
    type: dict
    suboptions:
      method:
        description:
          - The method that validates the certificate. Required for a new certificate.
          - V(http) requires no action if the host name already points to Cloudflare. V(txt) requires a DNS record.
            V(email) requires an answer to an email.
          - Cloudflare renews an active certificate by HTTP even if it was validated by TXT, except for a wildcard.
            V(txt) therefore leaves such a certificate unchanged if nothing else of O(ssl) differs.
        type: str
        choices: [http, txt, email]
      type:
        description: The type of validation. Only domain validation, V(dv), exists.
        type: str
        choices: [dv]
      certificate_authority:
        description: The certificate authority, such as V(google), V(lets_encrypt) or V(ssl_com).
        type: str
      bundle_method:
        description: The method that selects the certificate chain.
        type: str
        choices: [ubiquitous, optimal, force]
      wildcard:
        description: Request a wildcard certificate that also covers the names below the host name.
        type: bool
      settings:
        description: TLS settings of the host name.
        type: dict
        suboptions:
          http2:
            description: Enable HTTP/2.
            type: str
            choices: ['on', 'off']
          tls_1_3:
            description: Enable TLS 1.3.
            type: str
            choices: ['on', 'off']
          early_hints:
            description: Enable Early Hints.
            type: str
            choices: ['on', 'off']
          min_tls_version:
            description: The minimum TLS version. Quote it, for example V('1.2').
            type: str
            choices: ['1.0', '1.1', '1.2', '1.3']
          ciphers:
            description: The allowed cipher suites.
            type: list
            elements: str
  custom_metadata:
    description:
      - Key-value pairs of text that Workers can read from C(request.cf.hostMetadata). If omitted, they are unchanged.
        Null removes them.
      - The given dictionary replaces all existing metadata.
    type: dict
  custom_origin_server:
    description:
      - A host name in the zone that receives the requests instead of the fallback origin. Its DNS record must exist.
      - If omitted, it is unchanged. Null removes it.
    type: str
  custom_origin_sni:
    description:
      - The server name (SNI) for the TLS connection to O(custom_origin_server). If omitted, it is unchanged. Null
        removes it.
    type: str
  wait_for:
    description:
      - The condition for which the task waits. By default, the task does not wait.
      - V(validation_records) waits until Cloudflare provides the records that validate the certificate, which takes
        seconds.
      - V(active) waits until the host name is active, including its certificate if it has one. This takes minutes to
        hours and requires that the customer has created the records.
      - Check mode does not wait.
    type: str
    choices: [validation_records, active]
  wait_timeout:
    description:
      - The maximum wait in seconds. After that, the module fails with the outstanding records in its message. Changes
        that it has made are kept.
    type: int
    default: 300
  state:
    description:
      - V(present) creates or changes the custom hostname.
      - V(absent) deletes the custom hostname and its certificate.
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
- name: Create a custom hostname with a certificate
  tenantry.cloudflare_workers.custom_hostname:
    hostname: shop.customer.net
    zone: platform.localhost
    ssl:
      method: txt
      settings: {min_tls_version: '1.2', http2: 'on'}
    custom_metadata: {customer: customer-a}
    wait_for: validation_records
  register: shop

- name: Show the DNS records that the customer must create
  ansible.builtin.debug:
    var: shop.custom_hostname.dns_records

- name: Wait until the custom hostname is active
  tenantry.cloudflare_workers.custom_hostname:
    hostname: shop.customer.net
    zone: platform.localhost
    wait_for: active

- name: Delete the custom hostname
  tenantry.cloudflare_workers.custom_hostname:
    hostname: shop.customer.net
    zone: platform.localhost
    state: absent
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample:
    - POST /zones/023e105f4ecef8ad9ca31a8372d0c353/custom_hostnames
custom_hostname:
  description: The custom hostname. Null if it is absent.
  returned: success
  type: dict
  contains:
    id: {description: The ID of the object., type: str, returned: success, sample: 0d89c70d-ad9f-4843-b99f-6cc0252067e9}
    hostname: {description: "The host name, in Punycode.", type: str, returned: success, sample: shop.customer.net}
    hostname_unicode: {description: The host name in Unicode., type: str, returned: success, sample: bücher.example}
    zone_id: {description: The ID of the platform's zone., type: str, returned: success}
    status: {description: The status of the host name., type: str, returned: success, sample: pending}
    dns_records:
      description:
        - The DNS records that the customer must create, as options of M(tenantry.cloudflare_workers.dns_record).
      type: list
      elements: dict
      returned: success
      sample: [{name: _cf-custom-hostname.shop.customer.net, type: TXT, content: 0d89c70d-ad9f-4843-b99f-6cc0252067e9}]
    ownership_verification:
      description: The DNS record that proves ownership of the name. Null once the name is active.
      type: dict
      returned: success
    ownership_verification_http:
      description: The HTTP response that proves ownership of the name.
      type: dict
      returned: success
    verification_errors:
      description: The errors of this validation so far.
      type: list
      elements: str
      returned: success
    ssl: {description: The requested certificate. Null without a certificate., type: dict, returned: success}
    ssl_status: {description: The status of the certificate., type: str, returned: success, sample: pending_validation}
    validation_records:
      description: The records that validate the certificate, one per validation method.
      type: list
      elements: dict
      returned: success
    validation_errors:
      description: The errors of this validation so far.
      type: list
      elements: str
      returned: success
    custom_metadata:
      description: The metadata of the host name.
      type: dict
      returned: success
      sample: {customer: customer-a}
    custom_origin_server:
      description: The origin of this host name. Null for the fallback origin.
      type: str
      returned: success
    custom_origin_sni:
      description: The server name (SNI) for the TLS connection to the origin.
      type: str
      returned: success
    created_at: {description: The time of its creation., type: str, returned: success}
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
