# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleet runs: interrupted, concurrent and from a file."""

from __future__ import annotations

import functools
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest
import yaml
from fleet_plays import FLEET, listed_workers, start, task, uploads, write_tenants
from plays import AnsibleProject

SECRET = "hush-hush-do-not-tell-7"


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_fleet_interrupted_run_is_completed_by_next_run(
    slow_project: AnsibleProject, signal_number: signal.Signals
) -> None:
    names = {tenant["name"] for tenant in write_tenants(slow_project, 300)}
    process = start(slow_project, subprocess.DEVNULL, task("namespaced_workers", **FLEET))
    while len(listed_workers(slow_project)) < 40:
        assert process.poll() is None
        time.sleep(0.05)
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for one in (
        process.pid,
        *(map(int, children) if signal_number is signal.SIGKILL else ()),
    ):  # with its worker processes, as when a container is killed
        os.kill(one, signal_number)
    process.wait(60)
    time.sleep(1)
    done = listed_workers(slow_project)
    assert 40 <= len(done) < 300, "no process continues in the background"
    slow_project.requests()
    assert slow_project.play([task("namespaced_workers", **FLEET)]).ok().tasks[0][1]["summary"]["changed"] == len(
        names - done
    )
    assert uploads(slow_project) == sorted(names - done)
    again = slow_project.play([task("namespaced_workers", **FLEET)]).ok()
    assert not again.changed and slow_project.writes() == []


@pytest.mark.parametrize("owners", [("mine", "theirs"), ("mine", "mine")])
def test_fleet_concurrent_runs_succeed(slow_project: AnsibleProject, owners: tuple[str, str]) -> None:
    write_tenants(slow_project, 60)
    theirs = (
        [{"name": f"u{number:03}", "hostnames": [f"u{number:03}.example.com"]} for number in range(60)]
        if owners[1] != "mine"
        else None
    )
    other = {**FLEET, "owner": owners[1], "prune": True}
    other |= {"workers": theirs, "workers_file": "none.json"} if theirs else {}
    (slow_project.folder / "project" / "none.json").write_text("[]")
    tasks = (task("namespaced_workers", **FLEET, prune=True), task("namespaced_workers", **other))
    both = [start(slow_project, subprocess.PIPE, one) for one in tasks]
    for process in both:
        output, _nothing = process.communicate(timeout=60)
        assert process.returncode == 0, output.decode()
    assert len(listed_workers(slow_project)) == (120 if theirs else 60)
    slow_project.requests()
    assert not slow_project.play(list(tasks)).ok().changed
    assert slow_project.writes() == []


# -- a file ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_process", [True, False])
def test_workers_file_relative_path_is_found(project: AnsibleProject, in_process: bool) -> None:
    project.variable("tenantry_in_process", in_process)
    folder = project.folder / "project"
    project.play([task("dispatch_namespace", name="tenants")]).ok()
    fleet = {"dispatch_namespace": "tenants", "owner": "mine", "defaults": FLEET["defaults"]}
    for place, name in (("", "beside"), ("files", "files"), ("roles/shop/files", "role"), ("elsewhere", "root")):
        (folder / place).mkdir(parents=True, exist_ok=True)
        (folder / place / "tenants.yml").write_text(
            f"- name: {name}\n  vars: {{TEXT: '{{{{ nothing }}}}', DATE: 2026-11-01}}\n"
        )
    (folder / "roles/shop/tasks").mkdir()
    (folder / "roles/shop/tasks/main.yml").write_text(
        yaml.safe_dump([task("namespaced_workers", **fleet, workers_file="tenants.yml")])
    )
    (folder / "files" / "tenants.yml").rename(folder / "files" / "others.yml")
    play = project.play(
        [
            task("namespaced_workers", **fleet, workers_file="tenants.yml"),
            task("namespaced_workers", **fleet, workers_file="others.yml", workers=[{"name": "more"}]),
            {"ansible.builtin.include_role": {"name": "shop"}},
            task("namespaced_workers", **fleet, workers_file="tenants.yml", source_root=str(folder / "elsewhere")),
            task("namespaced_workers", **fleet, workers_file=str(folder / "tenants.yml")),
        ]
    ).ok()
    listed = [
        [one["name"] for one in result["namespaced_workers"]]
        for _name, result in play.tasks
        if "namespaced_workers" in result
    ]
    assert listed == [["beside"], ["more", "files"], ["role"], ["root"], ["beside"]]
    bound = project.edge.call("GET", "/workers/dispatch/namespaces/tenants/scripts/beside/bindings")
    assert {one["name"]: one["text"] for one in bound} == {"TEXT": "{{ nothing }}", "DATE": "2026-11-01"}


@pytest.mark.parametrize("in_process", [True, False])
def test_fleet_invalid_elements_fail_alone(project: AnsibleProject, in_process: bool) -> None:
    project.variable("tenantry_in_process", in_process)
    fleet = {name: value for name, value in FLEET.items() if name != "routing_kv"}
    folder = project.folder / "project"
    (folder / "sources").mkdir()
    (folder / "sources/good.js").write_text(FLEET["defaults"]["content"])
    (folder / "sources/out.js").symlink_to("/etc/hostname")
    os.mkfifo(folder / "fifo.js")
    errors = {
        "missing": ({"path": "nowhere.js"}, "path: file .*/nowhere.js does not exist"),
        "outside": ({"path": "sources", "main_module": "good.js"}, "path: .*: out.js is a link to a path outside"),
        "fifo": ({"path": "fifo.js"}, "path: .*/fifo.js is a FIFO"),
        "half": ({"vars": {"A": "\ud800"}}, "vars.A contains U\\+D800"),
        "named": ({"path": "\udce9.js"}, "path contains U\\+DCE9"),
        "flat": ({"observability": True}, "observability: a boolean is not a dictionary"),
        "deep": ({"vars": {"A": functools.reduce(lambda inner, _level: [inner], range(200), 1)}}, "levels deep"),
    }
    workers = [{"name": name, **options} for name, (options, _message) in errors.items()]
    (folder / "tenants.json").write_text(json.dumps([*workers, {"name": "good", "path": "sources/good.js"}]))
    project.play([task("dispatch_namespace", name="tenants")]).ok()
    for changed in (True, False):
        play = project.play([task("namespaced_workers", **fleet)])
        assert play.code != 0 and "Traceback" not in play.stdout
        results = {one["name"]: one for one in play.tasks[-1][1]["namespaced_workers"]}
        for name, (_options, message) in errors.items():
            assert re.search(message, results[name]["msg"]), results[name]
        assert results["good"]["changed"] is changed
        assert listed_workers(project) == {"good"}


@pytest.mark.parametrize("in_process", [True, False])
def test_workers_file_invalid_never_removes_all_workers(project: AnsibleProject, in_process: bool) -> None:
    project.variable("tenantry_in_process", in_process)
    fleet = {name: value for name, value in FLEET.items() if name not in ("routing_kv", "workers_file")}
    project.play(
        [
            task("dispatch_namespace", name="tenants"),
            task("namespaced_workers", **fleet, workers=[{"name": "a"}, {"name": "b"}]),
        ]
    ).ok()
    for name, content in (
        ("empty.jsonl", ""),
        ("none.json", "[]"),
        ("null.json", "null"),
        ("broken.json", "["),
        ("nameless.json", '["a"]'),
    ):
        (project.folder / "project" / name).write_text(content)
        for state in ("absent", "present"):
            play = project.play(
                [
                    task(
                        "namespaced_workers",
                        **fleet,
                        workers_file=name,
                        state=state,
                        **({"prune": True} if state == "present" else {}),
                    )
                ]
            )
            assert play.code != 0 or (state == "absent" and not play.changed), play.stdout
    for file in ("missing.json", "", None):
        assert project.play([task("namespaced_workers", **fleet, workers_file=file, state="absent")]).code != 0
    assert listed_workers(project) == {"a", "b"}


@pytest.mark.parametrize("in_process", [True, False])
def test_workers_file_secrets_appear_in_no_output(project: AnsibleProject, in_process: bool) -> None:
    project.variable("tenantry_in_process", in_process)
    project.variables["ANSIBLE_LOG_PATH"] = str(project.folder / "ansible.log")
    project.play([task("dispatch_namespace", name="tenants"), task("kv_namespace", title="Metadata")]).ok()
    fleet = {**FLEET, "defaults": {**FLEET["defaults"], "secrets": {"ALL": "{{ shared }}"}}}
    project.variable("shared", f"{SECRET}-shared")
    write_tenants(project, 3, secrets={"KEY": SECRET, "PIN": "pin4"})
    outputs = []
    for broken in (False, True):
        if broken:
            message = f"the value {SECRET} and {SECRET}-shared and pin4 are no good"
            fault = {
                "method": "PUT",
                "path": ".*/scripts/t001",
                "status": 400,
                "code": 10021,
                "message": message,
                "times": 1,
            }
            project.edge.session.post(
                f"{project.edge.api.removesuffix('/client/v4')}/_edge/faults", json=fault
            ).raise_for_status()
            write_tenants(project, 3, secrets={"KEY": SECRET, "PIN": "pin4"}, vars={"PLAN": "pro"})
        play = project.play(
            [
                {**task("namespaced_workers", **fleet), "register": "result"},
                {"ansible.builtin.debug": {"var": "result"}},
            ],
            "-vvvv --diff",
        )
        assert bool(play.code) is broken, play.stdout
        outputs += [
            play.stdout,
            *(file.read_text(errors="replace") for file in play.folder.rglob("*") if file.is_file()),
        ]
    outputs += [(project.folder / "ansible.log").read_text(), project.edge.log.read_text()]
    (project.folder / "project" / "tenants.json").write_text(f'[{{"name": "a", "secrets": {{"KEY": "{SECRET}"}}')
    outputs += [project.play([task("namespaced_workers", **fleet)], "-vvvv").stdout]
    assert any("t001: Cloudflare answered 400, code 10021" in text for text in outputs)
    for text in outputs:
        assert SECRET not in text and "pin4" not in text
