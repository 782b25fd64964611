# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of the network name the proxy or the CA certificates of the environment, the variable, and no credentials."""

from __future__ import annotations

import contextlib
import os
import pathlib
import socket
import threading
import typing as t

import pytest
import urllib3
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.client import get_client
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import AmbiguousResult
from harness import Runner
from local_edge.testing import Edge

API = "https://api.example.com/client/v4"
PLAIN_API = "http://api.example.com/client/v4"
USER, PASSWORD = "proxy-user", "proxy-password"
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir")


class Server:
    """A server on a loopback address that sends one response to each request, or closes the connection."""

    def __init__(self) -> None:
        self.response, self.requests = b"", 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _address = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                self.requests += 1
                connection.sendall(self.response)

    def answer(self, status: str) -> None:
        self.response = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # closed by the test
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Server]:
    for name in [name for name in os.environ if name.lower() in VARIABLES or name.endswith("CA_BUNDLE")]:
        monkeypatch.delenv(name)
    server = Server()
    yield server
    server.close()


@pytest.fixture
def refused(run: Runner, server: Server) -> t.Callable[..., str]:
    """Run a module with variables of the environment, and return its message."""

    def refused(api_url: str, **variables: str) -> str:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("CLOUDFLARE_ALLOW_HTTP", "1")
            for name, value in variables.items():
                environment.setenv(name, value)
            message = run.refused("dispatch_namespace", name="x", api_url=api_url)
        assert PASSWORD not in message and USER not in message
        return message

    return refused


Refused = t.Callable[..., str]


@pytest.mark.parametrize(("api", "variable"), [(API, "HTTPS_PROXY"), (PLAIN_API, "http_proxy"), (API, "ALL_PROXY")])
@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        ("407 Proxy Authentication Required", "Set its user and password"),
        ("403 Forbidden", ""),
        ("502 Bad Gateway", ""),
    ],
)
def test_proxy_that_refuses_is_named(
    refused: Refused, server: Server, api: str, variable: str, status: str, remedy: str
) -> None:
    server.answer(status)
    message = refused(api, **{variable: f"http://{USER}:{PASSWORD}@{server.address}"})
    assert f"the proxy http://{server.address} ({variable})" in message
    assert status[:3] in message and remedy in message


def test_proxy_that_refuses_is_asked_once(refused: Refused, server: Server) -> None:
    server.answer("407 Proxy Authentication Required")
    refused(API, HTTPS_PROXY=server.address)
    assert server.requests == 1


def test_proxy_that_is_down_is_named(refused: Refused, server: Server) -> None:
    server.close()
    for api, variable in ((API, "HTTPS_PROXY"), (PLAIN_API, "HTTP_PROXY")):
        message = refused(api, **{variable: f"http://{USER}:{PASSWORD}@{server.address}"})
        assert message.startswith(f"{variable}: no connection through the proxy http://{server.address} ({variable})")
        assert "add api.example.com to NO_PROXY" in message


def test_proxy_that_closes_connection_is_named(refused: Refused, server: Server) -> None:
    assert f"through the proxy http://{server.address} (HTTPS_PROXY)" in refused(API, HTTPS_PROXY=server.address)


@pytest.mark.parametrize(
    "value",
    [
        "http://",
        f"http://{USER}:{PASSWORD}@proxy.example.com:99999",
        f"http://{USER}:{PASSWORD}/@proxy.example.com:3128",
        f"carrier-pigeon://{USER}:{PASSWORD}@proxy.example.com:3128",
        f"http://{USER}:{PASSWORD}@[::1:3128",
    ],
)
def test_proxy_with_invalid_url_is_named(refused: Refused, value: str) -> None:
    assert "(HTTPS_PROXY)" in refused(API, HTTPS_PROXY=value)


def test_proxy_is_not_used_for_loopback_address(run: Runner, edge: Edge, server: Server) -> None:
    server.answer("407 Proxy Authentication Required")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HTTP_PROXY", f"http://{server.address}")
        environment.setenv("NO_PROXY", "example.com")
        run.ok("dispatch_namespace", name="x")
    assert server.requests == 0


@pytest.mark.parametrize("excluded", ["api.example.com", "other.example.com"])
def test_proxy_is_not_used_for_excluded_host(refused: Refused, server: Server, excluded: str) -> None:
    refused(PLAIN_API, HTTP_PROXY=f"http://{server.address}", NO_PROXY=excluded)
    assert (server.requests == 0) is (excluded == "api.example.com")


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_ca_bundle_that_does_not_exist_is_named(refused: Refused, server: Server, variable: str) -> None:
    message = refused(f"https://{server.address}/client/v4", **{variable: "/nowhere/ca.pem"})
    assert message.startswith(f"{variable}: /nowhere/ca.pem does not exist. ")


def test_ca_bundle_without_certificates_is_named(refused: Refused, server: Server, tmp_path: pathlib.Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    message = refused(f"https://{server.address}/client/v4", REQUESTS_CA_BUNDLE=str(tmp_path / "ca.pem"))
    assert f"by the CA certificates in {tmp_path}/ca.pem (REQUESTS_CA_BUNDLE)" in message


def test_ca_variable_without_effect_is_named(refused: Refused, server: Server) -> None:
    server.response = b"not TLS"
    message = refused(f"https://{server.address}/client/v4", SSL_CERT_FILE="/nowhere/ca.pem")
    assert "the variable SSL_CERT_FILE has no effect" in message and "set REQUESTS_CA_BUNDLE" in message


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
BODY = b'{"success": true, "result": []}'
BROKEN = {
    "truncated": HEAD + b"Content-Length: 500\r\n\r\n" + BODY,
    "without length": HEAD + b"\r\n" + BODY[:-1],
    "chunk without end": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1f\r\n" + BODY,
    "chunk of wrong size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + BODY,
    "not gzip": HEAD + b"Content-Encoding: gzip\r\n\r\n" + BODY,
    "not deflate": HEAD + b"Content-Encoding: deflate\r\n\r\n" + BODY,
    "two lengths": HEAD + b"Content-Length: 5, 6\r\n\r\n" + BODY,
    "no HTTP": b"not HTTP at all\r\n\r\n",
    "status of another form": b"HTTP/1.1 OK\r\n\r\n",
    "many headers": HEAD + b"X: y\r\n" * 200 + b"\r\n" + BODY,
    "long header": HEAD + b"X: " + b"y" * 70_000 + b"\r\n\r\n" + BODY,
    "only a head": HEAD,
    "nothing": b"",
}


@pytest.mark.parametrize("response", BROKEN)
def test_broken_response_to_read_is_retried(refused: Refused, server: Server, response: str) -> None:
    server.response = BROKEN[response]
    message = refused(f"http://{server.address}/client/v4")
    assert "Run again." in message and "cannot be sent" not in message and "GET " in message
    assert server.requests == 4


@pytest.mark.parametrize("response", BROKEN)
@pytest.mark.parametrize(
    ("method", "path", "attempts"), [("PUT", "/accounts/a/workers/scripts/b", 4), ("POST", "/accounts/a/queues", 1)]
)
def test_broken_response_to_write_is_ambiguous(
    edge: Edge, server: Server, response: str, method: str, path: str, attempts: int
) -> None:
    server.response = BROKEN[response]
    client = get_client({"api_url": f"http://{server.address}/client/v4"})
    with pytest.raises(AmbiguousResult, match="Run again"):
        client.write(method, path, json={})
    assert server.requests == attempts


def test_length_of_response_is_checked_without_urllib3(
    refused: Refused, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with urllib3 1, which does not check it."""
    create = urllib3.HTTPResponse.__init__

    def create_leniently(self: urllib3.HTTPResponse, *arguments: t.Any, **options: t.Any) -> None:
        create(self, *arguments, **{**options, "enforce_content_length": False})

    monkeypatch.setattr(urllib3.HTTPResponse, "__init__", create_leniently)
    server.response = BROKEN["truncated"]
    assert "ended before its end" in refused(f"http://{server.address}/client/v4")


@pytest.mark.parametrize(
    "path", ["/accounts/a/workers/scripts/b/content/v2", "/accounts/a/storage/kv/namespaces/b/values/c"]
)
@pytest.mark.parametrize(
    "response", [b"HTTP/1.1 200 OK\r\nContent-", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\npart"]
)
def test_bytes_of_unknown_length_are_not_believed(edge: Edge, server: Server, response: bytes, path: str) -> None:
    """A response that is cut in its headers is valid HTTP: an empty file."""
    server.response = response
    client = get_client({"api_url": f"http://{server.address}/client/v4"})
    with pytest.raises(AmbiguousResult, match="it has no length"):
        client.get_or_none(path)
    assert server.requests == 4
