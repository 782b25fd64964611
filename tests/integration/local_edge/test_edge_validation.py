# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validation of uploads by the runtime: errors are returned by the API."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from edge_process import ECHO, Edge

pytestmark = pytest.mark.integration


def upload_error(edge: Edge, code: str, **options: Any) -> tuple[int, str]:
    response = edge.upload("w", code, **options)
    assert not response.ok, response.text
    error = response.json()["errors"][0]
    assert [item["id"] for item in edge.call("GET", "/workers/scripts")] == [], (
        "a refused upload must leave nothing behind"
    )
    return error["code"], error["message"]


def test_upload_syntax_error_returns_message_of_v8(edge: Edge) -> None:
    code, message = upload_error(edge, "export default {\n  fetch() { return new Response('x' };\n}")
    assert code == 10021
    assert "SyntaxError: missing ) after argument list" in message
    assert "index.js:2" in message


def test_upload_top_level_exception_is_refused(edge: Edge) -> None:
    code, message = upload_error(edge, "const config = undefined;\nconfig.value;\nexport default { fetch() {} };")
    assert code == 10021
    assert "TypeError: Cannot read properties of undefined (reading 'value')" in message
    assert "index.js:2" in message


def test_upload_missing_module_is_refused(edge: Edge) -> None:
    code, message = upload_error(edge, "import './nowhere.js';\nexport default { fetch() {} };")
    assert code == 10021
    assert 'No such module "nowhere.js"' in message


def test_upload_top_level_endless_loop_is_refused(edge: Edge) -> None:
    assert upload_error(edge, "while (true) {}\nexport default { fetch() {} };") == (
        10021,
        "Script startup exceeded CPU time limit.",
    )
    assert edge.upload("w", ECHO).ok, "the validator must be back at once"


def test_upload_without_handlers_is_refused(edge: Edge) -> None:
    assert upload_error(edge, "export const nothing = 1;") == (
        10068,
        "The uploaded script has no registered event handlers.",
    )


def test_upload_unknown_compatibility_flag_is_refused(edge: Edge) -> None:
    code, message = upload_error(edge, ECHO, compatibility_flags=["no_such_flag"])
    assert code == 10021
    assert "no_such_flag" in message


def test_upload_bindings_are_available_at_top_level(edge: Edge) -> None:
    edge.call("POST", "/workers/dispatch/namespaces", json={"name": "tenants"})
    kv = edge.call("POST", "/storage/kv/namespaces", json={"title": "data"})["id"]
    code = """import { env } from "cloudflare:workers";
    const customer = env.CONFIG.customer, get = env.TENANTS.get("x"), kind = env.DATA.constructor.name, length = env.SECRET.length;
    export default { fetch: () => Response.json([customer, typeof get.fetch, kind, length]) };"""
    edge.deploy(
        "w",
        code,
        bindings=[
            {"name": "CONFIG", "type": "json", "json": {"customer": "c"}},
            {"name": "DATA", "type": "kv_namespace", "namespace_id": kv},
            {"name": "TENANTS", "type": "dispatch_namespace", "namespace": "tenants"},
            {"name": "SECRET", "type": "secret_text", "text": "12345"},
        ],
    )
    edge.route("example.com/*", "w")
    assert edge.get("example.com").json() == ["c", "function", "KvNamespace", 5]


def test_upload_returns_list_of_handlers(edge: Edge) -> None:
    result = edge.deploy(
        "w",
        """import { WorkerEntrypoint } from "cloudflare:workers";
    export default { async fetch() {}, async scheduled() {}, helper() {} };
    export class Admin extends WorkerEntrypoint { fetch() {} }
    export const version = 1;""",
    )
    assert result["handlers"] == ["fetch", "scheduled"]
    assert result["named_handlers"] == [{"name": "Admin", "handlers": ["fetch"]}]


def test_upload_without_default_export_is_accepted(edge: Edge) -> None:
    edge.deploy(
        "w",
        """import { WorkerEntrypoint } from "cloudflare:workers";
    export class Greeter extends WorkerEntrypoint { fetch() { return new Response("hello"); } }""",
    )
    edge.deploy(
        "front",
        "export default { fetch: (request, env) => env.GREETER.fetch(request) };",
        bindings=[{"name": "GREETER", "type": "service", "service": "w", "entrypoint": "Greeter"}],
    )
    edge.route("example.com/*", "front")
    assert edge.get("example.com").text == "hello"


def test_concurrent_uploads_of_same_worker_one_is_refused(edge: Edge) -> None:
    slow = "for (let n = 0; n < 2e8; n++); export default { fetch: () => new Response('%s') };"
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda code: edge.upload("w", slow % code), ["one", "two"]))
    refused = [answer.json()["errors"][0]["code"] for answer in answers if not answer.ok]
    assert (sum(answer.ok for answer in answers), refused) == (1, [10035])
    assert [item["id"] for item in edge.call("GET", "/workers/scripts")] == ["w"]
