# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Markers in place of secrets, and the search for them in outputs.

The search decodes the output, and is independent of the redaction, which encodes the secrets. A leak is any part of
a marker with ``WINDOW`` characters.
"""

from __future__ import annotations

import base64
import html
import itertools
import re
import typing as t
from urllib.parse import unquote, unquote_plus

WINDOW = 10
MAX_DEPTH = 4
BASE64_RUN = re.compile(r"[A-Za-z0-9+/_-]{12,}")
HEX_RUN = re.compile(r"(?:[0-9A-Fa-f]{2}){10,}")
BACKSLASH = re.compile(r"(?s)\\(u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|.)")
WRAPPED = re.compile(r"(?<=[A-Za-z0-9+/_-])(?:\s|\\n|\\r)+(?=[A-Za-z0-9+/_-])")
LETTERS = {"n": "\n", "t": "\t", "r": "\r"}


def marker(number: int) -> str:
    """Return a secret whose characters every common encoding changes."""
    return f"mk{number:03}\"Wq'<&>%2B+/\\=é{number:03}\tx{number * 7919 % 1000:03}Yv Lr{{z}}-end"


def multiline_marker(number: int) -> str:
    """Return a secret of several lines."""
    body = "\n".join(f"line{number:03}{line}/" + "+Kq7" * 4 for line in range(3))
    return f"-----BEGIN MARKER {number:03}-----\n{body}\n-----END MARKER-----\n"


def token_marker(number: int) -> str:
    """Return a secret that has the form of an API token."""
    return f"mk{number:03}-Token_{number * 4621 % 1000:03}zYvRq7xW2kPdSf8hJm-end"


def header_marker(number: int) -> str:
    """Return a secret that a request header can contain."""
    return f"mk{number:03}-Tk\"'<&>%2B+/\\={number * 6007 % 1000:03}zYv-end"


def find_leaks(text: str, markers: t.Iterable[str]) -> list[str]:
    """Return the parts of the markers that a text contains, as they are or in any encoding."""
    windows = {
        marker[at : at + WINDOW]
        for marker in markers
        for at in range(len(marker) - WINDOW + 1)
        if "-----" not in marker[at : at + WINDOW]
    }
    pattern = re.compile("|".join(re.escape(window) for window in sorted(windows)))
    pending, seen = [text], {text}
    for _depth in range(MAX_DEPTH):
        if leaks := [found for one in pending for found in pattern.findall(one)]:
            return leaks
        pending = list(dict.fromkeys(decoded for one in pending for decoded in _decoded(one) if decoded not in seen))
        seen.update(pending)
    return []


def _decoded(text: str) -> t.Iterator[str]:
    yield html.unescape(text)
    yield unquote(text)
    yield unquote_plus(text)
    yield BACKSLASH.sub(_unescape, text)
    yield BACKSLASH.sub(_unescape, text).encode("latin-1", "replace").decode("utf-8", "replace")
    if len(text) < 100_000:
        yield "\n".join(_binary_texts(text))
    yield "\n".join(itertools.chain.from_iterable(map(_binary_texts, _unwrapped(text))))


def _unescape(match: re.Match[str]) -> str:
    escape = match[1]
    return chr(int(escape[1:], 16)) if len(escape) > 1 else LETTERS.get(escape, escape)


def _unwrapped(text: str) -> t.Iterator[str]:
    yield WRAPPED.sub("", text)


def _binary_texts(text: str) -> t.Iterator[str]:
    for run in HEX_RUN.findall(text):
        yield bytes.fromhex(run).decode("utf-8", "replace")
    for run in BASE64_RUN.findall(text):
        content = run.replace("-", "+").replace("_", "/")
        for offset in range(4):
            part = content[offset:]
            decoded = base64.b64decode(part[: len(part) // 4 * 4])
            if re.search(rb"[ -~]{8}", decoded):
                yield decoded.decode("utf-8", "replace")
