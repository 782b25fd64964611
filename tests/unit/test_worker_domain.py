# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Custom domains of Workers."""

from __future__ import annotations

import typing as t

import pytest
from harness import Runner, count_requests
from local_edge.testing import Edge

RECORD: dict[str, t.Any] = {"name": "www.example.com", "type": "A", "content": "192.0.2.1"}
DOMAIN: dict[str, t.Any] = {"hostname": "app.example.com", "worker": "router"}


@pytest.mark.usefixtures("workers_of_account")
def test_worker_domain_each_change_sends_minimal_requests(run: Runner, edge: Edge) -> None:
    known = {**DOMAIN, "zone_id": edge.zones["example.com"]}
    assert count_requests(run, edge, "worker_domain", **known) == (2, 1)
    assert count_requests(run, edge, "worker_domain", **DOMAIN) == (1, 0), (
        "one that exists says itself what zone it is in"
    )
    assert count_requests(run, edge, "worker_domain", **{**DOMAIN, "worker": "other"}, take_over=True) == (2, 1)
    assert count_requests(run, edge, "worker_domain", hostname="app.example.com", state="absent") == (2, 1)
    assert count_requests(run, edge, "worker_domain", hostname="app.example.com", state="absent") == (1, 0)


@pytest.mark.usefixtures("workers_of_account")
def test_worker_domain_of_other_worker_needs_take_over(run: Runner) -> None:
    created = run.ok("worker_domain", **DOMAIN)["worker_domain"]
    for changes in ({"worker": "other"}, {"worker": "other", "state": "absent"}):
        assert "belongs to Worker 'router'. Set take_over: true" in run.refused(
            "worker_domain", **{**DOMAIN, **changes}
        )
    taken = run.ok("worker_domain", **{**DOMAIN, "worker": "other", "take_over": True})["worker_domain"]
    assert taken == {**created, "worker": "other"}


@pytest.mark.usefixtures("workers_of_account")
def test_worker_domain_and_dns_record_with_same_name_conflict(run: Runner) -> None:
    run.ok("dns_record", **{**RECORD, "name": "app.example.com"})
    assert (
        "code 100117" in (message := run("worker_domain", **DOMAIN)["msg"]) and "Remove these records first" in message
    )
    run.ok("dns_record", name="app.example.com", type="A", state="absent")
    run.ok("worker_domain", **DOMAIN)
    assert (
        "code 81062" in (message := run("dns_record", **{**RECORD, "name": "app.example.com"})["msg"])
        and "Remove the custom domain first" in message
    )


def test_worker_domain_of_missing_worker_fails(run: Runner) -> None:
    assert "Upload the Worker first" in run("worker_domain", **DOMAIN)["msg"]
