# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The writes of a plan, as requests. Bodies are built when they are sent, which keeps a plan of many uploads small."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ..._engine.fields import UNKNOWN, Attributes
from ..._engine.plan import Step, json_body
from ..._worker import bindings, migrations, multipart, settings, upload_metadata
from ..._worker.assets import UploadSession
from ..._worker.binding_types import INHERIT, Binding
from ..._worker.fingerprint import OWNER_PREFIX, FingerprintTag
from .comparison import Comparison
from .mapping import UPLOAD_TOLERANCE, parse_timestamp

if t.TYPE_CHECKING:
    from ..._cloudflare.responses import ApiResponse

CREATION_TOLERANCE = 1.0  # seconds between the dates of one creation in two responses, which may be rounded


def upload(comparison: Comparison, before: Attributes | None, after: Attributes) -> list[Step]:
    """Return the upload of code, settings and bindings, after an upload of assets if they changed.

    ``before`` is None for a new Worker, also for one that replaces another.
    """
    desired = comparison.desired
    all_bindings = _bindings_to_send(comparison, before, after, explicit_inherit=False)
    metadata = _settings_to_send(comparison, after) | _pending_migrations(comparison, before)
    session = _assets_session(comparison, before, after)

    def request() -> t.Mapping[str, t.Any]:
        source = comparison.source
        tags = comparison.receipt.sent(_tags_to_write(comparison, after, source.bundle_digest))
        request = multipart.upload_request(
            source,
            {**metadata, **_assets_metadata(comparison, session)},
            all_bindings,
            tags,
            desired.user_params.get(upload_metadata.NAME) or {},
        )
        return {**request, "idempotent": _is_idempotent(metadata)}

    on_response = functools.partial(_acknowledge_upload, comparison, before, after)
    put = Step("PUT", desired.endpoint.path, request, on_response)
    return [session.step, put] if session else [put]


def _acknowledge_upload(
    comparison: Comparison, before: Attributes | None, after: Attributes, response: ApiResponse
) -> None:
    """Read the response of an upload. Upload a Worker again, whole, if its update has created it.

    An update leaves out what stays, such as secrets. If another client has deleted the Worker since it was read,
    nothing stays, and the fingerprint tag would attest what does not exist.
    """
    worker = response.result if isinstance(response.result, dict) else {}
    created, known = (parse_timestamp(values.get("created_on")) for values in (worker, before or {}))
    if not known or created <= known + CREATION_TOLERANCE:
        comparison.receipt.acknowledge_upload(response)
        return
    client = comparison.desired.endpoint.client
    for step in upload(comparison, None, after):
        step.on_response(client.write(step.method, step.path, **step.request()))


def patch_settings(comparison: Comparison, before: Attributes, after: Attributes, changed: t.Collection[str]) -> Step:
    """Return the write that changes anything but code. It replaces all bindings, so it names each that stays."""
    metadata = {name: after[name] for name in settings.SETTINGS if name in changed} | _pending_migrations(
        comparison, before
    )
    if {"bindings", "secrets"} & set(changed):
        metadata["bindings"] = _bindings_to_send(comparison, before, after, explicit_inherit=True)

    def request() -> t.Mapping[str, t.Any]:
        tags = comparison.receipt.sent(_tags_to_write(comparison, after, comparison.bundle_to_attest))
        more = comparison.desired.user_params.get(upload_metadata.NAME) or {}
        # Omitted tags stay. Those of a response that does not mention any are unknown.
        current = comparison.snapshot.tags if comparison.snapshot else []
        request = multipart.settings_request({**metadata, **({} if tags == current else {"tags": tags}), **more})
        return {**request, "idempotent": _is_idempotent(metadata)}

    return Step("PATCH", f"{comparison.desired.endpoint.path}/settings", request)


def replace_tags(comparison: Comparison, after: Attributes) -> Step:
    """Return the write that replaces the tags and nothing else."""
    endpoint = comparison.desired.endpoint

    def request() -> t.Mapping[str, t.Any]:
        tags = _tags_to_write(comparison, after, comparison.bundle_to_attest)
        return endpoint.tags_to_request(comparison.receipt.sent(tags))

    return Step(endpoint.tags_method, endpoint.tags_path, request)


def switch_subdomain(comparison: Comparison, after: Attributes) -> Step:
    """Return the write that lets a Worker answer on workers.dev, or not. Its previews are sent as they are."""
    current = (comparison.snapshot.subdomain if comparison.snapshot else None) or {}
    path = f"{comparison.desired.endpoint.path}/subdomain"
    return Step("POST", path, json_body({**current, "enabled": after["workers_dev"]}))


def _settings_to_send(comparison: Comparison, after: Attributes) -> Attributes:
    """Return the settings of an upload. Of the upload-only ones, those that are declared or were read."""
    declared = comparison.desired.user_params
    return {
        name: after[name]
        for name in settings.SETTINGS
        if after.get(name) not in (None, UNKNOWN)
        and (name not in settings.UPLOAD_ONLY or name in declared or after[name])
    }


def _tags_to_write(comparison: Comparison, after: Attributes, bundle_digest: str) -> list[str]:
    desired, current = comparison.desired, comparison.current_tag
    owner = [OWNER_PREFIX + after["owner"]] if after["owner"] else []
    tag = dataclasses.replace(comparison.desired_tag, code=bundle_digest)
    if desired.source is not None:
        return [*after["tags"], *owner, tag.render(_time_of_write(desired.endpoint.client.server_time(), current))]
    # What the tag attests about code was not compared, so its time stays: the next task with code reads the Worker.
    attests = current is not None or desired.secrets.is_managed
    return [*after["tags"], *owner, *([tag.render(current.uploaded_at if current else 0)] if attests else [])]


def _time_of_write(now: float, current: FingerprintTag | None) -> float:
    """Return the time for a fingerprint tag: another second than that of the tag before, from which it must differ."""
    return now if current is None else max(now, min(current.uploaded_at + 1, now + UPLOAD_TOLERANCE))


def _bindings_to_send(
    comparison: Comparison, before: Attributes | None, after: Attributes, explicit_inherit: bool
) -> list[Binding]:
    """Return the bindings of a write: the declared ones and those that stay.

    Secrets stay by ``keep_bindings``. ``explicit_inherit`` names each of them instead, and so does a write with another
    binding to inherit, since Cloudflare does not document the two together.
    """
    current: list[Binding] = (before or {}).get("bindings", [])
    policy = comparison.desired.secrets
    bound = bindings.to_api(after.get("bindings", current), comparison.resolved.bindings or [], current)
    new = policy.to_send(before, after) if policy.declared else {}
    if policy.declared and policy.update == "on_change" and not explicit_inherit:
        new = policy.values  # of an upload, whose tag attests all values: another client may have changed one since
    if before and (explicit_inherit or any(binding["type"] == INHERIT for binding in bound)):
        bound += [bindings.inherit(name) for name in before["secrets"] if name in after["secrets"] and name not in new]
    return [*bound, *(bindings.secret_binding(name, value) for name, value in new.items())]


def _is_idempotent(metadata: Attributes) -> bool:
    """Return whether the write may be repeated: it replaces values, but migrations are steps from the current one."""
    return "migrations" not in metadata


def _pending_migrations(comparison: Comparison, before: Attributes | None) -> Attributes:
    return migrations.pending(comparison.desired.migrations, (before or {}).get("migration_tag"))


def _assets_session(comparison: Comparison, before: Attributes | None, after: Attributes) -> UploadSession | None:
    """Return the upload of the assets if they changed, and always for a Worker without code."""
    assets, endpoint = comparison.desired.assets, comparison.desired.endpoint
    if assets is None or (before is not None and before["assets"] == after["assets"] and after["modules"]):
        return None
    return UploadSession(endpoint.client, endpoint.path, assets.folder)


def _assets_metadata(comparison: Comparison, session: UploadSession | None) -> Attributes:
    """Return the assets part of an upload. Assets that it does not mention are deleted."""
    assets = comparison.desired.assets
    if assets and session:
        return {"assets": {"jwt": session.token, "config": assets.config}}
    if assets:
        return {"keep_assets": True, "assets": {"config": assets.config}}
    stay = comparison.snapshot is not None and comparison.snapshot.has_assets
    return {"keep_assets": True} if stay and "assets" not in comparison.desired.user_params else {}
