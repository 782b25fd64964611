# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An interrupted run sends no further request, waits only for writes in flight, and reports the writes so far."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import threading
import typing as t

import pytest
import requests
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils import _interruption
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare import client, interruption
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.progress import (
    Progress,
    progress_listener,
)
from harness import Result, Runner
from local_edge.testing import Edge
from tenant import CODE

COUNT = 40
FLEET = {
    "dispatch_namespace": "tenants",
    "owner": "mine",
    "concurrency": 4,
    "routing_kv": {"title": "Metadata"},
    "workers": [
        {
            "name": f"t{number:02}",
            "hostnames": [f"t{number:02}.example.com"],
            "content": CODE,
            "compatibility_date": "2026-11-01",
        }
        for number in range(COUNT)
    ],
}


@pytest.fixture(autouse=True)
def signals_received() -> t.Iterator[None]:
    """Drop the signals of the test, and fail if the handlers of the process are not restored."""
    handlers = {number: signal.getsignal(number) for number in _interruption.REASONS}
    yield
    _interruption.take_signal()
    assert {number: signal.getsignal(number) for number in _interruption.REASONS} == handlers
    assert signal.alarm(0) == 0


@pytest.fixture
def platform(run: Runner, edge: Edge) -> Edge:
    run.ok("dispatch_namespace", name="tenants")
    run.ok("kv_namespace", title="Metadata")
    edge.clear()
    return edge


def uploads(edge: Edge) -> set[str]:
    return {write.rpartition("/")[2] for write in edge.writes() if "/scripts/" in write}


def deploy_and_signal(run: Runner, number: int, after: int) -> Result:
    """Deploy the fleet, and send a signal to this process when some Workers are done, or when the run waits."""
    sent = threading.Lock()

    def listener(progress: Progress) -> None:
        if (progress.done == after or progress.waits_until) and sent.acquire(blocking=False):
            os.kill(os.getpid(), number)

    with progress_listener(listener):
        return run("namespaced_workers", **FLEET)


@pytest.mark.parametrize(("number", "reason"), _interruption.REASONS.items(), ids=str)
def test_fleet_interrupted_by_signal_stops_and_reports(run: Runner, platform: Edge, number: int, reason: str) -> None:
    result = deploy_and_signal(run, number, after=5)
    done = uploads(platform)
    assert 5 <= len(done) <= 5 + 2 * 4, "only those in flight"
    assert result["failed"] and result["summary"]["changed"] == len(done) == len(result["operations"])
    assert f"interrupted by {reason}" in result["msg"]
    assert f"{len(done)} of {COUNT} changed." in result["msg"] and "Run again to continue." in result["msg"]
    assert {worker["name"] for worker in result["namespaced_workers"] if worker["changed"]} == done
    assert _interruption.take_signal() == (None if number == signal.SIGALRM else number)

    platform.clear()
    assert run.ok("namespaced_workers", **FLEET)["summary"]["changed"] == COUNT - len(done)
    assert not uploads(platform) & done
    assert not run.ok("namespaced_workers", **FLEET)["changed"]


def test_fleet_interrupted_while_waiting_for_rate_limit_stops(
    run: Runner, platform: Edge, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # the limit is not that of other tests
    headers = {"Retry-After": "300"}
    platform.fault(method="PUT", path=".*/scripts/.*", status=429, code=971, headers=headers, times=COUNT)
    result = deploy_and_signal(run, signal.SIGTERM, after=-1)
    assert result["failed"] and "interrupted by the signal SIGTERM" in result["msg"]
    assert result["summary"]["changed"] == 0 and len(uploads(platform)) <= 4


def test_fleet_write_that_does_not_finish_in_time_is_left(
    run: Runner, platform: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, released = requests.Session.request, threading.Event()

    def request(session: requests.Session, method: str, url: str, **options: t.Any) -> requests.Response:
        if method == "PUT" and url.endswith("/scripts/t03"):
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
                os.kill(os.getpid(), number)
            released.wait()
        return send(session, method, url, **options)

    monkeypatch.setattr(requests.Session, "request", request)
    result = run("namespaced_workers", **FLEET)
    done = uploads(platform)
    released.set()
    unclear = next(worker for worker in result["namespaced_workers"] if worker["name"] == "t03")
    assert result["failed"] and "possibly carried out" in unclear["msg"] and "t03" not in done
    assert len(done) < COUNT


REMOVAL = {"dispatch_namespace": "tenants", "owner": "mine", "state": "absent"}


def remaining(run: Runner, edge: Edge) -> int:
    path = f"/accounts/{edge.account}/workers/dispatch/namespaces/tenants/scripts"
    return len(run.ok("api", path=path)["api"])


@pytest.mark.parametrize(
    ("limit", "form", "count"), [("one", "counts", 2), ("all", "null", 1)], ids=["partial", "without a number"]
)
def test_fleet_removal_interrupted_after_deletion_by_tag_is_reported(
    run: Runner, platform: Edge, monkeypatch: pytest.MonkeyPatch, limit: str, form: str, count: int
) -> None:
    run.ok("namespaced_workers", **{**FLEET, "workers": FLEET["workers"][:5]})
    platform.behaviors.bulk_delete_limit, platform.behaviors.bulk_delete_response = limit, form
    platform.clear()
    send = requests.Session.request

    def request(session: requests.Session, method: str, url: str, **options: t.Any) -> requests.Response:
        response = send(session, method, url, **options)
        if len(platform.writes()) == count:
            os.kill(os.getpid(), signal.SIGTERM)
        return response

    with monkeypatch.context() as patched:
        patched.setattr(requests.Session, "request", request)
        result = run("namespaced_workers", **REMOVAL)
    assert result["failed"] and result["aborted"] and len(platform.writes()) == len(result["operations"]) == count
    assert result["summary"] == {"total": 5, "changed": 5, "failed": 5}
    assert result["remaining"]["workers"] == 5, "none is known to be deleted"
    assert "t00: Part of a deletion by tag that was interrupted; possibly deleted. Run again" in result["msg"]
    _interruption.take_signal()
    run.ok("namespaced_workers", **REMOVAL)
    assert remaining(run, platform) == 0 and not run.ok("namespaced_workers", **REMOVAL)["changed"]


@pytest.mark.parametrize(("when", "changed"), [("before", 0), ("after", 5)])
def test_fleet_removal_interrupted_beside_deletion_by_tag_knows_all(
    run: Runner, platform: Edge, monkeypatch: pytest.MonkeyPatch, when: str, changed: int
) -> None:
    run.ok("namespaced_workers", **{**FLEET, "workers": FLEET["workers"][:5]})
    platform.behaviors.bulk_delete_limit, platform.behaviors.bulk_delete_response = "all", "counts"
    write = client.Client.write

    def write_and_interrupt(self: client.Client, *request: t.Any, **options: t.Any) -> t.Any:
        if when == "before":
            self.interruption.begin("a test")
        response = write(self, *request, **options)
        self.interruption.begin("a test")
        return response

    with monkeypatch.context() as patched:
        patched.setattr(client.Client, "write", write_and_interrupt)
        result = run("namespaced_workers", **REMOVAL)
    assert result["summary"] == {"total": 5, "changed": changed, "failed": 0}
    assert result["remaining"]["workers"] == remaining(run, platform) == 5 - changed
    assert ("5 not started" in result.get("msg", "")) is not bool(changed)


def test_fleet_removal_interrupted_in_deletion_by_tag_is_reported(
    run: Runner, platform: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.ok("namespaced_workers", **{**FLEET, "workers": FLEET["workers"][:5]})
    send = requests.Session.request

    def request(session: requests.Session, method: str, url: str, **options: t.Any) -> requests.Response:
        response = send(session, method, url, **options)
        if method == "DELETE":
            for number in (signal.SIGTERM, signal.SIGALRM):  # the response does not arrive in time
                os.kill(os.getpid(), number)
        return response

    monkeypatch.setattr(requests.Session, "request", request)
    result = run("namespaced_workers", **REMOVAL)
    assert result["failed"] and result["summary"] == {"total": 5, "changed": 0, "failed": 5}
    assert "t00: Part of a deletion by tag that was interrupted; possibly deleted." in result["msg"]


def test_fleet_removal_refused_between_deletions_by_tag_is_reported(
    run: Runner, platform: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.ok("namespaced_workers", **{**FLEET, "workers": FLEET["workers"][:5]})
    platform.behaviors.bulk_delete_limit = "one"
    platform.behaviors.bulk_delete_response = "counts"
    send = requests.Session.request

    def request(session: requests.Session, method: str, url: str, **options: t.Any) -> requests.Response:
        response = send(session, method, url, **options)
        if method == "DELETE":
            platform.fault(method="DELETE", path=".*/scripts", status=403, code=10000, message="no")
        return response

    monkeypatch.setattr(requests.Session, "request", request)
    result = run("namespaced_workers", **REMOVAL)
    assert result["failed"] and result["summary"] == {"total": 5, "changed": 5, "failed": 5}
    assert len(result["operations"]) == 1 and remaining(run, platform) == 4


def test_object_interrupted_reports_acknowledged_writes(
    run: Runner, platform: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = requests.Session.request

    def request(session: requests.Session, method: str, url: str, **options: t.Any) -> requests.Response:
        if method == "GET" and platform.writes():
            os.kill(os.getpid(), signal.SIGTERM)
        return send(session, method, url, **options)

    monkeypatch.setattr(requests.Session, "request", request)
    result = run("dispatch_namespace", name="x")
    assert result["failed"] and result["changed"] and result["operations"] == platform.writes()
    assert result["msg"] == (f"Interrupted by the signal SIGTERM. Done: {platform.writes()[0]}. Run again to continue.")


def test_object_interrupted_in_write_reports_possible_write(
    run: Runner, platform: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = requests.Session.request

    def request(session: requests.Session, method: str, url: str, **options: t.Any) -> requests.Response:
        response = send(session, method, url, **options)
        if method == "POST":
            for number in (signal.SIGTERM, signal.SIGALRM):  # the write is in flight, and does not finish in time
                os.kill(os.getpid(), number)
        return response

    monkeypatch.setattr(requests.Session, "request", request)
    result = run("dispatch_namespace", name="x")
    assert f"Possibly carried out: {platform.writes()[0]}." in result["msg"]


def test_interrupted_client_is_not_used_again(run: Runner, platform: Edge) -> None:
    first = client.get_client({})
    first.interruption.begin("a test")
    with pytest.raises(interruption.Interrupted):
        first.write("POST", "/accounts")
    assert client.get_client({}) is not first and platform.requests() == []


def test_orphaned_run_sends_no_request(run: Runner, platform: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_interruption, "_is_ancestor", lambda process: len(platform.writes()) < 5)
    result = run("namespaced_workers", **FLEET)
    assert 5 <= len(uploads(platform)) <= 5 + 4
    assert result["failed"] and "interrupted by the end of Ansible's process" in result["msg"]


def test_orphan_check_of_other_process_checks_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        assert not _interruption.orphan_check(child.pid)() and not _interruption.orphan_check(None)()
        child.kill()


def test_orphan_check_detects_end_of_ancestor() -> None:
    script = (
        "import os, sys, time; sys.path[:0] = sys.argv[3:]\n"
        "from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils import _interruption\n"
        "is_orphaned = _interruption.orphan_check(int(sys.argv[1]))\n"
        "print(is_orphaned(), flush=True)\n"
        "while not is_orphaned(): time.sleep(0.01)\n"
        "print('orphaned')"
    )
    # The shell in between stays, as the one that starts a module does.
    command = '"$@" & wait; exit 0'
    ancestor = subprocess.Popen(
        ["sh", "-c", f'sh -c \'{command}\' sh "$0" -c "$1" $$ "$@" & wait', sys.executable, script, *sys.path],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert ancestor.stdout and ancestor.stdout.readline() == "False\n"
    ancestor.kill()
    assert ancestor.stdout.readline() == "orphaned\n"
    ancestor.stdout.close()
    ancestor.wait()
