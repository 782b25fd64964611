# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The local edge: Cloudflare's control plane for Workers for Platforms, and its traffic, on one machine.

Rooms, each importing only from those above it:

    settings, errors, store   what the process was told, how it refuses, where it remembers
    model                     the objects and their rules, without HTTP
    runtime                   workerd: the edge and the validator, and who watches them
    api                       one file per product of the Cloudflare API
    console                   the page that shows what there is
    probe                     a client of the real API, which finds out how the behaviors stand
    app, cli, testing         the doors
"""

from __future__ import annotations

__version__ = "0.1.0"
