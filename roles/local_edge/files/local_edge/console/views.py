# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The responses of the console: access check, rendered page and static files."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from local_edge.console import query as console_query
from local_edge.console import view_model
from local_edge.console.view_model import ConsoleState

FOLDER = Path(__file__).parent
HTML = "text/html; charset=utf-8"
#: The static files of the page, by path.
FILES = {
    f"/_edge/console/{name}": (kind, (FOLDER / name).read_bytes())
    for name, kind in {
        "style.css": "text/css; charset=utf-8",
        "live.js": "text/javascript; charset=utf-8",
        "icon.svg": "image/svg+xml",
    }.items()
}
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
#: Host names that always resolve to this machine. Others may be used for DNS rebinding.
LOOPBACK = re.compile(r"(127(\.\d{1,3}){3}|\[::1\]|([a-z0-9_-]+\.)*localhost)(:\d+)?", re.IGNORECASE)
REFUSAL = (
    "The console of the local edge is served on loopback names only. The Host header has another name.\n"
    "Open http://127.0.0.1 or http://localhost with this port.\n"
)

LONG_ID = re.compile(r"(?<![0-9a-f])([0-9a-f]{6})[0-9a-f]{26}(?![0-9a-f])")


def shorten_ids(path: str) -> list[str]:
    """Split a path into segments, with ids cut to their first characters."""
    return LONG_ID.sub(r"\1…", path)[:200].split("/")


PAGES = Environment(
    loader=FileSystemLoader(FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
PAGES.globals.update(ACCOUNT=console_query.ACCOUNT)
PAGES.filters.update(number="{:,}".format, shorten_ids=shorten_ids)


def page(state: ConsoleState, query: str) -> bytes:
    """Render the page. Lone surrogates, which a client may have sent, are replaced."""
    parsed = console_query.Query.read(query)
    return (
        PAGES.get_template("page.html")
        .render(query=parsed, **vars(view_model.build_page(state, parsed)))
        .encode(errors="replace")
    )


def routes(state: ConsoleState) -> list[Route]:
    """Return the routes of the page and its files."""

    async def respond(request: Request) -> Response:
        if not LOOPBACK.fullmatch(request.headers.get("host", "")):
            return PlainTextResponse(REFUSAL, 403, HEADERS)
        kind, body = FILES.get(request.scope["path"]) or (
            HTML,
            page(state, request.scope["query_string"].decode("latin-1")),
        )
        return Response(body, headers={**HEADERS, "content-type": kind})

    return [Route(path, respond) for path in ("/", *FILES)]
