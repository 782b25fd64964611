# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to arbitrary API endpoints, with the credentials, rate limit, retries and paging of the other modules."""

from __future__ import annotations

from .._cloudflare.errors import CloudflareError
from .._engine.converge import ModuleResult, RunOptions
from .._engine.resource import Convergible

SAFE_METHODS = ("GET", "HEAD")
METHODS = (*SAFE_METHODS, "POST", "PUT", "PATCH", "DELETE")


class Api(Convergible):
    """One API request, whose response is returned unchanged. Every request except GET and HEAD counts as a change."""

    name = "api"
    identity = {"path": {"type": "str", "required": True}}
    behavior_options = {
        "method": {"type": "str", "choices": list(METHODS), "default": "GET"},
        "query": {"type": "dict"},
        "body": {"type": "raw"},
        "headers": {"type": "dict"},
        "paginate": {"type": "bool", "default": False},
        "show_body": {"type": "bool", "default": False},
    }
    hidden_options = {"body": "show_body", "headers": ""}
    has_state = False

    def converge(self, run: RunOptions) -> ModuleResult:
        """Send the request. In check mode, send only reads."""
        options, method = self.options, self.options["method"]
        path = "/" + str(options["path"]).lstrip("/")
        if "{account_id}" in path:
            path = path.replace("{account_id}", self.client.account_id)
        if options["paginate"] and method != "GET":
            raise CloudflareError(
                f"paginate: {method} requests have no pages. Use method: GET, or set paginate: false."
            )
        arguments = {"params": options["query"], "json": options["body"], "headers": options["headers"]}
        if options["paginate"]:
            return ModuleResult(self.name, self.client.list_unshaped(path, options["query"] or {}))
        if method in SAFE_METHODS:
            answer = self.client.call_unshaped(method, path, **arguments)
            return ModuleResult(
                self.name, answer.result if "json" in answer.content_type else answer.content.decode(errors="replace")
            )
        self.client.invalidate()
        return ModuleResult(
            self.name,
            None if run.check else self.client.call_unshaped(method, path, **arguments).result,
            [f"{method} {path}"],
        )
