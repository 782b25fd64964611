# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Static assets: the files of a folder, how they are served, and their way to Cloudflare.

The folder is read once per process. A session is told the hash of every file and answers which of them Cloudflare does not have;
those are uploaded, and the token that comes back is what the upload of the Worker names them by.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import mimetypes
import os
import typing as t
from dataclasses import dataclass

from .._cloudflare.client import ApiResponse, Client
from .._cloudflare.errors import CloudflareError
from .._engine.resource import Step
from .fingerprint import canonical, fingerprint
from .gitignore import GitignoreMatcher

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
CONFIG_OPTIONS = (
    "html_handling",
    "not_found_handling",
    "run_worker_first",
    "base_path",
)  # the options that Cloudflare knows by the same names
RULES = ("_headers", "_redirects")  # files that say how the others are served
IGNORE = ".assetsignore"
ALWAYS_IGNORED = (f"/{IGNORE}", *(f"/{name}" for name in RULES), ".DS_Store", ".git", "node_modules")
WORKER_SCRIPT = "_worker.js"  # what build tools leave in the folder: a Worker, or a folder with its modules
LARGEST, MOST_FILES = (
    25 * 1024 * 1024,
    100_000,
)  # bytes of a file; files on a paid plan, of which a free one takes a fifth
MAX_FILES_IN_MESSAGE = 5  # files in one message
NO_CONTENT_TYPE = "application/null"  # served without a type

# Types as browsers want them, where Python's own table lacks them or changes from one version to the next.
TYPES = {
    **mimetypes.MimeTypes().types_map[True],
    ".avif": "image/avif",
    ".gz": "application/gzip",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".otf": "font/otf",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "text/xml",
    ".yaml": "text/yaml",
    ".yml": "text/yaml",
}


@dataclass(frozen=True)
class File:
    """One file: C(name) is its path for visitors, C(path) where it lies, C(digest) the SHA-256 of its content."""

    name: str
    path: str
    size: int
    digest: str

    @property
    def extension(self) -> str:
        return os.path.splitext(self.name)[1].lower()

    @property
    def type(self) -> str:
        """Return the content type that visitors see."""
        kind = TYPES.get(self.extension, NO_CONTENT_TYPE)
        return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind

    def hash(self, salt: str) -> str:
        """Return what Cloudflare knows the file by, 32 hex digits.

        It keeps one file for all that name the same hash: C(salt) keeps apart what belongs to different Workers, and the
        extension what is served with different types.
        """
        return hashlib.sha256(canonical([salt, self.extension, self.digest])).hexdigest()[:32]

    def read(self) -> bytes:
        """Return the content, unless it is not what was announced."""
        content = _content(self.path)
        if hashlib.sha256(content).hexdigest() != self.digest:
            raise CloudflareError(f"assets: {self.path} was changed while it was uploaded: run again.")
        return content


@dataclass(frozen=True)
class Folder:
    """The files of a folder, and the texts of those that say how the others are served."""

    files: tuple[File, ...]
    rules: t.Mapping[str, str]

    @functools.cached_property
    def digest(self) -> str:
        """Hash paths and contents."""
        return fingerprint({file.name: file.digest for file in self.files})

    @functools.cached_property
    def size(self) -> int:
        """How many bytes the files have."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Assets:
    """What one Worker serves: a folder, and the option C(assets) as it was given."""

    folder: Folder
    given: t.Mapping[str, t.Any]

    @property
    def _served(self) -> dict[str, t.Any]:
        return {name: self.given[name] for name in CONFIG_OPTIONS if self.given.get(name) is not None}

    @property
    def config(self) -> dict[str, t.Any]:
        """Return what an upload says of how the files are served."""
        return {**self._served, **self.folder.rules}

    @property
    def digest(self) -> str:
        """Hash files and configuration: 10 hex digits, the same for every Worker that serves the same."""
        return fingerprint([self.folder.digest, self.config])[:10]

    @property
    def summary(self) -> dict[str, t.Any]:
        """Return what a person compares: Cloudflare tells nobody which files it has."""
        return {"digest": self.digest, "files": len(self.folder.files), "bytes": self.folder.size, **self._served}


def load(given: t.Mapping[str, t.Any], root: str | None) -> Assets:
    """Return the assets that the option names. A relative folder starts from C(root)."""
    return Assets(read(os.path.abspath(os.path.join(root or "", given["directory"]))), given)


# -- the folder --------------------------------------------------------------------------------------------------------


@functools.cache
def read(directory: str) -> Folder:
    """Read a folder. What no Worker can serve is refused by name."""
    if not os.path.isdir(directory):
        raise CloudflareError(
            f"assets: there is no folder {directory}. Correct directory; a relative one is looked for beside the playbook."
        )
    root = os.path.realpath(directory)
    try:
        names = list(_names(root, GitignoreMatcher([*ALWAYS_IGNORED, *_text(root, IGNORE).split("\n")])))
        rules = [name for name in RULES if os.path.lexists(os.path.join(root, name))]
        _raise_errors(
            directory, [file_error for name in names + rules if (file_error := _file_error(root, name))], len(names)
        )
        files = tuple(_file(root, name) for name in names)
    except OSError as error:
        raise CloudflareError(
            f"assets: {directory} cannot be read: {error}. Correct directory, or who may read it."
        ) from error
    return Folder(files, {name: text for name in rules if (text := _text(root, name))})


def _names(root: str, ignored: GitignoreMatcher) -> t.Iterator[str]:
    """Yield the paths of all files below a folder that are not left out, and of links to folders, which nobody follows."""
    for folder, folders, files in os.walk(root, onerror=_unreadable):
        above = os.path.relpath(folder, root) + "/" if folder != root else ""
        folders[:] = sorted(name for name in folders if not ignored(above + name, folder=True))
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        yield from (above + name for name in sorted(files) + links if name in links or not ignored(above + name))


def _unreadable(error: OSError) -> t.NoReturn:
    raise error


def _file_error(root: str, name: str) -> str | None:
    """Return why a file cannot be served, if it cannot."""
    path = os.path.join(root, name)
    if name != name.encode(errors="replace").decode():
        return f"{name!r} is no name in UTF-8"
    if not os.path.realpath(path).startswith(os.path.join(root, "")):
        return f"{name} is a link that leads out of the folder"
    if os.path.isdir(path):
        return f"{name} is a link to a folder, and those are not followed"
    if not os.path.isfile(path):
        return f"{name} is no file"
    if os.path.getsize(path) > LARGEST:
        return f"{name} has {os.path.getsize(path)} bytes, and a file may have {LARGEST}"
    return (
        f"{name} is the code of a Worker, which everybody could read" if name.split("/")[0] == WORKER_SCRIPT else None
    )


def _raise_errors(directory: str, errors: t.Sequence[str], count: int) -> None:
    if not count:
        raise CloudflareError(
            f"assets: {directory} holds no file that would be served: build the site first, or correct directory or {IGNORE}."
        )
    if count > MOST_FILES:
        raise CloudflareError(
            f"assets: {directory} holds {count} files, and Cloudflare takes {MOST_FILES}: leave some out with {IGNORE}."
        )
    if errors:
        more = f"; and {len(errors) - MAX_FILES_IN_MESSAGE} more" if len(errors) > MAX_FILES_IN_MESSAGE else ""
        raise CloudflareError(
            f"assets: {directory}: {'; '.join(errors[:MAX_FILES_IN_MESSAGE])}{more}. Correct that, or leave it out with a line in {IGNORE}."
        )


def _file(root: str, name: str) -> File:
    content = _content(os.path.join(root, name))
    return File(f"/{name}", os.path.join(root, name), len(content), hashlib.sha256(content).hexdigest())


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _text(root: str, name: str) -> str:
    """Return the text of a file in the folder, empty where there is none."""
    path = os.path.join(root, name)
    try:
        return _content(path).decode() if os.path.isfile(path) else ""
    except UnicodeDecodeError as error:
        raise CloudflareError(f"assets: {path} is not UTF-8: save it as UTF-8.") from error


# -- the way to Cloudflare ---------------------------------------------------------------------------------------------


class Session:
    """One upload of a folder for the Worker at C(path). It changes nothing until the upload of the Worker names its C(token)."""

    def __init__(self, client: Client, path: str, folder: Folder) -> None:
        self._client, self._path, self._folder = client, path, folder
        self.token = ""

    @property
    def step(self) -> Step:
        """Return the write that opens the session. Once it is answered, what is missing is uploaded."""
        return Step("POST", f"{self._path}/assets-upload-session", self._manifest, self._upload_missing)

    def _by_hash(self) -> dict[str, File]:
        # The path of the Worker holds account, dispatch namespace and name, and is nobody else's.
        return {file.hash(self._path): file for file in self._folder.files}

    def _manifest(self) -> dict[str, t.Any]:
        manifest = {file.name: {"hash": file.hash(self._path), "size": file.size} for file in self._folder.files}
        return {"json": {"manifest": manifest}, "idempotent": True}

    def _upload_missing(self, answer: ApiResponse) -> None:
        session = answer.result or {}
        buckets = [bucket for bucket in session.get("buckets") or [] if bucket]
        files = self._by_hash() if buckets else {}
        # Without anything to upload the session's own token is the one that completes it.
        answers = [self._upload([(name, files[name]) for name in bucket], session["jwt"]) for bucket in buckets] or [
            session
        ]
        self.token = next((one["jwt"] for one in reversed(answers) if one.get("jwt")), "")
        if not self.token:
            raise CloudflareError(
                f"assets: Cloudflare took {len(files)} files and does not say that they are complete. Run again."
            )

    def _upload(self, bucket: t.Sequence[tuple[str, File]], token: str) -> t.Mapping[str, t.Any]:
        """Upload the files of one bucket, by hash, and return the answer. The session's token stands in for the credentials."""
        parts = [(name, (name, base64.b64encode(file.read()), file.type)) for name, file in bucket]
        headers = {**dict.fromkeys(self._client.credentials.headers), "Authorization": f"Bearer {token}"}
        path = self._client.account("workers", "assets", "upload")
        return (
            self._client.call(
                "POST", path, idempotent=True, params={"base64": "true"}, files=parts, headers=headers
            ).result
            or {}
        )
