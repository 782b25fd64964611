# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The console in a browser: live updates, without JavaScript, and on small screens."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from edge_process import ECHO, Edge
from local_edge import sockets
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

pytestmark = pytest.mark.integration

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FLAGS = [{"name": f"FLAG_{number}", "type": "plain_text", "text": "v"} for number in range(9)]
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not on the PATH")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)


@contextmanager
def open_console(browser: Browser, edge: Edge, query: str = "", **options: Any) -> Iterator[Page]:
    """Open the console. No message may have been logged at the end."""
    messages: list[str] = []
    context = browser.new_context(**options)
    page = context.new_page()
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto(f"{edge.api.removesuffix('/client/v4')}/{query}")
    yield page
    context.close()
    assert messages == []


def worker(page: Page, name: str) -> Locator:
    """Return the rows of Workers whose names begin with a prefix."""
    return page.locator("#workers").get_by_role("row", name=name)


def in_namespace(edge: Edge, *names: str, namespace: str = "prod", **options: Any) -> None:
    for name in names:
        edge.deploy(name, ECHO, namespace=namespace, **options)


@pytest.fixture
def filled_edge(edge: Edge) -> Edge:
    """Provide an edge with long names, many Workers and failed requests."""
    for namespace in ("prod", "a" * 64):
        edge.call("POST", "/workers/dispatch/namespaces", json={"name": namespace})
    in_namespace(
        edge, *(f"customer-{number}" for number in range(12)), "l" * 63, tags=["plan-pro", "t" * 200], bindings=FLAGS
    )
    edge.deploy("router", ECHO, bindings=[{"name": "B" * 90, "type": "plain_text", "text": "v"}])
    edge.route(f"*.{'sub-' * 15}x.{'sub-' * 5}domain.example.com/with/a/rather/long/path/that/goes/on/*", "router")
    edge.session.get(f"{edge.account}/workers/scripts/{'missing' * 40}")
    return edge


def test_console_new_worker_appears_without_reload(browser: Browser, edge: Edge) -> None:
    edge.call("POST", "/workers/dispatch/namespaces", json={"name": "prod"})
    with open_console(browser, edge) as page:
        page.evaluate("window.before = true")
        expect(page.get_by_role("status")).to_have_text("Live")
        expect(page.get_by_text("customer-a")).to_have_count(0)
        in_namespace(edge, "customer-a", tags=["plan-pro"])
        row = worker(page, "customer-a")
        expect(row.get_by_role("link", name="plan-pro")).to_be_visible()
        edge.call("DELETE", "/workers/dispatch/namespaces/prod/scripts/customer-a")
        expect(page.get_by_role("row", name="DELETE")).to_have_count(1)
        expect(row).to_have_count(0)
        assert page.evaluate("window.before")


def test_console_update_keeps_state_of_page(browser: Browser, filled_edge: Edge) -> None:
    with open_console(browser, filled_edge, viewport={"width": 1200, "height": 500}) as page:
        row = worker(page, "customer-5")
        row.get_by_text("9 bindings").click()
        page.get_by_label("Tag", exact=True).fill("half-entered")
        row.get_by_text("plan-pro").focus()
        row.scroll_into_view_if_needed()
        top = row.bounding_box()
        in_namespace(filled_edge, "customer-00", "customer-000")
        expect(worker(page, "customer-000")).to_have_count(1)
        expect(row.get_by_text("FLAG_8")).to_be_visible()
        expect(row.get_by_text("plan-pro")).to_be_focused()
        expect(page.get_by_label("Tag", exact=True)).to_have_value("half-entered")
        now = row.bounding_box()
        assert top and now and abs(top["y"] - now["y"]) < 2
        filled_edge.call("POST", "/workers/dispatch/namespaces", json={"name": "another"})
        expect(page.get_by_role("row", name="another")).to_have_count(1)
        expect(row.get_by_text("FLAG_8")).to_be_visible()
        expect(row.get_by_text("plan-pro")).to_be_focused()
        expect(page.get_by_label("Tag", exact=True)).to_have_value("half-entered")


def test_console_update_waits_while_text_is_selected(browser: Browser, filled_edge: Edge) -> None:
    with open_console(browser, filled_edge) as page:
        page.evaluate("getSelection().selectAllChildren(document.getElementById('requests-heading'))")
        filled_edge.session.get(f"{filled_edge.account}/workers/scripts/wanted")
        in_namespace(filled_edge, "customer-1", tags=["while-selected"])
        expect(page.get_by_text("while-selected")).to_have_count(1)
        expect(page.locator("#requests").get_by_text("wanted")).to_have_count(0)
        page.evaluate("getSelection().removeAllRanges()")
        expect(page.locator("#requests").get_by_text("wanted")).to_have_count(1)


def test_console_edge_stopped_and_restarted_shows_state(browser: Browser, start: Callable[..., Edge]) -> None:
    with sockets.listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    edge = start("--api", f"127.0.0.1:{port}")
    page = browser.new_page()
    page.goto(f"http://localhost:{port}/")
    expect(page.get_by_role("status")).to_have_text("Live")
    edge.stop()
    expect(page.get_by_role("status")).to_contain_text("Not answering since")
    expect(page.get_by_role("heading", name="Workers")).to_be_visible()
    edge.start()
    expect(page.get_by_role("status")).to_have_text("Live")
    page.close()


def test_console_without_javascript_is_readable(browser: Browser, filled_edge: Edge) -> None:
    with open_console(browser, filled_edge, java_script_enabled=False) as page:
        expect(page.get_by_role("status")).to_contain_text("reload to update")
        page.get_by_role("combobox").select_option("prod")
        page.get_by_label("Name begins with").fill("customer-1")
        page.get_by_role("button", name="Show").click()
        expect(worker(page, "customer-1")).to_have_count(3)
        page.get_by_text("9 bindings").first.click()
        expect(page.get_by_text("FLAG_8").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("query", ["", "?namespace=prod&q=customer"])
def test_console_small_screen_has_no_horizontal_scrolling(
    browser: Browser, filled_edge: Edge, query: str, scheme: str
) -> None:
    with open_console(
        browser, filled_edge, query, viewport=PHONE, color_scheme=scheme, is_mobile=True, has_touch=True
    ) as page:
        assert page.evaluate("[document.documentElement.scrollWidth, visualViewport.width]") == [390, 390]
        for element in page.locator("table, form, header, dl").all():
            box = element.bounding_box()
            assert box and box["x"] >= 0 and box["x"] + box["width"] <= 390


def test_console_has_landmarks_headings_and_named_tables(browser: Browser, filled_edge: Edge) -> None:
    with open_console(browser, filled_edge) as page:
        for role in ("banner", "main", "contentinfo", "search"):
            expect(page.get_by_role(role)).to_have_count(1)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        assert page.locator("table:not(:has(> caption))").count() == 0
        assert page.locator("th:not([scope])").count() == 0
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
