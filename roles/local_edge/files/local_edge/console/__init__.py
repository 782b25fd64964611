# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The console of the local edge: one read-only page at `/` of the API port, without authentication.

query       parses the query string of the page and builds its links
view_model  reads the data of the page in a bounded number of queries, without the values of bindings
views       checks the access and renders the page
"""

from __future__ import annotations
