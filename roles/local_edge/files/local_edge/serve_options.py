# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of `serve`, and their conversion to settings."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local_edge.access import Access
from local_edge.settings import KV_READS, Behaviors, Quota, Settings, accounts_and_zones, generated_token

API, HTTP = "127.0.0.1:8788", "127.0.0.1:8787"
#: Megabytes for the edge itself and a few Workers.
MIN_MEMORY_MB = 256


class CommandError(Exception):
    """A command cannot be carried out. The message contains the reason and the remedy."""


def add_serve_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `serve`, which `control` takes too."""
    add_server_options(parser.add_argument)
    add_account_options(parser.add_argument)
    add_limit_options(parser.add_argument)
    add_emulation_options(parser.add_argument)


def add_server_options(add: Callable[..., Any]) -> None:
    """Add the options of the process: its ports, its files and its program."""
    add("--api", default=API, metavar="HOST:PORT", help=f"address of the API (default {API}; port 0: any free port)")
    add(
        "--http",
        default=HTTP,
        metavar="HOST:PORT",
        help=f"address of the Workers (default {HTTP}; port 0: any free port)",
    )
    add("--https", metavar="HOST:PORT", help="address of the Workers with TLS (default: none; port 0: any free port)")
    add(
        "--tls-host",
        action="append",
        default=[],
        metavar="NAME",
        help="further host name in the certificate of --https, such as *.shop.example.com; repeatable",
    )
    add("--data", required=True, metavar="DIR", help="folder of all data, such as database and token")
    add(
        "--sweep-seconds",
        type=int,
        default=60,
        metavar="N",
        help="interval of garbage collection (default 60)",
    )
    add(
        "--workerd",
        metavar="PATH",
        help="workerd binary (default: LOCAL_EDGE_WORKERD, then the npm package, then PATH)",
    )


def add_account_options(add: Callable[..., Any]) -> None:
    """Add the options for accounts, zones and credentials."""
    add("--token", help="API token (default: LOCAL_EDGE_TOKEN, then DIR/token, which is created if it is missing)")
    add("--account", action="append", default=[], metavar="ID[:NAME]", help="account of the token; repeatable")
    add("--zone", action="append", default=[], metavar="NAME", help="zone of the first account; repeatable")
    add(
        "--without",
        action="append",
        default=[],
        metavar="NAME",
        help="permission of the token or product of the account that is missing, such as 'DNS Write'; repeatable",
    )
    add("--key", help="legacy global API key to accept as well; requires --email")
    add("--email", help="email address of --key")


def add_limit_options(add: Callable[..., Any]) -> None:
    """Add the limits of the API and of the Workers."""
    add(
        "--rate-limit",
        default="1200/300",
        metavar="N/SECONDS",
        help="rate limit of the API (default 1200/300; 0: unlimited)",
    )
    add("--latency-ms", type=int, default=0, metavar="MS", help="delay of every API response (default 0)")
    add(
        "--egress",
        choices=["none", "internet"],
        default="none",
        help="public addresses that Workers can reach (default none)",
    )
    add("--max-isolates", type=int, default=400, metavar="N", help="maximum number of loaded Workers (default 400)")
    add(
        "--max-memory-mb",
        type=int,
        default=4096,
        metavar="N",
        help="memory limit of all Workers together; above it they are restarted (default 4096)",
    )


def add_emulation_options(add: Callable[..., Any]) -> None:
    """Add the options that select how Cloudflare is emulated."""
    add(
        "--require-dns",
        action="store_true",
        help="answer only on hosts with a proxied DNS record, as Cloudflare does",
    )
    add(
        "--kv-reads",
        choices=KV_READS,
        default=KV_READS[0],
        help="value of a KV key in Workers: the latest, or for cacheTtl seconds (60) the one that was read before",
    )
    add(
        "--custom-hostname-seconds",
        type=int,
        default=4,
        metavar="N",
        help="duration of the pending state of a custom hostname (default 4; 0: never pending)",
    )
    add(
        "--behavior",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value of an undocumented behavior of Cloudflare; repeatable",
    )
    add(
        "--behaviors",
        metavar="FILE",
        help="JSON file of behaviors, as written by `probe`; --behavior takes precedence",
    )


def data_folder(path: str) -> Path:
    """Create the data folder and check that it is writable."""
    folder = Path(path).expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / f".write-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CommandError(
            f"--data: the folder {folder} cannot be written ({error.strerror}). Choose another folder."
        ) from None
    return folder


def load_or_create_token(folder: Path) -> str:
    """Read the token of a data folder. Generate it on the first start."""
    path = folder / "token"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        token = generated_token()
        file.write(token + "\n")
    return token


def check_numbers(arguments: argparse.Namespace) -> None:
    """Raise ValueError for a number that is too low."""
    if (
        min(arguments.max_isolates, arguments.sweep_seconds) < 1
        or min(arguments.latency_ms, arguments.custom_hostname_seconds) < 0
    ):
        raise ValueError(
            "--max-isolates and --sweep-seconds must be at least 1, --latency-ms and --custom-hostname-seconds "
            "at least 0"
        )
    if arguments.max_memory_mb < MIN_MEMORY_MB:
        raise ValueError(f"--max-memory-mb must be at least {MIN_MEMORY_MB}")


def settings_from_args(arguments: argparse.Namespace) -> Settings:
    """Convert the options of `serve` to settings. Raise ValueError for an invalid one."""
    behaviors = Behaviors()
    if arguments.behaviors:
        behaviors.load(arguments.behaviors)
    for text in arguments.behavior:
        name, _separator, value = text.partition("=")
        behaviors.set(name, value)
    access = Access()
    access.set_missing(arguments.without)
    accounts, zones = accounts_and_zones(arguments.account, arguments.zone)
    check_numbers(arguments)
    folder = data_folder(arguments.data)
    token = arguments.token or os.environ.get("LOCAL_EDGE_TOKEN") or load_or_create_token(folder)
    return Settings(
        token=token,
        accounts=accounts,
        zones=zones,
        key=arguments.key,
        email=arguments.email,
        quota=Quota.parse(arguments.rate_limit),
        latency_ms=arguments.latency_ms,
        egress=arguments.egress,
        max_isolates=arguments.max_isolates,
        max_memory_mb=arguments.max_memory_mb,
        require_dns=arguments.require_dns,
        kv_reads=arguments.kv_reads,
        custom_hostname_seconds=arguments.custom_hostname_seconds,
        sweep_seconds=arguments.sweep_seconds,
        workerd=arguments.workerd,
        data=str(folder),
        behaviors=behaviors,
        access=access,
    )
