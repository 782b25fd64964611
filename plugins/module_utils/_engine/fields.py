# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fields of an object, and how two values of one are compared."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

Attributes = dict[str, t.Any]
OptionSpec = t.Mapping[str, t.Any]

UNKNOWN = "(known after apply)"  # a value that only the server can fill in: differs from everything and is never sent
DIFFERENT = "(changed, not read)"  # stands for a current value that is known to differ from the desired one


def unchanged(value: t.Any) -> t.Any:
    """Normalize nothing."""
    return value


def as_set(value: t.Any) -> t.Any:
    """Normalize a list of strings to a set. Null is the empty set."""
    return sorted(set(value or []))


def json_equal(one: t.Any, other: t.Any) -> bool:
    """Compare two values as JSON, in which true is not 1, unlike in Python."""
    return repr(one) == repr(other) or json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def is_known(value: t.Any) -> bool:
    """Whether a value contains nothing that only the server can fill in."""
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
    ``normalize``. ``initial`` is the value of a new object if the user sets none, ``removed`` the value that null means.
    """

    name: str
    spec: OptionSpec | None
    normalize: t.Callable[[t.Any], t.Any] = unchanged
    initial: t.Any = UNKNOWN
    removed: t.Any = None

    def differs(self, before: t.Any, after: t.Any) -> bool:
        """Whether the current value is not the desired one. A value that is not known yet differs."""
        if not is_known(after) or before == DIFFERENT:
            return True
        return not json_equal(self.normalize(before), self.normalize(after))
