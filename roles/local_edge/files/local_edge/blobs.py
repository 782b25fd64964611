# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes that are too many for the database: files in a folder, each under an id of its own.

The database says which of them count. A file that no row names is nothing: a write that was broken off left it, or what named it is gone,
and the sweep removes it. So a file is written and synced first, its row afterwards, and on the way out the row goes first.
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

#: How many bytes are in memory of a file that is read.
CHUNK = 256 * 1024


class BlobWriter:
    """A file that is being written, with the digests of what is in it so far."""

    def __init__(self, path: Path, algorithms: Iterable[str]) -> None:
        self.path, self.ident, self.size = path, path.name, 0
        self.hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
        self.file = path.open("xb")

    async def write(self, chunks: AsyncIterable[bytes]) -> None:
        """Write all of it; on return it is on the disk."""
        async for chunk in chunks:
            self.file.write(chunk)
            self.size += len(chunk)
            for each in self.hashes.values():
                each.update(chunk)
        await asyncio.to_thread(self.sync)

    def sync(self) -> None:
        """Sync the file, and the folder that must know it."""
        self.file.flush()
        os.fsync(self.file.fileno())
        sync_folder(self.path.parent)

    @property
    def ids(self) -> list[str]:
        return [self.ident]

    @property
    def digests(self) -> dict[str, str]:
        """In hexadecimal, by algorithm."""
        return {name: each.hexdigest() for name, each in self.hashes.items()}


@dataclass(frozen=True)
class Extent:
    """A stretch of a file."""

    ident: str
    start: int
    length: int


class Content:
    """What is to be read, extent after extent. Its files stay while it does, whatever becomes of their rows."""

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
    """The files of a folder; without one, of a passing folder, made when there is something to put into it."""

    def __init__(self, folder: Path | None) -> None:
        self.lasting = folder
        self.passing: tempfile.TemporaryDirectory[str] | None = None
        #: Who writes and reads. One whose request has ended is gone by itself.
        self.users: WeakSet[BlobWriter | Content] = WeakSet()

    @cached_property
    def folder(self) -> Path:
        if self.lasting is None:
            self.passing = tempfile.TemporaryDirectory(prefix="local-edge-")
            return Path(self.passing.name)
        self.lasting.mkdir(mode=0o700, exist_ok=True)
        sync_folder(self.lasting.parent)
        return self.lasting

    @contextlib.contextmanager
    def writer(self, algorithms: Iterable[str]) -> Iterator[BlobWriter]:
        """A new file. It stays if the block ends well: by then a row names it."""
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
        """Remove files whose rows are gone; one that is still in use waits for the sweep."""
        used = self.used()
        for ident in ids:
            if ident not in used:
                (self.folder / ident).unlink(missing_ok=True)

    def collect_garbage(self, named: Collection[str]) -> None:
        """Remove all that no row names."""
        if self.lasting or self.passing:
            self.remove([name for name in os.listdir(self.folder) if name not in named])

    def used(self) -> set[str]:
        return {ident for user in self.users for ident in user.ids}

    def close(self) -> None:
        if self.passing:
            self.passing.cleanup()


def sync_folder(path: Path) -> None:
    """Let what was made in a folder be there after a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
