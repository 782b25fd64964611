# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module says that takes a whole list."""

from __future__ import annotations


class ModuleDocFragment:
    """How many at a time, and how long to go on."""

    DOCUMENTATION = r"""
options:
  concurrency:
    description: How many are written at the same time.
    type: int
    default: 8
  max_failures:
    description:
      - How many may fail. Up to so many the task succeeds, with a warning that names them; as soon as there are more, nothing further is begun.
      - By default all are tried, and the task fails in the end if one did.
    type: int
"""
