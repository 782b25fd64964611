# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traffic at a steady rate for some minutes while tenants are uploaded, changed, deleted and evicted: run by make soak."""

from __future__ import annotations

import argparse
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
from edge_process import Edge, Platform
from soak import Report, Soak

#: More tenants than may stay loaded, so that some are evicted all the time.
TENANTS, LOADED = 300, 100


def main() -> None:
    """A line a minute; the exit status says whether a request failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=100, help="requests a second")
    told = parser.parse_args()
    minutes = 0

    def tell(report: Report) -> None:
        nonlocal minutes
        if len(report.megabytes) >= (minutes + 1) * 60:
            minutes += 1
            print(f"{minutes:3} min: {report.line()}", flush=True)

    with tempfile.TemporaryDirectory() as scratch:
        edge = Edge(pathlib.Path(scratch) / "data", "--max-isolates", str(LOADED))
        try:
            report = Soak(Platform(edge), tenants=TENANTS, rate=told.rate).run(told.minutes * 60, tell)
        finally:
            edge.stop()
    print(f"in all: {report.line()}")
    print("\n".join(report.wrong[:20]))
    raise SystemExit(bool(report.wrong))


if __name__ == "__main__":
    main()
