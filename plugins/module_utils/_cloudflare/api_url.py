# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base URL of the API: credentials are sent encrypted, or to this machine, or where the environment allows it."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from urllib.parse import urlsplit

from .credentials import first_env
from .errors import CloudflareError

DEFAULT_URL = "https://api.cloudflare.com/client/v4"
URL_VARIABLES = ("CLOUDFLARE_API_BASE_URL", "CLOUDFLARE_BASE_URL")
ALLOW_HTTP_VARIABLE = "CLOUDFLARE_ALLOW_HTTP"
# Parsers disagree about the host of a URL with other characters before its path.
URL = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[^\s/?#@\\:\[\]]+)(:\d{1,5})?(/[^\s?#\\]*)?")


def resolve_url(api_url: str | None, environ: t.Mapping[str, str]) -> str:
    """Return the base URL from the option, or else from ``environ``, or else Cloudflare's.

    Raise CloudflareError if it is not valid, or if the credentials would cross a network unencrypted.
    """
    url = api_url or first_env(environ, URL_VARIABLES) or DEFAULT_URL
    if "@" in url:  # the message does not show them
        raise CloudflareError("api_url: the URL contains a user or a password. Remove them, and set api_token.")
    if not URL.fullmatch(url):
        raise CloudflareError(
            f"api_url: {url!r} is not a valid URL. It must begin with https:// (or http:// for a local edge) and end in"
            " /client/v4."
        )
    if url.startswith("http:") and not is_loopback(url) and environ.get(ALLOW_HTTP_VARIABLE) != "1":
        raise CloudflareError(
            f"api_url: {url} would send the credentials unencrypted over a network. Use https://, or set"
            f" {ALLOW_HTTP_VARIABLE}=1 in the environment if every part of that network is trusted."
        )
    return url


def is_loopback(url: str) -> bool:
    """Return whether a URL addresses this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def proxies(url: str) -> dict[str, str]:
    """Return the argument ``proxies`` of ``requests``: those of the environment, but none for this machine."""
    return {"no_proxy": urlsplit(url).hostname or ""} if is_loopback(url) else {}
