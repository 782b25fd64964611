# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts, crashes, misbehaving Workers, and the commands that start and stop the edge."""

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
from edge_process import ECHO, Edge, Platform, memory_mb, wait_until

pytestmark = pytest.mark.integration
Start = Callable[..., Edge]

HANG = 60.0  # seconds: longer than a restart of the runtime takes on a busy machine


def worker_returning(worker: str) -> str:
    return f"export default {{ fetch: () => new Response('{worker}') }};"


def test_edge_restarted_keeps_all_objects(start: Start) -> None:
    edge = start()
    platform = Platform(edge)
    platform.deploy_tenant("a", ECHO, bindings=[{"name": "S", "type": "secret_text", "text": "hush"}])
    edge.stop()
    edge.start()
    assert platform.get("a").json()["env"] == {"S": "hush"}
    assert (edge.data / "edge.db").stat().st_mode & 0o077 == 0


def test_edge_data_folder_with_long_name_starts(tmp_path: Path) -> None:
    folder = tmp_path / ("long-" * 20)
    folder.mkdir()
    edge = Edge(folder / "data")
    assert Platform(edge).get("nobody").text == "fetch rejected: Worker not found."
    edge.stop()


def test_edge_killed_keeps_acknowledged_writes(start: Start) -> None:
    edge = start()
    platform = Platform(edge)
    platform.deploy_tenant("a", worker_returning("kept"))
    children = edge.children()
    edge.process.kill()
    edge.process.wait()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children.values()))
    edge.start()
    assert platform.get("a").text == "kept"


def test_runtime_killed_is_restarted(start: Start) -> None:
    edge = start()
    platform = Platform(edge)
    platform.deploy_tenant("a", worker_returning("a"))
    assert platform.get("a").text == "a"
    os.kill(edge.children()["edge"], signal.SIGKILL)
    start_time = time.monotonic()
    assert platform.get("a", timeout=HANG).text == "a"
    assert time.monotonic() - start_time < HANG
    assert edge.upload("a", worker_returning("b"), namespace="tenants").ok
    assert platform.get("a").text == "b"


def test_tenant_endless_loop_does_not_block_others(start: Start) -> None:
    edge = start()
    platform = Platform(edge)
    platform.deploy_tenant("good", worker_returning("good"))
    platform.deploy_tenant("loop", "export default { fetch() { while (true) {} } };")
    assert platform.get("good").text == "good"

    def visit() -> None:
        with pytest.raises(requests.ConnectionError):
            platform.get("loop", timeout=20)

    visitor = threading.Thread(target=visit)
    visitor.start()
    time.sleep(0.2)
    start_time = time.monotonic()
    assert platform.get("good", timeout=HANG).text == "good"
    assert time.monotonic() - start_time < HANG
    visitor.join()


MEMORY_FILLERS = {
    "heap": "held.push(new Array(1e5).fill(Math.random()));",
    "buffers": "held.push(new Uint8Array(1e7).fill(1));",
}


@pytest.mark.parametrize("kind", MEMORY_FILLERS)
def test_tenant_fills_memory_does_not_block_others(start: Start, kind: str) -> None:
    edge = start("--max-memory-mb", "1024")
    platform = Platform(edge)
    platform.deploy_tenant("good", worker_returning("good"))
    platform.deploy_tenant(
        "greedy",
        "const held = []; export default"
        f" {{ async fetch() {{ for (;;) {{ {MEMORY_FILLERS[kind]} await scheduler.wait(1); }} }} }};",
    )
    before = edge.children()["edge"]

    def visit() -> None:
        with pytest.raises(requests.ConnectionError):
            platform.get("greedy", timeout=60)

    visitor = threading.Thread(target=visit)
    visitor.start()
    slowest = 0.0
    while edge.children().get("edge") == before or visitor.is_alive():
        start_time = time.monotonic()
        while True:  # a request in flight when the runtime ends loses its connection
            try:
                assert platform.get("good", timeout=HANG).text == "good"
                break
            except requests.ConnectionError:
                assert time.monotonic() - start_time < HANG
        slowest = max(slowest, time.monotonic() - start_time)
    visitor.join()
    assert slowest < HANG


def test_tenant_never_responds_does_not_block_others(platform: Platform) -> None:
    platform.deploy_tenant("good", worker_returning("good"))
    platform.deploy_tenant("silent", "export default { fetch() { return new Promise(() => {}); } };")
    platform.deploy_tenant(
        "slow", "export default { async fetch() { await scheduler.wait(60_000); return new Response(''); } };"
    )
    response = platform.get("silent")
    assert response.status_code == 404 and "hung" in response.text, "the runtime's message, through the router"
    with pytest.raises(requests.ReadTimeout):
        platform.get("slow", timeout=0.5)
    assert platform.get("good").text == "good"


def test_pass_through_on_exception_does_not_end_runtime(platform: Platform) -> None:
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


def test_more_workers_than_isolates_all_respond(start: Start) -> None:
    edge = start("--max-isolates", "5")
    platform = Platform(edge)
    for number in range(20):
        platform.deploy_tenant(f"t{number}", worker_returning(str(number)))
    for _round in range(3):
        assert [platform.get(f"t{number}").text for number in range(20)] == [str(number) for number in range(20)]
    assert edge.log.read_text() == "", "evictions must not be logged"


def test_many_tenants_in_turn_memory_stays_bounded(start: Start) -> None:
    edge = start("--max-isolates", "40")
    platform = Platform(edge)
    sizes = []
    for number in range(400):
        platform.deploy_tenant(f"t{number}", worker_returning(str(number)))
        assert platform.get(f"t{number}").text == str(number)
        if number in (150, 399):
            sizes.append(memory_mb(edge.children()["edge"]))
    assert sizes[1] < sizes[0] * 1.25, sizes


def test_requests_in_flight_during_deployment_complete(platform: Platform) -> None:
    slow = """export default {{ fetch() {{ return new Response(new ReadableStream({{ async start(controller) {{
      const send = (text) => controller.enqueue(new TextEncoder().encode(text));
      send("{0}"); await scheduler.wait(300); send(" {0}"); controller.close(); }} }})); }} }};"""
    platform.deploy_tenant("a", slow.format("old"))
    begun = [platform.get("a", stream=True) for _visitor in range(5)]
    platform.deploy_tenant("a", slow.format("new"))
    assert platform.get("a").text == "new new"
    assert [response.text for response in begun] == ["old old"] * 5


def test_edge_sigterm_ends_all_children(start: Start) -> None:
    edge = start()
    children = edge.children()
    assert set(children) == {"control", "edge", "validator"}
    edge.stop()
    assert not any(Path(f"/proc/{pid}").exists() for pid in children.values())
    assert not (edge.data / "run").exists()


def run_command(edge: Edge, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        edge.command(*arguments), env=edge.environment(), capture_output=True, text=True, timeout=30, check=False
    )


def api_address(edge: Edge) -> str:
    host: str = edge.api.split("/")[2]
    return host


def test_stop_command_ends_edge_and_is_idempotent(start: Start) -> None:
    edge = start()
    port = api_address(edge)
    result = run_command(edge, "stop", "--api", port)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert edge.process.wait(60) == 0
    again = run_command(edge, "stop", "--api", port)
    assert (again.returncode, again.stderr) == (0, "")


def test_stop_command_other_server_is_refused(start: Start) -> None:
    edge = start()
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        result = run_command(edge, "stop", "--api", f"127.0.0.1:{stranger.getsockname()[1]}")
    assert result.returncode == 2
    assert "is not a local edge" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--api", "0.0.0.0:0"], "loopback addresses only"),
        (["--api", "127.0.0.1:x"], "HOST:PORT"),
        (["--account", "me"], "32 hexadecimal digits"),
        (["--zone", "nodots"], "two labels or more"),
        (["--rate-limit", "lots"], "1200/300"),
        (["--behavior", "missing_script_response=maybe"], "10092, null, 10007"),
        (["--max-isolates", "0"], "at least 1"),
        (["--workerd", "/nonexistent/workerd"], "npm ci"),
        (["--workerd", "/bin/true"], "does not run as workerd"),
    ],
)
def test_serve_command_invalid_option_prints_one_line(
    start: Start, tmp_path: Path, arguments: list[str], message: str
) -> None:
    probe = Edge.__new__(Edge)
    result = run_command(
        probe, "serve", "--api", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data", str(tmp_path / "d"), *arguments
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


def test_serve_command_port_in_use_or_invalid_folder_is_refused(start: Start, tmp_path: Path) -> None:
    edge = start()
    taken = run_command(
        edge, "serve", "--api", api_address(edge), "--http", "127.0.0.1:0", "--data", str(tmp_path / "d")
    )
    assert taken.returncode == 2
    assert "Address already in use" in taken.stderr
    (tmp_path / "file").write_text("")
    folder = run_command(
        edge, "serve", "--api", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data", str(tmp_path / "file" / "d")
    )
    assert folder.returncode == 2
    assert "cannot be written" in folder.stderr


def test_serve_command_data_folder_in_use_is_refused(start: Start) -> None:
    edge = start()
    second = run_command(edge, "serve", "--api", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data", str(edge.data))
    assert second.returncode == 2
    assert "another local edge" in second.stderr


def test_health_endpoint_returns_addresses_and_log_has_no_secret(start: Start) -> None:
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
