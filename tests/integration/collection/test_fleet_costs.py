# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet benchmark, reduced to its smallest part: measurements, targets and reports."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from xml.etree import ElementTree

from plays import REPOSITORY


def test_fleet_benchmark_three_tenants_writes_results_and_page(tmp_path: pathlib.Path) -> None:
    page = "# Fleets\n<!-- begin measurements -->\nold\n<!-- end measurements -->\nThe end.\n"
    (tmp_path / "benchmarks.md").write_text(page)
    options = [
        "--only",
        "ten",
        "--only",
        "file",
        "--only",
        "no change",
        "--most",
        "3",
        "--result",
        str(tmp_path / "fleets.json"),
        "--docs",
        str(tmp_path),
    ]
    completed = subprocess.run(
        [sys.executable, str(REPOSITORY / "tests" / "bench" / "fleets.py"), *options],
        check=False,
        capture_output=True,
        text=True,
    )
    assert completed.returncode == 0, completed.stderr
    result = json.loads((tmp_path / "fleets.json").read_text())
    assert [(record["count"], record["operation"], record["measure"]["refused"]) for record in result["records"]] == [
        (3, "create", 0),
        (3, "no change", 0),
    ]
    targets = {target["target"]: target["reached"] for target in result["targets"]}
    assert (targets["create: requests"], targets["no change: requests"], targets["destroy: requests"]) == (
        "yes",
        "yes",
        "not measured",
    ), completed.stdout
    updated_page = (tmp_path / "benchmarks.md").read_text()
    assert (
        updated_page.startswith("# Fleets\n")
        and updated_page.endswith("\nThe end.\n")
        and "| 3 | create | " in updated_page
        and "old" not in updated_page
    )
    assert ElementTree.parse(tmp_path / "fleets.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"
