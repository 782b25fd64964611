# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that Ansible interrupts, or that outlives Ansible, sends no further write."""

from __future__ import annotations

import signal
import subprocess
import time

import pytest
from edge_process import wait_until
from fleet_plays import FLEET, listed_workers, start, task, write_tenants
from plays import AnsibleProject

COUNT = 300
SLOW_FLEET = {**FLEET, "concurrency": 1}  # 300 uploads take 15 s on the slow edge


def stops_writing(project: AnsibleProject) -> bool:
    """Whether the edge receives no write for a second, twenty times the latency of a request."""
    project.requests()
    time.sleep(1)
    return not project.writes()


@pytest.mark.parametrize("in_process", [True, False])
def test_fleet_after_task_timeout_writes_nothing(slow_project: AnsibleProject, in_process: bool) -> None:
    slow_project.variable("tenantry_in_process", in_process)
    write_tenants(slow_project, COUNT)
    fleet = task("namespaced_workers", **SLOW_FLEET)
    looped = {**fleet, "loop": [1], "timeout": 4, "register": "deployed", "ignore_errors": True}
    # The loop and the pause keep the worker process of Ansible alive, and with it the process of the module.
    play = slow_project.play([looped, {"ansible.builtin.pause": {"seconds": 1}}]).ok()
    done = listed_workers(slow_project)
    wait_until(lambda: stops_writing(slow_project), 30)
    result = next(result for _name, result in play.tasks if "item" in result)
    assert len(listed_workers(slow_project)) < COUNT
    if in_process:
        assert listed_workers(slow_project) == done, "the run waited for its last write"
        assert "interrupted by the timeout of the task" in result["msg"].lower()
        assert len(result.get("operations") or []) == len(done)
    slow_project.play([fleet]).ok()
    assert len(listed_workers(slow_project)) == COUNT


@pytest.mark.parametrize("in_process", [True, False])
def test_fleet_after_end_of_ansible_writes_nothing(slow_project: AnsibleProject, in_process: bool) -> None:
    slow_project.variable("tenantry_in_process", in_process)
    write_tenants(slow_project, COUNT)
    process = start(slow_project, subprocess.DEVNULL, task("namespaced_workers", **SLOW_FLEET))
    wait_until(lambda: len(listed_workers(slow_project)) >= 5, 60)
    process.kill()  # the main process alone
    process.wait(30)
    wait_until(lambda: stops_writing(slow_project), 30)
    assert len(listed_workers(slow_project)) < COUNT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_fleet_interrupted_by_user_reports_writes(slow_project: AnsibleProject, number: int) -> None:
    write_tenants(slow_project, COUNT)
    process = start(slow_project, subprocess.PIPE, task("namespaced_workers", **SLOW_FLEET), errors=subprocess.PIPE)
    wait_until(lambda: len(listed_workers(slow_project)) >= 5, 60)
    process.send_signal(number)
    _output, errors = process.communicate(timeout=60)  # until the last process has closed its standard error
    assert process.returncode != 0
    done = len(listed_workers(slow_project))
    assert f"{done} of {COUNT} changed." in errors.decode(), errors.decode()
    assert stops_writing(slow_project)
