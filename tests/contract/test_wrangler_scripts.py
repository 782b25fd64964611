# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wrangler: a project in service Worker syntax, with file bindings and imports."""

from __future__ import annotations

from edge_process import Edge
from foreign_clients import Project

#: (module (func (export "answer") (result i32) (i32.const 42)))
WASM = bytes.fromhex("0061736d010000000105016000017f03020100070a0106616e7377657200000a06010400412a0b")
SCRIPT = """
import imported from "./imported.txt";
const { answer } = new WebAssembly.Instance(PROGRAM).exports;
addEventListener("fetch", (event) => event.respondWith(respond(event.request)));
async function respond(request) {
  await DATA.put("asked", new URL(request.url).pathname);
  return Response.json([PLAN, KEY, await DATA.get("asked"), answer(), PAGE, [...new Uint8Array(BYTES)], imported]);
}
"""


def test_deploy_service_worker_script_with_bindings_runs(project: Project, edge: Edge) -> None:
    kv = edge.call("POST", "/storage/kv/namespaces", json={"title": "data"})["id"]
    project.write("index.js", SCRIPT)
    project.write("imported.txt", "imported")
    project.write("page.html", "<p>grüße</p>")
    for name, content in (("program.wasm", WASM), ("bytes.bin", b"\x00\xff")):
        (project.folder / name).write_bytes(content)
    project.configure(
        name="old",
        main="index.js",
        routes=["old.example.com/*"],
        vars={"PLAN": "pro"},
        kv_namespaces=[{"binding": "DATA", "id": kv}],
        wasm_modules={"PROGRAM": "program.wasm"},
        text_blobs={"PAGE": "page.html"},
        data_blobs={"BYTES": "bytes.bin"},
    )
    project.wrangler("secret", "put", "KEY", "--name", "old", stdin="hidden")
    project.wrangler("deploy")
    assert edge.get("old.example.com", "/path").json() == [
        "pro",
        "hidden",
        "/path",
        42,
        "<p>grüße</p>",
        [0, 255],
        "imported",
    ]
    (listed,) = edge.call("GET", "/workers/scripts")
    assert (listed["handlers"], listed["has_modules"]) == (["fetch"], False)
    project.wrangler("deploy", "--var", "PLAN:free")
    assert edge.get("old.example.com", "/again").json()[:3] == ["free", "hidden", "/again"]
