# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials are sent to a valid URL only, and unencrypted only to this machine."""

from __future__ import annotations

import json

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.api_url import (
    is_loopback,
    resolve_url,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import CloudflareError
from harness import Runner
from local_edge.testing import Edge

LOOPBACK = (
    "http://127.0.0.1:8788/client/v4",
    "http://127.1.2.3",
    "http://localhost:8788/client/v4",
    "http://api.localhost/client/v4",
    "http://[::1]:8788/client/v4",
    "https://localhost",
)
REMOTE = (
    "http://api.example.com/client/v4",
    "http://10.0.0.1:8788/client/v4",
    "http://0.0.0.0:8788/client/v4",
    "http://[2001:db8::1]/client/v4",
    "http://127.0.0.1.example.com/client/v4",
    "http://localhost.example.com",
    "http://evil.example.com/.localhost/",
    "http://notlocalhost/client/v4",
)
INVALID = (
    "ftp://127.0.0.1/client/v4",
    "http:///client/v4",
    "127.0.0.1:8788",
    "http://evil.example.com?.localhost/",
    "http://evil.example.com#.localhost/",
    "http://evil.example.com\\.localhost/",
    "http://evil.example.com /client/v4",
    "http://127.0.0.1:port/client/v4",
    "https://example.com/client/v4?key=1",
)


@pytest.mark.parametrize("url", LOOPBACK)
def test_api_url_http_to_this_machine_is_accepted(url: str) -> None:
    assert is_loopback(url) and resolve_url(url, {}) == url


@pytest.mark.parametrize("url", REMOTE)
def test_api_url_http_to_other_host_is_refused_unless_allowed(url: str) -> None:
    assert not is_loopback(url)
    for environ in ({}, {"CLOUDFLARE_ALLOW_HTTP": ""}, {"CLOUDFLARE_ALLOW_HTTP": "0"}):
        with pytest.raises(CloudflareError, match=r"api_url: .* unencrypted .*CLOUDFLARE_ALLOW_HTTP=1"):
            resolve_url(url, environ)
    assert resolve_url(url, {"CLOUDFLARE_ALLOW_HTTP": "1"}) == url
    secure = url.replace("http:", "https:")
    assert resolve_url(secure, {}) == secure


@pytest.mark.parametrize("url", INVALID)
def test_api_url_invalid_is_refused(url: str) -> None:
    with pytest.raises(CloudflareError, match=r"api_url: .* is not a valid URL"):
        resolve_url(url, {"CLOUDFLARE_ALLOW_HTTP": "1"})


@pytest.mark.parametrize(
    "url",
    ["https://user:hush-hush@example.com/v4", "https://hush-hush@[::1]", "//:hush-hush@x", "http://a:/hush-hush/@x"],
)
def test_api_url_with_credentials_is_refused_without_showing_them(run: Runner, edge: Edge, url: str) -> None:
    result = run("kv_namespace", title="x", api_url=url)
    assert "api_url: the URL contains a user or a password" in result["msg"]
    assert "hush-hush" not in json.dumps(result) and not edge.requests()


def test_api_url_http_to_other_host_sends_nothing(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLARE_API_BASE_URL", "http://192.0.2.1/client/v4")
    assert "unencrypted" in run.refused("kv_namespace", title="x")
