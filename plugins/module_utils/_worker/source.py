# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Worker's code is and where it comes from: inline text, one file, or an entrypoint that esbuild bundles.

Sources are read where this runs, once per process. Where a module runs on another host than the playbook, the controller
reads them and hands them over as a table (C(pack) here, C(table) there).
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
import typing as t
from dataclasses import dataclass

from .._cloudflare.errors import CloudflareError
from .bundle import bundle

SPEC: dict[str, t.Mapping[str, t.Any]] = {
    "content": {"type": "str"},
    "path": {"type": "path"},
    "entrypoint": {"type": "path"},
    "main_module": {"type": "str"},
    "esbuild_path": {"type": "path"},
}
TABLE: dict[str, t.Mapping[str, t.Any]] = {"controller_sources": {"type": "dict"}}
WAYS = ("content", "path", "entrypoint")
LONGEST_READ = 100_000  # bytes of a module that a diff shows
FILES = ("path", "entrypoint")  # those that name a file of the controller

MODULE_TYPES = {
    ".js": "application/javascript+module",
    ".mjs": "application/javascript+module",
    ".cjs": "application/javascript",
    ".wasm": "application/wasm",
    ".json": "application/json",
    ".txt": "text/plain",
    ".html": "text/plain",
    ".bin": "application/octet-stream",
}


@dataclass(frozen=True)
class Module:
    """One file of a Worker: C(name) is its path among the others, C(type) its content type."""

    name: str
    type: str
    content: bytes

    @property
    def summary(self) -> dict[str, t.Any]:
        """Return what a person compares."""
        return {"name": self.name, "type": self.type, "size": len(self.content), "sha256": hashlib.sha256(self.content).hexdigest()}


@dataclass(frozen=True)
class Source:
    """The modules of a Worker. C(identity) is a hash of what they were made from, which decides whether they changed."""

    main_module: str
    modules: tuple[Module, ...]
    identity: str

    @classmethod
    def of(cls, main_module: str, modules: tuple[Module, ...], made_from: t.Any = None) -> Source:
        """Make a source whose identity is its own modules, or what a bundler made them from."""
        material = made_from or [[module.name, module.type, hashlib.sha256(module.content).hexdigest()] for module in modules]
        return cls(main_module, modules, hashlib.sha256(json.dumps([main_module, material]).encode()).hexdigest())


def compared(old: Module | None, new: Module | None, label: str) -> dict[str, str] | None:
    """Return two versions of a module as a diff in Ansible's form; None where they are the same or nothing that a person reads."""
    before, after = (module.content if module else b"" for module in (old, new))
    if before == after or max(len(before), len(after)) > LONGEST_READ:
        return None
    try:
        return {"before": before.decode(), "after": after.decode(), "before_header": label, "after_header": label}
    except UnicodeDecodeError:
        return None


def load(options: t.Mapping[str, t.Any], table: t.Mapping[str, t.Any] | None = None) -> Source:
    """Return the source that the options C(content), C(path) or C(entrypoint) name. C(table) holds what was read elsewhere."""
    way = next((way for way in WAYS if options.get(way) is not None), None)
    if way is None:  # a Worker of assets alone
        return Source.of("", ())
    packed = (table or {}).get(_key(way, options))
    if packed:
        return _unpack(packed)
    if way == "content":
        return _single(options.get("main_module") or "worker.js", options["content"].encode())
    return _read(way, os.path.abspath(os.path.join(options.get("source_root") or "", options[way])), options.get("main_module"), options.get("esbuild_path"))


def pack(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the table entry by which another host finds the source of these options."""
    way = next(way for way in FILES if options.get(way) is not None)
    source = load(options)
    modules = [{"name": module.name, "type": module.type, "base64": base64.b64encode(module.content).decode()} for module in source.modules]
    return {_key(way, options): {"main_module": source.main_module, "modules": modules, "identity": source.identity}}


def _unpack(packed: t.Mapping[str, t.Any]) -> Source:
    modules = tuple(Module(part["name"], part["type"], base64.b64decode(part["base64"])) for part in packed["modules"])
    return Source(packed["main_module"], modules, packed["identity"])


def _key(way: str, options: t.Mapping[str, t.Any]) -> str:
    return json.dumps([way, options[way], options.get("main_module"), options.get("esbuild_path")])


@functools.cache
def _read(way: str, path: str, main_module: str | None, esbuild_path: str | None) -> Source:
    if not os.path.exists(path):
        raise CloudflareError(f"{way}: there is no file {path}. Correct the path; a relative one is looked for beside the playbook.")
    if os.path.isdir(path):
        raise CloudflareError(f"{way}: {path} is a folder: name the file in it that is the Worker.")
    if way == "entrypoint":
        made = bundle(path, esbuild_path)
        name = main_module or os.path.splitext(os.path.basename(path))[0] + ".js"
        return Source.of(name, (Module(name, MODULE_TYPES[".js"], made.code),), made.made_from)
    if os.path.splitext(path)[1] in (".ts", ".tsx", ".jsx"):
        raise CloudflareError(f"path: {path} is not JavaScript yet: give it as entrypoint, and esbuild compiles it.")
    with open(path, "rb") as file:
        return _single(main_module or os.path.basename(path), file.read())


def _single(name: str, content: bytes) -> Source:
    kind = MODULE_TYPES.get(os.path.splitext(name)[1])
    if kind is None:
        raise CloudflareError(f"main_module: {name!r} must end in one of {', '.join(MODULE_TYPES)}: the ending says what kind of module it is.")
    return Source.of(name, (Module(name, kind, content),))
