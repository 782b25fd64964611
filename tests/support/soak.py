# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a platform under an enforced rate limit: tenants come, change, drift and go, and visitors watch.

Each step is one event at random and one play of the role C(platform). What must hold is checked after every step, and
does not depend on the speed of the machine.
"""

from __future__ import annotations

import collections
import http.client
import json
import random
import shutil
import threading
import typing as t
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from edge_process import Edge, memory_mb
from plays import AnsibleProject, Play

NAMESPACE, METADATA, DOMAIN = "tenants", "Tenants", "example.com"
ANY = "any response"
GONE = "no tenant"
CODE = "export default { fetch: (request, env) => new Response(`${env.NAME} ${env.VERSION} ${env.KEY}`) };"
THEIRS = "export default { fetch: () => new Response('theirs') };"
# The role's own router caches each record for a minute.
ROUTER = """export default { async fetch(request, env) {
  const record = await env.TENANT_DATA.get(new URL(request.url).hostname, { type: "json" });
  if (!record) return new Response("no tenant", { status: 404 });
  return env.TENANT_NAMESPACE.get(record.worker).fetch(request);
} };"""
LIST = "namespaced_workers"  # in results: the key of the info module, and of the bulk module
Task = dict[str, t.Any]


@dataclass
class Report:
    """Counts, violations, and samples of the edge's memory in megabytes."""

    steps: t.Counter[str] = field(default_factory=collections.Counter)
    plays: int = 0
    visits: int = 0
    requests: int = 0
    wrong: list[str] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    def line(self) -> str:
        events = ", ".join(f"{count} x {name}" for name, count in sorted(self.steps.items()))
        return (
            f"{self.plays} plays ({events}), {self.requests} requests, {self.visits} visits, {len(self.wrong)} wrong;"
            f" {self.megabytes[-1]:.0f} MB"
        )

    def table(self) -> tuple[list[str], list[list[str | int | float]]]:
        """Return the header and the row of a table."""
        header = ["plays", *sorted(self.steps), "requests", "visits", "violations", "MB at the end"]
        events = [self.steps[name] for name in sorted(self.steps)]
        return header, [[self.plays, *events, self.requests, self.visits, len(self.wrong), round(self.megabytes[-1])]]


@dataclass
class Tenant:
    """A declared tenant. ``responses`` are those that a visitor may get now."""

    name: str
    version: int = 1
    responses: frozenset[str] = frozenset({GONE})

    @property
    def response(self) -> str:
        return f"{self.name} {self.version} secret-of-{self.name}-{self.version}"

    def declaration(self) -> dict[str, t.Any]:
        return {
            "name": self.name,
            "hostnames": [f"{self.name}.{DOMAIN}"],
            "vars": {"NAME": self.name, "VERSION": str(self.version)},
            "secrets": {"KEY": f"secret-of-{self.name}-{self.version}"},
        }


def task(module: str, **options: t.Any) -> Task:
    return {f"tenantry.cloudflare_workers.{module}": options}


def _drifts(scripts: str, name: str) -> dict[str, Task]:
    """Return one task for each external change of a tenant."""
    path = f"{scripts}/{name}"
    by_hand = {"name": "KEY", "text": "secret-by-hand-1", "type": "secret_text"}
    other = {"dispatch_namespace": NAMESPACE, "name": name, "content": THEIRS, "compatibility_date": "2026-11-01"}
    return {
        "deleted": task("api", method="DELETE", path=path),
        "secret deleted": task("api", method="DELETE", path=f"{path}/secrets/KEY"),
        "secret set": task("api", method="PUT", path=f"{path}/secrets", body=by_hand),
        "tags removed": task("api", method="PUT", path=f"{path}/tags", body=[]),
        "record deleted": task("kv_entries", title=METADATA, entries=[{"key": f"{name}.{DOMAIN}", "state": "absent"}]),
        "uploaded": task("namespaced_worker", owner="platform", **other),
    }


class Soak:
    """A platform on an edge. All requests to the API are sent by plays, so that they share one rate limiter."""

    def __init__(self, edge: Edge, project: AnsibleProject, tenants: int, seed: int = 1, rate: float = 20) -> None:
        self.edge, self.project, self.rate = edge, project, rate
        self.dice, self.report = random.Random(seed), Report()
        self.tenants = {name: Tenant(name) for name in (f"t{number}" for number in range(tenants))}
        self.declared = set(self.tenants)
        self.finished, self.lock = threading.Event(), threading.Lock()
        self.scripts = f"/accounts/{edge.account.rpartition('/')[2]}/workers/dispatch/namespaces/{NAMESPACE}/scripts"

    # -- events --------------------------------------------------------------------------------------------------------

    def onboard(self) -> None:
        for _tenant in range(self.dice.randint(1, 5)):
            name = f"t{len(self.tenants)}"
            self.tenants[name] = Tenant(name)
            self.declared.add(name)

    def change(self) -> None:
        for name in self._some(10):
            self.tenants[name].version += 1

    def remove(self) -> None:
        self.declared -= set(self._some(3) if len(self.declared) > 10 else ())

    def drift(self) -> None:
        tasks = []
        for name in self._some(3):
            self.tenants[name].responses = frozenset({ANY})
            tasks.append(self.dice.choice(list(_drifts(self.scripts, name).values())))
        self._play(tasks)

    def nothing(self) -> None:
        """Declare the same again."""

    def _some(self, most: int) -> list[str]:
        return self.dice.sample(sorted(self.declared), self.dice.randint(1, most))

    # -- steps ---------------------------------------------------------------------------------------------------------

    def step(self, event: t.Callable[[], None]) -> None:
        """Let something happen, deploy, and check."""
        self.report.steps[event.__name__] += 1
        event()
        play = self.deploy()
        if event == self.nothing and play.changed:
            self._wrong(f"the second run changed {play.operations}")
        listed = next((result[LIST] for _task, result in play.tasks if LIST in result and "summary" not in result), [])
        if {worker["name"] for worker in listed} != self.declared:
            self._wrong(f"the Workers are {sorted(worker['name'] for worker in listed)}")
        for name in self.tenants:
            self.visit(name)
        self.report.megabytes.append(memory_mb(self.edge.children()["edge"]))

    def deploy(self) -> Play:
        """Run the role. During the play, a visitor may get the old or the new response of each tenant."""
        targets = {name: one.response if name in self.declared else GONE for name, one in self.tenants.items()}
        for name, target in targets.items():
            # A tenant that goes first loses its record and then its Worker.
            self.tenants[name].responses |= {target}
        (self.project.folder / "project" / "tenants.json").write_text(
            json.dumps([self.tenants[name].declaration() for name in sorted(self.declared)])
        )
        role = {
            "ansible.builtin.include_role": {"name": "tenantry.cloudflare_workers.platform"},
            "vars": {
                "platform_namespace": NAMESPACE,
                "platform_kv_namespace": METADATA,
                "platform_owner": "platform",
                "platform_fingerprint_key": "fingerprint-key-of-the-soak",
                "platform_routes": [{"pattern": f"*.{DOMAIN}/*"}],
                "platform_router": {"name": "router", "content": ROUTER},
                "platform_tenant_defaults": {"content": CODE, "compatibility_date": "2026-11-01"},
                "platform_tenants_file": "tenants.json",
                "platform_prune": True,
                "platform_prune_limit": "100%",
            },
        }
        play = self._play([role, task("namespaced_worker_info", dispatch_namespace=NAMESPACE)])
        for name, target in targets.items():
            self.tenants[name].responses = frozenset({target})
        return play

    def _play(self, tasks: list[Task]) -> Play:
        path = self.project.folder / "project" / "soak.yml"
        path.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
        play = self.project.play("soak.yml")
        self.report.plays += 1
        if play.code:
            self._wrong(play.stdout)
        statuses = [request["status"] for request in self.project.requests()]
        self.report.requests += len(statuses)
        if 429 in statuses:
            self._wrong(f"{statuses.count(429)} of {len(statuses)} requests were above the rate limit")
        shutil.rmtree(play.folder)
        return play

    def _wrong(self, text: str) -> None:
        with self.lock:
            self.report.wrong.append(f"step {sum(self.report.steps.values())}: {text}")

    # -- visitors ------------------------------------------------------------------------------------------------------

    def visit(self, name: str) -> None:
        """Send one request to a tenant, whose response must be one of those allowed during the request."""
        address, tenant = urlsplit(self.edge.http), self.tenants[name]
        allowed = tenant.responses
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=120)
        try:
            connection.request("GET", "/", headers={"Host": f"{name}.{DOMAIN}"})
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        allowed |= tenant.responses
        with self.lock:
            self.report.visits += 1
        if ANY not in allowed and text not in allowed:
            self._wrong(f"{name}: {response.status} {text[:200]!r} instead of {sorted(allowed)}")

    def _visit_steadily(self) -> None:
        dice = random.Random(0)
        while not self.finished.wait(1 / self.rate):
            self.visit(dice.choice(list(self.tenants)))

    def run(self, go_on: t.Callable[[Report], bool]) -> Report:
        """Create the platform, and let things happen as long as `go_on` returns true, which is called before a step."""
        events = (self.onboard, self.change, self.remove, self.drift, self.nothing)
        self.step(self.create)
        visitor = threading.Thread(target=self._visit_steadily)
        visitor.start()
        try:
            for number in range(1_000_000):
                if not go_on(self.report):
                    break
                # Each event once, then at random.
                self.step(events[number] if number < len(events) else self.dice.choice(events))
        finally:
            self.finished.set()
            visitor.join()
        return self.report

    def create(self) -> None:
        """Create the platform."""


def start_soak(folder: Path, tenants: int, quota: str, rate: float = 20) -> Soak:
    """Start an edge with a rate limit, and return a platform on it. The caller stops the edge."""
    edge = Edge(folder / "data", "--rate-limit", quota, "--max-isolates", "100")
    (folder / "play").mkdir()
    return Soak(edge, AnsibleProject(edge, folder / "play"), tenants, rate=rate)
