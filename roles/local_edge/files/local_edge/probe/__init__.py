# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe: asks the real API, with throw-away objects, what no published source tells, and answers in the edge's behaviors.

api          one request: counted, repeated where that is safe
sandbox      what a question may do: make objects of the probe's own prefix, and remove them
experiments  what is done to find out where a behavior stands
questions    the table: a behavior, its experiment, how the answer is read
run          asks, cleans up, tells
command      the options, the confirmation
"""

from __future__ import annotations
