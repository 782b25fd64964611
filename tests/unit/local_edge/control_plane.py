# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A concise client of the control plane."""

from __future__ import annotations

import json
from typing import Any

import requests
from local_edge.testing import Edge

CODE = "export default { fetch() { return new Response('ok'); } };"


class Client:
    """Paths outside /zones, /accounts, /user and /nowhere are relative to the account."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {edge.token}"
        self.account = f"/accounts/{edge.account}"
        self.routes = f"/zones/{edge.zones['example.com']}/workers/routes"

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        absolute = path.startswith(("/zones", "/accounts", "/user", "/nowhere"))
        return self.session.request(method, f"{self.edge.api}{'' if absolute else self.account}{path}", **options)

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Call the API and return the result. The call must succeed."""
        response = self.send(method, path, **options)
        assert response.json()["success"], response.text
        return response.json()["result"]

    def error(self, method: str, path: str, **options: Any) -> tuple[int, int]:
        """Call the API and return the status and the error code. The call must fail."""
        response = self.send(method, path, **options)
        body = response.json()
        assert body["success"] is False
        assert body["result"] is None
        return response.status_code, body["errors"][0]["code"]

    def namespace(self, name: str = "prod") -> str:
        self.call("POST", "/workers/dispatch/namespaces", json={"name": name})
        return f"/workers/dispatch/namespaces/{name}/scripts"

    def kv(self, title: str = "data") -> str:
        ident: str = self.call("POST", "/storage/kv/namespaces", json={"title": title})["id"]
        return ident

    def upload(self, path: str, code: str = CODE, query: str = "", **metadata: Any) -> dict[str, Any]:
        result: dict[str, Any] = self.call("PUT", path + query, files=form(code, **metadata))
        return result

    def names(self, path: str) -> list[str]:
        """Return the names of a Worker's bindings."""
        return [binding["name"] for binding in self.call("GET", f"{path}/bindings")]


def form(code: str = CODE, **metadata: Any) -> dict[str, Any]:
    content = {"main_module": "index.js", "compatibility_date": "2026-11-01", **metadata}
    return {
        "metadata": (None, json.dumps(content), "application/json"),
        "index.js": ("index.js", code, "application/javascript+module"),
    }


def settings(value: Any) -> dict[str, Any]:
    return {"settings": (None, json.dumps(value), "application/json")}


def text(name: str, value: str = "v") -> dict[str, str]:
    return {"name": name, "type": "plain_text", "text": value}


def secret(name: str, value: str = "hush") -> dict[str, str]:
    return {"name": name, "type": "secret_text", "text": value}
