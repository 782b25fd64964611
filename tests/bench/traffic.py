# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Benchmark the steps of a request: Workers on plain workerd, and on the local edge. Run by make bench."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
from edge_process import FILES, Edge

sys.path.insert(0, str(FILES))
from local_edge import sockets

ROUNDS, SECONDS, CONNECTIONS = 7, 2, 16
#: Length of the longest chain, as many steps as from the edge to a tenant.
BINDINGS = 3
HELLO = "export default { fetch() { return new Response('hello'); } };"
NEXT = "export default { fetch(request, env) { return env.NEXT.fetch(request); } };"
ROUTER = """export default { fetch(request, env) {
  return env.TENANTS.get(request.headers.get('host').split('.')[0]).fetch(request);
} };"""
LOOKUP_ROUTER = """export default { async fetch(request, env) {
  return env.TENANTS.get(await env.RECORDS.get(request.headers.get('host'))).fetch(request);
} };"""
STATIC = """using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [{services}],
  sockets = [{sockets}]);
"""
SERVICE = """(name = "{name}", worker = (compatibilityDate = "2026-11-01", bindings = [{bindings}],
    modules = [(name = "main.js", esModule = {code})]))"""


class Chain:
    """Static Workers on plain workerd: one that responds, and a chain of service bindings that leads to it."""

    def __init__(self, folder: pathlib.Path, length: int) -> None:
        self.listeners = [sockets.listen("127.0.0.1", 0) for _one in range(length)]
        services = [
            SERVICE.format(
                name=f"w{step}",
                code=json.dumps(NEXT if step else HELLO),
                bindings=f'(name = "NEXT", service = "w{step - 1}")' if step else "",
            )
            for step in range(length)
        ]
        named = [f'(name = "s{step}", http = (), service = "w{step}")' for step in range(length)]
        config = folder / "static.capnp"
        config.write_text(STATIC.format(services=", ".join(services), sockets=", ".join(named)))
        fds = [one.fileno() for one in self.listeners]
        self.process = subprocess.Popen(
            [
                os.environ["LOCAL_EDGE_WORKERD"],
                "serve",
                str(config),
                *(f"--socket-fd=s{step}={fd}" for step, fd in enumerate(fds)),
            ],
            pass_fds=fds,
        )

    def url(self, step: int) -> str:
        """Return the URL of the Worker with the given number of bindings to the responding one."""
        return sockets.url(self.listeners[step])


def platform(edge: Edge) -> dict[str, str]:
    """Deploy Workers on the edge. Return the host of each path."""
    edge.call("POST", "/workers/dispatch/namespaces", json={"name": "bench"})
    kv = edge.call("POST", "/storage/kv/namespaces", json={"title": "records"})["id"]
    edge.call(
        "PUT", f"/storage/kv/namespaces/{kv}/bulk", json=[{"key": "tenant.lookup.example.com", "value": "tenant"}]
    )
    tenants = {"name": "TENANTS", "type": "dispatch_namespace", "namespace": "bench"}
    edge.deploy("tenant", HELLO, namespace="bench")
    edge.deploy("plain", HELLO)
    edge.deploy("router", ROUTER, bindings=[tenants])
    edge.deploy(
        "lookup", LOOKUP_ROUTER, bindings=[tenants, {"name": "RECORDS", "type": "kv_namespace", "namespace_id": kv}]
    )
    for pattern, script in (
        ("plain.example.com/*", "plain"),
        ("*.example.com/*", "router"),
        ("*.lookup.example.com/*", "lookup"),
    ):
        edge.route(pattern, script)
    return {
        "edge, Worker": "plain.example.com",
        "edge, router, tenant": "tenant.example.com",
        "edge, router, KV, tenant": "tenant.lookup.example.com",
    }


def rate(url: str, host: str) -> float:
    """Return the requests per second."""
    output = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", "-H", f"Host: {host}", url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if "Non-2xx" in output:
        raise SystemExit(f"{host}: {output}")
    return float(re.findall(r"Requests/sec:\s+([\d.]+)", output)[0])


def main() -> None:
    """Print the medians of several rounds. Paths alternate, so that noise on the machine affects all of them."""
    if not shutil.which("wrk"):
        raise SystemExit("wrk is missing: apt install wrk")
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        chain, edge = Chain(folder, 1 + BINDINGS), Edge(folder / "data")
        try:
            paths = {
                f"static, {step} binding{'s' if step != 1 else ''}": (chain.url(step), "bench")
                for step in range(1 + BINDINGS)
            }
            paths |= {name: (edge.http, host) for name, host in platform(edge).items()}
            measured: dict[str, list[float]] = {name: [] for name in paths}
            for _round in range(ROUNDS):
                for name, (url, host) in paths.items():
                    measured[name].append(rate(url, host))
        finally:
            chain.process.kill()
            chain.process.wait()
            edge.stop()
    rates = {name: statistics.median(found) for name, found in measured.items()}
    bare, *_between, longest = list(rates.values())[: 1 + BINDINGS]
    print(f"{'requests a second':28}{'':>8}{'of bare':>10}{'of chain':>10}{'added us':>10}")
    for name, value in rates.items():
        print(f"{name:28}{value:8.0f}{value / bare:10.3f}{value / longest:10.3f}{(1 / value - 1 / bare) * 1e6:10.0f}")
    print(json.dumps({"requests_per_second": rates}))


if __name__ == "__main__":
    main()
