# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client that believes every response below 400: the tests of odd answers and faults must fail with it."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
import requests
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare import client, responses, shapes
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.items import ShapeError
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.responses import ApiResponse

NOTHING: t.Mapping[str, t.Any] = {"list": [], "object": {}}  # by kind of result


def believe_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the checks of responses: no result is an empty list, an empty object or an acknowledged write."""
    read_response = responses.read_response

    def read_credulously(method: str, path: str, response: requests.Response, url: str) -> ApiResponse:
        body = responses.parse_json(response.content)
        if response.status_code < 400 and not (isinstance(body, dict) and body.get("success") is False):
            envelope = body if isinstance(body, dict) else {}
            content_type = response.headers.get("Content-Type", "")
            return ApiResponse(
                envelope.get("result"), envelope.get("result_info") or {}, response.content, content_type
            )
        return read_response(method, path, response, url)

    def apply_credulously(method: str, path: str, response: ApiResponse) -> ApiResponse:
        shape = shapes.find(method, path)
        if shape is None or response.not_found_code:
            return response
        try:
            return dataclasses.replace(response, result=shape.apply(response.result))
        except ShapeError:
            return dataclasses.replace(response, result=NOTHING.get(shape.result))

    monkeypatch.setattr(client, "read_response", read_credulously)
    monkeypatch.setattr(client, "apply_shape", apply_credulously)
