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

BUNDLER_OPTIONS: dict[str, t.Mapping[str, t.Any]] = {
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
    **BUNDLER_OPTIONS,
}
PACKED_SOURCES = "_controller_sources"  # the argument by which the controller sends sources to a module elsewhere
SOURCE_OPTIONS = ("content", "path", "entrypoint")
MAX_DIFF_BYTES = 100_000  # bytes of a module that a diff shows
PATH_OPTIONS = ("path", "entrypoint")  # those that name a file of the controller

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
MAX_SIZE = 64 * 1024 * 1024  # bytes of all modules together, by Cloudflare's limit
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
    source_digest: str
    maps: tuple[Module, ...] = ()
    bundle_digest: str = ""

    @property
    def parts(self) -> tuple[Module, ...]:
        """Everything that is uploaded."""
        return (*self.modules, *self.maps)

    @classmethod
    def of(cls, main_module: str, parts: t.Sequence[Module], inputs: t.Any = None) -> Source:
        """Make a source whose identity is its own modules, or what a bundler made them from."""
        digest_input = inputs or [[part.name, part.type, hashlib.sha256(part.content).hexdigest()] for part in parts]
        source_digest = hashlib.sha256(json.dumps([main_module, digest_input]).encode()).hexdigest()
        modules, maps = (
            tuple(part for part in parts if (part.type == SOURCE_MAP) is is_map) for is_map in (False, True)
        )
        return cls(
            main_module,
            modules,
            source_digest,
            maps,
            bundle_digest(module.summary for module in modules) if inputs else "",
        )


def module_diff(old: Module | None, new: Module | None, label: str) -> dict[str, str] | None:
    """Return two versions of a module as a diff in Ansible's form; None where they are the same or nothing that a person reads."""
    before, after = (module.content if module else b"" for module in (old, new))
    if before == after or max(len(before), len(after)) > MAX_DIFF_BYTES:
        return None
    try:
        return {"before": before.decode(), "after": after.decode(), "before_header": label, "after_header": label}
    except UnicodeDecodeError:
        return None


def load(options: t.Mapping[str, t.Any], packed_sources: t.Mapping[str, t.Any] | None = None) -> Source:
    """Return the source that the options C(content), C(path) or C(entrypoint) name. C(table) holds what was read elsewhere."""
    if not any(options.get(option) for option in SOURCE_OPTIONS):  # a Worker of assets alone
        return Source.of("", ())
    if options.get("content"):
        return _inline(options.get("main_module") or "worker.js", options["content"])
    key = _key(options)
    packed = (packed_sources or {}).get(key)
    found = _unpack(packed) if packed else _read(key)
    if isinstance(found, str):
        raise CloudflareError(found)
    return found


def pack(workers: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """Return the table by which another host finds the sources of these options. What several of them share is in it once."""
    keys = dict.fromkeys(_key(options) for options in workers if any(options.get(option) for option in PATH_OPTIONS))
    return {key: _pack(_read(key)) for key in keys}


def _pack(source: Source | str) -> dict[str, t.Any]:
    if isinstance(source, str):
        return {"failure": source}
    parts = [
        {"name": part.name, "type": part.type, "base64": base64.b64encode(part.content).decode()}
        for part in source.parts
    ]
    return {
        "main_module": source.main_module,
        "parts": parts,
        "identity": source.source_digest,
        "code": source.bundle_digest,
    }


def _unpack(packed: t.Mapping[str, t.Any]) -> Source | str:
    if "failure" in packed:
        return str(packed["failure"])
    parts = tuple(Module(part["name"], part["type"], base64.b64decode(part["base64"])) for part in packed["parts"])
    return dataclasses.replace(
        Source.of(packed["main_module"], parts), source_digest=packed["identity"], bundle_digest=packed["code"]
    )


def _key(options: t.Mapping[str, t.Any]) -> str:
    """Return what a source depends on, as text: options, the file with its whole path, and whether the Worker has Node's modules."""
    option = next(option for option in PATH_OPTIONS if options.get(option))
    path = os.path.abspath(os.path.join(options.get("source_root") or "", options[option]))
    nodejs = any(flag in NODEJS for flag in options.get("compatibility_flags") or ())
    loader_options = {
        name: options[name] for name in ("main_module", "esbuild_path", *BUNDLER_OPTIONS) if options.get(name)
    }
    return json.dumps({"option": option, "path": path, "nodejs": nodejs, "options": loader_options}, sort_keys=True)


@functools.lru_cache(maxsize=128)  # a Worker asks for its source again and again, and whole fleets share one
def _inline(name: str, content: str) -> Source:
    return _source("content", name, {name: content.encode()})


@functools.cache
def _read(key: str) -> Source | str:
    """Return the source, or why there is none: whoever shares it shares that too."""
    source_request = json.loads(key)
    option, path = source_request["option"], source_request["path"]
    if not os.path.exists(path):
        return f"{option}: there is no file {path}. Correct the path; a relative one is looked for beside the playbook."
    try:
        return READERS[option](path, source_request["options"], source_request["nodejs"])
    except CloudflareError as error:
        return str(error)
    except OSError as error:
        return f"{option}: {error.filename or path} cannot be read: {error.strerror}. Correct the path, or who may read it."


def _from_path(path: str, options: t.Mapping[str, t.Any], nodejs: bool) -> Source:
    if os.path.isdir(path):
        files = folder_source.read(path, MODULE_TYPES, MAX_SIZE)
        return _source(
            "path",
            folder_source.find_main(
                path, [name for name in files if _extension(name) in CODE], options.get("main_module")
            ),
            files,
        )
    if _extension(path) in COMPILED:
        raise CloudflareError(f"path: {path} is not JavaScript yet: give it as entrypoint, and esbuild compiles it.")
    name = options.get("main_module") or os.path.basename(path)
    with open(path, "rb") as file:
        return _source("path", name, {name: file.read()})


def _from_entrypoint(entrypoint: str, options: t.Mapping[str, t.Any], nodejs: bool) -> Source:
    if os.path.isdir(entrypoint):
        raise CloudflareError(f"entrypoint: {entrypoint} is a folder: name the file in it that imports the others.")
    name = options.get("main_module") or os.path.splitext(os.path.basename(entrypoint))[0] + ".js"
    _check_name(name, [ending for ending, kind in CODE.items() if kind == ES_MODULE])
    bundled = bundle(entrypoint, name, options, nodejs)
    return _source("entrypoint", name, bundled.files, bundled.inputs)


READERS = {"path": _from_path, "entrypoint": _from_entrypoint}


def _source(option: str, main: str, files: t.Mapping[str, bytes], inputs: t.Any = None) -> Source:
    """Make a source of files by name, after refusing what no Worker can be."""
    _check_name(main, CODE)
    unsupported = [name for name in files if _extension(name) not in MODULE_TYPES]
    if unsupported:
        raise CloudflareError(
            f"{option}: {unsupported[0]} can be no module of a Worker, whose endings are {', '.join(MODULE_TYPES)}: import nothing of that kind."
        )
    if not files[main].strip():
        raise CloudflareError(f"{option}: {main} is empty: a Worker has code.")
    size = sum(map(len, files.values()))
    if size > MAX_SIZE:
        raise CloudflareError(
            f"{option}: the Worker has {size} bytes, and {MAX_SIZE} fit: leave out or split what it does not need."
        )
    return Source.of(
        main, [Module(name, MODULE_TYPES[_extension(name)], files[name]) for name in sorted(files)], inputs
    )


def _check_name(main: str, extensions: t.Collection[str]) -> None:
    if _extension(main) not in extensions:
        raise CloudflareError(
            f"main_module: {main!r} must end in one of {', '.join(extensions)}: the ending says what kind of module it is."
        )
    if os.path.isabs(main) or os.path.normpath(main) != main or main.startswith(".."):
        raise CloudflareError(
            f"main_module: {main!r} must be a name, or a path such as lib/worker.js, without . and .. in it."
        )


def _extension(name: str) -> str:
    """Return the ending of a module's name, which may be asked for as C(a.wasm?module)."""
    return os.path.splitext(name.partition("?")[0])[1]
