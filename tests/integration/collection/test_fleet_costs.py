# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The benchmark of fleets measures, judges and tells what it measured: its smallest part."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from xml.etree import ElementTree

from plays import REPOSITORY


def test_three_tenants_are_created_and_left_alone(tmp_path: pathlib.Path) -> None:
    page = "# Fleets\n<!-- begin measurements -->\nold\n<!-- end measurements -->\nThe end.\n"
    (tmp_path / "benchmarks.md").write_text(page)
    part = [
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
    ended = subprocess.run(
        [sys.executable, str(REPOSITORY / "tests" / "bench" / "fleets.py"), *part],
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    result = json.loads((tmp_path / "fleets.json").read_text())
    assert [(record["count"], record["operation"], record["measure"]["refused"]) for record in result["records"]] == [
        (3, "create", 0),
        (3, "no change", 0),
    ]
    judged = {target["target"]: target["reached"] for target in result["targets"]}
    assert (judged["create: requests"], judged["no change: requests"], judged["destroy: requests"]) == (
        "yes",
        "yes",
        "not measured",
    ), ended.stdout
    told = (tmp_path / "benchmarks.md").read_text()
    assert (
        told.startswith("# Fleets\n")
        and told.endswith("\nThe end.\n")
        and "| 3 | create | " in told
        and "old" not in told
    )
    assert ElementTree.parse(tmp_path / "fleets.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"
