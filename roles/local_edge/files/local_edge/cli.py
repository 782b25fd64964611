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
from typing import TYPE_CHECKING, Any

from local_edge import __version__, logs, sockets
from local_edge.probe import command as probe
from local_edge.serve_options import API, CommandError, add_serve_options, settings_from_args
from local_edge.settings import Settings

if TYPE_CHECKING:
    from local_edge.runtime.config import KeyPair

STOP_TIMEOUT = 15


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


def lock(folder: Path) -> int:
    """Lock a data folder for this process. The system releases the lock when the process ends."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CommandError(f"--data: another local edge uses {folder}. Stop it, or choose another folder.") from None
    return descriptor


def bind_socket(option: str, address: str) -> socket.socket:
    """Listen on the address of an option. Raise CommandError if that fails."""
    host, port = sockets.parse(address)
    try:
        return sockets.listen(host, port)
    except OSError as error:
        raise CommandError(
            f"{option} {address}: {error.strerror}. Choose another port, or stop the program on this one "
            "(`python -m local_edge stop --api HOST:PORT` if it is a local edge)."
        ) from None


def certificate_maker(arguments: argparse.Namespace) -> Callable[[Settings], KeyPair | None]:
    """Return a function that makes the certificate of the TLS port, or that returns None without such a port.

    Raise CommandError, before anything is written, if TLS cannot be set up.
    """
    if not arguments.https:
        if arguments.tls_host:
            raise CommandError("--tls-host: without --https there is no certificate. Add --https HOST:PORT.")
        return lambda settings: None
    from local_edge.runtime import certificates

    try:
        hosts = [certificates.check_host(name) for name in arguments.tls_host]
    except ValueError:
        raise CommandError(
            f"--tls-host: {' '.join(arguments.tls_host)}: use host names such as shop.example.com or *.example.com."
        ) from None

    def issue(settings: Settings) -> KeyPair:
        try:
            return certificates.issue(
                Path(str(settings.data)) / "tls", [*certificates.default_hosts(settings.zones), *hosts]
            )
        except certificates.CertificateError as error:
            raise CommandError(str(error)) from None

    return issue


def serve(arguments: argparse.Namespace) -> int:
    """Run the `serve` command: supervise the control plane and the edge."""
    # These imports are slow, and the other commands work without their dependencies.
    from local_edge import supervisor
    from local_edge.runtime.binary import WorkerdUnavailable

    make_certificate = certificate_maker(arguments)
    public = supervisor.Listeners(
        bind_socket("--api", arguments.api),
        bind_socket("--http", arguments.http),
        bind_socket("--https", arguments.https) if arguments.https else None,
    )
    settings = settings_from_args(arguments)
    lock(Path(str(settings.data)))
    try:
        asyncio.run(supervisor.serve(settings, arguments.serve_arguments, public, make_certificate(settings)))
    except WorkerdUnavailable as error:
        raise CommandError(str(error)) from None
    return 0


def control(arguments: argparse.Namespace) -> int:
    """Run the `control` command: the control plane, as a child of `serve`."""
    from local_edge import control_process
    from local_edge.runtime.binary import WorkerdUnavailable
    from local_edge.store import IncompatibleStoreError

    try:
        asyncio.run(control_process.serve(settings_from_args(arguments), arguments.inherit))
    except (WorkerdUnavailable, IncompatibleStoreError) as error:
        raise CommandError(str(error)) from None
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
        raise CommandError(
            f"--api {arguments.api}: the server is not a local edge, so it was not stopped. Give the port of the edge."
        )
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return 0
    except PermissionError:
        raise CommandError(
            f"--api {arguments.api}: the edge (process {pid}) belongs to another user. Stop it as that user."
        ) from None
    until = time.monotonic() + STOP_TIMEOUT
    while not has_exited(pid):
        if time.monotonic() > until:
            raise CommandError(
                f"--api {arguments.api}: the edge (process {pid}) did not stop within {STOP_TIMEOUT} s. "
                f"Run `kill -9 {pid}`."
            )
        time.sleep(0.05)
    return 0


def show_logs(arguments: argparse.Namespace) -> int:
    """Run the `logs` command."""
    found = health(arguments.api)
    if not found:
        raise CommandError(f"--api {arguments.api}: no local edge answers. Start one, or give its port.")
    try:
        return logs.run(arguments, found)
    except urllib.error.HTTPError as error:
        raise CommandError(
            f"--api {arguments.api}: the edge answered {error.code}. Set LOCAL_EDGE_TOKEN to its token."
        ) from None
    except (urllib.error.URLError, OSError):
        raise CommandError(f"--api {arguments.api}: the edge has stopped.") from None


def main(arguments: list[str] | None = None) -> int:
    command_line = sys.argv[1:] if arguments is None else arguments
    parsed = parser().parse_args(command_line)
    parsed.serve_arguments = command_line[1:]
    try:
        return {"serve": serve, "control": control, "stop": stop, "logs": show_logs, "probe": probe.main}[
            parsed.command
        ](parsed)
    except (CommandError, ValueError) as error:
        print(f"local_edge: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        print(
            f"local_edge: the Python package {error.name} is missing. Install the packages of requirements.txt.",
            file=sys.stderr,
        )
    except sqlite3.Error as error:
        print(
            f"local_edge: --data: the database in {parsed.data} cannot be used ({error}). Choose another folder.",
            file=sys.stderr,
        )
    return 2
