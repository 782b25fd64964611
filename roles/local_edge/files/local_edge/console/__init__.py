# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge's own console: one page at `/` of the API port, read-only, without a token.

asked    what the query of the page asks for, and the links from there
facts    what the page shows, read in a bounded number of queries; of bindings names and types only
door     who may see it, and how it travels
"""

from __future__ import annotations
