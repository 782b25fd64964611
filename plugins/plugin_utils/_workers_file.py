# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading the file that declares a large fleet: JSON, JSON lines or YAML, vaulted or not. What it holds is data and never a template."""

from __future__ import annotations

import json
import os
import re
import typing as t

import yaml
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.parsing.dataloader import DataLoader
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

DATES = "tag:yaml.org,2002:timestamp"


def read(loader: DataLoader, path: str) -> list[t.Any]:
    """Return the Workers that a file declares."""
    ending = os.path.splitext(path)[1].lower()
    if ending not in READERS:
        raise AnsibleActionFail(
            f"workers_file: {path} must end in one of {', '.join(READERS)}: the ending says how it is read."
        )
    try:
        content, _shown = loader._get_file_contents(path)
        found = READERS[ending](loader, content.decode("utf-8-sig"))
    except AnsibleError as error:
        raise AnsibleActionFail(f"workers_file: {path} cannot be read: {error}") from error
    except Exception as error:  # pylint: disable=broad-exception-caught  # whatever it is, its own text may quote the file, secrets included
        raise AnsibleActionFail(
            f"workers_file: {path} is no {ending[1:].upper()}: {_told(error)}. Correct it there."
        ) from None
    if not isinstance(found, list):
        raise AnsibleActionFail(
            f"workers_file: {path} holds no list: declare the Workers as a list of dictionaries, each with its name."
        )
    return found


def _told(error: Exception) -> str:
    """Return what is wrong with a file, and where, without a word of it."""
    match error:
        case UnicodeDecodeError():
            return "it is not UTF-8"
        case json.JSONDecodeError():
            return str(error)
        case yaml.MarkedYAMLError():
            quoting = isinstance(error, (ConstructorError, ComposerError))
            problem = re.split("['\"]", str(error.problem))[0].strip() if quoting else error.problem
            return f"{problem}{f' in line {error.problem_mark.line + 1}' if error.problem_mark else ''}"
        case yaml.reader.ReaderError():
            return f"there is a control character at position {error.position}"
    return f"it holds what cannot be read ({type(error).__name__})"


def _lines(_loader: DataLoader, text: str) -> list[t.Any]:
    found = []
    for number, line in enumerate(text.split("\n"), 1):  # a text in JSON may hold every other end of a line
        if line.strip():
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise json.JSONDecodeError(error.msg, "\n" * (number - 1) + line, number - 1 + error.pos) from None
    return found


def _yaml(loader: DataLoader, text: str) -> t.Any:
    class Reader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Reads dates as they are written, and what is vaulted as text."""

        yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in resolvers if tag != DATES]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    Reader.add_constructor("!unsafe", lambda reader, node: reader.construct_scalar(node))
    Reader.add_constructor(
        "!vault", lambda reader, node: loader._vault.decrypt(reader.construct_scalar(node).encode()).decode()
    )
    return yaml.load(text, Loader=Reader)


READERS: dict[str, t.Callable[[DataLoader, str], t.Any]] = {
    ".json": lambda _loader, text: json.loads(text),
    ".jsonl": _lines,
    ".ndjson": _lines,
    ".yml": _yaml,
    ".yaml": _yaml,
}
