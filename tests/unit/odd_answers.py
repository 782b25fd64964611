# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Responses that are not the API's, in place of those of the local edge."""

from __future__ import annotations

import io
import json
import re
import typing as t
from dataclasses import dataclass, field

import pytest
import requests
import urllib3

JSON_TYPE: t.Mapping[str, str] = {"Content-Type": "application/json"}


@dataclass
class OddAnswer:
    """The response to ``times`` matching requests after ``skip`` others. If ``performed``, they have an effect."""

    method: str
    path: str
    status: int = 200
    body: bytes = b""
    headers: t.Mapping[str, str] = field(default_factory=lambda: JSON_TYPE)
    performed: bool = True
    times: int = 1
    skip: int = 0

    def replaces(self, request: requests.PreparedRequest) -> bool:
        """Count a request if it matches, and return whether this is the response to it."""
        if not self._matches(request) or self.times == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True

    def _matches(self, request: requests.PreparedRequest) -> bool:
        path = str(request.url).partition("/client/v4")[2].partition("?")[0]
        return bool(re.fullmatch(self.method, str(request.method)) and re.search(self.path, path))

    def response(self, request: requests.PreparedRequest) -> requests.Response:
        """Return a response whose body is read and decoded by urllib3, as one of the network is."""
        raw = urllib3.HTTPResponse(
            io.BytesIO(self.body),
            headers=dict(self.headers),
            status=self.status,
            reason="Odd",
            preload_content=False,
            request_method=request.method,
        )
        return requests.adapters.HTTPAdapter().build_response(request, raw)


class OddAnswers:
    """Replaces responses for all clients of this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting: list[OddAnswer] = []
        send = requests.adapters.HTTPAdapter.send

        def send_or_replace(
            adapter: requests.adapters.HTTPAdapter, request: requests.PreparedRequest, **options: t.Any
        ) -> requests.Response:
            odd = next((odd for odd in self.waiting if odd.replaces(request)), None)
            if odd is None or odd.performed:
                response = send(adapter, request, **options)
            return odd.response(request) if odd else response

        monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send_or_replace)

    def add(self, method: str, path: str, **answer: t.Any) -> None:
        """Replace the responses to matching requests. See ``OddAnswer``."""
        self.waiting.append(OddAnswer(method, path, **answer))

    def clear(self) -> None:
        """Replace no further response."""
        self.waiting.clear()


def envelope(**keys: t.Any) -> bytes:
    """Return an envelope of a success, with these keys added or replaced."""
    return json.dumps({"success": True, "errors": [], "messages": [], **keys}).encode()
