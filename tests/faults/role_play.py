# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A play in this process, as ansible-playbook runs it, whose results are recorded."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest
from ansible.cli.playbook import PlaybookCLI
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare import connections
from virtual_time import VirtualTime


def play(job: dict[str, t.Any]) -> dict[str, t.Any]:
    """Run a job of the play server, and return a result like that of a module."""
    record = pathlib.Path(job["playbook"]).with_suffix(".json")
    record.unlink(missing_ok=True)
    os.environ.update(job["environment"], RECORDER_FILE=str(record))
    time = VirtualTime()
    time.sleep(job["waited"])
    time.install(pytest.MonkeyPatch())
    connections.TIMEOUT = tuple(job["timeout"])
    variables = json.dumps({**job["variables"], "ansible_connection": "local"})
    options = ["-i", "localhost,", "-e", variables, *(["--check"] if job["check"] else [])]
    code = PlaybookCLI(["ansible-playbook", *options, job["playbook"]]).run()
    recorded = json.loads(record.read_text())
    message, operations = " ".join(recorded["messages"]), recorded["operations"]
    return {**recorded, "failed": code != 0, "msg": message, "changed": bool(operations)}
