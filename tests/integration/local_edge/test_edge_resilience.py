# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to the edge, and what outlives it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from edge_process import ECHO, Edge, Platform, wait_until
from soak import Soak, memory_mb

pytestmark = pytest.mark.integration
Start = Callable[..., Edge]


def answering(worker: str) -> str:
    return f"export default {{ fetch: () => new Response('{worker}') }};"


def test_a_restart_keeps_everything(start: Start) -> None:
    edge = start()
    platform = Platform(edge)
    platform.deploy_tenant("a", ECHO, bindings=[{"name": "S", "type": "secret_text", "text": "hush"}])
    edge.stop()
    edge.start()
    assert platform.get("a").json()["env"] == {"S": "hush"}
    assert (edge.data / "edge.db").stat().st_mode & 0o077 == 0


def test_a_data_folder_with_a_long_name(tmp_path: Path) -> None:
    folder = tmp_path / ("long-" * 20)
    folder.mkdir()
    edge = Edge(folder / "data")
    assert Platform(edge).get("nobody").text == "fetch rejected: Worker not found."
    edge.stop()


def test_what_was_acknowledged_survives_a_kill(start: Start) -> None:
    edge = start()
    platform = Platform(edge)
    platform.deploy_tenant("a", answering("kept"))
    children = edge.children()
    edge.process.kill()
    edge.process.wait()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children.values()))
    edge.start()
    assert platform.get("a").text == "kept"


def test_the_edge_comes_back_after_kill_9(start: Start) -> None:
    edge = start()
    platform = Platform(edge)
    platform.deploy_tenant("a", answering("a"))
    assert platform.get("a").text == "a"
    os.kill(edge.children()["edge"], signal.SIGKILL)
    begin = time.monotonic()
    assert platform.get("a", timeout=5).text == "a"
    assert time.monotonic() - begin < 2
    assert edge.upload("a", answering("b"), namespace="tenants").ok
    assert platform.get("a").text == "b"


def test_a_tenant_that_loops_is_survived(start: Start) -> None:
    edge = start()
    platform = Platform(edge)
    platform.deploy_tenant("good", answering("good"))
    platform.deploy_tenant("loop", "export default { fetch() { while (true) {} } };")
    assert platform.get("good").text == "good"

    def visit() -> None:
        with pytest.raises(requests.ConnectionError):
            platform.get("loop", timeout=20)

    visitor = threading.Thread(target=visit)
    visitor.start()
    time.sleep(0.2)
    begin = time.monotonic()
    assert platform.get("good", timeout=10).text == "good"
    assert time.monotonic() - begin < 2
    visitor.join()


FILLING = {
    "heap": "held.push(new Array(1e5).fill(Math.random()));",
    "buffers": "held.push(new Uint8Array(1e7).fill(1));",
}


@pytest.mark.parametrize("kind", FILLING)
def test_a_tenant_that_fills_the_memory_is_survived(start: Start, kind: str) -> None:
    edge = start("--max-memory-mb", "1024")
    platform = Platform(edge)
    platform.deploy_tenant("good", answering("good"))
    platform.deploy_tenant(
        "greedy",
        f"const held = []; export default {{ async fetch() {{ for (;;) {{ {FILLING[kind]} await scheduler.wait(1); }} }} }};",
    )
    before = edge.children()["edge"]

    def visit() -> None:
        with pytest.raises(requests.ConnectionError):
            platform.get("greedy", timeout=60)

    visitor = threading.Thread(target=visit)
    visitor.start()
    worst = 0.0
    while edge.children().get("edge") == before or visitor.is_alive():
        begin = time.monotonic()
        while True:  # one that is in flight when the runtime ends has lost its connection
            try:
                assert platform.get("good", timeout=10).text == "good"
                break
            except requests.ConnectionError:
                assert time.monotonic() - begin < 2
        worst = max(worst, time.monotonic() - begin)
    visitor.join()
    assert worst < 2


def test_a_worker_that_never_answers_harms_nobody(platform: Platform) -> None:
    platform.deploy_tenant("good", answering("good"))
    platform.deploy_tenant("silent", "export default { fetch() { return new Promise(() => {}); } };")
    platform.deploy_tenant(
        "slow", "export default { async fetch() { await scheduler.wait(60_000); return new Response(''); } };"
    )
    hung = platform.get("silent")
    assert hung.status_code == 404 and "hung" in hung.text, "the runtime's own words, through the router"
    with pytest.raises(requests.ReadTimeout):
        platform.get("slow", timeout=0.5)
    assert platform.get("good", timeout=2).text == "good"


def test_a_while_of_traffic_and_changes(start: Start) -> None:
    platform = Platform(start("--max-isolates", "20"))
    report = Soak(platform, tenants=60, rate=150).run(15)
    assert (report.wrong, report.restarts) == ([], 0), report.line()
    assert report.visits and report.writes, report.line()
    assert report.growth < 1.3, report.line()


def test_passing_through_on_exception_does_not_end_the_edge(platform: Platform) -> None:
    platform.deploy_tenant(
        "bad", "export default { fetch(request, env, ctx) { ctx.passThroughOnException(); throw new Error('x'); } };"
    )
    before = platform.edge.children()["edge"]
    for _attempt in range(3):
        assert platform.get("bad").status_code == 500
    platform.edge.deploy(
        "router2",
        "export default { fetch(request, env, ctx) { ctx.passThroughOnException(); throw new Error('x'); } };",
    )
    platform.edge.route("direct.example.com/*", "router2")
    assert platform.edge.get("direct.example.com").status_code == 500
    assert platform.edge.children()["edge"] == before


def test_more_workers_than_may_stay_loaded(start: Start) -> None:
    edge = start("--max-isolates", "5")
    platform = Platform(edge)
    for number in range(20):
        platform.deploy_tenant(f"t{number}", answering(str(number)))
    for _round in range(3):
        assert [platform.get(f"t{number}").text for number in range(20)] == [str(number) for number in range(20)]
    assert edge.log.read_text() == "", "evictions must not fill the log"


def test_many_tenants_in_turn_take_no_more_memory_than_few(start: Start) -> None:
    edge = start("--max-isolates", "40")
    platform = Platform(edge)
    sizes = []
    for number in range(400):
        platform.deploy_tenant(f"t{number}", answering(str(number)))
        assert platform.get(f"t{number}").text == str(number)
        if number in (150, 399):
            sizes.append(memory_mb(edge.children()["edge"]))
    assert sizes[1] < sizes[0] * 1.25, sizes


def test_requests_in_flight_survive_a_new_version(platform: Platform) -> None:
    slow = "export default {{ async fetch() {{ await scheduler.wait(300); return new Response('{}'); }} }};"
    platform.deploy_tenant("a", slow.format("old"))
    assert platform.get("a").text == "old"
    seen: list[str] = []
    visitors = [threading.Thread(target=lambda: seen.append(platform.get("a").text)) for _visitor in range(5)]
    for visitor in visitors:
        visitor.start()
    time.sleep(0.1)
    platform.deploy_tenant("a", slow.format("new"))
    assert platform.get("a").text == "new"
    for visitor in visitors:
        visitor.join()
    assert seen == ["old"] * 5


def test_no_child_outlives_sigterm(start: Start) -> None:
    edge = start()
    children = edge.children()
    assert set(children) == {"control", "edge", "validator"}
    edge.stop()
    assert not any(Path(f"/proc/{pid}").exists() for pid in children.values())
    assert not (edge.data / "run").exists()


def run(edge: Edge, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        edge.command(*arguments), env=edge.environment(), capture_output=True, text=True, timeout=30, check=False
    )


def address(edge: Edge) -> str:
    host: str = edge.api.split("/")[2]
    return host


def test_stop(start: Start) -> None:
    edge = start()
    port = address(edge)
    done = run(edge, "stop", "--api", port)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert edge.process.wait(5) == 0
    again = run(edge, "stop", "--api", port)
    assert (again.returncode, again.stderr) == (0, "")


def test_stop_leaves_strangers_alone(start: Start) -> None:
    edge = start()
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        done = run(edge, "stop", "--api", f"127.0.0.1:{stranger.getsockname()[1]}")
    assert done.returncode == 2
    assert "is not a local edge" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--api", "0.0.0.0:0"], "loopback addresses only"),
        (["--api", "127.0.0.1:x"], "HOST:PORT"),
        (["--account", "me"], "32 hexadecimal digits"),
        (["--zone", "nodots"], "two labels or more"),
        (["--rate-limit", "lots"], "1200/300"),
        (["--behavior", "missing_script_response=maybe"], "10092, null, 10007"),
        (["--max-isolates", "0"], "from 1"),
        (["--workerd", "/nonexistent/workerd"], "npm ci"),
        (["--workerd", "/bin/true"], "does not run as workerd"),
    ],
)
def test_a_start_that_cannot_be_is_one_line(start: Start, tmp_path: Path, arguments: list[str], says: str) -> None:
    probe = Edge.__new__(Edge)
    done = run(
        probe, "serve", "--api", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data", str(tmp_path / "d"), *arguments
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_a_port_in_use_and_a_folder_that_is_none(start: Start, tmp_path: Path) -> None:
    edge = start()
    taken = run(edge, "serve", "--api", address(edge), "--http", "127.0.0.1:0", "--data", str(tmp_path / "d"))
    assert taken.returncode == 2
    assert "Address already in use" in taken.stderr
    (tmp_path / "file").write_text("")
    folder = run(edge, "serve", "--api", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data", str(tmp_path / "file" / "d"))
    assert folder.returncode == 2
    assert "cannot be written" in folder.stderr


def test_two_edges_do_not_share_a_folder(start: Start) -> None:
    edge = start()
    second = run(edge, "serve", "--api", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data", str(edge.data))
    assert second.returncode == 2
    assert "another local edge" in second.stderr


def test_health_and_secrets_in_the_log(start: Start) -> None:
    edge = start()
    Platform(edge).deploy_tenant(
        "a", ECHO, bindings=[{"name": "S", "type": "secret_text", "text": "very-secret-value"}]
    )
    health = edge.session.get(edge.api.replace("/client/v4", "/_edge/health")).json()
    assert health["pid"] == edge.process.pid == edge.ready["pid"]
    assert (health["api"], health["http"], health["data"]) == (edge.api, edge.http, str(edge.data))
    assert "very-secret-value" not in edge.log.read_text() + json.dumps(
        edge.session.get(edge.api.replace("/client/v4", "/_edge/requests")).json()
    )
