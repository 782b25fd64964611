#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: worker_domain
short_description: Manage custom domains of Workers
version_added: 0.1.0
description:
  - Create, change and delete custom domains, which route all requests to a host name to a Worker of the account.
    Cloudflare creates the DNS record and the certificate, and deletes them with the custom domain.
  - Cloudflare refuses a host name that has other DNS records. Delete these first, or use
    M(tenantry.cloudflare_workers.worker_route).
options:
  hostname:
    description:
      - The host name, such as V(app.example.com). Use a route for wildcards and paths.
      - An international name is accepted in Unicode and in Punycode.
    type: str
    required: true
  worker:
    description:
      - The Worker of the account that handles requests to O(hostname). It must exist. Required with O(state=present).
    type: str
    aliases: [service]
  zone:
    description: The name of the zone. By default, the zone with the longest name that is a suffix of O(hostname).
    type: str
  zone_id:
    description: The ID of the zone, instead of its name. Setting it saves one request for a new custom domain.
    type: str
  take_over:
    description: Change or delete the custom domain even if it belongs to another Worker than O(worker).
    type: bool
    default: false
  state:
    description:
      - V(present) creates or changes the custom domain.
      - V(absent) deletes the custom domain.
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
- name: Upload the Worker of the sign-up page
  tenantry.cloudflare_workers.worker:
    name: example-signup
    content: "export default { fetch: () => new Response('welcome') };"
    compatibility_date: "2026-11-01"

- name: Create a custom domain for the Worker
  tenantry.cloudflare_workers.worker_domain:
    hostname: signup.example.com
    worker: example-signup

- name: Delete the custom domain, unless it belongs to another Worker
  tenantry.cloudflare_workers.worker_domain:
    hostname: signup.example.com
    worker: example-signup
    state: absent
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample:
    - PUT /accounts/023e105f4ecef8ad9ca31a8372d0c353/workers/domains
worker_domain:
  description: The custom domain. Null if it is absent.
  returned: success
  type: dict
  contains:
    id:
      description: The ID of the custom domain.
      type: str
      returned: success
      sample: dbe10b4bc17c295377eabd600e1787fd
    hostname: {description: "The host name, in Punycode.", type: str, returned: success, sample: signup.example.com}
    hostname_unicode: {description: The host name in Unicode., type: str, returned: success, sample: bücher.example}
    worker: {description: The Worker of the custom domain., type: str, returned: success, sample: example-signup}
    zone_id: {description: The ID of the zone., type: str, returned: success}
    zone_name: {description: The name of the zone., type: str, returned: success, sample: example.com}
    cert_id: {description: The ID of the certificate., type: str, returned: success}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker_domain import WorkerDomain


def main() -> None:
    """Run the module."""
    run(WorkerDomain)


if __name__ == "__main__":
    main()
