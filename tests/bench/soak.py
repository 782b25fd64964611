# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a platform for an hour under a rate limit, while tenants come, change, drift and go. Run by make soak."""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "faults"))  # before this folder, which has another report.py
sys.path += os.environ["ANSIBLE_COLLECTIONS_PATH"].split(os.pathsep)
from report import write_table
from soak import Report, start_soak

TENANTS, QUOTA = 300, "240/60"


def main() -> None:
    """Print a line per minute. The exit status is 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=20, help="visits per second")
    arguments = parser.parse_args()
    start, printed = time.monotonic(), 0

    def go_on(report: Report) -> bool:
        nonlocal printed
        minutes = (time.monotonic() - start) / 60
        if minutes >= printed:
            print(f"{minutes:3.0f} min: {report.line()}", flush=True)
            printed = int(minutes) + 1
        return minutes < arguments.minutes

    with tempfile.TemporaryDirectory() as scratch:
        soak = start_soak(pathlib.Path(scratch), TENANTS, QUOTA, arguments.rate)
        try:
            report = soak.run(go_on)
        finally:
            soak.edge.stop()
    print(f"total: {report.line()}")
    print("\n".join(report.wrong[:20]))
    if arguments.minutes >= 60 and not report.wrong:
        write_table("soak", *report.table(), note=f"{TENANTS} tenants, {QUOTA} requests per seconds, seed 1.")
    raise SystemExit(bool(report.wrong))


if __name__ == "__main__":
    main()
