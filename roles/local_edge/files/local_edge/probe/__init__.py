# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe: detect undocumented behavior of the real API with temporary objects, as behaviors of the local edge.

api          sends requests, counts them, and retries safe ones
sandbox      creates objects with the probe's prefix and removes them
experiments  sends the requests that reveal a behavior
questions    maps each behavior to its experiment and to the interpretation of the result
run          runs the experiments, cleans up, and reports
command      options and confirmation
"""

from __future__ import annotations
