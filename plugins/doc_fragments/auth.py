# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module says of credentials and of the account."""

from __future__ import annotations


class ModuleDocFragment:
    """Options that all modules share."""

    DOCUMENTATION = r"""
options:
  api_token:
    description:
      - An API token of a user or of the account.
      - It needs the permissions Workers Scripts:Edit, Workers KV Storage:Edit and Account Settings:Read on the account, and
        Workers Routes:Edit and Zone:Read on the zones.
      - If it is not given, the environment variable E(CLOUDFLARE_API_TOKEN) is used.
    type: str
  api_key:
    description:
      - The global API key of a user, with O(email). O(api_token) is the better choice, and both together are an error.
      - If neither is given and there is no token in the environment, the environment variable E(CLOUDFLARE_API_KEY) is used.
    type: str
  email:
    description:
      - The address of the user that O(api_key) belongs to.
      - If it is not given, the environment variable E(CLOUDFLARE_EMAIL) is used.
    type: str
  account_id:
    description:
      - The account to work in.
      - If it is not given, E(CLOUDFLARE_ACCOUNT_ID) or E(CF_ACCOUNT_ID) is used, else the only account that the credentials
        see. If they see several, the module fails and lists them. Giving it saves a request in each task.
    type: str
  api_url:
    description:
      - The address of the API, with its version. Give it to use the local edge instead of Cloudflare.
      - If it is not given, E(CLOUDFLARE_API_BASE_URL) or E(CLOUDFLARE_BASE_URL) is used, else
        V(https://api.cloudflare.com/client/v4).
    type: str
requirements:
  - Python >= 3.10
  - requests
notes:
  - The module runs within the Ansible process if the connection is local, see M(tenantry.cloudflare_workers.api).
  - Requests are paced to stay inside Cloudflare's budget of 1200 in 5 minutes, together with all other runs of the same user on the
    same machine. Where the module waited for it, it says so. See M(tenantry.cloudflare_workers.api).
"""
