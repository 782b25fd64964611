# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets in the arguments of a task, by the option that holds them: masked for display, and collected.

Besides ``no_log`` options, these are secret bindings at any depth, which ``bindings`` refuses, credentials in
``api_url``, which it refuses, and request headers that authenticate.
"""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.common.validation import check_type_dict

from ._engine.fields import OptionSpec, canonical_option
from ._worker.binding_types import SECRET_TYPES

NO_LOG_PLACEHOLDER = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"  # as in ansible-core
SHOWN_OF_BINDINGS = ("name", "type")  # the attributes of a secret binding that are no secrets
URL_CREDENTIALS = re.compile(r"(?s)(?<=//).*(?=@)")
URL_OPTION, HEADERS_OPTION = "api_url", "headers"
NAME = re.compile(r"[A-Za-z_]+")
SENSITIVE_HEADER = re.compile(r"(?i)auth|cookie|token|secret|key|passw|credential")

Spec = t.Mapping[str, OptionSpec]


def mask_arguments(raw: t.Any, spec: Spec, hidden: t.Container[str] = ()) -> t.Any:
    """Return raw arguments with a placeholder for the values of secret, unknown and ``hidden`` options."""
    if isinstance(raw, list):
        return [mask_arguments(element, spec, hidden) for element in raw]
    if not isinstance(raw, dict):
        return raw
    return {
        key: _mask_value(name, value, spec[name])
        if (name := canonical_option(key, spec)) and name not in hidden
        else NO_LOG_PLACEHOLDER
        for key, value in raw.items()
    }


def _mask_value(name: str, value: t.Any, option: OptionSpec) -> t.Any:
    if value is None:
        return None
    if option.get("no_log"):
        shows_names = isinstance(value, dict) and option["type"] == "dict"
        return dict.fromkeys(value, NO_LOG_PLACEHOLDER) if shows_names else NO_LOG_PLACEHOLDER
    if name == URL_OPTION:
        return URL_CREDENTIALS.sub(NO_LOG_PLACEHOLDER, str(value))
    suboptions = option.get("options")
    if not suboptions:
        return _mask_bindings(value)
    if isinstance(value, str):  # JSON text is hidden as a whole
        return NO_LOG_PLACEHOLDER
    return _mask_bindings(mask_arguments(value, suboptions))


def _mask_bindings(value: t.Any) -> t.Any:
    """Mask secret bindings, at every depth."""
    match value:
        case dict():
            shown = SHOWN_OF_BINDINGS if _is_secret_binding(value) else value
            return {key: _mask_bindings(item) if key in shown else NO_LOG_PLACEHOLDER for key, item in value.items()}
        case list():
            return [_mask_bindings(item) for item in value]
    return value


def _is_secret_binding(value: t.Mapping[t.Any, t.Any]) -> bool:
    return str(value.get("type")).strip().lower().replace("-", "_") in SECRET_TYPES


def iter_secrets(raw: t.Any, spec: Spec) -> t.Iterator[str]:
    """Yield the secrets in raw arguments as texts, at every depth, whatever the type of the values."""
    match raw:
        case list():
            for element in raw:
                yield from iter_secrets(element, spec)
        case str():
            yield from iter_secrets(_parse(raw), spec)
        case dict():
            for key, value in raw.items():
                yield from _iter_option(key, value, spec.get(canonical_option(key, spec), {}))


def _iter_option(key: str, value: t.Any, option: OptionSpec) -> t.Iterator[str]:
    if option.get("no_log"):
        yield from _iter_texts(value)
        if option["type"] != "dict" and isinstance(value, dict):
            yield from _secret_keys(value)
        elif option["type"] == "dict" and isinstance(value, str):
            parsed = _parse(value)
            yield from _iter_texts(parsed)
            # Other texts than JSON may be a secret with an equals sign.
            yield from _secret_keys(parsed or {}) if not value.lstrip().startswith("{") else ()
        return
    yield from iter_secrets(value, option["options"]) if option.get("options") else ()
    yield from _iter_bindings(value)
    if key == HEADERS_OPTION and isinstance(value, dict):
        for name, content in value.items():
            if SENSITIVE_HEADER.search(str(name)):
                yield from (str(content), *str(content).split()[1:])  # without the scheme, such as Bearer
    elif key == URL_OPTION:
        for credentials in URL_CREDENTIALS.findall(str(value)):
            yield from (credentials, credentials.partition(":")[2])


def _secret_keys(value: t.Mapping[t.Any, t.Any]) -> list[str]:
    """Return the keys that are not mere names."""
    return [str(key) for key in value if not NAME.fullmatch(str(key))]


def _iter_bindings(value: t.Any) -> t.Iterator[str]:
    """Yield the values of secret bindings, at every depth."""
    match value:
        case dict():
            is_secret = _is_secret_binding(value)
            for key, item in value.items():
                yield from _iter_texts(item) if is_secret and key not in SHOWN_OF_BINDINGS else _iter_bindings(item)
        case list():
            for item in value:
                yield from _iter_bindings(item)


def _iter_texts(value: t.Any) -> t.Iterator[str]:
    match value:
        case dict():
            for item in value.values():
                yield from _iter_texts(item)
        case list():
            for item in value:
                yield from _iter_texts(item)
        case None | bool():
            return
        case _:
            yield str(value)


def _parse(value: t.Any) -> t.Any:
    """Parse a dictionary that is given as text, as Ansible does. Return None for other values."""
    if not isinstance(value, str):
        return None
    try:
        return check_type_dict(value)
    except (TypeError, ValueError):
        return None
