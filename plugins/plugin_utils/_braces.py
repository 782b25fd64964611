# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find Jinja templates in ``workers_file``, whose strings are data: a template would be deployed as its own text."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.text import (
    as_message,
    list_names,
    shorten,
)

BRACES = (("{{", "}}"), ("{%", "%}"))
MAX_NAMES = 5  # in a message
MAX_LENGTH = 100  # characters of a name in a message
SECRETS = "secrets"


def check_templates(workers: t.Iterable[t.Any]) -> list[str]:
    """Return a warning if strings of Workers contain templates. Raise AnsibleActionFail if secrets do.

    The texts contain names of Workers and options, and no values.
    """
    found = [(worker, path) for worker in workers for path in _paths(worker)]
    secrets = [f"{_path(path)} of {_name(worker)}" for worker, path in found if path[0] == SECRETS]
    others = [f"{_path(path)} of {_name(worker)}" for worker, path in found if path[0] != SECRETS]
    if secrets:
        raise AnsibleActionFail(
            f"workers_file: {_count(secrets, 'secret')} with a template: {_shown(secrets)} A file contains data, so"
            " the braces would be part of the secret. Declare such secrets in secrets_by_worker, or set"
            " allow_braces: true."
        )
    warning = (
        f"workers_file: {_count(others, 'string')} with a template: {_shown(others)} A file contains data, so the"
        " braces are deployed as they are. Declare these Workers outside of the file, or set allow_braces: true."
    )
    return [warning] if others else []


def _has_template(text: str) -> bool:
    """Whether opening braces are closed. Linear in the text, which may be the code of a Worker."""
    positions = ((text.find(opening), closing) for opening, closing in BRACES)
    return any(start >= 0 and text.find(closing, start + 2) >= 0 for start, closing in positions)


def _paths(value: t.Any, path: tuple[str, ...] = ()) -> t.Iterator[tuple[str, ...]]:
    """Yield the paths of all strings with a template, in keys too."""
    match value:
        case str():
            if _has_template(value):
                yield path or ("element",)
        case dict():
            for key, item in value.items():
                inner = (*path, "(a key)" if _has_template(str(key)) else str(key))
                if inner[-1] != str(key):
                    yield inner
                yield from _paths(item, inner)
        case list():
            for item in value:
                yield from _paths(item, path)


def _path(parts: t.Iterable[str]) -> str:
    return as_message(shorten(".".join(parts), MAX_LENGTH))


def _name(worker: t.Any) -> str:
    return shorten(repr(worker.get("name")), MAX_LENGTH) if isinstance(worker, dict) else "an element"


def _count(found: t.Sequence[str], noun: str) -> str:
    return f"{len(found)} {noun}{'s' if len(found) > 1 else ''}"


def _shown(found: t.Sequence[str]) -> str:
    return list_names(found, MAX_NAMES) + ("" if len(found) > MAX_NAMES else ".")
