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
  - Send one request with the credentials, rate limiting, retries and pagination of this collection. Use it for
    endpoints that no other module covers.
  - B(In-process execution.) For each run of a module, Ansible normally starts a Python program, which takes about half
    a second. With a local connection and without C(become) and C(async), the modules of this collection run inside the
    Ansible process instead. This takes about 10 milliseconds.
  - Both ways have the same results, with two differences. In-process modules run on Ansible's own Python, regardless of
    C(ansible_python_interpreter). The items of a loop share one connection.
  - Set the variable C(tenantry_in_process) to V(false) to disable in-process execution.
  - Long runs of in-process modules write their progress to standard error. Set the variable C(tenantry_progress) to
    V(false), or E(TENANTRY_PROGRESS), to disable it.
  - B(Rate limiting.) Cloudflare allows 1200 requests in 5 minutes and then refuses all requests for 5 minutes. The
    modules therefore delay each request until the rate limit allows it.
  - Forks, plays and runs of one user on one machine share a small file that counts the requests for each O(api_url) and
    its credentials. It is located in E(XDG_RUNTIME_DIR), in C(~/.cache/tenantry) or in the folder for temporary files,
    whichever is writable first. If none of them is writable, each process counts its own requests.
  - The response headers C(Ratelimit) and C(Ratelimit-Policy) are respected as well, because other machines and the
    dashboard use the same limit. If Cloudflare refuses a request, all runs on the machine wait for the time that it
    demands, and then send one request. The module fails if it would have to wait for more than 10 minutes.
  - No header delays other runs for more than 5 minutes. If a server has reported a wrong limit, delete the file. Errors
    and warnings about long waits contain its path.
  - If O(api_url) is a loopback address, such as that of the local edge, only the rate limit headers of its responses
    limit the requests.
options:
  method:
    description:
      - The HTTP method. All methods except C(GET) and C(HEAD) count as a change and are not sent in check mode.
    type: str
    choices: [GET, HEAD, POST, PUT, PATCH, DELETE]
    default: GET
  path:
    description:
      - The path of the endpoint, relative to O(api_url). C({account_id}) is replaced with the ID of the account.
    type: str
    required: true
  query:
    description: Query parameters.
    type: dict
  body:
    description:
      - The request body, sent as JSON. It may contain secrets, so that RV(ignore:invocation) does not show it.
      - The response is returned unchanged. Set C(no_log) for a request whose response contains a secret, such as a new
        API token.
    type: raw
  show_body:
    description: Show O(body) in RV(ignore:invocation), which Ansible displays from C(-vvv) on.
    type: bool
    default: false
  headers:
    description:
      - Request headers in addition to those for authentication. RV(ignore:invocation) does not show their values.
    type: dict
  paginate:
    description: Request all pages of a C(GET) endpoint and return the combined result.
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
      - The module cannot determine the effect of a request.
  diff_mode:
    support: none
author:
  - The tenantry maintainers (@tenantry)
"""

EXAMPLES = r"""
- name: List all KV namespaces
  tenantry.cloudflare_workers.api:
    path: /accounts/{account_id}/storage/kv/namespaces
    query: {per_page: 100}
    paginate: true
  register: namespaces

- name: Create a KV namespace with a direct API call
  tenantry.cloudflare_workers.api:
    method: POST
    path: /accounts/{account_id}/storage/kv/namespaces
    body: {title: Example}
"""

RETURN = r"""
operations:
  description: The API writes that were sent, in order. In check mode, the writes that a run would send.
  returned: always
  type: list
  elements: str
  sample:
    - POST /accounts/023e105f4ecef8ad9ca31a8372d0c353/storage/kv/namespaces
api:
  description:
    - The C(result) of the response, combined from all pages with O(paginate=true). Null if the request was not sent.
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
