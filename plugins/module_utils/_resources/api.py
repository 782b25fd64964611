# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Any endpoint of the API, with our credentials, pacing, retries and paging: the way out for what no module covers."""

from __future__ import annotations

from .._cloudflare.errors import CloudflareError
from .._engine.converge import Mode, Outcome, converge
from .._engine.resource import Kind

SAFE_METHODS = ("GET", "HEAD")
METHODS = (*SAFE_METHODS, "POST", "PUT", "PATCH", "DELETE")


class Api(Kind):
    """One request. What is not a read is a change, whatever it does."""

    name = "api"
    identity = {"path": {"type": "str", "required": True}}
    controls = {
        "method": {"type": "str", "choices": list(METHODS), "default": "GET"},
        "query": {"type": "dict"},
        "body": {"type": "raw"},
        "headers": {"type": "dict"},
        "paginate": {"type": "bool", "default": False},
    }
    stateful = False


@converge.register
def converge_api(api: Api, mode: Mode) -> Outcome:
    """Send the request, unless it is a write and only a prediction is wanted."""
    options, method = api.options, api.options["method"]
    path = "/" + str(options["path"]).lstrip("/")
    if "{account_id}" in path:
        path = path.replace("{account_id}", api.client.account_id)
    if options["paginate"] and method != "GET":
        raise CloudflareError(f"paginate: only a GET has pages, not a {method}.")
    arguments = {"params": options["query"], "json": options["body"], "headers": options["headers"]}
    if options["paginate"]:
        return Outcome(api.name, api.client.list_all(path, **(options["query"] or {})))
    if method in SAFE_METHODS:
        answer = api.client.call(method, path, **arguments)
        return Outcome(
            api.name, answer.result if "json" in answer.content_type else answer.content.decode(errors="replace")
        )
    api.client.invalidate()
    return Outcome(
        api.name, None if mode.check else api.client.call(method, path, **arguments).result, [f"{method} {path}"]
    )
