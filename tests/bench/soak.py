# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Send steady traffic for minutes while tenants are uploaded, changed, deleted and evicted. Run by make soak."""

from __future__ import annotations

import argparse
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
from edge_process import Edge, Platform
from soak import Report, Soak

#: More tenants than isolates, so that tenants are evicted continuously.
TENANTS, LOADED = 300, 100


def main() -> None:
    """Print a line per minute. The exit status is 1 if a request failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=100, help="requests per second")
    arguments = parser.parse_args()
    minutes = 0

    def print_minute(report: Report) -> None:
        nonlocal minutes
        if len(report.megabytes) >= (minutes + 1) * 60:
            minutes += 1
            print(f"{minutes:3} min: {report.line()}", flush=True)

    with tempfile.TemporaryDirectory() as scratch:
        edge = Edge(pathlib.Path(scratch) / "data", "--max-isolates", str(LOADED))
        try:
            report = Soak(Platform(edge), tenants=TENANTS, rate=arguments.rate).run(
                arguments.minutes * 60, print_minute
            )
        finally:
            edge.stop()
    print(f"total: {report.line()}")
    print("\n".join(report.wrong[:20]))
    raise SystemExit(bool(report.wrong))


if __name__ == "__main__":
    main()
