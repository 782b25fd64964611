# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Static assets: upload sessions and uploads of files.

The files are served after a Worker's upload refers to the completed session.
"""

from __future__ import annotations

import base64
import binascii

from local_edge.api import multipart
from local_edge.api.multipart import FormPart
from local_edge.api.request import ApiRequest, ApiResponse
from local_edge.errors import bad_body, unsupported_content
from local_edge.model import assets, scripts

#: The content type that clients send for a file to be served without one.
NO_TYPE = "application/null"


async def create_session(request: ApiRequest) -> ApiResponse:
    """Begin an upload session with a manifest, and return the missing files. The Worker need not exist yet."""
    scripts.check_name(request.params["script"])
    scripts.check_scope(request.store, request.scope)
    manifest = assets.check_manifest(request.json_object().get("manifest"))
    return ApiResponse(assets.begin(request.store, request.scope, manifest), status=201)


async def upload(request: ApiRequest) -> ApiResponse:
    """Store the files of a session, each a part named by its hash. The session token is the authorization."""
    session = assets.authorized(request.store, bearer(request))
    if request.media_type != "multipart/form-data":
        raise unsupported_content("multipart/form-data")
    parts = multipart.read(request)
    untyped = next((part for part in parts if not part.media_type), None)
    if untyped and request.behaviors.asset_without_content_type == "refuse":
        raise bad_body(f"asset {untyped.name!r} has no Content-Type; send {NO_TYPE} for none")
    files = {part.name: (content(request, part), content_type(part)) for part in parts}
    token = assets.put(request.store, session, files)
    return ApiResponse({"jwt": token}, status=201) if token else ApiResponse({}, status=202)


def bearer(request: ApiRequest) -> str:
    return request.headers.get("authorization", "").partition(" ")[2].strip()


def content(request: ApiRequest, part: FormPart) -> bytes:
    if request.query.get("base64") != "true":
        return part.body
    try:
        return base64.b64decode(part.body, validate=True)
    except (binascii.Error, ValueError):
        raise bad_body(f"asset {part.name!r} is not base64") from None


def content_type(part: FormPart) -> str | None:
    return part.content_type if part.media_type not in ("", NO_TYPE) else None
