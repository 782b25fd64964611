# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Encode a Worker as a multipart upload, and decode the modules in a multipart response."""

from __future__ import annotations

import email.message
import email.parser
import email.policy
import json
import typing as t

from .binding_types import INHERIT, SECRET_TYPES, Binding
from .module_types import SOURCE_MAP
from .source import Module, Source

# Sent unless bindings are inherited by name. An upload deletes bindings of all types that are not listed here.
KEEP_BINDINGS = list(SECRET_TYPES)


def upload_request(
    source: Source,
    settings: t.Mapping[str, t.Any],
    bindings: t.Iterable[Binding],
    tags: t.Iterable[str],
    more_metadata: t.Mapping[str, t.Any],
) -> dict[str, t.Any]:
    """Return the request arguments of an upload. A part's name and file name are both the name of its module."""
    all_bindings = list(bindings)
    keep_bindings = (
        {} if any(binding["type"] == INHERIT for binding in all_bindings) else {"keep_bindings": KEEP_BINDINGS}
    )
    main = {"main_module": source.main_module} if source.modules else {}  # none if the Worker has only assets
    metadata = {**main, **settings, "bindings": all_bindings, **keep_bindings, "tags": list(tags), **more_metadata}
    parts = [(module.name, (module.name, module.content, module.type)) for module in source.parts]
    return {
        "params": {"excludeScript": "true", "bindings_inherit": "strict"},
        "files": [("metadata", (None, json.dumps(metadata), "application/json")), *parts],
    }


def settings_request(settings: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the request arguments of a settings change without an upload."""
    return {"files": [("settings", (None, json.dumps(settings), "application/json"))]}


def modules_key(modules: t.Any) -> t.Any:
    """Return the comparison key of modules: name and hash, since the server may normalize content types."""
    return [(module["name"], module["sha256"]) for module in modules or []]


def read_modules(content: bytes, content_type: str, entrypoint: str = "") -> list[Module]:
    """Parse a response with the modules of a Worker, sorted by name. Source maps are dropped.

    It is multipart, or the bare code of a single module, which ``entrypoint`` names, or of a Worker without modules.
    """
    if not content_type.startswith("multipart/"):
        return [Module(entrypoint, content_type.partition(";")[0], content)] if content else []
    # The parser needs the header in front of the body.
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + content
    )
    parts = [
        Module(_module_name(part), part.get_content_type(), t.cast(bytes, part.get_payload(decode=True)))
        for part in message.iter_parts()
    ]
    return sorted((part for part in parts if part.type != SOURCE_MAP), key=lambda part: part.name)


def _module_name(part: email.message.MIMEPart) -> str:
    """Return the name of the module in a part, which need not have a file name."""
    return part.get_filename() or str(part.get_param("name", "", "content-disposition"))
