# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a question may do: make objects of the probe's own, and look at them. Everything else stays untouched."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from local_edge.probe.api import TRIES, Api, Part, Reply, Stop, Unanswered, form

#: Every object of every probe begins so.
PREFIX = "tenantry-probe-"
CODE = "export default { fetch() { return new Response('probe'); } };"
DATE = "2026-01-01"
MODULE = "probe.mjs"
NOT_THERE = (10007, 10090, 10092, 100119)
LONGEST_WAIT, FOR_CLEANING = 600, 200


class Trespass(Exception):
    """A bug of ours: a question was about to write to what is not the probe's."""


def mark(value: str) -> dict[str, str]:
    """A binding that shows which of two writes one is looking at."""
    return {"name": "MARK", "type": "plain_text", "text": value}


class Sandbox:
    """An account (and a zone, if one was named), as far as names begin with `prefix`.

    `patience` is how many seconds a read may lag behind a write.
    """

    def __init__(
        self, api: Api, account: str, prefix: str, zone: Mapping[str, str] | None = None, patience: int = 8
    ) -> None:
        self.api, self.prefix, self.patience = api, prefix, patience
        self.namespaces = f"/accounts/{account}/workers/dispatch/namespaces"
        self.scripts = f"/accounts/{account}/workers/scripts"
        self.zone = zone
        self.made: list[str] = []
        self.routes: list[str] = []
        self._names = itertools.count(1)
        self._tenants = ""

    # -- writing -------------------------------------------------------------------------------------------------------

    def name(self) -> str:
        """A name that no other object has."""
        return f"{self.prefix}-{next(self._names)}"

    def send(self, method: str, path: str, given: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Send a request with a JSON body, or with a form where the parts of one are given."""
        self.fence(method, path, given)
        self.remember(method, path.partition("?")[0], given)
        if isinstance(given, list) and given and isinstance(given[0], Part):
            body, kind = form(given)
            return self.api.send(method, path, body, {**kind, **(headers or {})})
        if given is None:
            return self.api.send(method, path, None, headers)
        return self.api.send(
            method, path, json.dumps(given).encode(), {"Content-Type": "application/json", **(headers or {})}
        )

    def fence(self, method: str, path: str, given: Any) -> None:
        """Let nothing through that writes to what does not bear the prefix."""
        inside = re.match(
            rf"({re.escape(self.namespaces)}|{re.escape(self.scripts)})/{re.escape(self.prefix)}[a-z0-9-]*(?=[/?]|$)",
            path,
        )
        told = [given[key] for key in ("name", "pattern") if isinstance(given, dict) and key in given]
        named = all(isinstance(name, str) and name.startswith(self.prefix) for name in told) or "/secrets" in path
        creates = method == "POST" and path in (self.namespaces, self.routes_path) and told
        route = method == "DELETE" and path in [f"{self.routes_path}/{ident}" for ident in self.routes]
        everyone = (
            method == "DELETE"
            and re.search(r"/scripts(\?|$)", path)
            and not re.search(r"/scripts\?tags=[^:]+:yes$", path)
        )
        if method != "GET" and (".." in path or everyone or not named or not (inside or creates or route)):
            raise Trespass(f"{method} {path}")

    def remember(self, method: str, path: str, given: Any) -> None:
        """Note what a request may make, before it is sent: its answer may get lost."""
        if method == "PUT" and re.fullmatch(rf"{self.scripts}/[^/]+", path):
            self.made.append(path)
        if isinstance(given, dict) and (path == self.namespaces or re.fullmatch(rf"{self.namespaces}/[^/]+", path)):
            self.made.append(f"{self.namespaces}/{given['name']}")

    def ask(self, method: str, path: str, given: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """The result of a request without which the question cannot be asked."""
        reply = self.send(method, path, given, headers)
        if not reply.ok:
            raise Unanswered(f"{method} {path} answered {reply}")
        return reply.result

    # -- objects -------------------------------------------------------------------------------------------------------

    def namespace(self, **options: Any) -> str:
        """Make a dispatch namespace, and wait until it is to be seen."""
        name = self.name()
        self.ask("POST", self.namespaces, {"name": name, **options})
        if not self.until(lambda: self.send("GET", f"{self.namespaces}/{name}"), lambda reply: reply.ok).ok:
            raise Unanswered(f"a new namespace was not to be seen within {self.patience} s")
        return name

    @property
    def tenants(self) -> str:
        """The path of the Workers in the namespace that questions share."""
        if not self._tenants:
            self._tenants = f"{self.namespaces}/{self.namespace()}/scripts"
        return self._tenants

    @property
    def routes_path(self) -> str:
        return f"/zones/{self.zone['id']}/workers/routes" if self.zone else ""

    def upload(
        self,
        path: str,
        code: str = CODE,
        headers: Mapping[str, str] | None = None,
        strict: bool = False,
        **metadata: Any,
    ) -> Reply:
        """Upload a Worker; without code, only its metadata."""
        told = {**({"main_module": MODULE} if code else {}), "compatibility_date": DATE, **metadata}
        parts = [Part("metadata", json.dumps(told), "application/json")]
        parts += [Part(MODULE, code, "application/javascript+module", MODULE)] if code else []
        query = {"excludeScript": "true", **({"bindings_inherit": "strict"} if strict else {})}
        return self.send("PUT", f"{path}?{urlencode(query)}", parts, headers)

    def worker(self, place: str = "", **metadata: Any) -> str:
        """Upload a new Worker, into the namespace that questions share or to another place; its path, once it is to be seen."""
        path = f"{place or self.tenants}/{self.name()}"
        reply = self.upload(path, **metadata)
        if not reply.ok:
            raise Unanswered(f"PUT {path} answered {reply}: {reply.body.decode(errors='replace')[:200]}")
        if not self.until(lambda: self.send("GET", f"{path}/settings"), lambda reply: reply.ok).ok:
            raise Unanswered(f"a new Worker was not to be seen within {self.patience} s")
        return path

    # -- looking -------------------------------------------------------------------------------------------------------

    def until(self, look: Callable[[], Any], ready: Callable[[Any], bool]) -> Any:
        """The first look that is ready, or the last one within patience."""
        seen = look()
        for _second in range(self.patience):
            if ready(seen):
                break
            self.api.hold(1)
            seen = look()
        return seen

    def settings(self, path: str, marked: str) -> dict[str, Any]:
        """Settings of a Worker, once they show the write that was marked so."""
        seen = self.until(
            lambda: self.send("GET", f"{path}/settings").result or {}, lambda found: mark(marked) in bindings_of(found)
        )
        if mark(marked) not in bindings_of(seen):
            raise Unanswered(f"a write was not to be seen within {self.patience} s")
        found: dict[str, Any] = seen
        return found

    # -- cleaning ------------------------------------------------------------------------------------------------------

    def clean(self) -> list[str]:
        """Remove whatever bears the prefix; what is left all the same."""
        self.api.most += FOR_CLEANING
        doomed: dict[str, None] = {}
        with suppress(Unanswered):
            doomed.update(dict.fromkeys(self.listed()))
        try:
            for path in [*doomed, *(path for path in self.made if path not in doomed)]:
                with suppress(Unanswered):
                    self.remove(path)
            return list(self.until(lambda: list(self.listed()), lambda found: not found))
        except (Unanswered, Stop) as why:
            return [f"perhaps something beginning with {self.prefix} ({why})"]

    def listed(self) -> Iterator[str]:
        """The paths of everything that bears the prefix: first what leads to something, then what it leads to."""
        for path, key, name in (
            (self.routes_path, "id", "pattern"),
            (self.scripts, "id", "id"),
            (self.namespaces, "namespace_name", "namespace_name"),
        ):
            for one in self.patiently("GET", path).result or [] if path else []:
                if one[name].startswith(self.prefix):
                    self.routes += [one[key]] if path == self.routes_path else []
                    yield f"{path}/{one[key]}"

    def remove(self, path: str) -> None:
        """Delete one object; a namespace that must be empty first is emptied."""
        reply = self.patiently("DELETE", path + ("?force=true" if path.startswith(self.scripts) else ""))
        if reply.ok or reply.code in NOT_THERE or not path.startswith(self.namespaces):
            return
        for one in self.patiently("GET", f"{path}/scripts").result or []:
            self.patiently("DELETE", f"{path}/scripts/{one['id']}?force=true")
        self.patiently("DELETE", path)

    def patiently(self, method: str, path: str) -> Reply:
        """Send a request of the cleaning, after the block where the API is blocked."""
        for _attempt in range(TRIES):
            try:
                return self.send(method, path)
            except Stop as stop:
                if not 0 < stop.wait <= LONGEST_WAIT:
                    raise
                print(f"Waiting {stop.wait:.0f} s for the API, to clean up.", flush=True)
                self.api.hold(stop.wait)
        raise Unanswered(f"{method} {path}: the budget of the API is spent")


def bindings_of(settings: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return settings.get("bindings") or []
