# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects in responses of the API: required keys, defaults and nested objects, as data."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

Object = dict[str, t.Any]
TYPE_NAMES: t.Mapping[type, str] = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}


class ShapeError(ValueError):
    """A response that does not have its shape. The text completes the sentence "the response ..."."""


@dataclass(frozen=True)
class Item:
    """An object in a response; ``noun`` is its name in messages.

    ``required``: keys without which it is useless. Their values are texts that are not empty.
    ``values``: required keys with any value except null.
    ``defaults``: what a missing key or null stands for. A value must have the type of a default that is a list, an
    object or a boolean.
    ``nulls``: what null stands for. A missing key stays missing, since the response does not mention it.
    ``types``: the type of further values that are neither missing nor null.
    ``parts``: the elements of a list, the values of a mapping, or the nested object under a key.
    """

    noun: str
    required: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    defaults: t.Mapping[str, t.Any] = field(default_factory=dict)
    nulls: t.Mapping[str, t.Any] = field(default_factory=dict)
    types: t.Mapping[str, type] = field(default_factory=dict)
    parts: t.Mapping[str, Item | type] = field(default_factory=dict)
    is_mapping: bool = False
    """Whether the keys are names: each value has the shape of the part ``*``, or is null."""


def check_type(value: t.Any, expected: type, subject: str) -> None:
    """Raise ShapeError if a value has another type. ``subject`` is its name, such as "a Worker whose tags"."""
    if not isinstance(value, expected):
        raise ShapeError(f"contains {subject} is not {TYPE_NAMES[expected]}")


def fill(value: t.Any, item: Item) -> None:
    """Fill in the defaults of an object and of its parts, in place. Raise ShapeError if a required key is missing."""
    check_type(value, dict, f"{item.noun} that")
    for key in item.required:
        if not isinstance(value.get(key), str) or not value[key]:
            raise ShapeError(f"contains {item.noun} without {key}")
    for key in item.values:
        if value.get(key) is None:
            raise ShapeError(f"contains {item.noun} without {key}")
    for key, default in item.defaults.items():
        _default(value, key, default, item)
    for key, default in item.nulls.items():
        if key in value:
            _default(value, key, default, item)
    for key, expected in item.types.items():
        if value.get(key) is not None:
            check_type(value[key], expected, f"{item.noun} whose {key}")
    if item.parts:
        _fill_parts(value, item)


def _default(value: Object, key: str, default: t.Any, item: Item) -> None:
    if value.get(key) is None:
        value[key] = default.copy() if isinstance(default, (list, dict)) else default
    elif type(default) in TYPE_NAMES:
        check_type(value[key], type(default), f"{item.noun} whose {key}")


def _fill_parts(value: Object, item: Item) -> None:
    parts = dict.fromkeys(value, item.parts["*"]) if item.is_mapping else item.parts
    for key, part in parts.items():
        found = value.get(key)
        elements = found if isinstance(found, list) and not item.is_mapping else [found]
        for each in elements if found is not None else ():
            if isinstance(part, Item):
                fill(each, part)
            else:
                check_type(each, part, f"{item.noun} with an element of {key} that")
