# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Malformed requests of visitors: each gets a response or none, and other visitors are served."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest
from edge_process import Edge, Platform

pytestmark = pytest.mark.integration

ECHO = """
export default { async fetch(request) {
  const { method, url, headers } = request;
  return Response.json([method, new URL(url).pathname, [...headers].length, (await request.text()).length]);
} };
"""


@pytest.fixture
def echo_platform(platform: Platform) -> Iterator[Platform]:
    """Provide a tenant that echoes its request. After each test, it must respond again, in the same process."""
    platform.deploy_tenant("a", ECHO)
    assert platform.get("a").ok
    before = platform.edge.children()["edge"]
    yield platform
    assert platform.get("a").json()[0] == "GET"
    assert platform.edge.children()["edge"] == before


def send_raw(edge: Edge, data: bytes, half_close: bool = False) -> bytes:
    """Send bytes. Return the response until the connection is closed or idle for a second."""
    host, port = edge.http.removeprefix("http://").split(":")
    received = b""
    with (
        socket.create_connection((host, int(port)), timeout=1) as connection,
        contextlib.suppress(TimeoutError, ConnectionError),
    ):
        connection.sendall(data)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        while part := connection.recv(65536):
            received += part
    return received


HEAD = b"GET /x HTTP/1.1\r\nHost: a.example.com\r\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"\0" * 1000,
        b"NONSENSE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: a.example.com\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: a.example.com\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\xff.example.com\r\n\r\n",
        HEAD,
        HEAD + b"Host: b.example.com\r\n\r\n",
        HEAD + b"Content-Length: -5\r\n\r\n",
        HEAD + b"X: " + b"x" * 1_000_000 + b"\r\n\r\n",
        HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(50_000)) + b"\r\n",
        b"GET /" + b"p" * 1_000_000 + HEAD[6:] + b"\r\n",
        HEAD.replace(b"GET", b"POST") + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD.replace(b"GET", b"POST") + b"Content-Length: 10\r\n\r\nhalf",
        b"CONNECT a.example.com:80 HTTP/1.1\r\nHost: a.example.com:80\r\n\r\n",
    ],
)
def test_visit_malformed_request_is_refused(echo_platform: Platform, data: bytes) -> None:
    received = send_raw(echo_platform.edge, data)
    assert not received or received.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")), received[:200]


def test_visit_half_closed_connection_is_answered(echo_platform: Platform) -> None:
    answer = send_raw(echo_platform.edge, HEAD + b"Connection: close\r\n\r\n", half_close=True)
    assert answer == b"" or b'["GET","/x"' in answer


def test_visit_largest_allowed_headers_are_accepted(echo_platform: Platform) -> None:
    assert echo_platform.get("a", headers={f"x-{number}": "y" * 1000 for number in range(30)}).json()[0] == "GET"


def test_visit_unusual_bodies_are_echoed(echo_platform: Platform) -> None:
    assert echo_platform.get("a", method="POST", data=b"x" * 20_000_000).json()[3] == 20_000_000
    answer = send_raw(
        echo_platform.edge, b"POST / HTTP/1.1\r\nHost: a.example.com\r\nContent-Length: 105000000\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "host",
    [
        "a.example.com.",
        "A.EXAMPLE.COM",
        "a.example.com:80",
        "a.example.com:99999",
        "xn--a.example.com",
        "127.0.0.1",
        "[::1]",
        "localhost",
        "-",
        "..",
        "a" * 300,
        "a..example.com",
        "a_b.example.com",
        "%61.example.com",
    ],
)
def test_visit_unusual_host_is_answered(echo_platform: Platform, host: str) -> None:
    assert echo_platform.edge.get(host).status_code in (200, 400, 404)


def test_visit_client_disconnects_does_not_affect_others(echo_platform: Platform) -> None:
    echo_platform.deploy_tenant(
        "slow",
        "export default"
        " { async fetch() { await scheduler.wait(300); return new Response(new ReadableStream({ async pull(c) { "
        "await scheduler.wait(20); c.enqueue(new Uint8Array(100_000)); } })); } };",
    )
    host, port = echo_platform.edge.http.removeprefix("http://").split(":")
    for count in range(40):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(HEAD.replace(b"a.example", b"slow.example") + b"\r\n")
            if count % 2:
                connection.recv(10)
