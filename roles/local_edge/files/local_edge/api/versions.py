# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions and deployments of an account's Workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_edge.api import uploads
from local_edge.api.request import ApiRequest, ApiResponse
from local_edge.errors import ApiError, bad_body, invalid
from local_edge.invalidation import Invalidation
from local_edge.model import bindings, script_updates, scripts, versions
from local_edge.model.config import DEFAULTS, METADATA, SHAPES, TEXT, UNVERSIONED, checked, fields, of_type
from local_edge.model.script_updates import ScriptUpdate
from local_edge.model.scripts import Script
from local_edge.model.versions import Content, Deployment, Version

AUTHOR = "local@edge.test"
#: Metadata that belongs to the Worker and cannot be part of a version.
UNVERSIONED_SETTINGS = ("migrations", "logpush", "tail_consumers", "tags")
SHARE = fields({"version_id": TEXT, "percentage": of_type("a number from 0 to 100", int, float, least=0, most=100)})


def source_of(version: Version) -> str:
    """Return the client that uploaded a version: `wrangler` or `api`."""
    return str(version.content.config.get("last_deployed_from", "api"))


def to_api(version: Version) -> dict[str, Any]:
    """Return a version in the format of the list."""
    annotations = {"workers/triggered_by": "upload", **version.annotations}
    return {
        "id": version.id,
        "number": version.number,
        "annotations": annotations,
        "metadata": {
            "author_email": AUTHOR,
            "author_id": "",
            "created_on": version.created_on,
            "modified_on": version.created_on,
            "hasPreview": False,
            "source": source_of(version),
        },
    }


def version_detail(request: ApiRequest, version: Version) -> dict[str, Any]:
    """Return a version with its resources: bindings, script and runtime settings."""
    content = version.content
    config = {name: content.config.get(name, default) for name, default in DEFAULTS.items()}
    handlers = content.config.get("handlers", [])
    return {
        **to_api(version),
        "startup_time_ms": 1,
        "resources": {
            "bindings": [one.to_api() for one in content.bindings],
            "script": {
                "etag": content.etag,
                "handlers": handlers,
                "named_handlers": content.config.get("named_handlers", []),
                "placement_mode": None,
                "last_deployed_from": source_of(version),
            },
            "script_runtime": {
                **{
                    name: config[name]
                    for name in ("compatibility_date", "compatibility_flags", "usage_model", "limits")
                },
                "migration_tag": request.script.migrations["tag"],
            },
        },
    }


def deployment_json(request: ApiRequest, deployment: Deployment) -> dict[str, Any]:
    source = source_of(versions.get(request.store, request.script.id, deployment.versions[0]["version_id"]))
    return {
        "id": deployment.id,
        "source": source,
        "strategy": "percentage",
        "author_email": AUTHOR,
        "created_on": deployment.created_on,
        "annotations": dict(deployment.annotations),
        "versions": list(deployment.versions),
    }


async def list_versions(request: ApiRequest) -> ApiResponse:
    """Return a page of versions, or all with `deployable=true`. Include `resources`, which wrangler reads."""
    found = [version_detail(request, version) for version in versions.listing(request.store, request.script.id)]
    page, size = request.number("page", 1, 1, 1_000_000), request.number("per_page", 10, 1, 100)
    return ApiResponse(
        {"items": found if request.query.get("deployable") == "true" else found[(page - 1) * size : page * size]},
        info={
            "page": page,
            "per_page": size,
            "count": len(found),
            "total_count": len(found),
            "total_pages": -(-len(found) // size),
        },
    )


async def get_version(request: ApiRequest) -> ApiResponse:
    return ApiResponse(
        version_detail(request, versions.get(request.store, request.script.id, request.params["version"]))
    )


async def create_version(request: ApiRequest) -> ApiResponse:
    """Upload a version without deploying it. It inherits bindings from the newest version."""
    script, upload = request.script, await uploads.read(request)
    unversioned = [key for key in UNVERSIONED_SETTINGS if upload.metadata.get(key)]
    if unversioned:
        raise invalid(f"metadata `{unversioned[0]}` cannot be part of a version: change it in the Worker's settings")
    source, newest = upload.source(), versions.newest(request.store, script.id)
    before = {one.name: one for one in newest.content.bindings}
    metadata = {**upload.metadata, **checked(upload.metadata, METADATA)}
    after = bindings.resolve(
        request.store, request.account, metadata.get("bindings", []), before, uploads.inherit_policy(request, metadata)
    )
    after = uploads.bindings_with_ids(request, script.name, after, script.migrations)
    served = uploads.assets_after(request, script, metadata)
    uploads.check_assets_binding(served, after)
    config = {
        **checked(metadata, SHAPES),
        "last_deployed_from": request.client,
        **({"assets": served} if served else {}),
    }
    handlers = await uploads.validate(request, source, config, after)
    content = Content(source.etag, source.main, uploads.with_handlers(config, handlers, source), after)
    ident = script_updates.add_version(
        request.store, script, source, content, uploads.read_annotations(upload.metadata)
    )
    return ApiResponse(
        {
            **version_detail(request, versions.get(request.store, script.id, ident)),
            "startup_time_ms": handlers.startup_ms,
        }
    )


async def get_latest(request: ApiRequest) -> ApiResponse:
    """Return the newest version in the format of the beta API, which includes the configuration of assets."""
    version = versions.newest(request.store, request.script.id)
    served = version.content.config.get("assets")
    found = {"id": version.id, "number": version.number, "created_on": version.created_on, "urls": []}
    return ApiResponse({**found, **({"assets": {"config": served["config"]}} if served else {})})


async def patch_latest(request: ApiRequest) -> ApiResponse:
    """Create a version from the newest one and a merge patch of its `env`, without deploying it.

    Clients prepare secrets for the next deployment this way.
    """
    script, body = request.script, request.json_object()
    env = body.get("env")
    if not isinstance(env, dict) or not all(raw is None or isinstance(raw, dict) for raw in env.values()):
        raise bad_body("`env` must be an object of bindings by name; null removes one")
    newest = versions.newest(request.store, script.id).content
    after = {one.name: one for one in newest.bindings if one.name not in env}
    for name, raw in env.items():
        if raw is not None:
            entry = {**raw, "name": name}
            after[bindings.check_name(entry)] = bindings.parse(request.store, request.account, entry)
    content = Content(
        newest.etag,
        newest.main,
        {**newest.config, "last_deployed_from": request.client},
        bindings.check_count(list(after.values())),
    )
    await uploads.validate(request, scripts.source_of(request.store, newest), content.config, content.bindings)
    annotations = {"workers/triggered_by": "secret", **uploads.read_annotations(body)}
    ident = script_updates.add_version(request.store, script, None, content, annotations)
    return ApiResponse(version_detail(request, versions.get(request.store, script.id, ident)))


async def list_deployments(request: ApiRequest) -> ApiResponse:
    return ApiResponse(
        {
            "deployments": [
                deployment_json(request, one) for one in versions.deployments(request.store, request.script.id)
            ]
        }
    )


async def get_deployment(request: ApiRequest) -> ApiResponse:
    found = [
        one for one in versions.deployments(request.store, request.script.id) if one.id == request.params["deployment"]
    ]
    if not found:
        raise ApiError(404, 10336, "Deployment not found.")
    return ApiResponse(deployment_json(request, found[0]))


async def create_deployment(request: ApiRequest) -> ApiResponse:
    """Deploy one or two versions. The one with the larger percentage serves all requests of the local edge."""
    script, body = request.script, request.json_object()
    shares = read_shares(request, script, body)
    chosen = versions.get(request.store, script.id, max(shares, key=lambda one: one["percentage"])["version_id"])
    annotations = uploads.read_annotations(body)
    unversioned = {name: script.config[name] for name in UNVERSIONED if name in script.config}
    change = ScriptUpdate(
        config={**chosen.content.config, **unversioned},
        bindings=chosen.content.bindings,
        annotations=annotations,
        version=chosen,
    )
    script_updates.write(request.store, request.scope, script.name, change)
    if len(shares) > 1:
        versions.set_traffic(request.store, script.id, shares)
    request.invalidate(Invalidation.worker(script.key))
    return ApiResponse(deployment_json(request, versions.deployments(request.store, script.id)[0]))


def read_shares(request: ApiRequest, script: Script, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Read the versions of a deployment, as `[{"version_id", "percentage"}]`. Raise ApiError if they are invalid."""
    shares = body.get("versions")
    if body.get("strategy", "percentage") != "percentage" or not isinstance(shares, list) or not 1 <= len(shares) <= 2:
        raise bad_body("a deployment must have the strategy `percentage` and one or two `versions`")
    for one in shares:
        SHARE("versions", one)
    if sum(one["percentage"] for one in shares) != 100 or len({one["version_id"] for one in shares}) < len(shares):
        raise bad_body("the `versions` must differ, and their percentages must sum up to 100")
    return [
        {"version_id": versions.get(request.store, script.id, one["version_id"]).id, "percentage": one["percentage"]}
        for one in shares
    ]
