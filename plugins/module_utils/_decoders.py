# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decodings of a text with escape sequences, each with the position of every character in the original text."""

from __future__ import annotations

import html
import json
import re
import sys
import typing as t

Piece = tuple[str, int]  # a decoded character, and the number of original characters that it replaces
Decoding = tuple[str, list[int]]  # the text, and the start of each character in the original, plus the original's end

SINGLE_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "0": "\0"}


def _from_utf8(content: bytes, width: int) -> t.Iterator[Piece]:
    """Yield characters of UTF-8, or else of Latin-1. Each byte replaces ``width`` original characters."""
    try:
        yield from ((character, len(character.encode()) * width) for character in content.decode())
    except UnicodeDecodeError:
        yield from ((chr(byte), width) for byte in content)


def _backslash(escape: str) -> t.Iterator[Piece]:
    if escape[1] == "x":
        yield from _from_utf8(bytes.fromhex(escape.replace("\\x", "")), 4)
    elif escape[1] == "u" and len(escape) > 2:
        yield json.loads(f'"{escape}"'), len(escape)
    elif escape[1] == "U" and len(escape) > 2:
        yield chr(min(int(escape.removeprefix("\\U"), 16), sys.maxunicode)), len(escape)
    else:
        yield SINGLE_ESCAPES.get(escape[1], escape[1]), len(escape)


def _percent(escapes: str) -> t.Iterator[Piece]:
    content = bytes.fromhex(escapes.replace("%", ""))
    try:
        content.decode()
    except UnicodeDecodeError as error:
        if error.start and error.end == len(content):  # the last character is cut
            yield from _from_utf8(content[: error.start], 3)
            yield "\ufffd", (len(content) - error.start) * 3
            return
    yield from _from_utf8(content, 3)


def _form(escapes: str) -> t.Iterator[Piece]:
    yield from _percent(escapes) if escapes != "+" else [(" ", 1)]


def _entity(entity: str) -> t.Iterator[Piece]:
    digits = entity[2:-1].lower()
    if entity[1] != "#":
        yield html.unescape(entity), len(entity)
        return
    number = int(digits.lstrip("x"), 16 if digits.startswith("x") else 10)
    yield chr(min(number, sys.maxunicode)), len(entity)


def _removed(text: str) -> t.Iterator[Piece]:
    yield "", len(text)


HEX = "[0-9A-Fa-f]"
DECODERS: tuple[tuple[re.Pattern[str], t.Callable[[str], t.Iterator[Piece]]], ...] = (
    # JSON, Python's repr, JavaScript
    (
        re.compile(
            rf"(?s)(?:\\x{HEX}{{2}})+|\\u[dD][89abAB]{HEX}{{2}}\\u[dD][c-fC-F]{HEX}{{2}}|\\u{HEX}{{4}}|\\U000{HEX}{{5}}|\\[^xuU]"
        ),
        _backslash,
    ),
    (re.compile(rf"(?:%{HEX}{{2}})+"), _percent),  # URLs
    (re.compile(rf"(?:%{HEX}{{2}})+|\+"), _form),  # query strings and forms
    (re.compile(rf"&(?:#\d{{1,7}}|#[xX]{HEX}{{1,6}}|[A-Za-z]\w{{1,30}});"), _entity),  # HTML and XML
    (re.compile(r"(?<=[\w+/-]{40})(?:\r?\n|\\r\\n|\\n)[ \t]*(?=[\w+/-])"), _removed),  # base64 in lines
)


def decodings(text: str) -> t.Iterator[Decoding]:
    """Yield the text with its escape sequences decoded, once for each encoding that it contains."""
    for pattern, decode in DECODERS:
        if pattern.search(text):
            yield _decode(text, pattern, decode)


def _decode(text: str, pattern: re.Pattern[str], decode: t.Callable[[str], t.Iterator[Piece]]) -> Decoding:
    parts: list[str] = []
    positions: list[int] = []
    position = 0
    for match in pattern.finditer(text):
        parts.append(text[position : match.start()])
        positions += range(position, match.start())
        position = match.start()
        for characters, width in decode(match[0]):
            parts.append(characters)
            positions += [position] * len(characters)
            position += width
    return "".join((*parts, text[position:])), [*positions, *range(position, len(text) + 1)]
