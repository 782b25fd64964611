# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock of the API: that of the machine, or a number of seconds ahead of it."""

from __future__ import annotations

import email.utils
import time
from datetime import datetime, timezone


class Clock:
    """The time that responses, objects and the expiration of KV keys show.

    `offset` is the number of seconds by which it is ahead of the machine's clock. Timers keep to the latter.
    """

    def __init__(self) -> None:
        self.offset = 0.0

    def time(self) -> float:
        """Return the time in seconds since 1970."""
        return time.time() + self.offset

    def now(self) -> str:
        """Return the time in the format of the API."""
        moment = datetime.fromtimestamp(self.time(), timezone.utc)
        return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")

    def date(self) -> str:
        """Return the time in the format of the header `Date`."""
        return email.utils.formatdate(self.time(), usegmt=True)
