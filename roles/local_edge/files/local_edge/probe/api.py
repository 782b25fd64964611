# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to the API: counted, and retried if that is safe."""

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

#: A third of Cloudflare's limit for five minutes, so that the account stays usable.
MAX_REQUESTS = 400
TIMEOUT = 60
#: Errors of every request: token unknown, malformed, missing or expired, no Workers for Platforms.
FATAL_CODES = (1001, 6003, 9106, 9109, 10121)
RETRYABLE = ("GET", "DELETE")
MAX_ATTEMPTS = 4


class Inconclusive(Exception):
    """An experiment has no result. The text is the reason."""


class AbortProbe(Exception):
    """No further request can succeed. The text is the reason, `wait` the seconds until the API is available again."""

    def __init__(self, reason: str, wait: float = 0) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class Part:
    """A part of a multipart form. An empty `content_type` is not sent."""

    name: str
    body: str
    content_type: str
    filename: str | None = None

    def encoded(self) -> str:
        filename = f'; filename="{self.filename}"' if self.filename else ""
        disposition = f'Content-Disposition: form-data; name="{self.name}"{filename}'
        content_type = f"Content-Type: {self.content_type}\r\n" if self.content_type else ""
        return f"{disposition}\r\n{content_type}\r\n{self.body}\r\n"


@dataclass(frozen=True)
class Reply:
    """The response to a request."""

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
        """Return a summary, as evidence."""
        if not self.ok:
            return f"{self.status}, code {self.code}"
        if not self.envelope:
            return f"{self.status}, {len(self.body)} bytes" if self.body else f"{self.status}, no body"
        if "result" not in self.envelope:
            return f"{self.status}, {json.dumps(self.envelope)}"
        return f"{self.status}, result {json.dumps(self.result)}"


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Do not follow redirects, so that the token reaches only the API."""

    def redirect_request(self, *_request: Any) -> None:
        return None


class Api:
    """A client of the API with one token. Tests replace `sleep`."""

    def __init__(self, base: str, token: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self.base, self.token, self.sleep = base.rstrip("/"), token, sleep
        self.count = 0
        self.max_requests = MAX_REQUESTS
        self._opener = urllib.request.build_opener(NoRedirect)
        self._lock = threading.Lock()

    def once(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send one request. Raise OSError if the connection fails."""
        with self._lock:
            self.count += 1
        sent = {"Authorization": f"Bearer {self.token}", "User-Agent": "tenantry-probe", **(headers or {})}
        request = urllib.request.Request(self.base + path, data=body, headers=sent, method=method)
        try:
            with self._opener.open(request, timeout=TIMEOUT) as response:
                return Reply(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, dict(error.headers), error.read())
        except http.client.HTTPException as error:
            raise ConnectionError(f"no response: {error!r}") from None

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send a request, with retries if that is safe. Raise Inconclusive or AbortProbe for unrelated errors."""
        for attempt in range(MAX_ATTEMPTS if method in RETRYABLE else 1):
            if self.count >= self.max_requests:
                raise AbortProbe(f"the limit of {self.max_requests} requests is reached")
            self.sleep(attempt)
            try:
                reply = self.once(method, path, body, headers)
                problem = f"{method} {path} answered {reply.status}"
            except OSError as error:
                reply, problem = Reply(599), f"{method} {path}: {getattr(error, 'reason', error)}"
            if reply.status < 500:
                break
        return check_reply(reply, problem)


def check_reply(reply: Reply, problem: str) -> Reply:
    """Return the reply. Raise Inconclusive or AbortProbe for an error that is unrelated to the experiment."""
    if reply.status == 429:
        wait = {name.lower(): value for name, value in reply.headers.items()}.get("retry-after", "")
        raise AbortProbe("the rate limit of the API is exceeded", float(wait) if wait.isdigit() else 300)
    if reply.code in FATAL_CODES:
        raise AbortProbe(f"{problem}, code {reply.code}: {reply.envelope['errors'][0].get('message')}")
    if reply.status >= 500 or reply.code == 10000:
        raise Inconclusive(problem + (f", code {reply.code}" if reply.code else ""))
    return reply


def form(parts: Iterable[Part]) -> tuple[bytes, Mapping[str, str]]:
    """Return a multipart body and its Content-Type header."""
    boundary = uuid.uuid4().hex
    text = "".join(f"--{boundary}\r\n{part.encoded()}" for part in parts) + f"--{boundary}--\r\n"
    return text.encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}
