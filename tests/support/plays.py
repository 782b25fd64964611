# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run playbooks as AWX does: with ansible-runner, in a project folder, with credentials in the environment."""

from __future__ import annotations

import pathlib
import re
import shutil
import typing as t
from dataclasses import dataclass

import ansible_runner
import yaml
from edge_process import TOKEN, Edge

REPOSITORY = pathlib.Path(__file__).parents[2]
QUICKSTART = REPOSITORY / "examples" / "quickstart"
COLOR_CODES = re.compile(r"\x1b\[[0-9;]*m")
COMPLETED_EVENTS = (
    "runner_on_ok",
    "runner_on_failed",
    "runner_item_on_ok",
    "runner_item_on_failed",
    "runner_on_skipped",
)


@dataclass
class Play:
    """The result of a play. C(tasks) lists the name and the result of each completed task or loop item."""

    code: int
    stdout: str
    tasks: list[tuple[str, dict[str, t.Any]]]
    stats: dict[str, dict[str, int]]
    folder: pathlib.Path

    @property
    def changed(self) -> int:
        return (self.stats.get("changed") or {}).get("localhost", 0)

    @property
    def operations(self) -> list[str]:
        """The C(operations) of all tasks, in order."""
        return [
            operation
            for _name, result in self.tasks
            if "results" not in result
            for operation in result.get("operations") or []
        ]

    @property
    def diffs(self) -> list[t.Any]:
        return [result["diff"] for _name, result in self.tasks if "results" not in result and result.get("diff")]

    def ok(self) -> Play:
        assert self.code == 0, self.stdout
        return self


class AnsibleProject:
    """A copy of the quickstart whose playbooks run against a local edge."""

    def __init__(self, edge: Edge, folder: pathlib.Path) -> None:
        self.edge, self.folder = edge, folder
        shutil.copytree(QUICKSTART, folder / "project")
        (folder / "inventory").mkdir()
        (folder / "inventory" / "hosts").write_text(
            "localhost ansible_connection=local ansible_python_interpreter={{ ansible_playbook_python }}\n"
        )
        self.variables = {
            "CLOUDFLARE_API_BASE_URL": edge.api,
            "CLOUDFLARE_API_TOKEN": TOKEN,
            "CLOUDFLARE_ACCOUNT_ID": edge.account.rpartition("/")[2],
            "ANSIBLE_INJECT_INVOCATION": "true",
        }

    def play(self, playbook: str | list[t.Any] = "site.yml", options: str = "", **variables: t.Any) -> Play:
        """Run a playbook of the project, or a list of tasks."""
        if isinstance(playbook, list):
            header = {"hosts": "localhost", "gather_facts": False}
            (self.folder / "project" / "tasks.yml").write_text(
                yaml.safe_dump([{**header, "tasks": playbook}], sort_keys=False)
            )
            playbook = "tasks.yml"
        run = ansible_runner.run(
            private_data_dir=str(self.folder),
            playbook=playbook,
            cmdline=options or "--forks 5",  # ansible-runner reuses the last run's options if there are none
            extravars=variables,
            envvars=self.variables,
            quiet=True,
            settings={"suppress_env_files": True},
        )
        events = list(run.events)
        tasks = [
            (event["event_data"]["task"], event["event_data"].get("res") or {})
            for event in events
            if event["event"] in COMPLETED_EVENTS
        ]
        stdout = COLOR_CODES.sub("", "\n".join(event["stdout"] for event in events if event.get("stdout")))
        return Play(run.rc, stdout, tasks, run.stats or {}, pathlib.Path(run.config.artifact_dir))

    def variable(self, name: str, value: t.Any) -> None:
        """Set a variable in host_vars. Unlike extra variables, it does not appear in the runner's artifacts."""
        folder = self.folder / "project" / "host_vars" / "localhost"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yml").write_text(yaml.safe_dump({name: value}))

    def requests(self) -> list[dict[str, t.Any]]:
        """Return the requests that the edge received since the last call, and clear the log."""
        log = f"{self.edge.api.removesuffix('/client/v4')}/_edge/requests"
        received = self.edge.session.get(log).json()["requests"]
        self.edge.session.delete(log)
        return t.cast("list[dict[str, t.Any]]", received)

    def writes(self) -> list[str]:
        """Return the writes among the requests since the last call, and clear the log."""
        return [f"{request['method']} {request['path']}" for request in self.requests() if request["write"]]
