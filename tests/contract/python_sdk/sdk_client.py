# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run Cloudflare's official Python SDK against the control plane, and list the endpoints of the SDK.

Responses are validated strictly: a call fails if the edge omits anything that the SDK declares.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import hashlib
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudflare import Cloudflare
from cloudflare._compat import cached_property
from cloudflare._resource import SyncAPIResource
from local_edge.testing import Edge, running

CODE = "export default { fetch() { return new Response('ok'); } };"
DATE = "2026-11-01"
MODULE = "application/javascript+module"
#: Names of SDK clients in tests: their own client, and one with the token of a session.
ROOTS = ("sdk", "uploader")
#: Request methods of the SDK's resources. A listing is a GET by default.
VERBS = {"_get": "GET", "_post": "POST", "_put": "PUT", "_patch": "PATCH", "_delete": "DELETE", "_get_api_list": "GET"}


#: The arguments that identify the account, namespace and so on of a call.
Place = dict[str, Any]


@contextlib.contextmanager
def opened(**settings: Any) -> Iterator[tuple[Edge, Cloudflare]]:
    """Start a control plane and the SDK, without retries, which would hide errors."""
    with running(**settings) as edge, client(edge) as sdk:
        yield edge, sdk


def client(edge: Edge, token: str = "") -> Cloudflare:
    return Cloudflare(api_token=token or edge.token, base_url=edge.api, max_retries=0, _strict_response_validation=True)


def bare(answer: Any) -> Any:
    """Return the result of a response that the SDK declares incorrectly. Callers explain why."""
    body = answer.http_response.json()
    assert body["success"]
    return body["result"]


def module(name: str = "index.js", code: str = CODE, kind: str = MODULE) -> tuple[str, bytes, str]:
    """Return an element of the SDK's `files`. All parts are called `files`; the file name identifies the module."""
    return name, code.encode(), kind


def metadata(**more: Any) -> Any:
    return {"main_module": "index.js", "compatibility_date": DATE, **more}


def text(name: str, value: str = "v") -> Any:
    return {"name": name, "type": "plain_text", "text": value}


def secret(name: str, value: str = "hush") -> Any:
    return {"name": name, "type": "secret_text", "text": value}


def shown(bindings: Any) -> Mapping[str, dict[str, Any]]:
    """Map bindings by name, as sent by the API."""
    return {one.name: one.to_dict(exclude_unset=True) for one in bindings}


@dataclass(frozen=True)
class Asset:
    """A static file, as in a manifest and in an upload."""

    content: bytes

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.content).hexdigest()[:32]

    @property
    def entry(self) -> dict[str, Any]:
        return {"hash": self.hash, "size": len(self.content)}

    @property
    def base64(self) -> str:
        return base64.b64encode(self.content).decode()


def asset(content: str) -> Asset:
    return Asset(content.encode())


@dataclass(frozen=True)
class Endpoint:
    """A method of the SDK, such as `kv.namespaces.create`, and its request."""

    name: str
    method: str
    path: str

    @property
    def address(self) -> tuple[str, str]:
        """Return the request without parameter names, which differ between the SDK and the edge."""
        return self.method, nameless(self.path)


def nameless(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def known(sdk: Cloudflare, families: tuple[str, ...]) -> list[Endpoint]:
    """List the endpoints of these families, read from the source of the SDK."""
    return [endpoint for family in families for endpoint in endpoints(getattr(sdk, family), family)]


def endpoints(resource: SyncAPIResource, name: str) -> Iterator[Endpoint]:
    for attribute, value in vars(type(resource)).items():
        if attribute.startswith(("_", "with_")):
            continue
        if isinstance(value, cached_property):
            yield from endpoints(getattr(resource, attribute), f"{name}.{attribute}")
        elif inspect.isfunction(value):
            yield request_of(f"{name}.{attribute}", inspect.getsource(inspect.unwrap(value)))


def request_of(name: str, source: str) -> Endpoint:
    """Return the request of a method, from the only call in its body: `self._post(path_template("/zones/{zone_id}/...", ...), ...)`."""
    for node in ast.walk(ast.parse(textwrap.dedent(source))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in VERBS:
            paths = [
                one.value
                for one in ast.walk(node.args[0])
                if isinstance(one, ast.Constant) and str(one.value).startswith("/")
            ]
            method = [
                word.value.value
                for word in node.keywords
                if word.arg == "method" and isinstance(word.value, ast.Constant)
            ]
            return Endpoint(name, str(*method or [VERBS[node.func.attr]]).upper(), str(*paths))
    raise LookupError(f"{name} sends nothing that can be read")


def called(folder: Path) -> set[str]:
    """Find the SDK methods that tests call, by the chain of attributes after `sdk`."""
    chains = set()
    for file in folder.glob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                root, _dot, chain = ast.unparse(node.func).partition(".")
                chains |= {chain.replace("with_raw_response.", "")} if root in ROOTS else set()
    return chains
