# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""People who run tasks against one edge, each in processes of their own and at an address of their own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import pathlib
import typing as t

from entrances import Entrance
from local_edge.testing import Edge
from runs import Run, Task

Hook = tuple[int, str, t.Callable[[Run], t.Awaitable[None]]]
"""Number of a request, moment, and what happens there with the run."""


class Operator:
    """Starts runs at an entrance to the edge."""

    def __init__(self, edge: Edge, way: Entrance, folder: pathlib.Path) -> None:
        self.edge, self.way, self.folder = edge, way, folder

    @property
    def environment(self) -> dict[str, str]:
        return {
            "CLOUDFLARE_API_BASE_URL": self.way.api,
            "CLOUDFLARE_API_TOKEN": self.edge.token,
            "CLOUDFLARE_ACCOUNT_ID": self.edge.account,
        }

    def start(self, tasks: t.Sequence[Task], *hooks: Hook) -> Run:
        started: concurrent.futures.Future[Run] = concurrent.futures.Future()
        self.way.clear()
        for number, when, hook in hooks:
            self.way.at(number, when, functools.partial(_call_with, started, hook))
        started.set_result(Run(tasks, self.environment, self.folder))
        return started.result()

    def complete(self, tasks: t.Sequence[Task]) -> Run:
        """Run tasks, of which none may fail."""
        run = self.start(tasks).wait()
        assert not run.error, run.error
        return run

    def converge(self, tasks: t.Sequence[Task]) -> None:
        """Run tasks, of which none may fail, and of which a second run must change nothing."""
        self.complete(tasks)
        self.edge.clear()
        again = self.complete(tasks)
        assert (again.changed, self.edge.writes()) == (False, [])


async def _call_with(started: concurrent.futures.Future[Run], hook: t.Callable[[Run], t.Awaitable[None]]) -> None:
    await hook(await asyncio.wrap_future(started))


@contextlib.contextmanager
def operator_of(edge: Edge, folder: pathlib.Path) -> t.Iterator[Operator]:
    """Provide an operator with an entrance of its own. ``folder`` receives the results of the runs."""
    with Entrance(edge).opened() as way:
        yield Operator(edge, way, folder)
