# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers with static assets, uploaded as clients do."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from edge_process import Edge

Files = Mapping[str, str]
TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "txt": "text/plain; charset=utf-8"}
#: What clients send of a file that has no type.
NO_TYPE = "application/null"


def digest(path: str, body: str) -> str:
    """The hash of a file: of its content and its extension, as wrangler's."""
    return hashlib.sha256(f"{body}{path.rpartition('.')[2]}".encode()).hexdigest()[:32]


def completed(edge: Edge, name: str, files: Files, namespace: str | None = None) -> str:
    """Upload files; the token that says so."""
    where = f"/workers/dispatch/namespaces/{namespace}/scripts" if namespace else "/workers/scripts"
    paths = {digest(path, body): path for path, body in files.items()}
    manifest = {path: {"hash": digest(path, body), "size": len(body.encode())} for path, body in files.items()}
    begun = edge.ask("POST", f"{where}/{name}/assets-upload-session", json={"manifest": manifest})
    token: str = begun["jwt"]
    for bucket in begun["buckets"]:
        parts = [
            (
                one,
                (one, base64.b64encode(files[paths[one]].encode()), TYPES.get(paths[one].rpartition(".")[2], NO_TYPE)),
            )
            for one in bucket
        ]
        answer = edge.session.post(
            f"{edge.account}/workers/assets/upload?base64=true",
            files=parts,
            headers={"Authorization": f"Bearer {begun['jwt']}"},
        )
        assert answer.ok, answer.text
        token = answer.json()["result"].get("jwt", token)
    return token


def deploy(
    edge: Edge,
    name: str,
    files: Files,
    code: str | None = None,
    namespace: str | None = None,
    config: Mapping[str, Any] | None = None,
    **metadata: Any,
) -> None:
    """A Worker of these files, with the binding ASSETS if it has code."""
    assets = {"jwt": completed(edge, name, files, namespace), "config": dict(config or {})}
    told: dict[str, Any] = {"assets": assets, "compatibility_date": "2026-11-01", **metadata}
    if code:
        edge.deploy(name, code, namespace=namespace, bindings=[{"name": "ASSETS", "type": "assets"}], **told)
        return
    where = f"/workers/dispatch/namespaces/{namespace}/scripts" if namespace else "/workers/scripts"
    edge.ask("PUT", f"{where}/{name}", files={"metadata": (None, json.dumps(told), "application/json")})
