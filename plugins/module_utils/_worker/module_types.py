# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The content types of modules, by file name.

Cloudflare accepts the types below, C(text/javascript), C(text/javascript+module) and C(text/x-python-requirement). It
refuses JSON (code 10162), which is therefore sent as an ES module.
"""

from __future__ import annotations

import json
import os
import typing as t

from .._cloudflare.errors import CloudflareError

ES_MODULE, SOURCE_MAP = "application/javascript+module", "application/source-map"
TEXT, DATA = "text/plain", "application/octet-stream"
# Types of the main module, by extension.
CODE: t.Mapping[str, str] = {
    ".js": ES_MODULE,
    ".mjs": ES_MODULE,
    ".cjs": "application/javascript",
    ".py": "text/x-python",
}
MODULE_TYPES: t.Mapping[str, str] = {
    **CODE,
    ".wasm": "application/wasm",
    ".json": ES_MODULE,
    ".txt": TEXT,
    ".html": TEXT,
    ".sql": TEXT,
    ".bin": DATA,
    ".map": SOURCE_MAP,
}
# In a Worker whose main module is in Python, which cannot import ES modules.
PYTHON_MODULE_TYPES: t.Mapping[str, str] = {**MODULE_TYPES, ".json": TEXT}
COMPILED = (".ts", ".mts", ".cts", ".tsx", ".jsx")
VENDORED = "python_modules"  # the folder of packages that a Python Worker brings along
# Packages of the Python SDK in it contain JavaScript that the runtime imports.
VENDORED_JAVASCRIPT = (f"{VENDORED}/workers/", (".js", ".mjs"))


def extension(name: str) -> str:
    """Return the extension of a module's name, without a query as in C(a.wasm?module)."""
    return os.path.splitext(name.partition("?")[0])[1]


def is_python(main: str) -> bool:
    """Whether a main module makes its Worker a Python Worker."""
    return extension(main) == ".py"


def module_type(name: str, main: str) -> str | None:
    """Return the content type of module C(name) in the Worker whose main module is C(main), None if it is no module."""
    if not is_python(main):
        return MODULE_TYPES.get(extension(name))
    folder, extensions = VENDORED_JAVASCRIPT
    if name.startswith(folder) and extension(name) in extensions:
        return ES_MODULE
    return DATA if name.startswith(f"{VENDORED}/") else PYTHON_MODULE_TYPES.get(extension(name))


def module_content(option: str, name: str, kind: str, content: bytes) -> bytes:
    """Return the content of a module as it is sent: JSON becomes an ES module that exports the value as its default.

    Raise CloudflareError if the JSON is not valid. C(option) is the option that contains the module.
    """
    if extension(name) != ".json" or kind != ES_MODULE:
        return content
    try:
        text = content.decode("utf-8-sig")
        json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise CloudflareError(
            f"{option}: {name} is not valid JSON: {error}. Correct it, or move it out of the folder."
        ) from error
    # An object literal would treat the key __proto__ differently.
    return f"export default JSON.parse({json.dumps(text)});\n".encode()


def _refuse_constant(name: str) -> t.NoReturn:
    raise ValueError(f"{name} is not a JSON value")
