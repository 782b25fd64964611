# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request to the API: counted, and repeated where that is safe."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: A third of what Cloudflare allows in five minutes: the account stays usable beside the probe.
MOST = 400
TIMEOUT = 60
#: Whatever else is asked would be refused too: token unknown, malformed, missing or expired; no Workers for Platforms.
EVERYWHERE = (1001, 6003, 9106, 9109, 10121)
REPEATABLE = ("GET", "DELETE")
TRIES = 4


class Unanswered(Exception):
    """A question found no answer; the text says why."""


class Stop(Exception):
    """No question can be asked any more; the text says why, `wait` after how many seconds the API may be asked again."""

    def __init__(self, why: str, wait: float = 0) -> None:
        super().__init__(why)
        self.wait = wait


@dataclass(frozen=True)
class Part:
    """One part of a form."""

    name: str
    body: str
    content_type: str
    filename: str | None = None

    def written(self) -> str:
        filename = f'; filename="{self.filename}"' if self.filename else ""
        return f'Content-Disposition: form-data; name="{self.name}"{filename}\r\nContent-Type: {self.content_type}\r\n\r\n{self.body}\r\n'


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def envelope(self) -> dict[str, Any]:
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def ok(self) -> bool:
        return self.status < 300 and self.envelope.get("success", True) is True

    @property
    def result(self) -> Any:
        return self.envelope.get("result")

    @property
    def code(self) -> int:
        errors = self.envelope.get("errors") or [{}]
        return int(errors[0].get("code") or 0)

    def __str__(self) -> str:
        """What is told of it as evidence."""
        if not self.ok:
            return f"{self.status}, code {self.code}"
        if not self.envelope:
            return f"{self.status}, {len(self.body)} bytes" if self.body else f"{self.status}, no body"
        return f"{self.status}, result {json.dumps(self.result)}"


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """The API sends nobody elsewhere, and the token goes nowhere else."""

    def redirect_request(self, *_request: Any) -> None:
        return None


class Api:
    """The API, as one token sees it. `hold` waits: tests do not."""

    def __init__(self, base: str, token: str, hold: Callable[[float], None] = time.sleep) -> None:
        self.base, self.token, self.hold = base.rstrip("/"), token, hold
        self.count = 0
        self.most = MOST
        self._opener = urllib.request.build_opener(NoRedirect)
        self._lock = threading.Lock()

    def once(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send one request; OSError where no answer came."""
        with self._lock:
            self.count += 1
        told = {"Authorization": f"Bearer {self.token}", "User-Agent": "tenantry-probe", **(headers or {})}
        request = urllib.request.Request(self.base + path, data=body, headers=told, method=method)
        try:
            with self._opener.open(request, timeout=TIMEOUT) as answer:
                return Reply(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, dict(error.headers), error.read())
        except http.client.HTTPException as error:
            raise ConnectionError(f"no answer: {error!r}") from None

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send a request, again where no harm is in it. Whatever is no answer to a question raises."""
        for attempt in range(TRIES if method in REPEATABLE else 1):
            if self.count >= self.most:
                raise Stop(f"{self.most} requests were sent, and the probe sends no more")
            self.hold(attempt)
            try:
                reply = self.once(method, path, body, headers)
                trouble = f"{method} {path} answered {reply.status}"
            except OSError as error:
                reply, trouble = Reply(599), f"{method} {path}: {getattr(error, 'reason', error)}"
            if reply.status < 500:
                break
        return understood(reply, trouble)


def understood(reply: Reply, trouble: str) -> Reply:
    """A reply that says something; Unanswered or Stop where it only says that something is wrong."""
    if reply.status == 429:
        wait = {name.lower(): value for name, value in reply.headers.items()}.get("retry-after", "")
        raise Stop("the budget of the API is spent", float(wait) if wait.isdigit() else 300)
    if reply.code in EVERYWHERE:
        raise Stop(f"{trouble}, code {reply.code}: {reply.envelope['errors'][0].get('message')}")
    if reply.status >= 500 or reply.code == 10000:
        raise Unanswered(trouble + (f", code {reply.code}" if reply.code else ""))
    return reply


def form(parts: Iterable[Part]) -> tuple[bytes, Mapping[str, str]]:
    """A multipart body and the header that goes with it."""
    boundary = uuid.uuid4().hex
    text = "".join(f"--{boundary}\r\n{part.written()}" for part in parts) + f"--{boundary}--\r\n"
    return text.encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}
