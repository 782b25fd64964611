# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts in service Worker syntax: event listeners, and bindings as globals."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from edge_process import Edge, Platform, wait_until

pytestmark = pytest.mark.integration

#: (module (func (export "answer") (result i32) (i32.const 42)))
WASM = bytes.fromhex("0061736d010000000105016000017f03020100070a0106616e7377657200000a06010400412a0b")
PARTS: dict[str, tuple[str, bytes]] = {
    "PROGRAM": ("application/wasm", WASM),
    "PAGE": ("text/plain", "grüße".encode()),
    "BYTES": ("application/octet-stream", b"\x00\xff\x01"),
}
BLOBS = [
    {"name": "PROGRAM", "type": "wasm_module", "part": "PROGRAM"},
    {"name": "PAGE", "type": "text_blob", "part": "PAGE"},
    {"name": "BYTES", "type": "data_blob", "part": "BYTES"},
]
GREETER = "addEventListener('fetch', (event) => event.respondWith(new Response('hello')));"


def put(
    edge: Edge,
    code: str,
    parts: dict[str, tuple[str, bytes]] | None = None,
    path: str = "/workers/scripts/old",
    **metadata: Any,
) -> requests.Response:
    """Upload a script as the part `script` of a form. Its file has another name."""
    content = {"body_part": "script", "compatibility_date": "2026-11-01", **metadata}
    files: dict[str, Any] = {
        "metadata": (None, json.dumps(content), "application/json"),
        "script": ("worker.js", code, "application/javascript"),
    }
    files.update({name: (f"files/{name}.bin", body, kind) for name, (kind, body) in (parts or {}).items()})
    return edge.session.put(f"{edge.account}{path}", files=files)


def deploy(edge: Edge, code: str, *arguments: Any, **options: Any) -> Any:
    """Upload a script and route old.example.com to it."""
    response = put(edge, code, *arguments, **options)
    assert response.ok, response.text
    edge.route("old.example.com/*", "old")
    return response.json()["result"]


def error_of(response: requests.Response) -> tuple[int, str]:
    assert not response.ok, response.text
    error = response.json()["errors"][0]
    return error["code"], error["message"]


@pytest.mark.parametrize("date", ["2026-11-01", None])
def test_script_bindings_are_globals(edge: Edge, date: str | None) -> None:
    """Also without a compatibility date, which means a date in 2021."""
    kv = edge.call("POST", "/storage/kv/namespaces", json={"title": "data"})["id"]
    edge.call("PUT", f"/storage/kv/namespaces/{kv}/values/key", data="stored")
    code = """
    const early = PLAN + CONFIG.seats + SECRET.length;
    async function answer(request) {
      await DATA.put("other", "written");
      return Response.json([early, await DATA.get("key"), await DATA.get("other"), new URL(request.url).pathname, request.cf.colo, typeof env]);
    }
    addEventListener("fetch", (event) => { event.respondWith(answer(event.request)); });
    """
    deployed = deploy(
        edge,
        code,
        compatibility_date=date,
        bindings=[
            {"name": "PLAN", "type": "plain_text", "text": "pro"},
            {"name": "CONFIG", "type": "json", "json": {"seats": 3}},
            {"name": "SECRET", "type": "secret_text", "text": "12345"},
            {"name": "DATA", "type": "kv_namespace", "namespace_id": kv},
        ],
    )
    assert (deployed["handlers"], deployed["has_modules"]) == (["fetch"], False)
    assert edge.get("old.example.com", "/path").json() == ["pro35", "stored", "written", "/path", "LCL", "undefined"]


def test_script_file_bindings_are_globals(edge: Edge) -> None:
    code = """
    const { answer } = new WebAssembly.Instance(PROGRAM).exports;
    addEventListener("fetch", (event) => event.respondWith(Response.json([PROGRAM instanceof WebAssembly.Module, answer(), PAGE,
      BYTES instanceof ArrayBuffer, [...new Uint8Array(BYTES)]])));
    """
    deploy(edge, code, PARTS, bindings=BLOBS)
    assert edge.get("old.example.com").json() == [True, 42, "grüße", True, [0, 255, 1]]


def test_script_file_binding_type_overrides_content_type(edge: Edge) -> None:
    deploy(
        edge,
        "addEventListener('fetch', (event) => event.respondWith(new Response(typeof PAGE)));",
        {"PAGE": ("application/octet-stream", b"text")},
        bindings=[BLOBS[1]],
    )
    assert edge.get("old.example.com").text == "string"


@pytest.mark.parametrize(
    ("parts", "expected"), [({}, "Uploaded parts: none."), ({"OTHER": ("text/plain", b"")}, "Uploaded parts: OTHER.")]
)
def test_script_file_binding_without_upload_is_refused(edge: Edge, parts: Any, expected: str) -> None:
    code, message = error_of(put(edge, GREETER, parts, bindings=[BLOBS[1]]))
    assert code == 10021 and message.endswith(expected) and "'PAGE' of this text_blob binding" in message


def test_module_with_file_binding_is_refused(edge: Edge) -> None:
    code, message = error_of(
        edge.upload("new", "export default { fetch() {} };", bindings=[BLOBS[1]], files={"PAGE": PARTS["PAGE"]})
    )
    assert code == 10021 and "Import the file instead" in message


def test_script_runs_without_module_syntax(edge: Edge) -> None:
    code = """
    var sloppy = (function () { return this === globalThis; })();
    const around = [this === self, sloppy, typeof module, typeof exports, typeof require];
    self.addEventListener("fetch", { handleEvent(event) { event.respondWith(Response.json(around)); } });
    """
    deploy(edge, code)
    assert edge.get("old.example.com").json() == [True, True, "undefined", "undefined", "undefined"]
    assert error_of(put(edge, "import x from './y.js';"))[1].startswith(
        "Uncaught SyntaxError: Cannot use import statement outside a module"
    )


def test_script_invalid_is_refused_with_10021_or_10068(edge: Edge) -> None:
    code, message = error_of(put(edge, f"{GREETER}\nmissing.value;"))
    assert code == 10021 and "ReferenceError: missing is not defined" in message and "script:2" in message
    assert error_of(put(edge, "self.addEventListener('unhandledrejection', () => {});"))[0] == 10068
    assert error_of(put(edge, "const nothing = 1;")) == (10068, "The uploaded script has no registered event handlers.")


def test_upload_plain_body_is_script(edge: Edge) -> None:
    response = edge.session.put(
        f"{edge.account}/workers/scripts/old", data=GREETER, headers={"content-type": "application/javascript"}
    )
    assert response.ok, response.text
    edge.route("old.example.com/*", "old")
    assert edge.get("old.example.com").text == "hello"
    content = edge.session.get(f"{edge.account}/workers/scripts/old")
    assert (content.text, content.headers["content-type"]) == (GREETER, "application/javascript")


def test_script_scheduled_event_is_fired(edge: Edge) -> None:
    kv = edge.call("POST", "/storage/kv/namespaces", json={"title": "data"})["id"]
    code = (
        GREETER
        + "addEventListener('scheduled', (event) => event.waitUntil(DATA.put('fired', `${event.cron} ${event.scheduledTime}`)));"
    )
    deployed = deploy(edge, code, bindings=[{"name": "DATA", "type": "kv_namespace", "namespace_id": kv}])
    assert deployed["handlers"] == ["fetch", "scheduled"]
    fired = edge.session.post(
        edge.api.replace("/client/v4", "/_edge/scheduled"), json={"worker": "old", "cron": "* * * * *", "time": 60000}
    )
    assert fired.json()["outcome"] == "ok", fired.text
    assert edge.session.get(f"{edge.account}/storage/kv/namespaces/{kv}/values/fired").text == "* * * * * 60000"


@pytest.mark.parametrize(
    "failing",
    [
        "throw new RangeError('too far');",
        "await null; throw new RangeError('too far');",
        "event.respondWith(Promise.reject(new RangeError('too far')));",
        "event.respondWith(new Response('fine')); event.waitUntil(Promise.reject(new RangeError('too far')));",
    ],
)
def test_script_exception_is_logged_once(edge: Edge, failing: str) -> None:
    deploy(
        edge,
        f"addEventListener('fetch', {'async ' if 'await' in failing else ''}(event) =>"
        f" {{ console.log('asked'); {failing} }});",
    )
    edge.get("old.example.com")

    def expected() -> list[tuple[str, str]]:
        entries = edge.session.get(edge.api.replace("/client/v4", "/_edge/logs?worker=old")).json()["entries"]
        return [(one["level"], one["text"].splitlines()[0]) for one in entries]

    wait_until(lambda: expected()[-2:] == [("log", "asked"), ("exception", "RangeError: too far")])


def test_script_tail_event_is_received(edge: Edge) -> None:
    kv = edge.call("POST", "/storage/kv/namespaces", json={"title": "data"})["id"]
    deploy(
        edge,
        "addEventListener('tail', (event) => event.waitUntil(DATA.put(event.events[0].scriptName,"
        " event.traces[0].outcome)));",
        bindings=[{"name": "DATA", "type": "kv_namespace", "namespace_id": kv}],
    )
    edge.deploy("watched", "export default { fetch: () => new Response('seen') };", tail_consumers=[{"service": "old"}])
    edge.route("watched.example.com/*", "watched")
    edge.get("watched.example.com")
    wait_until(lambda: edge.session.get(f"{edge.account}/storage/kv/namespaces/{kv}/values/watched").text == "ok")


def test_script_as_tenant_responds(platform: Platform) -> None:
    path = f"/workers/dispatch/namespaces/{platform.namespace}/scripts/a"
    assert put(platform.edge, GREETER, path=path).ok
    assert platform.get("a").text == "hello"
