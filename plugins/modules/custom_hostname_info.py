#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: custom_hostname_info
short_description: Gather information about the custom hostnames of a zone
version_added: 0.1.0
description:
  - List the custom hostnames of a zone, optionally only those with a certain name or status. Host names that are being
    deleted are omitted.
  - This takes one request per 50 host names. Finding the zone takes further requests.
  - The token needs the permission SSL and Certificates:Read on the zone, in addition to those listed at O(api_token).
options:
  hostname:
    description: Return only this host name.
    type: str
  status:
    description: Return only the host names with this status, such as V(active) or V(pending).
    type: str
  ssl_status:
    description:
      - Return only the host names whose certificate has this status, such as V(active) or V(pending_validation).
    type: str
  zone:
    description: The name of the platform's zone. Exactly one of O(zone) and O(zone_id) is required.
    type: str
  zone_id:
    description: The ID of the platform's zone. Setting it saves one request.
    type: str
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.attributes.info
  - tenantry.cloudflare_workers.attributes.action_group
author:
  - The tenantry maintainers (@tenantry)
"""

EXAMPLES = r"""
- name: Create a custom hostname with a certificate
  tenantry.cloudflare_workers.custom_hostname:
    hostname: shop.customer.net
    zone: platform.localhost
    ssl: {method: txt}
    custom_metadata: {customer: customer-a}

- name: List all custom hostnames of the zone
  tenantry.cloudflare_workers.custom_hostname_info:
    zone: platform.localhost

- name: List the custom hostnames that are not validated yet
  tenantry.cloudflare_workers.custom_hostname_info:
    zone: platform.localhost
    status: pending
  register: pending

- name: Show the DNS records that the customers must create
  ansible.builtin.debug:
    msg: "{{ pending.custom_hostnames | map(attribute='dns_records') | flatten }}"
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample: []
custom_hostnames:
  description: The custom hostnames. Empty if none match or the zone does not exist.
  returned: success
  type: list
  elements: dict
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
    CustomHostnameInfo,
)


def main() -> None:
    """Run the module."""
    run(CustomHostnameInfo)


if __name__ == "__main__":
    main()
