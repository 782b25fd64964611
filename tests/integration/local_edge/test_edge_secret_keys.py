# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bindings of type secret_key: available before the Worker's code runs, and not exportable."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from edge_process import Edge, Platform

pytestmark = pytest.mark.integration

SECRET = b"a secret of 32 bytes for an HMAC"
HMAC: dict[str, Any] = {
    "name": "KEY",
    "type": "secret_key",
    "algorithm": {"name": "HMAC", "hash": "SHA-256"},
    "format": "raw",
    "usages": ["sign"],
    "key_base64": base64.b64encode(SECRET).decode(),
}
SIGNATURE = hmac.digest(SECRET, b"text", hashlib.sha256).hex()
SIGN = "const signed = async (key) => new Uint8Array(await crypto.subtle.sign('HMAC', key, new TextEncoder().encode('text'))).toHex();"


def form(script: str) -> dict[str, Any]:
    metadata = {"body_part": "script", "compatibility_date": "2026-11-01", "bindings": [HMAC]}
    return {
        "metadata": (None, json.dumps(metadata), "application/json"),
        "script": ("worker.js", script, "application/javascript"),
    }


def upload_error(edge: Edge, *bindings: dict[str, Any]) -> str:
    response = edge.upload("w", "export default { fetch() {} };", bindings=list(bindings))
    error = response.json()["errors"][0]
    assert (response.status_code, error["code"]) == (400, 10021), response.text
    message: str = error["message"]
    return message


def test_secret_key_is_available_at_top_level_of_modules(platform: Platform) -> None:
    main = f"""
    import {{ env, WorkerEntrypoint }} from "cloudflare:workers";
    import {{ early }} from "./deep/er/part.js";
    {SIGN}
    const first = await signed(env.KEY);
    export class Named extends WorkerEntrypoint {{ sign() {{ return signed(this.env.KEY); }} }}
    export default {{ async fetch(request, bound, ctx) {{
      const exported = await crypto.subtle.exportKey("raw", bound.KEY).then(() => "exported", (error) => error.name);
      const {{ algorithm, extractable, type, usages }} = bound.KEY;
      return Response.json([first, early, await signed(bound.KEY), await ctx.exports.Named.sign(), exported, algorithm.name, extractable, type, usages]);
    }} }};"""
    part = 'import { env } from "cloudflare:workers"; export const early = String(env.KEY); // no line follows'
    platform.deploy_tenant(
        "a", main, bindings=[HMAC], files={"deep/er/part.js": ("application/javascript+module", part)}
    )
    assert platform.get("a").json() == [
        SIGNATURE,
        "[object CryptoKey]",
        SIGNATURE,
        SIGNATURE,
        "InvalidAccessError",
        "HMAC",
        False,
        "secret",
        ["sign"],
    ]


def test_secret_key_in_script_is_global(edge: Edge) -> None:
    script = f"{SIGN} const early = signed(KEY); addEventListener('fetch', (event) => event.respondWith(early.then((hex) => new Response(hex))));"
    assert edge.session.put(f"{edge.account}/workers/scripts/old", files=form(script)).ok
    edge.route("old.example.com/*", "old")
    assert edge.get("old.example.com").text == SIGNATURE


def test_secret_key_material_is_not_readable(edge: Edge) -> None:
    code = """
    import * as ours from "./__local_edge/worker.js";
    export default { fetch: (request, env) => Response.json([env, ours.hidden]) };"""
    edge.deploy("w", code, bindings=[HMAC])
    edge.route("example.com/*", "w")
    response = edge.get("example.com")
    assert response.ok and HMAC["key_base64"] not in response.text
    assert HMAC["key_base64"] not in edge.session.get(f"{edge.account}/workers/scripts/w/settings").text


def test_secret_key_each_format_is_imported(edge: Edge) -> None:
    pair = ec.generate_private_key(ec.SECP256R1())
    private = pair.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = pair.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    curve = {"type": "secret_key", "algorithm": {"name": "ECDSA", "namedCurve": "P-256"}}
    code = """
    const algorithm = { name: "ECDSA", hash: "SHA-256" }, text = new TextEncoder().encode("text");
    export default { async fetch(request, { PRIVATE, PUBLIC, JWK }) {
      const signature = await crypto.subtle.sign(algorithm, PRIVATE, text);
      const cipher = await crypto.subtle.encrypt({ name: "AES-GCM", iv: new Uint8Array(12) }, JWK, text);
      return Response.json([await crypto.subtle.verify(algorithm, PUBLIC, signature, text), cipher.byteLength]);
    } };"""
    edge.deploy(
        "w",
        code,
        bindings=[
            {
                **curve,
                "name": "PRIVATE",
                "format": "pkcs8",
                "usages": ["sign"],
                "key_base64": base64.b64encode(private).decode(),
            },
            {
                **curve,
                "name": "PUBLIC",
                "format": "spki",
                "usages": ["verify"],
                "key_base64": base64.b64encode(public).decode(),
            },
            {
                "name": "JWK",
                "type": "secret_key",
                "algorithm": "AES-GCM",
                "format": "jwk",
                "usages": ["encrypt"],
                "key_jwk": {"kty": "oct", "alg": "A128GCM", "k": "AAAAAAAAAAAAAAAAAAAAAA"},
            },
        ],
    )
    edge.route("example.com/*", "w")
    assert edge.get("example.com").json() == [True, 20]


@pytest.mark.parametrize(
    ("invalid", "expected"),
    [
        ({"key_base64": "not base64!"}, "base64"),
        ({"usages": ["encrypt"]}, "usage"),
        ({"algorithm": {"name": "ROT13"}}, "ROT13"),
        ({"algorithm": {"name": "HMAC"}}, "hash"),
        ({"format": "pkcs8"}, "pkcs8"),
    ],
)
def test_secret_key_invalid_is_refused_with_binding_name(edge: Edge, invalid: dict[str, Any], expected: str) -> None:
    edge.deploy("w", "export default { fetch() {} };", bindings=[HMAC])
    message = upload_error(edge, {**HMAC, "name": "GOOD"}, {**HMAC, **invalid})
    assert (
        "binding KEY of type secret_key cannot be imported: " in message and expected in message and "\n" not in message
    )


def test_secret_key_invalid_in_any_request_is_refused(edge: Edge) -> None:
    edge.deploy("w", "export default { fetch() {} };", bindings=[HMAC])
    invalid = {**HMAC, "format": "spki"}
    worker = f"{edge.account}/workers/scripts/w"
    responses = [
        edge.session.put(f"{worker}/secrets", json=invalid),
        edge.session.patch(f"{worker}/secrets-bulk", json={"secrets": {"KEY": invalid}}),
        edge.session.patch(f"{worker}/settings", files={"settings": (None, json.dumps({"bindings": [invalid]}))}),
        edge.session.patch(f"{worker.replace('scripts', 'workers')}/versions/latest", json={"env": {"KEY": invalid}}),
    ]
    assert [response.json()["errors"][0]["code"] for response in responses] == [10021] * 4
    edge.call("PUT", "/workers/scripts/w/secrets", json={**HMAC, "name": "OTHER"})
    assert [one["name"] for one in edge.call("GET", "/workers/scripts/w/bindings")] == ["KEY", "OTHER"]


def test_secret_key_changed_applies_to_next_request(edge: Edge) -> None:
    edge.deploy(
        "w",
        f"{SIGN} export default {{ fetch: async (request, env) => new Response(await signed(env.KEY)) }};",
        bindings=[HMAC],
    )
    edge.route("example.com/*", "w")
    assert edge.get("example.com").text == SIGNATURE
    other = b"another secret, of other length"
    edge.call("PUT", "/workers/scripts/w/secrets", json={**HMAC, "key_base64": base64.b64encode(other).decode()})
    assert edge.get("example.com").text == hmac.digest(other, b"text", hashlib.sha256).hex()
