# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real runtime: the edge and the validators as children, and what the control plane wants of them."""
from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from local_edge.errors import ApiError, invalid
from local_edge.model.bindings import Binding
from local_edge.model.scripts import Source
from local_edge.runtime import config, wire
from local_edge.runtime.base import Handlers
from local_edge.runtime.child import Child
from local_edge.runtime.definition import check, definition
from local_edge.runtime.validator import Validator
from local_edge.settings import Settings
from local_edge.sockets import listen_unix

#: A validation takes one core for some milliseconds: a second validator gives a second core its share.
VALIDATORS = 2
START_WITHIN, FORGET_WITHIN = 20.0, 10.0
REMEMBERED = 10_000
#: The name of a Unix socket has at most 107 bytes.
MAX_FOLDER = 107 - len("/validator0.sock")
PREFIX = "Failed to start Worker:\n"


class Unusable(Exception):
    """workerd is missing or does not run; the text says what to do."""


def find_binary(given: str | None) -> str:
    """The workerd to run: as given, from the environment, in the npm package beside us, or on the PATH."""
    packaged = Path(__file__).parents[2] / "node_modules" / "@cloudflare"
    candidates = [given or os.environ.get("LOCAL_EDGE_WORKERD"), *map(str, sorted(packaged.glob("workerd-*/bin/workerd"))),
                  shutil.which("workerd")]
    found = next((one for one in candidates if one), None)
    if found is None or not os.access(found, os.X_OK):
        what = f"there is no program at {found}" if found else "workerd was not found"
        raise Unusable(f"{what}: give its path with --workerd or in LOCAL_EDGE_WORKERD; `npm ci` beside package.json installs it")
    return found


def newest_date(binary: str) -> str:
    """The last compatibility date a workerd knows: a week after the date that is its version."""
    try:
        text = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
        return (date.fromisoformat(text.split()[-1]) + timedelta(days=7)).isoformat()
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise Unusable(f"{binary} does not run as workerd ({type(error).__name__}): install the version that package.json names") from None


def private_folder(data: str | None) -> Path:
    """An empty folder that only we can enter: `run` in the data folder, where the next start finds and clears what a
    killed one left; elsewhere if its path is too long for a socket's name."""
    folder = Path(data or tempfile.mkdtemp(prefix="local-edge-")) / "run"
    if len(bytes(folder)) > MAX_FOLDER:
        folder = Path(tempfile.mkdtemp(prefix="local-edge-", dir="/tmp")) / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder


class Workerd:
    """The children and a private folder for their configuration and sockets."""

    def __init__(self, settings: Settings, public: socket.socket, api: str) -> None:
        self.binary = find_binary(settings.workerd)
        self.newest = newest_date(self.binary)
        self.folder = private_folder(settings.data)
        self.control = self.folder / "control.sock"
        self.admin = self.folder / "admin.sock"
        paths = config.write(config.Surroundings(self.folder, self.control, api, settings.egress, settings.max_isolates))
        self.edge = Child("edge", self.binary, paths["edge"], {"http": public, "admin": listen_unix(self.admin)}, self.admin)
        self.validators = [Validator(self.binary, paths["validator"], self.folder / f"validator{number}.sock")
                           for number in range(min(VALIDATORS, os.cpu_count() or 1))]
        self.idle: asyncio.Queue[Validator] = asyncio.Queue()
        self.validated: OrderedDict[str, Handlers] = OrderedDict()
        #: Keys of the Workers that the edge has ever asked for.
        self.asked: set[str] = set()

    async def start(self) -> None:
        """Start all, and return when all answer."""
        await asyncio.gather(self.edge.start(), *(one.child.start() for one in self.validators))
        sockets = [self.admin, *(one.socket for one in self.validators)]
        try:
            await asyncio.wait_for(asyncio.gather(*(wire.exchange(each, "GET", "/") for each in sockets)), START_WITHIN)
        except (OSError, EOFError, asyncio.TimeoutError):
            raise Unusable(f"{self.binary} did not start; what it said is above. Install the version that package.json names") from None
        for one in self.validators:
            self.idle.put_nowait(one)

    async def stop(self) -> None:
        await asyncio.gather(self.edge.stop(), *(one.child.stop() for one in self.validators))
        shutil.rmtree(self.folder, ignore_errors=True)

    async def forget(self, keys: Sequence[str]) -> None:
        """Tell the edge, unless it never asked for any of these. If it dies instead of answering, it has forgotten everything; if it hangs,
        it will be killed."""
        keys = [key for key in keys if key in self.asked or key.endswith("/") or key == "routes"]
        if not keys:
            return
        body, until = json.dumps(keys).encode(), time.monotonic() + FORGET_WITHIN
        while time.monotonic() < until:
            with contextlib.suppress(OSError, EOFError, asyncio.TimeoutError):
                await asyncio.wait_for(wire.exchange(self.admin, "POST", "/", body), until - time.monotonic())
                return
            await asyncio.sleep(0.05)
        raise ApiError(500, 10002, "The write is stored, but the edge did not take notice of it in time")

    async def validate(self, source: Source, config: Mapping[str, Any], bindings: Sequence[Binding]) -> Handlers:
        """Compile and start the Worker in a validator, once for each combination of code, settings and names."""
        check(source, config, bindings)
        shape = [source.etag, config.get("compatibility_date"), config.get("compatibility_flags"),
                 sorted((one.name, one.type) for one in bindings)]
        key = hashlib.sha256(json.dumps(shape).encode()).hexdigest()
        known = self.validated.get(key)
        if known is None:
            body = json.dumps(definition(source, config, bindings, self.newest)).encode()
            validator = await self.idle.get()
            try:
                known = read_verdict(await validator.ask(body))
            finally:
                self.idle.put_nowait(validator)
            self.validated[key] = known
            if len(self.validated) > REMEMBERED:
                self.validated.popitem(last=False)
        return known


def read_verdict(verdict: Mapping[str, Any]) -> Handlers:
    """What the validator said, as an answer or as the refusal Cloudflare has for it."""
    if "error" in verdict:
        raise invalid(str(verdict["error"]).removeprefix(PREFIX).strip())
    if not verdict["handlers"] and not verdict["named"]:
        raise ApiError(400, 10068, "The uploaded script has no registered event handlers.")
    return Handlers(list(verdict["handlers"]), list(verdict["named"]), int(verdict["startup_ms"]), bool(verdict["has_default"]))
