# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send traffic at a steady rate while tenants are uploaded, changed, deleted and evicted."""

from __future__ import annotations

import http.client
import random
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from edge_process import Platform

TENANT = "export default {{ fetch: () => new Response('{} {}') }};"


def memory_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1024 / 1024


@dataclass
class Tenant:
    """The last acknowledged version, and whether the tenant must exist."""

    version: int = 0
    exists: bool = False


@dataclass
class Report:
    """Counts, response times in milliseconds, and samples of the edge's memory in megabytes."""

    visits: int = 0
    writes: int = 0
    restarts: int = 0
    wrong: list[str] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """Divide the median memory of the last quarter by that of the second quarter."""
        quarter = max(1, len(self.megabytes) // 4)
        return statistics.median(self.megabytes[-quarter:]) / statistics.median(self.megabytes[quarter : 2 * quarter])

    def line(self) -> str:
        ordered = sorted(self.milliseconds)
        p50, p99 = (ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
        return (
            f"{self.visits} visits, {len(self.wrong)} wrong, {self.writes} writes, {self.restarts} restarts; "
            f"p50 {p50:.1f} ms, p99 {p99:.1f} ms; "
            f"{self.megabytes[-1]:.0f} MB, {self.growth:.2f} x that of the beginning"
        )


class Soak:
    """Concurrent visitors and one writer on a platform."""

    def __init__(self, platform: Platform, tenants: int, rate: float, visitors: int = 4) -> None:
        self.platform, self.rate, self.visitors = platform, rate, visitors
        self.tenants = {f"t{number}": Tenant() for number in range(tenants)}
        self.report, self.finished, self.lock = Report(), threading.Event(), threading.Lock()

    def upload(self, name: str) -> None:
        version = self.tenants[name].version + 1
        self.platform.deploy_tenant(name, TENANT.format(name, version))
        self.tenants[name].version, self.tenants[name].exists = version, True
        self.report.writes += 1

    def delete(self, name: str) -> None:
        self.tenants[name].exists = False
        self.platform.edge.call("DELETE", f"/workers/dispatch/namespaces/{self.platform.namespace}/scripts/{name}")
        self.report.writes += 1

    def write(self) -> None:
        """Upload, change and delete tenants at random."""
        random_source = random.Random(1)
        while not self.finished.wait(0.05):
            name = random_source.choice(list(self.tenants))
            self.delete(name) if self.tenants[name].exists and random_source.random() < 0.2 else self.upload(name)

    def visit(self, number: int) -> None:
        """Visit tenants at a steady rate. A response must come from the last acknowledged version or a later one."""
        random_source, address = random.Random(number), urlsplit(self.platform.edge.http)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)
        due = time.monotonic()
        while not self.finished.is_set():
            due += self.visitors / self.rate
            time.sleep(max(0.0, due - time.monotonic()))
            name = random_source.choice(list(self.tenants))
            before, existed, begin = self.tenants[name].version, self.tenants[name].exists, time.perf_counter()
            try:
                connection.request("GET", "/", headers={"Host": f"{name}.example.com"})
                response = connection.getresponse()
                status, text = response.status, response.read().decode()
            except (OSError, http.client.HTTPException) as error:
                status, text = 0, repr(error)
                connection.close()
            spent = (time.perf_counter() - begin) * 1000
            right = status == 200 and text.startswith(f"{name} ") and int(text.split()[1]) >= before
            unchanged = existed and self.tenants[name].exists and before == self.tenants[name].version
            gone = status == 404 and text == "fetch rejected: Worker not found." and not unchanged
            with self.lock:
                self.report.visits += 1
                self.report.milliseconds.append(spent)
                if not right and not gone:
                    self.report.wrong.append(f"{name}, version {before}: {status} {text[:200]}")

    def run(self, seconds: float, on_progress: Callable[[Report], None] = lambda report: None) -> Report:
        """Run for the given time. `on_progress` is called about once a second."""
        for name in self.tenants:
            self.upload(name)
        threads = [
            threading.Thread(target=self.write),
            *(threading.Thread(target=self.visit, args=[number]) for number in range(self.visitors)),
        ]
        for thread in threads:
            thread.start()
        begin = time.monotonic()
        pid = self.platform.edge.children()["edge"]
        while time.monotonic() - begin < seconds:
            time.sleep(min(1.0, seconds / 20))
            now = self.platform.edge.children().get("edge", 0)
            self.report.restarts += now != pid
            pid = now
            if pid:
                self.report.megabytes.append(memory_mb(pid))
            on_progress(self.report)
        self.finished.set()
        for thread in threads:
            thread.join()
        return self.report
