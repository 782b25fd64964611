# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsing and encoding of multipart bodies."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from local_edge.api.request import ApiRequest
from local_edge.errors import bad_body

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

# The API error already contains its warnings.
logging.getLogger("python_multipart").addHandler(logging.NullHandler())

#: Escapes of characters in a quoted header value, as browsers write them.
ESCAPED = {'"': "%22", "\r": "%0D", "\n": "%0A"}


@dataclass(frozen=True)
class FormPart:
    """A part. `filename` is None for a field without a file."""

    name: str
    body: bytes
    filename: str | None = None
    content_type: str = ""

    @property
    def media_type(self) -> str:
        """Content type without its parameters."""
        return self.content_type.partition(";")[0].strip().lower()


class Reader:
    """Collects the parts of a body from the callbacks of the parser."""

    def __init__(self) -> None:
        self.parts: list[FormPart] = []
        self.ended = False
        self.field = self.value = b""
        self.headers: dict[str, bytes] = {}
        self.chunks: list[bytes] = []

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self.begin,
            "on_header_field": self.add_field,
            "on_header_value": self.add_value,
            "on_header_end": self.end_header,
            "on_part_data": self.add_data,
            "on_part_end": self.end_part,
            "on_end": self.end,
        }

    def begin(self) -> None:
        self.headers, self.chunks = {}, []

    def add_field(self, data: bytes, start: int, end: int) -> None:
        self.field += data[start:end]

    def add_value(self, data: bytes, start: int, end: int) -> None:
        self.value += data[start:end]

    def end_header(self) -> None:
        self.headers[self.field.decode("latin-1").lower()] = self.value
        self.field = self.value = b""

    def add_data(self, data: bytes, start: int, end: int) -> None:
        self.chunks.append(data[start:end])

    def end_part(self) -> None:
        _kind, options = parse_options_header(self.headers.get("content-disposition", b""))
        if b"name" not in options:
            raise ValueError("a part has no name")
        filename = options.get(b"filename")
        self.parts.append(
            FormPart(
                options[b"name"].decode(),
                b"".join(self.chunks),
                None if filename is None else filename.decode(),
                self.headers.get("content-type", b"").decode("latin-1"),
            )
        )

    def end(self) -> None:
        self.ended = True


def read(request: ApiRequest) -> list[FormPart]:
    """Return the parts of a request. Raise ApiError if the body is malformed."""
    reader = Reader()
    try:
        _kind, options = parse_options_header(request.headers.get("content-type", ""))
        if not options.get(b"boundary"):
            raise ValueError("its Content-Type names no boundary")
        parser = MultipartParser(options[b"boundary"], reader.callbacks())
        parser.write(request.body)
        parser.finalize()
        if not reader.ended:
            raise ValueError("it ends before its closing boundary")
    except (FormParserError, ValueError) as error:
        raise bad_body(f"malformed multipart: {error}") from None
    return reader.parts


def quoted(text: str) -> str:
    return "".join(ESCAPED.get(character, character) for character in text)


def encode(parts: Iterable[FormPart]) -> tuple[bytes, str]:
    """Return a multipart body and its content type."""
    boundary, chunks = uuid.uuid4().hex, []
    for each in parts:
        names = f'name="{quoted(each.name)}"'
        names += "" if each.filename is None else f'; filename="{quoted(each.filename)}"'
        head = f"Content-Disposition: form-data; {names}\r\nContent-Type: {each.content_type}"
        chunks += [f"--{boundary}\r\n{head}\r\n\r\n".encode(), each.body, b"\r\n"]
    return b"".join([*chunks, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"
