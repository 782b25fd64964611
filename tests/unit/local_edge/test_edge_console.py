# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-rendered console: contents, hidden values and access."""

from __future__ import annotations

import html
import re
import socket
from collections import Counter
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
import requests
from control_plane import Client, secret, text
from local_edge.testing import running

PAGE_SIZE = 100


def page(client: Client, query: str = "", host: str = "localhost:8788") -> requests.Response:
    base = client.edge.api.removesuffix("/client/v4")
    return requests.get(f"{base}/{query}", headers={"Host": host}, timeout=5)


def page_text(client: Client, query: str = "") -> str:
    """Return the text of the page in one line."""
    response = page(client, query)
    assert response.status_code == 200, response.text
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", response.text.partition("<main")[2])))


def names(client: Client, query: str = "") -> list[str]:
    """Return the names of the Workers on the page."""
    return re.findall(r'<th role="rowheader" scope="row">\s*<a [^>]*><code>(.*?)</code>', page(client, query).text)


def test_page_empty_edge_shows_placeholders(client: Client) -> None:
    words = page_text(client)
    for part in (
        client.edge.account,
        "No limit",
        "No dispatch namespace yet",
        "No Worker yet",
        "No route in platform.localhost, example.com",
        "No request yet",
    ):
        assert part in words


def test_page_worker_with_workers_dev_shows_local_address(client: Client) -> None:
    for name in ("router", "hidden"):
        client.upload(f"/workers/scripts/{name}")
    client.call("POST", "/workers/scripts/router/subdomain", json={"enabled": True})
    assert "http://router.workers.localhost:80/" in page(client).text
    assert "hidden.workers.localhost" not in page(client).text
    client.call("DELETE", "/workers/subdomain")
    assert "workers.localhost" not in page(client).text


def test_page_objects_exist_shows_them_in_sections(client: Client) -> None:
    prod, kv = client.namespace(), client.kv()
    client.upload(
        f"{prod}/customer-a",
        tags=["plan-pro", "eu"],
        bindings=[{"name": "DATA", "type": "kv_namespace", "namespace_id": kv}],
    )
    client.upload(
        "/workers/scripts/router", bindings=[{"name": "TENANTS", "type": "dispatch_namespace", "namespace": "prod"}]
    )
    client.call("POST", client.routes, json={"pattern": "*.example.com/*", "script": "router"})
    client.call("POST", client.routes, json={"pattern": "example.com/none"})
    client.send("GET", "/nowhere?token=in-the-query")
    words = page_text(client)
    assert "1 namespace Name Workers Trusted Created prod 1 untrusted" in words
    assert "Account 1 Worker Name Tags Bindings Changed router TENANTS dispatch_namespace" in words
    assert "prod 1 Worker Name Tags Bindings Changed customer-a plan-pro eu DATA kv_namespace" in words
    assert "example.com 2 routes Pattern Worker *.example.com/* router example.com/none none" in words
    assert re.search(r"1 read, 6 writes .* ms GET / nowhere 404 \d+\.\d POST", words)
    assert client.edge.account not in words.partition("Recent requests")[2], "ids in paths are abbreviated"
    assert "in-the-query" not in words


def test_page_bindings_with_values_shows_names_only(client: Client) -> None:
    prod = client.namespace()
    for path in (f"{prod}/a", "/workers/scripts/a"):
        client.upload(
            path,
            bindings=[
                text("PLAN", "plain-value"),
                secret("KEY", "secret-value"),
                {"name": "CONFIG", "type": "json", "json": {"inner": "json-value"}},
                *[text(f"FLAG_{number}", "flag-value") for number in range(9)],
            ],
        )
    client.call("PUT", f"{prod}/a/secrets", json={**secret("LATER", "later-value")})
    response, words = page(client), page_text(client)
    assert "PLAN plain_text KEY secret_text CONFIG json FLAG_0 plain_text" in words
    assert "13 bindings" in words
    assert "LATER secret_text" in words
    for hidden in ("-value", client.edge.token):
        assert hidden not in response.text
        assert hidden not in str(response.headers)


class ParsedPage(HTMLParser):
    """Count the elements of a page and collect attributes that can run scripts."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags, self.dangerous = Counter[str](), list[str]()
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.dangerous += [
            name for name, value in attrs if name.startswith("on") or (value or "").startswith("javascript:")
        ]


HOSTILE_NAME = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    "query",
    [
        "",
        f"?q={HOSTILE_NAME}",
        f"?namespace={HOSTILE_NAME}",
        f"?namespace=no{HOSTILE_NAME}&after={HOSTILE_NAME}",
        "?namespace=prod&tag=%22%3E%3Cb%3Etag%3C%2Fb%3E",
        "?namespace=prod&q=%22%20onfocus=alert(1)%20x=%22",
        "?namespace=prod&tag='onclick=x",
        "?q=%00%FF%ED%A0%80&after=%00",
        "?&&=&q&a=%",
    ],
)
def test_page_hostile_names_are_escaped(query: str) -> None:
    with running(accounts=[f"{'a' * 32}:{HOSTILE_NAME}", f"{'b' * 32}:'\"{HOSTILE_NAME}"]) as edge:
        client = Client(edge)
        client.upload(f"{client.namespace()}/a", tags=['"><b>tag</b>', "'onclick=x", "javascript:alert(1)"])
        client.namespace(HOSTILE_NAME)
        with socket.create_connection(
            ("127.0.0.1", urlsplit(edge.api).port or 0)
        ) as raw:  # not sent by any HTTP client
            raw.sendall(b"GET /client/v4/<b>\"'&amp; HTTP/1.0\r\n\r\n")
            raw.recv(100)
        source = page(client, query).text
        found = ParsedPage(source)
        assert HOSTILE_NAME in html.unescape(source)
        assert "/<wbr>&lt;b&gt;" in source
        assert (found.dangerous, found.tags["script"], found.tags["img"], found.tags["b"]) == ([], 1, 1, 0)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8788", "[::1]:8788", "localhost", "LOCALHOST:1", "edge.platform.localhost:8788"]
)
def test_page_loopback_host_is_served(client: Client, host: str) -> None:
    assert page(client, host=host).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8788",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "xlocalhost",
        "127.0.0.1@evil.example",
        "10.0.0.1",
        "[::2]",
        "",
        "localhost:80:80",
    ],
)
def test_page_other_host_is_refused(client: Client, host: str) -> None:
    for query in ("", "?namespace=prod", "_edge/console/style.css"):
        response = page(client, query, host=host)
        assert response.status_code == 403
        assert response.headers["content-type"].startswith("text/plain")
        assert "Host header" in response.text
        assert client.edge.account not in response.text


def test_page_has_strict_content_security_policy(client: Client) -> None:
    for query, kind in (
        ("", "text/html"),
        ("_edge/console/style.css", "text/css"),
        ("_edge/console/live.js", "text/javascript"),
        ("_edge/console/icon.svg", "image/svg+xml"),
    ):
        response = page(client, query)
        assert response.status_code == 200
        assert response.headers["content-type"].startswith(kind)
        assert response.headers["content-security-policy"].startswith(
            "default-src 'none'; script-src 'self'; style-src 'self'"
        )
        assert "unsafe" not in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in response.headers
    source = page(client).text
    assert not re.search(r"\sstyle=|<style|(src|href)=\"(https?:)?//", source)


def test_console_write_or_other_path_without_token_is_refused(client: Client) -> None:
    base = client.edge.api.removesuffix("/client/v4")
    assert requests.head(f"{base}/", timeout=5).status_code == 200
    assert requests.post(f"{base}/", timeout=5).status_code == 400
    for path in (
        "/_edge/console/page.html",
        "/_edge/console/views.py",
        "/_edge/console/../console/view_model.py",
        "/_edge/requests",
    ):
        assert requests.get(base + path, timeout=5).status_code == 400


def test_page_is_not_rate_limited_and_not_logged() -> None:
    with running(rate_limit="3/60/60") as edge:
        client = Client(edge)
        client.call("GET", "/workers/scripts")
        for _time in range(5):
            assert "2 of 3 left in 60 s" in page_text(client)
        assert len(edge.requests()) == 1
        edge.fault(status=500)
        assert "1 read, 0 writes" in page_text(client)


def test_page_rate_limit_exceeded_shows_blocked() -> None:
    with running(rate_limit="1/60/60") as edge:
        client = Client(edge)
        client.send("GET", "/workers/scripts")
        assert "0 of 1 left" in page_text(client)
        assert client.error("GET", "/workers/scripts") == (429, 971)
        assert re.search(r"Blocked until \d\d:\d\d:\d\d 1 requests in 60 s were used up", page_text(client))


def test_page_many_workers_is_paged_and_filtered(client: Client) -> None:
    prod = client.namespace()
    every = [f"customer-{number:03}" for number in range(PAGE_SIZE + 5)]
    for number, name in enumerate(every):
        client.upload(f"{prod}/{name}", tags=["odd" if number % 2 else "even"])
    client.upload("/workers/scripts/router")
    assert names(client) == ["router", *every[:10]]
    assert "1 to 10 of 105 Workers" in page_text(client)
    assert names(client, "?namespace=prod") == every[:PAGE_SIZE]
    following = re.search(r'<a href="([^"]*)" rel="next"', page(client, "?namespace=prod").text)
    assert following
    assert names(client, html.unescape(following[1]).lstrip("/")) == every[PAGE_SIZE:]
    assert "101 to 105 of 105 Workers" in page_text(client, f"?namespace=prod&after={every[PAGE_SIZE - 1]}")
    assert names(client, "?namespace=prod&tag=odd&q=customer-00") == every[1:10:2]
    assert names(client, "?q=customer-10") == every[100:]
    assert names(client, "?namespace=/") == ["router"]
    assert "Namespace nope does not exist" in page_text(client, "?namespace=nope")
    assert "No Worker found" in page_text(client, "?namespace=prod&q=zzz")


def test_page_number_of_queries_is_independent_of_workers(client: Client) -> None:
    prod, queries = client.namespace(), list[str]()
    client.edge.store.db.set_trace_callback(queries.append)

    def count() -> int:
        queries.clear()
        page(client, "?namespace=prod")
        return len(queries)

    client.upload(f"{prod}/first")
    before = count()
    for number in range(20):
        client.upload(f"{prod}/customer-{number}", tags=["x"], bindings=[text("A"), text("B")])
    assert count() == before < 12
    client.edge.store.db.set_trace_callback(None)


def test_page_several_accounts_shows_selected_account() -> None:
    with running(accounts=[f"{'a' * 32}:First", f"{'b' * 32}:Second"]) as edge:
        client = Client(edge)
        client.upload("/workers/scripts/of-the-first")
        assert names(client) == ["of-the-first"]
        assert names(client, f"?account={'b' * 32}") == []
        assert f'<input type="hidden" name="account" value="{"b" * 32}">' in page(client, f"?account={'b' * 32}").text
