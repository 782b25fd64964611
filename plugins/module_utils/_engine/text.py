# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts of messages."""

from __future__ import annotations

import typing as t

MAX_NAMES = 10  # in a message


def list_names(names: t.Sequence[str], limit: int = MAX_NAMES) -> str:
    """Join names with commas. Of more than ``limit``, show the first ones and an ellipsis."""
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")
