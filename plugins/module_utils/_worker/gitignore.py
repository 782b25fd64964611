# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Match paths against the lines of a C(.gitignore) or a file of the same format."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

NEVER_MATCHES = "(?!)"


def _one_of(part: str) -> str:
    """Translate a set of characters, such as C([a-z]) or C([!a])."""
    negated, characters = re.fullmatch(r"\[([!^]?)(.*)\]", part, re.DOTALL).groups()  # type: ignore[union-attr]
    safe = re.sub(r"\\?(.)", lambda one: "-" if one[0] == "-" else re.escape(one[1]), characters, flags=re.DOTALL)
    try:
        return re.compile(f"(?!/)[{'^' if negated else ''}{safe}]").pattern
    except re.error:  # an empty set, or a reversed range such as z-a
        return NEVER_MATCHES


# Translations of the parts of a pattern. The first match applies; the last entry is a literal character.
PARTS: tuple[tuple[re.Pattern[str], t.Callable[[str], str]], ...] = (
    (re.compile(r"(?:^|(?<=/))\*\*/"), lambda part: "(?:.*/)?"),  # any number of folders
    (re.compile(r"(?<=/)\*\*$"), lambda part: ".+"),  # everything in a folder
    (re.compile(r"\*+"), lambda part: "[^/]*"),
    (re.compile(r"\?"), lambda part: "[^/]"),
    (re.compile(r"\[[!^]?\]?(?:\\.|[^]\\])*\]", re.DOTALL), _one_of),
    (re.compile(r"\\.", re.DOTALL), lambda part: re.escape(part[1])),
    (re.compile(r"[\[\\]"), lambda part: NEVER_MATCHES),  # an unclosed set, a trailing backslash
    (re.compile(r".", re.DOTALL), re.escape),
)


@dataclass(frozen=True)
class Rule:
    """One line: its pattern, whether matches are ignored or re-included, and whether only folders match."""

    pattern: re.Pattern[str]
    is_ignored: bool
    folders_only: bool


class GitignoreMatcher:
    """The rules of all lines. The last match decides."""

    def __init__(self, lines: t.Iterable[str]) -> None:
        self._rules = [_parse_rule(line) for line in map(_trimmed, lines) if line and not line.startswith("#")]

    def __call__(self, name: str, folder: bool = False) -> bool:
        """Return whether a path (no leading slash) is ignored, provided that no parent folder is."""
        matches = (
            rule.is_ignored
            for rule in reversed(self._rules)
            if (folder or not rule.folders_only) and rule.pattern.fullmatch(name)
        )
        return next(matches, False)


def _trimmed(line: str) -> str:
    """Strip trailing spaces from a line, except one after a backslash."""
    return re.sub(r"(?<!\\) +$", "", line.removesuffix("\n").removesuffix("\r"))


def _parse_rule(line: str) -> Rule:
    is_ignored, pattern = not line.startswith("!"), line.removeprefix("!")
    folders_only, pattern = pattern.endswith("/"), pattern.removesuffix("/")
    prefix = "" if "/" in pattern else "(?:.*/)?"
    return Rule(re.compile(prefix + _expression(pattern.removeprefix("/")), re.DOTALL), is_ignored, folders_only)


def _expression(pattern: str) -> str:
    """Translate a pattern into a regular expression."""
    expression, position = "", 0
    while position < len(pattern):
        part, meaning = next((found[0], meaning) for part, meaning in PARTS if (found := part.match(pattern, position)))
        expression, position = expression + meaning(part), position + len(part)
    return expression
