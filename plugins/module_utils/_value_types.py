# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Types of the values of options, checked before ansible-core validates them.

ansible-core ends in a TypeError of its own for some wrong types, and omits the name of the option for others. Nor does
it refuse values that JSON and UTF-8 cannot express.
"""

from __future__ import annotations

import itertools
import math
import re
import typing as t

from ansible.module_utils.common.validation import (
    check_type_bool,
    check_type_dict,
    check_type_float,
    check_type_int,
    check_type_list,
)

from ._engine.fields import OptionSpec, canonical_option
from ._engine.text import list_names, shorten

MAX_DEPTH = 100  # of nested lists and dictionaries; JSON libraries fail at about 1000
MARK = "\ufdd0"  # not a character, so that no valid text contains it
REASONS = {  # of marks
    "deep": f"is nested more than {MAX_DEPTH} levels deep",
    "large": "is a number of too many digits",
    "type": "has a type that JSON lacks, such as a set or bytes",
}
SURROGATE = re.compile("[\ud800-\udfff]")
INVALID = re.compile(f"{MARK}({'|'.join(REASONS)})|{MARK}([0-9a-f]{{4}})|({SURROGATE.pattern})")
MAX_BITS = 4096  # of an integer; Python converts no more than 4300 digits to text
MAX_QUOTED = 60  # characters of a value in a message
MAX_ERRORS = 3  # in a message
MAX_EXAMPLES = 3  # suboptions in a message
KINDS: dict[type, str] = {
    bool: "a boolean",
    dict: "a dictionary",
    float: "a number",
    int: "a number",
    list: "a list",
    str: "a text",
    type(None): "null",
}
SCALARS: dict[str, tuple[t.Callable[[t.Any], t.Any], str]] = {  # conversion, and what the option accepts
    "bool": (check_type_bool, "a boolean. Set true or false"),
    "float": (check_type_float, "a number. Set a number such as 0.5"),
    "int": (check_type_int, "an integer. Set a whole number"),
}


def describe_type_errors(arguments: t.Mapping[str, t.Any], spec: t.Mapping[str, OptionSpec]) -> str:
    """Describe the values in raw arguments that their options cannot accept, by the path of each. Return "" if none.

    Null passes, because it means that an option is removed. Secrets are not quoted.
    """
    errors = (error for key, value in arguments.items() for error in _iter_argument_errors(key, value, spec))
    return " ".join(itertools.islice(errors, MAX_ERRORS))


def _iter_argument_errors(key: str, value: t.Any, spec: t.Mapping[str, OptionSpec]) -> t.Iterator[str]:
    invalid = _unicode_error("the name of an option", key) or _json_error(key, value)
    yield from [invalid] if invalid else _iter_type_errors(key, value, spec.get(canonical_option(key, spec), {}))


def _iter_type_errors(path: str, value: t.Any, option: OptionSpec) -> t.Iterator[str]:
    """Yield the type errors of an option, of its elements and of its suboptions."""
    if value is None:
        return
    type_name = option.get("type", "raw")
    if error := _type_error(path, value, type_name, option):
        yield error
    elif type_name == "list":
        element_option = {**option, "type": option.get("elements", "raw")}
        for position, element in enumerate(check_type_list(value)):
            yield from _iter_element_errors(f"{path}[{position}]", element, element_option)
    elif type_name == "dict":
        suboptions = option.get("options") or {}
        for name, item in check_type_dict(value).items() if suboptions else ():
            yield from _iter_type_errors(f"{path}.{name}", item, suboptions.get(canonical_option(name, suboptions), {}))


def _iter_element_errors(path: str, element: t.Any, option: OptionSpec) -> t.Iterator[str]:
    """Yield the type errors of an element of a list, in which null is an error."""
    error = _type_error(path, element, option["type"], option) if element is None else ""
    yield from [error] if error else _iter_type_errors(path, element, option)


def _type_error(path: str, value: t.Any, type_name: str, option: OptionSpec) -> str:
    """Return the error of a value whose type cannot be converted to that of its option."""
    kind = KINDS.get(type(value), type(value).__name__)
    match type_name:
        case "str" | "path" if value is None or isinstance(value, (dict, list)):
            return f"{path}: {kind} is not a text. Set a text; the filter to_json turns other values into one."
        case "path" if "\0" in str(value):
            return f"{path}: the path contains a null character. Remove it."
        case "dict" if not _is_accepted(check_type_dict, value):
            examples = list_names(list(option.get("options") or ()), MAX_EXAMPLES)
            remedy = f"suboptions by name: {examples}" if examples else "keys and values"
            return f"{path}: {kind} is not a dictionary. Set {remedy}."
        case "list" if not _is_accepted(check_type_list, value):
            return f"{path}: {kind} is not a list. Begin each element with a dash, or write them in brackets."
        case "bool" | "float" | "int":
            convert, expected = SCALARS[type_name]
            is_mistaken = isinstance(value, bool) and type_name != "bool"
            if is_mistaken or not _is_accepted(convert, value):
                return f"{path}: {_quote(value, option)} is not {expected}."
    return ""


def _is_accepted(convert: t.Callable[[t.Any], t.Any], value: t.Any) -> bool:
    try:
        converted = convert(value)
    except Exception:  # pylint: disable=broad-exception-caught  # their type varies with the version of ansible-core
        return False
    return not isinstance(converted, float) or math.isfinite(converted)


def _quote(value: t.Any, option: OptionSpec) -> str:
    if option.get("no_log") or value is None or isinstance(value, (dict, list)):
        return KINDS.get(type(value), "the value")
    return shorten(repr(value), MAX_QUOTED)


def _json_error(path: str, value: t.Any, depth: int = 0) -> str:
    """Return the error of the first value, at any depth, that is not valid JSON or Unicode."""
    errors: t.Iterator[str]
    match value:
        case str():
            return _unicode_error(path, value)
        case float() if not math.isfinite(value):
            return f"{path}: {value} is not valid JSON. Set a finite number, or a text in quotes."
        case dict():
            key_errors = (_unicode_error(f"{path}: a key", str(key)) for key in value)
            errors = itertools.chain(key_errors, (_json_error(f"{path}.{key}", value[key], depth + 1) for key in value))
        case list() | tuple():
            errors = (_json_error(f"{path}[{position}]", item, depth + 1) for position, item in enumerate(value))
        case _:
            return ""
    return next(filter(None, errors), "") if depth < MAX_DEPTH else _reason_error(path, "deep")


def _unicode_error(subject: str, text: str) -> str:
    """Return the error of a text with half of a surrogate pair, as in a file name that is not UTF-8."""
    if text.isascii() or not (found := INVALID.search(text)):
        return ""
    reason, marked, surrogate = found.groups()
    if reason:
        return _reason_error(subject, reason)
    number = marked.upper() if marked else f"{ord(surrogate):04X}"
    return f"{subject} contains U+{number}, which is not a valid character. Remove it."


def _reason_error(path: str, reason: str) -> str:
    return f"{shorten(path, MAX_QUOTED)}: the value {REASONS[reason]}. Set another one."


def mark_invalid(value: t.Any, parents: tuple[int, ...] = ()) -> t.Any:
    """Replace what the serialization of arguments refuses with marks, which C(describe_type_errors) refuses by name.

    ansible-core would fail before the module starts, for all elements of a list. C(parents) are the ids of the
    containers around the value, which may contain itself in YAML.
    """
    match value:
        case str():
            return value if value.isascii() else SURROGATE.sub(lambda half: f"{MARK}{ord(half[0]):04x}", value)
        case dict() | list() | tuple() if len(parents) > MAX_DEPTH + 1 or id(value) in parents:
            return MARK + "deep"
        case dict():
            inner = (*parents, id(value))
            return {mark_invalid(key): mark_invalid(item, inner) for key, item in value.items()}
        case list() | tuple():
            inner = (*parents, id(value))
            return [mark_invalid(item, inner) for item in value]
        case bytes() | set() | frozenset():
            return MARK + "type"
        case int() if value.bit_length() > MAX_BITS:
            return MARK + "large"
        case _:
            return value
