# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upload Workers with static assets in the way that API clients do."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from edge_process import Edge

Files = Mapping[str, str]
TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "txt": "text/plain; charset=utf-8"}
#: The content type that clients send for a file of unknown type.
NO_TYPE = "application/null"


def digest(path: str, body: str) -> str:
    """Hash the content and the extension of a file, as wrangler does."""
    return hashlib.sha256(f"{body}{path.rpartition('.')[2]}".encode()).hexdigest()[:32]


def upload_assets(edge: Edge, name: str, files: Files, namespace: str | None = None) -> str:
    """Upload files and return the completion token."""
    scripts = f"/workers/dispatch/namespaces/{namespace}/scripts" if namespace else "/workers/scripts"
    paths = {digest(path, body): path for path, body in files.items()}
    manifest = {path: {"hash": digest(path, body), "size": len(body.encode())} for path, body in files.items()}
    session = edge.call("POST", f"{scripts}/{name}/assets-upload-session", json={"manifest": manifest})
    token: str = session["jwt"]
    for bucket in session["buckets"]:
        parts = [
            (
                one,
                (one, base64.b64encode(files[paths[one]].encode()), TYPES.get(paths[one].rpartition(".")[2], NO_TYPE)),
            )
            for one in bucket
        ]
        response = edge.session.post(
            f"{edge.account}/workers/assets/upload?base64=true",
            files=parts,
            headers={"Authorization": f"Bearer {session['jwt']}"},
        )
        assert response.ok, response.text
        token = response.json()["result"].get("jwt", token)
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
    """Deploy a Worker with these files, and with the binding ASSETS if it has code."""
    assets = {"jwt": upload_assets(edge, name, files, namespace), "config": dict(config or {})}
    content: dict[str, Any] = {"assets": assets, "compatibility_date": "2026-11-01", **metadata}
    if code:
        edge.deploy(name, code, namespace=namespace, bindings=[{"name": "ASSETS", "type": "assets"}], **content)
        return
    scripts = f"/workers/dispatch/namespaces/{namespace}/scripts" if namespace else "/workers/scripts"
    edge.call("PUT", f"{scripts}/{name}", files={"metadata": (None, json.dumps(content), "application/json")})
