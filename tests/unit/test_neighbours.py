# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands around the Workers of a platform: schedules, names, and what each costs."""

from __future__ import annotations

import random
import typing as t

import pytest
from harness import Runner
from local_edge.errors import ApiError
from local_edge.model import cron
from local_edge.testing import Edge

CODE = "export default { fetch: () => new Response('one') };"


def cost(run: Runner, edge: Edge, module: str, **options: t.Any) -> tuple[int, int]:
    """Run a module, and count its reads and its writes."""
    edge.clear()
    run.ok(module, **options)
    writes = len(edge.writes())
    return len(edge.requests()) - writes, writes


@pytest.fixture
def _router(run: Runner) -> None:
    for name in ("router", "other"):
        run.ok("worker", name=name, content=CODE, compatibility_date="2026-11-01")


@pytest.mark.usefixtures("_router")
def test_what_a_schedule_costs(run: Runner, edge: Edge) -> None:
    crons = ["*/30 * * * *"]
    assert cost(run, edge, "worker_schedule", name="router", crons=crons) == (2, 1)
    assert cost(run, edge, "worker_schedule", name="router", crons=crons) == (1, 0)
    assert cost(run, edge, "worker_schedule", name="router", state="absent") == (2, 1)
    assert cost(run, edge, "worker_schedule", name="router", state="absent") == (1, 0)
    assert cost(run, edge, "worker_schedule", name="nobody", state="absent") == (1, 0)


def test_the_crons_that_are_refused_are_those_that_cloudflare_would_refuse() -> None:
    from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker_schedule import complaint

    parts = "* 0 7 8 23 24 31 59 60 1-5 5-61 */5 */0 3/05 */100 JAN dec SUN mon-FRI L LW 15W 3#2".split()
    draw = random.Random(7)
    taken = 0
    for _turn in range(3000):
        fields = ["*"] * draw.choice((4, 5, 5, 5, 5, 6))
        fields[draw.randrange(len(fields))] = ",".join(draw.choices(parts, k=draw.choice((1, 1, 2))))
        one = " ".join(fields)
        try:
            cron.check([one])
        except ApiError:
            assert complaint(one), one
        else:
            taken += 1
            assert not complaint(one), one
    assert 500 < taken < 2500, "neither all nor none of them are good"
