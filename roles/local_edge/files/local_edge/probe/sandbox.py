# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations of an experiment, restricted to objects of the probe."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from local_edge.probe.api import MAX_ATTEMPTS, AbortProbe, Api, Inconclusive, Part, Reply, form

#: The names of all objects of all probes begin with it.
PREFIX = "tenantry-probe-"
CODE = "export default { fetch() { return new Response('probe'); } };"
DATE = "2026-01-01"
MODULE = "probe.mjs"
NOT_FOUND_CODES = (10007, 10090, 10092, 100119)
#: Seconds to wait for the rate limit before cleaning up, and additional requests for it.
MAX_WAIT, CLEANUP_REQUESTS = 600, 200


class SandboxViolation(Exception):
    """An experiment tried to write to an object that is not the probe's. This is a bug."""


def marker_binding(value: str) -> dict[str, str]:
    """Return a binding that distinguishes the results of two writes."""
    return {"name": "MARK", "type": "plain_text", "text": value}


class Sandbox:
    """The objects in an account, and in a zone if given, whose names begin with `prefix`.

    `timeout` is the maximum lag of a read after a write, in seconds.
    """

    def __init__(
        self, api: Api, account: str, prefix: str, zone: Mapping[str, str] | None = None, timeout: int = 8
    ) -> None:
        self.api, self.prefix, self.timeout = api, prefix, timeout
        self.namespaces = f"/accounts/{account}/workers/dispatch/namespaces"
        self.scripts = f"/accounts/{account}/workers/scripts"
        self.asset_files = f"/accounts/{account}/workers/assets/upload?base64=true"
        self.zone = zone
        self.made: list[str] = []
        self.routes: list[str] = []
        self._names = itertools.count(1)
        self._tenants = ""

    # -- writing -------------------------------------------------------------------------------------------------------

    def name(self) -> str:
        """Return a new name."""
        return f"{self.prefix}-{next(self._names)}"

    def send(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Send a request with a JSON body, or with a multipart form for a list of parts."""
        self.check_scope(method, path, body)
        self.register(method, path.partition("?")[0], body)
        if isinstance(body, list) and body and isinstance(body[0], Part):
            content, content_type = form(body)
            return self.api.send(method, path, content, {**content_type, **(headers or {})})
        if body is None:
            return self.api.send(method, path, None, headers)
        return self.api.send(
            method, path, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})}
        )

    def check_scope(self, method: str, path: str, body: Any) -> None:
        """Raise SandboxViolation for a write to an object without the prefix."""
        inside = re.match(
            rf"({re.escape(self.namespaces)}|{re.escape(self.scripts)})/{re.escape(self.prefix)}[a-z0-9-]*(?=[/?]|$)",
            path,
        )
        new_names = [body[key] for key in ("name", "pattern") if isinstance(body, dict) and key in body]
        named = all(isinstance(name, str) and name.startswith(self.prefix) for name in new_names) or "/secrets" in path
        creates = method == "POST" and path in (self.namespaces, self.routes_path) and new_names
        files = method == "POST" and path == self.asset_files
        route = method == "DELETE" and path in [f"{self.routes_path}/{ident}" for ident in self.routes]
        deletes_all = (
            method == "DELETE"
            and re.search(r"/scripts(\?|$)", path)
            and not re.search(r"/scripts\?tags=[^:&]+:yes(&limit=[1-9]\d*)?$", path)
        )
        if method != "GET" and (".." in path or deletes_all or not named or not (inside or creates or files or route)):
            raise SandboxViolation(f"{method} {path}")

    def register(self, method: str, path: str, body: Any) -> None:
        """Register the objects that a request may create. Call before it is sent, since its response may be lost."""
        if method == "PUT" and re.fullmatch(rf"{self.scripts}/[^/]+", path):
            self.made.append(path)
        if isinstance(body, dict) and (path == self.namespaces or re.fullmatch(rf"{self.namespaces}/[^/]+", path)):
            self.made += [f"{self.namespaces}/{body['name']}"] if "name" in body else []

    def require_result(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """Return the result of a request. Raise Inconclusive if it fails."""
        reply = self.send(method, path, body, headers)
        if not reply.ok:
            raise Inconclusive(f"{method} {path} returned {reply}")
        return reply.result

    # -- objects -------------------------------------------------------------------------------------------------------

    def namespace(self, **options: Any) -> str:
        """Create a dispatch namespace, wait until it is visible, and return its name."""
        name = self.name()
        self.require_result("POST", self.namespaces, {"name": name, **options})
        if not self.poll_until(lambda: self.send("GET", f"{self.namespaces}/{name}"), lambda reply: reply.ok).ok:
            raise Inconclusive(f"a new namespace was not visible within {self.timeout} s")
        return name

    @property
    def tenants(self) -> str:
        """The path of the Workers in the namespace that experiments share."""
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
        more_modules: Sequence[Part] = (),
        **metadata: Any,
    ) -> Reply:
        """Upload a Worker, or only its metadata if `code` is empty."""
        content = {**({"main_module": MODULE} if code else {}), "compatibility_date": DATE, **metadata}
        parts = [Part("metadata", json.dumps(content), "application/json")]
        parts += [Part(MODULE, code, "application/javascript+module", MODULE)] if code else []
        parts += more_modules
        query = {"excludeScript": "true", **({"bindings_inherit": "strict"} if strict else {})}
        return self.send("PUT", f"{path}?{urlencode(query)}", parts, headers)

    def upload_asset(self, path: str, text: str) -> str:
        """Upload one file for the Worker at a path. Return the token for the upload of the Worker."""
        reply = self.send_asset(path, text, "text/html")
        if not reply.ok:
            raise Inconclusive(f"the upload of an asset returned {reply}")
        return str((reply.result or {}).get("jwt") or "")

    def send_asset(self, path: str, text: str, content_type: str) -> Reply:
        """Open an upload session for the Worker at a path, and upload one file."""
        content = base64.b64encode(text.encode()).decode()
        digest = hashlib.sha256(f"{path}{text}".encode()).hexdigest()[:32]
        manifest = {"manifest": {"/index.html": {"hash": digest, "size": len(text)}}}
        session = self.require_result("POST", f"{path}/assets-upload-session", manifest)
        part, headers = Part(digest, content, content_type, digest), {"Authorization": f"Bearer {session['jwt']}"}
        return self.send("POST", self.asset_files, [part], headers)

    def worker(self, scripts: str = "", **metadata: Any) -> str:
        """Upload a new Worker to `scripts` or the shared namespace, wait until it is visible, and return its path."""
        path = f"{scripts or self.tenants}/{self.name()}"
        reply = self.upload(path, **metadata)
        if not reply.ok:
            raise Inconclusive(f"PUT {path} returned {reply}: {reply.body.decode(errors='replace')[:200]}")
        if not self.poll_until(lambda: self.send("GET", f"{path}/settings"), lambda reply: reply.ok).ok:
            raise Inconclusive(f"a new Worker was not visible within {self.timeout} s")
        return path

    # -- reading -------------------------------------------------------------------------------------------------------

    def poll_until(self, read: Callable[[], Any], ready: Callable[[Any], bool]) -> Any:
        """Return the first result that is ready, or the last one within the timeout."""
        result = read()
        for _second in range(self.timeout):
            if ready(result):
                break
            self.api.sleep(1)
            result = read()
        return result

    def settings(self, path: str, marked: str) -> dict[str, Any]:
        """Return the settings of a Worker once they show the write with this marker."""
        marker = marker_binding(marked)
        settings: dict[str, Any] = self.poll_until(
            lambda: self.send("GET", f"{path}/settings").result or {}, lambda result: marker in bindings_of(result)
        )
        if marker not in bindings_of(settings):
            raise Inconclusive(f"a write was not visible within {self.timeout} s")
        return settings

    # -- cleaning ------------------------------------------------------------------------------------------------------

    def clean(self) -> list[str]:
        """Delete all objects with the prefix. Return the paths of those that could not be deleted."""
        self.api.max_requests += CLEANUP_REQUESTS
        found: dict[str, None] = {}
        with suppress(Inconclusive):
            found.update(dict.fromkeys(self.listed()))
        try:
            for path in [*found, *(path for path in self.made if path not in found)]:
                with suppress(Inconclusive):
                    self.remove(path)
            return list(self.poll_until(lambda: list(self.listed()), lambda found: not found))
        except (Inconclusive, AbortProbe) as error:
            return [f"possibly objects beginning with {self.prefix} ({error})"]

    def listed(self) -> Iterator[str]:
        """Yield the paths of all objects with the prefix. An object comes before those that it refers to."""
        for path, key, name in (
            (self.routes_path, "id", "pattern"),
            (self.scripts, "id", "id"),
            (self.namespaces, "namespace_name", "namespace_name"),
        ):
            for one in self.send_with_wait("GET", path).result or [] if path else []:
                if one[name].startswith(self.prefix):
                    self.routes += [one[key]] if path == self.routes_path else []
                    yield f"{path}/{one[key]}"

    def remove(self, path: str) -> None:
        """Delete one object. Empty a namespace first if that is required."""
        reply = self.send_with_wait("DELETE", path + ("?force=true" if path.startswith(self.scripts) else ""))
        if reply.ok or reply.code in NOT_FOUND_CODES or not path.startswith(self.namespaces):
            return
        for one in self.send_with_wait("GET", f"{path}/scripts").result or []:
            self.send_with_wait("DELETE", f"{path}/scripts/{flat(one)['id']}?force=true")
        self.send_with_wait("DELETE", path)

    def send_with_wait(self, method: str, path: str) -> Reply:
        """Send a request of the cleanup. If the rate limit is exceeded, wait and retry."""
        for _attempt in range(MAX_ATTEMPTS):
            try:
                return self.send(method, path)
            except AbortProbe as abort:
                if not 0 < abort.wait <= MAX_WAIT:
                    raise
                print(f"Waiting {abort.wait:.0f} s for the rate limit before cleaning up.", flush=True)
                self.api.sleep(abort.wait)
        raise Inconclusive(f"{method} {path}: the rate limit of the API is exceeded")


def bindings_of(settings: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return settings.get("bindings") or []


def flat(worker: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a listed Worker, whose properties may be below the key `script`."""
    return {**worker, **(worker.get("script") or {})}
