# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the unit tests."""

from __future__ import annotations

from in_process import clock, control_plane, edge, run, workers_of_account

__all__ = ["clock", "control_plane", "edge", "run", "workers_of_account"]
