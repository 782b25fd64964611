# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: `serve`, `stop`, `logs` and `probe`."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import signal
import socket
import sqlite3
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from local_edge import __version__, logs, sockets, supervisor
from local_edge.probe import command as probe
from local_edge.runtime.binary import WorkerdUnavailable
from local_edge.settings import Behaviors, Quota, Settings, accounts_and_zones, generated_token

API, HTTP = "127.0.0.1:8788", "127.0.0.1:8787"
STOP_TIMEOUT = 15
#: Megabytes that the edge needs by itself, and a few Workers.
MIN_MEMORY_MB = 256


class StartupError(Exception):
    """A start that cannot be; the text says why and what to do."""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="local_edge", description="Workers for Platforms on this machine.")
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(dest="command", required=True)
    add_serve_options(commands.add_parser("serve", help="run in the foreground until SIGTERM"))
    control = commands.add_parser("control")  # what `serve` starts; of no use by itself
    control.add_argument("--inherit", type=json.loads, required=True, help=argparse.SUPPRESS)
    add_serve_options(control)
    stop = commands.add_parser("stop", help="stop the edge that answers on a port")
    stop.add_argument("--api", default=API, metavar="HOST:PORT")
    logs.options(commands.add_parser("logs", help="show what Workers say"), API)
    probe.options(
        commands.add_parser("probe", help="ask a real account what nobody knows of Cloudflare, for --behaviors")
    )
    return top


def add_serve_options(parser: argparse.ArgumentParser) -> None:
    """The options of `serve`."""
    add = parser.add_argument
    add("--api", default=API, metavar="HOST:PORT", help=f"where the API answers (default {API}; port 0: any free one)")
    add(
        "--http", default=HTTP, metavar="HOST:PORT", help=f"where Workers answer (default {HTTP}; port 0: any free one)"
    )
    add("--data", required=True, metavar="DIR", help="where everything is kept")
    add("--token", help="the API token; else LOCAL_EDGE_TOKEN, else one is made and kept in DIR/token")
    add("--account", action="append", default=[], metavar="ID[:NAME]", help="an account the token sees; repeatable")
    add("--zone", action="append", default=[], metavar="NAME", help="a zone of the first account; repeatable")
    add("--key", help="a legacy global API key to accept as well, with --email")
    add("--email", help="the address that belongs to --key")
    add("--rate-limit", default="1200/300", metavar="N/SECONDS", help="the API's budget (default 1200/300; 0: none)")
    add("--latency-ms", type=int, default=0, metavar="MS", help="how long every answer of the API is held back")
    add(
        "--egress",
        choices=["none", "internet"],
        default="none",
        help="whether Workers reach public addresses (default none)",
    )
    add("--max-isolates", type=int, default=400, metavar="N", help="how many Workers stay loaded (default 400)")
    add(
        "--max-memory-mb",
        type=int,
        default=4096,
        metavar="N",
        help="how much all Workers together may have before they start anew (default 4096)",
    )
    add(
        "--require-dns",
        action="store_true",
        help="answer only on hosts that have a proxied DNS record, as Cloudflare does",
    )
    add(
        "--custom-hostname-seconds",
        type=int,
        default=4,
        metavar="N",
        help="how long a custom hostname is pending (default 4; 0: never)",
    )
    add(
        "--sweep-seconds",
        type=int,
        default=60,
        metavar="N",
        help="how often the room of what is gone is given back (default 60)",
    )
    add(
        "--workerd",
        metavar="PATH",
        help="the workerd to run; else LOCAL_EDGE_WORKERD, else the npm package's, else the PATH's",
    )
    add(
        "--behavior",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an unsettled behaviour of Cloudflare; repeatable",
    )
    add(
        "--behaviors",
        metavar="FILE",
        help="the same from a JSON file, such as `probe` writes; --behavior goes before it",
    )


def data_folder(path: str) -> Path:
    """The folder, private and writable."""
    folder = Path(path).expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / f".write-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StartupError(
            f"the data folder {folder} cannot be written ({error.strerror}): choose another with --data"
        ) from None
    return folder


def lock(folder: Path) -> int:
    """Take the folder for this process; the system lets go of it when we end, however that goes."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StartupError(f"another local edge uses {folder}: stop it, or choose another folder with --data") from None
    return descriptor


def load_or_create_token(folder: Path) -> str:
    """The token of this folder, made when there is none."""
    path = folder / "token"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        token = generated_token()
        file.write(token + "\n")
    return token


def settings_from_args(arguments: argparse.Namespace) -> Settings:
    behaviors = Behaviors()
    if arguments.behaviors:
        behaviors.load(arguments.behaviors)
    for text in arguments.behavior:
        name, _separator, value = text.partition("=")
        behaviors.set(name, value)
    accounts, zones = accounts_and_zones(arguments.account, arguments.zone)
    if (
        min(arguments.max_isolates, arguments.sweep_seconds) < 1
        or min(arguments.latency_ms, arguments.custom_hostname_seconds) < 0
    ):
        raise ValueError(
            "--max-isolates and --sweep-seconds are numbers from 1, --latency-ms and --custom-hostname-seconds are numbers from 0"
        )
    if arguments.max_memory_mb < MIN_MEMORY_MB:
        raise ValueError(f"--max-memory-mb is a number from {MIN_MEMORY_MB}")
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
        custom_hostname_seconds=arguments.custom_hostname_seconds,
        sweep_seconds=arguments.sweep_seconds,
        workerd=arguments.workerd,
        data=str(folder),
        behaviors=behaviors,
    )


def bind_socket(option: str, address: str) -> socket.socket:
    host, port = sockets.parse(address)
    try:
        return sockets.listen(host, port)
    except OSError as error:
        raise StartupError(
            f"{option} {address}: {error.strerror}; stop what runs there (`python -m local_edge stop --api HOST:PORT` "
            f"if it is an edge) or choose another port with {option}"
        ) from None


def serve(arguments: argparse.Namespace) -> int:
    """Supervise the control plane and the edge."""
    api, http = bind_socket("--api", arguments.api), bind_socket("--http", arguments.http)
    settings = settings_from_args(arguments)
    lock(Path(str(settings.data)))
    try:
        asyncio.run(supervisor.serve(settings, arguments.given, api, http))
    except WorkerdUnavailable as error:
        raise StartupError(str(error)) from None
    return 0


def control(arguments: argparse.Namespace) -> int:
    """Be the control plane."""
    # What it needs takes a while to import, and the other commands work where it is not installed.
    from local_edge import control_process
    from local_edge.store import IncompatibleStoreError

    try:
        asyncio.run(control_process.serve(settings_from_args(arguments), arguments.inherit))
    except (WorkerdUnavailable, IncompatibleStoreError) as error:
        raise StartupError(str(error)) from None
    return 0


def health(address: str) -> dict[str, Any] | None:
    """What the edge on a port says of itself; None where nothing listens."""
    host, port = sockets.parse(address)
    try:
        with socket.create_connection((host, port), timeout=5):
            pass
    except OSError:
        return None
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://{host}:{port}/_edge/health", timeout=5) as response:
            found: dict[str, Any] = json.loads(response.read())
            return found if isinstance(found.get("pid"), int) else {}
    except (OSError, ValueError, AttributeError, urllib.error.URLError):
        return {}


def is_edge_process(pid: int) -> bool:
    """Whether a process is a local edge; where the system does not tell, the port's word is taken."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return not Path("/proc/self").exists()
    return any(part == b"local_edge" or part.endswith(b"/local_edge/__main__.py") for part in command)


def has_exited(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:  # ended, but its parent has not asked yet
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def stop(arguments: argparse.Namespace) -> int:
    found = health(arguments.api)
    if found is None:
        return 0
    pid = found.get("pid")
    if pid is None or not is_edge_process(pid):
        raise StartupError(
            f"what listens on {arguments.api} is not a local edge: it was left alone; name the edge's port with --api"
        )
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return 0
    except PermissionError:
        raise StartupError(
            f"the edge on {arguments.api} (process {pid}) was started by another user, who must stop it"
        ) from None
    until = time.monotonic() + STOP_TIMEOUT
    while not has_exited(pid):
        if time.monotonic() > until:
            raise StartupError(
                f"the edge on {arguments.api} (process {pid}) has not ended within {STOP_TIMEOUT} s: end it with `kill -9 {pid}`"
            )
        time.sleep(0.05)
    return 0


def show_logs(arguments: argparse.Namespace) -> int:
    found = health(arguments.api)
    if not found:
        raise StartupError(f"no local edge answers on {arguments.api}: start one, or name its port with --api")
    try:
        return logs.run(arguments, found)
    except urllib.error.HTTPError as error:
        raise StartupError(
            f"the edge on {arguments.api} answered {error.code}: set LOCAL_EDGE_TOKEN to its token"
        ) from None
    except (urllib.error.URLError, OSError):
        raise StartupError(f"the edge on {arguments.api} has ended") from None


def main(arguments: list[str] | None = None) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    parsed = parser().parse_args(given)
    parsed.given = given[1:]
    try:
        return {"serve": serve, "control": control, "stop": stop, "logs": show_logs, "probe": probe.main}[
            parsed.command
        ](parsed)
    except (StartupError, ValueError) as error:
        print(f"local_edge: {error}", file=sys.stderr)
    except sqlite3.Error as error:
        print(
            f"local_edge: the database in {parsed.data} cannot be used ({error}): choose another folder with --data",
            file=sys.stderr,
        )
    return 2
