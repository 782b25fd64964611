# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request and the response of an API handler, and pagination."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local_edge.blobs import Content
from local_edge.errors import ApiError, bad_body, bad_parameter
from local_edge.invalidation import Invalidation
from local_edge.model import scripts
from local_edge.model.script_scope import ScriptScope
from local_edge.model.scripts import Script
from local_edge.runtime.base import Runtime
from local_edge.settings import Behaviors, Settings
from local_edge.store import Store
from local_edge.strict_json import loads_strict

#: Characters that tags must not contain, by value of the behavior `special_character_tags`.
RESERVED_IN_TAGS = {"refuse": ",&", "refuse_spaces": ",& ", "accept": ""}


@dataclass
class ApiResponse:
    """The result of a handler. With `content`, the response is that content without an envelope."""

    result: Any = None
    info: Mapping[str, Any] | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    content: bytes | Content | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class ApiRequest:
    """An authorized API request.

    `invalidations` collects the cached state that the edge drops before the response is sent.
    """

    store: Store
    settings: Settings
    runtime: Runtime
    method: str
    params: dict[str, str]
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    invalidations: list[Invalidation] = field(default_factory=list)

    def invalidate(self, *invalidations: Invalidation) -> None:
        self.invalidations += invalidations

    @property
    def behaviors(self) -> Behaviors:
        return self.settings.behaviors

    @property
    def account(self) -> str:
        return self.params["account"]

    @property
    def scope(self) -> ScriptScope:
        """The account and namespace of the request path."""
        return ScriptScope(self.account, self.params.get("namespace", ""))

    @property
    def script(self) -> Script:
        """The Worker of the request path. Raise ApiError if it does not exist."""
        return scripts.get(self.store, self.scope, self.params["script"])

    @property
    def client(self) -> str:
        """The client, for `last_deployed_from`: `wrangler` or `api`."""
        return "wrangler" if self.headers.get("user-agent", "").startswith("wrangler/") else "api"

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def now(self) -> str:
        """Return the time in the format of the API."""
        return self.store.clock.now()

    def json(self, error: Callable[[str], ApiError] = bad_body) -> Any:
        """Parse the body as JSON, regardless of its Content-Type. `error` builds the ApiError for a malformed body."""
        try:
            return loads_strict(self.body)
        except ValueError as problem:
            raise error(str(problem)) from None

    def json_object(self, error: Callable[[str], ApiError] = bad_body) -> dict[str, Any]:
        body = self.json(error)
        if not isinstance(body, dict):
            raise error("it must be a JSON object")
        return body

    def tags(self, value: Any) -> list[str]:
        """Check the tags of a Worker. None stands for no tags. Raise ApiError if they are invalid."""
        behaviors = self.behaviors
        reserved = RESERVED_IN_TAGS[behaviors.special_character_tags]
        namespaced = scripts.TagRules(int(behaviors.max_namespaced_tags), int(behaviors.max_tag_length), reserved)
        rules = namespaced if self.scope.namespace else scripts.ACCOUNT_TAGS
        return rules.check([] if value is None else value)

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """Return a number of the query. Raise ApiError if it is out of bounds."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 10 or not low <= int(text) <= high:
            raise bad_parameter(name, f"{text[:20]!r} is not a number from {low} to {high}")
        return int(text)

    def cursor(self) -> str:
        """Return the last name of the previous page, '' for the first page. Raise ApiError for a foreign cursor."""
        text = self.query.get("cursor", "")
        with contextlib.suppress(binascii.Error, ValueError):
            raw = base64.b64decode(text.encode(), altchars=b"-_", validate=True)
            last = raw[SIGNATURE:].decode()
            if not raw or hmac.compare_digest(raw, self.sign(last)):
                return last
        raise bad_parameter("cursor", f"{text[:100]!r} was not issued for this listing")

    def cursor_after(self, last: str) -> str:
        """Return an opaque cursor for the page after a name. '' for '', which stands for the last page."""
        return base64.urlsafe_b64encode(self.sign(last)).decode() if last else ""

    def sign(self, last: str) -> bytes:
        """Return a name with a signature that is valid for this list only."""
        listing = "\0".join([*self.params.values(), last]).encode()
        return hmac.digest(self.store.signing_key, listing, hashlib.sha256)[:SIGNATURE] + last.encode()


SIGNATURE = 8
Handler = Callable[[ApiRequest], Awaitable[ApiResponse]]


def paged(request: ApiRequest, items: list[Any], default: int = 20, low: int = 5, high: int = 50) -> ApiResponse:
    """Return the page that `page` and `per_page` select, with its `result_info`."""
    page, size = request.number("page", 1, 1, 1_000_000), request.number("per_page", default, low, high)
    part = items[(page - 1) * size : page * size]
    return ApiResponse(
        part,
        info={
            "page": page,
            "per_page": size,
            "count": len(part),
            "total_count": len(items),
            "total_pages": -(-len(items) // size),
        },
    )
