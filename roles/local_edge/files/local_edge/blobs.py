# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage of large values outside the database: one file per value in a folder, named by a random id.

A database row refers to each file. Garbage collection removes files without a row, which an aborted write or a
deletion leaves behind. Therefore a file is written and synced before its row, and a row is deleted before its file.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
import uuid
from collections.abc import AsyncIterable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from weakref import WeakSet

#: Bytes that are read at a time.
CHUNK = 256 * 1024


class BlobWriter:
    """A file that is being written, with its size and its digests so far."""

    def __init__(self, path: Path, algorithms: Iterable[str]) -> None:
        self.path, self.ident, self.size = path, path.name, 0
        self.hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
        self.file = path.open("xb")

    async def write(self, chunks: AsyncIterable[bytes]) -> None:
        """Write all chunks, then sync the file to disk."""
        async for chunk in chunks:
            self.file.write(chunk)
            self.size += len(chunk)
            for each in self.hashes.values():
                each.update(chunk)
        await asyncio.to_thread(self.sync)

    def sync(self) -> None:
        """Sync the file and its folder."""
        self.file.flush()
        os.fsync(self.file.fileno())
        sync_folder(self.path.parent)

    @property
    def ids(self) -> list[str]:
        return [self.ident]

    @property
    def digests(self) -> dict[str, str]:
        """Hexadecimal digests by algorithm."""
        return {name: each.hexdigest() for name, each in self.hashes.items()}


@dataclass(frozen=True)
class Extent:
    """A byte range of a file."""

    ident: str
    start: int
    length: int


class Content:
    """Byte ranges to read one after the other. Their files are not removed while it is in use."""

    def __init__(self, folder: Path, extents: list[Extent]) -> None:
        self.folder, self.extents = folder, extents

    def __len__(self) -> int:
        return sum(extent.length for extent in self.extents)

    def __iter__(self) -> Iterator[bytes]:
        for extent in self.extents:
            with (self.folder / extent.ident).open("rb") as file:
                file.seek(extent.start)
                rest = extent.length
                while chunk := file.read(min(CHUNK, rest)):
                    rest -= len(chunk)
                    yield chunk

    @property
    def ids(self) -> list[str]:
        return [extent.ident for extent in self.extents]


class Blobs:
    """The files of a folder. `folder` None stands for a temporary folder, created with the first file."""

    def __init__(self, folder: Path | None) -> None:
        self.permanent = folder
        self.temporary: tempfile.TemporaryDirectory[str] | None = None
        #: Open readers and writers. The weak reference drops one when its request ends.
        self.users: WeakSet[BlobWriter | Content] = WeakSet()

    @cached_property
    def folder(self) -> Path:
        if self.permanent is None:
            self.temporary = tempfile.TemporaryDirectory(prefix="local-edge-")
            return Path(self.temporary.name)
        self.permanent.mkdir(mode=0o700, exist_ok=True)
        sync_folder(self.permanent.parent)
        return self.permanent

    @contextlib.contextmanager
    def writer(self, algorithms: Iterable[str]) -> Iterator[BlobWriter]:
        """Create a file. It is removed if the block raises; otherwise the block must have inserted its row."""
        writer = BlobWriter(self.folder / uuid.uuid4().hex, algorithms)
        self.users.add(writer)
        try:
            yield writer
        except BaseException:
            writer.path.unlink(missing_ok=True)
            raise
        finally:
            writer.file.close()

    def content(self, extents: list[Extent]) -> Content:
        content = Content(self.folder, extents)
        self.users.add(content)
        return content

    def remove(self, ids: Iterable[str]) -> None:
        """Remove files without rows. A file that is in use is left to garbage collection."""
        used = self.used()
        for ident in ids:
            if ident not in used:
                (self.folder / ident).unlink(missing_ok=True)

    def collect_garbage(self, referenced: Collection[str]) -> None:
        """Remove all files whose ids are not in `referenced`."""
        if self.permanent or self.temporary:
            self.remove([name for name in os.listdir(self.folder) if name not in referenced])

    def used(self) -> set[str]:
        return {ident for user in self.users for ident in user.ids}

    def close(self) -> None:
        if self.temporary:
            self.temporary.cleanup()


def sync_folder(path: Path) -> None:
    """Sync a folder, so that its new files survive a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
