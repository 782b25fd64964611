# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The internal API that the edge calls on the control plane, over a Unix socket in a private folder."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from local_edge.asgi import content_response
from local_edge.errors import ApiError
from local_edge.invalidation import Invalidation
from local_edge.model import assets, bindings, d1, kv, objects, queues, scripts
from local_edge.model.kv import Pair
from local_edge.model.queues import Message
from local_edge.model.script_scope import ScriptScope
from local_edge.runtime import r2, routing, stack_traces
from local_edge.runtime.definition import default_cache, definition, is_trusted
from local_edge.runtime.r2 import Reply
from local_edge.settings import Settings
from local_edge.store import Store


def as_json(value: Any) -> Reply:
    return 200, json.dumps(value).encode(), {"content-type": "application/json"}


def error_reply(error: ApiError) -> Reply:
    return error.status, error.message.encode(), {**error.headers, "x-code": str(error.code)}


class EdgeBackend:
    """Serve the edge's requests for routes, Workers, assets, KV, R2, queues, D1 files and Durable Objects."""

    def __init__(self, settings: Settings, store: Store, newest: str, requested: set[Invalidation]) -> None:
        self.settings, self.store, self.newest, self.requested = settings, store, newest, requested

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            reply = await self.reply(Request(scope, receive))
        except ClientDisconnect:
            return
        status, content, headers = reply
        await content_response(status, content, headers)(scope, receive, send)

    async def reply(self, request: Request) -> Reply:
        """Return the reply to a request.

        The body of a refused request is read to its end, since a client that is cut off never reads the error.
        """
        path = [unquote(segment) for segment in request.scope["raw_path"].decode().lstrip("/").split("/")]
        body = request.stream()
        try:
            if path[0] == "r2":
                return await r2.answer(self.store, path[1:], request.headers, body)
            return self.answer(request, path, b"".join([chunk async for chunk in body]))
        except ApiError as error:
            async for _chunk in body:
                pass
            return error_reply(error)
        except (sqlite3.Error, OSError) as error:
            return 500, str(error).encode(), {}

    def answer(self, request: Request, segments: list[str], body: bytes) -> Reply:
        match segments:
            case ["routes"]:
                return as_json(routing.table(self.settings, self.store))
            case ["script", account, namespace, name]:
                return self.script(ScriptScope(account, namespace), name)
            case ["asset", account, namespace, digest]:
                return self.asset(ScriptScope(account, namespace), digest)
            case ["kv", namespace, "keys"]:
                return self.keys(namespace, request.query_params)
            case ["kv", namespace]:
                return self.pair(namespace, request.method, request.query_params, request.headers, body)
            case ["object", kind, ident]:
                return 200 if objects.register_storage(self.store, kind, ident) else 404, b"", {}
            case ["stack", account, namespace, name]:
                scope = ScriptScope(account, namespace)
                return 200, stack_traces.mapped(self.store, scope, name, body.decode()).encode(), {}
            case ["queue", account, name]:
                return self.queue(account, name, body)
            case ["file", name]:
                return self.file(name, request.method, body)
        return 404, b"", {}

    def script(self, scope: ScriptScope, name: str) -> Reply:
        self.requested.add(Invalidation.worker(scope.key(name)))
        script = scripts.find(self.store, scope, name)
        if script is None:
            return 404, b"", {}
        result = definition(
            scripts.source_of(self.store, script),
            script.config,
            bindings.load(self.store, script.id).values(),
            self.newest,
            scope,
            name,
            lambda: scripts.active_version_info(self.store, script),
        )
        result["classes"], result["trusted"] = script.migrations["classes"], is_trusted(scope, script.config)
        result["kv_reads"] = self.settings.kv_reads
        result["default_cache"] = default_cache(self.settings.behaviors, scope, script.config)
        # Trusted Workers share the caches of their namespace. Others have their own, which end with the Worker.
        result["caches"] = scope.key("") if result["trusted"] else f"{script.key}/{script.tag}"
        result["tags"] = scripts.tags_of(self.store, script.id)
        result["tails"] = [
            ScriptScope(scope.account, one.get("namespace", "")).key(one["service"])
            for one in script.config.get("tail_consumers") or []
        ]
        if script.config.get("assets"):
            result["assets"] = assets.site(self.store, scope, script.config["assets"])
        return as_json({**result, "account": scope.account, "namespace": scope.namespace, "version": script.version})

    def asset(self, scope: ScriptScope, digest: str) -> Reply:
        found = assets.get(self.store, scope, digest)
        return (404, b"", {}) if found is None else (200, found, {})

    def queue(self, account: str, name: str, body: bytes) -> Reply:
        """Store the messages sent by a Worker, if any, and return the metrics of the queue."""
        queue = queues.find(self.store, account, name)
        if body:
            request = json.loads(body)
            messages = [
                Message(base64.b64decode(one["body"]), one["contentType"], "worker", one.get("delaySeconds"))
                for one in request["messages"]
            ]
            queues.send(self.store, queue, messages, request.get("delaySeconds"))
        metrics = queues.metrics(self.store, queue)
        return as_json({"backlogCount": metrics.count, "backlogBytes": metrics.size, "oldest": metrics.oldest})

    def file(self, name: str, method: str, body: bytes) -> Reply:
        """Read an import file of a database, or write an export file."""
        if method == "PUT":
            d1.fill(self.store, name, body)
            return 200, b"", {}
        found = d1.file(self.store, name)
        return (200, found.body, {}) if found and found.body is not None else (404, b"", {})

    def keys(self, namespace: str, query: Mapping[str, str]) -> Reply:
        try:
            after = base64.b64decode(query["cursor"], altchars=b"-_", validate=True).decode()
        except ValueError:
            raise ApiError(400, 10026, "Invalid cursor") from None
        page, last = kv.keys(self.store, namespace, query["prefix"], after, int(query["limit"]))
        return as_json({"keys": page, "last": base64.urlsafe_b64encode(last.encode()).decode()})

    def pair(self, namespace: str, method: str, query: Mapping[str, str], headers: Headers, body: bytes) -> Reply:
        """Read, write or delete one key. Metadata is percent-encoded in a header, since it may hold any character."""
        key = kv.check_key(query.get("key"))
        self.requested.add(Invalidation.kv_namespace(namespace))
        if method == "PUT":
            metadata = kv.check_metadata(unquote(headers["x-metadata"])) if "x-metadata" in headers else None
            expiration = kv.expiry(self.store, query.get("expiration"), query.get("expiration_ttl"))
            kv.put(self.store, namespace, [Pair(key, kv.check_value(body), metadata, expiration)])
        elif method == "DELETE":
            kv.delete(self.store, namespace, [key])
        else:
            found = kv.get(self.store, namespace, key)
            if found is None:
                return 404, b"", {}
            found_headers = {
                "x-metadata": found.metadata and quote(found.metadata),
                "x-expiration": found.expiration and str(found.expiration),
            }
            return 200, found.value, {name: value for name, value in found_headers.items() if value}
        return 200, b"", {}
