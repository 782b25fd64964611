# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Worker's code is and where it comes from: inline text, a file, a folder of modules, or an entrypoint that esbuild bundles.

Sources are read where this runs, once per process. Where a module runs on another host than the playbook, the controller
reads them and hands them over as a table (C(pack) here, C(table) there).
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import json
import os
import typing as t
from dataclasses import dataclass

from .._cloudflare.errors import CloudflareError
from . import folder_source
from .bundle import bundle
from .fingerprint import bundle_digest

BUNDLING: dict[str, t.Mapping[str, t.Any]] = {
    "define": {"type": "dict"},
    "minify": {"type": "bool"},
    "source_map": {"type": "bool"},
}
SPEC: dict[str, t.Mapping[str, t.Any]] = {
    "content": {"type": "str"},
    "path": {"type": "path"},
    "entrypoint": {"type": "path"},
    "main_module": {"type": "str"},
    "esbuild_path": {"type": "path"},
    **BUNDLING,
}
TABLE: dict[str, t.Mapping[str, t.Any]] = {"controller_sources": {"type": "dict"}}
WAYS = ("content", "path", "entrypoint")
LONGEST_READ = 100_000  # bytes of a module that a diff shows
FILES = ("path", "entrypoint")  # those that name a file of the controller

ES_MODULE, SOURCE_MAP = "application/javascript+module", "application/source-map"
CODE = {
    ".js": ES_MODULE,
    ".mjs": ES_MODULE,
    ".cjs": "application/javascript",
    ".py": "text/x-python",
}  # what can be the main module
MODULE_TYPES = {
    **CODE,
    ".wasm": "application/wasm",
    ".json": "application/json",
    ".txt": "text/plain",
    ".html": "text/plain",
    ".sql": "text/plain",
    ".bin": "application/octet-stream",
    ".map": SOURCE_MAP,
}
COMPILED = (".ts", ".mts", ".cts", ".tsx", ".jsx")
LARGEST = 64 * 1024 * 1024  # bytes of all modules together, by Cloudflare's limit
NODEJS = ("nodejs_compat", "nodejs_compat_v2")  # the flags by which a Worker has Node's modules


@dataclass(frozen=True)
class Module:
    """One file of a Worker: C(name) is its path among the others, C(type) its content type."""

    name: str
    type: str
    content: bytes

    @functools.cached_property
    def summary(self) -> dict[str, t.Any]:
        """Return what a person compares."""
        return {
            "name": self.name,
            "type": self.type,
            "size": len(self.content),
            "sha256": hashlib.sha256(self.content).hexdigest(),
        }


@dataclass(frozen=True)
class Source:
    """The modules of a Worker, and source maps, which go along with an upload and are no part of the Worker.

    C(identity) is a hash of what they were made from, which decides whether they changed; C(code) one of what a bundler made, empty
    where none did.
    """

    main_module: str
    modules: tuple[Module, ...]
    identity: str
    maps: tuple[Module, ...] = ()
    code: str = ""

    @property
    def parts(self) -> tuple[Module, ...]:
        """Everything that is uploaded."""
        return (*self.modules, *self.maps)

    @classmethod
    def of(cls, main_module: str, parts: t.Sequence[Module], made_from: t.Any = None) -> Source:
        """Make a source whose identity is its own modules, or what a bundler made them from."""
        material = made_from or [[part.name, part.type, hashlib.sha256(part.content).hexdigest()] for part in parts]
        identity = hashlib.sha256(json.dumps([main_module, material]).encode()).hexdigest()
        modules, maps = (
            tuple(part for part in parts if (part.type == SOURCE_MAP) is wanted) for wanted in (False, True)
        )
        return cls(
            main_module,
            modules,
            identity,
            maps,
            bundle_digest(module.summary for module in modules) if made_from else "",
        )


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
    if not any(options.get(way) for way in WAYS):  # a Worker of assets alone
        return Source.of("", ())
    if options.get("content"):
        return _inline(options.get("main_module") or "worker.js", options["content"])
    key = _key(options)
    packed = (table or {}).get(key)
    found = _unpack(packed) if packed else _read(key)
    if isinstance(found, str):
        raise CloudflareError(found)
    return found


def pack(wanted: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """Return the table by which another host finds the sources of these options. What several of them share is in it once."""
    keys = dict.fromkeys(_key(options) for options in wanted if any(options.get(way) for way in FILES))
    return {key: _pack(_read(key)) for key in keys}


def _pack(source: Source | str) -> dict[str, t.Any]:
    if isinstance(source, str):
        return {"failure": source}
    parts = [
        {"name": part.name, "type": part.type, "base64": base64.b64encode(part.content).decode()}
        for part in source.parts
    ]
    return {"main_module": source.main_module, "parts": parts, "identity": source.identity, "code": source.code}


def _unpack(packed: t.Mapping[str, t.Any]) -> Source | str:
    if "failure" in packed:
        return str(packed["failure"])
    parts = tuple(Module(part["name"], part["type"], base64.b64decode(part["base64"])) for part in packed["parts"])
    return dataclasses.replace(
        Source.of(packed["main_module"], parts), identity=packed["identity"], code=packed["code"]
    )


def _key(options: t.Mapping[str, t.Any]) -> str:
    """Return what a source depends on, as text: options, the file with its whole path, and whether the Worker has Node's modules."""
    way = next(way for way in FILES if options.get(way))
    where = os.path.abspath(os.path.join(options.get("source_root") or "", options[way]))
    nodejs = any(flag in NODEJS for flag in options.get("compatibility_flags") or ())
    asked = {name: options[name] for name in ("main_module", "esbuild_path", *BUNDLING) if options.get(name)}
    return json.dumps({"way": way, "where": where, "nodejs": nodejs, "asked": asked}, sort_keys=True)


@functools.lru_cache(maxsize=128)  # a Worker asks for its source again and again, and whole fleets share one
def _inline(name: str, content: str) -> Source:
    return _source("content", name, {name: content.encode()})


@functools.cache
def _read(key: str) -> Source | str:
    """Return the source, or why there is none: whoever shares it shares that too."""
    wanted = json.loads(key)
    way, where = wanted["way"], wanted["where"]
    if not os.path.exists(where):
        return f"{way}: there is no file {where}. Correct the path; a relative one is looked for beside the playbook."
    try:
        return READERS[way](where, wanted["asked"], wanted["nodejs"])
    except CloudflareError as error:
        return str(error)
    except OSError as error:
        return (
            f"{way}: {error.filename or where} cannot be read: {error.strerror}. Correct the path, or who may read it."
        )


def _from_path(path: str, asked: t.Mapping[str, t.Any], nodejs: bool) -> Source:
    if os.path.isdir(path):
        files = folder_source.read(path, MODULE_TYPES, LARGEST)
        return _source(
            "path",
            folder_source.find_main(path, [name for name in files if _ending(name) in CODE], asked.get("main_module")),
            files,
        )
    if _ending(path) in COMPILED:
        raise CloudflareError(f"path: {path} is not JavaScript yet: give it as entrypoint, and esbuild compiles it.")
    name = asked.get("main_module") or os.path.basename(path)
    with open(path, "rb") as file:
        return _source("path", name, {name: file.read()})


def _from_entrypoint(entrypoint: str, asked: t.Mapping[str, t.Any], nodejs: bool) -> Source:
    if os.path.isdir(entrypoint):
        raise CloudflareError(f"entrypoint: {entrypoint} is a folder: name the file in it that imports the others.")
    name = asked.get("main_module") or os.path.splitext(os.path.basename(entrypoint))[0] + ".js"
    _check_name(name, [ending for ending, kind in CODE.items() if kind == ES_MODULE])
    made = bundle(entrypoint, name, asked, nodejs)
    return _source("entrypoint", name, made.files, made.made_from)


READERS = {"path": _from_path, "entrypoint": _from_entrypoint}


def _source(way: str, main: str, files: t.Mapping[str, bytes], made_from: t.Any = None) -> Source:
    """Make a source of files by name, after refusing what no Worker can be."""
    _check_name(main, CODE)
    strange = [name for name in files if _ending(name) not in MODULE_TYPES]
    if strange:
        raise CloudflareError(
            f"{way}: {strange[0]} can be no module of a Worker, whose endings are {', '.join(MODULE_TYPES)}: import nothing of that kind."
        )
    if not files[main].strip():
        raise CloudflareError(f"{way}: {main} is empty: a Worker has code.")
    size = sum(map(len, files.values()))
    if size > LARGEST:
        raise CloudflareError(
            f"{way}: the Worker has {size} bytes, and {LARGEST} fit: leave out or split what it does not need."
        )
    return Source.of(
        main, [Module(name, MODULE_TYPES[_ending(name)], files[name]) for name in sorted(files)], made_from
    )


def _check_name(main: str, endings: t.Collection[str]) -> None:
    if _ending(main) not in endings:
        raise CloudflareError(
            f"main_module: {main!r} must end in one of {', '.join(endings)}: the ending says what kind of module it is."
        )
    if os.path.isabs(main) or os.path.normpath(main) != main or main.startswith(".."):
        raise CloudflareError(
            f"main_module: {main!r} must be a name, or a path such as lib/worker.js, without . and .. in it."
        )


def _ending(name: str) -> str:
    """Return the ending of a module's name, which may be asked for as C(a.wasm?module)."""
    return os.path.splitext(name.partition("?")[0])[1]
