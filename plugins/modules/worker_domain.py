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
  - Leads a whole host name to a Worker of the account. Cloudflare makes the DNS record and the certificate that it needs, and
    removes them with it.
  - A host name that has DNS records of its own is refused by Cloudflare. Remove those first, or use
    M(tenantry.cloudflare_workers.worker_route).
options:
  hostname:
    description: The host name, such as V(app.example.com). Wildcards and paths are for routes.
    type: str
    required: true
  worker:
    description: The Worker of the account that answers requests to O(hostname). It must exist. Required with O(state=present).
    type: str
    aliases: [service]
  zone:
    description: The name of the zone to make it in. By default the zone with the longest name that the host name ends in.
    type: str
  zone_id:
    description: The id of the zone, instead of its name. Giving it saves a request where the custom domain is new.
    type: str
  take_over:
    description: Whether a custom domain may be changed or removed that belongs to another Worker than O(worker).
    type: bool
    default: false
  state:
    description:
      - V(present) makes sure that it exists.
      - V(absent) makes sure that it does not.
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
- name: The Worker behind the sign-up page
  tenantry.cloudflare_workers.worker:
    name: example-signup
    content: "export default { fetch: () => new Response('welcome') };"
    compatibility_date: "2026-11-01"

- name: Its custom domain
  tenantry.cloudflare_workers.worker_domain:
    hostname: signup.example.com
    worker: example-signup

- name: Remove the custom domain, unless another Worker has it by now
  tenantry.cloudflare_workers.worker_domain:
    hostname: signup.example.com
    worker: example-signup
    state: absent
"""

RETURN = r"""
operations:
  description: The writes that were sent, in order, or would be sent in check mode.
  returned: always
  type: list
  elements: str
  sample:
    - PUT /accounts/023e105f4ecef8ad9ca31a8372d0c353/workers/domains
worker_domain:
  description: The custom domain, null once absent.
  returned: success
  type: dict
  contains:
    id: {description: Its id., type: str, returned: success, sample: dbe10b4bc17c295377eabd600e1787fd}
    hostname: {description: The host name., type: str, returned: success, sample: signup.example.com}
    worker: {description: The Worker that answers., type: str, returned: success, sample: example-signup}
    zone_id: {description: The id of its zone., type: str, returned: success}
    zone_name: {description: The name of its zone., type: str, returned: success, sample: example.com}
    cert_id: {description: The id of its certificate., type: str, returned: success}
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker_domain import WorkerDomain


def main() -> None:
    """Run the module."""
    run(WorkerDomain)


if __name__ == "__main__":
    main()
