# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets: masked in arguments by the option that holds them, and redacted from texts by value."""

from __future__ import annotations

import typing as t

from ._arguments import canonical_option
from ._engine.fields import OptionSpec

NO_LOG_PLACEHOLDER = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"  # as in ansible-core
MIN_NO_LOG_LENGTH = 8  # characters: ansible-core redacts every text of a result, and shorter values would mangle it
MIN_REDACT_LENGTH = 4  # characters: the same for messages, which may quote a server


def mask_no_log(raw: t.Any, spec: t.Mapping[str, OptionSpec]) -> t.Any:
    """Return raw arguments with a placeholder for the values of ``no_log`` and unknown options, at every depth."""
    if isinstance(raw, list):
        return [mask_no_log(element, spec) for element in raw]
    if not isinstance(raw, dict):
        return raw
    return {
        key: _mask_value(value, spec[name]) if (name := canonical_option(key, spec)) else NO_LOG_PLACEHOLDER
        for key, value in raw.items()
    }


def _mask_value(value: t.Any, option: OptionSpec) -> t.Any:
    if value is None:
        return None
    if option.get("no_log"):
        return dict.fromkeys(value, NO_LOG_PLACEHOLDER) if isinstance(value, dict) else NO_LOG_PLACEHOLDER
    suboptions = option.get("options")
    if not suboptions:
        return value
    if isinstance(value, str):  # JSON text is hidden as a whole
        return NO_LOG_PLACEHOLDER
    return mask_no_log(value, suboptions)


def iter_secrets(raw: t.Any, spec: t.Mapping[str, OptionSpec]) -> t.Iterator[str]:
    """Yield the values of ``no_log`` options in raw arguments as texts, at every depth."""
    if not isinstance(raw, dict):
        return
    for key, value in raw.items():
        option = spec.get(canonical_option(key, spec), {})
        if option.get("no_log"):
            yield from _iter_texts(value)
        elif option.get("options"):
            for element in value if isinstance(value, list) else [value]:
                yield from iter_secrets(element, option["options"])


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


def redact(text: str, secrets: t.Iterable[str]) -> str:
    """Replace secrets in a text with asterisks. The longest is replaced first, since it may contain another one."""
    found = [secret for secret in secrets if len(secret) >= MIN_REDACT_LENGTH and secret in text]
    for secret in sorted(found, key=len, reverse=True):
        text = text.replace(secret, "********")
    return text
