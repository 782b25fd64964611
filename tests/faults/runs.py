# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks run in order by a process of its own, which a test can kill, as a play runs them."""

from __future__ import annotations

import functools
import itertools
import json
import multiprocessing
import operator
import os
import pathlib
import signal
import typing as t
import unittest.mock
from dataclasses import dataclass, field

Options = dict[str, t.Any]
Result = dict[str, t.Any]

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__])
NUMBERS = itertools.count()
TIMEOUT = 600  # seconds: longer than any run takes; its end is a failure of the test, never a result


@dataclass(frozen=True)
class Task:
    """One module with its options. ``when`` names a key of an earlier result, such as ``a.b``, that must be 0."""

    module: str
    options: Options = field(default_factory=dict)
    when: str = ""

    def is_due(self, previous: Result) -> bool:
        return not self.when or functools.reduce(operator.getitem, self.when.split("."), previous) == 0


def run_tasks(tasks: t.Sequence[Task], environment: t.Mapping[str, str], output: pathlib.Path) -> None:
    """Run tasks until one fails. Append each result to a file as a line of JSON."""
    from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine import converge

    for name in [name for name in os.environ if name.startswith("CLOUDFLARE_")]:
        del os.environ[name]
    os.environ.update(environment)
    converge.VERIFY_TIMEOUT = 1.0  # seconds: no read of the edge lags behind a write
    registered: Result = {}
    with output.open("a") as file:
        for task in tasks:
            if not task.is_due(registered):
                continue
            result = run_module(task)
            if not task.when:
                registered = result
            file.write(json.dumps({**result, "module": task.module}) + "\n")
            file.flush()
            if result.get("failed"):
                break


def run_module(task: Task) -> Result:
    from ansible.module_utils.basic import AnsibleModule
    from ansible_collections.tenantry.cloudflare_workers.plugins.action import api as action

    warnings: list[str] = []
    with unittest.mock.patch.object(AnsibleModule, "warn", lambda module, text: warnings.append(text)):
        result = action._run_main(task.module, {**task.options, "_ansible_check_mode": False})
    return {**result, "warnings": warnings}


class Run:
    """A started run. Its results are complete once it has ended."""

    def __init__(self, tasks: t.Sequence[Task], environment: t.Mapping[str, str], folder: pathlib.Path) -> None:
        self.output = folder / f"run-{next(NUMBERS)}.jsonl"
        self.output.touch()
        self.process = CONTEXT.Process(target=run_tasks, args=(tasks, environment, self.output))
        self.process.start()

    def kill(self) -> None:
        assert self.process.pid
        os.kill(self.process.pid, signal.SIGKILL)

    def wait(self) -> Run:
        self.process.join(TIMEOUT)
        assert self.process.exitcode is not None, "the run did not end"
        return self

    @property
    def was_killed(self) -> bool:
        return bool(self.process.exitcode == -signal.SIGKILL)

    @property
    def results(self) -> list[Result]:
        return [json.loads(line) for line in self.output.read_text().splitlines()]

    @property
    def error(self) -> str:
        """The message of the task that failed; empty if none did."""
        assert self.process.exitcode == 0, self.process.exitcode
        return "".join(str(result["msg"]) for result in self.results if result.get("failed"))

    @property
    def warnings(self) -> str:
        return "\n".join(warning for result in self.results for warning in result["warnings"])

    @property
    def operations(self) -> list[str]:
        return [operation for result in self.results for operation in result.get("operations") or ()]

    @property
    def changed(self) -> bool:
        return any(result.get("changed") for result in self.results)
