# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arguments of a module: the options that the user set, elements of lists, and identifying options."""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.validation import check_type_dict
from ansible.module_utils.errors import UnsupportedError

from ._cloudflare.errors import CloudflareError
from ._engine.bulk import InvalidElement
from ._engine.fields import UNKNOWN, OptionSpec, canonical_option, is_known, mark_unknown
from ._engine.text import shorten
from ._renamed import add_new_names
from ._value_types import MAX_QUOTED, describe_type_errors

NON_EMPTY_OPTIONS = (
    *("api_token", "api_key", "email", "account_id", "api_url", "fingerprint_key", "owner"),
    *("name", "dispatch_namespace", "pattern", "hostname", "workers_file"),
    *("id", "title", "namespace_id", "zone", "zone_id", "new_name", "queue_name"),
)
CREDENTIALS = ("api_token", "api_key", "fingerprint_key")  # never quoted
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def select_user_params(
    values: t.Mapping[str, t.Any], raw: t.Mapping[str, t.Any], spec: t.Mapping[str, OptionSpec]
) -> dict[str, t.Any]:
    """Return the validated ``values`` of the options that the user set in the ``raw`` arguments, at every depth."""
    return {
        name: _select_value(values[name], value, spec[name])
        for key, value in raw.items()
        if (name := canonical_option(key, spec))
    }


def _select_value(value: t.Any, raw: t.Any, option: OptionSpec) -> t.Any:
    suboptions = option.get("options")
    match value, raw:
        case dict(), dict() if suboptions:
            return select_user_params(value, raw, suboptions)
        case dict(), str() if suboptions:  # a dictionary as text, in which null and omitted options look the same
            return {name: item for name, item in value.items() if item is not None}
        case list(), list() if suboptions:
            return [_select_value(item, element, option) for item, element in zip(value, raw, strict=True)]
        case list(), str() if suboptions:
            return [_select_value(item, raw, option) for item in value]
    return value


def validate_elements(
    elements: t.Iterable[t.Any], option: OptionSpec, module_spec: t.Mapping[str, OptionSpec]
) -> list[dict[str, t.Any]]:
    """Validate the elements of a list option one by one. Return the options that the user set in each.

    An element with errors becomes an ``InvalidElement``. Its error may quote secrets: redact it.
    """
    validator = ArgumentSpecValidator(option["options"], option.get("mutually_exclusive"))
    return [_validate_element(element, validator, option["options"], module_spec) for element in elements]


def _validate_element(
    element: t.Any,
    validator: ArgumentSpecValidator,
    spec: t.Mapping[str, OptionSpec],
    module_spec: t.Mapping[str, OptionSpec],
) -> dict[str, t.Any]:
    if isinstance(element, str):
        try:
            element = check_type_dict(element)
        except TypeError as error:
            return _invalid({}, str(error))
    if not isinstance(element, dict):
        return _invalid({}, f"{element!r} is not a dictionary")
    if type_errors := describe_type_errors(element, spec):
        return _invalid(element, type_errors)
    result = validator.validate(element)
    errors = [
        add_new_names(f"unsupported parameters: {error.msg}", module_spec)
        if isinstance(error, UnsupportedError)
        else error.msg
        for error in result.errors
    ]
    if errors:
        return _invalid(element, "; ".join(errors))
    return select_user_params(result.validated_parameters, element, spec)


def _invalid(element: dict[str, t.Any], error: str) -> InvalidElement:
    invalid = InvalidElement(element)
    invalid.error = error
    return invalid


def check_identifying_options(user_params: t.Mapping[str, t.Any], spec: t.Mapping[str, OptionSpec]) -> None:
    """Raise CloudflareError for an identifying option or a credential that is null, empty or unprintable."""
    for name, value in user_params.items():
        if not _is_identifying(name, spec[name]):
            continue
        if value in (None, ""):
            problem = "null" if value is None else "empty"
            raise CloudflareError(f"{name} is {problem}. Set a value, or omit the option if it is optional.")
        if isinstance(value, str) and name not in CREDENTIALS and (found := UNPRINTABLE.search(value)):
            shown = shorten(repr(value), MAX_QUOTED)
            raise CloudflareError(f"{name}: {shown} contains the control character U+{ord(found[0]):04X}. Remove it.")


def check_resolved(user_params: t.Mapping[str, t.Any], spec: t.Mapping[str, OptionSpec]) -> None:
    """Raise CloudflareError for an identifying option, at any depth, that holds a placeholder of check mode as text."""
    unresolved = next(_iter_unresolved(user_params, spec), "")
    if unresolved:
        raise CloudflareError(
            f"{unresolved}: {UNKNOWN!r} is a prediction of check mode, not a value. Register the value in the same run."
        )


def _iter_unresolved(user_params: t.Mapping[str, t.Any], spec: t.Mapping[str, OptionSpec]) -> t.Iterator[str]:
    for name, value in user_params.items():
        option = spec.get(name, {})
        suboptions = option.get("options")
        if suboptions:
            for element in value if isinstance(value, list) else [value]:
                if isinstance(element, dict):
                    yield from (f"{name}.{inner}" for inner in _iter_unresolved(element, suboptions))
        elif _is_identifying(name, option) and not is_known(mark_unknown(value)):
            yield name


def _is_identifying(name: str, option: OptionSpec) -> bool:
    return bool(option.get("required")) or name in NON_EMPTY_OPTIONS
