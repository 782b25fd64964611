# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Static assets: sessions and uploads. What is uploaded is served once a Worker's upload names the completed session."""

from __future__ import annotations

import base64
import binascii

from local_edge.api import multipart
from local_edge.api.call import Answer, Call
from local_edge.api.multipart import Part
from local_edge.errors import bad_body, unsupported_content
from local_edge.model import assets, scripts

#: The content type of a file that is served without one.
NO_TYPE = "application/null"


async def create_session(call: Call) -> Answer:
    """Take a manifest; answer which files are missing. The Worker need not exist yet."""
    scripts.check_name(call.params["script"])
    scripts.check_place(call.store, call.place)
    manifest = assets.check_manifest(call.json_object().get("manifest"))
    return Answer(assets.begin(call.store, call.place, manifest), status=201)


async def upload(call: Call) -> Answer:
    """Take a bucket of files, each a part that is named by its hash. The session's own token is the authorization."""
    session = assets.authorized(call.store, bearer(call))
    if call.media_type != "multipart/form-data":
        raise unsupported_content("multipart/form-data")
    files = {part.name: (content(call, part), content_type(part)) for part in multipart.read(call)}
    token = assets.put(call.store, session, files)
    return Answer({"jwt": token}, status=201) if token else Answer({}, status=202)


def bearer(call: Call) -> str:
    return call.headers.get("authorization", "").partition(" ")[2].strip()


def content(call: Call, part: Part) -> bytes:
    if call.query.get("base64") != "true":
        return part.body
    try:
        return base64.b64decode(part.body, validate=True)
    except (binascii.Error, ValueError):
        raise bad_body(f"asset {part.name!r} is not base64") from None


def content_type(part: Part) -> str | None:
    return part.content_type if part.media_type not in ("", NO_TYPE) else None
