# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`logs`: what Workers say, in a terminal, as they say it."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

#: Seconds that one request waits for news.
WAIT = 20
COLOURS = {"exception": "31", "error": "31", "warn": "33", "debug": "2"}


def options(parser: argparse.ArgumentParser, api: str) -> None:
    add = parser.add_argument
    add("--api", default=api, metavar="HOST:PORT", help=f"the edge to ask (default {api})")
    add("--worker", default="", metavar="NAME", help="one Worker alone, by its name or as NAMESPACE/NAME")
    add("--follow", action="store_true", help="go on with what is said from now on")


def token(data: str | None) -> str:
    """The API token: from the environment, else as the edge keeps it in its data folder."""
    kept = Path(data or "") / "token"
    return (
        os.environ.get("LOCAL_EDGE_TOKEN")
        or os.environ.get("CLOUDFLARE_API_TOKEN")
        or (kept.read_text().strip() if kept.is_file() else "")
    )


def fetched(address: str, secret: str, **query: Any) -> dict[str, Any]:
    """What was said after a number, and the last number there is."""
    url = f"http://{address}/_edge/logs?{urllib.parse.urlencode(query)}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {secret}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=WAIT + 10) as response:
        told: dict[str, Any] = json.loads(response.read())
    return told


def line(entry: Mapping[str, Any], colours: bool) -> str:
    """One entry for a person; further lines of its text are set off."""
    moment = time.strftime("%H:%M:%S", time.localtime(entry["time"]))
    text = f"{moment} {entry['worker']} {entry['level']}: " + str(entry["text"]).replace("\n", "\n    ")
    colour = COLOURS.get(entry["level"]) if colours else None
    return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


def show(entries: Iterable[Mapping[str, Any]], out: TextIO) -> None:
    for entry in entries:
        print(line(entry, out.isatty()), file=out, flush=True)


def run(arguments: argparse.Namespace, health: Mapping[str, Any]) -> int:
    """Print what is there and, if asked to, what comes."""
    secret, last = token(health.get("data")), 0
    try:
        while True:
            told = fetched(
                arguments.api, secret, worker=arguments.worker, after=last, wait=WAIT if arguments.follow else 0
            )
            show(told["entries"], sys.stdout)
            if not arguments.follow:
                return 0
            # One that was started anew counts from the beginning.
            last = 0 if told["last"] < last else told["last"]
    except KeyboardInterrupt:
        return 0
