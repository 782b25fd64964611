# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m local_edge probe`: the options, the confirmation, and what is told."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from local_edge.probe.api import MOST, Api, Stop, Unanswered
from local_edge.probe.run import BEHAVIORS, Report, probe
from local_edge.probe.sandbox import PREFIX, Sandbox

API = "https://api.cloudflare.com/client/v4"
WARNING = f"""This asks {{base}} what no published source tells about it, with the token in CLOUDFLARE_API_TOKEN{{account}}.
It makes dispatch namespaces and Workers whose names begin with {PREFIX}{{routes}}, and removes them.
It sends at most {MOST} requests of the 1,200 that Cloudflare allows in five minutes.{{budget}}"""
BUDGET = "\nThen it uses up that budget: Cloudflare refuses every request of this user for the five minutes after."


def options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--yes", action="store_true", help="do it without asking")
    add("--account", metavar="ID", help="else CLOUDFLARE_ACCOUNT_ID, else the only account that the token sees")
    add("--zone", metavar="NAME", help="a zone on which a route may be made for a moment")
    add(
        "--exhaust-budget",
        action="store_true",
        help="ask about 429 too: the API is blocked for five minutes afterwards",
    )
    add(
        "--question",
        action="append",
        default=[],
        metavar="BEHAVIOR",
        choices=list(BEHAVIORS),
        help="ask only this; repeatable",
    )
    add("--write", metavar="FILE", help="where to keep the answers for `serve --behaviors`")
    add("--clean", action="store_true", help="ask nothing, and remove what earlier probes left behind")


def found(api: Api, path: str, what: str) -> Mapping[str, Any]:
    """The only object of a listing."""
    reply = api.send("GET", path)
    if not reply.ok or len(reply.result or []) != 1:
        seen = f"the token sees {len(reply.result or [])} of them" if reply.ok else f"the API answered {reply}"
        raise ValueError(f"{what}: {seen}")
    one: Mapping[str, Any] = reply.result[0]
    return one


def confirm(arguments: argparse.Namespace, base: str, account: str) -> None:
    """Nothing is sent before this returns."""
    if arguments.yes:
        return
    if not sys.stdin.isatty():
        raise ValueError(
            "the probe makes and removes objects on an account: confirm with --yes (make probe CONFIRM=yes)"
        )
    told = {
        "account": f" on the account {account}" if account else "",
        "routes": ", and a route" if arguments.zone else "",
        "budget": BUDGET if arguments.exhaust_budget else "",
    }
    print(WARNING.format(base=base, **told))
    if input("Type yes to go on: ").strip().lower() != "yes":
        raise ValueError("nothing was asked")


def main(
    arguments: argparse.Namespace, environ: Mapping[str, str] | None = None, make: Callable[[str, str], Api] = Api
) -> int:
    environ = os.environ if environ is None else environ
    base, token = environ.get("CLOUDFLARE_API_BASE_URL") or API, environ.get("CLOUDFLARE_API_TOKEN", "")
    if not token:
        raise ValueError("CLOUDFLARE_API_TOKEN is not set: the probe asks with the token that it holds")
    account = arguments.account or environ.get("CLOUDFLARE_ACCOUNT_ID", "")
    confirm(arguments, base, account)
    api = make(base, token)
    try:
        account = account or found(api, "/accounts?per_page=5", "name an account with --account")["id"]
        where = f"/zones?name={quote(arguments.zone or '')}&account.id={account}"
        zone = found(api, where, f"--zone {arguments.zone}") if arguments.zone else None
        if arguments.clean:
            return told_left(Sandbox(api, account, PREFIX, zone).clean())
        return asked(arguments, api, account, zone)
    except (Stop, Unanswered) as why:
        raise ValueError(str(why)) from None


def asked(arguments: argparse.Namespace, api: Api, account: str, zone: Mapping[str, Any] | None) -> int:
    print(
        f"Asking {api.base}; objects are called {PREFIX}... and removed at the end, also after an interruption.",
        flush=True,
    )
    met, before = (
        ["exhaust-budget"] if arguments.exhaust_budget else [],
        signal.signal(signal.SIGTERM, signal.default_int_handler),
    )
    try:
        report = probe(api, account, zone, met, arguments.question, tell=lambda finding: print(finding, flush=True))
    except KeyboardInterrupt:
        return told_left([f"perhaps something beginning with {PREFIX} (interrupted while it was removed)"])
    finally:
        signal.signal(signal.SIGTERM, before)
    print(f"{len(report.behaviors)} of {len(report.findings)} questions answered with {report.requests} requests.")
    if arguments.write:
        written(report, Path(arguments.write), api.base)
        print(f"Written to {arguments.write}, for `serve --behaviors`.")
    return told_left(report.left)


def written(report: Report, path: Path, base: str) -> None:
    try:
        report.write(path, base)
    except OSError as error:
        raise ValueError(f"--write {path}: {error.strerror}") from None


def told_left(left: list[str]) -> int:
    for path in left:
        print(f"Left behind: {path}. Remove it with `probe --clean`.", file=sys.stderr)
    return 1 if left else 0
