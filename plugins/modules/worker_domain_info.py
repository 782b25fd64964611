#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: worker_domain_info
short_description: Gather information about the custom domains of Workers
version_added: 0.1.0
description:
  - List the custom domains of the account, optionally only those of a certain host name, Worker or zone. This takes one
    request.
options:
  hostname:
    description: Return only the custom domain of this host name.
    type: str
  worker:
    description: Return only the custom domains of this Worker.
    type: str
    aliases: [service]
  zone:
    description: Return only the custom domains in the zone with this name.
    type: str
  zone_id:
    description: Return only the custom domains in the zone with this ID.
    type: str
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.attributes.info
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

- name: List all custom domains
  tenantry.cloudflare_workers.worker_domain_info:

- name: List the custom domains of one Worker
  tenantry.cloudflare_workers.worker_domain_info:
    worker: example-signup
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample: []
worker_domains:
  description: The custom domains. Empty if none match.
  returned: success
  type: list
  elements: dict
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
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker_domain import (
    WorkerDomainInfo,
)


def main() -> None:
    """Run the module."""
    run(WorkerDomainInfo)


if __name__ == "__main__":
    main()
