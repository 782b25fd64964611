# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validation of the options of a Worker, without requests."""

from __future__ import annotations

import re
import typing as t

from .._engine.fields import UNKNOWN
from . import binding_validation, migrations, upload_metadata
from .bundle import BUNDLER_OPTIONS
from .settings import UPLOAD_ONLY
from .source import SOURCE_OPTIONS
from .tag_limits import TagLimits

NAME = re.compile(r"^[a-z0-9_][a-z0-9_-]{0,62}$")
OWNER = re.compile(r"^[a-z0-9-]{1,40}$")
DATE = re.compile(r"^\d{4}-\d\d-\d\d$")

UPLOAD_OPTIONS = ("main_module", "esbuild_path", *BUNDLER_OPTIONS, upload_metadata.NAME, *UPLOAD_ONLY)
USAGE_MODELS = ("standard", "bundled", "unbound")

Params = t.Mapping[str, t.Any]


def validation_errors(user_params: Params, options: Params, tag_limits: TagLimits) -> t.Iterator[str]:
    """Yield validation errors, each with the option, the problem and the remedy."""
    yield from _identity_errors(options["name"], options.get("owner") or "")
    if options.get("state") != "absent":
        yield from _required_errors(user_params)
    yield from _value_errors(user_params)
    yield from tag_limits.errors(user_params.get("tags") or [])
    if options.get("update_secrets") == "on_change" and not options.get("fingerprint_key"):
        yield (
            "update_secrets: on_change needs fingerprint_key to compare the values of secrets. "
            "Set it, or the environment variable CLOUDFLARE_FINGERPRINT_KEY."
        )


def _identity_errors(name: str, owner: str) -> t.Iterator[str]:
    if not NAME.fullmatch(name):
        yield (
            f"name: {name!r} is not a valid Worker name. "
            "Use up to 63 lower-case letters, digits, - and _, not starting with -."
        )
    if not OWNER.fullmatch(owner):
        yield f"owner: {owner!r} is not a valid owner. Use 1 to 40 lower-case letters, digits and -."


def _required_errors(user_params: Params) -> t.Iterator[str]:
    given_sources = [option for option in SOURCE_OPTIONS if user_params.get(option)]
    is_emptied = any(option in user_params for option in SOURCE_OPTIONS) and not user_params.get("assets")
    if len(given_sources) > 1 or (is_emptied and not given_sources):
        problem = f"only one of {', '.join(given_sources)} can be set" if given_sources else "the Worker has no code"
        yield f"{', '.join(SOURCE_OPTIONS)}: {problem}. Set exactly one of these options, or only assets."
    for name in BUNDLER_OPTIONS:
        if user_params.get(name) and not user_params.get("entrypoint") and given_sources:
            yield (
                f"{name}: only an entrypoint is bundled, and {given_sources[0]} is uploaded unchanged. "
                f"Remove {name}, or set entrypoint."
            )
    if not given_sources and not user_params.get("assets"):
        if "assets" in user_params:
            yield f"assets: only an upload of code removes them. Set one of {', '.join(SOURCE_OPTIONS)} too."
        if user_params.get("compatibility_date", "") is None:
            yield "compatibility_date: null would select Cloudflare's default of 2021-11-02. Set a date, or omit it."
        yield from (
            f"{name}: it is a part of the upload of code, which the task does not declare. "
            f"Set one of {', '.join(SOURCE_OPTIONS)} too, or remove {name}."
            for name in UPLOAD_OPTIONS
            if user_params.get(name)
        )
        return
    if not user_params.get("compatibility_date"):
        yield (
            "compatibility_date: the option is required with code, since Cloudflare's default is 2021-11-02. "
            "Set a quoted date, such as '2026-11-01'."
        )


def _value_errors(user_params: Params) -> t.Iterator[str]:
    date = user_params.get("compatibility_date")
    if date and date != UNKNOWN and not DATE.fullmatch(date):
        yield f"compatibility_date: {date!r} is not a valid date. Set a quoted date, such as '2026-11-01'."
    yield from migrations.validation_errors(user_params.get("migrations") or [])
    yield from _settings_errors(user_params)
    yield from upload_metadata.validation_errors(user_params.get(upload_metadata.NAME) or {})
    yield from _assets_errors(user_params)
    yield from binding_validation.validation_errors(user_params)


def _settings_errors(user_params: Params) -> t.Iterator[str]:
    model, limits, observability = (
        user_params.get("usage_model"),
        user_params.get("limits") or {},
        user_params.get("observability") or {},
    )
    if model not in (None, UNKNOWN, *USAGE_MODELS):
        yield f"usage_model: {model!r} is not a valid usage model. Use one of {', '.join(USAGE_MODELS)}."
    for name, value in limits.items():
        if value is not None and value < 1:
            yield f"limits: {name} is {value}. Set at least 1."
    for prefix, telemetry in (
        ("observability", observability),
        *((f"observability: {name}", observability.get(name) or {}) for name in ("logs", "traces")),
    ):
        rate = telemetry.get("head_sampling_rate")
        if rate is not None and not 0 <= rate <= 1:
            yield f"{prefix}: head_sampling_rate is {rate}. Set a share from 0 to 1."
    for container in user_params.get("containers") or []:
        if not container.get("name") and not container.get("class_name"):
            yield "containers: an element has neither name nor class_name. Set at least one of them."
    if set(user_params.get("placement") or {}) >= {"mode", "region"} and user_params["placement"]["mode"] == "smart":
        yield "placement: with mode: smart, Cloudflare chooses the region. Remove region, or set mode: targeted."


def _assets_errors(user_params: Params) -> t.Iterator[str]:
    assets = user_params.get("assets") or {}
    worker_first = assets.get("run_worker_first")
    if not isinstance(worker_first, (bool, type(None))) and not (
        isinstance(worker_first, list) and worker_first and all(isinstance(path, str) for path in worker_first)
    ):
        yield (
            f"assets: run_worker_first is {worker_first!r}. "
            "Set true, false or a list of paths, such as ['/api/*', '!/api/docs/*']."
        )
    for name in ("binding", "run_worker_first"):
        if assets.get(name) and not any(user_params.get(option) is not None for option in SOURCE_OPTIONS):
            yield (
                f"assets: {name} is set, but the Worker has no code to use it. "
                f"Set one of {', '.join(SOURCE_OPTIONS)} too, or remove {name}."
            )
