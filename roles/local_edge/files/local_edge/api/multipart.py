# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Multipart bodies, in and out."""
from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from local_edge.api.call import Call
from local_edge.errors import bad_body

MAX_PART = 105 * 1024 * 1024


@dataclass(frozen=True)
class Part:
    """One part; `filename` is None for a plain field."""

    name: str
    body: bytes
    filename: str | None = None
    content_type: str = ""

    @property
    def media_type(self) -> str:
        """The content type without its parameters."""
        return self.content_type.partition(";")[0].strip().lower()


async def read(call: Call) -> list[Part]:
    """The parts of a request in their order."""
    try:
        form = await parsed(call)
    except (MultiPartException, UnicodeError, KeyError, ValueError) as error:
        raise bad_body(f"malformed multipart: {getattr(error, 'message', error)}") from None
    parts = [await part(name, value) for name, value in form.multi_items()]
    await form.close()
    return parts


async def parsed(call: Call) -> FormData:
    async def stream() -> AsyncIterator[bytes]:
        yield call.body
        yield b""
    return await MultiPartParser(Headers(dict(call.headers)), stream(), max_part_size=MAX_PART).parse()  # type: ignore[arg-type]


async def part(name: str, value: UploadFile | str) -> Part:
    if isinstance(value, str):
        return Part(name, value.encode())
    return Part(name, await value.read(), value.filename, value.content_type or "")


def written(parts: Iterable[Part]) -> tuple[bytes, str]:
    """A multipart body and its content type."""
    boundary, chunks = uuid.uuid4().hex, []
    for each in parts:
        head = f'Content-Disposition: form-data; name="{each.name}"; filename="{each.filename}"\r\nContent-Type: {each.content_type}'
        chunks += [f"--{boundary}\r\n{head}\r\n\r\n".encode(), each.body, b"\r\n"]
    return b"".join([*chunks, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"
