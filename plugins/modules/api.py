#!/usr/bin/python
# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: api
short_description: Call any endpoint of the Cloudflare API
version_added: 0.1.0
description:
  - Sends one request with the credentials, pacing, retries and paging of this collection, for what no other module covers.
  - "B(Direct execution.) Ansible starts a Python program for each run of a module, which takes about half a second. The modules of
    this collection run within the Ansible process instead, in about a hundredth of one, whenever the connection is local and
    neither C(become) nor C(async) is used. Both ways do the same. Differences: the Python used is Ansible's own, whatever
    C(ansible_python_interpreter) says, and the items of a loop share one connection."
  - Set the variable C(tenantry_in_process) to V(false) to have them run the ordinary way.
  - "B(Pacing.) Cloudflare allows 1200 requests in 5 minutes, and then refuses all for 5 minutes. So no request is sent before there is room
    for it, which forks, plays and runs of one user on one machine keep track of together, for each O(api_url) and its credentials, in a small
    file below E(XDG_RUNTIME_DIR), else below C(~/.cache/tenantry), else in the folder for temporary files. Where none of them can be written,
    each process counts alone. The headers C(Ratelimit) and C(Ratelimit-Policy) of the answers count as well, as other machines and the
    dashboard spend the same budget. A refusal holds back everybody on the machine for as long as it asks. A wait of more than 10
    minutes is an error instead."
  - If O(api_url) is a loopback address, as that of the local edge is, nothing limits requests but what its answers say of a budget.
options:
  method:
    description: What to do. Everything but C(GET) and C(HEAD) counts as a change, and is not sent in check mode.
    type: str
    choices: [GET, HEAD, POST, PUT, PATCH, DELETE]
    default: GET
  path:
    description: The endpoint, below O(api_url). C({account_id}) stands for the account.
    type: str
    required: true
  query:
    description: Parameters of the address.
    type: dict
  body:
    description: What to send, as JSON.
    type: raw
  headers:
    description: Headers besides those of the credentials.
    type: dict
  paginate:
    description: Whether a C(GET) is followed to its last page.
    type: bool
    default: false
extends_documentation_fragment:
  - tenantry.cloudflare_workers.auth
  - tenantry.cloudflare_workers.attributes
  - tenantry.cloudflare_workers.attributes.action_group
attributes:
  idempotent:
    support: none
    details:
      - What a request does is not known to the module.
  diff_mode:
    support: none
author:
  - The tenantry maintainers (@tenantry)
"""

EXAMPLES = r"""
- name: Read all KV namespaces
  tenantry.cloudflare_workers.api:
    path: /accounts/{account_id}/storage/kv/namespaces
    query: {per_page: 100}
    paginate: true
  register: namespaces

- name: Create one by hand
  tenantry.cloudflare_workers.api:
    method: POST
    path: /accounts/{account_id}/storage/kv/namespaces
    body: {title: By hand}
"""

RETURN = r"""
operations:
  description: The writes that were sent, in order, or would be sent in check mode.
  returned: always
  type: list
  elements: str
  sample:
    - POST /accounts/023e105f4ecef8ad9ca31a8372d0c353/storage/kv/namespaces
api:
  description: The C(result) of the answer; all pages of it with O(paginate=true); null where a request was not sent.
  returned: success
  type: raw
"""

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import run
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.api import Api


def main() -> None:
    """Run the module."""
    run(Api)


if __name__ == "__main__":
    main()
