# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `logs` command: print the logs of Workers."""

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

#: Seconds that one request waits for new entries.
WAIT = 20
COLORS = {"exception": "31", "error": "31", "warn": "33", "debug": "2"}


def options(parser: argparse.ArgumentParser, api: str) -> None:
    add = parser.add_argument
    add("--api", default=api, metavar="HOST:PORT", help=f"address of the API (default {api})")
    add("--worker", default="", metavar="NAME", help="show one Worker only, given as NAME or NAMESPACE/NAME")
    add("--follow", action="store_true", help="wait for new entries and print them")


def token(data: str | None) -> str:
    """Return the API token from the environment, or from the data folder of the edge."""
    path = Path(data or "") / "token"
    return (
        os.environ.get("LOCAL_EDGE_TOKEN")
        or os.environ.get("CLOUDFLARE_API_TOKEN")
        or (path.read_text().strip() if path.is_file() else "")
    )


def fetch_entries(address: str, secret: str, **query: Any) -> dict[str, Any]:
    """Return `{"last": number, "entries": [...]}` with the entries after the number in `query`."""
    url = f"http://{address}/_edge/logs?{urllib.parse.urlencode(query)}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {secret}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=WAIT + 10) as response:
        result: dict[str, Any] = json.loads(response.read())
    return result


def line(entry: Mapping[str, Any], color: bool) -> str:
    """Format an entry. The second and further lines of its text are indented."""
    moment = time.strftime("%H:%M:%S", time.localtime(entry["time"]))
    text = f"{moment} {entry['worker']} {entry['level']}: " + str(entry["text"]).replace("\n", "\n    ")
    code = COLORS.get(entry["level"]) if color else None
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


def show(entries: Iterable[Mapping[str, Any]], out: TextIO) -> None:
    for entry in entries:
        print(line(entry, out.isatty()), file=out, flush=True)


def run(arguments: argparse.Namespace, health: Mapping[str, Any]) -> int:
    """Print the existing entries, and with --follow also new ones."""
    secret, last = token(health.get("data")), 0
    try:
        while True:
            result = fetch_entries(
                arguments.api, secret, worker=arguments.worker, after=last, wait=WAIT if arguments.follow else 0
            )
            show(result["entries"], sys.stdout)
            if not arguments.follow:
                return 0
            # The numbers of a restarted edge begin at 1 again.
            last = 0 if result["last"] < last else result["last"]
    except KeyboardInterrupt:
        return 0
