# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a local edge with workerd as a process, with a client for both of its ports."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests

FILES = Path(__file__).parents[2] / "roles" / "local_edge" / "files"
TOKEN = "integration-token-0123456789"
ECHO = """export default { async fetch(request, env) {
  return Response.json({ env, url: request.url, cf: request.cf ?? null });
} };"""

EVALUATOR = """
export default { async fetch(request, env) {
  try { return Response.json((await (CODE)) ?? null); } catch (error) {
    return Response.json([error.name, error.message], { status: 500 });
  }
} };
"""


class Edge:
    """A running `python -m local_edge serve`."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data, self.options = data, options
        self.log = data.parent / f"{data.name}.log"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {TOKEN}"
        self.start()

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "local_edge", *arguments]

    def environment(self) -> dict[str, str]:
        assert os.environ.get("LOCAL_EDGE_WORKERD"), "set LOCAL_EDGE_WORKERD to the path of workerd"
        return {**os.environ, "PYTHONPATH": str(FILES), "LOCAL_EDGE_TOKEN": TOKEN}

    def start(self) -> None:
        arguments = [
            "serve",
            "--api",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
            "--rate-limit",
            "0",
            "--data",
            str(self.data),
            *self.options,
        ]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                self.command(*arguments), env=self.environment(), stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, f"the edge did not start: {self.log.read_text()}"
        self.ready = json.loads(line)
        self.api, self.http = self.ready["api"], self.ready["http"]
        self.account = f"{self.api}/accounts/{self.ready['accounts'][0]['id']}"
        self.zone = {zone["name"]: f"{self.api}/zones/{zone['id']}" for zone in self.ready["zones"]}

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(60) == 0, self.log.read_text()

    def children(self) -> dict[str, int]:
        """Map process names to ids: `control` for the control plane, the name of the configuration for each workerd."""
        found, family = {}, {self.process.pid}
        for entry in sorted(
            (entry for entry in Path("/proc").iterdir() if entry.name.isdigit()), key=lambda entry: int(entry.name)
        ):
            try:
                stat, command = (entry / "stat").read_text(), (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) in family and len(command) > 3:
                family.add(int(entry.name))
                found[
                    command[3].decode() if command[1:3] == [b"-m", b"local_edge"] else Path(command[2].decode()).stem
                ] = int(entry.name)
        return found

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Call the API and return the result. The call must succeed."""
        response = self.session.request(method, path if path.startswith("http") else f"{self.account}{path}", **options)
        assert response.ok, response.text
        return response.json()["result"]

    def upload(
        self,
        name: str,
        code: str,
        namespace: str | None = None,
        bindings: list[dict[str, Any]] | None = None,
        files: dict[str, tuple[str, Any]] | None = None,
        **metadata: Any,
    ) -> requests.Response:
        """PUT a Worker; `files` maps the names of additional modules to (content type, body)."""
        path = f"/workers/dispatch/namespaces/{namespace}/scripts" if namespace else "/workers/scripts"
        content = {
            "main_module": "index.js",
            "compatibility_date": "2026-11-01",
            "bindings": bindings or [],
            **metadata,
        }
        parts: dict[str, Any] = {
            "metadata": (None, json.dumps(content), "application/json"),
            "index.js": ("index.js", code, "application/javascript+module"),
        }
        parts.update({key: (key, body, kind) for key, (kind, body) in (files or {}).items()})
        return self.session.put(f"{self.account}{path}/{name}", files=parts)

    def deploy(self, *arguments: Any, **options: Any) -> Any:
        response = self.upload(*arguments, **options)
        assert response.ok, response.text
        return response.json()["result"]

    def route(self, pattern: str, script: str | None, zone: str = "example.com") -> Any:
        return self.call("POST", f"{self.zone[zone]}/workers/routes", json={"pattern": pattern, "script": script})

    def get(self, host: str, path: str = "/", **options: Any) -> requests.Response:
        """Send a visitor's request."""
        options.setdefault("timeout", 30)
        return requests.request(
            options.pop("method", "GET"),
            f"{self.http}{path}",
            headers={"Host": host, **options.pop("headers", {})},
            allow_redirects=False,
            **options,
        )

    def evaluate(self, code: str, *bindings: dict[str, Any], **metadata: Any) -> Any:
        """Evaluate an expression in a Worker with these bindings in `env`. An error is returned as [name, message]."""
        self.deploy("evaluating", EVALUATOR.replace("CODE", code), bindings=list(bindings), **metadata)
        host = "evaluating.example.com"
        if f"{host}/*" not in [
            route["pattern"] for route in self.call("GET", f"{self.zone['example.com']}/workers/routes")
        ]:
            self.route(f"{host}/*", "evaluating")
        return self.get(host).json()

    def wipe(self) -> None:
        """Remove every object the API lists."""
        for script in self.call("GET", "/workers/scripts"):
            self.call("DELETE", f"/workers/scripts/{script['id']}?force=true")
        for zone in self.zone.values():
            for kind in ("workers/routes", "dns_records", "custom_hostnames"):
                for item in self.call("GET", f"{zone}/{kind}"):
                    self.call("DELETE", f"{zone}/{kind}/{item['id']}")
        for namespace in self.call("GET", "/workers/dispatch/namespaces"):
            self.call("DELETE", f"/workers/dispatch/namespaces/{namespace['namespace_name']}")
        for queue in self.call("GET", "/queues"):
            self.call("DELETE", f"/queues/{queue['queue_id']}")
        for kv in self.call("GET", "/storage/kv/namespaces"):
            self.call("DELETE", f"/storage/kv/namespaces/{kv['id']}")
        for bucket in self.call("GET", "/r2/buckets?per_page=1000")["buckets"]:
            objects = f"/r2/buckets/{bucket['name']}/objects"
            while keys := [item["key"] for item in self.call("GET", f"{objects}?per_page=1000")]:
                self.call("DELETE", objects, json=keys)
            self.call("DELETE", f"/r2/buckets/{bucket['name']}")
        for database in self.call("GET", "/d1/database"):
            self.call("DELETE", f"/d1/database/{database['uuid']}")


ROUTER = """
export default { async fetch(request, env) {
  const name = new URL(request.url).hostname.split(".")[0];
  let target;
  try { target = env.TENANTS.get(name); } catch (error) {
    return new Response(`get threw ${error.message}`, { status: 500 });
  }
  try { return await target.fetch(request); } catch (error) {
    return new Response(`fetch rejected: ${error.message}`, { status: 404 });
  }
} };
"""


@contextlib.contextmanager
def running_edge(data: Path, *options: str) -> Iterator[Edge]:
    """Start an edge with the options of `serve`, and stop it in the end."""
    edge = Edge(data, *options)
    try:
        yield edge
    finally:
        edge.stop()


class Platform:
    """A dispatch namespace with a router at *.example.com."""

    def __init__(self, edge: Edge, namespace: str = "tenants") -> None:
        self.edge, self.namespace = edge, namespace
        edge.call("POST", "/workers/dispatch/namespaces", json={"name": namespace})
        edge.deploy(
            "router", ROUTER, bindings=[{"name": "TENANTS", "type": "dispatch_namespace", "namespace": namespace}]
        )
        edge.route("*.example.com/*", "router")

    def deploy_tenant(self, name: str, code: str, **options: Any) -> Any:
        return self.edge.deploy(name, code, namespace=self.namespace, **options)

    def get(self, name: str, path: str = "/", **options: Any) -> requests.Response:
        return self.edge.get(f"{name}.example.com", path, **options)


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process in megabytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1024 / 1024


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Poll until the condition is met. Fail after the given number of seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"condition not met within {seconds} s"
        time.sleep(0.05)
