# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Benchmark an item of a loop, in process and in ordinary execution, on a new edge. Run by make bench."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
from edge_process import TOKEN, Edge

PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - tenantry.cloudflare_workers.dispatch_namespace: {name: tenants}
    - tenantry.cloudflare_workers.namespaced_worker:
        dispatch_namespace: tenants
        name: "t{{ item }}"
        content: "export default { fetch: (request, env) => Response.json(env) };"
        compatibility_date: "2026-11-01"
        vars: {NUMBER: "{{ item }}"}
      loop: "{{ range(count | int) | list }}"
"""
MODES = (("direct", "true", 101), ("ordinary", "false", 11))
ROUNDS = 3


def seconds(folder: pathlib.Path, environment: dict[str, str], in_process: str, count: int) -> float:
    """Run the play over C(count) Workers and return its duration in seconds."""
    command = [
        "ansible-playbook",
        "-i",
        "localhost,",
        "-c",
        "local",
        "play.yml",
        "-e",
        f"tenantry_in_process={in_process}",
        "-e",
        f"count={count}",
    ]
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Measure an unchanged item: the difference between a long loop and a single item, per item."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        (folder / "play.yml").write_text(PLAY)
        edge = Edge(folder / "data")
        environment = {
            **os.environ,
            "CLOUDFLARE_API_BASE_URL": edge.api,
            "CLOUDFLARE_API_TOKEN": TOKEN,
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        }
        try:
            seconds(folder, environment, "true", max(count for _name, _direct, count in MODES))
            cost = {}
            for name, in_process, count in MODES:
                runs = [
                    seconds(folder, environment, in_process, count) - seconds(folder, environment, in_process, 1)
                    for _round in range(ROUNDS)
                ]
                cost[name] = 1000 * sorted(runs)[ROUNDS // 2] / (count - 1)
        finally:
            edge.stop()
    print(
        f"an unchanged namespaced_worker in a loop: {cost['direct']:.1f} ms in process, "
        f"{cost['ordinary']:.0f} ms in ordinary execution"
    )
    print(json.dumps({"loop_item_ms": cost}))


if __name__ == "__main__":
    main()
