# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Request log, Worker logs and injected faults, for tests and for debugging."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from local_edge.runtime.log import LogEntry

MAX_REQUESTS, MAX_LOG_ENTRIES = 100_000, 10_000
#: Numeric fields of a fault, with their descriptions.
NUMERIC_FIELDS = {"status": "a number; 0 drops the connection", "code": "a number", "times": "a number of requests"}


@dataclass(frozen=True)
class RecordedRequest:
    """A request to the API. `path` is as received, without /client/v4 and the query; `at` is a Unix time in seconds."""

    at: float
    method: str
    path: str
    query: str
    status: int
    ms: float
    write: bool


class RequestLog:
    """The latest requests, and the counts of reads and writes since the last `clear`."""

    def __init__(self) -> None:
        self.requests: deque[RecordedRequest] = deque(maxlen=MAX_REQUESTS)
        self.reads = self.writes = 0

    def add(self, request: RecordedRequest) -> None:
        self.requests.append(request)
        self.writes += request.write
        self.reads += not request.write

    def clear(self) -> None:
        self.requests.clear()
        self.reads = self.writes = 0

    def as_dict(self) -> dict[str, Any]:
        return {"reads": self.reads, "writes": self.writes, "requests": [asdict(request) for request in self.requests]}


class Logs:
    """The latest log entries of Workers, numbered consecutively."""

    def __init__(self) -> None:
        self.entries: deque[tuple[int, LogEntry]] = deque(maxlen=MAX_LOG_ENTRIES)
        self.number = 0
        self.changed = asyncio.Event()

    def add(self, entry: LogEntry) -> None:
        self.number += 1
        self.entries.append((self.number, entry))
        self.changed.set()
        self.changed = asyncio.Event()

    def after(self, number: int, worker: str = "") -> list[tuple[int, LogEntry]]:
        """Return the entries after a number. `worker` selects one Worker by its name or by `namespace/name`."""
        return [
            (count, entry) for count, entry in self.entries if count > number and (not worker or entry.matches(worker))
        ]

    async def wait(self, number: int, worker: str, seconds: float) -> list[tuple[int, LogEntry]]:
        """Return the entries after a number as soon as one exists, or [] after a timeout."""
        until = time.monotonic() + seconds
        while not (found := self.after(number, worker)) and (left := until - time.monotonic()) > 0:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.changed.wait(), left)
        return found


@dataclass
class Fault:
    """A response that replaces the real one.

    With `when` "after" the request is carried out first. Status 0 closes the connection without a response.
    """

    method: str
    path: str
    status: int
    code: int = 10002
    message: str = "Fault injected by a test"
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1
    when: str = "before"

    @classmethod
    def read(cls, raw: Any) -> Fault:
        """Read a fault from JSON. Raise ValueError if it is invalid."""
        if not isinstance(raw, dict) or set(raw) - set(cls.__dataclass_fields__):
            raise ValueError(f"a fault must be an object with the keys {', '.join(cls.__dataclass_fields__)}")
        raw = {"method": ".*", "path": ".*", **raw}
        for name in ("method", "path"):
            try:
                re.compile(raw[name])
            except (re.error, TypeError) as error:
                raise ValueError(f"`{name}` is not a regular expression: {error}") from None
        if raw.get("when", "before") not in ("before", "after"):
            raise ValueError("`when` must be before or after")
        for name, description in NUMERIC_FIELDS.items():
            if not isinstance(raw.get(name, 1), int) or isinstance(raw.get(name), bool):
                raise ValueError(f"`{name}` must be {description}")
        headers = raw.get("headers", {})
        if (
            not isinstance(raw.get("message", ""), str)
            or not isinstance(headers, dict)
            or not all(isinstance(value, str) for value in headers.values())
        ):
            raise ValueError("`message` must be a string, `headers` an object of strings")
        if "status" not in raw:
            raise ValueError(f"`status` is required: {NUMERIC_FIELDS['status']}")
        return cls(**raw)

    def matches(self, method: str, path: str) -> bool:
        return bool(re.fullmatch(self.method, method, re.IGNORECASE) and re.search(self.path, path))


class FaultQueue:
    """The faults that are still to be injected."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def pop_match(self, method: str, path: str) -> Fault | None:
        """Return the first fault that matches, and remove it after its last use."""
        fault = next((fault for fault in self.waiting if fault.matches(method, path)), None)
        if fault:
            fault.times -= 1
            if fault.times <= 0:
                self.waiting.remove(fault)
        return fault
