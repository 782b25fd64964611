# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Move custom hostnames of a control plane into the past, so that a test waits for no state."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from local_edge.testing import Edge


def set_age(edge: Edge, seconds: float) -> None:
    """Let all custom hostnames be as old as this, and so the validation of their certificates."""
    date = (datetime.now(timezone.utc) - timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    edge.store.db.execute("update custom_hostnames set created_at = ?, validated_since = ?", (date, date))
