# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Concurrency and failures, which the modules that take a list share."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that manage many objects in one task."""

    DOCUMENTATION = r"""
options:
  concurrency:
    description: The maximum number of objects that are written in parallel.
    type: int
    default: 8
  max_failures:
    description:
      - The maximum number of objects that may fail. Up to this number, the task succeeds with a warning that lists the
        failures. As soon as more have failed, the module starts no further object and the task fails.
      - If omitted, the module tries all objects, and the task fails if any of them failed.
    type: int
"""
