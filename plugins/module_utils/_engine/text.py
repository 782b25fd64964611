# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts of messages."""

from __future__ import annotations

import re
import typing as t

MAX_NAMES = 10  # in a message
MAX_MESSAGE = 8000  # characters
MESSAGE_TAIL = 500  # characters at the end of a longer message, which contain the remedy
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def list_names(names: t.Sequence[str], limit: int = MAX_NAMES) -> str:
    """Join names with commas. Of more than ``limit``, show the first ones and an ellipsis."""
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")


def list_errors(errors: t.Sequence[str], limit: int = 5) -> str:
    """Join errors with semicolons. Of more than ``limit``, show the first ones and the number of the others."""
    more = f"; and {len(errors) - limit} more" if len(errors) > limit else ""
    return "; ".join(errors[:limit]) + more


def as_message(text: str) -> str:
    """Return a text as a message: of limited length, without control characters, and valid in UTF-8."""
    shown = text if text.isascii() else text.encode(errors="backslashreplace").decode()
    return shorten(CONTROL_CHARACTERS.sub(_escape_character, shown), MAX_MESSAGE, MESSAGE_TAIL)


def _escape_character(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]):02x}"


def shorten(text: str, limit: int, tail: int = 0) -> str:
    """Cut a text of more than ``limit`` characters, except for its last ``tail`` ones."""
    if len(text) <= limit:
        return text
    omitted = f"... ({len(text) - limit} characters omitted)"
    return f"{text[: limit - tail]}{omitted}{text[len(text) - tail :]}" if tail else text[:limit] + omitted
