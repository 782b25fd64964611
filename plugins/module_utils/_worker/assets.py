# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Static assets: the files of a folder, their configuration and their upload.

A folder is read once per process. An upload session receives the hash of every file and returns the hashes that
Cloudflare lacks. After these files are uploaded, Cloudflare returns a token, which the upload of the Worker contains.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import re
import typing as t
import urllib.parse
from dataclasses import dataclass

from .._cloudflare.errors import CloudflareError
from .._engine.plan import Step
from .._engine.text import list_errors
from .content_types import content_type, earlier_extension, has_earlier_type
from .fingerprint import canonical, fingerprint
from .gitignore import GitignoreMatcher
from .regular_file import kind_error, leads_out, name_error, read_regular

if t.TYPE_CHECKING:
    from .._cloudflare.client import Client
    from .._cloudflare.responses import ApiResponse

SPEC: dict[str, t.Any] = {
    "type": "dict",
    "options": {
        "directory": {"type": "path", "required": True},
        "binding": {"type": "str"},
        "html_handling": {
            "type": "str",
            "choices": ["auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none"],
        },
        "not_found_handling": {"type": "str", "choices": ["none", "404-page", "single-page-application"]},
        "run_worker_first": {"type": "raw"},
        "base_path": {"type": "str"},
    },
}
# Passed to the API under the same names.
CONFIG_OPTIONS = ("html_handling", "not_found_handling", "run_worker_first", "base_path")
RULES = ("_headers", "_redirects")  # files with rules for serving the others
IGNORE = ".assetsignore"
ALWAYS_IGNORED = (f"/{IGNORE}", *(f"/{name}" for name in RULES), ".DS_Store", ".git", "node_modules")
WORKER_SCRIPT = "_worker.js"  # a Worker, or a folder with its modules, that build tools write into the folder
MAX_FILE_SIZE = 25 * 1024 * 1024  # bytes
MAX_TEXT_SIZE = 25 * 1024 * 1024  # bytes of a rule file or of .assetsignore
MAX_FILES = 100_000  # of a paid plan; a free plan accepts a fifth
LONE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True)
class File:
    """One file: C(name) is its URL path, C(path) its path on disk, C(digest) the SHA-256 of its content."""

    name: str
    path: str
    size: int
    digest: str

    @property
    def type(self) -> str:
        """Return the content type of responses."""
        return content_type(self.name)

    @functools.cached_property
    def identity(self) -> str | list[str]:
        """Return the digest, and the content type if earlier versions of the collection sent another one."""
        return self.digest if has_earlier_type(self.name) else [self.digest, self.type]

    def hash(self, salt: str) -> str:
        """Return the hash that identifies the file to Cloudflare, 32 hex digits.

        Cloudflare stores one file per hash, with its content type. C(salt) separates the files of different Workers,
        extension and type separate files with different content types.
        """
        return hashlib.sha256(canonical([salt, earlier_extension(self.name), self.identity])).hexdigest()[:32]

    def read(self) -> bytes:
        """Return the content. Raise CloudflareError if it no longer matches the digest."""
        content = read_regular("assets", self.path, MAX_FILE_SIZE)
        if hashlib.sha256(content).hexdigest() != self.digest:
            raise CloudflareError(f"assets: {self.path} changed during the upload. Run again.")
        return content


@dataclass(frozen=True)
class Folder:
    """The files of a folder, and the texts of its rule files by name."""

    files: tuple[File, ...]
    rules: t.Mapping[str, str]

    @functools.cached_property
    def digest(self) -> str:
        """Hash paths, contents and content types."""
        return fingerprint({file.name: file.identity for file in self.files})

    @functools.cached_property
    def size(self) -> int:
        """Return the total size of the files in bytes."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Assets:
    """The assets of one Worker: a folder, and the suboptions of C(assets)."""

    folder: Folder
    options: t.Mapping[str, t.Any]

    @property
    def _config_options(self) -> dict[str, t.Any]:
        return {name: self.options[name] for name in CONFIG_OPTIONS if self.options.get(name) is not None}

    @property
    def config(self) -> dict[str, t.Any]:
        """Return the configuration to upload: options and rule files."""
        return {**self._config_options, **self.folder.rules}

    @property
    def digest(self) -> str:
        """Hash files and configuration to 10 hex digits. Workers with equal assets have equal digests."""
        return fingerprint([self.folder.digest, self.config])[:10]

    @property
    def summary(self) -> dict[str, t.Any]:
        """Return the assets for results and diffs, as totals: the API does not list the files of a Worker."""
        return {
            "digest": self.digest,
            "files": len(self.folder.files),
            "bytes": self.folder.size,
            **self._config_options,
        }


def load(options: t.Mapping[str, t.Any], root: str | None) -> Assets:
    """Load the assets for the suboptions of C(assets). A relative folder is resolved from C(root)."""
    return Assets(read(os.path.abspath(os.path.join(root or "", options["directory"]))), options)


# -- the folder --------------------------------------------------------------------------------------------------------


@functools.cache
def read(directory: str) -> Folder:
    """Read a folder. Raise CloudflareError, with the names, if a Worker cannot serve some of its files."""
    if not os.path.isdir(directory):
        raise CloudflareError(
            f"assets: folder {directory} does not exist. Correct directory. "
            "A relative path is resolved from the folder of the playbook."
        )
    root = os.path.realpath(directory)
    try:
        names = list(_names(root, GitignoreMatcher([*ALWAYS_IGNORED, *_text(root, IGNORE).split("\n")])))
        rules = [name for name in RULES if os.path.lexists(os.path.join(root, name))]
        _raise_errors(
            directory,
            list(dict.fromkeys(error for name in names + rules if (error := _file_error(root, name)))),
            len(names),
        )
        files = tuple(_file(root, name) for name in names)
    except OSError as error:
        raise CloudflareError(
            f"assets: {directory} cannot be read: {error}. Correct directory or its permissions."
        ) from error
    return Folder(files, {name: text for name in rules if (text := _text(root, name))})


def _names(root: str, ignored: GitignoreMatcher) -> t.Iterator[str]:
    """Yield the relative paths of all files that are not ignored, and of links to folders, which are not followed."""
    for folder, folders, files in os.walk(root, onerror=_unreadable):
        above = os.path.relpath(folder, root) + "/" if folder != root else ""
        folders[:] = sorted(name for name in folders if not ignored(above + name, folder=True))
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        yield from (above + name for name in sorted(files) + links if name in links or not ignored(above + name))


def _unreadable(error: OSError) -> t.NoReturn:
    raise error


def _file_error(root: str, name: str) -> str | None:
    """Return the validation error of a file, or None. The files of an invalid folder have the error of the folder."""
    path = os.path.join(root, name)
    top, _separator, below = name.partition("/")
    if top == WORKER_SCRIPT:
        return f"{top}{'/' if below else ''} is the code of a Worker and would be public"
    if undecodable := _undecodable(name):
        return f"{undecodable} contains a percent sign that does not begin an encoded character such as %20"
    if error := name_error(name):
        return error
    if leads_out(root, path):
        return f"{name} is a link to a path outside the folder"
    if os.path.isdir(path):
        return f"{name} is a link to a folder, and such links are not followed"
    if kind := kind_error(path):
        return f"{name} is {kind}"
    if os.path.getsize(path) > MAX_FILE_SIZE:
        return f"{name} has {os.path.getsize(path)} bytes, and the limit is {MAX_FILE_SIZE}"
    return None


def _undecodable(name: str) -> str:
    """Return the file, or the first folder in its path, that Cloudflare cannot percent-decode. Return "" if none."""
    parts = name.split("/")
    depth = next((depth for depth, part in enumerate(parts, 1) if not _is_decodable(part)), None)
    return "" if depth is None else "/".join(parts[:depth]) + ("/" if depth < len(parts) else "")


def _is_decodable(text: str) -> bool:
    try:
        urllib.parse.unquote(text, errors="strict")
    except UnicodeDecodeError:
        return False
    return LONE_PERCENT.search(text) is None


def _raise_errors(directory: str, errors: t.Sequence[str], count: int) -> None:
    if not count:
        raise CloudflareError(
            f"assets: {directory} contains no files to serve. Build the site first, or correct directory or {IGNORE}."
        )
    if count > MAX_FILES:
        raise CloudflareError(
            f"assets: {directory} contains {count} files, and the limit is {MAX_FILES}. Exclude some with {IGNORE}."
        )
    if errors:
        raise CloudflareError(
            f"assets: {directory}: {list_errors(errors)}. Correct this, or exclude it with a line in {IGNORE}."
        )


def _file(root: str, name: str) -> File:
    content = read_regular("assets", os.path.join(root, name), MAX_FILE_SIZE)
    return File(f"/{name}", os.path.join(root, name), len(content), hashlib.sha256(content).hexdigest())


def _text(root: str, name: str) -> str:
    """Return the text of a file in the folder, or "" if it does not exist."""
    path = os.path.join(root, name)
    try:
        return read_regular("assets", path, MAX_TEXT_SIZE).decode() if os.path.isfile(path) else ""
    except UnicodeDecodeError as error:
        raise CloudflareError(f"assets: {path} is not UTF-8. Save it as UTF-8.") from error


# -- upload ------------------------------------------------------------------------------------------------------------


class UploadSession:
    """One upload of a folder for the Worker at C(path). It has no effect until the Worker is uploaded with C(token)."""

    def __init__(self, client: Client, path: str, folder: Folder) -> None:
        self._client, self._path, self._folder = client, path, folder
        self.token = ""

    @property
    def step(self) -> Step:
        """Return the write that opens the session. The missing files are uploaded after its response."""
        return Step("POST", f"{self._path}/assets-upload-session", self._manifest, self._upload_missing)

    def _by_hash(self) -> dict[str, File]:
        # The path contains account, dispatch namespace and name, so it is unique to the Worker.
        return {file.hash(self._path): file for file in self._folder.files}

    def _manifest(self) -> dict[str, t.Any]:
        manifest = {file.name: {"hash": file.hash(self._path), "size": file.size} for file in self._folder.files}
        return {"json": {"manifest": manifest}, "idempotent": True}

    def _upload_missing(self, answer: ApiResponse) -> None:
        session = answer.result
        buckets = [bucket for bucket in session["buckets"] if bucket]
        files = self._by_hash() if buckets else {}
        unknown = [name for bucket in buckets for name in bucket if str(name) not in files]
        if unknown or (buckets and not session.get("jwt")):
            problem = f"requested unknown files, such as {unknown[0]!r}" if unknown else "opened no upload session"
            raise CloudflareError(f"assets: Cloudflare {problem}. Run again.")
        # If no file is missing, the session's own token completes the upload.
        answers = [self._upload([(name, files[name]) for name in bucket], session["jwt"]) for bucket in buckets] or [
            session
        ]
        self.token = next((one["jwt"] for one in reversed(answers) if one.get("jwt")), "")
        if not self.token:
            raise CloudflareError(
                f"assets: Cloudflare received {len(files)} files but did not confirm the upload. Run again."
            )

    def _upload(self, bucket: t.Sequence[tuple[str, File]], token: str) -> t.Mapping[str, t.Any]:
        """Upload the files of one bucket, by hash, and return the result.

        The session's token replaces the credentials.
        """
        parts = [(name, (name, base64.b64encode(file.read()), file.type)) for name, file in bucket]
        headers = {**dict.fromkeys(self._client.credentials.headers), "Authorization": f"Bearer {token}"}
        path = self._client.account("workers", "assets", "upload")
        return (
            self._client.call(
                "POST", path, idempotent=True, params={"base64": "true"}, files=parts, headers=headers
            ).result
            or {}
        )
