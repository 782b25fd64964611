# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m local_edge probe`: options, confirmation and output."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from local_edge.probe.api import MAX_REQUESTS, AbortProbe, Api, Inconclusive
from local_edge.probe.run import BEHAVIORS, Report, probe
from local_edge.probe.sandbox import PREFIX, Sandbox

API = "https://api.cloudflare.com/client/v4"
WARNING = f"""This detects undocumented behavior of {{base}} with the token in CLOUDFLARE_API_TOKEN{{account}}.
It creates dispatch namespaces and Workers whose names begin with {PREFIX}{{routes}}, and deletes them.
It sends at most {MAX_REQUESTS} of the 1,200 requests that Cloudflare allows in five minutes.{{rate_limit}}"""
RATE_LIMIT = "\nThen it exceeds the rate limit: Cloudflare refuses all requests of this user for the next five minutes."


def options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--yes", action="store_true", help="run without confirmation")
    add("--account", metavar="ID", help="default: CLOUDFLARE_ACCOUNT_ID, else the only account of the token")
    add("--zone", metavar="NAME", help="a zone to create a temporary route in")
    add(
        "--exhaust-budget",
        action="store_true",
        help="also test status 429, which blocks the API for five minutes afterwards",
    )
    add(
        "--question",
        action="append",
        default=[],
        metavar="BEHAVIOR",
        choices=list(BEHAVIORS),
        help="answer only this question; repeatable",
    )
    add("--write", metavar="FILE", help="write the answers to this file, for `serve --behaviors`")
    add("--clean", action="store_true", help="only delete the objects that earlier probes left behind")


def find_single(api: Api, path: str, label: str) -> Mapping[str, Any]:
    """Return the only object of a listing. Raise ValueError if it does not contain exactly one."""
    reply = api.send("GET", path)
    if not reply.ok or len(reply.result or []) != 1:
        problem = f"the token has access to {len(reply.result or [])}" if reply.ok else f"the API returned {reply}"
        raise ValueError(f"{label}: {problem}")
    one: Mapping[str, Any] = reply.result[0]
    return one


def confirm(arguments: argparse.Namespace, base: str, account: str) -> None:
    """Ask for confirmation. Raise ValueError unless it is given. Call before the first request."""
    if arguments.yes:
        return
    if not sys.stdin.isatty():
        raise ValueError(
            "the probe creates and deletes objects in an account: confirm with --yes (make probe CONFIRM=yes)"
        )
    values = {
        "account": f" on the account {account}" if account else "",
        "routes": ", and a route" if arguments.zone else "",
        "rate_limit": RATE_LIMIT if arguments.exhaust_budget else "",
    }
    print(WARNING.format(base=base, **values))
    if input("Type yes to continue: ").strip().lower() != "yes":
        raise ValueError("not confirmed, no request was sent")


def main(
    arguments: argparse.Namespace, environ: Mapping[str, str] | None = None, make: Callable[[str, str], Api] = Api
) -> int:
    environ = os.environ if environ is None else environ
    base, token = environ.get("CLOUDFLARE_API_BASE_URL") or API, environ.get("CLOUDFLARE_API_TOKEN", "")
    if not token:
        raise ValueError("CLOUDFLARE_API_TOKEN is not set. The probe requires an API token.")
    account = arguments.account or environ.get("CLOUDFLARE_ACCOUNT_ID", "")
    confirm(arguments, base, account)
    api = make(base, token)
    try:
        account = account or find_single(api, "/accounts?per_page=5", "select an account with --account")["id"]
        zone_path = f"/zones?name={quote(arguments.zone or '')}&account.id={account}"
        zone = find_single(api, zone_path, f"--zone {arguments.zone}") if arguments.zone else None
        if arguments.clean:
            return report_leftovers(Sandbox(api, account, PREFIX, zone).clean())
        return run_probe(arguments, api, account, zone)
    except (AbortProbe, Inconclusive) as error:
        raise ValueError(str(error)) from None


def run_probe(arguments: argparse.Namespace, api: Api, account: str, zone: Mapping[str, Any] | None) -> int:
    print(
        f"Probing {api.base}. Objects named {PREFIX}... are deleted at the end, also after an interruption.",
        flush=True,
    )
    enabled, previous_handler = (
        ["exhaust-budget"] if arguments.exhaust_budget else [],
        signal.signal(signal.SIGTERM, signal.default_int_handler),
    )
    try:
        report = probe(
            api, account, zone, enabled, arguments.question, on_finding=lambda finding: print(finding, flush=True)
        )
    except KeyboardInterrupt:
        return report_leftovers([f"possibly objects beginning with {PREFIX} (the cleanup was interrupted)"])
    finally:
        signal.signal(signal.SIGTERM, previous_handler)
    print(f"{len(report.behaviors)} of {len(report.findings)} questions answered with {report.requests} requests.")
    if arguments.write:
        write_report(report, Path(arguments.write), api.base)
        print(f"Written to {arguments.write}, for `serve --behaviors`.")
    return report_leftovers(report.left)


def write_report(report: Report, path: Path, base: str) -> None:
    try:
        report.write(path, base)
    except OSError as error:
        raise ValueError(f"--write {path}: {error.strerror}") from None


def report_leftovers(left: list[str]) -> int:
    for path in left:
        print(f"Not deleted: {path}. Delete it with `probe --clean`.", file=sys.stderr)
    return 1 if left else 0
