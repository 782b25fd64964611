# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attributes that the modules share: check mode, diff mode, idempotence and the action group."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of modules that write, and of modules that only read."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
    support: full
    details:
      - In check mode, RV(ignore:operations) lists every write that a run would send.
      - Values that only Cloudflare can provide are predicted as C((known after apply)).
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: full
    details:
      - Secrets appear as C((sensitive)). Those that will be sent again appear as C((sensitive, changed)), or as
        C((sensitive, possibly changed)) if one of several secrets has changed.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
    support: full
    details:
      - The module only reads, with and without check mode.
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: N/A
    details:
      - The module changes nothing.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
"""

    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/tenantry.cloudflare_workers.all) in C(module_defaults) to set the credentials once.
    support: full
    membership:
      - tenantry.cloudflare_workers.all
"""
