# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse the output of the runtime into the log entries of each Worker."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

MAX_TEXT = 64 * 1024
#: The level of uncaught exceptions.
EXCEPTION = "exception"


@dataclass(frozen=True)
class LogEntry:
    """A log entry of a Worker. `level` is a console method, or `exception`."""

    key: str
    level: str
    text: str
    time: float

    @property
    def worker(self) -> str:
        """Return `namespace/name`, or only the name if the Worker has no namespace."""
        return self.key.partition("/")[2].removeprefix("/")

    def matches(self, worker: str) -> bool:
        """Return whether the entry is of a Worker, given by `namespace/name` or by its bare name."""
        return worker in (self.worker, self.key.rpartition("/")[2])

    def to_api(self) -> dict[str, Any]:
        return {"worker": self.worker, "level": self.level, "text": self.text, "time": self.time}


class LogReader:
    """Assemble output lines into entries.

    The head of each entry contains `secret`, so that no Worker can forge entries of another.
    """

    def __init__(self, secret: str) -> None:
        self.head = re.compile(rf"\x1e{re.escape(secret)} (\S+) (\w+)[\x1f ](.*)", re.DOTALL)
        self.begun: tuple[str, str] | None = None
        self.lines: list[str] = []

    def read(self, line: str) -> LogEntry | str | None:
        """Return the entry that ends with this line, None inside an entry, or the line itself outside of entries."""
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
        return LogEntry(key, level, "\n".join(self.lines), time.time())
