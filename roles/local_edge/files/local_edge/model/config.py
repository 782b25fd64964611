# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a Worker and their validation."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from typing import Any

from local_edge.errors import ApiError, invalid

DEFAULT_DATE = "2021-11-02"
#: The settings of the API with their default values.
DEFAULTS: Mapping[str, Any] = {
    "compatibility_date": DEFAULT_DATE,
    "compatibility_flags": [],
    "limits": None,
    "logpush": False,
    "observability": None,
    "placement": None,
    "tail_consumers": None,
    "usage_model": "standard",
    "cache_options": None,
}
#: Settings that belong to the Worker and not to a version.
UNVERSIONED = ("logpush", "observability", "tail_consumers")

#: Validates a value and raises ApiError. The first argument is its path, for the message.
Check = Callable[[str, Any], None]


def one_of(*values: Any) -> Check:
    def check(path: str, value: Any) -> None:
        if not any(value == one and type(value) is type(one) for one in values):
            raise invalid(f"{path} must be one of {', '.join(map(str, values))}")

    return check


def of_type(described: str, *types: type, least: float | None = None, most: float | None = None) -> Check:
    """Return a check of types and bounds. Booleans do not count as numbers."""

    def check(path: str, value: Any) -> None:
        fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        if not fits or (least is not None and value < least) or (most is not None and value > most):
            raise invalid(f"{path} must be {described}")

    return check


def list_of(check_one: Check) -> Check:
    def check(path: str, value: Any) -> None:
        if not isinstance(value, list):
            raise invalid(f"{path} must be a list")
        for position, one in enumerate(value):
            check_one(f"{path}[{position}]", one)

    return check


def fields(required: Mapping[str, Check] | None = None, /, **optional: Check) -> Check:
    """Return a check of an object. Unknown keys pass, since Cloudflare adds new ones."""

    def check(path: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise invalid(f"{path} must be an object")
        missing = [key for key in required or {} if value.get(key) is None]
        if missing:
            raise invalid(f"{path} must have `{missing[0]}`")
        for key, check_field in {**(required or {}), **optional}.items():
            if value.get(key) is not None:
                check_field(f"{path}.{key}", value[key])

    return check


def any_of(described: str, *checks: Check) -> Check:
    def check(path: str, value: Any) -> None:
        for one in checks:
            try:
                return one(path, value)
            except ApiError:
                continue
        raise invalid(f"{path} must be {described}")

    return check


def date(path: str, value: Any) -> None:
    """Check a compatibility date, which must not be in the future."""
    try:
        parsed = datetime.date.fromisoformat(value) if re.fullmatch(r"\d{4}-\d\d-\d\d", value) else None
    except (TypeError, ValueError):
        parsed = None
    if parsed is None:
        raise invalid(f"{path} {value!r} must be a date written YYYY-MM-DD")
    if parsed > datetime.datetime.now(datetime.timezone.utc).date():
        raise invalid(f"Can't set compatibility date in the future: {value}")


TEXT = of_type("a string", str)
FLAG = of_type("true or false", bool)
COUNT = of_type("a whole number from 1", int, least=1)
RATE = of_type("a number from 0 to 1", int, float, least=0, most=1)
STREAM = {"head_sampling_rate": RATE, "persist": FLAG, "destinations": list_of(TEXT)}
SHAPES: Mapping[str, Check] = {
    "compatibility_date": date,
    "compatibility_flags": list_of(TEXT),
    "limits": fields(cpu_ms=COUNT, subrequests=COUNT),
    "logpush": FLAG,
    "observability": fields(
        {"enabled": FLAG},
        head_sampling_rate=RATE,
        logs=fields(enabled=FLAG, invocation_logs=FLAG, **STREAM),
        traces=fields(enabled=FLAG, **STREAM, propagation_policy=one_of("authenticated", "accept")),
        issues=fields(enabled=FLAG),
        redact_query_string=FLAG,
    ),
    "placement": fields(mode=one_of("smart", "off", "targeted"), region=TEXT, hostname=TEXT, host=TEXT),
    "tail_consumers": list_of(fields({"service": TEXT}, environment=TEXT, namespace=TEXT)),
    "usage_model": one_of("standard", "bundled", "unbound"),
    "cache_options": fields({"enabled": FLAG}, cross_version_cache=FLAG),
    "containers": list_of(fields(name=TEXT, class_name=TEXT, images=fields())),
    "streaming_tail_consumers": list_of(fields({"service": TEXT}, environment=TEXT, namespace=TEXT)),
    "package_dependencies": list_of(fields()),
}
#: Settings of an upload that the official description of the API does not return. They have no default.
UPLOAD_ONLY = ("containers", "streaming_tail_consumers", "package_dependencies")
#: Metadata of an upload, besides the settings.
METADATA: Mapping[str, Check] = {
    "bindings": list_of(fields()),
    "keep_bindings": list_of(TEXT),
    "keep_assets": FLAG,
    "exports": fields(),
    "annotations": fields(),
    "assets": fields(jwt=TEXT),
}
ASSETS: Mapping[str, Check] = {
    "html_handling": one_of("auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none"),
    "not_found_handling": one_of("none", "404-page", "single-page-application"),
    "base_path": TEXT,
    "run_worker_first": any_of("true, false or a list of paths", FLAG, list_of(TEXT)),
    "_headers": TEXT,
    "_redirects": TEXT,
    "serve_directly": FLAG,
}


def checked(raw: Mapping[str, Any], shapes: Mapping[str, Check], prefix: str = "") -> dict[str, Any]:
    """Validate the known keys of an object and return them. A null value counts as absent."""
    present = {name: raw[name] for name in shapes if raw.get(name) is not None}
    for name, value in present.items():
        shapes[name](prefix + name, value)
    return present
