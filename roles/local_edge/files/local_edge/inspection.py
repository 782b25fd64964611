# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For tests and for the curious: what was asked, and what is to go wrong."""

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
#: What the numbers of a fault are.
NUMERIC_FIELDS = {"status": "a number; 0 drops the connection", "code": "a number", "times": "how often it happens"}


@dataclass(frozen=True)
class RecordedRequest:
    """One request to the API: its path as received, without /client/v4 and without the query; when it came, in seconds since 1970."""

    at: float
    method: str
    path: str
    query: str
    status: int
    ms: float
    write: bool


class RequestLog:
    """The latest requests, and counts of all since the last clearing."""

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
    """The latest that Workers have said, each entry with a number that counts up."""

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
        """What came after a number, of all Workers or of one, by its name or by `namespace/name`."""
        return [
            (count, entry) for count, entry in self.entries if count > number and (not worker or entry.matches(worker))
        ]

    async def wait(self, number: int, worker: str, seconds: float) -> list[tuple[int, LogEntry]]:
        """The same, once there is anything, or when the time is up."""
        until = time.monotonic() + seconds
        while not (found := self.after(number, worker)) and (left := until - time.monotonic()) > 0:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.changed.wait(), left)
        return found


@dataclass
class Fault:
    """An answer to give instead of the real one. `after`: the request is carried out all the same. Status 0: no answer."""

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
        """Check what a client sent; ValueError names what is wrong."""
        if not isinstance(raw, dict) or set(raw) - set(cls.__dataclass_fields__):
            raise ValueError(f"a fault is an object with {', '.join(cls.__dataclass_fields__)}")
        raw = {"method": ".*", "path": ".*", **raw}
        for name in ("method", "path"):
            try:
                re.compile(raw[name])
            except (re.error, TypeError) as error:
                raise ValueError(f"`{name}` is not a regular expression: {error}") from None
        if raw.get("when", "before") not in ("before", "after"):
            raise ValueError("`when` is before or after")
        for name, wanted in NUMERIC_FIELDS.items():
            if not isinstance(raw.get(name, 1), int) or isinstance(raw.get(name), bool):
                raise ValueError(f"`{name}` is {wanted}")
        headers = raw.get("headers", {})
        if (
            not isinstance(raw.get("message", ""), str)
            or not isinstance(headers, dict)
            or not all(isinstance(one, str) for one in headers.values())
        ):
            raise ValueError("`message` is a string, `headers` an object of strings")
        if "status" not in raw:
            raise ValueError(f"`status` is {NUMERIC_FIELDS['status']}")
        return cls(**raw)

    def matches(self, method: str, path: str) -> bool:
        return bool(re.fullmatch(self.method, method, re.IGNORECASE) and re.search(self.path, path))


class FaultQueue:
    """The faults that wait for their request."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def pop_match(self, method: str, path: str) -> Fault | None:
        """The first fault that matches, used up once."""
        fault = next((fault for fault in self.waiting if fault.matches(method, path)), None)
        if fault:
            fault.times -= 1
            if fault.times <= 0:
                self.waiting.remove(fault)
        return fault
