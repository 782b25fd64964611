# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader of ``workers_file``: JSON, JSON Lines or YAML, optionally encrypted with Ansible Vault.

The content is data and is never templated.
"""

from __future__ import annotations

import json
import os
import re
import typing as t

import yaml
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import CloudflareError
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._value_types import mark_invalid
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker.regular_file import check_regular
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

MAX_SIZE = 1024**3  # bytes
TIMESTAMP_TAG = "tag:yaml.org,2002:timestamp"


def read(loader: DataLoader, path: str) -> list[t.Any]:
    """Return the Workers that a file declares. Raise AnsibleActionFail if the file is not valid.

    An error message contains no content of the file, since that may be a secret.
    """
    extension = os.path.splitext(path)[1].lower()
    if extension not in PARSERS:
        raise AnsibleActionFail(f"workers_file: {path} has an unsupported extension. Use one of {', '.join(PARSERS)}.")
    format_name, parse = PARSERS[extension]
    try:
        check_regular("workers_file", path, MAX_SIZE)
    except CloudflareError as error:
        raise AnsibleActionFail(str(error)) from None
    try:
        content, _show_content = loader._get_file_contents(path)
        workers = parse(loader, content.decode("utf-8-sig"))
    except AnsibleError as error:
        raise AnsibleActionFail(f"workers_file: {path} cannot be read: {error}") from error
    except Exception as error:  # pylint: disable=broad-exception-caught  # its own text may quote secrets of the file
        raise AnsibleActionFail(
            f"workers_file: {path} is not valid {format_name}: {_describe_error(error)}. Correct the file."
        ) from None
    if not isinstance(workers, list):
        raise AnsibleActionFail(
            f"workers_file: {path} does not contain a list. Declare the Workers as a list of dictionaries with a name."
        )
    return [mark_invalid(worker) for worker in workers]


def _describe_error(error: Exception) -> str:
    """Describe a parse error and its position without quoting the file."""
    match error:
        case UnicodeDecodeError():
            return "the encoding is not UTF-8"
        case json.JSONDecodeError():
            return str(error)
        case yaml.MarkedYAMLError():
            quotes_file = isinstance(error, (ConstructorError, ComposerError))
            problem = re.split("['\"]", str(error.problem))[0].strip() if quotes_file else error.problem
            return f"{problem}{f' in line {error.problem_mark.line + 1}' if error.problem_mark else ''}"
        case yaml.reader.ReaderError():
            return f"control character at position {error.position}"
    return f"a value cannot be parsed ({type(error).__name__})"


def _parse_json_lines(_loader: DataLoader, text: str) -> list[t.Any]:
    values = []
    for number, line in enumerate(text.split("\n"), 1):  # splitlines would split inside JSON strings, as at U+2028
        if line.strip():
            try:
                values.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise json.JSONDecodeError(error.msg, "\n" * (number - 1) + line, number - 1 + error.pos) from None
    return values


def _parse_yaml(loader: DataLoader, text: str) -> t.Any:
    class WorkersLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Loads dates as strings, and decrypts vaulted values."""

        yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in resolvers if tag != TIMESTAMP_TAG]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    WorkersLoader.add_constructor("!unsafe", lambda constructor, node: constructor.construct_scalar(node))
    WorkersLoader.add_constructor(
        "!vault",
        lambda constructor, node: loader._vault.decrypt(constructor.construct_scalar(node).encode()).decode(),
    )
    return yaml.load(text, Loader=WorkersLoader)


PARSERS: dict[str, tuple[str, t.Callable[[DataLoader, str], t.Any]]] = {  # by file extension
    ".json": ("JSON", lambda _loader, text: json.loads(text)),
    ".jsonl": ("JSON Lines", _parse_json_lines),
    ".ndjson": ("JSON Lines", _parse_json_lines),
    ".yml": ("YAML", _parse_yaml),
    ".yaml": ("YAML", _parse_yaml),
}
