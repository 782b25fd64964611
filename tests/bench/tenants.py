# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Benchmark the memory of tenants: 10,000 visited in turn with few loaded, and 1,000 all loaded. Run by make bench."""

from __future__ import annotations

import json
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
from edge_process import Edge, Platform, memory_mb

VISITED, LOADED, RESIDENT, STEPS = 10_000, 400, 1_000, 10
TENANT = "export default {{ fetch: () => new Response('tenant {}') }};"


def visit_tenants(edge: Edge, count: int) -> list[float]:
    """Upload tenants and visit each. Return the memory of the edge in MB after each tenth of the visits."""
    platform, megabytes = Platform(edge), []
    for number in range(count):
        platform.deploy_tenant(f"t{number}", TENANT.format(number))
    for step in range(STEPS):
        for number in range(step * count // STEPS, (step + 1) * count // STEPS):
            response = platform.get(f"t{number}")
            if response.text != f"tenant {number}":
                raise SystemExit(f"tenant {number}: {response.status_code} {response.text}")
        megabytes.append(memory_mb(edge.children()["edge"]))
    return megabytes


def main() -> None:
    """Print a line per case."""
    found = {}
    for name, count, loaded in (("visited in turn", VISITED, LOADED), ("resident", RESIDENT, RESIDENT + 10)):
        with tempfile.TemporaryDirectory() as scratch:
            edge = Edge(pathlib.Path(scratch) / "data", "--max-isolates", str(loaded))
            start = time.perf_counter()
            try:
                found[name] = visit_tenants(edge, count)
            finally:
                edge.stop()
        print(
            f"{count:6} tenants {name:16}, {min(count, loaded):5} loaded: "
            f"MB {' '.join(f'{value:.0f}' for value in found[name])}; "
            f"{time.perf_counter() - start:.0f} s",
            flush=True,
        )
    print(json.dumps({"megabytes": found}))


if __name__ == "__main__":
    main()
