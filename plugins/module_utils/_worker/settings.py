# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of a Worker, except code and bindings. The modules, the comparison and both kinds of write use one table."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._engine.fields import Field, OptionSpec, as_set

RATE: OptionSpec = {"type": "float"}
TELEMETRY_OPTIONS: dict[str, OptionSpec] = {
    "head_sampling_rate": RATE,
    "persist": {"type": "bool"},
    "destinations": {"type": "list", "elements": "str"},
}


@dataclass(frozen=True)
class Setting:
    """One setting: its Ansible option, and the value that null sets and that a response omits."""

    spec: OptionSpec
    default: t.Any
    normalize: t.Callable[[t.Any], t.Any]
    is_partial: bool = False
    """Whether omitted keys keep their current values."""
    is_upload_only: bool = False
    """Whether only an upload of code sets it, and responses may omit it even if it is set."""


def _known_keys(spec: OptionSpec) -> t.Callable[[t.Any], t.Any]:
    """Return a normalizer that drops keys which the option does not have, and nulls."""

    def known_keys(value: t.Any) -> t.Any:
        return {
            key: _plain(inner, spec["options"].get(key, {}))
            for key, inner in (value or {}).items()
            if key in spec["options"] and inner is not None
        }

    return known_keys


def _plain(value: t.Any, spec: OptionSpec) -> t.Any:
    if "options" in spec:
        return _known_keys(spec)(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


OBSERVABILITY: OptionSpec = {
    "type": "dict",
    "options": {
        "enabled": {"type": "bool", "required": True},
        "head_sampling_rate": RATE,
        "logs": {
            "type": "dict",
            "options": {
                "enabled": {"type": "bool", "required": True},
                "invocation_logs": {"type": "bool", "required": True},
                **TELEMETRY_OPTIONS,
            },
        },
        "traces": {
            "type": "dict",
            "options": {"enabled": {"type": "bool"}, **TELEMETRY_OPTIONS, "propagation_policy": {"type": "str"}},
        },
        "issues": {"type": "dict", "options": {"enabled": {"type": "bool", "required": True}}},
        "redact_query_string": {"type": "bool"},
    },
}
LIMITS: OptionSpec = {"type": "dict", "options": {"cpu_ms": {"type": "int"}, "subrequests": {"type": "int"}}}
PLACEMENT: OptionSpec = {
    "type": "dict",
    "options": {
        "mode": {"type": "str", "choices": ["smart", "targeted"]},
        **{key: {"type": "str"} for key in ("region", "hostname", "host")},
    },
}
CACHE: OptionSpec = {
    "type": "dict",
    "options": {"enabled": {"type": "bool", "required": True}, "cross_version_cache": {"type": "bool"}},
}
CONSUMERS: OptionSpec = {
    "type": "list",
    "elements": "dict",
    "options": {
        "service": {"type": "str", "required": True},
        "namespace": {"type": "str"},
        "environment": {"type": "str"},
    },
}
CONTAINERS: OptionSpec = {
    "type": "list",
    "elements": "dict",
    "options": {"name": {"type": "str"}, "class_name": {"type": "str"}, "images": {"type": "dict"}},
}
PRODUCTION = "production"  # the default environment


def _with_enabled_default(spec: OptionSpec) -> t.Callable[[t.Any], t.Any]:
    """Return a normalizer for objects that are disabled if they are null or lack C(enabled)."""
    return lambda value: {"enabled": False, **_known_keys(spec)(value)}


def _consumers(value: t.Any) -> t.Any:
    consumers = [
        {
            key: item
            for key, item in consumer.items()
            if key in CONSUMERS["options"] and item not in (None, "", PRODUCTION)
        }
        for consumer in value or []
    ]
    return sorted(consumers, key=lambda consumer: sorted(consumer.items()))


def _containers(value: t.Any) -> t.Any:
    containers = map(_known_keys(CONTAINERS), value or [])
    return sorted(containers, key=lambda container: (container.get("class_name", ""), container.get("name", "")))


SETTINGS = {
    "compatibility_date": Setting({"type": "str"}, None, lambda value: value),
    "compatibility_flags": Setting({"type": "list", "elements": "str"}, [], as_set),
    "limits": Setting(LIMITS, {}, _known_keys(LIMITS)),
    "observability": Setting(OBSERVABILITY, {"enabled": False}, _with_enabled_default(OBSERVABILITY), is_partial=True),
    "placement": Setting(PLACEMENT, {}, _known_keys(PLACEMENT)),
    "logpush": Setting({"type": "bool"}, False, bool),
    "tail_consumers": Setting(CONSUMERS, [], _consumers),
    "cache_options": Setting(CACHE, {"enabled": False}, _with_enabled_default(CACHE), is_partial=True),
    "usage_model": Setting({"type": "str"}, "standard", lambda value: value or "standard"),
    "containers": Setting(CONTAINERS, [], _containers, is_upload_only=True),
    "streaming_tail_consumers": Setting(CONSUMERS, [], _consumers, is_upload_only=True),
}
UPLOAD_ONLY = tuple(name for name, setting in SETTINGS.items() if setting.is_upload_only)
FIELDS = tuple(
    Field(
        name,
        setting.spec,
        setting.normalize,
        **({} if setting.default is None else {"initial": setting.default, "removed": setting.default}),
    )
    for name, setting in SETTINGS.items()
)


def desired(user_params: t.Mapping[str, t.Any], current: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the desired settings. A partial value is merged into the current one."""
    found = {}
    for name, setting in SETTINGS.items():
        if name in user_params:
            value = setting.default if user_params[name] is None else user_params[name]
            if setting.is_partial:
                present = current.get(name) or {}
                value = disabled(present) if user_params[name] is None else deep_merge(present, value)
            found[name] = value
    return found


def is_partial(name: str) -> bool:
    """Return whether a partial value of this field is merged into the current one."""
    return name in SETTINGS and SETTINGS[name].is_partial


def disabled(current: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return a copy with C(enabled) false at every depth."""
    return {
        **{key: disabled(value) if isinstance(value, dict) else value for key, value in current.items()},
        "enabled": False,
    }


def deep_merge(current: t.Any, user_params: t.Any) -> t.Any:
    """Return C(user_params) with the keys that only C(current) has, at every depth."""
    if not (isinstance(current, dict) and isinstance(user_params, dict)):
        return user_params
    return {
        **current,
        **{key: deep_merge(current.get(key), value) for key, value in user_params.items() if value is not None},
    }


def from_api(response: t.Mapping[str, t.Any], attested: t.Mapping[str, t.Any] | None = None) -> dict[str, t.Any]:
    """Return the settings in a response of the API. C(attested) has values of upload-only settings that it omits."""
    omitted = {**{name: setting.default for name, setting in SETTINGS.items()}, **(attested or {})}
    return {name: omitted[name] if response.get(name) is None else response[name] for name in SETTINGS}
