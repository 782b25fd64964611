# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Code of a Worker: inline text, a file, a folder of modules, or an entrypoint that esbuild bundles.

A process reads each source once. If a module runs on another host than the controller, the controller reads the sources
and sends them along as packed sources (see pack() and load()).
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
from .bundle import BUNDLER_OPTIONS, Entrypoint
from .bundlers import bundle, relevant
from .fingerprint import bundle_digest
from .module_types import CODE, COMPILED, ES_MODULE, MODULE_TYPES, SOURCE_MAP, extension, module_content, module_type
from .nodejs import Compatibility
from .regular_file import check_regular, name_error, read_regular

SPEC: dict[str, t.Mapping[str, t.Any]] = {
    "content": {"type": "str"},
    "path": {"type": "path"},
    "entrypoint": {"type": "path"},
    "main_module": {"type": "str"},
    "esbuild_path": {"type": "path"},
    **BUNDLER_OPTIONS,
}
BUNDLING_OPTIONS = ("esbuild_path", *BUNDLER_OPTIONS)
PACKED_SOURCES = "_controller_sources"  # argument with sources that the controller has read for a module
SOURCE_OPTIONS = ("content", "path", "entrypoint")
MAX_DIFF_BYTES = 100_000  # larger modules are not shown in a diff
PATH_OPTIONS = ("path", "entrypoint")  # of files on the controller

MAX_SIZE = 64 * 1024 * 1024  # Cloudflare's limit for all modules together, in bytes


@dataclass(frozen=True)
class Module:
    """One file of a Worker: C(name) is its relative path, C(type) its content type."""

    name: str
    type: str
    content: bytes

    @functools.cached_property
    def summary(self) -> dict[str, t.Any]:
        """Return the module for results and diffs, with a hash in place of its content."""
        return {
            "name": self.name,
            "type": self.type,
            "size": len(self.content),
            "sha256": hashlib.sha256(self.content).hexdigest(),
        }


@dataclass(frozen=True)
class Source:
    """The modules of a Worker, and source maps, which are uploaded too but are not modules.

    C(source_digest) is a hash of the inputs: the source files of a bundle, else the modules. It decides whether the
    code changed. C(bundle_digest) is a hash of the bundler's output, empty if the code was not bundled. C(left_out) are
    the paths of files and folders in the folder of the Worker that are not part of it.
    """

    main_module: str
    modules: tuple[Module, ...]
    source_digest: str
    maps: tuple[Module, ...] = ()
    bundle_digest: str = ""
    left_out: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[Module, ...]:
        """Return all files to upload."""
        return (*self.modules, *self.maps)

    @classmethod
    def of(cls, main_module: str, parts: t.Sequence[Module], inputs: t.Any = None) -> Source:
        """Create a source. Its digest covers C(inputs) of a bundle, else C(parts)."""
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
    """Return an Ansible diff of two versions of a module, or None if they are equal, too large or not text."""
    before, after = (module.content if module else b"" for module in (old, new))
    if before == after or max(len(before), len(after)) > MAX_DIFF_BYTES:
        return None
    try:
        return {"before": before.decode(), "after": after.decode(), "before_header": label, "after_header": label}
    except UnicodeDecodeError:
        return None


def load(options: t.Mapping[str, t.Any], packed_sources: t.Mapping[str, t.Any] | None = None) -> Source:
    """Load the source in C(content), C(path) or C(entrypoint), from C(packed_sources) if it contains it.

    Raise CloudflareError if it cannot be read or is not valid.
    """
    if not any(options.get(option) for option in SOURCE_OPTIONS):  # only assets
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
    """Read the sources of several Workers and pack them for another host, by key. Shared sources are packed once."""
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
        "left_out": list(source.left_out),
    }


def _unpack(packed: t.Mapping[str, t.Any]) -> Source | str:
    if "failure" in packed:
        return str(packed["failure"])
    parts = tuple(Module(part["name"], part["type"], base64.b64decode(part["base64"])) for part in packed["parts"])
    return dataclasses.replace(
        Source.of(packed["main_module"], parts),
        source_digest=packed["identity"],
        bundle_digest=packed["code"],
        left_out=tuple(packed["left_out"]),
    )


def _key(options: t.Mapping[str, t.Any]) -> str:
    """Return everything that a source depends on, as JSON: its absolute path, the options, date and flags."""
    option = next(option for option in PATH_OPTIONS if options.get(option))
    path = os.path.abspath(os.path.join(options.get("source_root") or "", options[option]))
    loader_options = {name: options[name] for name in ("main_module", *BUNDLING_OPTIONS) if options.get(name)}
    compatibility = relevant(loader_options, Compatibility.from_options(options)) if option == "entrypoint" else None
    return json.dumps(
        {
            "option": option,
            "path": path,
            "options": loader_options,
            "compatibility": dataclasses.asdict(compatibility or Compatibility()),
        },
        sort_keys=True,
    )


@functools.lru_cache(maxsize=128)  # a Worker reads its source several times, and many Workers share one
def _inline(name: str, content: str) -> Source:
    return _source("content", name, {name: content.encode()})


@functools.cache
def _read(key: str) -> Source | str:
    """Return the source, or the error message, so that Workers that share a source share its error too."""
    source_request = json.loads(key)
    option, path = source_request["option"], source_request["path"]
    if not os.path.exists(path):
        return (
            f"{option}: file {path} does not exist. Correct the path. "
            "A relative path is resolved from the folder of the playbook."
        )
    try:
        return READERS[option](path, source_request["options"], Compatibility(**source_request["compatibility"]))
    except CloudflareError as error:
        return str(error)
    except OSError as error:
        return (
            f"{option}: {error.filename or path} cannot be read: {error.strerror}. "
            "Correct the path or the permissions of the file."
        )


def _from_path(path: str, options: t.Mapping[str, t.Any], compatibility: Compatibility) -> Source:
    if os.path.isdir(path):
        found = folder_source.read(path, options.get("main_module"), MAX_SIZE)
        return dataclasses.replace(_source("path", found.main, found.files), left_out=found.left_out)
    if extension(path) in COMPILED:
        raise CloudflareError(f"path: {path} is not JavaScript. Set it as entrypoint; esbuild compiles it.")
    name = options.get("main_module") or os.path.basename(path)
    return _source("path", name, {name: read_regular("path", path, MAX_SIZE)})


def _from_entrypoint(entrypoint: str, options: t.Mapping[str, t.Any], compatibility: Compatibility) -> Source:
    if os.path.isdir(entrypoint):
        raise CloudflareError(f"entrypoint: {entrypoint} is a folder. Set the file in it that imports the others.")
    check_regular("entrypoint", entrypoint, MAX_SIZE)
    name = options.get("main_module") or os.path.splitext(os.path.basename(entrypoint))[0] + ".js"
    _check_name(name, [ending for ending, kind in CODE.items() if kind == ES_MODULE])
    bundled = bundle(Entrypoint(entrypoint, name, options, compatibility))
    return _source("entrypoint", name, bundled.files, bundled.inputs)


READERS = {"path": _from_path, "entrypoint": _from_entrypoint}


def _source(option: str, main: str, files: t.Mapping[str, bytes], inputs: t.Any = None) -> Source:
    """Create a source from files by name. Raise CloudflareError if they are not a valid Worker."""
    _check_name(main, CODE)
    types = {name: kind for name in sorted(files) if (kind := module_type(name, main))}
    unsupported = [name for name in files if name not in types]
    if unsupported:
        raise CloudflareError(
            f"{option}: {unsupported[0]} is not a valid module. "
            f"Import only files with one of the extensions {', '.join(MODULE_TYPES)}."
        )
    if not files[main].strip():
        raise CloudflareError(f"{option}: {main} is empty. Add the code of the Worker.")
    parts = [Module(name, kind, module_content(option, name, kind, files[name])) for name, kind in types.items()]
    size = sum(len(part.content) for part in parts)
    if size > MAX_SIZE:
        raise CloudflareError(
            f"{option}: the Worker has {size} bytes, and the limit is {MAX_SIZE}. "
            "Remove code that it does not need, or split it into several Workers."
        )
    return Source.of(main, parts, inputs)


def _check_name(main: str, extensions: t.Collection[str]) -> None:
    if extension(main) not in extensions:
        raise CloudflareError(
            f"main_module: {main!r} does not have a valid extension. "
            f"Use one of {', '.join(extensions)}, which sets the type of the module."
        )
    if error := name_error(main):
        raise CloudflareError(f"main_module: {error}. Use letters, digits and punctuation.")
    if os.path.isabs(main) or os.path.normpath(main) != main or main.startswith(".."):
        raise CloudflareError(
            f"main_module: {main!r} is not a valid module name. "
            "Use a file name, or a relative path such as lib/worker.js, without . and .."
        )
