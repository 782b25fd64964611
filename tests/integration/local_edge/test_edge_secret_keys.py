# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that are keys: there before the Worker's own code runs, whatever that waits for, and never to be exported."""

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
    told = {"body_part": "script", "compatibility_date": "2026-11-01", "bindings": [HMAC]}
    return {
        "metadata": (None, json.dumps(told), "application/json"),
        "script": ("worker.js", script, "application/javascript"),
    }


def refusal(edge: Edge, *bindings: dict[str, Any]) -> str:
    response = edge.upload("w", "export default { fetch() {} };", bindings=list(bindings))
    error = response.json()["errors"][0]
    assert (response.status_code, error["code"]) == (400, 10021), response.text
    message: str = error["message"]
    return message


def test_a_key_is_there_at_the_top_level_of_every_module_and_of_one_that_waits(platform: Platform) -> None:
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


def test_a_script_has_its_key_as_a_global(edge: Edge) -> None:
    script = f"{SIGN} const early = signed(KEY); addEventListener('fetch', (event) => event.respondWith(early.then((hex) => new Response(hex))));"
    assert edge.session.put(f"{edge.account}/workers/scripts/old", files=form(script)).ok
    edge.route("old.example.com/*", "old")
    assert edge.get("old.example.com").text == SIGNATURE


def test_nobody_finds_what_a_key_was_made_of(edge: Edge) -> None:
    code = """
    import * as ours from "./__local_edge/worker.js";
    export default { fetch: (request, env) => Response.json([env, ours.hidden]) };"""
    edge.deploy("w", code, bindings=[HMAC])
    edge.route("example.com/*", "w")
    answer = edge.get("example.com")
    assert answer.ok and HMAC["key_base64"] not in answer.text
    assert HMAC["key_base64"] not in edge.session.get(f"{edge.account}/workers/scripts/w/settings").text


def test_keys_of_every_format(edge: Edge) -> None:
    pair = ec.generate_private_key(ec.SECP256R1())
    private = pair.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = pair.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    curve = {"type": "secret_key", "algorithm": {"name": "ECDSA", "namedCurve": "P-256"}}
    code = """
    const how = { name: "ECDSA", hash: "SHA-256" }, text = new TextEncoder().encode("text");
    export default { async fetch(request, { PRIVATE, PUBLIC, JWK }) {
      const signature = await crypto.subtle.sign(how, PRIVATE, text);
      const cipher = await crypto.subtle.encrypt({ name: "AES-GCM", iv: new Uint8Array(12) }, JWK, text);
      return Response.json([await crypto.subtle.verify(how, PUBLIC, signature, text), cipher.byteLength]);
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
    ("wrong", "said"),
    [
        ({"key_base64": "not base64!"}, "base64"),
        ({"usages": ["encrypt"]}, "usage"),
        ({"algorithm": {"name": "ROT13"}}, "ROT13"),
        ({"algorithm": {"name": "HMAC"}}, "hash"),
        ({"format": "pkcs8"}, "pkcs8"),
    ],
)
def test_a_key_that_cannot_be_imported_is_refused_with_its_binding(
    edge: Edge, wrong: dict[str, Any], said: str
) -> None:
    edge.deploy("w", "export default { fetch() {} };", bindings=[HMAC])
    message = refusal(edge, {**HMAC, "name": "GOOD"}, {**HMAC, **wrong})
    assert "binding KEY of type secret_key cannot be imported: " in message and said in message and "\n" not in message


def test_a_key_is_looked_at_wherever_it_comes_from(edge: Edge) -> None:
    edge.deploy("w", "export default { fetch() {} };", bindings=[HMAC])
    wrong = {**HMAC, "format": "spki"}
    worker = f"{edge.account}/workers/scripts/w"
    answers = [
        edge.session.put(f"{worker}/secrets", json=wrong),
        edge.session.patch(f"{worker}/secrets-bulk", json={"secrets": {"KEY": wrong}}),
        edge.session.patch(f"{worker}/settings", files={"settings": (None, json.dumps({"bindings": [wrong]}))}),
        edge.session.patch(f"{worker.replace('scripts', 'workers')}/versions/latest", json={"env": {"KEY": wrong}}),
    ]
    assert [answer.json()["errors"][0]["code"] for answer in answers] == [10021] * 4
    edge.call("PUT", "/workers/scripts/w/secrets", json={**HMAC, "name": "OTHER"})
    assert [one["name"] for one in edge.call("GET", "/workers/scripts/w/bindings")] == ["KEY", "OTHER"]


def test_a_new_key_is_there_at_once(edge: Edge) -> None:
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
