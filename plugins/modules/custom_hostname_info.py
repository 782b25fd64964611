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
  - Lists the host names of customers that lead into the zone of the platform, or those of one name or status, but for those that are
    being deleted. One request for each 50 of them, and those that find the zone.
options:
  hostname:
    description: Only this host name.
    type: str
  status:
    description: Only the host names that are so far, such as V(active) or V(pending).
    type: str
  ssl_status:
    description: Only the host names whose certificates are so far, such as V(active) or V(pending_validation).
    type: str
  zone:
    description: The name of the platform's zone. Exactly one of this and O(zone_id) is needed.
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
- name: A customer's own host name
  tenantry.cloudflare_workers.custom_hostname:
    hostname: shop.customer.net
    zone: platform.localhost
    ssl: {method: txt}
    custom_metadata: {customer: customer-a}

- name: Which host names do customers have?
  tenantry.cloudflare_workers.custom_hostname_info:
    zone: platform.localhost

- name: Who has yet to prove a name?
  tenantry.cloudflare_workers.custom_hostname_info:
    zone: platform.localhost
    status: pending
  register: waiting

- name: The records that they have to make
  ansible.builtin.debug:
    msg: "{{ waiting.custom_hostnames | map(attribute='dns_records') | flatten }}"
"""

RETURN = r"""
operations:
  description: The writes that were sent, which are none.
  returned: always
  type: list
  elements: str
  sample: []
custom_hostnames:
  description: The custom hostnames; an empty list where none is found, or no zone.
  returned: success
  type: list
  elements: dict
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
    CustomHostnameInfo,
)


def main() -> None:
    """Run the module."""
    run(CustomHostnameInfo)


if __name__ == "__main__":
    main()
