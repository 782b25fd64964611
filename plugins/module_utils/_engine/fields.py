# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fields of an object, the comparison of their values, and placeholders for values that are not known."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

Attributes = dict[str, t.Any]
OptionSpec = t.Mapping[str, t.Any]


def canonical_option(key: str, spec: t.Mapping[str, OptionSpec]) -> str:
    """Resolve an alias to its option name. Return "" for unknown keys."""
    return key if key in spec else next((name for name, option in spec.items() if key in option.get("aliases", ())), "")


def unchanged(value: t.Any) -> t.Any:
    """Normalize nothing."""
    return value


class Placeholder(str):
    """Stands for a value that is not known. It equals no text, not even one that reads the same."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Placeholder) and str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    @property
    def text(self) -> str:
        """The same as a plain string."""
        return str.__str__(self)

    __str__ = unchanged  # str(value) keeps it recognizable


UNKNOWN = Placeholder("(known after apply)")  # a desired value that only the server can fill in; never sent
CHANGED_UNREAD = Placeholder("(changed, not read)")  # a current value that differs from the desired one


def mark_unknown(value: t.Any) -> t.Any:
    """Replace texts that read like ``UNKNOWN`` with it, at every depth.

    In check mode, an option may hold such a text from the predicted result of an earlier task.
    """
    match value:
        case dict():
            return {key: mark_unknown(item) for key, item in value.items()}
        case list():
            return [mark_unknown(item) for item in value]
        case _:
            return UNKNOWN if value == UNKNOWN.text else value


def as_set(value: t.Any) -> t.Any:
    """Normalize a list of strings to a set. Null is the empty set."""
    return sorted(set(value or []))


def json_equal(one: t.Any, other: t.Any) -> bool:
    """Compare two values as JSON, where true is not 1. A value that is not known yet equals nothing."""
    is_same = repr(one) == repr(other) or json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    return is_same and is_known(one) and is_known(other)


def is_known(value: t.Any) -> bool:
    """Whether a value does not contain ``UNKNOWN`` at any depth."""
    match value:
        case dict():
            return all(map(is_known, value.values()))
        case list() | tuple():
            return all(map(is_known, value))
        case _:
            return bool(value != UNKNOWN)


@dataclass(frozen=True)
class Field:
    """One attribute that a resource owns.

    ``spec`` is its Ansible option, None if other options determine it. Both sides of a comparison pass through
    ``normalize``. ``initial`` is the value of a new object by default, ``removed`` the value that null stands for.
    """

    name: str
    spec: OptionSpec | None
    normalize: t.Callable[[t.Any], t.Any] = unchanged
    initial: t.Any = UNKNOWN
    removed: t.Any = None

    def differs(self, before: t.Any, after: t.Any) -> bool:
        """Whether the current value is not the desired one. A value that is not known yet always differs."""
        if not is_known(after) or before == CHANGED_UNREAD:
            return True
        return not json_equal(self.normalize(before), self.normalize(after))
