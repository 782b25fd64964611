# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays of a fleet: a file of tenants, ansible-playbook as a process of its own, and the state that the edge has then."""

from __future__ import annotations

import json
import os
import subprocess
import time
import typing as t

import yaml
from plays import AnsibleProject

CODE = "export default { fetch: () => new Response('one') };"
FLEET: dict[str, t.Any] = {
    "dispatch_namespace": "tenants",
    "owner": "mine",
    "routing_kv": {"title": "Metadata"},
    "defaults": {"content": CODE, "compatibility_date": "2026-11-01"},
    "workers_file": "tenants.json",
}
# Loaded before the first task. Sets the intervals of progress output in seconds, on a terminal and elsewhere.
FAST_PROGRESS = """
from ansible.plugins.callback import CallbackBase
from ansible_collections.tenantry.cloudflare_workers.plugins.plugin_utils import _progress

_progress.UPDATE_INTERVAL.update({True: 0.05, False: 0.3})


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_NAME = "hurry"
"""


def task(module: str, **options: t.Any) -> dict[str, t.Any]:
    return {f"tenantry.cloudflare_workers.{module}": options}


def write_tenants(project: AnsibleProject, count: int, **options: t.Any) -> list[dict[str, t.Any]]:
    """Write the file of tenants and return its contents."""
    fleet = [
        {"name": f"t{number:03}", "hostnames": [f"t{number:03}.example.com"], **options} for number in range(count)
    ]
    (project.folder / "project" / "tenants.json").write_text(json.dumps(fleet))
    return fleet


def start(
    project: AnsibleProject,
    output: t.Any,
    *tasks: dict[str, t.Any],
    hosts: str = "localhost",
    options: t.Sequence[str] = (),
    errors: t.Any = subprocess.STDOUT,
) -> subprocess.Popen[bytes]:
    """Start a play with ansible-playbook, in a new session. ``output`` and ``errors`` are its standard streams."""
    playbook = project.folder / "project" / f"play-{time.monotonic_ns()}.yml"
    playbook.write_text(
        yaml.safe_dump([{"hosts": hosts, "gather_facts": False, "tasks": list(tasks)}], sort_keys=False)
    )
    return subprocess.Popen(
        ["ansible-playbook", "-i", str(project.folder / "inventory" / "hosts"), str(playbook), *options],
        cwd=project.folder / "project",
        env={**os.environ, **project.variables},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        start_new_session=True,
    )


def uploads(project: AnsibleProject) -> list[str]:
    """Return the names of the Workers uploaded since the last call."""
    return sorted(
        write.rpartition("/")[2] for write in project.writes() if write.startswith("PUT") and "/scripts/" in write
    )


def listed_workers(project: AnsibleProject) -> set[str]:
    return {
        script["id"] for script in project.edge.call("GET", "/workers/dispatch/namespaces/tenants/scripts?limit=1000")
    }
