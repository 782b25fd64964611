# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Workers log, as it comes out of the runtime: which entry is whose."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

MAX_TEXT = 64 * 1024


@dataclass(frozen=True)
class Entry:
    """One thing that a Worker said; `level` is the console's, or `exception`."""

    key: str
    level: str
    text: str
    time: float

    @property
    def worker(self) -> str:
        """`namespace/name`, or the name of a Worker of the account."""
        return self.key.partition("/")[2].removeprefix("/")

    def is_of(self, worker: str) -> bool:
        return worker in (self.worker, self.key.rpartition("/")[2])

    def shown(self) -> dict[str, Any]:
        return {"worker": self.worker, "level": self.level, "text": self.text, "time": self.time}


class Reader:
    """Puts the lines of a runtime together to entries. `secret` is in the head of each, so that no Worker can speak for another."""

    def __init__(self, secret: str) -> None:
        self.head = re.compile(rf"\x1e{re.escape(secret)} (\S+) (\w+)[\x1f ](.*)", re.DOTALL)
        self.begun: tuple[str, str] | None = None
        self.lines: list[str] = []

    def read(self, line: str) -> Entry | str | None:
        """The entry that ends with this line; None where it goes on; the line itself where it belongs to none."""
        match = self.head.fullmatch(line)
        if match:
            self.begun, self.lines, line = (match[1], match[2]), [], match[3]
        if not self.begun:
            return line
        text, ended, _rest = line.partition("\x1e")
        if sum(map(len, self.lines)) + len(text) <= MAX_TEXT:
            self.lines.append(text.rstrip() if ended else text)
        if not ended:
            return None
        (key, level), self.begun = self.begun, None
        return Entry(key, level, "\n".join(self.lines), time.time())
