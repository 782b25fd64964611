# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials and account, which all modules share."""

from __future__ import annotations


class ModuleDocFragment:
    """Options, requirements and notes of all modules."""

    DOCUMENTATION = r"""
options:
  api_token:
    description:
      - An API token of a user or of an account.
      - It needs the permissions Workers Scripts:Edit, Workers KV Storage:Edit and Account Settings:Read on the account,
        and Workers Routes:Edit and Zone:Read on the zones.
      - If omitted, the environment variable E(CLOUDFLARE_API_TOKEN) is used.
    type: str
  api_key:
    description:
      - The global API key of a user, together with O(email). Prefer O(api_token); setting both is an error.
      - If both are omitted and the environment has no token, the environment variable E(CLOUDFLARE_API_KEY) is used.
    type: str
  email:
    description:
      - The email address of the user that O(api_key) belongs to.
      - If omitted, the environment variable E(CLOUDFLARE_EMAIL) is used.
    type: str
  account_id:
    description:
      - The account to manage.
      - If omitted, E(CLOUDFLARE_ACCOUNT_ID) or E(CF_ACCOUNT_ID) is used. If neither is set, the module uses the only
        account that the credentials can access. If they can access several, the module fails and lists them.
      - Setting it saves one request in each task.
    type: str
  api_url:
    description:
      - The base URL of the API, including its version. Set it to use the local edge instead of Cloudflare.
      - If omitted, E(CLOUDFLARE_API_BASE_URL) or E(CLOUDFLARE_BASE_URL) is used, and
        V(https://api.cloudflare.com/client/v4) if neither is set.
      - A URL that begins with C(http://) is accepted for a loopback address only, because the credentials are sent
        unencrypted. Set the environment variable E(CLOUDFLARE_ALLOW_HTTP) to V(1) to allow other hosts in a trusted
        network.
      - Requests to a loopback address are never sent through a proxy.
    type: str
requirements:
  - Python >= 3.10
  - requests
notes:
  - With a local connection, the module runs inside the Ansible process. See M(tenantry.cloudflare_workers.api).
  - Requests are paced to stay within Cloudflare's rate limit of 1200 requests in 5 minutes. All runs of the same user
    on the same machine share this limit. The module warns if it had to wait. See M(tenantry.cloudflare_workers.api).
"""
