# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Output of a fleet's progress: on a terminal, in a log, in AWX, and beside the output of callbacks."""

from __future__ import annotations

import json
import os
import pathlib
import pty
import re
import subprocess
import typing as t
import xml.etree.ElementTree

import pytest
from edge_process import wait_until
from fleet_plays import FLEET, listed_workers, start, task, write_tenants
from plays import AnsibleProject

PROGRESS_LINE = re.compile(
    r"Workers in dispatch namespace 'tenants': (\d+)/150, (?:\d:\d\d to go, )?(\d+) changed, 0 failed"
)


def run_on_terminal(project: AnsibleProject, *tasks: dict[str, t.Any], **options: t.Any) -> str:
    """Run a play on a terminal and return its output."""
    ours, theirs = pty.openpty()
    process = start(project, theirs, *tasks, **options)
    os.close(theirs)
    output = b""
    try:
        while piece := os.read(ours, 4096):
            output += piece
    except OSError:  # the terminal is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0, output.decode()
    return output.decode()


def test_progress_on_terminal_is_bar(slow_project: AnsibleProject) -> None:
    write_tenants(slow_project, 150)
    output = run_on_terminal(slow_project, task("namespaced_workers", **FLEET))
    drawn = re.findall(r"\r\x1b\[K(\[[#.]{12}\] \d+/150[^\r\n]*)", output)
    assert len(drawn) > 5 and drawn[0] != drawn[-1] and all(len(line) <= 80 for line in drawn)
    after = output.rpartition(drawn[-1])[2]
    assert after.startswith("\r\x1b[K"), "the bar is erased"
    assert "changed: [localhost]" in after.replace("\x1b[0;33m", "")


def test_progress_without_terminal_is_lines(slow_project: AnsibleProject) -> None:
    write_tenants(slow_project, 150)
    process = start(slow_project, subprocess.PIPE, task("namespaced_workers", **FLEET))
    output = process.communicate(timeout=60)[0].decode()
    assert (
        process.returncode == 0
        and len(PROGRESS_LINE.findall(output)) >= 2
        and "\r" not in output
        and "\x1b[K" not in output
    ), output


def test_progress_in_awx_job_is_lines(slow_project: AnsibleProject) -> None:
    write_tenants(slow_project, 150)
    play = slow_project.play([task("namespaced_workers", **FLEET)]).ok()
    assert len(PROGRESS_LINE.findall(play.stdout)) >= 2 and "/150" not in re.sub(PROGRESS_LINE, "", play.stdout)


def test_progress_ordinary_execution_reports_no_progress(slow_project: AnsibleProject) -> None:
    write_tenants(slow_project, 150)
    slow_project.variable("tenantry_in_process", False)
    play = slow_project.play([task("namespaced_workers", **FLEET)]).ok()
    assert (
        "no progress is shown, because the module runs in a separate process" in play.stdout
        and not PROGRESS_LINE.findall(play.stdout)
    )


def test_progress_output_closed_does_not_stop_run(slow_project: AnsibleProject) -> None:
    write_tenants(slow_project, 150)
    process = start(slow_project, subprocess.PIPE, task("namespaced_workers", **FLEET))
    assert process.stdout
    wait_until(
        lambda: bool(listed_workers(slow_project)), 30
    )  # before that, Ansible itself could fail on the closed output
    process.stdout.close()
    process.wait(60)
    assert len(listed_workers(slow_project)) == 150


# -- callbacks ---------------------------------------------------------------------------------------------------------

# Writes one JSON document, as the callbacks of the collections ansible.posix and community.general do.
JSON_CALLBACK = """
import json
from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "one_document"
    results = []

    def v2_runner_on_ok(self, result):
        self.results.append(json.loads(self._dump_results(getattr(result, "result", None) or result._result)))

    v2_runner_on_failed = v2_runner_on_ok

    def v2_playbook_on_stats(self, stats):
        print(json.dumps(self.results))
"""
PROGRESS = re.compile(r"\d+/101")
STDOUT_CALLBACKS: dict[str, dict[str, str]] = {  # with the variables that select a format
    "default": {},
    "default as yaml": {"ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"},
    "minimal": {},
    "oneline": {},
    "one_document": {},
}


def play_with_callback(project: AnsibleProject, callback: str, **variables: str) -> tuple[str, str]:
    """Deploy tenants, and return standard output and standard error."""
    (project.folder / "project" / "callback_plugins" / "one_document.py").write_text(JSON_CALLBACK)
    project.variables.update(
        {"ANSIBLE_STDOUT_CALLBACK": callback.split()[0], "ANSIBLE_NOCOLOR": "1", **STDOUT_CALLBACKS[callback]}
    )
    project.variables.update(variables)
    write_tenants(project, 101, vars={"CALLBACK": callback})
    process = start(project, subprocess.PIPE, task("namespaced_workers", **FLEET), errors=subprocess.PIPE)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()
    return output.decode(), errors.decode()


def test_callback_standard_output_contains_no_progress(slow_project: AnsibleProject) -> None:
    for callback in STDOUT_CALLBACKS:
        output, errors = play_with_callback(slow_project, callback)
        assert PROGRESS.search(errors) and not PROGRESS.search(output), callback
    assert json.loads(output)[0]["summary"]["changed"] == 101, "the whole output is one document"


def test_callback_files_contain_no_progress(slow_project: AnsibleProject, tmp_path: pathlib.Path) -> None:
    enabled = ",".join((slow_project.variables["ANSIBLE_CALLBACKS_ENABLED"], "junit", "tree"))
    folders = {name: str(tmp_path / name.lower()) for name in ("JUNIT_OUTPUT_DIR", "ANSIBLE_CALLBACK_TREE_DIR")}
    play_with_callback(slow_project, "default", ANSIBLE_CALLBACKS_ENABLED=enabled, **folders)
    junit, tree = map(pathlib.Path, folders.values())
    for file in junit.iterdir():
        assert xml.etree.ElementTree.parse(file).getroot().get("failures") == "0"
        assert not PROGRESS.search(file.read_text())
    assert json.loads((tree / "localhost").read_text())["summary"]["changed"] == 101


@pytest.mark.parametrize("in_process", [True, False])
def test_progress_switched_off_prints_nothing(slow_project: AnsibleProject, in_process: bool) -> None:
    slow_project.variable("tenantry_in_process", in_process)
    if in_process:
        slow_project.variable("tenantry_progress", False)
    switch = {} if in_process else {"TENANTRY_PROGRESS": "false"}
    _output, errors = play_with_callback(slow_project, "default", **switch)
    assert not PROGRESS.search(errors) and "no progress is shown" not in errors
