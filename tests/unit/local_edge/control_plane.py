# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the control plane, short enough for tests to be read as tables."""

from __future__ import annotations

import json
from typing import Any

import requests
from local_edge.testing import Edge

CODE = "export default { fetch() { return new Response('ok'); } };"


class Client:
    """Paths that begin with a slash and no known top are under the account."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {edge.token}"
        self.account = f"/accounts/{edge.account}"
        self.routes = f"/zones/{edge.zones['example.com']}/workers/routes"

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        own = path.startswith(("/zones", "/accounts", "/user", "/nowhere"))
        return self.session.request(method, f"{self.edge.api}{'' if own else self.account}{path}", **options)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """The result of a call that must succeed."""
        response = self.send(method, path, **options)
        assert response.json()["success"], response.text
        return response.json()["result"]

    def error(self, method: str, path: str, **options: Any) -> tuple[int, int]:
        """Status and code of a call that must be refused."""
        response = self.send(method, path, **options)
        body = response.json()
        assert body["success"] is False
        assert body["result"] is None
        return response.status_code, body["errors"][0]["code"]

    def namespace(self, name: str = "prod") -> str:
        self.ask("POST", "/workers/dispatch/namespaces", json={"name": name})
        return f"/workers/dispatch/namespaces/{name}/scripts"

    def kv(self, title: str = "data") -> str:
        ident: str = self.ask("POST", "/storage/kv/namespaces", json={"title": title})["id"]
        return ident

    def upload(self, path: str, code: str = CODE, query: str = "", **metadata: Any) -> dict[str, Any]:
        result: dict[str, Any] = self.ask("PUT", path + query, files=form(code, **metadata))
        return result

    def names(self, path: str) -> list[str]:
        """Names of a Worker's bindings."""
        return [one["name"] for one in self.ask("GET", f"{path}/bindings")]


def form(code: str = CODE, **metadata: Any) -> dict[str, Any]:
    told = {"main_module": "index.js", "compatibility_date": "2026-11-01", **metadata}
    return {
        "metadata": (None, json.dumps(told), "application/json"),
        "index.js": ("index.js", code, "application/javascript+module"),
    }


def settings(value: Any) -> dict[str, Any]:
    return {"settings": (None, json.dumps(value), "application/json")}


def text(name: str, value: str = "v") -> dict[str, str]:
    return {"name": name, "type": "plain_text", "text": value}


def secret(name: str, value: str = "hush") -> dict[str, str]:
    return {"name": name, "type": "secret_text", "text": value}
