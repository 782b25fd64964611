# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The local edge: Cloudflare's control plane for Workers for Platforms, and its traffic, on one machine.

Layers, each of which imports only from the layers above it:

    settings, errors, store   options of the process, API errors, the database
    model                     the objects and their rules, without HTTP
    runtime                   workerd: the edge, the validator and their supervision
    api                       one file per product of the Cloudflare API
    console                   a web page that shows the current objects
    probe                     a client of the real API that determines the values of the behaviors
    app, cli, testing         the entry points
"""

from __future__ import annotations

__version__ = "0.1.0"
