# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schedule of a Worker."""

from __future__ import annotations

import random

import pytest
from harness import Runner, count_requests
from local_edge.errors import ApiError
from local_edge.model import cron
from local_edge.testing import Edge

PARTS = "* 0 7 8 23 24 31 59 60 1-5 5-61 */5 */0 3/05 */100 JAN dec SUN mon-FRI L LW 15W 3#2"  # of cron expressions


@pytest.mark.usefixtures("workers_of_account")
def test_worker_schedule_each_change_sends_minimal_requests(run: Runner, edge: Edge) -> None:
    crons = ["*/30 * * * *"]
    assert count_requests(run, edge, "worker_schedule", worker="router", crons=crons) == (2, 1)
    assert count_requests(run, edge, "worker_schedule", worker="router", crons=crons) == (1, 0)
    assert count_requests(run, edge, "worker_schedule", worker="router", state="absent") == (2, 1)
    assert count_requests(run, edge, "worker_schedule", worker="router", state="absent") == (1, 0)
    assert count_requests(run, edge, "worker_schedule", worker="nobody", state="absent") == (1, 0)


def test_cron_error_agrees_with_local_edge() -> None:
    from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker_schedule import (
        cron_error,
    )

    generator = random.Random(7)
    accepted = 0
    for _turn in range(3000):
        fields = ["*"] * generator.choice((4, 5, 5, 5, 5, 6))
        fields[generator.randrange(len(fields))] = ",".join(
            generator.choices(PARTS.split(), k=generator.choice((1, 1, 2)))
        )
        one = " ".join(fields)
        try:
            cron.check([one])
        except ApiError:
            assert cron_error(one), one
        else:
            accepted += 1
            assert not cron_error(one), one
    assert 500 < accepted < 2500, "neither all nor none of them are good"
