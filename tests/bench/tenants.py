# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tenants take of the memory: 10,000 visited in turn of whom few stay loaded, and 1,000 who all do: run by make bench."""

from __future__ import annotations

import json
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
from edge_process import Edge, Platform
from soak import memory_mb

IN_TURN, LOADED, RESIDENT, STEPS = 10_000, 400, 1_000, 10
TENANT = "export default {{ fetch: () => new Response('tenant {}') }};"


def visited(edge: Edge, count: int) -> list[float]:
    """Upload tenants and visit each; megabytes of the edge after each tenth of them."""
    platform, megabytes = Platform(edge), []
    for number in range(count):
        platform.deploy_tenant(f"t{number}", TENANT.format(number))
    for step in range(STEPS):
        for number in range(step * count // STEPS, (step + 1) * count // STEPS):
            answer = platform.get(f"t{number}")
            if answer.text != f"tenant {number}":
                raise SystemExit(f"tenant {number}: {answer.status_code} {answer.text}")
        megabytes.append(memory_mb(edge.children()["edge"]))
    return megabytes


def main() -> None:
    """A line for each."""
    found = {}
    for name, count, loaded in (("visited in turn", IN_TURN, LOADED), ("resident", RESIDENT, RESIDENT + 10)):
        with tempfile.TemporaryDirectory() as scratch:
            edge = Edge(pathlib.Path(scratch) / "data", "--max-isolates", str(loaded))
            start = time.perf_counter()
            try:
                found[name] = visited(edge, count)
            finally:
                edge.stop()
        print(
            f"{count:6} tenants {name:16} of whom {min(count, loaded):5} stay loaded: MB {' '.join(f'{one:.0f}' for one in found[name])}; "
            f"{time.perf_counter() - start:.0f} s",
            flush=True,
        )
    print(json.dumps({"megabytes": found}))


if __name__ == "__main__":
    main()
