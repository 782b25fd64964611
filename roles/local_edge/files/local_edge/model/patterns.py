# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Route patterns: validation and comparison."""

from __future__ import annotations

import re
from collections.abc import Callable

from local_edge.errors import ApiError
from local_edge.settings import encoded

PATTERN = re.compile(r"(?P<scheme>https?://)?(?P<host>[^/?#\s]+)(?P<path>/[^?#\s]*)?", re.IGNORECASE)

LABEL = re.compile(r"[\w-]{1,63}")


def refuse(pattern: object, problem: str) -> ApiError:
    return ApiError(400, 10022, f"Invalid route pattern {pattern!r}: {problem}")


def host_of(pattern: object) -> str:
    """Return the host of a pattern without its wildcard, '' for none."""
    match = PATTERN.fullmatch(pattern) if isinstance(pattern, str) else None
    return in_punycode(match["host"].lower().lstrip("*").lstrip(".")) if match else ""


def in_punycode(host: str) -> str:
    """Return a host in Punycode, or unchanged if it is not a host name."""
    try:
        return encoded(host)
    except ValueError:
        return host


def normalized(pattern: object, zone: str, is_custom: Callable[[str, bool], bool]) -> str:
    """Return the pattern with its host in lower case. Raise ApiError if it is not valid in this zone.

    `is_custom` returns whether custom hostnames of the zone cover a host, or if the second argument is true, all names
    that end with it.
    """
    if not isinstance(pattern, str) or not pattern:
        raise refuse(pattern, "a pattern is a string such as *.example.com/*")
    if "?" in pattern or "#" in pattern:
        raise refuse(pattern, "a pattern has no query string and no fragment; end it with * instead")
    match = PATTERN.fullmatch(pattern)
    if not match:
        raise refuse(pattern, "write [http[s]://]HOST[/PATH]")
    scheme, host, path = (match["scheme"] or "").lower(), match["host"].lower(), match["path"] or ""
    if "*" in host[1:]:
        raise refuse(pattern, "* in a host name is only allowed at its beginning")
    if "*" in path[:-1]:
        raise refuse(pattern, "* in a path is only allowed at its end")
    bare = in_punycode(host[2:] if host.startswith("*.") else host.removeprefix("*"))
    if host == "*":
        if path != "/*":
            raise refuse(pattern, "the only pattern without a host is */*")
    elif not f".{bare}".endswith(f".{zone}") and not is_custom(bare, host.startswith("*")):
        raise refuse(pattern, f"the host must be in the zone {zone}, or a custom hostname of this zone")
    elif not all(LABEL.fullmatch(label) for label in bare.split(".")):
        raise refuse(pattern, "the host must be a host name")
    return scheme + host + path


def spellings(pattern: str) -> tuple[str, str]:
    """Return both spellings of a normalized pattern: a host alone means its root."""
    path = pattern.split("://", 1)[-1].partition("/")[1:]
    return pattern, pattern + "/" if not path[0] else pattern[:-1] if path == ("/", "") else pattern
