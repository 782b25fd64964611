# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TLS port: its certificate, requests and WebSockets over it, and errors before anything is written."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from edge_process import ECHO, FILES, Edge, running_edge
from web_socket import ECHOING, WebSocket

pytestmark = pytest.mark.integration

OPTIONS = ("--https", "127.0.0.1:0", "--tls-host", "*.shop.example.com", "--tls-host", "bücher.dev")
HOSTS = (
    "localhost",
    "127.0.0.1",
    "example.com",
    "a.example.com",
    "a.platform.localhost",
    "router.workers.localhost",
    "a.shop.example.com",
    "xn--bcher-kva.dev",
)


@pytest.fixture(scope="module")
def tls_edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with running_edge(tmp_path_factory.mktemp("edge") / "data", *OPTIONS) as edge:
        edge.deploy("router", ECHO)
        edge.route("*.example.com/*", "router")
        edge.deploy("talk", ECHOING)
        edge.route("talk.example.com/*", "talk")
        yield edge


def trusting(edge: Edge) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=edge.data / "tls" / "rootCA.pem")


def connect(edge: Edge, host: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    url = urlsplit(edge.ready["https"])
    connection = socket.create_connection((url.hostname, url.port), timeout=10)
    return context.wrap_socket(connection, server_hostname=host)


def visit(edge: Edge, host: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.sock = connect(edge, host, trusting(edge))
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read()


@pytest.mark.parametrize("host", HOSTS)
def test_certificate_covers_host(tls_edge: Edge, host: str) -> None:
    with connect(tls_edge, host, trusting(tls_edge)) as connection:
        assert connection.version() == "TLSv1.3"


def test_certificate_of_other_host_or_authority_is_not_accepted(tls_edge: Edge) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        connect(tls_edge, "elsewhere.test", trusting(tls_edge))
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(tls_edge, "example.com", ssl.create_default_context())


def test_https_request_reaches_worker(tls_edge: Edge) -> None:
    status, body = visit(tls_edge, "a.example.com", "/path?q=1")
    assert status == 200
    assert json.loads(body)["url"] == "https://a.example.com/path?q=1"
    assert tls_edge.get("a.example.com").json()["url"] == "http://a.example.com/"


def test_https_request_has_forwarded_headers(tls_edge: Edge) -> None:
    code = "export default { fetch: ({ headers }) => Response.json([headers.get('x-forwarded-proto'), headers.get('cf-connecting-ip')]) };"
    tls_edge.deploy("headers", code)
    tls_edge.route("headers.example.com/*", "headers")
    assert json.loads(visit(tls_edge, "headers.example.com", "/")[1]) == ["https", "127.0.0.1"]
    assert tls_edge.get("headers.example.com").json() == ["http", "127.0.0.1"]


def test_wss_connects(tls_edge: Edge) -> None:
    assert WebSocket(tls_edge, "talk.example.com", tls=trusting(tls_edge)).send_hi() == b"\x81\x07echo hi"


def test_health_and_console_show_address(tls_edge: Edge) -> None:
    base = tls_edge.api.removesuffix("/client/v4")
    assert tls_edge.session.get(f"{base}/_edge/health").json()["https"] == tls_edge.ready["https"]
    assert tls_edge.ready["https"] in tls_edge.session.get(f"{base}/").text


def test_authority_survives_restart_and_key_is_private(tls_edge: Edge) -> None:
    authority, key = tls_edge.data / "tls" / "rootCA.pem", tls_edge.data / "tls" / "rootCA-key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before, context = authority.read_bytes(), trusting(tls_edge)
    tls_edge.stop()
    tls_edge.start()
    assert authority.read_bytes() == before
    connect(tls_edge, "example.com", context).close()


def serve(data: Path, *options: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *python, "-m", "local_edge", "serve", "--data", str(data)]
    environment = {**os.environ, "PYTHONPATH": str(FILES), "LOCAL_EDGE_TOKEN": "x" * 40}
    ports = ["--api", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    return subprocess.run(
        [*command, *ports, *options], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tls-host", "a.example.com"], "--tls-host: without --https"),
        (["--https", "127.0.0.1:0", "--tls-host", "a b"], "--tls-host: a b"),
        (["--https", "127.0.0.1:0", "--tls-host", "a.*.example.com"], "--tls-host: a.*.example.com"),
        (["--https", "0.0.0.0:0"], "loopback addresses only"),
        (["--https", "127.0.0.1:x"], "use HOST:PORT"),
    ],
)
def test_serve_invalid_tls_options_write_nothing(tmp_path: Path, options: list[str], message: str) -> None:
    result = serve(tmp_path / "data", *options)
    assert result.returncode == 2
    assert message in result.stderr
    assert not (tmp_path / "data").exists()


def test_serve_without_packages_names_one_and_writes_nothing(tmp_path: Path) -> None:
    result = serve(tmp_path / "data", "--https", "127.0.0.1:0", python=("-S",))
    assert result.returncode == 2
    assert "the Python package h11 is missing. Install the packages of requirements.txt." in result.stderr
    assert not (tmp_path / "data").exists()


def test_serve_port_in_use_names_option(tmp_path: Path, tls_edge: Edge) -> None:
    result = serve(tmp_path / "data", "--https", tls_edge.ready["https"].removeprefix("https://"))
    assert result.returncode == 2
    assert "--https" in result.stderr and "in use" in result.stderr


def test_serve_unusable_authority_names_folder(tmp_path: Path) -> None:
    tls = tmp_path / "data" / "tls"
    tls.mkdir(parents=True)
    for name in ("rootCA.pem", "rootCA-key.pem"):
        (tls / name).write_text("not PEM")
    result = serve(tmp_path / "data", "--https", "127.0.0.1:0")
    assert result.returncode == 2
    assert f"--https: the certificate authority in {tls} cannot be used" in result.stderr


def test_command_line_works_without_packages() -> None:
    environment = {"PYTHONPATH": str(FILES)}
    command = [sys.executable, "-S", "-m", "local_edge", "stop", "--api", "127.0.0.1:1"]
    assert subprocess.run(command, env=environment, timeout=60, check=False).returncode == 0
