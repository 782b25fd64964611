# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strict parsing of JSON, so that every accepted value can be serialized again for any client."""

from __future__ import annotations

import json
import math
import re
from typing import Any

#: Deeper than any object of the API, and well below the limits of parsers.
MAX_DEPTH = 200
LONE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def loads_strict(text: bytes) -> Any:
    """Parse JSON. Raise ValueError also for NaN, numbers beyond a double, lone surrogates and excessive nesting."""
    string = text.decode()
    try:
        value = json.loads(string, parse_constant=no_constant, parse_float=finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if string.count("[") + string.count("{") > MAX_DEPTH and depth(value) > MAX_DEPTH:
        raise ValueError("it is nested too deeply")
    if LONE_SURROGATE.search(string):
        json.dumps(value, ensure_ascii=False).encode()
    return value


def no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not valid JSON")


def finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} exceeds the range of a double")
    return number


def depth(value: Any) -> int:
    """Return the nesting depth of a value."""
    levels, layer = 0, [value]
    while layer := [one for one in layer if isinstance(one, (dict, list))]:
        levels += 1
        layer = [inner for one in layer for inner in (one.values() if isinstance(one, dict) else one)]
    return levels
