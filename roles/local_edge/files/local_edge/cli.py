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
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local_edge import __version__, logs, sockets, supervisor
from local_edge.probe import command as probe
from local_edge.runtime.binary import WorkerdUnavailable
from local_edge.settings import Behaviors, Quota, Settings, accounts_and_zones, generated_token

API, HTTP = "127.0.0.1:8788", "127.0.0.1:8787"
STOP_TIMEOUT = 15
#: Megabytes for the edge itself and a few Workers.
MIN_MEMORY_MB = 256


class StartupError(Exception):
    """A command cannot be carried out. The message contains the reason and the remedy."""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="local_edge", description="Workers for Platforms on this machine.")
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(dest="command", required=True)
    add_serve_options(commands.add_parser("serve", help="run in the foreground until SIGTERM or SIGINT"))
    control = commands.add_parser("control")  # started by `serve`, not for users
    control.add_argument("--inherit", type=json.loads, required=True, help=argparse.SUPPRESS)
    add_serve_options(control)
    stop = commands.add_parser("stop", help="stop the local edge on a port")
    stop.add_argument("--api", default=API, metavar="HOST:PORT")
    logs.options(commands.add_parser("logs", help="show the logs of the Workers"), API)
    probe.options(commands.add_parser("probe", help="determine undocumented behavior of Cloudflare on a real account"))
    return top


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
    add("--data", required=True, metavar="DIR", help="folder of the database, the token and the log")
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
        raise StartupError(
            f"--data: the folder {folder} cannot be written ({error.strerror}). Choose another folder."
        ) from None
    return folder


def lock(folder: Path) -> int:
    """Lock a data folder for this process. The system releases the lock when the process ends."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StartupError(f"--data: another local edge uses {folder}. Stop it, or choose another folder.") from None
    return descriptor


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


def settings_from_args(arguments: argparse.Namespace) -> Settings:
    """Convert the options of `serve` to settings. Raise ValueError for an invalid one."""
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
            "--max-isolates and --sweep-seconds must be at least 1, --latency-ms and --custom-hostname-seconds "
            "at least 0"
        )
    if arguments.max_memory_mb < MIN_MEMORY_MB:
        raise ValueError(f"--max-memory-mb must be at least {MIN_MEMORY_MB}")
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
    """Listen on the address of an option. Raise StartupError if that fails."""
    host, port = sockets.parse(address)
    try:
        return sockets.listen(host, port)
    except OSError as error:
        raise StartupError(
            f"{option} {address}: {error.strerror}. Choose another port, or stop the program on this one "
            "(`python -m local_edge stop --api HOST:PORT` if it is a local edge)."
        ) from None


def serve(arguments: argparse.Namespace) -> int:
    """Run the `serve` command: supervise the control plane and the edge."""
    api, http = bind_socket("--api", arguments.api), bind_socket("--http", arguments.http)
    settings = settings_from_args(arguments)
    lock(Path(str(settings.data)))
    try:
        asyncio.run(supervisor.serve(settings, arguments.serve_arguments, api, http))
    except WorkerdUnavailable as error:
        raise StartupError(str(error)) from None
    return 0


def control(arguments: argparse.Namespace) -> int:
    """Run the `control` command: the control plane, as a child of `serve`."""
    # These imports are slow, and the other commands work without their dependencies.
    from local_edge import control_process
    from local_edge.store import IncompatibleStoreError

    try:
        asyncio.run(control_process.serve(settings_from_args(arguments), arguments.inherit))
    except (WorkerdUnavailable, IncompatibleStoreError) as error:
        raise StartupError(str(error)) from None
    return 0


def health(address: str) -> dict[str, Any] | None:
    """Return the health report of the edge on a port, {} for another server, and None if nothing listens."""
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
    """Whether a process is a local edge. True for every process on a system without /proc."""
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
    try:  # a zombie has exited, but its parent has not waited for it yet
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def stop(arguments: argparse.Namespace) -> int:
    """Run the `stop` command: terminate the edge on a port and wait for its end."""
    found = health(arguments.api)
    if found is None:
        return 0
    pid = found.get("pid")
    if pid is None or not is_edge_process(pid):
        raise StartupError(
            f"--api {arguments.api}: the server is not a local edge, so it was not stopped. Give the port of the edge."
        )
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return 0
    except PermissionError:
        raise StartupError(
            f"--api {arguments.api}: the edge (process {pid}) belongs to another user. Stop it as that user."
        ) from None
    until = time.monotonic() + STOP_TIMEOUT
    while not has_exited(pid):
        if time.monotonic() > until:
            raise StartupError(
                f"--api {arguments.api}: the edge (process {pid}) did not stop within {STOP_TIMEOUT} s. "
                f"Run `kill -9 {pid}`."
            )
        time.sleep(0.05)
    return 0


def show_logs(arguments: argparse.Namespace) -> int:
    """Run the `logs` command."""
    found = health(arguments.api)
    if not found:
        raise StartupError(f"--api {arguments.api}: no local edge answers. Start one, or give its port.")
    try:
        return logs.run(arguments, found)
    except urllib.error.HTTPError as error:
        raise StartupError(
            f"--api {arguments.api}: the edge answered {error.code}. Set LOCAL_EDGE_TOKEN to its token."
        ) from None
    except (urllib.error.URLError, OSError):
        raise StartupError(f"--api {arguments.api}: the edge has stopped.") from None


def main(arguments: list[str] | None = None) -> int:
    command_line = sys.argv[1:] if arguments is None else arguments
    parsed = parser().parse_args(command_line)
    parsed.serve_arguments = command_line[1:]
    try:
        return {"serve": serve, "control": control, "stop": stop, "logs": show_logs, "probe": probe.main}[
            parsed.command
        ](parsed)
    except (StartupError, ValueError) as error:
        print(f"local_edge: {error}", file=sys.stderr)
    except sqlite3.Error as error:
        print(
            f"local_edge: --data: the database in {parsed.data} cannot be used ({error}). Choose another folder.",
            file=sys.stderr,
        )
    return 2
