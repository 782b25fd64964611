# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queues: renaming, requests, and settings that other clients set."""

from __future__ import annotations

import typing as t

from harness import Runner
from local_edge.testing import Edge
from predictions import UNKNOWN

DEFAULTS = {"delivery_delay": 0, "delivery_paused": False, "message_retention_period": 345_600}


def patch(run: Runner, edge: Edge, queue_id: str, settings: dict[str, t.Any]) -> None:
    """Change the settings of a queue as another client."""
    path = f"/accounts/{edge.account}/queues/{queue_id}"
    run.ok("api", method="PATCH", path=path, body={"settings": settings})


def test_queue_renamed_keeps_id_and_settings(run: Runner, edge: Edge) -> None:
    created = run.ok("queue", queue_name="old", settings={"delivery_delay": 60})["queue"]
    rename = {"queue_name": "old", "new_name": "new", "settings": {"delivery_paused": True}}
    predicted = run.ok("queue", check=True, **rename)
    renamed = run.ok("queue", **rename)
    assert renamed["operations"] == predicted["operations"]
    assert renamed["operations"] == [f"PATCH /accounts/{edge.account}/queues/{created['queue_id']}"]
    assert renamed["queue"]["queue_id"] == created["queue_id"]
    assert renamed["queue"]["queue_name"] == "new"
    assert renamed["queue"]["settings"] == {**DEFAULTS, "delivery_delay": 60, "delivery_paused": True}
    assert not run.ok("queue", **rename)["changed"]
    assert run.ok("queue", queue_name="old", new_name="new", state="absent")["changed"]
    assert run.ok("queue_info")["queues"] == []


def test_queue_new_name_of_missing_queue_creates_it(run: Runner) -> None:
    assert run.ok("queue", queue_name="old", new_name="new")["queue"]["queue_name"] == "new"


def test_queue_without_settings_gets_defaults_of_account(run: Runner, edge: Edge) -> None:
    predicted = run.ok("queue", check=True, queue_name="a")["queue"]["settings"]
    assert predicted == dict.fromkeys(DEFAULTS, UNKNOWN)
    assert run.ok("queue", queue_name="a")["queue"]["settings"] == DEFAULTS


def test_queue_update_sends_only_changed_settings(run: Runner, edge: Edge) -> None:
    queue_id = run.ok("queue", queue_name="a", settings={"delivery_delay": 60})["queue"]["queue_id"]
    patch(run, edge, queue_id, {"message_retention_period": 7200})
    changed = run.ok("queue", queue_name="a", settings={"delivery_delay": 0})
    assert changed["queue"]["settings"] == {**DEFAULTS, "message_retention_period": 7200}
    assert changed["diff"]["before"]["settings"]["delivery_delay"] == 60
    reset = run.ok("queue", queue_name="a", settings=None)
    assert reset["changed"] and reset["queue"]["settings"] == DEFAULTS


def test_queue_unchanged_sends_one_request(run: Runner, edge: Edge) -> None:
    for name in ("a", "b"):
        run.ok("queue", queue_name=name, settings={"delivery_delay": 60})
    for options, requests in (({}, 1), ({"new_name": "c"}, 2)):
        edge.clear()
        assert run.ok("queue", check=True, queue_name="a", settings={"delivery_delay": 60}, **options)
        assert len(edge.requests()) == requests
